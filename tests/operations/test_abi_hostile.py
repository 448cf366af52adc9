"""Calldata that was made to be read twice, or for ever. What eth-abi does with it is shown beside. Threat: T-020."""

from __future__ import annotations

from typing import Any, Final

import pytest
from eth_abi import abi as eth_abi
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations.abi import (
    Budget,
    Decoded,
    Parameter,
    Value,
    decode,
    encode,
    parse_function,
    parse_type,
)
from tests.operations.abi_cases import attempt, calls, for_eth_abi, names, words
from tests.operations.strategies import PAYEE

Call = tuple[tuple[Parameter, ...], tuple[Value, ...]]
BOMB: Final = 100
MEGABYTE: Final = 1 << 20


def inputs_of(*texts: str) -> tuple[Parameter, ...]:
    return tuple(Parameter(type=parse_type(text)) for text in texts)


def refused(inputs: tuple[Parameter, ...], data: bytes) -> int:
    """That `data` is refused with the one error; how many values were looked at before."""
    budget = Budget(nodes=10**9, size=10**9, depth=0)
    with pytest.raises(InvalidInput) as caught:
        decode(inputs, data, budget=budget)
    assert caught.value.code == "invalid_input.calldata"
    return 10**9 - budget.nodes


def count(value: Any) -> int:
    return 1 + sum(map(count, value)) if isinstance(value, tuple) else 1


# ----------------------------------------------------------------------------------------------------- bombs


def shared_rows(rows: int, cells: int) -> bytes:
    """``uint256[][]`` whose rows are all the same bytes."""
    return words(0x20, rows, *[rows * 32] * rows, cells, *range(cells))


def test_a_table_whose_rows_are_one_row_is_refused_before_it_is_read() -> None:
    small = shared_rows(BOMB, BOMB)
    assert count(eth_abi.decode(["uint256[][]"], small)) > len(small)  # eth-abi makes more values than there are bytes
    large = shared_rows(1000, 1000)
    assert len(large) < 65_000
    assert refused(inputs_of("uint256[][]"), large) <= len(large) // 32


def nested_rows(depth: int, width: int) -> bytes:
    """``uint256[]...[]`` of `depth` levels; each level's offsets lead to the same next level."""
    data = words(width, *range(width))
    for _ in range(depth - 1):
        data = words(width, *[width * 32] * width) + data
    return words(0x20) + data


def test_arrays_in_arrays_that_share_their_items_are_refused_before_they_are_read() -> None:
    small = nested_rows(5, 4)
    assert count(eth_abi.decode(["uint256" + "[]" * 5], small)) > len(small)
    assert refused(inputs_of("uint256" + "[]" * 16), nested_rows(16, 10)) <= 16 * 10 + 16


def test_byte_strings_that_are_one_string_are_refused_before_they_are_copied() -> None:
    size = 3200
    data = words(0x20, BOMB, *[BOMB * 32] * BOMB, size, bytes(size))
    (theirs,) = eth_abi.decode(["bytes[]"], data)
    assert sum(map(len, theirs)) > 40 * len(data)
    assert refused(inputs_of("bytes[]"), data) <= 2 + BOMB


def test_a_string_that_swallows_the_strings_behind_it_is_refused() -> None:
    data = words(0x20, 2, 0x40, 0x60, 0x40, 0x20, "x" * 32)
    (theirs,) = eth_abi.decode(["bytes[]"], data)
    assert theirs[1] in theirs[0]
    refused(inputs_of("bytes[]"), data)


@pytest.mark.parametrize("length", [2**255, 2**64, 2**63, 2**32, 5])
@pytest.mark.parametrize("text", ["uint256[]", "string[]", "bytes[]", "(bool)[]", "bool[2][]"])
def test_a_length_beyond_the_data_is_refused_at_once(text: str, length: int) -> None:
    assert refused(inputs_of(text), words(0x20, length, *[0] * 4)) <= 1


@pytest.mark.parametrize("length", [2**256 - 1, 2**256 - 32, 2**255, 2**64, 33])
@pytest.mark.parametrize("text", ["bytes", "string"])
def test_a_string_longer_than_the_data_is_refused_at_once(text: str, length: int) -> None:
    assert refused(inputs_of(text), words(0x20, length, 0)) == 1


