"""How rows change together: each function is the inside of one store transaction.

`ceremony.py` says which moves exist; here a move meets its approval, its nonce, its reservation and its journal entry,
so that all of them change or none. No network, no clock but the transaction's, no keys.
Threat: T-009, T-014, T-016, T-099, T-103.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, final

from mcp_wallet_guard import frozen_rows, mandates, partners, reservations
from mcp_wallet_guard.approvals.links import SPENT
from mcp_wallet_guard.ceremony import (
    ENDS,
    OPEN,
    Equal,
    Move,
    advance,
    check_authorized,
    check_confirmed,
    check_proven,
    check_signable,
    is_expired,
    is_retired,
    standing,
    state_of,
)
from mcp_wallet_guard.chains.base import ChainFacts
from mcp_wallet_guard.clearsign.rollups import check_still_counted
from mcp_wallet_guard.clearsign.view import check_decoded
from mcp_wallet_guard.config.settings import Settings
from mcp_wallet_guard.errors import AlreadyUsed, Expired, InvalidInput, PolicyDenied, Refused, Tampered, Unavailable
from mcp_wallet_guard.evidence import (
    EVIDENCE,
    AccountRow,
    ApprovalRow,
    Evidence,
    Facts,
    OperationRow,
    PairingRow,
    ReservationRow,
    State,
    canonical,
)
from mcp_wallet_guard.journal.events import Event, Kind
from mcp_wallet_guard.operations.frozen import effect_hash
from mcp_wallet_guard.operations.intents import Effect, amount_of
from mcp_wallet_guard.policy.engine import Reserved, check_permitted, check_same_revision
from mcp_wallet_guard.proofs import Authorized, Decoded, Permitted, Signable
from mcp_wallet_guard.stores.base import Transaction

FACTS_FRESH_SECONDS: Final = 30

_KIND_AFTER: Final = {state: Kind(f"operation.{state}") for state in State}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FreshClaims:
    """What the node said just before the transaction. `collected_at` is unix seconds."""

    collected_at: int
    chain: ChainFacts


def note(tx: Transaction, row: OperationRow, /, **data: Any) -> None:
    """Journal that `row` now stands as it does."""
    kind = _KIND_AFTER[State(row.state)]
    tx.append(Event(kind=kind, at=tx.now, subject=row.id, data=data))


def account_row(tx: Transaction, account: str, /) -> AccountRow:
    """The nonce queue of an account, as stored or new."""
    return tx.get(AccountRow, account) or AccountRow(account=account, next_nonce=0)


def find_equal(tx: Transaction, /, *, effect: bytes, principal: str) -> tuple[Equal, OperationRow | None]:
    """The operation that an equal call of the same principal meets, the most binding first."""
    found: dict[Equal, OperationRow] = {}
    for row in tx.all(OperationRow):
        if row.effect_hash == effect and row.principal == principal:
            found[standing(row, now=tx.now)] = row
    for equal in (Equal.BLOCKED, Equal.EXECUTE, Equal.JOIN, Equal.REPEAT, Equal.DECLINED):
        if equal in found:
            return equal, found[equal]
    return Equal.NONE, None


def open_count(tx: Transaction, principal: str, /) -> int:
    """How many operations of a principal are open."""
    rows = tx.all(OperationRow)
    return sum(1 for row in rows if row.principal == principal and State(row.state) in OPEN)


def expire(tx: Transaction, /) -> tuple[str, ...]:
    """Close what is open past its time; returns the ids."""
    due = [row for row in tx.all(OperationRow) if State(row.state) in OPEN and is_expired(row, now=tx.now)]
    for row in due:
        close(tx, row, Move.EXPIRE, code="expired")
    return tuple(row.id for row in due)


def sweep(tx: Transaction, /) -> tuple[str, ...]:
    """`expire`, and retire what nothing depends on any more."""
    closed = expire(tx)
    for row in tx.all(OperationRow):
        if is_retired(row, now=tx.now):
            tx.drop(OperationRow, row.id)
            if tx.get(ReservationRow, row.id) is not None:
                tx.drop(ReservationRow, row.id)
            tx.append(Event(kind=Kind.RETIRED, at=tx.now, subject=row.id, data={}))
    for pairing in tx.all(PairingRow):
        if pairing.expires_at <= tx.now:
            tx.drop(PairingRow, pairing.token_hash)
            tx.append(Event(kind=Kind.RETIRED, at=tx.now, data={"pairing": "ended"}))
    return closed


def queue(tx: Transaction, row: OperationRow, /) -> None:
    """Store a proposal that waits for the account's nonce."""
    tx.put(row)
    note(tx, row, principal=row.principal, tool=row.tool, intent=row.intent)


