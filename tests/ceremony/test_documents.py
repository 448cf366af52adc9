"""What is written about the ceremony agrees with its table, and a state that is none is not believed."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from mcp_wallet_guard import ceremony
from mcp_wallet_guard.ceremony import OPEN, TABLE, state_of
from mcp_wallet_guard.errors import Tampered
from mcp_wallet_guard.evidence import OperationRow, State

PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"
STEPS = (
    "1 validate", "2 authorize", "3 decode", "4 policy", "5 confirm", "6 second factor", "7 execute", "8 verify",
    "9 filter", "10 journal",
)  # fmt: skip
WAYS_OUT = {State.REFUSED, State.EXPIRED, State.SUPERSEDED}
PLAIN = OperationRow(
    id="op",
    state="proposed",
    principal="local",
    tool="pay",
    intent="{}",
    effect_hash=bytes(32),
    account="eip155:1:0x0",
    created_at=0,
    changed_at=0,
    expires_at=1,
)


def documented() -> str:
    return ceremony.__doc__ or ""


def test_the_diagram_at_the_top_of_the_file_is_a_way_through_the_table() -> None:
    line = next(line for line in documented().splitlines() if "->" in line)
    first, _, last = line.replace(" ", "").lower().rpartition("|")
    path = [State(word) for word in first.split("->")]
    for before, after in pairwise(path):
        assert after in TABLE[before].values(), (before, after)
    assert State(last) in TABLE[path[-2]].values()
    assert {*path, State(last), *WAYS_OUT} == set(State), "every state is drawn"


def test_the_ways_out_lead_out_of_every_state_before_consumed_and_out_of_no_other() -> None:
    assert "and REFUSED, EXPIRED, SUPERSEDED out of every state before CONSUMED" in documented()
    for state, moves in TABLE.items():
        assert WAYS_OUT & set(moves.values()) == (WAYS_OUT if state in OPEN else set())


@pytest.mark.parametrize("step", STEPS)
def test_every_step_of_the_documented_pipeline_is_in_the_file_in_the_same_words(step: str) -> None:
    assert f"| {step} |" in PAGE.read_text("utf-8")
    assert step in documented()


@pytest.mark.parametrize("name", ["", "Proposed", "proposed ", "paid", "None"])
def test_a_state_that_is_none_is_tampered(name: str) -> None:
    with pytest.raises(Tampered) as tampered:
        state_of(replace(PLAIN, state=name))
    assert (tampered.value.code, tampered.value.detail) == ("tampered.operation", "unknown state")


def test_a_row_that_stands_is_believed() -> None:
    assert state_of(PLAIN) is State.PROPOSED


def test_a_row_that_does_not_stand_names_its_state_to_the_operator_alone() -> None:
    with pytest.raises(Tampered) as tampered:
        state_of(replace(PLAIN, state="settled"))
    assert tampered.value.detail == "the row does not stand as settled"
    assert "settled" not in tampered.value.public
