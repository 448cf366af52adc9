"""Statements: the guard's side of messages, typed data and authorizations. Ask, approve, use up, sign, verify, store.

The same steps as for a payment, but no nonce is held and no chain settles it: what comes out is the signature itself.
It is stored before it is given out, so that an equal call gets the same one. Only the account's next nonce is asked of
the node, for an authorization that names none. Threat: T-001, T-006, T-009, T-028, T-029, T-034, T-035, T-092.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, final

from mcp_wallet_guard import bookkeeping, partners, reservations, stated
from mcp_wallet_guard.asking import Asking, Question
from mcp_wallet_guard.ceremony import Equal
from mcp_wallet_guard.clearsign.frozen_statements import addresses_stated
from mcp_wallet_guard.clearsign.view import check_decoded
from mcp_wallet_guard.config.naming import names_of
from mcp_wallet_guard.custody import Custody
from mcp_wallet_guard.errors import Tampered
from mcp_wallet_guard.evidence import OperationRow, canonical
from mcp_wallet_guard.exchange import Done, Pending, Proposal, RefusedAnswer
from mcp_wallet_guard.execution import release
from mcp_wallet_guard.operations.frozen import freeze_statement
from mcp_wallet_guard.operations.intents import to_json
from mcp_wallet_guard.operations.statements import KIND_AUTHORIZATION, Statement, StatementEffect, statement_hash
from mcp_wallet_guard.policy.engine import Reserved, check_permitted
from mcp_wallet_guard.policy.statements import check_statement
from mcp_wallet_guard.proofs import Permitted, Signable, Signed
from mcp_wallet_guard.session import Session, facts_of_statement
from mcp_wallet_guard.signers.check import check_signature
from mcp_wallet_guard.stores.base import Transaction

Answer = Done | Pending | RefusedAnswer
PageUrl = Callable[[str], str] | None


@final
class Statements:
    """Drives statements, one at a time."""

    def __init__(self, custody: Custody, asking: Asking, /) -> None:
        self._custody: Final = custody
        self._asking: Final = asking

    async def ask(self, proposal: Proposal, intent: Statement, /, *, page_url: PageUrl) -> Answer:
        """Ask for a signature, or join, give or repeat an equal one. Raises Refused's kinds, InvalidInput, Tampered,
        Unavailable while nothing is signed."""
        session = self._custody.session()
        effect = session.settings.stated(intent)
        principal = proposal.principal
        self._asking.check_caller(principal=principal, tool=proposal.tool, effect=statement_hash(effect))
        check_statement(session.settings.policy, effect)
        async with self._asking.lock:
            session = self._custody.session()
            effect = session.settings.stated(intent)
            equal, row = await self._asking.met(session, statement_hash(effect), principal, first=stated.abandon)
            if row is None:
                return _answer(await self._freeze(session, proposal, intent, effect), page_url)
            if equal is Equal.EXECUTE:
                try:
                    return _answer(await self._sign(session, row, principal), page_url)
                finally:
                    self._asking.wake(row.id)
            return _answer(row, page_url) if equal is Equal.JOIN else stated.answer(row, repeated=True)

    async def resume(self) -> None:
        """After an unlock: burn what a crash cut off before its signature was stored."""
        async with self._asking.lock:
            await self._custody.transact(stated.abandon)

    async def _freeze(
        self, session: Session, proposal: Proposal, intent: Statement, effect: StatementEffect
    ) -> OperationRow:
        settings = session.settings
        nonce = await self._nonce(session, effect)
        now = self._custody.clock.now()
        expires_at = now + settings.approval.expires_minutes * 60
        operation = freeze_statement(effect, nonce=nonce, expires_at=expires_at)
        about = addresses_stated(operation, names_of(settings))
        before = await self._custody.transact(lambda tx: partners.history(tx, settings.account.id, about=about))
        facts = facts_of_statement(settings, operation, now=now, before=before)
        decoded = check_decoded(operation, facts, effect=effect)
        question = Question(
            principal=proposal.principal,
            tool=proposal.tool,
            intent=canonical(to_json(intent)),
            account=stated.ACCOUNT,
            decoded=decoded,
            facts=facts,
            at=now,
        )

        def permit(tx: Transaction) -> Permitted:
            permitted = check_permitted(
                settings.policy, decoded, revision=session.revision, facts=None, reserved=Reserved()
            )
            reservations.check_statement_limits(tx, effect, settings)
            return permitted

        return await self._asking.ask(session, question, permit=permit)

    async def _nonce(self, session: Session, effect: StatementEffect) -> int:
        """The account's next nonce, by the node's word and by our own count: the higher one. Zero where nobody needs
        it."""
        if effect.kind != KIND_AUTHORIZATION or effect.nonce is not None:
            return 0
        account = session.settings.account
        claimed = await session.chain.transaction_count(account.address)
        own = await self._custody.transact(lambda tx: bookkeeping.account_row(tx, account.id).next_nonce)
        return max(claimed, own)

    async def _sign(self, session: Session, row: OperationRow, principal: str) -> OperationRow:
        """Use the approval up, sign, verify, store."""

        def work(tx: Transaction) -> tuple[Signable, OperationRow]:
            return stated.consume(
                tx,
                row.id,
                principal=principal,
                principals=self._asking.principals,
                settings=session.settings,
                revision=session.revision,
            )

        return await self._asking.use_up(session, row, work, then=partial(self._signed, session))

    async def _signed(self, session: Session, used_up: tuple[Signable, OperationRow]) -> OperationRow:
        """The row with its signature, stored; or burned, when there is none that verifies."""
        signable, row = used_up
        signed = await self._verified(session, signable)
        if not isinstance(signed, Signed):
            return await self._custody.transact(lambda tx: bookkeeping.burn(tx, row, outcome=signed))
        given = stated.receipt_of(row, signed)
        receipt = await release(self._custody, given, returned=given)
        return await self._custody.transact_anchored(lambda tx: stated.record(tx, row, signed, receipt=receipt))

    async def _verified(self, session: Session, signable: Signable) -> Signed | str:
        """The verified signature, or how it ends without one."""
        try:
            signature = await session.signer.sign(signable)
        except Exception:  # noqa: BLE001  # nothing came back, so nothing can be given out: the person is told
            return "burned"
        try:
            return check_signature(signable, signature, address=session.settings.account.address)
        except Tampered:
            return "signed_but_invalid"


def _answer(row: OperationRow, page_url: PageUrl) -> Answer:
    return stated.answer(row, url=None if page_url is None else page_url(row.id))
