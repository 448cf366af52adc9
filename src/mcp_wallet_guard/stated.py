"""Statements through the store: asked, approved, used up, signed and given out again. The inside of its transactions.

The approval is consumed before the signer is asked, and the signature is stored before anybody gets it. What is cut off
in between is burned: nothing left the process. Threat: T-009, T-013, T-018, T-028.
"""

from __future__ import annotations

from typing import Final

from pydantic import TypeAdapter

from mcp_wallet_guard import bookkeeping, frozen_rows, reservations, strict_json
from mcp_wallet_guard.answers import SENTENCES as TOLD
from mcp_wallet_guard.answers import Withheld, undone_answer
from mcp_wallet_guard.ceremony import Move, check_authorized, state_of
from mcp_wallet_guard.clearsign.view import check_decoded
from mcp_wallet_guard.config.settings import Settings
from mcp_wallet_guard.errors import InvalidInput, Tampered
from mcp_wallet_guard.evidence import PAYLOAD, OperationRow, State, StatementFacts
from mcp_wallet_guard.exchange import Done, Pending, RefusedAnswer, SignatureReceipt
from mcp_wallet_guard.operations import typed_data
from mcp_wallet_guard.operations.authorizations import parse_authorization
from mcp_wallet_guard.operations.frozen import FrozenOperation
from mcp_wallet_guard.operations.hashes import Bytes32, Signature
from mcp_wallet_guard.operations.intents import from_json
from mcp_wallet_guard.operations.statements import (
    KIND_AUTHORIZATION,
    KIND_TYPED_DATA,
    Statement,
    StatementEffect,
    statement_hash,
)
from mcp_wallet_guard.policy.engine import Reserved, check_permitted, check_same_revision
from mcp_wallet_guard.proofs import Signable, Signed
from mcp_wallet_guard.stores.base import Transaction

ACCOUNT: Final = "statements"
"""What stands where a payment has its account: no nonce is held, and no chain settles it."""

SENTENCES: Final[dict[str, str]] = {
    "signed": "The owner approved it, and it was signed. Whoever has the signature can use it.",
    "burned": "The approval was used up by an interruption, and no signature was given out. Ask again.",
    "signed_but_invalid": "The signer returned an invalid signature, which was thrown away. The owner must look at it.",
}
"""Every sentence about a statement whose approval was used up. Before that they are those of `answers`."""

_KEPT: Final[TypeAdapter[SignatureReceipt | Withheld]] = TypeAdapter(SignatureReceipt | Withheld, config=PAYLOAD)


def operation_of(row: OperationRow, settings: Settings, /) -> tuple[FrozenOperation, StatementEffect]:
    """The frozen statement that a row keeps, compared with the row's own columns. Raises Tampered."""
    if row.unsigned_bytes is None or row.account != ACCOUNT:
        raise Tampered("tampered.operation", detail="not a statement")
    try:
        intent = from_json(strict_json.loads(row.intent.encode()))
    except InvalidInput:
        raise Tampered("tampered.operation", detail="the intent does not parse") from None
    if not isinstance(intent, Statement):
        raise Tampered("tampered.operation", detail="not a statement")
    effect = settings.stated(intent)
    operation = frozen_rows.restored(row, settings, kind=effect.kind)
    if statement_hash(effect) != row.effect_hash:
        raise Tampered("tampered.operation", detail=frozen_rows.DISAGREES)
    return operation, effect


