"""URIs of resources, read one way only: what a handler gets is what was looked at, decoded once.

The SDK's matching decodes leniently: broken escapes stay, bytes that are not UTF-8 become a replacement character, an
unknown or second query parameter is dropped. Here each of these is refused, and so is what would mean something else
to the next program that reads it: path segments that climb, a slash where the template has one segment, a backslash,
an escape within an escape, a character that nobody sees. Source: RFC 3986, section 2; RFC 6570. Threat: T-058, T-106.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from mcp.shared.path_security import is_absolute_path
from mcp.shared.uri_template import InvalidUriTemplate, UriTemplate

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.mcp.handlers import refuse

MAX_CHARACTERS: Final = 2048
MAX_NAME: Final = 200
"""Of a URI, a template or a prompt's name: it stands in each line of the journal about it."""

Captured = dict[str, str | list[str]]

_VISIBLE: Final = re.compile(r"[!-~]+")
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*:")
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ESCAPE: Final = re.compile(r"%[0-9A-Fa-f]{2}")
_WITH_SLASHES: Final = frozenset({"+", "#", "?", "&"})
_NO_PATH: Final = frozenset({"#", "?", "&"})


def parse_template(text: str, /) -> UriTemplate:
    """A URI or URI template as an author writes it. Raises Misconfigured("misconfigured.tool")."""
    if len(text) > MAX_NAME or _VISIBLE.fullmatch(text) is None or _SCHEME.match(text) is None:
        refuse(f"a resource has a URI of visible ASCII characters with a scheme, at most {MAX_NAME} of them")
    try:
        return UriTemplate.parse(text)
    except InvalidUriTemplate:
        refuse("a resource's URI template does not parse (RFC 6570, levels 1 to 3)")


def check_name(name: str, /) -> None:
    """Raises Misconfigured("misconfigured.tool") for a prompt's name that the journal could not have."""
    if len(name) > MAX_NAME or _VISIBLE.fullmatch(name) is None:
        refuse(f"a prompt's name is 1 to {MAX_NAME} visible ASCII characters")


def check_uri(uri: str, /) -> None:
    """Raises InvalidInput for a URI that is too long, has other characters than visible ASCII ones, or has escapes that
    are broken or are not UTF-8."""
    if len(uri) > MAX_CHARACTERS:
        raise InvalidInput("invalid_input.size")
    if _VISIBLE.fullmatch(uri) is None or _BROKEN_ESCAPE.search(uri):
        raise InvalidInput(detail="not a URI")
    try:
        unquote_to_bytes(uri).decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidInput(detail="a URI whose escapes are not UTF-8") from None


def capture(template: UriTemplate, uri: str, /) -> Captured:
    """The values of the template's variables in `uri`, which passed `check_uri` and matches. Raises InvalidInput."""
    captured = template.match(uri, max_uri_length=MAX_CHARACTERS)
    if captured is None:
        raise InvalidInput
    if template.query_variable_names:
        _check_query(uri, known=template.query_variable_names, fragment="#" in template.template)
    operators = {variable.name: variable.operator for variable in template.variables}
    for name, value in captured.items():
        for each in [value] if isinstance(value, str) else value:
            _check_value(each, operator=operators[name])
    return captured


def _check_query(uri: str, *, known: frozenset[str], fragment: bool) -> None:
    if "#" in uri and not fragment:
        raise InvalidInput("invalid_input.unknown_argument")
    query = uri.partition("#")[0].partition("?")[2]
    names = [pair.partition("=")[0] for pair in query.split("&")] if query else []
    if len(names) != len(set(names)) or not known >= set(names):
        raise InvalidInput("invalid_input.unknown_argument")


def _check_value(value: str, *, operator: str) -> None:
    segments = value.split("/")
    if not value.isprintable() or "\\" in value or _ESCAPE.search(value) or not {".", ".."}.isdisjoint(segments):
        raise InvalidInput(detail="a value that another program may read differently")
    if len(segments) > 1 and operator not in _WITH_SLASHES:
        raise InvalidInput(detail="a slash within a segment")
    if operator not in _NO_PATH and (is_absolute_path(value) or "//" in value):
        raise InvalidInput(detail="an absolute path")
