"""What the search of a large message takes a short way to, the long way finds as well, and the other way round.

Threat: T-061, T-062.
"""

from __future__ import annotations

import enum
import itertools
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_wallet_guard.errors import Tampered
from mcp_wallet_guard.filters import rows as rows_of_names
from mcp_wallet_guard.filters.detectors import NAMED
from mcp_wallet_guard.filters.fingerprints import MIN_SECRET_BYTES, build, mark_of
from mcp_wallet_guard.filters.gathering import MAX_DEPTH, gather
from mcp_wallet_guard.filters.leaves import LONG
from mcp_wallet_guard.filters.outbound import check_released
from mcp_wallet_guard.filters.places import Marks, places, places_of_digits
from mcp_wallet_guard.filters.rows import REACH, CleanRows
from tests.filters.test_chain_data import LARGE, SMALL, blocked, in_pieces, is_found, planted
from tests.filters.test_outbound import KEY, SECRETS

SOURCE = random.Random(306)


class Text(str):
    __slots__ = ()


class Number(enum.IntEnum):
    ONE = 1


class Named(enum.StrEnum):
    A = "a"


class Fields(dict[str, Any]):
    pass


TEXTS = st.text(max_size=5) | st.text('0123456789abcdefx"\\\n\ud800', min_size=60, max_size=70).map(Text)
PAYLOADS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
    | st.sampled_from([Number.ONE, Named.A, 1 << 5000, "", "0x", "\n"]),
    lambda below: st.lists(below, max_size=4)
    | st.lists(below, max_size=3).map(tuple)
    | st.dictionaries(st.text(max_size=3), below, max_size=4)
    | st.dictionaries(st.text(max_size=3), below, max_size=3).map(Fields),
    max_leaves=25,
)  # fmt: skip
UNUSUAL: list[Any] = [
    {1: 2},
    {Named.A: 1},
    {Text("a"): 1},
    {None: 1},
    b"a",
    {1, 2},
    float("nan"),
    float("inf"),
    object(),
    1j,
]


def plain(value: Any, at: str = "") -> tuple[Any, list[tuple[str, str]], list[str]]:
    """A copy, the leaves with their holders, and the names: as plainly as it can be written."""
    if isinstance(value, dict):
        copied: dict[str, Any] = {}
        leaves: list[tuple[str, str]] = []
        names: list[str] = []
        for name, item in value.items():
            copied[name], below, inside = plain(item, name)
            leaves += below
            names += [name, *inside]
        return copied, leaves, names
    if isinstance(value, (list, tuple)):
        every = [plain(item, at) for item in value]
        return [c for c, _, _ in every], [x for _, y, _ in every for x in y], [x for _, _, y in every for x in y]
    if value is None or isinstance(value, bool):
        return value, [], []
    if isinstance(value, str):
        return str.__str__(value), [(at, str.__str__(value))], []
    if isinstance(value, int):
        return int(value), [(at, str(int(value)) if abs(value) < 1 << 4096 else f"{int(value):x}")], []
    return value, [(at, repr(value))], []


def types(value: Any) -> Any:
    if isinstance(value, dict):
        return dict, [(type(name), types(item)) for name, item in value.items()]
    return (type(value), [types(item) for item in value]) if isinstance(value, list) else type(value)


@settings(max_examples=300, deadline=None)
@given(PAYLOADS)
def test_the_walk_copies_and_lists_all_there_is_in_order(payload: Any) -> None:
    copied, leaves = gather(payload)
    expected, texts, names = plain(payload)
    assert copied == expected
    assert types(copied) == types(expected)
    assert leaves.texts == [text for _, text in texts]
    assert list(itertools.chain.from_iterable(leaves.rows)) == names
    long = [(name, text) for name, text in texts if len(text) >= LONG]
    for name in dict(long):
        assert leaves.long[name] == [text for holder, text in long if holder == name]
    assert sum(map(len, leaves.long.values())) == len(long)