def test_empty_items_cannot_be_counted_without_end() -> None:
    """No type takes no room, so a list is never longer than its data."""
    for text in ("()[]", "uint256[0][]", "(uint256[0])[]"):
        with pytest.raises(InvalidInput):
            parse_type(text)
    data = words(0x20, 1000, *[32 * 1000] * 1000, 0)
    assert eth_abi.decode(["uint256[][]"], data) == ((() ,) * 1000,)  # fmt: skip
    refused(inputs_of("uint256[][]"), data)


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("uint256[]", words(0x20, 4094, *range(4094))),
        ("bool[]", words(0x20, 4094, *[1] * 4094)),
        ("bytes[]", words(0x20, 2047, *range(2047 * 32, 4094 * 32, 32), *[0] * 2047)),
        ("((((((bool))))))[]", words(0x20, 4094, *[1] * 4094)),
        ("uint8[1][1][1][1][1][1][]", words(0x20, 4094, *[1] * 4094)),
    ],
)
def test_the_most_that_128_kilobytes_hold_is_read_in_proportion(text: str, data: bytes) -> None:
    inputs = inputs_of(text)
    assert 130_000 < len(data) <= 131_072
    budget = Budget.default()
    decoded = decode(inputs, data, budget=budget)
    assert encode(inputs, decoded.values) == data
    spent = Budget.default().nodes - budget.nodes
    assert spent <= len(data) // 32 * (1 + inputs[0].type.depth)


def test_a_tree_of_calls_is_ended_by_its_budget() -> None:
    """The same bytes inside themselves, level by level, are paid for at each level."""
    function = parse_function("multicall(bytes[])")
    data = encode(function.inputs, ((bytes(200_000),),))
    budget = Budget.default()
    for _ in range(MEGABYTE // len(data)):
        decode(function.inputs, data, budget=budget)
    with pytest.raises(InvalidInput):
        decode(function.inputs, data, budget=budget)


def test_sixteen_levels_are_within_the_stack() -> None:
    inputs = inputs_of("bytes" + "[]" * 16)
    value: Value = b"deep"
    for _ in range(16):
        value = (value,)
    assert decode(inputs, encode(inputs, (value,))).values == (value,)


# ---------------------------------------------------------------------------------------- two ways to say one

WITHIN: Final = (b"first", b"second")
HONEST: Final = words(0x40, 0x80, 5, "first", 6, "second")


def test_the_canonical_layout_is_read() -> None:
    assert decode(inputs_of("bytes", "bytes"), HONEST) == Decoded(values=WITHIN, trailing=b"")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(words(0x80, 0x40, 6, "second", 5, "first"), id="tails in another order"),
        pytest.param(words(0x60, 0xA0, 0xDEAD, 5, "first", 6, "second"), id="a gap in front of the tails"),
        pytest.param(words(0x40, 0xA0, 5, "first", 0xDEAD, 6, "second"), id="a gap between the tails"),
        pytest.param(words(0x40, 0xA0, 5, "first", 0, 6, "second"), id="a gap of zeros"),
    ],
)
def test_the_same_values_in_another_layout_are_refused(data: bytes) -> None:
    assert eth_abi.decode(["bytes", "bytes"], data) == WITHIN  # which eth-abi reads as the same
    refused(inputs_of("bytes", "bytes"), data)


@pytest.mark.parametrize(
    ("texts", "data"),
    [
        pytest.param(["bytes", "bytes"], words(0x40, 0x40, 5, "first"), id="two offsets to one tail"),
        pytest.param(["bytes"], words(0), id="an offset to itself"),
        pytest.param(["bytes", "uint256"], words(0x20, 5, "hello"), id="a head as a tail"),
        pytest.param(["bytes"], words(0x21, 0, 0), id="an offset off the words"),
        pytest.param(["bytes"], words(2**255, 0), id="an offset out of the data"),
        pytest.param(["bytes"], words(2**256 - 32, 0), id="an offset that counts backwards"),
        pytest.param(["bytes"], words(0x20), id="no tail"),
        pytest.param(["bytes"], words(0x20, 1), id="a tail that is cut off"),
        pytest.param(["bytes"], words(0x20, 1) + b"a" + bytes(30), id="padding that is cut off"),
        pytest.param(["bytes"], words(0x20, 1, b"a" + bytes(30) + b"b"), id="padding that is not zero"),
        pytest.param(["string"], words(0x20, 2, b"\xc3\x28"), id="text that is not UTF-8"),
        pytest.param(["string"], words(0x20, 3, b"\xed\xa0\x80"), id="half a surrogate"),
        pytest.param(["string"], words(0x20, 2, b"\xc0\x80"), id="an overlong zero"),
        pytest.param(["bool"], words(2), id="a truth of two"),
        pytest.param(["bool"], words(2**255), id="a truth at the other end"),
        pytest.param(["uint8"], words(256), id="a number over its type"),
        pytest.param(["uint248"], words(2**248), id="a number just over its type"),
        pytest.param(["int8"], words(128), id="a sign that is not extended"),
        pytest.param(["int8"], words(2**256 - 129), id="a negative below its type"),
        pytest.param(["int8"], words(0xFF), id="a negative without its sign"),
        pytest.param(["address"], words(1 << 160), id="an address with a dirty top"),
        pytest.param(["address"], PAYEE.raw + bytes(12), id="an address on the wrong side"),
        pytest.param(["bytes4"], words(0xDEADBEEF), id="bytes on the wrong side"),
        pytest.param(["bytes31"], b"\xff" * 32, id="bytes with a dirty end"),
        pytest.param(["uint256"], bytes(31), id="half a word"),
        pytest.param(["uint256", "uint256"], bytes(32), id="half of the words"),
        pytest.param(["uint256[2]"], words(1), id="half of an array"),
        pytest.param(["uint256[]"], words(0x20), id="an array without a length"),
        pytest.param(["bytes[2]"], words(0x20, 0x40, 0x40, 0), id="an array whose items are one"),
        pytest.param(["(bytes)"], words(0x20, 0, 0), id="a tuple whose tail is its head"),
        pytest.param(["uint256"], b"", id="nothing"),
    ],
)
def test_every_other_layout_is_refused(texts: list[str], data: bytes) -> None:
    refused(inputs_of(*texts), data)