def place_in_queue(
    tx: Transaction, /, *, row: OperationRow, queued: OperationRow | None, principals: frozenset[str]
) -> int | None:
    """The account's next nonce by our own count; None, and the row is queued, while another operation holds it.
    `queued` is the row as it waits already. Raises Refused("blocked.unknown"), RateLimited."""
    check_account(tx, row.account)
    account = account_row(tx, row.account)
    if account.holder in (None, row.id):
        return account.next_nonce
    if queued is None:
        check_authorized(
            principal=row.principal,
            tool=row.tool,
            effect_hash=row.effect_hash,
            principals=principals,
            open_operations=open_count(tx, row.principal),
        )
        queue(tx, row)
    return None


def check_account(tx: Transaction, account: str, /) -> None:
    """Raises Refused("blocked.unknown") while nobody knows whether something that was signed for this account, of the
    chain or at a venue, was sent."""
    if any(State(row.state) in {State.SIGNED, State.UNKNOWN} for row in unsettled(tx, account)):
        raise Refused("blocked.unknown")


def unheld_nonce(tx: Transaction, account: str, /) -> int | None:
    """The account's next nonce by our own count; None while an operation holds it."""
    row = account_row(tx, account)
    return row.next_nonce if row.holder is None else None


def check_nonce(tx: Transaction, account: str, /, *, nonce: int, claimed: int) -> None:
    """Raises Unavailable when `nonce` is further above the node's than what we have on its way: the node lied to us,
    then or now, and what is signed for a later nonce could be kept back and sent another day (Threat: T-039)."""
    if nonce - claimed > len(unsettled(tx, account)):
        raise Unavailable("unavailable.node", detail="the node's nonce went back")


def freeze(
    tx: Transaction, row: OperationRow, approval: ApprovalRow, /, *, before: OperationRow | None
) -> OperationRow:
    """Store a frozen operation with its approval, and let it hold the account's nonce. `before` was queued, or None.

    The row as it stands then: approved already where a mandate answers for its owner."""
    account = account_row(tx, row.account)
    if account.holder not in (None, row.id) or tx.get(OperationRow, row.id) != before:
        raise Unavailable(detail="another operation holds the nonce, or this one moved on meanwhile")
    tx.put(replace(account, holder=row.id))
    ask(tx, row, approval)
    return row if approval.mandate is None else accept(tx, row, approval, mandates.use(approval, now=tx.now))


def ask(tx: Transaction, row: OperationRow, approval: ApprovalRow, /) -> None:
    """Store a frozen operation and the approval that it waits for."""
    tx.put(row)
    tx.put(approval)
    data = {
        "principal": row.principal,
        "tool": row.tool,
        "intent": row.intent,
        "digest": approval.digest.hex(),
        "view_hash": approval.view_hash.hex(),
        "view": row.view,
        "policy_revision": approval.policy_revision,
        "level": approval.level,
    }
    note(tx, row, **data)


def accept(tx: Transaction, row: OperationRow, approval: ApprovalRow, answer: Evidence, /) -> OperationRow:
    """The one approval that `answer` is about gets its evidence."""
    evidence = canonical(EVIDENCE.dump_python((answer,), mode="json"))
    tx.put(replace(approval, evidence=evidence, link_hash=SPENT))
    approved = advance(row, Move.APPROVE, at=tx.now, approved_at=tx.now)
    tx.put(approved)
    note(tx, approved, evidence=answer.model_dump(mode="json"))
    return approved


