"""What is frozen, as the columns of stored rows: written with the question about it, read back, and compared with the
bytes."""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard import strict_json
from mcp_wallet_guard.ceremony import Move, advance
from mcp_wallet_guard.config.settings import Settings
from mcp_wallet_guard.errors import Tampered
from mcp_wallet_guard.evidence import ApprovalRow, FrozenFacts, OperationRow, canonical
from mcp_wallet_guard.operations.frozen import KIND_EIP1559, FrozenOperation, effect_hash
from mcp_wallet_guard.operations.intents import Effect, Spend, from_json
from mcp_wallet_guard.proofs import Decoded, Permitted

DISAGREES: Final = "the row's columns disagree with its bytes"


def frozen_row(
    row: OperationRow,
    decoded: Decoded,
    /,
    *,
    facts: FrozenFacts | None,
    nonce: int,
    revision: int,
    at: int,
) -> OperationRow:
    """The proposed `row` with what was frozen for it and what its view shows. `at` is unix seconds. Raises as
    `advance`."""
    operation = decoded.operation
    return advance(
        row,
        Move.FREEZE,
        at=at,
        expires_at=operation.expires_at,
        nonce=nonce,
        unsigned_bytes=operation.unsigned_bytes,
        digest=operation.digest,
        view=canonical(decoded.view),
        view_hash=decoded.view_hash,
        facts=canonical(facts),
        policy_revision=revision,
    )


def approval_for(frozen: OperationRow, permitted: Permitted, /, *, link_hash: bytes, match_salt: bytes) -> ApprovalRow:
    """The question about a frozen row: what was permitted is what a person, or a mandate, is asked for."""
    return ApprovalRow(
        operation=frozen.id,
        digest=permitted.operation_digest,
        view_hash=permitted.view_hash,
        policy_revision=permitted.policy_revision,
        principal=frozen.principal,
        expires_at=frozen.expires_at,
        level=int(permitted.obligations.level),
        approvers=permitted.obligations.approvers,
        link_hash=link_hash,
        match_salt=match_salt,
        mandate=permitted.obligations.mandate,
    )


def operation_of(row: OperationRow, settings: Settings, /) -> FrozenOperation:
    """The frozen payment that a row keeps, compared with the row's own columns. Raises Tampered."""
    if row.unsigned_bytes is None or row.account != settings.account.id:
        raise Tampered("tampered.operation", detail="no frozen bytes, or another account")
    operation = restored(row, settings, kind=KIND_EIP1559)
    if operation.transaction.nonce != row.nonce:
        raise Tampered("tampered.operation", detail=DISAGREES)
    return operation


def effect_of(row: OperationRow, settings: Settings, /) -> Effect:
    """The effect of the row's intent. Raises Tampered when it is not the one that the row's hash names."""
    intent = from_json(strict_json.loads(row.intent.encode()))
    if not isinstance(intent, Spend):
        raise Tampered("tampered.operation", detail="not a payment")
    effect = settings.effect(intent)
    if effect_hash(effect) != row.effect_hash:
        raise Tampered("tampered.operation", detail="the intent is not the one that was hashed")
    return effect


def restored(row: OperationRow, settings: Settings, /, *, kind: str) -> FrozenOperation:
    """The row's bytes as an operation of `kind`. Raises Tampered when the row's digest names another one."""
    operation = FrozenOperation(
        kind=kind,
        account=settings.account,
        unsigned_bytes=row.unsigned_bytes or b"",
        effect_hash=row.effect_hash,
        expires_at=row.expires_at,
    )
    if operation.digest != row.digest:
        raise Tampered("tampered.operation", detail=DISAGREES)
    return operation
