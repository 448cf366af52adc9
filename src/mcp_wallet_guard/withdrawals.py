"""Withdrawals through the store: used up, written down before they are sent, and how they ended. The inside of store
transactions.

The states are those of a payment. What a payment's signed bytes are, the exact string that was signed is here, without
its signature: nobody who reads the store can send it. It is stored before it is sent, so a withdrawal that is not
stored was not sent, and one that is stored is asked about and never sent again. Threat: T-009, T-016, T-018, T-100.
"""

from __future__ import annotations

import hashlib
from typing import Final, Literal

from pydantic import ValidationError

from mcp_wallet_guard import bookkeeping, counters, strict_json
from mcp_wallet_guard.ceremony import (
    Move,
    check_authorized,
    check_confirmed,
    check_proven,
    check_sendable,
    state_of,
)
from mcp_wallet_guard.clearsign.view import check_decoded
from mcp_wallet_guard.config.settings import Settings
from mcp_wallet_guard.errors import Tampered
from mcp_wallet_guard.evidence import OperationRow, State, VenueFacts
from mcp_wallet_guard.frozen_rows import DISAGREES, restored
from mcp_wallet_guard.operations.frozen import KIND_WITHDRAWAL, FrozenOperation
from mcp_wallet_guard.operations.intents import from_json
from mcp_wallet_guard.operations.requests import request_of
from mcp_wallet_guard.operations.withdrawals import (
    ACCOUNT_PREFIX,
    ExchangeWithdrawal,
    account_of,
    order_id,
    withdrawal_hash,
)
from mcp_wallet_guard.policy.engine import Reserved, check_permitted, check_same_revision
from mcp_wallet_guard.policy.limits import Spent
from mcp_wallet_guard.policy.withdrawals import NetworkRule, VenueRule, check_withdrawal
from mcp_wallet_guard.proofs import Sendable
from mcp_wallet_guard.stores.base import Transaction

Outcome = Literal["completed", "failed"]
LAPSED_SECONDS: Final = 600
"""How long after the venue's own window it is asked again before its word that it has nothing is taken for the end: its
history may lag behind."""


def withdrawal_of(row: OperationRow, settings: Settings, /) -> tuple[FrozenOperation, ExchangeWithdrawal, VenueFacts]:
    """The frozen withdrawal that a row keeps, compared with the row's own columns. Raises Tampered."""
    withdrawal = from_json(strict_json.loads(row.intent.encode()))
    if row.unsigned_bytes is None or not isinstance(withdrawal, ExchangeWithdrawal):
        raise Tampered("tampered.operation", detail="not a withdrawal")
    operation = restored(row, settings, kind=KIND_WITHDRAWAL)
    if (row.effect_hash, row.account) != (withdrawal_hash(withdrawal, settings.account), account_of(withdrawal)):
        raise Tampered("tampered.operation", detail=DISAGREES)
    if request_of(operation).fields.order_id != order_id(row.id, row.effect_hash):
        raise Tampered("tampered.operation", detail="the request has another operation's name")
    try:
        facts = VenueFacts.model_validate_json(row.facts or "")
    except ValidationError:
        raise Tampered("tampered.operation", detail="the facts do not parse") from None
    return operation, withdrawal, facts


def check_room(tx: Transaction, venue: VenueRule, rule: NetworkRule, /, *, units: int) -> Spent:
    """What was withdrawn within the window. Raises OverBudget("over_budget")."""
    spent = counters.spent(tx, venue.limit_id(rule), rule.limit)
    rule.check_fits(spent, units=units)
    return spent


def open_ends(tx: Transaction, /) -> tuple[OperationRow, ...]:
    """Withdrawals that were used up and have no end yet, at whatever venue."""
    past = frozenset({State.CONSUMED, State.SIGNED, State.SENT, State.UNKNOWN})
    rows = tx.all(OperationRow)
    return tuple(row for row in rows if row.account.startswith(ACCOUNT_PREFIX) and State(row.state) in past)


def consume(
    tx: Transaction,
    operation_id: str,
    /,
    *,
    principal: str,
    principals: frozenset[str],
    settings: Settings,
    revision: int,
) -> Sendable:
    """Step 7: prove everything again from stored evidence, count it, and use the approval up.

    The only caller of `check_sendable`. Raises Refused's kinds, Tampered.
    """
    row, consumed, approval = bookkeeping.approved_rows(tx, operation_id, principal=principal)
    operation, withdrawal, facts = withdrawal_of(row, settings)
    bookkeeping.check_account(tx, row.account)
    check_same_revision(approved=approval.policy_revision, in_force=revision)
    authorized = check_authorized(
        principal=principal,
        tool=row.tool,
        effect_hash=withdrawal_hash(withdrawal, settings.account),
        principals=principals,
        open_operations=0,
    )
    decoded = check_decoded(operation, facts, effect=withdrawal)
    permitted = check_permitted(settings.policy, decoded, revision=revision, facts=None, reserved=Reserved())
    sendable = check_sendable(
        authorized=authorized,
        decoded=decoded,
        permitted=permitted,
        confirmed=check_confirmed(decoded, permitted, approval, now=tx.now),
        proven=check_proven(decoded, permitted, approval),
        principal=principal,
        now=tx.now,
    )
    venue, rule, _ = check_withdrawal(settings.venues, withdrawal)
    units = rule.units(withdrawal.amount)
    seen = check_room(tx, venue, rule, units=units)
    counters.add(tx, venue.limit_id(rule), rule.limit, seen, units=units)
    bookkeeping.record_use(tx, consumed, approval, permitted)
    return sendable


def record_signed(tx: Transaction, row: OperationRow, text: str, /) -> OperationRow:
    """The exact string that was signed, before anybody sends it."""
    signed = text.encode("ascii")
    digest = hashlib.sha256(signed).digest()
    stored = bookkeeping.move_row(tx, row, Move.SIGN, signed_bytes=signed, transaction_hash=digest)
    bookkeeping.drop_approval(tx, row.id)
    bookkeeping.note(tx, stored, signed_string=text, sha256=digest.hex())
    return stored


def record_taken(tx: Transaction, /, *, row: OperationRow, receipt: str) -> OperationRow:
    """The venue says that it has it. `receipt` passed the outbound filter."""
    taken = bookkeeping.move_row(tx, row, Move.SEND, outcome=None, receipt=receipt)
    bookkeeping.note(tx, taken, withdrawal=receipt)
    return taken


def record_unknown(tx: Transaction, /, *, row: OperationRow) -> OperationRow:
    """Nobody knows whether the venue took it."""
    unknown = bookkeeping.move_row(tx, row, Move.LOSE, outcome="unknown")
    bookkeeping.note(tx, unknown, ended="unknown")
    return unknown


def record_ended(tx: Transaction, /, *, row: OperationRow, outcome: Outcome, receipt: str) -> OperationRow:
    """The venue says how it ended."""
    ended = bookkeeping.move_row(tx, row, Move.SETTLE, outcome=outcome, receipt=receipt)
    bookkeeping.note(tx, ended, outcome=outcome, withdrawal=receipt)
    return ended


def is_lapsed(row: OperationRow, request_window_ms: int, /, *, now: int) -> bool:
    """Whether the venue cannot take the request any more, by the time that stands in it, and its history is current."""
    dead_at = _signed_at(row) + request_window_ms // 1000 + LAPSED_SECONDS
    return state_of(row) in {State.SIGNED, State.UNKNOWN} and now > dead_at


def _signed_at(row: OperationRow) -> int:
    text = (row.signed_bytes or b"").decode("ascii")
    return int(text.rpartition("=")[2]) // 1000
