"""Withdrawals: the guard's side of money that leaves a venue. Ask, approve, use up, sign, write down, send once.

The same steps as for a payment, with a venue in the place of the chain and its API key in the place of the signer. The
executor, which signs, sends and asks afterwards, is `venue_execution.py`.
Threat: T-001, T-009, T-013, T-014, T-018.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final, final

from mcp_wallet_guard import bookkeeping, withdrawals
from mcp_wallet_guard.answers import answer
from mcp_wallet_guard.approvals.links import new_operation_id
from mcp_wallet_guard.asking import Asking, Question
from mcp_wallet_guard.ceremony import Equal
from mcp_wallet_guard.clearsign.view import check_decoded
from mcp_wallet_guard.custody import Custody
from mcp_wallet_guard.errors import PolicyDenied, Refused
from mcp_wallet_guard.evidence import OperationRow, canonical
from mcp_wallet_guard.exchange import Done, Pending, Proposal, RefusedAnswer
from mcp_wallet_guard.operations.intents import to_json
from mcp_wallet_guard.operations.requests import freeze_withdrawal
from mcp_wallet_guard.operations.withdrawals import ExchangeWithdrawal, account_of, order_id, withdrawal_hash
from mcp_wallet_guard.policy.engine import Reserved, check_permitted
from mcp_wallet_guard.policy.withdrawals import check_withdrawal
from mcp_wallet_guard.proofs import Permitted
from mcp_wallet_guard.session import Session
from mcp_wallet_guard.stores.base import Transaction
from mcp_wallet_guard.venue_execution import VenueExecutor

Answer = Done | Pending | RefusedAnswer
PageUrl = Callable[[str], str] | None


@final
class Withdrawals:
    """Drives withdrawals, one at a time."""

    def __init__(self, custody: Custody, asking: Asking, /) -> None:
        self._custody: Final = custody
        self._asking: Final = asking
        self._executor: Final = VenueExecutor(custody, principals=asking.principals)

    async def ask(self, proposal: Proposal, withdrawal: ExchangeWithdrawal, /, *, page_url: PageUrl) -> Answer:
        """Ask for a withdrawal, or join, finish or repeat an equal one. Raises GuardError for what is refused."""
        session = self._custody.session()
        effect = withdrawal_hash(withdrawal, session.settings.account)
        principal = proposal.principal
        self._asking.check_caller(principal=principal, tool=proposal.tool, effect=effect)
        async with self._asking.lock:
            session = self._custody.session()  # they may have changed while this call waited
            _check_proposal(session, withdrawal)
            effect = withdrawal_hash(withdrawal, session.settings.account)
            await self._settle_unsettled(account_of(withdrawal))
            equal, row = await self._asking.met(session, effect, principal, first=lambda _: None)
            if row is None:
                return _answer(await self._freeze(session, proposal, withdrawal), page_url)
            if equal is Equal.EXECUTE:
                try:
                    return answer(await self._executor.execute(session, row, principal=principal))
                finally:
                    self._asking.wake(row.id)
            return _answer(row, page_url) if equal is Equal.JOIN else answer(row, repeated=True)

    async def settle(self, operation: str, /) -> OperationRow:
        """The row after asking the venue once."""
        async with self._asking.lock:
            row = await self._custody.transact(lambda tx: bookkeeping.row_of(tx, operation))
            return await self._executor.settle(row)

    async def settle_due(self) -> None:
        """Ask about what has no end yet. Waits for a venue, never for a call."""
        if self._asking.lock.statistics().locked:
            return
        with suppress(Refused):  # blocked, nothing in force, or locked meanwhile
            self._custody.session()
            async with self._asking.lock:
                await self._executor.settle_due()

    async def resume(self) -> None:
        """After an unlock: burn what a crash cut off before anything was sent."""
        async with self._asking.lock:
            await self._executor.resume()

    async def _settle_unsettled(self, account: str) -> None:
        """Ask the venue about what has no end there, so that an equal call meets how it ended."""
        rows = await self._custody.transact(lambda tx: bookkeeping.unsettled(tx, account))
        await self._executor.settle_rows(rows)

    async def _freeze(self, session: Session, proposal: Proposal, withdrawal: ExchangeWithdrawal) -> OperationRow:
        settings, now = session.settings, self._custody.clock.now()
        venue, rule, _ = check_withdrawal(settings.venues, withdrawal)
        facts = await self._executor.facts(session, withdrawal, shown=None)
        operation_id = new_operation_id()
        request = session.venues[withdrawal.venue].prepare(
            withdrawal,
            venue,
            order_id=order_id(operation_id, withdrawal_hash(withdrawal, settings.account)),
            opens_at=now,
            closes_at=now + settings.approval.expires_minutes * 60,
        )
        operation = freeze_withdrawal(withdrawal, request, settings.account)
        decoded = check_decoded(operation, facts, effect=withdrawal)
        question = Question(
            id=operation_id,
            principal=proposal.principal,
            tool=proposal.tool,
            intent=canonical(to_json(withdrawal)),
            account=account_of(withdrawal),
            decoded=decoded,
            facts=facts,
            at=now,
        )

        def permit(tx: Transaction) -> Permitted:
            bookkeeping.check_account(tx, question.account)
            withdrawals.check_room(tx, venue, rule, units=rule.units(withdrawal.amount))
            return check_permitted(settings.policy, decoded, revision=session.revision, facts=None, reserved=Reserved())

        return await self._asking.ask(session, question, permit=permit)


def _check_proposal(session: Session, withdrawal: ExchangeWithdrawal) -> None:
    """The cheap check on what is asked, before the venue is asked anything."""
    if session.settings.policy is None:
        raise PolicyDenied("policy.missing")
    check_withdrawal(session.settings.venues, withdrawal)


def _answer(row: OperationRow, page_url: PageUrl) -> Answer:
    return answer(row, url=None if page_url is None else page_url(row.id))
