"""Guard: the only driver of the ceremony. It awaits people, signers, the chain and the store, in that order.

    propose   ask for a spend, or join, finish or repeat an equal one
    status    how an operation stands
    outcome   the same, after asking the chain

The rules are in `ceremony.py`, the transactions in `bookkeeping.py`, locking in `custody.py`, a person's answers in
`desk.py`. What is here is the order of effects: facts before the transaction, the transaction before the signature, the
stored bytes before the broadcast. Threat: T-001, T-009, T-013, T-014, T-015, T-016, T-039, T-042, T-100.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final, final

import anyio
import anyio.to_thread

from mcp_wallet_guard import acts, bookkeeping, calling, mandates, stated
from mcp_wallet_guard.acting import Actions
from mcp_wallet_guard.answers import Waiters, answer, wallet_info
from mcp_wallet_guard.approvals.links import LinkFiles, new_link_secret, new_operation_id
from mcp_wallet_guard.asking import Asking
from mcp_wallet_guard.ceremony import Equal, Move, state_of
from mcp_wallet_guard.clearsign.view import check_decoded
from mcp_wallet_guard.custody import Custody
from mcp_wallet_guard.desk import Desk
from mcp_wallet_guard.errors import Declined, GuardError, InvalidInput, Refused
from mcp_wallet_guard.evidence import OperationRow, State, canonical
from mcp_wallet_guard.exchange import (
    Done,
    Pending,
    Proposal,
    ReadRecord,
    RefusedAnswer,
    WalletInfo,
)
from mcp_wallet_guard.execution import Executor
from mcp_wallet_guard.filters.fingerprints import FingerprintSet
from mcp_wallet_guard.frozen_rows import approval_for, frozen_row
from mcp_wallet_guard.operations import evm
from mcp_wallet_guard.operations.frozen import effect_hash, freeze
from mcp_wallet_guard.operations.intents import (
    Effect,
    Intent,
    Spend,
    UnsignedTransaction,
    amount_of,
    from_json,
    payee_of,
    to_json,
)
from mcp_wallet_guard.operations.statements import Statement
from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.operations.withdrawals import ACCOUNT_PREFIX, ExchangeWithdrawal
from mcp_wallet_guard.policy.engine import check_permitted, check_proposal
from mcp_wallet_guard.reads import ReadChain, ReadLog
from mcp_wallet_guard.refusals import Refusals
from mcp_wallet_guard.session import Session, claimed_names
from mcp_wallet_guard.signing import Statements
from mcp_wallet_guard.stores.base import Transaction
from mcp_wallet_guard.withdrawing import Withdrawals

LOCAL_OWNER: Final = "local"
SWEEP_SECONDS: Final = 60
_Answer = Done | Pending | RefusedAnswer
_Met = tuple[Equal, OperationRow | None, int | None]


@final
class Guard:
    """The guard of one vault, embedded in a process or behind the daemon's sockets.

    `page_url` gives the approval page's address of an operation, with the opaque id only, or None without a page.
    """

    def __init__(
        self,
        custody: Custody,
        links: LinkFiles,
        /,
        *,
        principals: frozenset[str] = frozenset({LOCAL_OWNER}),
    ) -> None:
        self.custody: Final = custody
        self._waiters: Final = Waiters()
        self.desk: Final = Desk(custody, links, changed=self._waiters.wake)
        self.executor: Final = Executor(custody, principals=principals)
        self._links: Final = links
        # Each kind has its own, with a lock of its own: the one of payments is the account's.
        asking = partial(Asking, custody, self.desk, self._waiters, principals=principals, closed=self._after_close)
        self._asking: Final = asking()
        self._swept_at = 0
        self._reads: Final = ReadLog(custody)
        self.refusals: Final = Refusals(custody, self._reads)
        self.actions: Final = Actions(custody, asking(), self.refusals)
        self.statements: Final = Statements(custody, asking())
        self.withdrawals: Final = Withdrawals(custody, asking())
        self._read_chain: Final = ReadChain(custody)
        self.page_url: Callable[[str], str] | None = None
        custody.on_unlock.append(self._resume)

    # --- GuardPort ------------------------------------------------------------------------------------------------

    async def propose(self, proposal: Proposal, /, *, wait_seconds: float) -> _Answer:
        """Ask for a spend. Every refusal is an answer; nothing about a caller's mistake raises."""
        try:
            intent = from_json(proposal.intent)
            return await self._asking.waited(partial(self._ask, proposal, intent), seconds=wait_seconds)
        except GuardError as error:
            await self.refusals.note(error, principal=proposal.principal, tool=proposal.tool)
            return await self.refusals.answer(error)

    async def status(self, operation: str, /, *, principal: str) -> _Answer:
        """How an operation of `principal` stands; a foreign id reads like an unknown one."""
        try:
            row = await self._own_row(operation, principal)
            return self._answer(row)
        except GuardError as error:
            return await self.refusals.answer(error)

    async def outcome(self, operation: str, /, *, principal: str) -> _Answer:
        """Like `status`, after asking the chain about what was sent."""
        try:
            row = await self._own_row(operation, principal)
            if row.account == stated.ACCOUNT:
                return self._answer(row)
            if row.account.startswith(ACCOUNT_PREFIX):
                return self._answer(await self.withdrawals.settle(operation))
            async with self._asking.lock:
                return self._answer(await self.executor.settle(operation))
        except GuardError as error:
            return await self.refusals.answer(error)

    async def info(self) -> WalletInfo:
        """Public facts about the wallet; available while locked."""
        return wallet_info(self.custody.public_settings(), locked=self.custody.is_locked)

    async def balance(self, address: str | None, /, *, token: str | None = None) -> str:
        """See `GuardPort.balance`. Raises Locked, Unavailable, InvalidInput."""
        settings = self.custody.settings_for_reads()
        holder = settings.account.address if address is None else Address.parse(address)
        asset = None if token is None else settings.token_named(token)
        chain = await self._read_chain.connect()
        return str(int(await (chain.balance(holder) if asset is None else chain.token_balance(holder, asset))))

    async def fingerprints(self) -> FingerprintSet:
        """Digests of the vault's secrets; kept through a lock."""
        return self.custody.fingerprints

    async def record_read(self, record: ReadRecord, /) -> None:
        """Queue a journal entry for a read. Raises Unavailable when the queue is full or the journal fails."""
        await self._reads.add(record)

    async def aclose(self) -> None:
        """Flush, lock, close. Idempotent. A journal that takes nothing keeps no key in memory."""
        try:
            await self._reads.flush()
        finally:
            with anyio.CancelScope(shield=True):
                await self.custody.aclose()
                await self._read_chain.aclose()

    async def tick(self) -> None:
        """Once a second: auto-lock, the group commit of reads, and the end of what is past its time."""
        try:
            await self._reads.flush()
        finally:
            await self.custody.tick()
        if self._asking.lock.statistics().locked:
            return  # a node that hangs may hold it; the idle lock above must not wait for that
        now = self.custody.clock.now()
        if not self.custody.is_locked and self.custody.blocked is None and now - self._swept_at >= SWEEP_SECONDS:
            await self.sweep()

    async def watch(self) -> None:
        """Every few seconds: ask the chain about what is on its way, so that it settles also when nobody asks again.
        Waits for the node, never for a call. Raises Tampered, Unavailable."""
        if self.custody.is_locked or self._asking.lock.statistics().locked:
            return
        async with self._asking.lock:
            await self.executor.settle_due()
        await self.withdrawals.settle_due()

    async def sweep(self) -> None:
        """Expire and retire what is due, with its links. Raises Locked, Tampered, Unavailable."""
        async with self._asking.lock:
            await self._sweep()

    # --- the ceremony ---------------------------------------------------------------------------------------------

    async def _ask(self, proposal: Proposal, intent: Intent) -> _Answer:
        if isinstance(intent, ExchangeWithdrawal):
            return await self.withdrawals.ask(proposal, intent, page_url=self.page_url)
        if isinstance(intent, Statement):
            return await self.statements.ask(proposal, intent, page_url=self.page_url)
        settings = self.custody.in_force
        if settings is None:
            settings = self.custody.settings_for_reads() if self.custody.is_locked else self.custody.session().settings
        ehash = effect_hash(settings.effect(intent))
        self._asking.check_caller(principal=proposal.principal, tool=proposal.tool, effect=ehash)
        self.custody.session()
        async with self._asking.lock:
            # Settings may have changed while this call waited for the account.
            session = self.custody.session()
            effect = session.settings.effect(intent)
            ehash = effect_hash(effect)
            equal, row, nonce = await self._meet(session, ehash, proposal.principal)
            if equal is Equal.EXECUTE and row is not None:
                try:
                    return self._answer(await self.executor.execute(row, principal=proposal.principal))
                finally:
                    self._asking.wake(row.id)
            if equal in {Equal.REPEAT, Equal.BLOCKED} and row is not None:
                return self._answer(row, repeated=True)
            if equal is Equal.DECLINED:
                raise Declined
            if equal is Equal.JOIN and row is not None and state_of(row) is State.FROZEN:
                if row.policy_revision == session.revision:
                    await self.desk.keep_link(row)
                    return self._answer(row)
                await self._close_outdated(row)
                row = None
            queued = row if equal is Equal.JOIN else None
            return await self._freeze(proposal, session, intent, effect, queued=queued, own_nonce=nonce)

    async def _meet(self, session: Session, effect: bytes, principal: str) -> _Met:
        """Expire, settle what can be, and find what an equal call meets then; with it the account's next nonce by our
        own count, when nothing else is on its way."""
        account = session.settings.account.id

        def work(tx: Transaction) -> tuple[tuple[str, ...], tuple[OperationRow, ...], _Met]:
            closed = bookkeeping.expire(tx)
            met = bookkeeping.find_equal(tx, effect=effect, principal=principal)
            return closed, bookkeeping.unsettled(tx, account), (*met, bookkeeping.unheld_nonce(tx, account))

        closed, unsettled, met = await self.custody.transact(work)
        await self._after_close(closed)
        if not unsettled:
            return met
        await self.executor.settle_rows(unsettled)
        equal, row = await self.custody.transact(
            lambda tx: bookkeeping.find_equal(tx, effect=effect, principal=principal)
        )
        return equal, row, None

    async def _freeze(
        self,
        proposal: Proposal,
        session: Session,
        intent: Spend,
        effect: Effect,
        *,
        queued: OperationRow | None,
        own_nonce: int | None,
    ) -> _Answer:
        """Freeze the bytes, decode them, ask policy, and store the question. Under the account lock."""
        settings, now = session.settings, self.custody.clock.now()
        check_proposal(settings.policy, effect)
        row = queued or OperationRow(
            id=new_operation_id(),
            state=State.PROPOSED.value,
            principal=proposal.principal,
            tool=proposal.tool,
            intent=canonical(to_json(intent)),
            effect_hash=effect_hash(effect),
            account=settings.account.id,
            created_at=now,
            changed_at=now,
            expires_at=now + settings.approval.expires_minutes * 60,
        )
        if own_nonce is None:
            place = partial(bookkeeping.place_in_queue, row=row, queued=queued, principals=self._asking.principals)
            own_nonce = await self.custody.transact(place)
        if own_nonce is None:
            return self._answer(row)
        payee, token = payee_of(effect), settings.token_at(effect.to)
        claims = await session.chain.facts(account=settings.account.address, payee=payee, token=token)
        nonce = max(claims.nonce, own_nonce)
        if isinstance(intent, UnsignedTransaction):
            tx_fields = evm.parse_unsigned(intent.unsigned_bytes)
            if tx_fields.nonce != nonce:
                raise InvalidInput("invalid_input.transaction", detail="not the account's next nonce")
        else:
            tx_fields = await session.chain.prepare(effect, nonce=nonce, facts=claims)
            claims = replace(claims, priority_fee=tx_fields.max_priority_fee_per_gas, estimated_gas=tx_fields.gas)
        session.chain.check_fees(tx_fields)
        data_fee, names = await session.chain.data_fee(tx_fields), await claimed_names(session, effect)
        claims = replace(claims, data_fee=data_fee, names=names)
        now = self.custody.clock.now()
        operation = freeze(effect, tx_fields, expires_at=now + settings.approval.expires_minutes * 60)
        facts = await calling.collect(self.custody, session, operation, claims, effect, nonce=nonce)
        decoded = check_decoded(operation, facts, effect=effect)
        link_secret, link_hash = new_link_secret()
        frozen = frozen_row(row, decoded, facts=facts, nonce=nonce, revision=session.revision, at=now)

        def work(tx: Transaction) -> OperationRow:
            held = bookkeeping.held(tx, settings, effect, nonce=nonce, fresh=claims)
            permitted = check_permitted(
                settings.policy,
                decoded,
                revision=session.revision,
                facts=claims,
                reserved=held,
                mandates=mandates.usable(tx, settings, tool=row.tool, units=amount_of(effect)),
            )
            approval = approval_for(frozen, permitted, link_hash=link_hash, match_salt=secrets.token_bytes(16))
            return bookkeeping.freeze(tx, frozen, approval, before=queued)

        with anyio.CancelScope(shield=True):
            stored = await self.custody.transact(work)
            if state_of(stored) is State.FROZEN:
                await self.desk.write_link(row.id, link_secret)
        if state_of(stored) is State.APPROVED:  # by a mandate: nobody is asked
            stored = await self.executor.execute(stored, principal=proposal.principal)
        return self._answer(stored)

    async def _sweep(self) -> None:
        self._swept_at = self.custody.clock.now()
        await self._after_close(await self.custody.transact(_swept))

    async def _close_outdated(self, row: OperationRow) -> None:
        """A question under settings that are not in force any more: its answer would be refused."""
        await self.custody.transact(lambda tx: bookkeeping.close(tx, row, Move.REFUSE, code="policy.changed"))
        await self._after_close((row.id,))

    async def _after_close(self, operations: tuple[str, ...]) -> None:
        with anyio.CancelScope(shield=True):
            for operation in operations:
                self._waiters.wake(operation)
                await self.desk.delete_link(operation)

    async def _resume(self) -> None:
        """After an unlock: what a crash cut off is burned, and every request that waits has a link to this run."""
        try:
            self.custody.session()
        except Refused:
            return  # spending is blocked, or nothing is in force yet
        await self.statements.resume()
        await self.withdrawals.resume()
        async with self._asking.lock:
            await self.executor.resume()
            await self._sweep()
            waiting = await self.custody.transact(
                lambda tx: tuple(row for row in tx.all(OperationRow) if state_of(row) is State.FROZEN)
            )
            await anyio.to_thread.run_sync(self._links.sweep, {row.id for row in waiting})
            for row in waiting:
                await self.desk.renew_link(row)

    async def _own_row(self, operation: str, principal: str) -> OperationRow:
        self.custody.session()
        row = await self.custody.transact(lambda tx: tx.get(OperationRow, operation))
        if row is None or row.principal != principal or row.account == acts.ACCOUNT:
            raise InvalidInput("invalid_input.id")
        return row

    def _answer(self, row: OperationRow, *, repeated: bool = False) -> _Answer:
        url = None if self.page_url is None else self.page_url(row.id)
        if row.account == stated.ACCOUNT:
            return stated.answer(row, repeated=repeated, url=url)
        return answer(row, repeated=repeated, url=url)


def _swept(tx: Transaction) -> tuple[str, ...]:
    acts.abandon(tx)
    return bookkeeping.sweep(tx)
