"""What becomes of a used-up approval: each function is the inside of one store transaction.

From the consume on nothing is refused. It ends signed and sent, burned, lost or settled, and each end is written down
with what it frees: the approval, the nonce, the reservation. Threat: T-009, T-016, T-100.
"""

from __future__ import annotations

from dataclasses import replace

from mcp_wallet_guard import bookkeeping, reservations
from mcp_wallet_guard.ceremony import Move
from mcp_wallet_guard.evidence import OperationRow
from mcp_wallet_guard.proofs import Signed
from mcp_wallet_guard.stores.base import Transaction


def burn(tx: Transaction, row: OperationRow, /) -> OperationRow:
    """`bookkeeping.burn`, after a crash or refusal between consume and stored bytes; what was held is free."""
    burned = bookkeeping.burn(tx, row, outcome="burned")
    reservations.finish(tx, row.id)
    bookkeeping.release_nonce(tx, row)
    return burned


def lose_signature(tx: Transaction, row: OperationRow, /, *, code: str) -> OperationRow:
    """The signer returned something that does not verify: no broadcast, nonce and budget stay held."""
    lost = bookkeeping.move_row(tx, row, Move.LOSE, outcome="signed_but_invalid")
    bookkeeping.drop_approval(tx, row.id)
    bookkeeping.note(tx, lost, outcome="signed_but_invalid", code=code)
    return lost


def record_signed(tx: Transaction, row: OperationRow, signed: Signed, /) -> OperationRow:
    """Step 8: store the verified bytes before anybody sends them; the nonce is used from here on."""
    stored = bookkeeping.move_row(
        tx, row, Move.SIGN, signed_bytes=signed.signed_bytes, transaction_hash=signed.transaction_hash
    )
    bookkeeping.drop_approval(tx, row.id)
    account = bookkeeping.account_row(tx, row.account)
    nonce = signed.operation.transaction.nonce
    tx.put(replace(account, holder=None, next_nonce=max(account.next_nonce, nonce + 1)))
    bookkeeping.note(tx, stored, transaction_hash=signed.transaction_hash.hex())
    return stored


def record_sent(tx: Transaction, row: OperationRow, /, *, receipt: str | None) -> OperationRow:
    """The node took the bytes, or must be assumed to have. `receipt` passed the outbound filter."""
    sent = bookkeeping.move_row(tx, row, Move.SEND, outcome=None, receipt=receipt)
    bookkeeping.note(tx, sent, receipt=receipt)
    return sent


def record_unknown(tx: Transaction, row: OperationRow, /) -> OperationRow:
    """The node did not say whether it took the bytes."""
    unknown = bookkeeping.move_row(tx, row, Move.LOSE, outcome="unknown")
    bookkeeping.note(tx, unknown, outcome="unknown")
    return unknown


def record_settled(tx: Transaction, row: OperationRow, /, *, outcome: str, receipt: str | None) -> OperationRow:
    """The chain decided."""
    settled = bookkeeping.move_row(tx, row, Move.SETTLE, outcome=outcome, receipt=receipt)
    reservations.finish(tx, row.id)
    bookkeeping.release_nonce(tx, row)
    bookkeeping.note(tx, settled, outcome=outcome, receipt=receipt)
    return settled
