"""Actions through the store: asked, approved, used up, and told how they ended. The inside of store transactions.

The approval is consumed before the server may begin, so that an action runs at most once: whoever goes away in between
has used it up. How it ended is what the server says; without a word it is `unknown`. Threat: T-009, T-013, T-018.
"""

from __future__ import annotations

from typing import Final

from pydantic import JsonValue, TypeAdapter, ValidationError

from mcp_wallet_guard import bookkeeping, counters, frozen_rows
from mcp_wallet_guard.answers import undone_answer
from mcp_wallet_guard.ceremony import (
    Move,
    check_authorized,
    check_confirmed,
    check_proven,
    check_runnable,
    state_of,
)
from mcp_wallet_guard.clearsign.view import check_decoded
from mcp_wallet_guard.config.settings import Settings
from mcp_wallet_guard.errors import InvalidInput, Tampered
from mcp_wallet_guard.evidence import OperationRow, State
from mcp_wallet_guard.exchange import Acted, ActOutcome, Pending, RefusedAnswer
from mcp_wallet_guard.operations.actions import Action, action_hash, parse_action
from mcp_wallet_guard.operations.frozen import KIND_ACTION, FrozenOperation
from mcp_wallet_guard.policy.engine import Reserved, check_action, check_permitted, check_same_revision
from mcp_wallet_guard.policy.rules import ActionRule
from mcp_wallet_guard.proofs import Runnable
from mcp_wallet_guard.stores.base import Transaction

ACCOUNT: Final = "actions"
"""What stands where a payment has its account: no nonce is held, and no chain settles it."""
ABANDONED_SECONDS: Final = 600
"""How long a begun action may say nothing before it counts as one that nobody will tell about."""

SENTENCES: Final[dict[str, str]] = {
    "carried_out": "The owner approved it, and the tool ran.",
    "failed": "The owner approved it, and the tool failed. It may have had an effect all the same: find out first.",
    "unknown": "The tool was begun, and nobody said how it ended. It may have had its effect: find out first.",
}
"""Every sentence about an action that was begun. Before that they are those of `answers`."""

_RESULT: Final[TypeAdapter[JsonValue]] = TypeAdapter(JsonValue)


def check_room(tx: Transaction, rule: ActionRule, /) -> None:
    """Raises OverBudget("over_budget") when the tool was begun as often as the rule allows."""
    counters.check_room(tx, rule.id, rule.limit, units=0)


def operation_of(row: OperationRow, settings: Settings, /) -> tuple[FrozenOperation, Action]:
    """The frozen action that a row keeps, compared with the row's own columns. Raises Tampered."""
    if row.unsigned_bytes is None or row.account != ACCOUNT:
        raise Tampered("tampered.operation", detail="not an action")
    try:
        action = parse_action(row.intent.encode())
    except InvalidInput:
        raise Tampered("tampered.operation", detail="the request does not parse") from None
    operation = frozen_rows.restored(row, settings, kind=KIND_ACTION)
    if action_hash(action, settings.account) != row.effect_hash:
        raise Tampered("tampered.operation", detail=frozen_rows.DISAGREES)
    return operation, action


def consume(
    tx: Transaction,
    operation_id: str,
    /,
    *,
    principal: str,
    principals: frozenset[str],
    settings: Settings,
    revision: int,
) -> Runnable:
    """Step 7 of an action: prove everything again from stored evidence, count it, and use the approval up.

    The only caller of `check_runnable`. Raises Refused's kinds, Tampered.
    """
    row, consumed, approval = bookkeeping.approved_rows(tx, operation_id, principal=principal)
    operation, action = operation_of(row, settings)
    check_same_revision(approved=approval.policy_revision, in_force=revision)
    authorized = check_authorized(
        principal=principal,
        tool=row.tool,
        effect_hash=row.effect_hash,
        principals=principals,
        open_operations=0,
    )
    decoded = check_decoded(operation, None, effect=action)
    permitted = check_permitted(settings.policy, decoded, revision=revision, facts=None, reserved=Reserved())
    runnable = check_runnable(
        authorized=authorized,
        decoded=decoded,
        permitted=permitted,
        confirmed=check_confirmed(decoded, permitted, approval, now=tx.now),
        proven=check_proven(decoded, permitted, approval),
        principal=principal,
    )
    rule = check_action(settings.policy, action.tool)
    counters.take(tx, rule.id, rule.limit, units=0)
    bookkeeping.record_use(tx, consumed, approval, permitted)
    return runnable


def report(tx: Transaction, row: OperationRow, /, *, outcome: ActOutcome, result: str | None) -> OperationRow:
    """How a begun action ended. `result` is JSON that passed the outbound filter."""
    ended = bookkeeping.move_row(tx, row, Move.REPORT, outcome=outcome, receipt=result)
    bookkeeping.drop_approval(tx, row.id)
    bookkeeping.note(tx, ended, outcome=outcome)
    return ended


def abandon(tx: Transaction, /) -> None:
    """What was begun long ago, and of which nobody told, is `unknown`."""
    for row in tx.all(OperationRow):
        begun = row.account == ACCOUNT and state_of(row) is State.CONSUMED
        if begun and tx.now - row.changed_at >= ABANDONED_SECONDS:
            report(tx, row, outcome="unknown", result=None)


def answer(row: OperationRow, /, *, repeated: bool = False, url: str | None = None) -> Acted | Pending | RefusedAnswer:
    """The answer that an action's row stands for. `url` is the approval page's address with the opaque id only."""
    undone = undone_answer(row, url=url)
    if undone is not None:
        return undone
    outcome: ActOutcome = "unknown"
    if row.outcome in {"carried_out", "failed"}:
        outcome = row.outcome  # type: ignore[assignment]  # one of the two
    return Acted(
        operation=row.id,
        outcome=outcome,
        repeated=repeated,
        result=None if row.receipt is None else _parsed(row.receipt),
        message=SENTENCES[outcome],
    )


def _parsed(text: str) -> JsonValue:
    try:
        return _RESULT.validate_json(text)
    except ValidationError:
        raise Tampered("tampered.operation", detail="the stored result does not parse") from None
