"""The values of typed data: JSON -> Python by the type that is declared, and back, and the 32 bytes each is hashed as.

A value has one reading here or none. Integers are JSON integers or ASCII text, decimal without leading zeros or ``0x``
and hex digits (wallets pad those, so leading zeros stand there). Source: EIP-712, "Definition of encodeData".
Threat: T-027, T-033.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeAlias, TypeVar, final

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations.typed_data_types import Array, Atom, Types, array_of, atom_of, encode_type
from mcp_wallet_guard.operations.values import Address, keccak256

MAX_COST: Final = 10_000
"""Of one message: its integers and booleans. Others count as several, by the hashes that they take."""
MAX_CHARACTERS: Final = 131_072
"""Of all texts of one message together."""
MAX_DEPTH: Final = 64
"""Structs and arrays inside each other; as for JSON text, whose reader stops there too."""
_COSTS: Final = {"uint": 1, "int": 1, "bool": 1, "fixed_bytes": 1, "address": 16}
_HASHED: Final = 4
_STRUCT: Final = 8

_EXACT: Final = 2**53 - 1
_DECIMAL: Final = re.compile(r"-?[1-9][0-9]{0,77}|0")
_HEX: Final = re.compile(r"0x[0-9a-fA-F]{1,64}")
_BYTES: Final = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")

T = TypeVar("T")
Kind: TypeAlias = type[T]
Value: TypeAlias = "bool | int | bytes | str | Address | Struct | tuple[Value, ...]"
"""A leaf by its type, a struct, or the items of an array."""


@final
@dataclass(frozen=True, slots=True)
class Struct:
    """A value of the struct type `type`: exactly its members, in the order of the type; read-only."""

    type: str
    members: Mapping[str, Value]

    def __post_init__(self) -> None:
        object.__setattr__(self, "members", MappingProxyType(dict(self.members)))

    def __getitem__(self, name: str, /) -> Value:
        """The member of that name. Raises KeyError."""
        return self.members[name]

    def member(self, name: str, kind: Kind[T], /) -> T:
        """The member of that name, which is a `kind`. Raises InvalidInput("invalid_input.typed_data")."""
        value = self.members.get(name)
        if not isinstance(value, kind):
            raise invalid(self.type, "a member is missing or of another type")
        return value


class Reader:
    """Reads one message: counts what it reads, so that no input costs more than its ceiling."""

    __slots__ = ("_any_case", "_characters", "_left", "_levels", "_types")

    def __init__(self, types: Types, /, *, any_address_case: bool = False) -> None:
        self._types = types
        self._any_case = any_address_case
        self._left = MAX_COST
        self._characters = MAX_CHARACTERS
        self._levels = MAX_DEPTH

    def read(self, raw: object, kind: str, /, *, at: str) -> Value:
        """The value that the JSON value `raw` is as a `kind`. `at` names the place in errors."""
        array = array_of(kind)
        atom = None if array is not None else atom_of(kind)
        if atom is not None:
            self._left -= _COSTS.get(atom.kind, _HASHED)
        else:
            self._left -= _STRUCT if array is None else _HASHED
        if self._left < 0:
            raise invalid(at, "there are too many values")
        if atom is not None:
            return self._leaf(raw, atom, at)
        return self.struct(raw, kind, at=at) if array is None else self._array(raw, array, at)

    def struct(self, raw: object, kind: str, /, *, at: str) -> Struct:
        """The struct of the type `kind` that the JSON object `raw` is."""
        fields = self._types[kind]
        if type(raw) is not dict:
            raise invalid(at, "this is not an object; null and structs left out are of version 3")
        if raw.keys() != {field.name for field in fields}:
            raise invalid(at, "a member is missing, or there is one that the type does not declare")
        with self._inside(at):
            return Struct(kind, {f.name: self.read(raw[f.name], f.type, at=f"{at}.{f.name}") for f in fields})

    def _array(self, raw: object, array: Array, at: str) -> tuple[Value, ...]:
        if type(raw) is not list or array.length not in {None, len(raw)}:
            raise invalid(at, "this is not an array of that length")
        with self._inside(at):
            return tuple(self.read(item, array.item, at=f"{at}[{i}]") for i, item in enumerate(raw))

    @contextmanager
    def _inside(self, at: str) -> Iterator[None]:
        if self._levels == 0:
            raise invalid(at, "it is nested too deep")
        self._levels -= 1
        try:
            yield
        finally:
            self._levels += 1

    def _leaf(self, raw: object, atom: Atom, at: str) -> bool | int | bytes | str | Address:
        if type(raw) is str:
            self._characters -= len(raw)
            if self._characters < 0:
                raise invalid(at, "there is too much text")
        if atom.kind == "address":
            return _address(raw, at, any_case=self._any_case)
        return leaf(raw, atom, at=at)


def leaf(raw: object, atom: Atom, /, *, at: str) -> bool | int | bytes | str | Address:
    """The value of one atomic or dynamic type."""
    match atom.kind:
        case "bool":
            if type(raw) is not bool:
                raise invalid(at, "a bool is true or false")
            return raw
        case "string":
            return _text(raw, at)
        case "address":
            return _address(raw, at, any_case=False)
        case "bytes" | "fixed_bytes":
            if type(raw) is not str or _BYTES.fullmatch(raw) is None:
                raise invalid(at, "bytes are 0x and an even number of hex digits")
            if atom.size and len(raw) != 2 + 2 * atom.size:
                raise invalid(at, f"this is not {atom.size} bytes")
            return bytes.fromhex(raw[2:])
        case "uint" | "int":
            return _integer(raw, atom, at)


def to_raw(value: Value, /) -> Any:
    """The JSON value that reads back as `value`: integers beyond 2**53 as decimal text."""
    if isinstance(value, Struct):
        return {name: to_raw(member) for name, member in value.members.items()}
    if isinstance(value, tuple):
        return [to_raw(item) for item in value]
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    if isinstance(value, Address):
        return value.value
    if type(value) is int and not -_EXACT <= value <= _EXACT:
        return str(value)
    return value


class Hasher:
    """`hashStruct` and `encodeData` over one set of types; type hashes are computed once."""

    __slots__ = ("_type_hashes", "_types")

    def __init__(self, types: Types, /) -> None:
        self._types = types
        self._type_hashes: dict[str, bytes] = {}

    def type_hash(self, name: str, /) -> bytes:
        """Keccak-256 of `encodeType`."""
        if name not in self._type_hashes:
            self._type_hashes[name] = keccak256(encode_type(self._types, name).encode("ascii"))
        return self._type_hashes[name]

    def struct(self, value: Struct, /) -> bytes:
        """`hashStruct`. Raises InvalidInput when `value` is not of its type."""
        return keccak256(self.encoded(value))

    def encoded(self, value: Struct, /) -> bytes:
        """The type hash, then 32 bytes a member."""
        if value.type not in self._types or value.members.keys() != {f.name for f in self._types[value.type]}:
            raise invalid(value.type, "the struct is not of its type")
        words = [self._word(value.members[field.name], field.type) for field in self._types[value.type]]
        return self.type_hash(value.type) + b"".join(words)

    def _word(self, value: Value, kind: str) -> bytes:
        array = array_of(kind)
        if array is not None:
            if not isinstance(value, tuple) or array.length not in {None, len(value)}:
                raise invalid(kind, "this is not an array of that length")
            return keccak256(b"".join(self._word(item, array.item) for item in value))
        atom = atom_of(kind)
        if atom is not None:
            return _leaf_word(value, atom)
        if not isinstance(value, Struct) or value.type != kind:
            raise invalid(kind, "this is another struct")
        return self.struct(value)


def _leaf_word(value: Value, atom: Atom) -> bytes:
    kind = type(value)
    if atom.kind == "bool" and kind is bool:
        return bytes(31) + (b"\1" if value else b"\0")
    if isinstance(value, Address) and atom.kind == "address":
        return bytes(12) + value.raw
    if isinstance(value, str) and atom.kind == "string":
        return keccak256(_text(value, "string").encode("utf-8"))
    if isinstance(value, bytes) and atom.kind == "bytes":
        return keccak256(value)
    if isinstance(value, bytes) and atom.kind == "fixed_bytes" and len(value) == atom.size:
        return value.ljust(32, b"\0")
    if atom.kind in {"uint", "int"} and isinstance(value, int):
        return (_integer(value, atom, atom.kind) % 2**256).to_bytes(32)
    raise invalid(atom.kind, "this is no value of that type")


def _text(raw: object, at: str) -> str:
    if type(raw) is not str:
        raise invalid(at, "this is not text")
    if not raw.isascii() and any("\ud800" <= character <= "\udfff" for character in raw):
        raise invalid(at, "text has half of a surrogate pair")
    return raw


def _address(raw: object, at: str, *, any_case: bool) -> Address:
    if type(raw) is not str or _ADDRESS.fullmatch(raw) is None:
        raise invalid(at, "an address is 0x and 40 hex digits")
    address = Address.from_bytes(bytes.fromhex(raw[2:]))
    digits = raw[2:]
    if not any_case and digits not in {digits.lower(), digits.upper()} and address.value != raw:
        raise invalid(at, "the address has a wrong EIP-55 checksum")
    return address


def _integer(raw: object, atom: Atom, at: str) -> int:
    if type(raw) is str:
        value = _parsed(raw, at)
    elif type(raw) is int:
        value = raw
    else:
        raise invalid(at, "an integer is a JSON integer, decimal text or 0x text")
    low, high = (0, 2**atom.size) if atom.kind == "uint" else (-(2 ** (atom.size - 1)), 2 ** (atom.size - 1))
    if not low <= value < high:
        raise invalid(at, f"this does not fit {atom.kind}{atom.size}")
    return value


def _parsed(text: str, at: str) -> int:
    if _DECIMAL.fullmatch(text) is not None:
        return int(text)
    if _HEX.fullmatch(text) is not None:
        return int(text, 16)
    raise invalid(at, "an integer is written in another way")


def invalid(at: str, why: str, /) -> InvalidInput:
    """`at` is a path of checked names; `why` is ours."""
    return InvalidInput("invalid_input.typed_data", detail=f"{at}: {why}")
