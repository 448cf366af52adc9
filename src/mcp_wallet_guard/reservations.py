"""What consumed approvals take from the account until the chain decided: the inside of store transactions.

A payment reserves its amount, its highest fee and what is counted for data in the transaction that uses its approval
up, so that two payments cannot both count on the same money.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

from mcp_wallet_guard import counters
from mcp_wallet_guard.clearsign.contract_calls import spending_of
from mcp_wallet_guard.clearsign.frozen_statements import allowed_by
from mcp_wallet_guard.clearsign.rollups import counted_in
from mcp_wallet_guard.config.naming import names_of
from mcp_wallet_guard.config.settings import Settings
from mcp_wallet_guard.errors import PolicyDenied
from mcp_wallet_guard.evidence import ReservationRow
from mcp_wallet_guard.operations.intents import Effect, EffectKind, amount_of, called, payee_of
from mcp_wallet_guard.operations.statements import StatementEffect
from mcp_wallet_guard.operations.values import Address, Asset
from mcp_wallet_guard.policy.engine import Reserved
from mcp_wallet_guard.policy.limits import Limit, covering
from mcp_wallet_guard.proofs import Decoded
from mcp_wallet_guard.stores.base import Transaction


def reserve(tx: Transaction, operation_id: str, decoded: Decoded, effect: Effect, settings: Settings) -> None:
    """Take what an operation may cost from what others may count on, and count it in every limit over time.

    Raises OverBudget("over_budget"). What a limit counted is never given back: whatever becomes of the payment,
    somebody may have its signature (Threat: T-018, T-019).
    """
    outlay = _outlay(effect, settings)
    for limit, units in outlay.limits(settings).items():
        counters.take(tx, limit.id, limit, units=units)
    asset, units = outlay.at_once
    beside = 0 if asset == settings.native else effect.value
    tx.put(
        ReservationRow(
            operation=operation_id,
            asset=asset.id,
            units=str(units),
            fee=str(decoded.operation.transaction.max_fee + counted_in(decoded.view) + beside),
            at=tx.now,
            state="reserved",
        )
    )


def check_limits(tx: Transaction, effect: Effect, settings: Settings, /) -> None:
    """Raises OverBudget("over_budget") when a payment does not fit in one of the limits over time that it counts
    for."""
    for limit, units in _outlay(effect, settings).limits(settings).items():
        counters.check_room(tx, limit.id, limit, units=units)


def count_statement(tx: Transaction, effect: StatementEffect, settings: Settings, /) -> None:
    """Count in every limit over time what the signature lets others take: nothing says when they do. It reserves
    nothing, as an approval does. Raises OverBudget("over_budget")."""
    for limit, units in statement_limits(effect, settings).items():
        counters.take(tx, limit.id, limit, units=units)


def check_statement_limits(tx: Transaction, effect: StatementEffect, settings: Settings, /) -> None:
    """Raises OverBudget("over_budget") when what the signature lets others take does not fit in a limit over time."""
    for limit, units in statement_limits(effect, settings).items():
        counters.check_room(tx, limit.id, limit, units=units)


def statement_limits(effect: StatementEffect, settings: Settings, /) -> dict[Limit, int]:
    """The limits that a statement counts for, and how much in each: none for what takes nothing.

    Raises PolicyDenied("policy.undecodable", "policy.token") for typed data that no limit could count.
    """
    limits = () if settings.policy is None else settings.policy.limits
    found: dict[Limit, int] = {}
    for allowed in allowed_by(effect, names_of(settings)):
        token = settings.token_at(allowed.token)
        if token is None:
            raise PolicyDenied("policy.token", detail="the typed data is about a token that is not pinned")
        for limit in (each for payee in allowed.parties for each in covering(limits, token, payee)):
            found[limit] = int(allowed.units) if limit.asset is not None else 0
    return found


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


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Outlay:
    """What a payment takes, in the smallest unit of each asset: `at_once` leaves beside the fee, `counted` against
    limits over time is what leaves and what may be taken, by `payees`."""

    at_once: tuple[Asset, int]
    counted: tuple[tuple[Asset, int], ...]
    payees: frozenset[Address]

    def limits(self, settings: Settings, /) -> dict[Limit, int]:
        """The limits that it counts for, and how much in each; a limit on the number of payments counts one."""
        limits = () if settings.policy is None else settings.policy.limits
        found: dict[Limit, int] = {}
        for asset, units in self.counted:
            for payee in self.payees:
                for limit in covering(limits, asset, payee):
                    found[limit] = units if limit.asset is not None else 0
        return found


def _outlay(effect: Effect, settings: Settings) -> _Outlay:
    """Raises PolicyDenied("policy.undecodable", "policy.token") for a call that no limit could count."""
    if effect.kind == EffectKind.CONTRACT_CALL:
        return _outlay_of_call(effect, settings)
    asset, units = asset_of(effect, settings), amount_of(effect)
    leaves = 0 if effect.kind == EffectKind.TOKEN_APPROVAL else units  # an approval takes nothing itself
    return _Outlay(at_once=(asset, leaves), counted=((asset, units),), payees=frozenset({payee_of(effect)}))


def _outlay_of_call(effect: Effect, settings: Settings) -> _Outlay:
    """Everybody whom the call names inside is a payee too."""
    spending = spending_of(effect, names_of(settings))
    native, payees = (settings.native, effect.value), spending.parties | {effect.to}
    if spending.token is None:
        return _Outlay(at_once=native, counted=(native,), payees=payees)
    token = settings.token_at(spending.token)
    if token is None:
        raise PolicyDenied("policy.token", detail="the call moves a token that is not pinned")
    return _Outlay(at_once=(token, spending.leaves), counted=(native, (token, int(spending.units))), payees=payees)
