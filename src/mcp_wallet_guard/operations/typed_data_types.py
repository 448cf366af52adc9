"""The type language of EIP-712: names, atomic types, arrays, and which struct types may stand together.

What two readers could take for two things is refused: names that are not identifiers, structs that take the name of an
atomic type, recursion, types that nobody declared. Source: EIP-712, "Definition of typed structured data".
Threat: T-033.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Literal, final

from mcp_wallet_guard.errors import InvalidInput

DOMAIN_TYPE: Final = "EIP712Domain"
MAX_TYPES: Final = 64
MAX_MEMBERS: Final = 64
MAX_DIMENSIONS: Final = 8
MAX_LENGTH: Final = 10_000
"""Of an array with a fixed number of items."""

_WORD: Final = r"[A-Za-z_$][A-Za-z0-9_$]*"
# Colons stand in the types of one large exchange. An empty name and blanks inside a member's name are odd, but three
# large wallets agree on their hashes, and neither makes `encodeType` ambiguous.
_TYPE_NAME: Final = re.compile(rf"(?:{_WORD}(?::{_WORD})*)?")
_MEMBER_NAME: Final = re.compile(rf"{_WORD}(?: [A-Za-z0-9_$]+)*")
_NAME_LIMIT: Final = 128
# All that Solidity calls an elementary type, EIP-712's or not: a struct of that name could be read as one.
_RESERVED: Final = re.compile(r"(?:u?int[0-9]*|bytes[0-9]*|byte|bool|address|string|function|u?fixed[0-9x]*)")
_ARRAY: Final = re.compile(r"(.*)\[([1-9][0-9]{0,4})?\]", re.DOTALL)
_ATOM: Final = re.compile(r"(uint|int|bytes)([1-9][0-9]{0,2})")

AtomKind = Literal["uint", "int", "fixed_bytes", "bytes", "string", "address", "bool"]


@final
@dataclass(frozen=True, slots=True)
class Atom:
    """An atomic or dynamic type. `size` is bits for integers, bytes for `fixed_bytes`, else 0."""

    kind: AtomKind
    size: int = 0


@final
@dataclass(frozen=True, slots=True)
class Array:
    """`length` is None for a dynamic array."""

    item: str
    length: int | None


@final
@dataclass(frozen=True, slots=True)
class Field:
    """A member of a struct type: its `type` as text, and its `name`."""

    type: str
    name: str


Types = Mapping[str, tuple[Field, ...]]
"""Struct type name -> members, in the order in which they are hashed."""

_SIMPLE: Final = {
    "bytes": Atom("bytes"),
    "string": Atom("string"),
    "address": Atom("address"),
    "bool": Atom("bool"),
}
DOMAIN_FIELDS: Final = (
    Field("string", "name"),
    Field("string", "version"),
    Field("uint256", "chainId"),
    Field("address", "verifyingContract"),
    Field("bytes32", "salt"),
)
"""All that a domain may have, in the order of the standard."""


@lru_cache(maxsize=1024)
def array_of(text: str, /) -> Array | None:
    """What the type `text` is an array of, None for no array."""
    match = _ARRAY.fullmatch(text)
    return None if match is None else Array(match[1], None if match[2] is None else int(match[2]))


@lru_cache(maxsize=1024)
def atom_of(text: str, /) -> Atom | None:
    """The atomic type that `text` names, None for others. There are no aliases `uint` and `int`."""
    if text in _SIMPLE:
        return _SIMPLE[text]
    match = _ATOM.fullmatch(text)
    if match is None:
        return None
    size = int(match[2])
    if match[1] == "bytes":
        return Atom("fixed_bytes", size) if size <= 32 else None
    if size > 256 or size % 8:
        return None
    return Atom("uint" if match[1] == "uint" else "int", size)


def base_of(text: str, /) -> str:
    """`text` without its array brackets."""
    for _ in range(MAX_DIMENSIONS + 1):
        array = array_of(text)
        if array is None:
            return text
        if array.length is not None and array.length > MAX_LENGTH:
            raise _invalid("an array is too long")
        text = array.item
    raise _invalid("an array has too many dimensions")


def read_types(raw: object, /) -> Types:
    """The struct types of the JSON object `raw`, checked as a whole; read-only.

    A declared `EIP712Domain` must be a subset of the standard's members, in its order and with its types.
    Raises InvalidInput("invalid_input.typed_data").
    """
    if type(raw) is not dict or not 0 < len(raw) <= MAX_TYPES:
        raise _invalid("types is an object of 1 to 64 struct types")
    types = {_type_name(name): _members(members, name) for name, members in raw.items()}
    _check_domain(types.get(DOMAIN_TYPE))
    for members in types.values():
        for member in members:
            base = base_of(member.type)
            if atom_of(base) is None and (base not in types or base == DOMAIN_TYPE):
                raise _invalid("a member has a type that is not declared")
    _check_recursion(types)
    return MappingProxyType(types)


def encode_type(types: Types, name: str, /) -> str:
    """``Mail(Person from,string contents)Person(...)``: the type, then all that it uses, sorted by name.

    Raises InvalidInput("invalid_input.typed_data") for a type that is not there.
    """
    if name not in types:
        raise _invalid("no such type")
    used: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current not in used:
            used.add(current)
            waiting += _uses(types, current)
    used.remove(name)
    return "".join(_signature(types, each) for each in (name, *sorted(used)))


def _signature(types: Types, name: str) -> str:
    return f"{name}({','.join(f'{member.type} {member.name}' for member in types[name])})"


def _uses(types: Types, name: str) -> list[str]:
    """Struct types that the type `name` uses directly."""
    bases = (base_of(member.type) for member in types[name])
    return [base for base in bases if atom_of(base) is None]


def _type_name(raw: object) -> str:
    if type(raw) is not str or len(raw) > _NAME_LIMIT or _TYPE_NAME.fullmatch(raw) is None:
        raise _invalid("a type's name is not an identifier")
    if _RESERVED.fullmatch(raw) is not None:
        raise _invalid("a type takes the name of an atomic type")
    return raw


def _members(raw: object, owner: str) -> tuple[Field, ...]:
    if type(raw) is not list or len(raw) > MAX_MEMBERS:
        raise _invalid("a type is a list of at most 64 members")
    if not raw and owner != DOMAIN_TYPE:
        raise _invalid("a type has no members")
    fields = tuple(_field(each) for each in raw)
    if len({field.name for field in fields}) != len(fields):
        raise _invalid("a type has two members of one name")
    return fields


def _field(raw: object) -> Field:
    if type(raw) is not dict or raw.keys() != {"name", "type"}:
        raise _invalid("a type's member has exactly a name and a type")
    name, kind = raw["name"], raw["type"]
    if type(name) is not str or len(name) > _NAME_LIMIT or _MEMBER_NAME.fullmatch(name) is None:
        raise _invalid("a member's name is not an identifier")
    if type(kind) is not str or len(kind) > _NAME_LIMIT:
        raise _invalid("a member's type is not a type")
    return Field(kind, name)


def _check_domain(declared: tuple[Field, ...] | None) -> None:
    if declared is not None and declared != tuple(field for field in DOMAIN_FIELDS if field in declared):
        raise _invalid("EIP712Domain is declared otherwise than the standard does")


def _check_recursion(types: Types) -> None:
    """Remove types that use none of the rest until none is left; a cycle stays."""
    open_uses = {name: set(_uses(types, name)) for name in types}
    while open_uses:
        done = {name for name, uses in open_uses.items() if not uses}
        if not done:
            raise _invalid("a type contains itself")
        open_uses = {name: uses - done for name, uses in open_uses.items() if name not in done}


def _invalid(detail: str) -> InvalidInput:
    return InvalidInput("invalid_input.typed_data", detail=detail)
