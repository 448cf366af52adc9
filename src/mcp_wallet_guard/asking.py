"""The way from a question to its approval, for what holds no nonce: actions, statements and withdrawals.

Join, repeat and remember a no; freeze and store the question; use the approval up, or close what may not go on. What is
asked, and what happens once it is approved, is their own. Payments have their lock and their waiting from here too.
Threat: T-001, T-009, T-013, T-014, T-018.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar, final

import anyio

from mcp_wallet_guard import bookkeeping
from mcp_wallet_guard.answers import Waiters
from mcp_wallet_guard.approvals.links import new_link_secret, new_operation_id
from mcp_wallet_guard.ceremony import Equal, Move, check_authorized
from mcp_wallet_guard.custody import Custody
from mcp_wallet_guard.desk import Desk
from mcp_wallet_guard.errors import Declined, Expired, OverBudget, PolicyDenied
from mcp_wallet_guard.evidence import FrozenFacts, OperationRow, State
from mcp_wallet_guard.exchange import MAX_WAIT_SECONDS, Pending
from mcp_wallet_guard.frozen_rows import approval_for, frozen_row
from mcp_wallet_guard.proofs import Decoded, Permitted
from mcp_wallet_guard.session import Session
from mcp_wallet_guard.stores.base import Transaction

A = TypeVar("A")
T = TypeVar("T")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked, frozen: `intent` is its JSON text, `account` stands where a payment has the account whose nonce it
    holds. `at` is unix seconds."""

    id: str = field(default_factory=new_operation_id)
    principal: str
    tool: str
    intent: str
    account: str
    decoded: Decoded
    facts: FrozenFacts | None
    at: int


@final
class Asking:
    """Whoever holds `lock` is the only one who asks or uses up. `closed` is told which operations were closed."""

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
        self._closed: Final = closed
        self.principals: Final = principals
        self.lock: Final = anyio.Lock()

    async def waited(self, ask: Callable[[], Awaitable[A]], /, *, seconds: float) -> A:
        """What `ask` answers, after at most `seconds` for a person where it says that one must act."""
        first = await ask()
        if not isinstance(first, Pending) or first.queued or seconds <= 0:
            return first
        is_open = partial(self._desk.is_undecided, first.operation)
        seconds = min(seconds, MAX_WAIT_SECONDS)
        answered = await self._waiters.wait(first.operation, seconds=seconds, is_open=is_open)
        return await ask() if answered else first

    def check_caller(self, *, principal: str, tool: str, effect: bytes) -> None:
        """Raises NotAuthorized for a principal that is not configured."""
        check_authorized(
            principal=principal, tool=tool, effect_hash=effect, principals=self.principals, open_operations=0
        )

    async def met(
        self, session: Session, effect: bytes, principal: str, /, *, first: Callable[[Transaction], None]
    ) -> tuple[Equal, OperationRow | None]:
        """What an equal call meets, once `first` is done and what is over is closed: EXECUTE, REPEAT, BLOCKED or JOIN
        with their row, or NONE. Raises Declined while a no is remembered."""

        def work(tx: Transaction) -> tuple[tuple[str, ...], tuple[Equal, OperationRow | None]]:
            first(tx)
            closed = bookkeeping.expire(tx)
            return closed, bookkeeping.find_equal(tx, effect=effect, principal=principal)

        closed, (equal, row) = await self._custody.transact(work)
        await self._closed(closed)
        if equal is Equal.DECLINED:
            raise Declined
        if row is not None and equal is Equal.JOIN:
            if row.policy_revision != session.revision:
                # A question under settings that are not in force any more: its answer would be refused.
                await self.close(row, Move.REFUSE, "policy.changed")
                return Equal.NONE, None
            await self._desk.keep_link(row)
        return equal, row

    async def ask(
        self, session: Session, question: Question, /, *, permit: Callable[[Transaction], Permitted]
    ) -> OperationRow:
        """Store the question, if `permit` lets it be asked now. Raises as `permit`, and RateLimited."""
        operation = question.decoded.operation
        proposed = OperationRow(
            id=question.id,
            state=State.PROPOSED.value,
            principal=question.principal,
            tool=question.tool,
            intent=question.intent,
            effect_hash=operation.effect_hash,
            account=question.account,
            created_at=question.at,
            changed_at=question.at,
            expires_at=operation.expires_at,
        )
        frozen = frozen_row(
            proposed, question.decoded, facts=question.facts, nonce=0, revision=session.revision, at=question.at
        )
        link_secret, link_hash = new_link_secret()

        def work(tx: Transaction) -> None:
            check_authorized(
                principal=question.principal,
                tool=question.tool,
                effect_hash=operation.effect_hash,
                principals=self.principals,
                open_operations=bookkeeping.open_count(tx, question.principal),
            )
            approval = approval_for(frozen, permit(tx), link_hash=link_hash, match_salt=secrets.token_bytes(16))
            bookkeeping.ask(tx, frozen, approval)

        with anyio.CancelScope(shield=True):
            await self._custody.transact(work)
            await self._desk.write_link(frozen.id, link_secret)
        return frozen

    async def use_up(
        self,
        session: Session,
        row: OperationRow,
        work: Callable[[Transaction], T],
        /,
        *,
        then: Callable[[T], Awaitable[A]],
    ) -> A:
        """Consume the approval of `row` with `work`, and go on with what that gives; what may not go on is closed. A
        cancelled caller stops it before or after, not in between (T-100)."""
        with anyio.CancelScope(shield=True):
            try:
                async with self._custody.undisturbed(session):
                    done = await then(await self._custody.transact_anchored(work))
            except (Expired, PolicyDenied, OverBudget) as error:
                await self.close(row, Move.EXPIRE if isinstance(error, Expired) else Move.REFUSE, error.code)
                raise
        return done

    async def close(self, row: OperationRow, move: Move, code: str, /) -> None:
        """Close what is open, unless it moved on."""
        await self._custody.transact(lambda tx: bookkeeping.close_unmoved(tx, row, move, code=code))
        await self._closed((row.id,))

    def wake(self, operation: str, /) -> None:
        """Wake the calls that wait for this operation."""
        self._waiters.wake(operation)
