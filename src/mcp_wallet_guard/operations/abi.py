"""Contract calldata as values and back, in its one canonical layout, within a budget.

`decode` reads only what an ABI encoder writes: tails in the order of their offsets, without gap or overlap, and padding
of zeros. So the work is linear in the data, where a decoder that follows every offset can be sent round and round the
same bytes; and no two data give the same values, so what is shown is what is signed. Bytes after the last tail are
handed back, since honest callers append tags that contracts do not read. Source: Solidity contract ABI specification,
"Formal Specification of the Encoding", "Strict Encoding Mode". Threat: T-020.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Final, Never, final

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations.abi_types import AbiKind, AbiType, Function, Parameter, parse_function, parse_type
from mcp_wallet_guard.operations.values import Address

__all__ = [
    "AbiKind", "AbiType", "Budget", "Decoded", "Function", "Parameter", "Value", "decode", "encode", "parse_function",
    "parse_type",
]  # fmt: skip

Value = bool | int | bytes | str | Address | tuple["Value", ...]
"""A value of a type: int for integers, bytes for both kinds of bytes, a tuple for arrays and tuples."""

MAX_NODES: Final = 32_768
MAX_BYTES: Final = 1_048_576
MAX_CALLS: Final = 8
_WORD: Final = 32
_ADDRESS_PADDING: Final = bytes(12)


@final
@dataclass(slots=True, kw_only=True)
class Budget:
    """What is left for one tree of calldata inside calldata: `nodes` (values; an address counts as 32, since its
    checksum is a hash), `size` (bytes read), `depth` (calls within calls). Every decode of the tree draws on one."""

    nodes: int
    size: int
    depth: int

    @classmethod
    def default(cls) -> Budget:
        """For one transaction: 1,023 addresses in a list or 32,768 other values, a MiB in all, eight calls deep."""
        return cls(nodes=MAX_NODES, size=MAX_BYTES, depth=MAX_CALLS)

    def spend(self, *, nodes: int = 0, size: int = 0) -> None:
        """Raises InvalidInput("invalid_input.calldata") when there is not so much left."""
        self.nodes -= nodes
        self.size -= size
        if self.nodes < 0 or self.size < 0:
            _refuse()

    @contextmanager
    def inside(self) -> Iterator[None]:
        """For the time of decoding what is inside a call. Raises InvalidInput when that is too deep."""
        if self.depth <= 0:
            _refuse()
        self.depth -= 1
        try:
            yield
        finally:
            self.depth += 1


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """One value for each parameter, and the bytes after the last of them."""

    values: tuple[Value, ...]
    trailing: bytes


def decode(parameters: tuple[Parameter, ...], data: bytes, /, *, budget: Budget | None = None) -> Decoded:
    """The values in `data`, which is calldata without its selector.

    Then ``encode(parameters, values) + trailing == data``. Raises InvalidInput("invalid_input.calldata") for every
    other layout, for a value out of its type's range, text that is not UTF-8, and when the budget is spent.
    """
    if type(data) is not bytes:
        _refuse()
    spent = Budget.default() if budget is None else budget
    spent.spend(size=len(data))
    values, end = _plan(parameters)(data, 0, spent)
    return Decoded(values=values, trailing=data[end:])


def encode(parameters: tuple[Parameter, ...], values: tuple[Value, ...], /) -> bytes:
    """The calldata, without selector. Raises InvalidInput("invalid_input.calldata") for a value not of its type:
    nothing is converted, a bool is no int and a list no tuple."""
    return _written([each.type for each in parameters], values)


def _refuse() -> Never:
    raise InvalidInput("invalid_input.calldata")


# --------------------------------------------------------------------------------------------------- reading
# A type becomes functions once, so that a call costs little more than its words. `_Static` reads a value at a place
# that is known to be inside the data. `_Dynamic` reads one that starts at a place, and says where it ends.

_Static = Callable[[bytes, int], Value]
_Tuple = Callable[[bytes, int], tuple[Value, ...]]
_Dynamic = Callable[[bytes, int, Budget], tuple[Value, int]]
_Frame = Callable[[bytes, int, Budget], tuple[tuple[Value, ...], int]]


@lru_cache(maxsize=512)
def _plan(parameters: tuple[Parameter, ...]) -> _Frame:
    return _frame([each.type for each in parameters])


def _frame(types: Sequence[AbiType]) -> _Frame:
    """Heads one after another, then the tails of the dynamic ones in the same order."""
    *places, head = accumulate((each.head for each in types), initial=0)
    nodes = sum(each.nodes for each in types)
    if not any(each.is_dynamic for each in types):
        return _static_frame(_static_tuple(types), head=head, nodes=nodes)
    steps = [
        (place, _static(each), _dynamic(each) if each.is_dynamic else None)
        for place, each in zip(places, types, strict=True)
    ]

    def read(data: bytes, at: int, budget: Budget) -> tuple[tuple[Value, ...], int]:
        end = at + head
        if end > len(data):
            _refuse()
        budget.spend(nodes=nodes)
        values: list[Value] = []
        for place, static, dynamic in steps:
            value = static(data, at + place)
            if dynamic is not None:
                if value != end - at:
                    _refuse()
                value, end = dynamic(data, end, budget)
            values.append(value)
        return tuple(values), end

    return read


def _static_frame(content: _Tuple, /, *, head: int, nodes: int) -> _Frame:
    def read(data: bytes, at: int, budget: Budget) -> tuple[tuple[Value, ...], int]:
        if at + head > len(data):
            _refuse()
        budget.spend(nodes=nodes)
        return content(data, at), at + head

    return read


def _dynamic(type_: AbiType) -> _Dynamic:
    if type_.kind is AbiKind.BYTES:
        return _bytes
    if type_.kind is AbiKind.STRING:
        return _string
    if type_.item is not None:
        return _array(type_.item, type_.length)
    return _frame([each.type for each in type_.components])


def _bytes(data: bytes, at: int, _budget: Budget) -> tuple[bytes, int]:
    start = at + _WORD
    stop = start + int.from_bytes(data[at:start])
    end = stop + -(stop - start) % _WORD
    if end > len(data) or any(data[stop:end]):
        _refuse()
    return data[start:stop], end


def _string(data: bytes, at: int, budget: Budget) -> tuple[str, int]:
    raw, end = _bytes(data, at, budget)
    try:
        return raw.decode("utf-8"), end
    except UnicodeDecodeError:
        raise InvalidInput("invalid_input.calldata") from None


def _array(item: AbiType, length: int | None) -> _Dynamic:
    head, nodes, static = item.head, item.nodes, _static(item)
    dynamic = _dynamic(item) if item.is_dynamic else None

    def read(data: bytes, at: int, budget: Budget) -> tuple[tuple[Value, ...], int]:
        start, count = at, length
        if count is None:
            start = at + _WORD
            count = int.from_bytes(data[at:start])
        end = start + count * head
        if end > len(data):
            _refuse()
        budget.spend(nodes=count * nodes)
        if dynamic is None:
            return tuple([static(data, place) for place in range(start, end, head)]), end
        values: list[Value] = []
        for place in range(start, end, head):
            if static(data, place) != end - start:
                _refuse()
            value, end = dynamic(data, end, budget)
            values.append(value)
        return tuple(values), end

    return read


def _static(type_: AbiType) -> _Static:
    """How a head is read: the value itself, or the offset of a dynamic one."""
    if type_.is_dynamic:
        return _word
    if type_.item is not None:
        return _static_array(_static(type_.item), head=type_.item.head, length=type_.length or 0)
    if type_.components:
        return _static_tuple([each.type for each in type_.components])
    if type_.kind is AbiKind.UINT:
        return _word if type_.size == 256 else _uint(type_.size)
    if type_.kind is AbiKind.INT:
        return _int(type_.size)
    if type_.kind is AbiKind.FIXED_BYTES:
        return _fixed_bytes(type_.size)
    return _bool if type_.kind is AbiKind.BOOL else _address


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 32])


def _uint(bits: int) -> _Static:
    def read(data: bytes, at: int) -> int:
        value = int.from_bytes(data[at : at + 32])
        if value >> bits:
            _refuse()
        return value

    return read


def _int(bits: int) -> _Static:
    limit = 1 << (bits - 1)

    def read(data: bytes, at: int) -> int:
        value = int.from_bytes(data[at : at + 32], signed=True)
        if not -limit <= value < limit:
            _refuse()
        return value

    return read


def _fixed_bytes(size: int) -> _Static:
    padding = bytes(_WORD - size)

    def read(data: bytes, at: int) -> bytes:
        if data[at + size : at + _WORD] != padding:
            _refuse()
        return data[at : at + size]

    return read


def _bool(data: bytes, at: int) -> bool:
    value = int.from_bytes(data[at : at + _WORD])
    if value > 1:
        _refuse()
    return value == 1


def _address(data: bytes, at: int) -> Address:
    if data[at : at + 12] != _ADDRESS_PADDING:
        _refuse()
    return Address.from_bytes(data[at + 12 : at + _WORD])


def _static_array(item: _Static, *, head: int, length: int) -> _Static:
    def read(data: bytes, at: int) -> tuple[Value, ...]:
        return tuple([item(data, at + number * head) for number in range(length)])

    return read


def _static_tuple(types: Sequence[AbiType]) -> _Tuple:
    places = accumulate((each.head for each in types), initial=0)
    steps = [(place, _static(each)) for place, each in zip(places, types, strict=False)]

    def read(data: bytes, at: int) -> tuple[Value, ...]:
        return tuple([item(data, at + place) for place, item in steps])

    return read


# --------------------------------------------------------------------------------------------------- writing


def _written(types: Sequence[AbiType], values: Value) -> bytes:
    if type(values) is not tuple or len(values) != len(types):
        _refuse()
    place = sum(each.head for each in types)
    heads: list[bytes] = []
    tails: list[bytes] = []
    for each, value in zip(types, values, strict=True):
        written = _value(each, value)
        if each.is_dynamic:
            heads.append(place.to_bytes(_WORD))
            tails.append(written)
            place += len(written)
        else:
            heads.append(written)
    return b"".join(heads + tails)


def _value(type_: AbiType, value: Value) -> bytes:
    if type_.item is not None:
        if type(value) is not tuple or type_.length not in {None, len(value)}:
            _refuse()
        count = b"" if type_.length is not None else len(value).to_bytes(_WORD)
        return count + _written([type_.item] * len(value), value)
    if type_.components:
        return _written([each.type for each in type_.components], value)
    return _elementary(type_, value)


def _elementary(type_: AbiType, value: Value) -> bytes:
    kind, size = type_.kind, type_.size
    if kind in {AbiKind.UINT, AbiKind.INT} and type(value) is int:
        signed = kind is AbiKind.INT
        try:
            value.to_bytes(size // 8, signed=signed)
        except OverflowError:
            _refuse()
        return value.to_bytes(_WORD, signed=signed)
    if kind is AbiKind.BOOL and type(value) is bool:
        return int(value).to_bytes(_WORD)
    if kind is AbiKind.ADDRESS and type(value) is Address:
        return _ADDRESS_PADDING + value.raw
    if kind is AbiKind.FIXED_BYTES and type(value) is bytes and len(value) == size:
        return value.ljust(_WORD, b"\0")
    if kind is AbiKind.STRING and type(value) is str:
        try:
            value = value.encode("utf-8")
        except UnicodeEncodeError:
            _refuse()
    elif kind is not AbiKind.BYTES:
        _refuse()
    if type(value) is not bytes:
        _refuse()
    return len(value).to_bytes(_WORD) + value + bytes(-len(value) % _WORD)