def close(tx: Transaction, row: OperationRow, move: Move, /, *, code: str) -> OperationRow:
    """Refuse, expire or supersede an open operation: its approval goes, its nonce is free."""
    closed = move_row(tx, row, move, code=code)
    drop_approval(tx, row.id)
    release_nonce(tx, row)
    note(tx, closed, code=code)
    return closed


def close_unmoved(tx: Transaction, row: OperationRow, move: Move, /, *, code: str) -> None:
    """`close`, unless `row` is not what is stored any more: whoever moved it on has answered."""
    if tx.get(OperationRow, row.id) == row:
        close(tx, row, move, code=code)


def row_of(tx: Transaction, operation: str, /) -> OperationRow:
    """The row of an operation. Raises InvalidInput("invalid_input.id") for an unknown id."""
    row = tx.get(OperationRow, operation)
    if row is None:
        raise InvalidInput("invalid_input.id")
    return row


def open_rows(tx: Transaction, operation: str, /) -> tuple[OperationRow, ApprovalRow]:
    """A frozen, undecided operation and its approval.

    Raises as `row_of`, Expired, AlreadyUsed for an answered one.
    """
    row = row_of(tx, operation)
    state = state_of(row)
    if state in {State.EXPIRED, State.SUPERSEDED} or (state in OPEN and is_expired(row, now=tx.now)):
        raise Expired
    if state is not State.FROZEN:
        raise AlreadyUsed
    approval = tx.get(ApprovalRow, operation)
    if approval is None:
        raise Tampered("tampered.row", detail="a frozen operation without its approval")
    return row, approval


def consume(
    tx: Transaction,
    operation_id: str,
    /,
    *,
    principal: str,
    principals: frozenset[str],
    settings: Settings,
    revision: int,
    fresh: FreshClaims,
) -> Signable:
    """Step 7: prove everything again from stored evidence and fresh facts, then use the approval up.

    Raises Refused's kinds, Tampered, Unavailable("unavailable.stale").
    """
    row, consumed, approval = approved_rows(tx, operation_id, principal=principal)
    if not 0 <= tx.now - fresh.collected_at <= FACTS_FRESH_SECONDS:
        raise Unavailable("unavailable.stale")
    operation = frozen_rows.operation_of(row, settings)
    if fresh.chain.nonce > operation.transaction.nonce:
        raise Expired("superseded")
    check_nonce(tx, row.account, nonce=operation.transaction.nonce, claimed=fresh.chain.nonce)
    check_account(tx, row.account)
    check_same_revision(approved=approval.policy_revision, in_force=revision)
    effect = frozen_rows.effect_of(row, settings)
    authorized = check_authorized(
        principal=principal, tool=row.tool, effect_hash=effect_hash(effect), principals=principals, open_operations=0
    )
    decoded = check_decoded(operation, Facts.model_validate_json(row.facts or ""), effect=effect)
    check_still_counted(decoded.view, fresh=fresh.chain.data_fee)
    usable = mandates.usable(tx, settings, tool=row.tool, units=amount_of(effect))
    permitted = check_permitted(
        settings.policy,
        decoded,
        revision=revision,
        facts=fresh.chain,
        reserved=reservations.reserved(tx, settings, operation.transaction.to),
        mandates=tuple(mandate for mandate in usable if mandate.id == approval.mandate),
    )
    if permitted.obligations.mandate != approval.mandate:
        raise PolicyDenied("policy.mandate")
    signable = use_up(
        tx, consumed, approval, authorized=authorized, decoded=decoded, permitted=permitted, principal=principal
    )
    reservations.reserve(tx, row.id, decoded, effect, settings)
    if approval.mandate is not None:
        mandates.draw(tx, settings, approval.mandate, units=amount_of(effect))
    return signable


