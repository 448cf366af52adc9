"""Sign-In with Ethereum: the one text of a sign-in <-> its fields, strictly by the standard's grammar.

Source: ERC-4361, with RFC 3986 for URIs and RFC 3339 for dates. Addresses have their EIP-55 checksum; a chain id has no
leading zeros and is below 2**64. Threat: T-034.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final, final

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations import rfc3339
from mcp_wallet_guard.operations.values import Address, ChainId

MAX_CHARACTERS: Final = 16_384
MAX_RESOURCES: Final = 64
WORDS: Final = "wants you to sign in with your Ethereum account"
_OPENING: Final = f" {WORDS}:"

_UNRESERVED: Final = r"A-Za-z0-9\-._~"
_SUB: Final = r"!$&'()*+,;="
_PERCENT: Final = r"%[0-9A-Fa-f]{2}"
_PCHAR: Final = rf"(?:[{_UNRESERVED}{_SUB}:@]|{_PERCENT})"
_SCHEME: Final = r"[A-Za-z][A-Za-z0-9+\-.]*"
_LITERAL: Final = rf"\[(?:(?P<six>[0-9A-Fa-f:.]+)|[vV][0-9A-Fa-f]+\.[{_UNRESERVED}{_SUB}:]+)\]"
_AUTHORITY: Final = (
    rf"(?:(?P<user>(?:[{_UNRESERVED}{_SUB}:]|{_PERCENT})*)@)?"
    rf"(?P<host>{_LITERAL}|(?:[{_UNRESERVED}{_SUB}]|{_PERCENT})*)(?::[0-9]*)?"
)
_HIERARCHY: Final = rf"(?://{_AUTHORITY}(?:/{_PCHAR}*)*|/(?:{_PCHAR}+(?:/{_PCHAR}*)*)?|{_PCHAR}+(?:/{_PCHAR}*)*|)"
_DOMAIN: Final = re.compile(_AUTHORITY)
_ORIGIN: Final = re.compile(rf"(?:({_SCHEME})://)?(.*)")
_URI: Final = re.compile(rf"{_SCHEME}:{_HIERARCHY}(?:\?(?:{_PCHAR}|[/?])*)?(?:#(?:{_PCHAR}|[/?])*)?")
_STATEMENT: Final = re.compile(rf"[{_UNRESERVED}{_SUB}:/?#\[\]@ ]*")
_NONCE: Final = re.compile(r"[A-Za-z0-9]{8,}")
_CHAIN: Final = re.compile(r"[1-9][0-9]{0,19}")
_REQUEST: Final = re.compile(rf"{_PCHAR}*")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """The fields of a sign-in, None for one that is not there. Dates are texts of RFC 3339, as they are signed;
    `issued_at_seconds` and its kin are unix seconds. An empty `statement` is another text than none."""

    scheme: str | None = None
    domain: str
    address: Address
    statement: str | None = None
    uri: str
    chain: ChainId
    nonce: str
    issued_at: str
    expiration_time: str | None = None
    not_before: str | None = None
    request_id: str | None = None
    resources: tuple[str, ...] | None = None

    @property
    def issued_at_seconds(self) -> int:
        """When the message says that it was made."""
        return rfc3339.parse_seconds(self.issued_at)

    @property
    def expires_at(self) -> int | None:
        """When the signature stops being one."""
        return None if self.expiration_time is None else rfc3339.parse_seconds(self.expiration_time)

    @property
    def starts_at(self) -> int | None:
        """When the signature begins to be one."""
        return None if self.not_before is None else rfc3339.parse_seconds(self.not_before)

    @property
    def host(self) -> str:
        """The host of the domain, in lower case, without user and port."""
        return _host(_DOMAIN.fullmatch(self.domain)) or ""

    @property
    def uri_host(self) -> str | None:
        """The host of the URI, in lower case, None for a URI that has none."""
        return _host(_URI.fullmatch(self.uri))

    @property
    def has_user(self) -> bool:
        """Whether the domain has a part before ``@``, which reads like the domain and is not."""
        return "@" in self.domain


def is_sign_in_like(text: str, /) -> bool:
    """Whether `text` says that it is a sign-in, wherever it says so and however it is written.

    One that does and does not parse is a trap. Source: ERC-4361, "Verifying the Message Format".
    """
    return WORDS.casefold() in " ".join(text.casefold().split())


def parse_sign_in(text: str, /) -> SignIn:
    """Raises InvalidInput("invalid_input.message") unless `text` is a sign-in to the letter."""
    if type(text) is not str or len(text) > MAX_CHARACTERS:
        raise _invalid("too long")
    lines = _Lines(text.split("\n"))
    scheme, domain = _origin(lines.take())
    address = _address(lines.take())
    lines.expect("")
    statement = _statement(lines)
    uri = _uri(lines.after("URI: "))
    lines.expect("Version: 1")
    chain = _chain(lines.after("Chain ID: "))
    nonce = _matching(_NONCE, lines.after("Nonce: "), "nonce")
    issued_at = _date(lines.after("Issued At: "))
    expiration, not_before = lines.maybe("Expiration Time: "), lines.maybe("Not Before: ")
    request, resources = lines.maybe("Request ID: "), _resources(lines)
    lines.end()
    return SignIn(
        scheme=scheme,
        domain=domain,
        address=address,
        statement=statement,
        uri=uri,
        chain=chain,
        nonce=nonce,
        issued_at=issued_at,
        expiration_time=None if expiration is None else _date(expiration),
        not_before=None if not_before is None else _date(not_before),
        request_id=None if request is None else _matching(_REQUEST, request, "request id"),
        resources=resources,
    )


def encode_sign_in(sign_in: SignIn, /) -> str:
    """The text that parses to `sign_in`. Raises InvalidInput("invalid_input.message") when there is none."""
    scheme = "" if sign_in.scheme is None else f"{sign_in.scheme}://"
    lines = [f"{scheme}{sign_in.domain}{_OPENING}", sign_in.address.value, ""]
    lines += [] if sign_in.statement is None else [sign_in.statement]
    lines += ["", f"URI: {sign_in.uri}", "Version: 1", f"Chain ID: {sign_in.chain.number}", f"Nonce: {sign_in.nonce}"]
    named = (
        ("Issued At", sign_in.issued_at),
        ("Expiration Time", sign_in.expiration_time),
        ("Not Before", sign_in.not_before),
        ("Request ID", sign_in.request_id),
    )
    lines += [f"{name}: {value}" for name, value in named if value is not None]
    if sign_in.resources is not None:
        lines += ["Resources:", *(f"- {resource}" for resource in sign_in.resources)]
    text = "\n".join(lines)
    if parse_sign_in(text) != sign_in:
        raise _invalid("the fields are not those of a sign-in")
    return text


class _Lines:
    __slots__ = ("_at", "_lines")

    def __init__(self, lines: list[str], /) -> None:
        self._lines, self._at = lines, 0

    def peek(self) -> str | None:
        return self._lines[self._at] if self._at < len(self._lines) else None

    def take(self) -> str:
        line = self.peek()
        if line is None:
            raise _invalid("the text ends early")
        self._at += 1
        return line

    def expect(self, text: str) -> None:
        if self.take() != text:
            raise _invalid("a line is not the one that the standard has there")

    def after(self, prefix: str) -> str:
        value = self.maybe(prefix)
        if value is None:
            raise _invalid(f"there is no line {prefix.strip()}")
        return value

    def maybe(self, prefix: str) -> str | None:
        line = self.peek()
        if line is None or not line.startswith(prefix):
            return None
        self._at += 1
        return line.removeprefix(prefix)

    def end(self) -> None:
        if self.peek() is not None:
            raise _invalid("there is text after the end")


def _origin(line: str) -> tuple[str | None, str]:
    if not line.endswith(_OPENING):
        raise _invalid("the first line is another one")
    match = _ORIGIN.fullmatch(line.removesuffix(_OPENING))
    if match is None or not match[2]:
        raise _invalid("there is no domain")
    found = _DOMAIN.fullmatch(match[2])
    if found is None or not found["host"]:
        raise _invalid("the domain is not an authority of RFC 3986")
    _check_literal(found["six"])
    return match[1], match[2]


def _address(line: str) -> Address:
    try:
        return Address.parse(line)
    except InvalidInput:
        raise _invalid("the address is not one with its checksum") from None


def _statement(lines: _Lines) -> str | None:
    """Up to and with the empty line before the URI: one empty line for no statement, else the statement and one."""
    first = lines.take()
    if first == "" and lines.peek() != "":
        return None
    lines.expect("")
    return _matching(_STATEMENT, first, "statement")


def _host(match: re.Match[str] | None) -> str | None:
    host = None if match is None else match["host"]
    return None if host is None else host.lower()


def _resources(lines: _Lines) -> tuple[str, ...] | None:
    if lines.peek() != "Resources:":
        return None
    lines.take()
    found: list[str] = []
    while (resource := lines.maybe("- ")) is not None:
        found.append(_uri(resource))
    if len(found) > MAX_RESOURCES:
        raise _invalid("there are too many resources")
    return tuple(found)


def _uri(text: str) -> str:
    match = _URI.fullmatch(text)
    if match is None:
        raise _invalid("a URI is none of RFC 3986")
    _check_literal(match["six"])
    return text


def _check_literal(text: str | None) -> None:
    if text is None:
        return
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        raise _invalid("an address in brackets is no IPv6 address") from None


def _chain(text: str) -> ChainId:
    number = int(_matching(_CHAIN, text, "chain id"))
    if number >= 2**64:
        raise _invalid("the chain id is too large")
    return ChainId(number)


def _date(text: str) -> str:
    try:
        rfc3339.parse_seconds(text)
    except ValueError:
        raise _invalid("a date is none of RFC 3339") from None
    return text


def _matching(pattern: re.Pattern[str], text: str, what: str) -> str:
    if pattern.fullmatch(text) is None:
        raise _invalid(f"the {what} has another form")
    return text


def _invalid(detail: str) -> InvalidInput:
    return InvalidInput("invalid_input.message", detail=f"sign-in: {detail}")
