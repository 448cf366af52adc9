"""A journal that was edited, cut, reordered, doubled or spliced does not verify. Threat: T-088, T-089, T-091."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.errors import Tampered
from mcp_wallet_guard.journal.chain import Entry, Head, append, check, follow, is_intact, link, verify
from mcp_wallet_guard.journal.events import GENESIS, MAX_TIME, Event, Kind

AT = 1_790_000_000


def event(number: int = 0, **changes: Any) -> Event:
    fields: dict[str, Any] = {"kind": Kind.READ, "at": AT + number, "subject": f"op-{number}", "data": {"n": number}}
    return Event(**{**fields, **changes})


def chain_of(count: int) -> list[Entry]:
    head, entries = Head(), []
    for number in range(count):
        entries.append(append(head, event(number)))
        head = entries[-1].head
    return entries


def rehashed(index: int, body: bytes) -> Entry:
    """An entry whose hash fits its body: what an attacker without a key can make."""
    return Entry(index, body, hashlib.sha256(b"mcp-wallet-guard/journal/v1\x00" + body).digest())


def forged(entry: Entry, **changes: Any) -> Entry:
    """The entry with other fields, canonical, and with the hash that fits."""
    fields = {**entry.fields, **changes}
    return rehashed(entry.index, rfc8785.dumps(fields))


def answer(entries: list[Entry], *, start: Head | None = None) -> str:
    with pytest.raises(Tampered) as caught:
        verify(entries, start=start)
    assert caught.value.code == "tampered.journal"
    return caught.value.detail


# --- what is written ----------------------------------------------------------------------------------------------


def test_an_entry_is_the_canonical_form_of_its_fields() -> None:
    rows = [("operations", "op-7", "ab" * 32), ("approvals", "op-7", None)]
    entry = append(Head(4, bytes(range(32))), event(7, kind=Kind.CONSUMED), rows=rows)
    assert entry.body == rfc8785.dumps({
        "v": 1,
        "index": 5,
        "at": AT + 7,
        "kind": "operation.consumed",
        "subject": "op-7",
        "data": {"n": 7},
        "rows": [["operations", "op-7", "ab" * 32], ["approvals", "op-7", None]],
        "prev": bytes(range(32)).hex(),
        "sealed": True,
    })  # fmt: skip
    assert entry.index == 5
    assert entry.fields["rows"] == [["operations", "op-7", "ab" * 32], ["approvals", "op-7", None]]
    assert entry.hash == hashlib.sha256(b"mcp-wallet-guard/journal/v1\x00" + entry.body).digest()
    assert entry.head == Head(5, entry.hash)


def test_the_first_entry_follows_on_from_nothing() -> None:
    assert Head() == Head(-1, GENESIS)
    entry = append(Head(), event())
    assert (entry.index, entry.fields["prev"], entry.fields["rows"]) == (0, "00" * 32, [])


def test_an_entry_of_a_locked_vault_says_that_it_is_unsealed() -> None:
    assert append(Head(), event(), sealed=False).fields["sealed"] is False
    assert append(Head(), event()).fields["sealed"] is True


def test_an_entry_of_the_format_page_has_this_hash() -> None:
    """Pinned: a change here is a new version of the format."""
    entry = append(Head(), Event(kind=Kind.STORE_CREATED, at=AT, data={"store_id": "00" * 16}))
    assert entry.hash.hex() == "5450bb4b6de9ce04f04afbb84d3eefd0ac29e2598ccef61317d0c69b42718899"


# --- what verifies ------------------------------------------------------------------------------------------------


def test_a_whole_chain_verifies_up_to_its_last_entry() -> None:
    entries = chain_of(5)
    assert verify(entries) == entries[-1].head
    assert list(follow(Head(), entries)) == entries


def test_nothing_verifies_as_the_head_that_it_started_from() -> None:
    assert verify([]) == Head()
    assert verify([], start=Head(3, bytes(32))) == Head(3, bytes(32))


def test_a_chain_verifies_from_any_of_its_heads() -> None:
    entries = chain_of(5)
    for number in range(5):
        assert verify(entries[number + 1 :], start=entries[number].head) == entries[-1].head


def test_following_stops_at_the_first_bad_entry_and_yields_those_before() -> None:
    entries = chain_of(4)
    following = follow(Head(), [*entries[:2], entries[3]])
    assert [next(following), next(following)] == entries[:2]
    with pytest.raises(Tampered):
        next(following)


@given(st.integers(0, 5), st.sampled_from([Kind.READ, Kind.SIGNED]), st.booleans())
def test_any_event_makes_an_entry_that_verifies(count: int, kind: Kind, sealed: bool) -> None:
    head, entries = Head(), []
    for number in range(count):
        entries.append(append(head, event(number, kind=kind), rows=[("t", "k", None)], sealed=sealed))
        head = entries[-1].head
    assert verify(entries) == head


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_no_text_of_an_attacker_makes_a_second_entry(text: str) -> None:
    """Whatever a name or a memo contains, it stays inside its string (Threat: T-089)."""
    entry = append(Head(), event(data={"memo": text}))
    assert check(entry)["data"] == {"memo": text}
    assert verify([entry]) == entry.head


# --- what does not ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", range(4))
def test_a_missing_entry_is_found(place: int) -> None:
    entries = chain_of(5)
    gone = entries.pop(place)
    assert answer(entries) == f"entry {gone.index + 1} does not follow entry {gone.index - 1}"


def test_a_missing_tail_is_the_business_of_the_sealed_head() -> None:
    entries = chain_of(5)
    assert verify(entries[:3]) == entries[2].head != entries[-1].head


@pytest.mark.parametrize("place", range(4))
def test_two_entries_in_the_wrong_order_are_found(place: int) -> None:
    entries = chain_of(5)
    entries[place], entries[place + 1] = entries[place + 1], entries[place]
    assert answer(entries) == f"entry {place + 1} does not follow entry {place - 1}"


@pytest.mark.parametrize("place", range(5))
def test_an_entry_twice_is_found(place: int) -> None:
    entries = chain_of(5)
    entries.insert(place, entries[place])
    assert answer(entries) == f"entry {place} does not follow entry {place}"


@pytest.mark.parametrize("place", range(5))
def test_an_entry_with_another_hash_is_found(place: int) -> None:
    entries = chain_of(5)
    entry = entries[place]
    entries[place] = Entry(entry.index, entry.body, bytes(32))
    assert answer(entries) == f"entry {place} is not what was written"


@pytest.mark.parametrize("place", range(4))
def test_an_edited_entry_with_a_fitting_hash_is_found_by_the_next_one(place: int) -> None:
    entries = chain_of(5)
    entries[place] = forged(entries[place], data={"n": 99})
    assert answer(entries) == f"entry {place + 1} does not follow entry {place}"


@pytest.mark.parametrize("place", range(5))
def test_an_entry_that_names_another_predecessor_is_found(place: int) -> None:
    entries = chain_of(5)
    entries[place] = forged(entries[place], prev="11" * 32)
    assert answer(entries) == f"entry {place} does not follow entry {place - 1}"


def test_an_entry_whose_column_and_body_disagree_on_the_index_is_found() -> None:
    first, second = chain_of(2)
    assert answer([first, Entry(2, second.body, second.hash)]) == "entry 2 is not what was written"
    assert answer([first, forged(second, index=2)]) == "entry 1 is not what was written"


def test_the_chain_of_another_start_is_found() -> None:
    entries = chain_of(3)
    assert answer(entries[1:], start=Head(0, bytes(32))) == "entry 1 does not follow entry 0"
    assert answer(entries[2:], start=entries[0].head) == "entry 2 does not follow entry 0"


WRONG: dict[str, tuple[Any, ...]] = {
    "v": (0, 2, "1", None, 1.5, True),
    "index": ("0", None, True, -1, 1, 0.5),
    "at": ("1", None, -1, MAX_TIME + 1.5e18, True, 1.5),
    "kind": ("no.such", "", None, 1, ["tool.read"], {}),
    "subject": (None, 1, "a b", "x" * 129, [], "line\nbreak"),
    "data": (None, [], "x", 1),
    "rows": (None, {}, "x", [[]], [["t", "k"]], [["t", "k", None, None]], [[1, "k", None]], [["t", 1, None]],
             [["t", "k", 1]], ["tkx"], [{"0": "t", "1": "k", "2": None}], [["t", "k", None], ["t", "k", 2]]),
    "prev": (None, 1, [], "00" * 31, "zz" * 32),
    "sealed": (None, 0, 1, "true", []),
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_field_of_another_shape_is_refused_although_the_hash_fits(name: str, value: Any) -> None:
    (entry,) = chain_of(1)
    assert check(forged(entry)) == entry.fields
    answer([forged(entry, **{name: value})])


@pytest.mark.parametrize("name", list(WRONG))
def test_an_entry_that_lacks_a_field_is_refused(name: str) -> None:
    (entry,) = chain_of(1)
    fields = entry.fields
    del fields[name]
    assert answer([rehashed(0, rfc8785.dumps(fields))]) == "entry 0 is not what was written"


def test_an_entry_with_one_field_more_is_refused() -> None:
    (entry,) = chain_of(1)
    assert answer([forged(entry, approved=True)]) == "entry 0 is not what was written"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"7",
        b"{",
        b"\xff\xfe",
        b'{"v":NaN}',
        b"[" * 100_000,
        b"9" * 5_000,
    ],
)
def test_a_body_that_is_no_entry_is_refused_although_the_hash_fits(body: bytes) -> None:
    with pytest.raises(Tampered) as caught:
        check(rehashed(0, body))
    assert (caught.value.code, caught.value.detail) == ("tampered.journal", "entry 0 is not what was written")


def test_the_same_fields_in_another_spelling_are_refused() -> None:
    (entry,) = chain_of(1)
    spaced = json.dumps(entry.fields).encode()
    doubled = entry.body.replace(b'"sealed":true', b'"sealed":false,"sealed":true')
    floating = entry.body.replace(b'"n":0', b'"n":0.0')
    for body in (spaced, doubled, floating, entry.body + b"\n"):
        assert body != entry.body
        answer([rehashed(0, body)])


@given(st.data())
def test_no_flipped_bit_of_a_journal_verifies(data: st.DataObject) -> None:
    entries = chain_of(3)
    place = data.draw(st.integers(0, 2))
    entry = entries[place]
    part = data.draw(st.sampled_from(["body", "hash"]))
    raw = bytearray(getattr(entry, part))
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << bit % 8
    changed = {"body": entry.body, "hash": entry.hash, part: bytes(raw)}
    entries[place] = Entry(entry.index, changed["body"], changed["hash"])
    assert answer(entries) == f"entry {place} is not what was written"


def test_the_first_and_the_last_second_are_times_of_an_entry() -> None:
    for at in (0, MAX_TIME):
        assert check(append(Head(), event(at=at)))["at"] == at


def test_checking_one_entry_says_nothing_about_its_place() -> None:
    entry = chain_of(3)[2]
    assert check(entry) == entry.fields


def test_values_of_the_chain_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Head().index = 2  # type: ignore[misc]
    with pytest.raises(AttributeError):
        chain_of(1)[0].body = b""  # type: ignore[misc]


def test_an_entry_is_intact_while_its_body_has_its_hash() -> None:
    entry = append(Head(), event())
    assert is_intact(entry)
    assert not is_intact(replace(entry, body=entry.body + b" "))
    assert not is_intact(replace(entry, hash=bytes(32)))


def test_a_link_is_the_next_index_and_the_hash_before() -> None:
    first = append(Head(), event())
    second = append(first.head, event())
    assert link(first.head, second, second.fields) == second.head
    for head in (Head(), Head(0, bytes(32)), Head(1, first.hash)):
        with pytest.raises(Tampered) as caught:
            link(head, second, second.fields)
        assert caught.value.code == "tampered.journal"
        assert f"entry 1 does not follow entry {head.index}" in caught.value.detail
