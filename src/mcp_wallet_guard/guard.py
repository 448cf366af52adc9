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
from typing import Final, final

import anyio
import anyio.to_thread

from mcp_wallet_guard import bookkeeping
from mcp_wallet_guard.answers import answer
from mcp_wallet_guard.approvals.links import LinkFiles, new_link_secret
from mcp_wallet_guard.ceremony import Equal, Move, advance, check_authorized, state_of
from mcp_wallet_guard.clearsign.view import check_decoded
from mcp_wallet_guard.custody import Custody, Session
from mcp_wallet_guard.desk import Desk
from mcp_wallet_guard.errors import Declined, GuardError, InvalidInput, Tampered
from mcp_wallet_guard.evidence import (
    ApprovalRow,
    Done,
    Facts,
    OperationRow,
    Pending,
    Proposal,
    ReadRecord,
    RefusedAnswer,
    State,
    WalletInfo,
    canonical,
)
from mcp_wallet_guard.execution import Executor
from mcp_wallet_guard.filters.fingerprints import FingerprintSet
from mcp_wallet_guard.journal.events import Event, Kind
from mcp_wallet_guard.operations import evm
from mcp_wallet_guard.operations.frozen import effect_hash, freeze
from mcp_wallet_guard.operations.intents import Effect, Intent, UnsignedTransaction, from_json, resolve, to_json
from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.policy.engine import check_permitted, check_proposal
from mcp_wallet_guard.reads import ReadLog
from mcp_wallet_guard.stores.base import Transaction