def use_up(
    tx: Transaction,
    consumed: OperationRow,
    approval: ApprovalRow,
    /,
    *,
    authorized: Authorized,
    decoded: Decoded,
    permitted: Permitted,
    principal: str,
) -> Signable:
    """Use an approval up for the signer's ticket: both or neither. `consumed` is the row as it stands then.

    The only caller of `check_signable`. Raises as it does, and as `check_confirmed` and `check_proven`.
    """
    signable = check_signable(
        authorized=authorized,
        decoded=decoded,
        permitted=permitted,
        confirmed=check_confirmed(decoded, permitted, approval, now=tx.now),
        proven=check_proven(decoded, permitted, approval),
        principal=principal,
    )
    partners.note(tx, decoded.operation, decoded.view)
    record_use(tx, consumed, approval, permitted)
    return signable


def record_use(tx: Transaction, consumed: OperationRow, approval: ApprovalRow, permitted: Permitted, /) -> None:
    """Write down that the approval of what is `permitted` is used up. `consumed` is the row as it stands then."""
    tx.put(consumed)
    tx.put(replace(approval, consumed_at=tx.now))
    note(tx, consumed, digest=permitted.operation_digest.hex(), policy_revision=permitted.policy_revision)


def burn(tx: Transaction, row: OperationRow, /, *, outcome: str) -> OperationRow:
    """No signature came, or none that verifies: the approval is gone, and nothing left the process."""
    burned = move_row(tx, row, Move.BURN, outcome=outcome)
    drop_approval(tx, row.id)
    note(tx, burned, outcome=outcome)
    return burned


def approved_rows(
    tx: Transaction, operation_id: str, /, *, principal: str
) -> tuple[OperationRow, OperationRow, ApprovalRow]:
    """An approved operation as it is, as it is once its approval is consumed, and the approval; the whole store and the
    operation's own history are verified first. Raises Refused's kinds, InvalidInput, Tampered."""
    tx.check_live()
    row = tx.get(OperationRow, operation_id)
    if row is None or row.principal != principal:
        raise InvalidInput("invalid_input.id")
    entries = tx.entries(row.id)
    if not entries or "intent" not in entries[0].fields["data"]:
        raise Tampered("tampered.journal", detail="the operation's first entry is missing")
    tx.check_entries(entries[0].index)
    if state_of(row) is State.APPROVED and is_expired(row, now=tx.now):
        raise Expired
    consumed = advance(row, Move.CONSUME, at=tx.now)
    approval = tx.get(ApprovalRow, operation_id)
    if approval is None or approval.principal != principal or row.facts is None:
        raise Tampered("tampered.row", detail="an approved operation without its approval")
    return row, consumed, approval


def held(tx: Transaction, settings: Settings, effect: Effect, /, *, nonce: int, fresh: ChainFacts) -> Reserved:
    """What is reserved, once `nonce` is one that the node's claims can stand by, and no limit over time is in the way.
    Raises as `check_nonce`, and OverBudget("over_budget")."""
    check_nonce(tx, settings.account.id, nonce=nonce, claimed=fresh.nonce)
    reservations.check_limits(tx, effect, settings)
    return reservations.reserved(tx, settings, effect.to)


def unsettled(tx: Transaction, account: str, /) -> tuple[OperationRow, ...]:
    """Operations of an account that are past their consume and that the chain has not decided."""
    past = frozenset(State) - OPEN - ENDS
    return tuple(row for row in tx.all(OperationRow) if row.account == account and State(row.state) in past)


def move_row(tx: Transaction, row: OperationRow, move: Move, /, **changes: object) -> OperationRow:
    """Move and store `row`. Raises Unavailable when it is not what is stored any more: the caller must look again,
    since what it was about to write would undo what happened meanwhile."""
    if tx.get(OperationRow, row.id) != row:
        raise Unavailable(detail="the operation moved on meanwhile")
    moved = advance(row, move, at=tx.now, **changes)
    tx.put(moved)
    return moved


def drop_approval(tx: Transaction, operation: str, /) -> None:
    """Without its approval an operation can never be signed."""
    if tx.get(ApprovalRow, operation) is not None:
        tx.drop(ApprovalRow, operation)


def release_nonce(tx: Transaction, row: OperationRow, /) -> None:
    """The account's next nonce is free, if it was this operation's."""
    account = account_row(tx, row.account)
    if account.holder == row.id:
        tx.put(replace(account, holder=None))
