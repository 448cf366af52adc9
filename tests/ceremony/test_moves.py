"""The state machine, edge by edge: what is drawn is possible, and nothing else is.

    PROPOSED -> HELD -> FROZEN -> APPROVED -> CONSUMED -> SIGNED -> SENT -> SETTLED | UNKNOWN
    and REFUSED, EXPIRED, SUPERSEDED out of every state before CONSUMED

Threat: T-001, T-006, T-007, T-009.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from mcp_wallet_guard import ceremony
from mcp_wallet_guard.ceremony import Move, advance, state_of
from mcp_wallet_guard.errors import AlreadyUsed, Declined, Expired, Refused, Tampered
from mcp_wallet_guard.evidence import OperationRow, State
from tests.ceremony.rows import CHANGED, FILLED, GROUPS, SHAPES, Shape, row, standing_rows, standing_shapes, stands

AT = CHANGED + 7

EDGES = {
    (State(before), Move(move)): State(after)
    for before, move, after in (
        line.split()
        for line in """
          proposed  hold       held
          proposed  freeze     frozen
          held      freeze     frozen
          frozen    approve    approved
          frozen    refreeze   frozen
          approved  refreeze   frozen
          approved  consume    consumed
          consumed  sign       signed
          consumed  report     settled
          consumed  burn       settled
          consumed  lose       unknown
          signed    send       sent
          signed    settle     settled
          signed    lose       unknown
          sent      settle     settled
          sent      lose       unknown
          unknown   send       sent
          unknown   settle     settled
        """.strip().splitlines()
    )
} | {
    (State(before), move): after
    for before in ("proposed", "held", "frozen", "approved")
    for move, after in {
        Move.REFUSE: State.REFUSED, Move.EXPIRE: State.EXPIRED, Move.SUPERSEDE: State.SUPERSEDED,
    }.items()
}  # fmt: skip

CLOSED: dict[State, tuple[type[Refused], str]] = {
    State.EXPIRED: (Expired, "expired"),
    State.SUPERSEDED: (Expired, "superseded"),
    State.REFUSED: (Declined, "declined"),
}
"""What a move out of a state says that has none; every other missing move says `already_used`."""

FORBIDDEN = [pair for pair in itertools.product(State, Move) if pair not in EDGES]

COARSE: tuple[Shape, ...] = tuple(
    shape
    for shape in SHAPES
    if len(shape.intersection(GROUPS["frozen"])) in {0, 1, len(GROUPS["frozen"]) - 1, len(GROUPS["frozen"])}
)
"""Every shape but those with two to five of the frozen columns."""


def changes_to(source: OperationRow, shape: Shape) -> dict[str, Any]:
    """What makes the columns of `source` those of `shape`, with other values where there are any."""
    fresh: dict[str, Any] = FILLED | {"outcome": "failed", "code": "expired", "approved_at": AT}
    wanted = {name: fresh[name] if name in shape else None for name in FILLED}
    return {name: value for name, value in wanted.items() if (getattr(source, name) is None) != (value is None)}


def outcomes_of(move: Move, source: OperationRow, after: State) -> Iterator[tuple[Shape, bool]]:
    """Each shape that changes to columns ask for, and whether the move was made."""
    for shape in COARSE:
        changes = changes_to(source, shape)
        if move is Move.REFREEZE and "approved_at" in shape:
            changes["approved_at"] = AT  # asked for by name: an approval that would outlive the bytes it was for
        try:
            moved = advance(source, move, at=AT, **changes)
        except Tampered:
            yield shape, False
        else:
            assert moved == replace(source, state=after.value, changed_at=AT, **changes)
            yield shape, True


def test_the_edges_are_exactly_those_of_the_design() -> None:
    found = {(state, move): after for state, moves in ceremony.TABLE.items() for move, after in moves.items()}
    assert found == EDGES
    assert set(ceremony.TABLE) == set(State)


def test_the_names_of_the_moves_are_stable() -> None:
    assert {move.name.lower(): move.value for move in Move} == {move.value: move.value for move in Move}
    assert {move for _, move in EDGES} == set(Move)


def test_states_are_open_spent_or_ends_as_the_design_says() -> None:
    names = {"proposed", "held", "frozen", "approved"}
    assert {state.value for state in ceremony.OPEN} == names
    names = {"consumed", "signed", "sent", "settled", "unknown"}
    assert {state.value for state in ceremony.SPENT} == names
    names = {"settled", "refused", "expired", "superseded"}
    assert {state.value for state in ceremony.ENDS} == names


@pytest.mark.parametrize(("before", "move"), EDGES)
def test_an_edge_is_taken_by_exactly_the_rows_that_stand_before_and_after_it(before: State, move: Move) -> None:
    """Threat: T-001, T-006, T-007."""
    after = EDGES[before, move]
    for source in standing_rows(before):
        wrong = [shape for shape, made in outcomes_of(move, source, after) if made is not stands(after, shape)]
        assert wrong == []


@pytest.mark.parametrize(("before", "move"), FORBIDDEN)
def test_a_move_that_the_design_does_not_draw_is_refused_by_the_state_it_would_leave(before: State, move: Move) -> None:
    """Threat: T-001, T-009."""
    kind, code = CLOSED.get(before, (AlreadyUsed, "already_used"))
    for source in standing_rows(before):
        with pytest.raises(Refused) as refused:
            advance(source, move, at=AT)
        assert (type(refused.value), refused.value.code) == (kind, code)


@pytest.mark.parametrize("state", State)
def test_a_row_that_does_not_stand_moves_nowhere_even_if_the_move_would_mend_it(state: State) -> None:
    """Threat: T-001, T-009."""
    broken = next(shape for shape in SHAPES if not stands(state, shape))
    for move in Move:
        source = row(state, broken)
        for shape in standing_shapes(EDGES.get((state, move), state)):
            with pytest.raises(Tampered):
                advance(source, move, at=AT, **changes_to(source, shape))


def test_a_move_changes_the_state_the_time_and_the_named_columns_only() -> None:
    source = row(State.PROPOSED, frozenset(), receipt="r")
    frozen = {name: FILLED[name] for name in GROUPS["frozen"]}
    moved = advance(source, Move.FREEZE, at=AT, expires_at=AT + 1, **frozen)
    expected = source.columns() | frozen | {"state": "frozen", "changed_at": AT, "expires_at": AT + 1}
    assert moved.columns() == expected
    assert source == row(State.PROPOSED, frozenset(), receipt="r")


def test_freezing_again_drops_the_approval() -> None:
    """Threat: T-006, T-007."""
    for state in (State.FROZEN, State.APPROVED):
        for source in standing_rows(state):
            again = advance(source, Move.REFREEZE, at=AT, digest=b"another")
            assert (again.state, again.approved_at, again.digest) == ("frozen", None, b"another")


def test_no_other_move_drops_the_approval() -> None:
    approved = next(standing_rows(State.APPROVED))
    consumed = advance(approved, Move.CONSUME, at=AT)
    assert consumed.approved_at == approved.approved_at
    assert advance(approved, Move.EXPIRE, at=AT, code="expired").approved_at == approved.approved_at
    assert advance(consumed, Move.BURN, at=AT, outcome="burned").approved_at == approved.approved_at


def test_an_approval_cannot_be_kept_through_freezing_again() -> None:
    """Threat: T-006, T-007."""
    with pytest.raises(Tampered):
        advance(next(standing_rows(State.APPROVED)), Move.REFREEZE, at=AT, approved_at=AT)


@pytest.mark.parametrize("change", [{"state": "approved"}, {"changed_at": 0}, {"approved": True}])
def test_a_caller_chooses_neither_state_nor_time_nor_columns_that_do_not_exist(change: dict[str, Any]) -> None:
    """Threat: T-001."""
    with pytest.raises(TypeError):
        advance(next(standing_rows(State.PROPOSED)), Move.HOLD, at=AT, **change)


def test_an_approval_is_consumed_once_and_signed_once() -> None:
    """Threat: T-009."""
    consumed = advance(next(standing_rows(State.APPROVED)), Move.CONSUME, at=AT)
    signed = advance(consumed, Move.SIGN, at=AT, signed_bytes=b"s", transaction_hash=b"t")
    sent = advance(signed, Move.SEND, at=AT)
    settled = advance(sent, Move.SETTLE, at=AT, outcome="mined")
    lost = advance(sent, Move.LOSE, at=AT, outcome="unknown")
    for later in (consumed, signed, sent, settled, lost):
        with pytest.raises(AlreadyUsed):
            advance(later, Move.CONSUME, at=AT)
    for later in (signed, sent, settled, lost):
        with pytest.raises(AlreadyUsed):
            advance(later, Move.SIGN, at=AT, signed_bytes=b"another", transaction_hash=b"another")


def test_what_was_lost_is_sent_again_with_the_bytes_that_were_signed() -> None:
    lost = row(State.UNKNOWN, frozenset(FILLED) - {"code"}, outcome="unknown")
    assert state_of(advance(lost, Move.SEND, at=AT, outcome=None)) is State.SENT
    with pytest.raises(Tampered):
        advance(lost, Move.SEND, at=AT)
    unsigned = replace(lost, signed_bytes=None, transaction_hash=None)
    with pytest.raises(Tampered):
        advance(unsigned, Move.SEND, at=AT, outcome=None)


# --- every way through it -----------------------------------------------------------------------------------------


def ways(state: State, *, trail: tuple[Move, ...] = (), most: int = 12) -> Iterator[tuple[tuple[Move, ...], State]]:
    """Every way of up to `most` moves, with at most one freezing again and one sending again."""
    yield trail, state
    for move, after in ceremony.TABLE[state].items():
        repeats = {Move.REFREEZE: 1, Move.SEND: 2, Move.LOSE: 2}
        if len(trail) < most and trail.count(move) < repeats.get(move, most):
            yield from ways(after, trail=(*trail, move), most=most)


def test_every_way_through_the_machine_needs_a_person_before_each_consume_and_a_consume_before_each_signature() -> None:
    """Threat: T-001, T-006, T-009."""
    seen: set[State] = set()
    for trail, state in ways(State.PROPOSED):
        seen.add(state)
        assert trail.count(Move.CONSUME) <= 1
        assert trail.count(Move.SIGN) <= trail.count(Move.CONSUME)
        for index, move in enumerate(trail):
            assert move is not Move.CONSUME or trail[index - 1] is Move.APPROVE
            assert move is not Move.SIGN or trail[index - 1] is Move.CONSUME
            assert move is not Move.APPROVE or trail[index - 1] in {Move.FREEZE, Move.REFREEZE}
            assert move is not Move.SEND or Move.SIGN in trail[:index] or Move.LOSE in trail[:index]
    assert seen == set(State)


def test_after_the_consume_nothing_is_refused_expired_or_superseded_any_more() -> None:
    """Threat: T-009."""
    for trail, _ in ways(State.CONSUMED):
        assert not {Move.REFUSE, Move.EXPIRE, Move.SUPERSEDE, Move.REFREEZE, Move.APPROVE}.intersection(trail)
