"""What consumed approvals take from the account until the chain decided: the inside of store transactions.

A payment reserves its amount and its highest fee in the transaction that uses its approval up, so that two payments
cannot both count on the same money.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mcp_wallet_guard import counters
from mcp_wallet_guard.config.settings import Settings
from mcp_wallet_guard.evidence import ReservationRow
from mcp_wallet_guard.operations.frozen import FrozenOperation
from mcp_wallet_guard.operations.intents import Effect, EffectKind, amount_of, called, payee_of
from mcp_wallet_guard.operations.values import Address, Asset
from mcp_wallet_guard.policy.engine import Reserved
from mcp_wallet_guard.policy.limits import Limit, covering
from mcp_wallet_guard.stores.base import Transaction


def reserve(tx: Transaction, operation_id: str, operation: FrozenOperation, effect: Effect, settings: Settings) -> None:
    """Take what `operation` may cost from what others may count on, and count it in every limit over time.

    Raises OverBudget("over_budget"). What a limit counted is never given back: whatever becomes of the payment,
    somebody may have its signature (Threat: T-018, T-019).
    """
    for limit in _limits(effect, settings):
        counters.take(tx, limit.id, limit, units=amount_of(effect) if limit.asset is not None else 0)
    tx.put(
        ReservationRow(
            operation=operation_id,
            asset=asset_of(effect, settings).id,
            units=str(units_of(effect)),
            fee=str(operation.transaction.max_fee),
            at=tx.now,
            state="reserved",
        )
    )


def check_limits(tx: Transaction, effect: Effect, settings: Settings, /) -> None:
    """Raises OverBudget("over_budget") when a payment does not fit in one of the limits over time that it counts
    for."""
    for limit in _limits(effect, settings):
        counters.check_room(tx, limit.id, limit, units=amount_of(effect))


def reserved(tx: Transaction, settings: Settings, to: Address, /) -> Reserved:
    """What unsettled operations may still take: wei, and units of the token whose contract is `to`."""
    token = settings.token_at(to)
    rows = [row for row in tx.all(ReservationRow) if row.state == "reserved"]
    native = sum(int(row.units) for row in rows if row.asset == settings.native.id)
    return Reserved(
        native=native + sum(int(row.fee) for row in rows),
        token=0 if token is None else sum(int(row.units) for row in rows if row.asset == token.id),
    )


def finish(tx: Transaction, operation_id: str, /) -> None:
    """The chain decided, or nothing left: the balance says from here on what is there."""
    reservation = tx.get(ReservationRow, operation_id)
    if reservation is not None:
        tx.put(replace(reservation, state="settled"))


def asset_of(effect: Effect, settings: Settings, /) -> Asset:
    """What is paid: the pinned token that is called, or the native currency."""
    token = None if called(effect) is None else settings.token_at(effect.to)
    return token or settings.native


def units_of(effect: Effect, /) -> int:
    """How much leaves at once, in the smallest unit of `asset_of`. An approval takes nothing itself."""
    return 0 if effect.kind == EffectKind.TOKEN_APPROVAL else amount_of(effect)


def _limits(effect: Effect, settings: Settings) -> Iterator[Limit]:
    limits = () if settings.policy is None else settings.policy.limits
    return covering(limits, asset_of(effect, settings), payee_of(effect))
