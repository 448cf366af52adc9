"""Steps 7 to 10: consume, sign, verify, store, send; and afterwards, what became of it.

The order is the guarantee. The approval is consumed and the anchor moved before the signer is asked; the verified bytes
are stored, and the anchor moved again, before they are sent: a store that is put back to before either is found out.
Stored bytes are sent again identically, never signed again. After the signature nothing is refused.
Threat: T-009, T-072, T-092, T-100.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import replace
from typing import Final, final

import anyio

from mcp_wallet_guard import bookkeeping, frozen_rows, outcomes, reservations
from mcp_wallet_guard.answers import Withheld
from mcp_wallet_guard.ceremony import Move, state_of
from mcp_wallet_guard.chains.base import Settlement
from mcp_wallet_guard.custody import Custody
from mcp_wallet_guard.errors import (
    Expired,
    GuardError,
    OverBudget,
    PolicyDenied,
    Refused,
    Tampered,
    Unavailable,
)
from mcp_wallet_guard.evidence import OperationRow, State, canonical
from mcp_wallet_guard.exchange import Receipt, SignatureReceipt, WithdrawalReceipt
from mcp_wallet_guard.filters.outbound import check_released
from mcp_wallet_guard.journal.events import Event, Kind
from mcp_wallet_guard.operations.intents import amount_of, payee_of
from mcp_wallet_guard.operations.values import Amount, BaseUnits
from mcp_wallet_guard.proofs import Signable, Signed
from mcp_wallet_guard.session import Session
from mcp_wallet_guard.signers.check import check_signature, check_stored
from mcp_wallet_guard.stores.base import Transaction

SETTLE_SECONDS: Final = 3.0
RESEND_SECONDS: Final = 60
"""How long a sent transaction may be missing from the chain before the same bytes are sent once more, or before its
used nonce is taken to mean that another one replaced it: nodes behind one address do not know the same at once."""
_POLL_SECONDS: Final = 0.2


@final
class Executor:
    """Signs and sends what is approved. Its methods run under the guard's account lock, one at a time."""

    def __init__(self, custody: Custody, /, *, principals: frozenset[str]) -> None:
        self._custody: Final = custody
        self._principals: Final = principals
        self.settle_seconds = SETTLE_SECONDS
        self._asked_at: dict[str, int] = {}

    async def execute(self, row: OperationRow, /, *, principal: str) -> OperationRow:
        """Run an approved operation to the end that can be reached now. The consume reads its row again, and decides by
        what is stored then.

        Raises Refused's kinds, Tampered or Unavailable while nothing is signed; once the bytes are stored it returns
        the row. A cancelled caller stops it before the consume or after the broadcast, not in between (T-100).
        """
        session = self._custody.session()
        fresh = await self._fresh_claims(session, row)
        with anyio.CancelScope(shield=True):
            async with self._custody.undisturbed(session):
                row, signed = await self._consume_and_sign(session, row, principal, fresh)
            if signed is not None:
                row = await self._send(session, row, signed)
        return await self._await_settlement(row)

    async def settle_rows(self, rows: tuple[OperationRow, ...], /) -> None:
        """Ask the chain about rows past their consume. A node that does not answer changes nothing."""
        for row in rows:
            try:
                await self._settle_once(row)
            except Unavailable:
                return

    async def settle_due(self) -> None:
        """Ask about what is on its way: often at first, and up to a minute apart for what takes long."""
        with suppress(Refused):  # spending is blocked, nothing is in force, or the vault locked itself meanwhile
            now, rows = self._custody.clock.now(), await self._unsettled()
            due = [row for row in rows if now - self._asked_at.get(row.id, 0) >= _pause(now - row.changed_at)]
            self._asked_at = {row.id: self._asked_at.get(row.id, 0) for row in rows} | {row.id: now for row in due}
            await self.settle_rows(tuple(due))

    async def resume(self) -> None:
        """After an unlock: burn what a crash cut off before its bytes were stored."""
        for row in await self._unsettled():
            if state_of(row) is State.CONSUMED:
                await self._burn(row)

    async def settle(self, operation: str, /) -> OperationRow:
        """The row after asking the chain once. Bytes that the chain does not have are sent again, identically."""
        return await self._settle_if_reachable(await self._row(operation))

    async def _unsettled(self) -> tuple[OperationRow, ...]:
        account = self._custody.session().settings.account.id
        return await self._custody.transact(lambda tx: bookkeeping.unsettled(tx, account))

    async def _settle_if_reachable(self, row: OperationRow) -> OperationRow:
        try:
            return await self._settle_once(row)
        except Unavailable:
            return row

    async def _burn(self, row: OperationRow) -> OperationRow:
        return await self._custody.transact(lambda tx: outcomes.burn(tx, row))

    async def _settle_once(self, row: OperationRow) -> OperationRow:
        state = state_of(row)
        if state is State.CONSUMED:
            return await self._burn(row)
        session = self._custody.session()
        if state not in {State.SIGNED, State.SENT, State.UNKNOWN} or row.account != session.settings.account.id:
            return row
        return await self._settle(session, row, state)

    async def _settle(self, session: Session, row: OperationRow, state: State) -> OperationRow:
        if row.signed_bytes is None or row.transaction_hash is None:
            return await self._settle_unsigned(session, row)
        settlement = await session.chain.settlement(row.transaction_hash)
        if settlement is not None:
            return await self._record_settlement(session, row, settlement)
        operation = frozen_rows.operation_of(row, session.settings)
        waited = self._custody.clock.now() - row.changed_at >= RESEND_SECONDS
        if await session.chain.transaction_count(operation.account.address) > operation.transaction.nonce:
            # The nonce is used and this transaction is not it, unless it was mined between the two questions.
            settlement = await session.chain.settlement(row.transaction_hash)
            if settlement is not None:
                return await self._record_settlement(session, row, settlement)
            return await self._settled(row, "replaced", row.receipt) if waited else row
        if state is not State.SENT:
            return await self._send(session, row, _stored(session, row))
        if waited:
            # A node may forget what it took. It is the same transaction, so sending it again cannot pay twice.
            await _is_sent(session, _stored(session, row))
        return row

    async def _settle_unsigned(self, session: Session, row: OperationRow) -> OperationRow:
        """An invalid signature holds its nonce until the chain has gone past it."""
        account = session.settings.account.address
        if row.nonce is not None and await session.chain.transaction_count(account) > row.nonce:
            return await self._settled(row, "replaced", None)
        return row

    async def _fresh_claims(self, session: Session, row: OperationRow) -> bookkeeping.FreshClaims:
        settings = session.settings
        effect = frozen_rows.effect_of(row, settings)
        claims = await session.chain.facts(
            account=settings.account.address, payee=payee_of(effect), token=settings.token_at(effect.to)
        )
        data_fee = await session.chain.data_fee(frozen_rows.operation_of(row, settings).transaction)
        claims = replace(claims, data_fee=data_fee)
        return bookkeeping.FreshClaims(collected_at=self._custody.clock.now(), chain=claims)

    async def _consume_and_sign(
        self, session: Session, row: OperationRow, principal: str, fresh: bookkeeping.FreshClaims
    ) -> tuple[OperationRow, Signed | None]:
        """The row and the verified signature; None when there is none, and the row says how it ended."""
        signable, consumed = await self._consume(session, row, principal, fresh)
        signed = await self._sign(session, consumed, signable)
        if signed is None:
            return await self._row(row.id), None
        row = await self._custody.transact_anchored(lambda tx: outcomes.record_signed(tx, consumed, signed))
        return row, signed

    async def _consume(
        self, session: Session, row: OperationRow, principal: str, fresh: bookkeeping.FreshClaims
    ) -> tuple[Signable, OperationRow]:
        def work(tx: Transaction) -> tuple[Signable, OperationRow]:
            signable = bookkeeping.consume(
                tx,
                row.id,
                principal=principal,
                principals=self._principals,
                settings=session.settings,
                revision=session.revision,
                fresh=fresh,
            )
            return signable, bookkeeping.row_of(tx, row.id)

        try:
            return await self._custody.transact_anchored(work)
        except Expired as error:
            move = Move.SUPERSEDE if error.code == "superseded" else Move.EXPIRE
            await self._close(row, move, error.code)
            raise
        except (PolicyDenied, OverBudget) as error:
            await self._close(row, Move.REFUSE, error.code)
            raise

    async def _close(self, row: OperationRow, move: Move, code: str) -> None:
        """Close what may not be signed."""
        await self._custody.transact(lambda tx: bookkeeping.close_unmoved(tx, row, move, code=code))

    async def _sign(self, session: Session, row: OperationRow, signable: Signable) -> Signed | None:
        """The verified signature, or None when there is none: the row says how it ended then."""
        address = session.settings.account.address
        try:
            signature = await session.signer.sign(signable)
        except Exception:  # noqa: BLE001  # nothing came back, so nothing can be sent: the person is told
            await self._burn(row)
            return None
        try:
            return check_signature(signable, signature, address=address)
        except Tampered as error:
            code = error.code
            await self._custody.transact(lambda tx: outcomes.lose_signature(tx, row, code=code))
            return None

    async def _send(self, session: Session, row: OperationRow, signed: Signed) -> OperationRow:
        """Broadcast stored bytes. Nothing is refused here: what fails leaves a row that the chain will settle."""
        try:
            receipt = await release(self._custody, _receipt(session, row, None))
            if await _is_sent(session, signed):
                return await self._custody.transact(lambda tx: outcomes.record_sent(tx, row, receipt=receipt))
            if state_of(row) is not State.UNKNOWN:
                return await self._custody.transact(lambda tx: outcomes.record_unknown(tx, row))
        except GuardError:
            pass
        return row

    async def _await_settlement(self, row: OperationRow) -> OperationRow:
        """Look for the receipt for a few seconds, so that most callers get it with the first answer."""
        with anyio.move_on_after(self.settle_seconds):
            try:
                if state_of(row) is State.SENT:
                    row = await self._settle_if_reachable(row)
                while state_of(row) is State.SENT:
                    await anyio.sleep(_POLL_SECONDS)
                    row = await self.settle(row.id)
            except GuardError:
                pass
        return row

    async def _record_settlement(self, session: Session, row: OperationRow, settlement: Settlement) -> OperationRow:
        receipt = await release(self._custody, _receipt(session, row, settlement))
        return await self._settled(row, settlement.outcome, receipt)

    async def _settled(self, row: OperationRow, outcome: str, receipt: str | None) -> OperationRow:
        return await self._custody.transact(
            lambda tx: outcomes.record_settled(tx, row, outcome=outcome, receipt=receipt)
        )

    async def _row(self, operation: str) -> OperationRow:
        return await self._custody.transact(lambda tx: bookkeeping.row_of(tx, operation))