LOCAL_OWNER: Final = "local"
MAX_WAIT_SECONDS: Final = 50.0
_Answer = Done | Pending | RefusedAnswer


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
        self.desk: Final = Desk(custody, links, changed=self._changed)
        self.executor: Final = Executor(custody, principals=principals)
        self._principals: Final = principals
        self._links: Final = links
        self._account_lock: Final = anyio.Lock()
        self._waiters: Final[dict[str, anyio.Event]] = {}
        self._reads: Final = ReadLog(custody)
        self.page_url: Callable[[str], str] | None = None
        self.link_url: Callable[[str, str], str] | None = None
        custody.on_unlock.append(self.executor.resume)

    # --- GuardPort ------------------------------------------------------------------------------------------------

    async def propose(self, proposal: Proposal, /, *, wait_seconds: float) -> _Answer:
        """Ask for a spend. Every refusal is an answer; nothing about a caller's mistake raises."""
        try:
            intent = from_json(proposal.intent)
            first = await self._ask(proposal, intent)
            if isinstance(first, Pending) and not first.queued and wait_seconds > 0:
                if await self._wait(first.operation, seconds=min(wait_seconds, MAX_WAIT_SECONDS)):
                    return await self._ask(proposal, intent, joined=first.operation)
            return first
        except GuardError as error:
            return await self._refusal(error)

    async def status(self, operation: str, /, *, principal: str) -> _Answer:
        """How an operation of `principal` stands; a foreign id reads like an unknown one."""
        try:
            row = await self._own_row(operation, principal)
            return self._answer(row)
        except GuardError as error:
            return await self._refusal(error)

    async def outcome(self, operation: str, /, *, principal: str) -> _Answer:
        """Like `status`, after asking the chain about what was sent."""
        try:
            row = await self._own_row(operation, principal)
            async with self._account_lock:
                row = await self.executor.settle(row)
            return self._answer(row)
        except GuardError as error:
            return await self._refusal(error)

    async def info(self) -> WalletInfo:
        """Public facts about the wallet; available while locked."""
        settings = self.custody.in_force or self.custody.settings_for_reads()
        return WalletInfo(
            chain=str(settings.account.chain),
            account=settings.account.address.value,
            symbol=settings.native.symbol,
            decimals=settings.native.decimals,
            locked=self.custody.is_locked,
        )

    async def balance(self, address: str | None, /) -> str:
        """Wei held by `address`, or by the wallet's account. Raises Locked, Unavailable, InvalidInput."""
        settings = self.custody.settings_for_reads()
        holder = settings.account.address if address is None else Address.parse(address)
        return str(int(await self.custody.chain_for_reads().balance(holder)))

    async def fingerprints(self) -> FingerprintSet:
        """Digests of the vault's secrets; kept through a lock."""
        return self.custody.fingerprints

    async def record_read(self, record: ReadRecord, /) -> None:
        """Queue a journal entry for a read. Raises Unavailable when the queue is full or the journal fails."""
        await self._reads.add(record)

    async def aclose(self) -> None:
        """Flush, lock, close. Idempotent."""
        await self._reads.flush()
        await self.custody.aclose()

    async def tick(self) -> None:
        """Once a second: auto-lock and the group commit of reads."""
        await self._reads.flush()
        await self.custody.tick()

    # --- the ceremony ---------------------------------------------------------------------------------------------

    async def _ask(self, proposal: Proposal, intent: Intent, *, joined: str | None = None) -> _Answer:
        settings = self.custody.in_force
        if settings is None:
            settings = self.custody.settings_for_reads() if self.custody.is_locked else self.custody.session().settings
        effect = resolve(intent, account=settings.account, native=settings.native)
        ehash = effect_hash(effect)
        check_authorized(
            principal=proposal.principal,
            tool=proposal.tool,
            effect_hash=ehash,
            principals=self._principals,
            open_operations=0,
        )
        session = self.custody.session()
        async with self._account_lock:
            closed = await self.custody.transact(bookkeeping.sweep)
            await self._after_close(closed)
            await self.executor.settle_all()
            equal, row = await self.custody.transact(
                lambda tx: bookkeeping.find_equal(tx, effect=ehash, principal=proposal.principal)
            )
            if equal is Equal.EXECUTE and row is not None:
                # The critical section outlives the caller: a cancelled client changes nothing half-way (T-100).
                with anyio.CancelScope(shield=True):
                    return self._answer(await self.executor.execute(row.id, principal=proposal.principal))
            if equal is Equal.REPEAT and row is not None:
                return self._answer(row, repeated=row.id != joined)
            if equal is Equal.DECLINED:
                raise Declined
            if equal is Equal.BLOCKED and row is not None:
                return self._answer(row, repeated=True)
            if equal is Equal.JOIN and row is not None and state_of(row) is State.FROZEN:
                return self._answer(row)
            return await self._freeze(proposal, session, intent, effect, queued=row if equal is Equal.JOIN else None)

    async def _freeze(
        self, proposal: Proposal, session: Session, intent: Intent, effect: Effect, *, queued: OperationRow | None
    ) -> _Answer:
        """Freeze the bytes, decode them, ask policy, and store the question. Under the account lock."""
        settings, now = session.settings, self.custody.clock.now()
        check_proposal(settings.policy, effect)
        row = queued or OperationRow(
            id=secrets.token_urlsafe(18),
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
        next_nonce, wait = await self.custody.transact(lambda tx: self._place_in_queue(tx, row))
        if wait:
            return self._answer(row)
        claims = await session.chain.facts(account=settings.account.address, payee=effect.to)
        nonce = max(claims.nonce, next_nonce)
        if isinstance(intent, UnsignedTransaction):
            tx_fields = evm.parse_unsigned(intent.unsigned_bytes)
            if tx_fields.nonce != nonce:
                raise InvalidInput("invalid_input.transaction", detail="not the account's next nonce")
        else:
            tx_fields = await session.chain.prepare(effect, nonce=nonce, facts=claims)
        session.chain.check_fees(tx_fields)
        now = self.custody.clock.now()
        operation = freeze(effect, tx_fields, expires_at=now + settings.approval.expires_minutes * 60)
        policy = settings.policy
        facts = Facts(
            collected_at=now,
            chain=str(settings.account.chain),
            nonce=nonce,
            balance=int(claims.balance),
            base_fee=claims.base_fee,
            payee_has_code=claims.payee_has_code,
            payee_name=None if policy is None else policy.payee_name(effect.to),
            symbol=settings.native.symbol,
            decimals=settings.native.decimals,
        )
        decoded = check_decoded(operation, facts, effect=effect)
        held = await self.custody.transact(lambda tx: bookkeeping.reserved(tx, settings))
        permitted = check_permitted(policy, decoded, revision=session.revision, facts=claims, reserved=held)
        link_secret, link_hash = new_link_secret()
        frozen = advance(
            row,
            Move.FREEZE,
            at=now,
            expires_at=operation.expires_at,
            nonce=nonce,
            unsigned_bytes=operation.unsigned_bytes,
            digest=operation.digest,
            view=canonical(decoded.view),
            view_hash=decoded.view_hash,
            facts=canonical(facts),
            policy_revision=session.revision,
        )
        approval = ApprovalRow(
            operation=row.id,
            digest=operation.digest,
            view_hash=decoded.view_hash,
            policy_revision=session.revision,
            principal=row.principal,
            expires_at=operation.expires_at,
            level=int(permitted.obligations.level),
            approvers=permitted.obligations.approvers,
            link_hash=link_hash,
            match_salt=secrets.token_bytes(16),
        )
        await self.custody.transact(lambda tx: bookkeeping.freeze(tx, frozen, approval))
        if self.link_url is not None:
            url = self.link_url(row.id, link_secret)
            await anyio.to_thread.run_sync(self._links.write, row.id, url)
        return self._answer(frozen)

    def _place_in_queue(self, tx: Transaction, row: OperationRow) -> tuple[int, bool]:
        """The account's next nonce by our own count, and whether another operation holds it unsigned."""
        account = bookkeeping.account_row(tx, row.account)
        if account.holder in (None, row.id):
            return account.next_nonce, False
        if tx.get(OperationRow, row.id) is None:
            opened = bookkeeping.open_count(tx, row.principal)
            check_authorized(
                principal=row.principal,
                tool=row.tool,
                effect_hash=row.effect_hash,
                principals=self._principals,
                open_operations=opened,
            )
            bookkeeping.queue(tx, row)
        return account.next_nonce, True

    async def _wait(self, operation: str, *, seconds: float) -> bool:
        """Wait for the person's answer; True when it came."""
        waiter = self._waiters.setdefault(operation, anyio.Event())
        with anyio.move_on_after(seconds):
            await waiter.wait()
        return waiter.is_set()

    def _changed(self, operation: str) -> bool:
        waiter = self._waiters.pop(operation, None)
        if waiter is None:
            return False
        waiter.set()
        return True

    async def _after_close(self, operations: tuple[str, ...]) -> None:
        for operation in operations:
            await anyio.to_thread.run_sync(self._links.delete, operation)
            self._changed(operation)

    async def _own_row(self, operation: str, principal: str) -> OperationRow:
        self.custody.session()
        row = await self.custody.transact(lambda tx: tx.get(OperationRow, operation))
        if row is None or row.principal != principal:
            raise InvalidInput("invalid_input.id")
        return row

    def _answer(self, row: OperationRow, *, repeated: bool = False) -> _Answer:
        url = None if self.page_url is None else self.page_url(row.id)
        return answer(row, repeated=repeated, url=url)

    async def _refusal(self, error: GuardError) -> RefusedAnswer:
        """A refusal as an answer; a tampered store is journalled where that is still possible."""
        if isinstance(error, Tampered):
            event = Event(kind=Kind.TAMPERED, at=self.custody.clock.now(), data={"code": error.code})
            try:
                await self.custody.transact(lambda tx: tx.append(event))
            except GuardError:
                pass
        return RefusedAnswer(code=error.code, message=error.public)
