"""An action's row is believed only as a whole. Threat: T-088."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mcp_wallet_guard import acts
from mcp_wallet_guard.ceremony import Move, advance
from mcp_wallet_guard.config.settings import Settings
from mcp_wallet_guard.errors import Tampered
from mcp_wallet_guard.evidence import OperationRow, State
from mcp_wallet_guard.exchange import Acted, RefusedAnswer
from mcp_wallet_guard.operations.actions import Action, freeze_action
from tests.guard.rig import Rig

ORDER = Action("order", {"amount": "1"})


@pytest.fixture
def settings(rig: Rig) -> Settings:
    return rig.made.loaded.settings


@pytest.fixture
def row(settings: Settings) -> OperationRow:
    operation = freeze_action(ORDER, settings.account, expires_at=2_000)
    proposed = OperationRow(
        id="a" * 32, state=State.PROPOSED.value, principal="local", tool="order", intent=ORDER.body.decode(),
        effect_hash=operation.effect_hash, account=acts.ACCOUNT, created_at=1, changed_at=1, expires_at=2_000,
    )  # fmt: skip
    return advance(
        proposed, Move.FREEZE, at=1, nonce=0, unsigned_bytes=ORDER.body, digest=operation.digest, view="{}",
        view_hash=b"v" * 32, facts="null", policy_revision=1,
    )  # fmt: skip


def test_the_honest_row_is_its_action(row: OperationRow, settings: Settings) -> None:
    operation, action = acts.operation_of(row, settings)
    assert (operation.digest, action) == (row.digest, ORDER)


@pytest.mark.parametrize(
    "changes",
    [
        {"account": "eip155:1:0x0000000000000000000000000000000000000001"},
        {"unsigned_bytes": None},
        {"intent": "{}"},
        {"intent": Action("order", {"amount": "2"}).body.decode()},
        {"unsigned_bytes": Action("order", {"amount": "2"}).body},
        {"digest": b"d" * 32},
        {"effect_hash": b"e" * 32},
    ],
)
def test_a_row_that_disagrees_with_itself_is_tampered(
    row: OperationRow, settings: Settings, changes: dict[str, object]
) -> None:
    with pytest.raises(Tampered) as refused:
        acts.operation_of(replace(row, **changes), settings)  # type: ignore[arg-type]  # columns by name
    assert refused.value.code == "tampered.operation"


def test_how_it_ended_is_answered_from_the_row_alone(row: OperationRow) -> None:
    refused = acts.answer(advance(row, Move.REFUSE, at=2, code="declined"))
    assert isinstance(refused, RefusedAnswer)
    assert (refused.code, refused.operation) == ("declined", row.id)
    begun = advance(advance(row, Move.APPROVE, at=2, approved_at=2), Move.CONSUME, at=3)
    ended = advance(begun, Move.REPORT, at=4, outcome="failed", receipt="[1]")
    answer = acts.answer(ended)
    assert isinstance(answer, Acted)
    assert (answer.outcome, answer.result) == ("failed", [1])
    with pytest.raises(Tampered):
        acts.answer(replace(ended, receipt="["))
