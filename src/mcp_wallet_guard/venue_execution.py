"""The executor of withdrawals: what is known of one beforehand, its one sending, and afterwards what became of it.

The order is the guarantee. The approval is consumed and the anchor moved before the venue's key signs; the exact string
is stored, and the anchor moved again, before it is sent, once. An unclear end is asked about by its order id, at the
next call, when its outcome is asked, and every few seconds. Threat: T-009, T-057, T-061, T-092, T-100.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Final, final

import anyio

from mcp_wallet_guard import bookkeeping, withdrawals
from mcp_wallet_guard.ceremony import Move, state_of
from mcp_wallet_guard.clearsign.withdrawals import minus
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
from mcp_wallet_guard.evidence import OperationRow, State, VenueFacts
from mcp_wallet_guard.exchange import WithdrawalReceipt
from mcp_wallet_guard.execution import release
from mcp_wallet_guard.operations.requests import request_of
from mcp_wallet_guard.operations.values import Amount
from mcp_wallet_guard.operations.withdrawals import ExchangeWithdrawal
from mcp_wallet_guard.policy.withdrawals import check_fee, check_withdrawal
from mcp_wallet_guard.proofs import Sendable
from mcp_wallet_guard.session import Session
from mcp_wallet_guard.stores.base import Transaction
from mcp_wallet_guard.venues.base import Credential, Found, SignedRequest

ASK_SECONDS: Final = 60
"""The longest pause between two questions about what has no end yet."""


@final
class VenueExecutor:
    """Its methods run one at a time, under the lock of `Withdrawals`."""

    def __init__(self, custody: Custody, /, *, principals: frozenset[str]) -> None:
        self._custody: Final = custody
        self._principals: Final = principals
        self._asked_at: dict[str, int] = {}

    async def facts(
        self, session: Session, withdrawal: ExchangeWithdrawal, /, *, shown: VenueFacts | None
    ) -> VenueFacts:
        """What the settings say, and the venue where they say that it is asked. `shown` is what the owner saw.

        Raises PolicyDenied("policy.venue_fee", "policy.venue_memo"), Refused for the key, Unavailable.
        """
        _, rule, destination = check_withdrawal(session.settings.venues, withdrawal)
        now = self._custody.clock.now()
        listed: bool | None = None
        credential = session.vault.credential(withdrawal.venue, now=now)
        try:
            if rule.fee is not None:
                fee = Amount(rule.text(rule.fee))
            else:
                claims = await session.venues[withdrawal.venue].claims(withdrawal, credential, now=now)
                fee, listed = claims.fee, claims.listed
                if not claims.open or rule.units(withdrawal.amount) < rule.units(claims.least):
                    raise PolicyDenied(
                        "policy.venue_fee", detail="the venue sends nothing, or not so little, out there"
                    )
                if claims.needs_memo and withdrawal.memo is None:
                    raise PolicyDenied("policy.venue_memo")
        finally:
            credential.wipe()
        check_fee(rule, withdrawal.amount, fee, shown=None if shown is None else shown.fee)
        if shown is not None and shown.listed is True and listed is False:
            raise PolicyDenied("policy.venue_address", detail="the venue took the address out of its book")
        return VenueFacts(
            collected_at=now,
            destination=destination.name,
            form=rule.form,
            memo_rule=rule.memo,
            fee=fee,
            fee_source="settings" if rule.fee is not None else "venue",
            listed=listed,
        )

    async def execute(self, session: Session, row: OperationRow, /, *, principal: str) -> OperationRow:
        """Use the approval up, and send the approved string once. Raises Refused's kinds, Tampered or Unavailable while
        nothing is signed; once the string is stored it returns the row."""
        _, withdrawal, shown = withdrawals.withdrawal_of(row, session.settings)
        try:
            await self.facts(session, withdrawal, shown=shown)
        except PolicyDenied as error:
            await self._close(row, error.code)
            raise
        credential = session.vault.credential(withdrawal.venue, now=self._custody.clock.now())
        try:
            with anyio.CancelScope(shield=True):
                async with self._custody.undisturbed(session):
                    row, signed = await self._consume_and_sign(session, row, principal, credential)
                if signed is not None:
                    row = await self._send(session, row, signed, credential)
        finally:
            credential.wipe()
        return row

    async def settle_rows(self, rows: tuple[OperationRow, ...], /) -> None:
        """Ask the venues about rows past their consume."""
        for row in rows:
            await self.settle(row)

    async def settle_due(self) -> None:
        """Ask about what has no end yet: often at first, and up to a minute apart for what takes long."""
        now, rows = self._custody.clock.now(), await self._custody.transact(withdrawals.open_ends)
        known = {row.id: self._asked_at.get(row.id, 0) for row in rows}
        due = [row for row in rows if now - known[row.id] >= min(ASK_SECONDS, (now - row.changed_at) // 10)]
        self._asked_at = known | {row.id: now for row in due}
        await self.settle_rows(tuple(due))

    async def resume(self) -> None:
        """After an unlock: burn what a crash cut off before its string was stored. The rest is asked about later."""
        for row in await self._custody.transact(withdrawals.open_ends):
            if state_of(row) is State.CONSUMED:
                await self._burn(row)

    async def _consume_and_sign(
        self, session: Session, row: OperationRow, principal: str, credential: Credential
    ) -> tuple[OperationRow, SignedRequest | None]:
        def work(tx: Transaction) -> tuple[Sendable, OperationRow]:
            sendable = withdrawals.consume(
                tx,
                row.id,
                principal=principal,
                principals=self._principals,
                settings=session.settings,
                revision=session.revision,
            )
            return sendable, bookkeeping.row_of(tx, row.id)

        try:
            sendable, consumed = await self._custody.transact_anchored(work)
        except (Expired, PolicyDenied, OverBudget) as error:
            await self._close(row, error.code)
            raise
        try:
            signed = session.venues[row.account.partition(":")[2]].sign(sendable, credential)
            if signed.text != sendable.text:
                raise Tampered("tampered.signature")
        except Exception:  # noqa: BLE001  # nothing came back that was approved, so nothing is sent
            return await self._burn(consumed), None
        stored = await self._custody.transact_anchored(lambda tx: withdrawals.record_signed(tx, consumed, signed.text))
        return stored, signed

    async def _send(
        self, session: Session, row: OperationRow, signed: SignedRequest, credential: Credential
    ) -> OperationRow:
        """Send a stored request, once. Nothing is refused here: what is unclear is asked about."""
        try:
            found = await session.venues[signed.request.venue].send(signed, credential)
        except Exception:  # noqa: BLE001  # also a connection that a lock closed under it: it may have been sent
            found = None
        with suppress(GuardError):  # locked meanwhile: what is stored says enough, and is asked about later
            if found is not None:
                return await self._record(session, row, found)
            row = await self._custody.transact(partial(withdrawals.record_unknown, row=row))
            return await self.settle(row)
        return row

    async def settle(self, row: OperationRow, /) -> OperationRow:
        """The row after asking the venue once. A venue that does not answer changes nothing; nothing is sent again."""
        try:
            return await self._settle(row)
        except (Unavailable, Refused):
            return row

    async def _settle(self, row: OperationRow) -> OperationRow:
        state = state_of(row)
        if state is State.CONSUMED:
            return await self._burn(row)
        if state not in {State.SIGNED, State.SENT, State.UNKNOWN}:
            return row
        session = self._custody.session()
        operation, withdrawal, _ = withdrawals.withdrawal_of(row, session.settings)
        venue = session.venues.get(withdrawal.venue)
        if venue is None:
            return row
        request, now = request_of(operation), self._custody.clock.now()
        credential = session.vault.credential(withdrawal.venue, now=now)
        try:
            found = await venue.find(request, credential, now=now)
        finally:
            credential.wipe()
        if found is not None:
            return await self._record(session, row, found)
        if withdrawals.is_lapsed(row, request.fields.window_ms, now=now):
            return await self._record(session, row, Found(standing="failed"))
        return row

    async def _record(self, session: Session, row: OperationRow, found: Found) -> OperationRow:
        receipt = await release(self._custody, _receipt(session, row, found))
        if found.standing != "taken":
            return await self._custody.transact(
                partial(withdrawals.record_ended, row=row, outcome=found.standing, receipt=receipt)
            )
        if state_of(row) is State.SENT:
            return row
        return await self._custody.transact(partial(withdrawals.record_taken, row=row, receipt=receipt))

    async def _burn(self, row: OperationRow) -> OperationRow:
        return await self._custody.transact(lambda tx: bookkeeping.burn(tx, row, outcome="burned"))

    async def _close(self, row: OperationRow, code: str) -> None:
        """Close what may not be sent, unless it was closed meanwhile."""
        move = Move.EXPIRE if code == "expired" else Move.REFUSE
        await self._custody.transact(lambda tx: bookkeeping.close_unmoved(tx, row, move, code=code))


def _receipt(session: Session, row: OperationRow, found: Found) -> WithdrawalReceipt:
    operation, withdrawal, facts = withdrawals.withdrawal_of(row, session.settings)
    return WithdrawalReceipt(
        operation=row.id,
        venue=withdrawal.venue,
        network=withdrawal.network,
        to=withdrawal.to,
        memo=withdrawal.memo,
        amount=withdrawal.amount.text,
        fee=facts.fee.text,
        received=minus(withdrawal.amount, facts.fee).text,
        symbol=withdrawal.asset,
        order_id=request_of(operation).fields.order_id,
        request_sha256=(row.transaction_hash or b"").hex(),
        venue_id=found.id,
        venue_transaction=found.transaction,
    )
