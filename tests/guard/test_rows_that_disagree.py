"""A row whose columns disagree with its own bytes, intent or facts is refused before anybody is asked anything.

The store's seals stop an edited row earlier; these are the checks behind them. Threat: T-006, T-007, T-097.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mcp_wallet_guard import frozen_rows, withdrawals
from mcp_wallet_guard.errors import Tampered
from mcp_wallet_guard.evidence import OperationRow, canonical
from mcp_wallet_guard.operations.intents import to_json
from mcp_wallet_guard.operations.statements import SignMessage
from tests.guard.rig import Rig
from tests.guard.venue import Trader

pytestmark = pytest.mark.anyio
OTHER_INTENT = '{"amount":"0.2","kind":"transfer","to":"0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"}'
STATEMENT = canonical(to_json(SignMessage(message="hello")))


async def row_of_a_payment(rig: Rig) -> OperationRow:
    async with rig.opened() as wallet:
        return await wallet.row((await wallet.asked()).operation)


@pytest.mark.parametrize(
    "edit",
    [
        {"unsigned_bytes": None},
        {"account": "eip155:1:0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"},
        {"nonce": 99},
        {"digest": bytes(32)},
    ],
)
async def test_a_payments_bytes_are_those_of_its_row(rig: Rig, edit: dict[str, Any]) -> None:
    row = await row_of_a_payment(rig)
    settings = rig.made.loaded.settings
    assert frozen_rows.operation_of(row, settings).digest == row.digest
    with pytest.raises(Tampered):
        frozen_rows.operation_of(replace(row, **edit), settings)


async def test_a_payments_intent_is_that_of_its_row(rig: Rig) -> None:
    row = await row_of_a_payment(rig)
    settings = rig.made.loaded.settings
    assert frozen_rows.effect_of(row, settings).to == rig.payee
    for intent in (OTHER_INTENT, STATEMENT):
        with pytest.raises(Tampered):
            frozen_rows.effect_of(replace(row, intent=intent), settings)


async def test_a_withdrawals_bytes_intent_name_and_facts_are_those_of_its_row(venue_rig: Rig) -> None:
    async with venue_rig.opened() as wallet:
        row = await wallet.row((await Trader(wallet).asked()).operation)
        settings = wallet.owned.custody.session().settings
    assert withdrawals.withdrawal_of(row, settings)[0].digest == row.digest
    for edit in (
        {"unsigned_bytes": None},
        {"intent": OTHER_INTENT},
        {"account": settings.account.id},
        {"effect_hash": bytes(32)},
        {"id": "another"},
        {"facts": "{}"},
        {"facts": None},
    ):
        with pytest.raises(Tampered):
            withdrawals.withdrawal_of(replace(row, **edit), settings)