@pytest.mark.parametrize("unusual", UNUSUAL, ids=lambda unusual: type(unusual).__name__)
def test_what_json_does_not_have_is_refused_wherever_it_stands(unusual: Any) -> None:
    for at in range(3):
        assert str(blocked(planted(unusual, at))).startswith("the filter failed: ")
        assert str(blocked(planted([1, {"a": [unusual]}], at))).startswith("the filter failed: ")


def test_a_message_may_be_as_deep_as_it_says() -> None:
    deep: Any = "x"
    for level in range(MAX_DEPTH):
        deep = [deep] if level % 2 else {"a": deep}
    assert gather(deep)[0] == deep
    for deeper in ([deep], {"a": deep}):
        with pytest.raises(ValueError, match="too deep"):
            gather(deeper)


@pytest.mark.parametrize("count", [1, 50, 200, 1000])
@pytest.mark.parametrize("size", [5, 16, 19, 300, 5000])
def test_every_place_with_a_mark_is_found_at_both_alignments(count: int, size: int) -> None:
    """T-061: also of marks that share halves, and of those that begin with a zero or end in one."""
    some = [SOURCE.randbytes(4) for _ in range(count)]
    some += [some[0][:2] + bytes(2), bytes(4), bytes(2) + some[0][2:], b"\xff\0\0\xff"]
    marks = frozenset(mark_of(each) for each in some)
    noise = [SOURCE.randbytes(size), bytes(size)]
    noise += [b"".join(SOURCE.choices([*some, b"\0", b"a"], k=size)), bytes(3) + some[-1] * size]
    for data in noise:
        assert list(places(data, marks=marks)) == naively(data, marks)
        agrees_at_both_alignments(data, marks)


def test_places_are_found_in_more_bytes_than_usual() -> None:
    data = SOURCE.randbytes(150_000)
    marks = frozenset(mark_of(SOURCE.randbytes(4)) for _ in range(50))
    assert list(places(data, marks=marks)) == naively(data, marks)
    agrees_at_both_alignments(data, marks)


def naively(data: bytes, marks: Marks) -> list[int]:
    return [at for at in range(len(data) - 3) if mark_of(data[at : at + 4]) in marks]


def agrees_at_both_alignments(data: bytes, marks: Marks) -> None:
    data = b"\0" + data
    number = int.from_bytes(data, "big")
    found = list(places_of_digits(number, len(data), marks=marks))
    for which, reading in enumerate((data, (number << 4).to_bytes(len(data) + 1, "big"))):
        room = range(1, len(reading) - MIN_SECRET_BYTES + 1)
        assert [at for at in naively(reading, marks) if at in room] == [
            at for alignment, at in found if alignment == which and at in room
        ]


@pytest.mark.parametrize("digits", ["0" * 11 + "d", "d" + "0" * 11, "00d" * 4])
def test_zeros_that_a_secret_begins_or_ends_with_are_no_padding(digits: str) -> None:
    """T-061: also where it is the last of a message."""
    middle = SOURCE.randbytes(14).hex()
    secret = bytes.fromhex(digits + middle[:20]) if digits[0] == "0" else bytes.fromhex(middle[:20] + digits)
    prints = build([secret], key=KEY)
    for before, after in itertools.product(("", "0" * 70, "0" * 71, "a"), ("", "0" * 31, "0" * 90)):
        for payload in ({**LARGE, "z": f"0x{before}{secret.hex()}{after}"}, planted(before + secret.hex() + after, 1)):
            with pytest.raises(Tampered):
                check_released(payload, fingerprints=prints)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 40), st.integers(0, 40), st.booleans(), st.sampled_from([bytes(6), b"\0", b""]))
