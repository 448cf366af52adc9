"""RFC 8785: the fast way and the library spell every value alike, and refuse the same."""

from __future__ import annotations

import enum
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.canonical import canonical_bytes

texts = st.text(st.characters(exclude_categories=["Cs"]))
scalars = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | texts
values = st.recursive(
    scalars | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(texts | st.text('abcXYZ019._-\x7f"\\\n'), inner)
    ),
)


class Word(enum.StrEnum):
    YES = "yes"


class Number(enum.IntEnum):
    TWO = 2


@given(values)
def test_every_value_is_spelled_as_the_library_spells_it(value: Any) -> None:
    assert canonical_bytes(value) == rfc8785.dumps(value)


@pytest.mark.parametrize(
    "value",
    [
        {"b": 1, "a": {"z": [], "A": {}}, "\x7f": "\x7f", '"': "\\"},
        {"\ue000": 1, "\U00010000": 2},  # UTF-16 puts the second first
        "".join(map(chr, range(0x80))) + "é€😀\u2028\u2029",
        [True, False, None, 0, -1, 2**53 - 1, -(2**53) + 1, 1.0, 1e21, -0.0, 5e-324],
        (Word.YES, Number.TWO, {"n": Number.TWO}),
        [[[]]] * 3,
    ],
)
def test_the_corners_are_spelled_as_the_library_spells_them(value: Any) -> None:
    assert canonical_bytes(value) == rfc8785.dumps(value)


@pytest.mark.parametrize(
    "value",
    [
        2**53,
        [-(2**53)],
        {"a": 10**80},
        float("nan"),
        [float("inf")],
        "\ud800",
        {"\udc00": 1},
        {1: "a"},
        {None: 1},
        b"a",
        {"a": {1}},
    ],
)
def test_what_the_rfc_cannot_say_is_refused(value: Any) -> None:
    with pytest.raises(ValueError) as theirs:  # noqa: PT011  # the library's own, and UnicodeEncodeError for a key
        rfc8785.dumps(value)
    with pytest.raises(type(theirs.value)):
        canonical_bytes(value)


def test_what_is_nested_deep_is_spelled_or_refused_by_the_library() -> None:
    nested: list[Any] = []
    for _ in range(100):
        nested = [nested]
    endless: list[Any] = []
    endless += [endless, endless]

    assert canonical_bytes(nested) == rfc8785.dumps(nested)
    with pytest.raises(RecursionError):
        canonical_bytes(endless)
