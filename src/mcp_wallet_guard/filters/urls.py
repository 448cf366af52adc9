"""URLs that carry a credential: nodes with an API key in the path, the host, a parameter or before the ``@``.

Of providers that put the key into the path the shapes are listed; of any other host only parameters with the name of a
key and passwords before the ``@`` count, so that links to explorers, documentation and public nodes pass. Pure; every
search is linear. Threat: T-057, T-061, T-062.
"""

from __future__ import annotations

import re
from typing import Final

_URL: Final = re.compile(r"(?:https?|wss?)://[^\s\"'<>`\\^{}|\[\]]{4,2048}", re.IGNORECASE)
_SPLIT: Final = re.compile(
    r"(?:https?|wss?)://(?:([^/?#@]*)@)?([^/?#:@]+)(?::[0-9]*)?(/[^?#]*)?(?:\?([^#]*))?", re.IGNORECASE
)
_KEY: Final = r"[A-Za-z0-9_-]"
_HEX_KEY: Final = r"[0-9a-fA-F]"
_UUID: Final = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
_PROVIDERS: Final = tuple(
    (host, re.compile(path))
    for host, path in (
        ("infura.io", rf"/(?:ws/)?v3/{_HEX_KEY}{{32}}(?:/|$)"),
        ("alchemy.com", rf"/(?:nft/)?v[23]/{_KEY}{{20,64}}(?:/|$)"),
        ("alchemyapi.io", rf"/v[12]/{_KEY}{{20,64}}(?:/|$)"),
        ("quiknode.pro", rf"/{_HEX_KEY}{{32,64}}(?:/|$)"),
        ("quicknode.pro", rf"/{_HEX_KEY}{{32,64}}(?:/|$)"),
        ("ankr.com", rf"/(?:{_KEY}{{2,32}}/){{1,3}}{_HEX_KEY}{{48,80}}(?:/|$)"),
        ("chainstack.com", rf"/(?:{_KEY}{{2,16}}/){{0,2}}{_HEX_KEY}{{32}}(?:/|$)"),
        ("p2pify.com", rf"/(?:{_KEY}{{2,16}}/){{0,2}}{_HEX_KEY}{{32}}(?:/|$)"),
        ("drpc.org", rf"/{_KEY}{{2,32}}/{_KEY}{{32,64}}(?:/|$)"),
        ("tenderly.co", rf"/(?:public/)?{_KEY}{{20,40}}(?:/|$)"),
        ("blastapi.io", rf"/{_UUID}(?:/|$)"),
        ("getblock.io", rf"/(?:[a-z]{{2,8}}/)?(?:{_HEX_KEY}{{32}}|{_UUID})(?:/|$)"),
        ("nodereal.io", rf"/(?:ws/)?v1/{_HEX_KEY}{{32}}(?:/|$)"),
        ("nodereal.cc", rf"/(?:ws/)?v1/{_HEX_KEY}{{32}}(?:/|$)"),
        ("moralis-nodes.com", rf"/{_KEY}{{2,24}}(?:/{_KEY}{{2,24}})?/{_HEX_KEY}{{32}}(?:/|$)"),
        ("blockpi.network", rf"/v1/(?:rpc|ws)/{_HEX_KEY}{{32,64}}(?:/|$)"),
        ("rpcpool.com", rf"/{_UUID}(?:/|$)"),
        ("zan.top", rf"/(?:{_KEY}{{2,16}}/){{2,5}}{_HEX_KEY}{{32}}(?:/|$)"),
        ("allnodes.me", rf"/{_KEY}{{32,64}}(?:/|$)"),
        ("gateway.pokt.network", rf"/v1/(?:lb/)?{_HEX_KEY}{{24,32}}(?:/|$)"),
        ("1rpc.io", rf"/{_KEY}{{17,40}}/{_KEY}{{2,20}}(?:/|$)"),
    )
)
_IN_HOST: Final = re.compile(rf"{_HEX_KEY}{{32}}\..*\.(?:rivet\.cloud|rivet\.link)", re.IGNORECASE)
_PATH_ALONE: Final = re.compile(r"\burl:\s{0,2}/(?:ws/)?v[123]/([A-Za-z0-9_-]{32,64})(?![A-Za-z0-9_-])")
_PARAMETER: Final = re.compile(
    r"(?:^|&)(?:api[_-]?key|x-api-key|access[_-]?key|access[_-]?token|auth[_-]?token|api[_-]?token|dkey|key|token|auth"
    r"|secret|client_secret|apikey|signature_key)=([^&]*)",
    re.IGNORECASE,
)
_KEY_SHAPED: Final = re.compile(r"[A-Za-z0-9_.~+/%=-]{16,}")
_PLACEHOLDER: Final = re.compile(
    r"your|<|\$|\{|\*{3}|x{6}|\.\.\.|redacted|example|placeholder|hidden|api[_-]?key|project[_-]?id|secret|changeme|%3c",
    re.IGNORECASE,
)


def holds_keyed_url(text: str, /) -> bool:
    """Whether `text` has the URL of a node or a service together with the key to it. Placeholders are no keys."""
    if any(_is_key(found) for found in _PATH_ALONE.findall(text)):
        return True
    return any(_is_keyed(url) for url in _URL.findall(text))


def _is_keyed(url: str) -> bool:
    parts = _SPLIT.match(url)
    if parts is None:
        return False
    user, host, path, query = (part or "" for part in parts.groups())
    name, _, password = user.partition(":")
    if (len(password) >= 6 and not _PLACEHOLDER.search(password)) or (_is_key(name) and len(name) >= 20):
        return True
    host = host.lower().rstrip(".")
    if _IN_HOST.fullmatch(host):
        return True
    for provider, shape in _PROVIDERS:
        if host == provider or host.endswith("." + provider):
            found = shape.match(path)
            if found is not None and any(_is_key(part) for part in found[0].split("/")):
                return True
    return any(_KEY_SHAPED.fullmatch(value) and _is_key(value) for value in _PARAMETER.findall(query))


def _is_key(text: str) -> bool:
    """At least 16 characters, digits among letters or a mixture of cases, and no placeholder."""
    if len(text) < 16 or _PLACEHOLDER.search(text):
        return False
    kinds = {c.isdigit() or c.islower() << 1 for c in text if c.isalnum()}
    return len(kinds) > 1 and len(set(text.lower())) > 5