def test_zeros_around_and_inside_of_a_secret_hide_nothing(before: int, after: int, odd: bool, inner: bytes) -> None:
    """T-061: padding is cut short, and what a secret begins or ends with is not."""
    digits = "a" * odd + "0" * before + SECRETS[2].hex() + "0" * after + inner.hex()
    assert blocked({**SMALL, "z": ["0x" + digits]}) == "withheld: a secret of the vault"


@pytest.mark.parametrize("before", ["", "0" * 24, "0" * 25, "0" * 46, "0" * 47, "0" * 64, "1e", "0x"])
@pytest.mark.parametrize("after", ["", "0" * 24, "0" * 25, "0" * 64, "e1"])
def test_a_decimal_number_between_padding_is_found(before: str, after: str) -> None:
    for secret in SECRETS:
        is_found(planted([before + str(int.from_bytes(secret, "big")) + after], len(before + after)))


def test_a_key_in_a_list_of_small_integers_under_its_name_is_found_in_a_large_message() -> None:
    """T-061: the first look leaves their values out."""
    key = [int(byte) for byte in SOURCE.randbytes(32)]
    assert blocked({**LARGE, "private_key": key}) == f"withheld: {NAMED}"
    assert blocked({**LARGE, "numbers": key}) is None


ROWS = st.lists(
    st.sampled_from([("a", "b"), ("blockHash",), ("x" * 90, "y"), ("n" * 200,), ("logs", "data" * 9)]), max_size=60
)


@settings(max_examples=200, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=4))
def test_whatever_begins_in_a_row_of_names_is_read_or_was_read_before(messages: list[list[tuple[str, ...]]]) -> None:
    clean = CleanRows()
    read: list[str] = []
    for rows in messages:
        unread = clean.unread(rows)
        read += unread.texts
        clean.keep(unread)
        assert set(unread.different) == set(rows)
        assert unread.size == sum(len(name) + 1 for row in rows for name in row)
        for place in range(len(rows)):
            following: list[str] = []
            for row in rows[place:]:
                following += row
                if sum(map(len, following)) - sum(map(len, rows[place])) >= REACH:
                    break
            assert any("\n".join(following) in text for text in read)


def test_names_that_are_known_one_by_one_are_read_in_a_new_order() -> None:
    """T-061: each piece was in a clean message before, and so was each pair."""
    pieces = in_pieces(SECRETS[0].hex(), 8)
    rows = [{piece: "0x1", "padding_that_makes_a_row_longer" * 2: None} for piece in pieces]
    alone = [{piece: "0x1"} for piece in pieces]
    for objects in (rows, alone):
        backwards = objects[::-1]
        assert blocked(planted(backwards, 0, LARGE)) is None
        assert blocked(planted([*backwards[::2], *backwards[1::2]], 0, LARGE)) is None
    assert is_found(planted(alone, 0, LARGE))
    assert is_found(planted(alone, 0, LARGE)), "and again"


def test_what_was_not_kept_is_read_again() -> None:
    clean = CleanRows()
    rows = [("name" * 30,), ("other" * 30,), ("third" * 30,)]
    first = clean.unread(rows)
    assert first.texts == clean.unread(rows).texts != []
    clean.keep(first)
    assert clean.unread(rows).texts == []
    assert clean.unread(rows[::-1]).texts != []


def test_the_memory_of_names_is_bounded_and_forgets_without_confusion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_of_names, "_MOST_ROWS", 8)
    monkeypatch.setattr(rows_of_names, "_MOST_SEQUENCES", 8)
    clean = CleanRows()
    for number in range(200):
        rows = [(f"n{number}" * 40,), (f"m{number}" * 40,)]
        unread = clean.unread(rows)
        assert unread.texts
        clean.keep(unread)
        assert len(unread.letters.of) <= 16
    monkeypatch.setattr(rows_of_names, "_LAST_LETTER", 0)
    assert clean.unread([("new" * 40,)]).texts == ["new" * 40]
    assert clean.unread([(f"r{n}",) for n in range(9)]).texts == ["\n".join(f"r{n}" for n in range(9))]
