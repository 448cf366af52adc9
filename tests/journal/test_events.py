"""An event is what may be journalled: a known kind, a time, a short subject, a small canonical object.

Threat: T-089, T-097.
"""

from __future__ import annotations

from typing import Any

import pytest
import rfc8785

from mcp_wallet_guard.journal.events import GENESIS, MAX_DATA_BYTES, MAX_TIME, VERSION, Event, Kind


def event(**changes: Any) -> Event:
    fields: dict[str, Any] = {"kind": Kind.READ, "at": 1_790_000_000, "subject": "op-1", "data": {"tool": "balance"}}
    return Event(**{**fields, **changes})


def filling(size: int) -> dict[str, Any]:
    """Data of exactly `size` bytes in canonical form."""
    return {"x": "a" * (size - len(rfc8785.dumps({"x": ""})))}


def test_an_event_keeps_what_it_was_given() -> None:
    made = event()
    assert (made.kind, made.at, made.subject, made.data) == (Kind.READ, 1_790_000_000, "op-1", {"tool": "balance"})
    assert event(subject="").subject == ""
    assert Event(kind=Kind.READ, at=0, data={}).subject == ""


@pytest.mark.parametrize("subject", ["", "a", "A-Z:0._-9", "x" * 128])
def test_a_short_identifier_is_a_subject(subject: str) -> None:
    assert event(subject=subject).subject == subject


@pytest.mark.parametrize("subject", ["x" * 129, "a b", "a\n", "\n", "é", "a/b", "{}", None, 7, b"op"])
def test_anything_else_is_no_subject(subject: Any) -> None:
    with pytest.raises(ValueError, match=r"\Aa subject is a short identifier\Z"):
        event(subject=subject)


@pytest.mark.parametrize("at", [0, 1, MAX_TIME])
def test_whole_seconds_since_1970_are_a_time(at: int) -> None:
    assert event(at=at).at == at


@pytest.mark.parametrize("at", [-1, MAX_TIME + 1, 1.0, True, "1", None])
def test_anything_else_is_no_time(at: Any) -> None:
    with pytest.raises(ValueError, match=r"\Aan event has a time\Z"):
        event(at=at)


@pytest.mark.parametrize("kind", ["tool.read", "no.such", None, 1])
def test_only_a_member_of_kind_is_a_kind(kind: Any) -> None:
    with pytest.raises(ValueError, match=r"\Aan event has a kind\Z"):
        event(kind=kind)


@pytest.mark.parametrize("data", [[], "x", None, (), 1])
def test_data_that_is_no_object_is_refused(data: Any) -> None:
    with pytest.raises(ValueError, match=r"\Aan event's data is an object\Z"):
        event(data=data)


@pytest.mark.parametrize("data", [{"x": float("nan")}, {"x": 2**53}, {"x": "\ud800"}, {"x": b"bytes"}, {"x": object()}])
def test_data_without_a_canonical_form_is_refused(data: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        event(data=data)


def test_data_of_exactly_the_limit_is_taken_and_one_byte_more_is_refused() -> None:
    assert MAX_DATA_BYTES == 64 * 1024
    assert len(event(data=filling(MAX_DATA_BYTES)).data["x"]) == MAX_DATA_BYTES - 8
    with pytest.raises(ValueError, match=r"\Aan event's data is too large\Z"):
        event(data=filling(MAX_DATA_BYTES + 1))


def test_what_the_caller_does_to_its_data_afterwards_changes_nothing() -> None:
    inner = {"to": "honest"}
    data = {"payee": inner}
    made = event(data=data)
    inner["to"] = "thief"
    data["more"] = inner
    assert made.data == {"payee": {"to": "honest"}}


def test_an_event_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        event().at = 2  # type: ignore[misc]


def test_the_kinds_keep_their_names() -> None:
    """A kind is stored for ever: renaming or removing one breaks every journal that has it."""
    names = {
        Kind.STORE_CREATED: "store.created", Kind.STORE_ACKNOWLEDGED: "store.acknowledged",
        Kind.STORE_BLOCKED: "store.blocked", Kind.GUARD_STARTED: "guard.started",
        Kind.GUARD_UNLOCKED: "guard.unlocked", Kind.GUARD_LOCKED: "guard.locked", Kind.WAIVER: "guard.waiver",
        Kind.POLICY_APPLIED: "policy.applied", Kind.FACTOR_ENROLLED: "factor.enrolled",
        Kind.MANDATE_APPROVED: "mandate.approved", Kind.MANDATE_ENDED: "mandate.ended",
        Kind.FACTOR_ATTEMPT: "factor.attempt", Kind.FACTOR_LOCKED_OUT: "factor.locked_out",
        Kind.FACTOR_UNLOCKED: "factor.unlocked", Kind.FACTOR_USED: "factor.used",
        Kind.PAIRED: "approval.paired", Kind.PROPOSED: "operation.proposed",
        Kind.HELD: "operation.held", Kind.FROZEN: "operation.frozen", Kind.APPROVED: "operation.approved",
        Kind.CONSUMED: "operation.consumed", Kind.SIGNED: "operation.signed", Kind.SENT: "operation.sent",
        Kind.SETTLED: "operation.settled", Kind.UNKNOWN: "operation.unknown", Kind.REFUSED: "operation.refused",
        Kind.EXPIRED: "operation.expired", Kind.SUPERSEDED: "operation.superseded",
        Kind.RETIRED: "operation.retired", Kind.READ: "tool.read", Kind.INCIDENT: "filter.incident",
        Kind.TAMPERED: "guard.tampered",
    }  # fmt: skip
    assert {kind: kind.value for kind in Kind} == names


def test_the_constants_of_the_format_are_these() -> None:
    assert (VERSION, GENESIS, MAX_TIME) == (1, b"\x00" * 32, 9_007_199_254_740_991)
