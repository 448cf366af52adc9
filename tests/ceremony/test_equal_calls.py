"""What an equal call gets, to the second: a retry never pays twice, and nothing old is signed.

Threat: T-009, T-016.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import pytest

from mcp_wallet_guard import ceremony
from mcp_wallet_guard.ceremony import Equal, is_expired, is_retired, standing
from mcp_wallet_guard.errors import Tampered
from mcp_wallet_guard.evidence import OperationRow, State
from tests.ceremony.rows import CHANGED, CREATED, EXPIRES, FILLED, SHAPES, row, standing_rows, standing_shapes, stands

TEN_MINUTES = 600
TWO_MINUTES = 120
NEVER = 1 << 40
OUTCOMES = ("mined", "sent", "failed", "replaced", "unknown", "burned", "signed_but_invalid")
CODES = ("declined", "expired", "superseded", "policy.changed", "policy.denied", "over_budget", "declined?", "")


@dataclass(frozen=True)
class Stays:
    """`answer` until the second `until`, which itself is too late; `none` from then on."""

    answer: str
    until: int


def expected(state: str, *, outcome: str, code: str, approved_at: int) -> Stays:
    """The oracle, as a table: a retry never pays twice."""
    table = {
        "proposed": Stays("join", EXPIRES),
        "held": Stays("join", EXPIRES),
        "frozen": Stays("join", EXPIRES),
        "approved": Stays("execute", min(EXPIRES, approved_at + TWO_MINUTES)),
        "consumed": Stays("repeat", NEVER),
        "signed": Stays("repeat", NEVER),
        "sent": Stays("repeat", NEVER),
        "unknown": Stays("blocked", NEVER),
        "settled": Stays("none" if outcome == "burned" else "repeat", CHANGED + TEN_MINUTES),
        "refused": Stays("declined" if code == "declined" else "none", CHANGED + TEN_MINUTES),
        "expired": Stays("none", NEVER),
        "superseded": Stays("none", NEVER),
    }
    return table[state]


def seconds(*moments: int) -> list[int]:
    """The second before each moment, the moment, and the second after it."""
    return sorted({moment + step for moment in moments for step in (-1, 0, 1)})


def variants(state: State) -> list[OperationRow]:
    """A row of each shape, with each outcome and code, approved early, and so late that the expiry comes first."""
    return [
        row(state, shape, **{name: value for name, value in values.items() if name in shape})
        for shape in standing_shapes(state)
        for outcome, code, approved_at in itertools.product(OUTCOMES, CODES, (CREATED + 300, CREATED + 550))
        for values in [{"outcome": outcome, "code": code, "approved_at": approved_at}]
    ]


@pytest.mark.parametrize("state", State)
def test_an_equal_call_gets_what_the_design_says_at_every_second_that_matters(state: State) -> None:
    """Threat: T-009, T-016."""
    for found in set(variants(state)):
        approved_at = found.approved_at or 0
        stays = expected(state.value, outcome=found.outcome or "", code=found.code or "", approved_at=approved_at)
        for now in seconds(CREATED, CHANGED, EXPIRES, CHANGED + TEN_MINUTES, approved_at + TWO_MINUTES, NEVER // 2):
            answer = standing(found, now=now)
            assert answer.value == (stays.answer if now < stays.until else "none"), (found, now)


def test_the_answers_are_these_six() -> None:
    assert {equal.name: equal.value for equal in Equal} == {
        "JOIN": "join", "EXECUTE": "execute", "REPEAT": "repeat", "DECLINED": "declined", "BLOCKED": "blocked",
        "NONE": "none",
    }  # fmt: skip


def test_a_clock_that_went_back_makes_nothing_payable_twice() -> None:
    """Threat: T-016."""
    for outcome in ("mined", "failed", "replaced"):
        settled = row(State.SETTLED, frozenset(FILLED) - {"code"}, outcome=outcome)
        assert standing(settled, now=CHANGED - 10_000) is Equal.REPEAT
    for state in (State.CONSUMED, State.SIGNED, State.SENT):
        assert all(standing(each, now=0) is Equal.REPEAT for each in standing_rows(state))
    assert all(standing(each, now=0) is Equal.BLOCKED for each in standing_rows(State.UNKNOWN))


def test_only_what_waits_or_is_approved_in_time_can_still_be_executed() -> None:
    """Threat: T-009."""
    able = {
        state
        for state in State
        for found in standing_rows(state)
        for now in seconds(CREATED, EXPIRES)
        if standing(found, now=now) is Equal.EXECUTE
    }
    assert able == {State.APPROVED}


@pytest.mark.parametrize("state", State)
def test_a_row_that_does_not_stand_gets_no_answer(state: State) -> None:
    """Threat: T-001."""
    for shape in (shape for shape in SHAPES[::7] if not stands(state, shape)):
        for ask in (standing, is_retired):
            with pytest.raises(Tampered):
                ask(row(state, shape), now=CHANGED)


# --- expiry -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "late"), [(0, False), (EXPIRES - 1, False), (EXPIRES, True), (EXPIRES + 1, True), (NEVER, True)]
)
def test_an_operation_expires_at_its_expiry_and_not_a_second_before(now: int, late: bool) -> None:
    """Threat: T-016."""
    assert is_expired(row(State.FROZEN, frozenset()), now=now) is late


@pytest.mark.parametrize(
    ("approved_at", "now", "late"),
    [
        (CREATED, CREATED - 1, False),
        (CREATED, CREATED, False),
        (CREATED, CREATED + 119, False),
        (CREATED, CREATED + 120, True),
        (CREATED, CREATED + 121, True),
        (EXPIRES - 120, EXPIRES - 1, False),
        (EXPIRES - 120, EXPIRES, True),
        (EXPIRES - 1, EXPIRES - 1, False),
        (EXPIRES - 1, EXPIRES, True),
        (0, 119, False),
        (0, 120, True),
    ],
)
def test_an_approval_is_good_for_two_minutes_and_never_past_the_expiry(approved_at: int, now: int, late: bool) -> None:
    """Threat: T-016."""
    approved = row(State.APPROVED, frozenset({"approved_at"}), approved_at=approved_at)
    assert is_expired(approved, now=now) is late


def test_the_times_are_those_of_the_documentation() -> None:
    assert (ceremony.SIGN_WITHIN_SECONDS, ceremony.REPEAT_SECONDS) == (TWO_MINUTES, TEN_MINUTES)


# --- retirement ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", State)
def test_only_what_has_ended_is_retired_and_only_when_it_answers_no_call_any_more(state: State) -> None:
    """Threat: T-009."""
    ended = state.value in {"settled", "refused", "expired", "superseded"}
    times: dict[int, bool] = {
        0: False, CHANGED: False, CHANGED + 599: False, CHANGED + 600: ended, CHANGED + 601: ended, NEVER: ended,
    }  # fmt: skip
    for found in standing_rows(state):
        assert {now: is_retired(found, now=now) for now in times} == times


@pytest.mark.parametrize("state", State)
def test_what_is_retired_would_have_let_an_equal_call_start_anew(state: State) -> None:
    """Threat: T-009."""
    for found in set(variants(state)):
        for now in seconds(CHANGED, CHANGED + TEN_MINUTES, NEVER):
            assert not is_retired(found, now=now) or standing(found, now=now) is Equal.NONE
