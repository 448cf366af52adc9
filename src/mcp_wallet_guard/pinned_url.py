"""Which addresses the guard may speak to: one spelling of https, or http to a literal loopback address.

The settings refuse another address when they are read, egress when it is asked. Threat: T-046, T-057.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Final, final

from mcp_wallet_guard.errors import Misconfigured

MAX_URL: Final = 2048
_URL: Final = re.compile(
    r"(?P<scheme>https?)://"
    r"(?:(?P<userinfo>[A-Za-z0-9._~!$&'()*+,;=:%-]{1,512})@)?"
    r"(?P<host>\[[0-9a-f:]{2,39}\]|[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<path>/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?"
    r"(?P<query>\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?"
)
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


@final
@dataclass(frozen=True, slots=True)
class PinnedUrl:
    """An address that the operator pinned. `origin` may be logged; path, query and userinfo often hold an API key.

    Make it with `parse`. `repr` and `str` show the origin alone.
    """

    text: str = field(repr=False)
    origin: str

    def __post_init__(self) -> None:
        if type(self.text) is not str or self.origin != _origin(self.text):
            raise _refuse_url()

    @classmethod
    def parse(cls, text: object, /) -> PinnedUrl:
        """Raises Misconfigured("misconfigured.settings") unless `text` is https, or http to 127.0.0.0/8 or [::1].

        Accepted is one spelling only: lower case scheme and host, dotted-decimal IPv4, no fragment, no userinfo with
        plain http. What looks like a number but is no plain IPv4 address is refused, whatever a resolver makes of it.
        """
        if type(text) is not str:
            raise _refuse_url()
        return cls(text, _origin(text))

    def __str__(self) -> str:
        return self.origin


def _refuse_url() -> Misconfigured:
    return Misconfigured("misconfigured.settings", detail="a URL must be https, or http to a loopback IP address")


def _origin(text: str) -> str:
    parts = _URL.fullmatch(text) if len(text) <= MAX_URL else None
    if parts is None or int(parts["port"] or 443) > 65_535:
        raise _refuse_url()
    scheme, host = parts["scheme"], parts["host"]
    loopback = _is_loopback(host)
    if scheme == "http" and (not loopback or parts["userinfo"] is not None):
        raise _refuse_url()
    port = int(parts["port"] or (443 if scheme == "https" else 80))
    return f"{scheme}://{host}:{port}"


def _is_loopback(host: str) -> bool:
    """Whether the host is a literal loopback address. Raises Misconfigured for a malformed or oddly written one."""
    try:
        if host.startswith("["):
            return ipaddress.IPv6Address(host[1:-1]) == ipaddress.IPv6Address("::1") and host == "[::1]"
        if _NUMBER.fullmatch(host.rpartition(".")[2]) is None:
            if ".." in host:
                raise _refuse_url()
            return False
        return ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        raise _refuse_url() from None
