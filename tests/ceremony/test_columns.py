"""A stored state name is believed only when every other column of the row agrees with it.

Threat: T-001, T-006, T-007, T-009.
"""

from __future__ import annotations

import pytest

from mcp_wallet_guard import ceremony
from mcp_wallet_guard.ceremony import state_of
from mcp_wallet_guard.errors import Tampered
from mcp_wallet_guard.evidence import OperationRow, State
from tests.ceremony.rows import FILLED, GROUPS, MAY_HAVE, SHAPES, Shape, row, standing_shapes, stands


def disbelieved(forged: OperationRow) -> bool:
    try:
        state_of(forged)
    except Tampered as error:
        return error.code == "tampered.operation"
    return False


def fullest(state: State) -> Shape:
    """The fullest shape that may be in this state."""
    return max(standing_shapes(state), key=len)


def test_the_table_of_this_test_speaks_of_every_state_and_every_column_that_comes_later() -> None:
    assert set(MAY_HAVE) == {state.value for state in State}
    assert {name for columns in GROUPS.values() for name in columns} == set(FILLED)
    optional = {name for name, value in row(State.PROPOSED, frozenset()).columns().items() if value is None}
    assert optional == {*FILLED, "receipt"}
    assert len(SHAPES) == 4096


def test_the_frozen_columns_are_those_that_freezing_fills() -> None:
    assert GROUPS["frozen"] == ceremony.FROZEN_COLUMNS


@pytest.mark.parametrize("state", State)
def test_a_state_is_believed_for_exactly_the_rows_of_the_table(state: State) -> None:
    """Threat: T-001, T-009."""
    wrong = [sorted(shape) for shape in SHAPES if disbelieved(row(state, shape)) == stands(state, shape)]
    assert wrong == []


@pytest.mark.parametrize("state", State)
def test_a_believed_state_is_the_one_that_the_row_names(state: State) -> None:
    shapes = standing_shapes(state)
    assert shapes
    assert all(state_of(row(state, shape)) is state for shape in shapes)


@pytest.mark.parametrize(
    "name", ["", "APPROVED", "Approved", "approved ", " approved", "approved\n", "done", "none", "State.APPROVED", "0"]
)
def test_a_name_that_is_no_state_is_not_believed_whatever_the_columns_say(name: str) -> None:
    """Threat: T-001."""
    for shape in (frozenset[str](), frozenset(FILLED), fullest(State.APPROVED)):
        assert disbelieved(row(name, shape))


@pytest.mark.parametrize("claimed", State)
@pytest.mark.parametrize("real", State)
def test_a_state_name_that_was_edited_alone_is_seen_unless_the_columns_are_the_same(
    real: State, claimed: State
) -> None:
    """Threat: T-001, T-009."""
    alike = [
        {"proposed", "held"},  # nothing is frozen yet
        {"approved", "consumed"},  # the approval's own row says whether it was consumed
        {"signed", "sent"},  # the same bytes; sending them again pays nothing twice
        {"settled", "unknown"},
        {"refused", "expired", "superseded"},
    ]
    same = real is claimed or any({real.value, claimed.value} <= each for each in alike)
    assert disbelieved(row(claimed, fullest(real))) is not same


@pytest.mark.parametrize("state", State)
def test_no_state_is_believed_with_one_frozen_column_missing_or_one_alone(state: State) -> None:
    """Threat: T-006, T-007."""
    frozen = set(GROUPS["frozen"])
    for name in GROUPS["frozen"]:
        assert disbelieved(row(state, (fullest(state) | frozen) - {name}))
        assert disbelieved(row(state, (fullest(state) - frozen) | {name}))


def test_what_waits_for_the_nonce_has_nothing_frozen() -> None:
    for state in (State.PROPOSED, State.HELD):
        assert disbelieved(row(state, frozenset(GROUPS["frozen"])))


def test_nothing_was_approved_that_was_not_frozen() -> None:
    """Threat: T-001."""
    for state in (State.REFUSED, State.EXPIRED, State.SUPERSEDED):
        assert disbelieved(row(state, frozenset({"approved_at", "code"})))
        assert not disbelieved(row(state, frozenset({"approved_at", "code", *GROUPS["frozen"]})))


def test_the_detail_names_the_state_and_repeats_nothing_from_the_row() -> None:
    with pytest.raises(Tampered) as refused:
        state_of(row(State.APPROVED, frozenset()))
    assert refused.value.detail == "the row does not stand as approved"
    with pytest.raises(Tampered) as refused:
        state_of(row("zzz-from-outside", frozenset()))
    assert "zzz" not in refused.value.detail + refused.value.public
    assert refused.value.__suppress_context__
