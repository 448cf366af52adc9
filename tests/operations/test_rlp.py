"""RLP, both ways, one spelling per value."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import rlp as theirs  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations import rlp

SHARED = Path(__file__).parents[2].parent / "shared" / "vectors" / "evm" / "ethers-transactions-sample.json.gz"

items = st.recursive(
    st.binary(max_size=70) | st.sampled_from([bytes(55), bytes(56), bytes(256), b"\x7f", b"\x80"]),
    lambda inner: st.lists(inner, max_size=5),
    max_leaves=20,
)


def deep(item: rlp.Item) -> int:
    return 0 if isinstance(item, bytes) else 1 + max(map(deep, item), default=0)


@given(items)
def test_it_writes_what_pyrlp_writes_and_reads_it_back(item: rlp.Item) -> None:
    if deep(item) > rlp.MAX_DEPTH:
        return
    data = rlp.encode(item)
    assert data == theirs.encode(item)
    assert rlp.decode(data) == item


@given(st.binary(max_size=120))
def test_bytes_that_decode_encode_to_the_same_bytes(data: bytes) -> None:
    try:
        item = rlp.decode(data)
    except InvalidInput:
        return
    assert rlp.encode(item) == data


@given(items, st.data())
def test_one_changed_byte_is_an_error_or_another_value(item: rlp.Item, data: st.DataObject) -> None:
    if deep(item) > rlp.MAX_DEPTH:
        return
    good = rlp.encode(item)
    at = data.draw(st.integers(0, len(good) - 1))
    bad = good[:at] + bytes([good[at] ^ data.draw(st.integers(1, 255))]) + good[at + 1 :]
    try:
        assert rlp.decode(bad) != item
    except InvalidInput:
        pass


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("", id="nothing"),
        pytest.param("8100", id="a single byte with a prefix"),
        pytest.param("817f", id="a single byte with a prefix, upper end"),
        pytest.param("b80161", id="a long form of a short length"),
        pytest.param("b837" + "61" * 55, id="a long form of 55"),
        pytest.param("b90038" + "61" * 56, id="a length with a leading zero"),
        pytest.param("b838" + "61" * 55, id="too short"),
        pytest.param("83616263" + "00", id="trailing bytes"),
        pytest.param("c0c0", id="two values"),
        pytest.param("f800", id="a long form of the empty list"),
        pytest.param("c281", id="a list that is cut off"),
        pytest.param("c2820061", id="a string that leaves its list"),
        pytest.param("bfffffffffffffffff", id="an immense length"),
        pytest.param("ffffffffffffffffff", id="an immense list"),
        pytest.param("b8", id="a head without its length"),
    ],
)
def test_a_second_spelling_is_refused(data: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        rlp.decode(bytes.fromhex(data))
    assert caught.value.code == "invalid_input.transaction"


def test_lists_nest_so_deep_and_no_deeper() -> None:
    nested: rlp.Item = []
    for _ in range(rlp.MAX_DEPTH - 1):
        nested = [nested]
    assert rlp.decode(rlp.encode(nested)) == nested
    with pytest.raises(InvalidInput):
        rlp.decode(rlp.encode([nested]))
    deepest = b"\xc0"
    while len(deepest) < 100_000:
        deepest = rlp._head(0xC0, len(deepest)) + deepest
    with pytest.raises(InvalidInput):
        rlp.decode(deepest)


def test_the_longest_input_is_read_and_a_longer_one_is_not() -> None:
    data = rlp.encode(bytes(rlp.MAX_BYTES - 4))
    assert len(data) == rlp.MAX_BYTES
    assert rlp.decode(data) == bytes(rlp.MAX_BYTES - 4)
    with pytest.raises(InvalidInput):
        rlp.decode(rlp.encode(bytes(rlp.MAX_BYTES - 3)))


@given(st.integers(0, 2**256 - 1))
def test_numbers_have_no_leading_zero(number: int) -> None:
    data = rlp.encode_int(number)
    assert rlp.decode_int(data, limit=2**256 - 1) == number
    assert not data.startswith(b"\x00")


@pytest.mark.parametrize("item", [b"\x00", b"\x00\x01", bytes(33), b"\xff" * 33, [], [b"\x01"]])
def test_a_padded_or_listed_number_is_refused(item: Any) -> None:
    with pytest.raises(InvalidInput):
        rlp.decode_int(item, limit=2**300)


def test_a_number_above_its_limit_is_refused() -> None:
    assert rlp.decode_int(b"\xff", limit=255) == 255
    with pytest.raises(InvalidInput):
        rlp.decode_int(b"\x01\x00", limit=255)


def test_a_string_of_another_size_and_a_list_of_another_length_are_refused() -> None:
    assert rlp.decode_bytes(bytes(32), size=32) == bytes(32)
    assert rlp.decode_bytes(bytes(5)) == bytes(5)
    assert rlp.decode_list([b"", b""], least=2, most=2) == [b"", b""]
    assert rlp.decode_list([], most=2) == []
    wrong: list[rlp.Item] = [[], [b"a"], bytes(31), bytes(33)]
    for item in wrong:
        with pytest.raises(InvalidInput):
            rlp.decode_bytes(item, size=32)
    wrong = [b"", b"ab", [], [b""], [b"", b"", b""]]
    for item in wrong:
        with pytest.raises(InvalidInput):
            rlp.decode_list(item, least=2, most=2)


@pytest.mark.skipif(not SHARED.exists(), reason="the public vectors are not beside this repository")
def test_the_transactions_of_ethers_keep_their_bytes() -> None:
    cases = json.loads(gzip.decompress(SHARED.read_bytes()))["cases"]
    for case in cases:
        for name, text in case.items():
            if name.startswith(("unsigned", "signed")) and len(text) > 2:
                data = bytes.fromhex(text[2:])
                body = data[1:] if data[0] < 0x80 else data
                assert rlp.encode(rlp.decode(body)) == body, (case["name"], name)
    assert len(cases) == 800