# ------------------------------------------------------------------------------------------------- at random


@st.composite
def tampered(draw: st.DrawFn) -> tuple[Call, bytes, bytes]:
    """A call, its data, and the data with some bytes or words changed, moved, added or cut."""
    call = draw(calls())
    good = encode(*call)
    bad = bytearray(good)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(bad)))
        edit = draw(st.sampled_from(["flip", "word", "copy", "cut", "insert"]))
        if edit == "flip" and at < len(bad):
            bad[at] ^= 1 << draw(st.integers(0, 7))
        elif edit == "word":
            bad[at // 32 * 32 :][:32] = b""
            small = draw(st.sampled_from([0, 1, 2, 31, 32, 64, 96, 2**255]))
            bad[at // 32 * 32 : at // 32 * 32 + 32] = small.to_bytes(32)
        elif edit == "copy":
            bad[at // 32 * 32 : at // 32 * 32 + 32] = good[: len(good) // 64 * 32][-32:]
        elif edit == "cut":
            del bad[at : at + draw(st.integers(1, 64))]
        else:
            bad[at:at] = draw(st.binary(min_size=1, max_size=33))
    return call, good, bytes(bad)


@given(tampered())
def test_no_two_data_have_the_same_values(case: tuple[Call, bytes, bytes]) -> None:
    (inputs, values), good, bad = case
    decoded = attempt(inputs, bad)
    if decoded is None:
        return
    assert encode(inputs, decoded.values) + decoded.trailing == bad
    assert (decoded == Decoded(values=values, trailing=b"")) == (bad == good)
    theirs = eth_abi.decode(names(inputs), bad)  # what is read at all, others read alike
    assert theirs == tuple(for_eth_abi(each) for each in decoded.values)


@given(calls(), st.data())
def test_one_changed_byte_is_an_error_or_another_value(call: Call, data: st.DataObject) -> None:
    inputs, values = call
    good = encode(inputs, values)
    if not good:
        return
    at = data.draw(st.integers(0, len(good) - 1))
    bad = good[:at] + bytes([good[at] ^ data.draw(st.integers(1, 255))]) + good[at + 1 :]
    assert attempt(inputs, bad) != Decoded(values=values, trailing=b"")


def test_each_byte_of_a_call_with_everything_in_it_counts() -> None:
    inputs = parse_function("f(uint8 a,(address to,bytes data,int16[2] n)[] calls,string s,bool b,bytes5 c)").inputs
    values: tuple[Value, ...] = (7, ((PAYEE, b"abc", (-1, 5)), (PAYEE, b"", (0, 0))), "text", True, b"bytes")
    good = encode(inputs, values)
    seen = {decode(inputs, good).values}
    for at in range(len(good)):
        for change in (1, 0x80, 0xFF):
            bad = good[:at] + bytes([good[at] ^ change]) + good[at + 1 :]
            decoded = attempt(inputs, bad)
            if decoded is None:
                continue
            assert decoded.trailing == b""
            assert decoded.values not in seen
            seen.add(decoded.values)
    assert len(seen) > 100


@given(calls(), st.binary(max_size=400))
def test_random_bytes_are_read_to_the_byte_or_refused_with_one_error(call: Call, data: bytes) -> None:
    inputs, _ = call
    budget = Budget.default()
    decoded = attempt(inputs, data, budget=budget)
    if decoded is not None:
        assert encode(inputs, decoded.values) + decoded.trailing == data
    depth = 1 + max((each.type.depth for each in inputs), default=0)
    assert Budget.default().nodes - budget.nodes <= (1 + len(data) // 32) * depth * 64 + len(inputs) * 64


@given(st.lists(st.sampled_from([0, 1, 2, 3, 32, 64, 96, 128, 160, 2**255, 0x61 << 248]), max_size=24))
def test_words_that_look_like_offsets_are_read_to_the_byte_or_refused(numbers: list[int]) -> None:
    data = words(*numbers)
    for text in ("uint256[]", "bytes[]", "uint256[][]", "(bytes,bool[])[]", "string[2]", "(uint8,(bytes)[])"):
        inputs = inputs_of(text)
        decoded = attempt(inputs, data)
        if decoded is not None:
            assert encode(inputs, decoded.values) + decoded.trailing == data
