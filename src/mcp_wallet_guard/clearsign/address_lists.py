"""Address lists of the owner's choice: who is blocked, and which contracts somebody verified.

Specified in docs/formats/lists.md. A list that cannot be read in full is refused. Threat: T-025, T-106.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Literal, NoReturn, final

from mcp_wallet_guard import strict_json
from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations.names import is_entry_name
from mcp_wallet_guard.operations.values import Address

VERSION: Final = 1
MAX_BYTES: Final = 8 * 1024 * 1024
MAX_ADDRESSES: Final = 50_000
MAX_NOTE: Final = 120
_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")
_ALWAYS: Final = {"v", "kind", "name", "addresses"}
_MAX_CHAIN: Final = 2**53 - 1


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AddressList:
    """Addresses as their 20 bytes. `chain` is the EIP-155 number of a list of verified contracts, None of a block
    list, which holds on every chain."""

    kind: Literal["blocked", "verified"]
    name: str
    chain: int | None
    addresses: frozenset[bytes]


def read_address_list(data: bytes, /) -> AddressList:
    """Raises InvalidInput("invalid_input.list"), whose detail says what is wrong with it, or with which entry."""
    try:
        document = strict_json.loads(data) if len(data) <= MAX_BYTES else None
    except ValueError:
        document = None
    if type(document) is not dict or document.get("v") is not VERSION:
        _refuse(f"is not JSON of at most {MAX_BYTES} bytes with v = {VERSION}")
    kind, name, entries = (document.get(key) for key in ("kind", "name", "addresses"))
    if kind not in {"blocked", "verified"}:
        _refuse("kind is neither blocked nor verified")
    if document.keys() != (_ALWAYS | {"chainId"} if kind == "verified" else _ALWAYS):
        _refuse("it has exactly v, kind, name, addresses, and a list of verified contracts chainId")
    chain = document.get("chainId")
    if kind == "verified" and (type(chain) is not int or not 1 <= chain <= _MAX_CHAIN):
        _refuse("chainId is an EIP-155 chain id")
    if type(name) is not str or not is_entry_name(name):
        _refuse("name is 1 to 40 letters, digits, spaces, dots, underscores, hyphens")
    if type(entries) is not dict or not 1 <= len(entries) <= MAX_ADDRESSES:
        _refuse(f"addresses has 1 to {MAX_ADDRESSES} addresses, each with a note")
    found = frozenset(_address(text, note, place) for place, (text, note) in enumerate(entries.items()))
    if len(found) != len(entries):
        _refuse("an address is there twice")
    return AddressList(kind=kind, name=name, chain=chain, addresses=found)


def listed_address(text: object, /) -> bytes:
    """The 20 bytes of an address as lists have it: in one case, or in a mixed one that is its EIP-55 checksum. Raises
    InvalidInput("invalid_input.address")."""
    if type(text) is not str or _ADDRESS.fullmatch(text) is None:
        raise InvalidInput("invalid_input.address")
    digits = text[2:]
    return bytes.fromhex(digits) if digits in {digits.lower(), digits.upper()} else Address(text).raw


def _address(text: str, note: Any, place: int) -> bytes:
    if type(note) is not str or len(note) > MAX_NOTE:
        _refuse(f"addresses.{place}: a note has at most {MAX_NOTE} characters")
    try:
        return listed_address(text)
    except InvalidInput:
        _refuse(f"addresses.{place}: no address, or its mixed case is not its EIP-55 checksum")


def _refuse(detail: str) -> NoReturn:
    raise InvalidInput("invalid_input.list", detail=detail)