def consume(
    tx: Transaction,
    operation_id: str,
    /,
    *,
    principal: str,
    principals: frozenset[str],
    settings: Settings,
    revision: int,
) -> tuple[Signable, OperationRow]:
    """Step 7 of a statement: prove everything again from stored evidence, count it, and use the approval up; the
    signer's ticket, and the row as it stands then. Raises Refused's kinds, Tampered."""
    row, consumed, approval = bookkeeping.approved_rows(tx, operation_id, principal=principal)
    operation, effect = operation_of(row, settings)
    check_same_revision(approved=approval.policy_revision, in_force=revision)
    authorized = check_authorized(
        principal=principal,
        tool=row.tool,
        effect_hash=row.effect_hash,
        principals=principals,
        open_operations=0,
    )
    decoded = check_decoded(operation, StatementFacts.model_validate_json(row.facts or ""), effect=effect)
    permitted = check_permitted(settings.policy, decoded, revision=revision, facts=None, reserved=Reserved())
    signable = bookkeeping.use_up(
        tx,
        consumed,
        approval,
        authorized=authorized,
        decoded=decoded,
        permitted=permitted,
        principal=principal,
    )
    reservations.count_statement(tx, effect, settings)
    return signable, consumed


def record(tx: Transaction, row: OperationRow, signed: Signed, /, *, receipt: str) -> OperationRow:
    """Step 8: store the verified signature before anybody gets it. `receipt` passed the outbound filter; the journal
    names the hash that was signed, and keeps no signature that somebody could use."""
    stored = bookkeeping.move_row(
        tx, row, Move.SIGN, signed_bytes=signed.signed_bytes, transaction_hash=signed.transaction_hash
    )
    bookkeeping.note(tx, stored, signing_hash=signed.transaction_hash.hex())
    settled = bookkeeping.move_row(tx, stored, Move.SETTLE, outcome="signed", receipt=receipt)
    bookkeeping.drop_approval(tx, row.id)
    bookkeeping.note(tx, settled, outcome="signed")
    return settled


def abandon(tx: Transaction, /) -> None:
    """Burn what a crash cut off before its signature was stored. The caller is the only one who signs now."""
    for row in tx.all(OperationRow):
        if row.account == ACCOUNT and state_of(row) is State.CONSUMED:
            bookkeeping.burn(tx, row, outcome="burned")


def receipt_of(row: OperationRow, signed: Signed, /) -> SignatureReceipt:
    """What the verified signature is given out with, all of it from the frozen bytes."""
    operation = signed.operation
    account, kind = operation.account, operation.kind
    receipt = SignatureReceipt(
        operation=row.id,
        chain=str(account.chain),
        account=account.address.value,
        kind=kind,  # type: ignore[arg-type]  # pydantic refuses another one
        signature=Signature.from_bytes(signed.signed_bytes),
        signing=Bytes32.from_bytes(signed.transaction_hash),
    )
    if kind == KIND_TYPED_DATA:
        typed = typed_data.parse_typed_data(operation.unsigned_bytes)
        domain, message = typed_data.domain_separator(typed), typed_data.message_hash(typed)
        more = {"domain": Bytes32.from_bytes(domain), "message": Bytes32.from_bytes(message)}
        return receipt.model_copy(update=more)
    if kind == KIND_AUTHORIZATION:
        found = parse_authorization(operation.unsigned_bytes)
        return receipt.model_copy(update={"delegate": found.delegate.value, "nonce": str(found.nonce)})
    return receipt


def answer(row: OperationRow, /, *, repeated: bool = False, url: str | None = None) -> Done | Pending | RefusedAnswer:
    """The answer that a statement's row stands for. `url` is the approval page's address with the opaque id only."""
    undone = undone_answer(row, url=url)
    if undone is not None:
        return undone
    if row.outcome is None:  # the signer is at work, or was cut off
        return Pending(operation=row.id, approved=True, expires_at=row.expires_at, message=TOLD["approved"])
    told = SENTENCES[row.outcome]
    kept = None if row.receipt is None else _KEPT.validate_json(row.receipt)
    if isinstance(kept, Withheld):
        told = f"{told} {TOLD['withheld']}"
    return Done(
        operation=row.id,
        outcome=row.outcome,  # type: ignore[arg-type]  # one of SENTENCES
        repeated=repeated,
        signed=kept if isinstance(kept, SignatureReceipt) else None,
        incident=kept.incident if isinstance(kept, Withheld) else None,
        message=told,
    )
