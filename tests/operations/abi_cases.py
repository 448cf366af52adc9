"""Types and values of the contract ABI at random, and the same values as eth-abi writes them."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations.abi import AbiKind, AbiType, Budget, Decoded, Parameter, Value, decode
from mcp_wallet_guard.operations.values import Address
from tests.operations.strategies import addresses

BITS: Final = st.sampled_from(range(8, 257, 8))
elementary: Final = (
    st.builds(AbiType, kind=st.sampled_from([AbiKind.UINT, AbiKind.INT]), size=BITS)
    | st.builds(AbiType, kind=st.just(AbiKind.FIXED_BYTES), size=st.integers(1, 32))
    | st.sampled_from([AbiType(kind=kind) for kind in (AbiKind.BOOL, AbiKind.ADDRESS, AbiKind.BYTES, AbiKind.STRING)])
    | st.just(AbiType(kind=AbiKind.FIXED_BYTES, size=24, is_function=True))
)


def parameters_of(types: list[AbiType]) -> tuple[Parameter, ...]:
    return tuple(Parameter(type=each) for each in types)


types: Final = st.recursive(
    elementary,
    lambda inner: (
        st.builds(AbiType, kind=st.just(AbiKind.ARRAY), item=inner, length=st.none() | st.integers(1, 3))
        | st.builds(
            AbiType,
            kind=st.just(AbiKind.TUPLE),
            components=st.lists(inner, min_size=1, max_size=3).map(parameters_of),
        )
    ),
    max_leaves=6,
)
parameters: Final = st.lists(types, max_size=3).map(parameters_of)


def values_of(type_: AbiType) -> st.SearchStrategy[Value]:
    if type_.item is not None:
        least, most = (0, 3) if type_.length is None else (type_.length, type_.length)
        return st.lists(values_of(type_.item), min_size=least, max_size=most).map(tuple)
    if type_.components:
        return st.tuples(*(values_of(each.type) for each in type_.components))
    strategies: dict[AbiKind, st.SearchStrategy[Value]] = {
        AbiKind.UINT: st.integers(0, 2**type_.size - 1),
        AbiKind.INT: st.integers(-(2 ** max(type_.size - 1, 0)), 2 ** max(type_.size - 1, 0) - 1),
        AbiKind.BOOL: st.booleans(),
        AbiKind.ADDRESS: addresses,
        AbiKind.FIXED_BYTES: st.binary(min_size=type_.size, max_size=type_.size),
        AbiKind.BYTES: st.binary(max_size=70),
        AbiKind.STRING: st.text(max_size=40),
    }
    return strategies[type_.kind]


@st.composite
def calls(draw: st.DrawFn) -> tuple[tuple[Parameter, ...], tuple[Value, ...]]:
    """Parameters, and a value for each."""
    drawn = draw(parameters)
    return drawn, tuple(draw(values_of(each.type)) for each in drawn)


def attempt(inputs: tuple[Parameter, ...], data: bytes, /, *, budget: Budget | None = None) -> Decoded | None:
    """What is read, None for the one error that may be raised."""
    try:
        return decode(inputs, data, budget=budget)
    except InvalidInput as error:
        if error.code != "invalid_input.calldata":
            raise
        return None


def names(of: tuple[Parameter, ...]) -> list[str]:
    return [each.type.name for each in of]


def for_eth_abi(value: Value) -> Any:
    if isinstance(value, tuple):
        return tuple(for_eth_abi(each) for each in value)
    return value.value.lower() if isinstance(value, Address) else value


def of_json(type_: AbiType, value: Any) -> Value:
    """A value of the vectors: numbers in decimal, bytes and addresses in hex."""
    if type_.item is not None:
        return tuple(of_json(type_.item, each) for each in value)
    if type_.components:
        return tuple(of_json(each.type, item) for each, item in zip(type_.components, value, strict=True))
    if type_.kind in {AbiKind.UINT, AbiKind.INT}:
        return int(value)
    if type_.kind is AbiKind.ADDRESS:
        return Address.from_bytes(bytes.fromhex(value[2:]))
    if type_.kind in {AbiKind.BYTES, AbiKind.FIXED_BYTES}:
        return bytes.fromhex(value[2:])
    assert isinstance(value, bool | str)
    return value


def words(*items: int | str | bytes) -> bytes:
    """Words by hand: ints on the left of zeros, text and bytes on the right."""
    raw = [each.encode() if isinstance(each, str) else each for each in items]
    return b"".join(each.to_bytes(32) if isinstance(each, int) else each + bytes(-len(each) % 32) for each in raw)
