"""Mandates that a person approved, and their use: the inside of store transactions.

The settings say what a mandate covers, a `MandateRow` that its owner approved exactly that with a second factor, and a
counter what was paid under it. A use is one answer of the kind that people give, with the level `NONE`, written in
the transaction that freezes the payment; the budget is drawn down in the one that uses the approval up.
Threat: T-018, T-019.
"""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard import counters
from mcp_wallet_guard.config.settings import Settings
from mcp_wallet_guard.errors import OverBudget, Tampered
from mcp_wallet_guard.evidence import ApprovalRow, Channel, Evidence, Level, MandateRow
from mcp_wallet_guard.journal.events import Event, Kind
from mcp_wallet_guard.policy.limits import Spent
from mcp_wallet_guard.policy.mandates import Mandate
from mcp_wallet_guard.stores.base import Transaction

APPROVER: Final = "mandate"


def of(settings: Settings, /) -> tuple[Mandate, ...]:
    """The mandates that the settings have, approved or not."""
    return () if settings.policy is None else settings.policy.mandates


def approve(tx: Transaction, settings: Settings, /) -> None:
    """The owner approved `settings` with a second factor: its mandates are good from now on. One that is good already
    keeps its time; one that the settings do not have any more ends."""
    named = {mandate.id: mandate for mandate in of(settings)}
    for row in tx.all(MandateRow):
        if row.id not in named or row.expires_at <= tx.now:
            end(tx, row)
    for mandate in named.values():
        if tx.get(MandateRow, mandate.id) is None:
            until = tx.now + mandate.seconds
            tx.put(MandateRow(id=mandate.id, name=mandate.name, approved_at=tx.now, expires_at=until))
            data = {"name": mandate.name, "until": until}
            tx.append(Event(kind=Kind.MANDATE_APPROVED, at=tx.now, subject=f"mandate:{mandate.id}", data=data))


def end(tx: Transaction, row: MandateRow, /) -> None:
    """Nothing is paid under it any more."""
    tx.drop(MandateRow, row.id)
    event = Event(kind=Kind.MANDATE_ENDED, at=tx.now, subject=f"mandate:{row.id}", data={"name": row.name})
    tx.append(event)


def end_all(tx: Transaction, /) -> None:
    """For a store whose past is not certain: what it counted may be too little."""
    for row in tx.all(MandateRow):
        end(tx, row)


def expires_at(tx: Transaction, mandate: Mandate, /) -> int | None:
    """Until when a mandate is good, in unix seconds; None when nobody approved it, or its time is over."""
    row = tx.get(MandateRow, mandate.id)
    return None if row is None or row.expires_at <= tx.now else row.expires_at


def spent(tx: Transaction, mandate: Mandate, /) -> Spent:
    """What was paid under it within its window."""
    return counters.spent(tx, mandate.budget_id, mandate.budget)


def usable(tx: Transaction, settings: Settings, /, *, tool: str, units: int) -> tuple[Mandate, ...]:
    """Those that are approved, name the tool, and have `units` left. Whom and what they cover is policy's to say."""
    return tuple(
        mandate
        for mandate in of(settings)
        if tool in mandate.tools and expires_at(tx, mandate) is not None and _has_left(tx, mandate, units)
    )


def use(approval: ApprovalRow, /, *, now: int) -> Evidence:
    """The answer that the approval's mandate gives for its owner."""
    return Evidence(
        channel=Channel.MANDATE,
        approver=APPROVER,
        operation_digest=approval.digest.hex(),
        view_hash=approval.view_hash.hex(),
        level=int(Level.NONE),
        at=now,
        mandate=approval.mandate,
    )


def draw(tx: Transaction, settings: Settings, used: str, /, *, units: int) -> None:
    """Count a payment in the budget of the mandate with the id `used`. Raises OverBudget("over_budget")."""
    mandate = next((each for each in of(settings) if each.id == used), None)
    if mandate is None:
        raise Tampered("tampered.operation", detail="a mandate that the settings do not have")
    counters.take(tx, mandate.budget_id, mandate.budget, units=units)


def _has_left(tx: Transaction, mandate: Mandate, units: int) -> bool:
    try:
        counters.check_room(tx, mandate.budget_id, mandate.budget, units=units)
    except OverBudget:
        return False
    return True