async def release(
    custody: Custody,
    receipt: Receipt | SignatureReceipt | WithdrawalReceipt,
    /,
    *,
    returned: SignatureReceipt | None = None,
) -> str:
    """Step 9: the receipt's allow-listed fields through the filter, as its row keeps them; `returned` as for
    `check_released`. A hit is journalled and leaves its id alone."""
    try:
        payload = receipt.model_dump(mode="json")
        released = check_released(payload, fingerprints=custody.fingerprints, returned=returned)
    except Tampered:
        return canonical(Withheld(incident=await note_incident(custody, receipt.operation)))
    return canonical(released.payload)


async def note_incident(custody: Custody, operation: str, /) -> str:
    """Journal that the outbound filter held something of `operation` back; the incident's id."""
    incident = secrets.token_hex(8)
    event = Event(kind=Kind.INCIDENT, at=custody.clock.now(), subject=operation, data={"incident": incident})
    await custody.transact(lambda tx: tx.append(event))
    return incident


def _pause(age: int) -> int:
    return min(RESEND_SECONDS, age // 10)


async def _is_sent(session: Session, signed: Signed) -> bool:
    """Whether the node took the bytes. False says that nobody knows."""
    try:
        await session.chain.broadcast(signed)
    except Exception:  # noqa: BLE001  # also a connection that a lock closed under it: it may have been sent
        return False
    return True


def _stored(session: Session, row: OperationRow) -> Signed:
    """Verified bytes from the store, verified again. Raises Tampered."""
    operation = frozen_rows.operation_of(row, session.settings)
    signed = check_stored(operation, row.signed_bytes or b"", address=session.settings.account.address)
    if signed.transaction_hash != row.transaction_hash:
        raise Tampered("tampered.operation", detail="stored bytes are not what was verified")
    return signed


def _receipt(session: Session, row: OperationRow, settlement: Settlement | None) -> Receipt:
    settings = session.settings
    effect, native = frozen_rows.effect_of(row, settings), settings.native
    asset = reservations.asset_of(effect, settings)
    fee = None if settlement is None else Amount.from_base_units(BaseUnits(settlement.fee), native).text
    return Receipt(
        operation=row.id,
        chain=row.account.rpartition(":")[0],
        account=settings.account.address.value,
        to=payee_of(effect).value,
        amount=Amount.from_base_units(BaseUnits(amount_of(effect)), asset).text,
        symbol=asset.symbol,
        transaction_hash="0x" + (row.transaction_hash or b"").hex(),
        block_number=None if settlement is None else settlement.block_number,
        fee=fee,
    )
