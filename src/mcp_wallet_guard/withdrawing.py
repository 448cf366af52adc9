"""Withdrawals: the guard's side of money that leaves a venue. Ask, approve, use up, sign, write down, send once.

The same steps as for a payment, with a venue in the place of the chain and its API key in the place of the signer. The
executor, which signs, sends and asks afterwards, is `venue_execution.py`.
Threat: T-001, T-009, T-013, T-014, T-018, T-100.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Final, final

import anyio

from mcp_wallet_guard import bookkeeping, withdrawals
from mcp_wallet_guard.answers import Waiters, answer
from mcp_wallet_guard.approvals.links import new_link_secret, new_operation_id
from mcp_wallet_guard.ceremony import Equal, Move, check_authorized
from mcp_wallet_guard.clearsign.view import check_decoded
from mcp_wallet_guard.custody import Custody
from mcp_wallet_guard.desk import Desk
from mcp_wallet_guard.errors import Declined, PolicyDenied, Refused
from mcp_wallet_guard.evidence import OperationRow, State, canonical
from mcp_wallet_guard.exchange import Done, Pending, Proposal, RefusedAnswer
from mcp_wallet_guard.frozen_rows import approval_for, frozen_row
from mcp_wallet_guard.operations.intents import to_json
from mcp_wallet_guard.operations.requests import freeze_withdrawal
from mcp_wallet_guard.operations.withdrawals import ExchangeWithdrawal, account_of, order_id, withdrawal_hash
from mcp_wallet_guard.policy.engine import Reserved, check_permitted
from mcp_wallet_guard.policy.withdrawals import check_withdrawal
from mcp_wallet_guard.session import Session
from mcp_wallet_guard.stores.base import Transaction
from mcp_wallet_guard.venue_execution import VenueExecutor

MAX_WAIT_SECONDS: Final = 50.0
Answer = Done | Pending | RefusedAnswer
PageUrl = Callable[[str], str] | None


@final
class Withdrawals:
    """Drives withdrawals, one at a time. `closed` is told which operations were closed by time."""

    def __init__(
        self,
        custody: Custody,
        desk: Desk,
        waiters: Waiters,
        /,
        *,
        principals: frozenset[str],
        closed: Callable[[tuple[str, ...]], Awaitable[None]],
    ) -> None:
        self._custody: Final = custody
        self._desk: Final = desk
        self._waiters: Final = waiters
        self._principals: Final = principals
        self._closed: Final = closed
        self._lock: Final = anyio.Lock()
        self._executor: Final = VenueExecutor(custody, principals=principals)

    async def propose(
        self, proposal: Proposal, withdrawal: ExchangeWithdrawal, /, *, wait_seconds: float, page_url: PageUrl
    ) -> Answer:
        """Ask for a withdrawal, or join, finish or repeat an equal one. Raises GuardError for what is refused."""
        first = await self._ask(proposal, withdrawal, page_url)
        if not isinstance(first, Pending) or wait_seconds <= 0:
            return first
        seconds, is_open = min(wait_seconds, MAX_WAIT_SECONDS), partial(self._desk.is_undecided, first.operation)
        answered = await self._waiters.wait(first.operation, seconds=seconds, is_open=is_open)
        return await self._ask(proposal, withdrawal, page_url) if answered else first

    async def settle(self, operation: str, /) -> OperationRow:
        """The row after asking the venue once."""
        async with self._lock:
            row = await self._custody.transact(lambda tx: bookkeeping.row_of(tx, operation))
            return await self._executor.settle(row)

    async def settle_due(self) -> None:
        """Ask about what has no end yet. Waits for a venue, never for a call."""
        if self._lock.statistics().locked:
            return
        with suppress(Refused):  # blocked, nothing in force, or locked meanwhile
            self._custody.session()
            async with self._lock:
                await self._executor.settle_due()

    async def resume(self) -> None:
        """After an unlock: burn what a crash cut off before anything was sent."""
        async with self._lock:
            await self._executor.resume()

    async def _ask(self, proposal: Proposal, withdrawal: ExchangeWithdrawal, page_url: PageUrl) -> Answer:
        session = self._custody.session()
        check_authorized(
            principal=proposal.principal,
            tool=proposal.tool,
            effect_hash=withdrawal_hash(withdrawal, session.settings.account),
            principals=self._principals,
            open_operations=0,
        )
        async with self._lock:
            session = self._custody.session()  # they may have changed while this call waited
            _check_proposal(session, withdrawal)
            effect = withdrawal_hash(withdrawal, session.settings.account)
            equal, row = await self._meet(account_of(withdrawal), effect, proposal.principal)
            if row is not None and equal is Equal.EXECUTE:
                try:
                    return answer(await self._executor.execute(session, row, principal=proposal.principal))
                finally:
                    self._waiters.wake(row.id)
            if row is not None and equal in {Equal.REPEAT, Equal.BLOCKED}:
                return answer(row, repeated=True)
            if equal is Equal.DECLINED:
                raise Declined
            if row is not None and equal is Equal.JOIN:
                if row.policy_revision == session.revision:
                    await self._desk.keep_link(row)
                    return _answer(row, page_url)
                await self._close_outdated(row)
            return _answer(await self._freeze(session, proposal, withdrawal), page_url)

    async def _meet(self, account: str, effect: bytes, principal: str) -> tuple[Equal, OperationRow | None]:
        """Expire, ask the venue about what has no end there, and find what an equal call meets then."""

        def work(tx: Transaction) -> tuple[tuple[str, ...], tuple[OperationRow, ...]]:
            return bookkeeping.expire(tx), bookkeeping.unsettled(tx, account)

        closed, unsettled = await self._custody.transact(work)
        await self._closed(closed)
        await self._executor.settle_rows(unsettled)
        return await self._custody.transact(partial(bookkeeping.find_equal, effect=effect, principal=principal))

    async def _freeze(self, session: Session, proposal: Proposal, withdrawal: ExchangeWithdrawal) -> OperationRow:
        settings, now = session.settings, self._custody.clock.now()
        rule, _, _ = check_withdrawal(settings.venues, withdrawal)
        facts = await self._executor.facts(session, withdrawal, shown=None)
        operation_id, effect = new_operation_id(), withdrawal_hash(withdrawal, settings.account)
        expires_at = now + settings.approval.expires_minutes * 60
        request = session.venues[withdrawal.venue].prepare(
            withdrawal, rule, order_id=order_id(operation_id, effect), opens_at=now, closes_at=expires_at
        )
        operation = freeze_withdrawal(withdrawal, request, settings.account)
        decoded = check_decoded(operation, facts, effect=withdrawal)
        proposed = OperationRow(
            id=operation_id,
            state=State.PROPOSED.value,
            principal=proposal.principal,
            tool=proposal.tool,
            intent=canonical(to_json(withdrawal)),
            effect_hash=effect,
            account=account_of(withdrawal),
            created_at=now,
            changed_at=now,
            expires_at=expires_at,
        )
        frozen = frozen_row(proposed, decoded, facts=facts, nonce=0, revision=session.revision, at=now)
        link_secret, link_hash = new_link_secret()

        def work(tx: Transaction) -> None:
            check_authorized(
                principal=proposal.principal,
                tool=proposal.tool,
                effect_hash=effect,
                principals=self._principals,
                open_operations=bookkeeping.open_count(tx, proposal.principal),
            )
            bookkeeping.check_account(tx, frozen.account)
            venue, network, _ = check_withdrawal(settings.venues, withdrawal)
            withdrawals.check_room(tx, venue, network, units=network.units(withdrawal.amount))
            permitted = check_permitted(
                settings.policy, decoded, revision=session.revision, facts=None, reserved=Reserved()
            )
            approval = approval_for(frozen, permitted, link_hash=link_hash, match_salt=secrets.token_bytes(16))
            bookkeeping.ask(tx, frozen, approval)

        with anyio.CancelScope(shield=True):
            await self._custody.transact(work)
            await self._desk.write_link(frozen.id, link_secret)
        return frozen

    async def _close_outdated(self, row: OperationRow) -> None:
        """A question under settings that are not in force any more: its answer would be refused."""
        await self._custody.transact(lambda tx: bookkeeping.close(tx, row, Move.REFUSE, code="policy.changed"))
        await self._closed((row.id,))


def _check_proposal(session: Session, withdrawal: ExchangeWithdrawal) -> None:
    """The cheap check on what is asked, before the venue is asked anything."""
    if session.settings.policy is None:
        raise PolicyDenied("policy.missing")
    check_withdrawal(session.settings.venues, withdrawal)


def _answer(row: OperationRow, page_url: PageUrl) -> Answer:
    return answer(row, url=None if page_url is None else page_url(row.id))
