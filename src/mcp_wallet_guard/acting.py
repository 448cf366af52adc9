"""Actions: the guard's side of a tool that does something itself. Ask, approve, use up; the server runs it then, once.

The same steps as for a payment, but nothing is signed and no chain is asked: what is approved is the request in its
canonical form. Threat: T-001, T-006, T-009, T-013, T-014, T-018.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, final

import anyio

from mcp_wallet_guard import acts, bookkeeping, strict_json
from mcp_wallet_guard.answers import Waiters
from mcp_wallet_guard.approvals.links import new_link_secret, new_operation_id
from mcp_wallet_guard.canonical import canonical_bytes
from mcp_wallet_guard.ceremony import Equal, Move, check_authorized
from mcp_wallet_guard.clearsign.view import check_decoded
from mcp_wallet_guard.custody import Custody
from mcp_wallet_guard.desk import Desk
from mcp_wallet_guard.errors import Declined, Expired, GuardError, InvalidInput, OverBudget, PolicyDenied, Tampered
from mcp_wallet_guard.evidence import OperationRow, State
from mcp_wallet_guard.exchange import MAX_RESULT, Acted, ActionProposal, ActOutcome, MayAct, Pending, RefusedAnswer
from mcp_wallet_guard.execution import note_incident
from mcp_wallet_guard.filters.outbound import check_released
from mcp_wallet_guard.frozen_rows import approval_for, frozen_row
from mcp_wallet_guard.operations.actions import Action, action_hash, freeze_action, parse_action
from mcp_wallet_guard.policy.engine import Reserved, check_action, check_permitted
from mcp_wallet_guard.refusals import Refusals
from mcp_wallet_guard.session import Session
from mcp_wallet_guard.stores.base import Transaction

MAX_WAIT_SECONDS: Final = 50.0
ActAnswer = MayAct | Acted | Pending | RefusedAnswer
PageUrl = Callable[[str], str] | None


@final
class Actions:
    """Drives actions, one transaction at a time. `closed` is told which operations were closed by time."""

    def __init__(
        self,
        custody: Custody,
        desk: Desk,
        waiters: Waiters,
        refusals: Refusals,
        /,
        *,
        principals: frozenset[str],
        closed: Callable[[tuple[str, ...]], Awaitable[None]],
    ) -> None:
        self._custody: Final = custody
        self._desk: Final = desk
        self._waiters: Final = waiters
        self._refusals: Final = refusals
        self._principals: Final = principals
        self._closed: Final = closed
        self._lock: Final = anyio.Lock()

    async def act(self, proposal: ActionProposal, /, *, wait_seconds: float, page_url: PageUrl) -> ActAnswer:
        """Ask for an action, or join, begin or repeat an equal one. Every refusal is an answer."""
        tool = "action"
        try:
            action = parse_action(proposal.body.encode())
            tool = action.tool
            return await self._act(action, proposal.principal, min(wait_seconds, MAX_WAIT_SECONDS), page_url)
        except GuardError as error:
            await self._refusals.note(error, principal=proposal.principal, tool=tool)
            return await self._refusals.answer(error)

    async def acted(
        self, operation: str, /, *, principal: str, outcome: ActOutcome, result: str | None
    ) -> Acted | RefusedAnswer:
        """Write down how a begun action ended, once, with its `result` (JSON) if it is short and holds no secret."""
        try:
            return await self._acted(operation, principal, outcome, result)
        except GuardError as error:
            return await self._refusals.answer(error)

    async def _act(self, action: Action, principal: str, wait_seconds: float, page_url: PageUrl) -> ActAnswer:
        first = await self._ask(action, principal, page_url)
        if not isinstance(first, Pending) or wait_seconds <= 0:
            return first
        is_open = partial(self._desk.is_undecided, first.operation)
        answered = await self._waiters.wait(first.operation, seconds=wait_seconds, is_open=is_open)
        return await self._ask(action, principal, page_url) if answered else first

    async def _acted(self, operation: str, principal: str, outcome: ActOutcome, result: str | None) -> Acted:
        """Raises InvalidInput("invalid_input.id", "invalid_input"), AlreadyUsed when it was told before."""
        self._custody.session()
        kept = await self._kept(operation, result)

        def work(tx: Transaction) -> OperationRow:
            row = tx.get(OperationRow, operation)
            if row is None or row.principal != principal or row.account != acts.ACCOUNT:
                raise InvalidInput("invalid_input.id")
            return acts.report(tx, row, outcome=outcome, result=kept)

        with anyio.CancelScope(shield=True):
            row = await self._custody.transact_anchored(work)
        answer = acts.answer(row)
        if not isinstance(answer, Acted):
            raise Tampered("tampered.operation", detail="an action that ended does not stand as such")
        return answer

    async def _ask(self, action: Action, principal: str, page_url: PageUrl) -> ActAnswer:
        session = self._custody.session()
        check_authorized(
            principal=principal,
            tool=action.tool,
            effect_hash=action_hash(action, session.settings.account),
            principals=self._principals,
            open_operations=0,
        )
        check_action(session.settings.policy, action.tool)
        async with self._lock:
            session = self._custody.session()
            equal, row = await self._meet(action_hash(action, session.settings.account), principal)
            if row is not None and equal is Equal.EXECUTE:
                try:
                    return await self._begin(session, row, principal)
                finally:
                    self._waiters.wake(row.id)
            if row is not None and equal in {Equal.REPEAT, Equal.BLOCKED}:
                return acts.answer(row, repeated=True)
            if equal is Equal.DECLINED:
                raise Declined
            if row is not None and equal is Equal.JOIN:
                if row.policy_revision == session.revision:
                    await self._desk.keep_link(row)
                    return _answer(row, page_url)
                await self._close(row, Move.REFUSE, "policy.changed")
            return _answer(await self._freeze(session, action, principal), page_url)

    async def _meet(self, effect: bytes, principal: str) -> tuple[Equal, OperationRow | None]:
        def work(tx: Transaction) -> tuple[tuple[str, ...], tuple[Equal, OperationRow | None]]:
            acts.abandon(tx)
            closed = bookkeeping.expire(tx)
            return closed, bookkeeping.find_equal(tx, effect=effect, principal=principal)

        closed, met = await self._custody.transact(work)
        await self._closed(closed)
        return met

    async def _freeze(self, session: Session, action: Action, principal: str) -> OperationRow:
        settings, now = session.settings, self._custody.clock.now()
        expires_at = now + settings.approval.expires_minutes * 60
        operation = freeze_action(action, settings.account, expires_at=expires_at)
        decoded = check_decoded(operation, None, effect=action)
        proposed = OperationRow(
            id=new_operation_id(),
            state=State.PROPOSED.value,
            principal=principal,
            tool=action.tool,
            intent=action.body.decode("utf-8"),
            effect_hash=operation.effect_hash,
            account=acts.ACCOUNT,
            created_at=now,
            changed_at=now,
            expires_at=expires_at,
        )
        frozen = frozen_row(proposed, decoded, facts=None, nonce=0, revision=session.revision, at=now)
        link_secret, link_hash = new_link_secret()

        def work(tx: Transaction) -> None:
            check_authorized(
                principal=principal,
                tool=action.tool,
                effect_hash=operation.effect_hash,
                principals=self._principals,
                open_operations=bookkeeping.open_count(tx, principal),
            )
            acts.check_room(tx, check_action(settings.policy, action.tool))
            permitted = check_permitted(
                settings.policy, decoded, revision=session.revision, facts=None, reserved=Reserved()
            )
            approval = approval_for(frozen, permitted, link_hash=link_hash, match_salt=secrets.token_bytes(16))
            bookkeeping.ask(tx, frozen, approval)

        with anyio.CancelScope(shield=True):
            await self._custody.transact(work)
            await self._desk.write_link(frozen.id, link_secret)
        return frozen

    async def _begin(self, session: Session, row: OperationRow, principal: str) -> MayAct:
        """Use the approval up; from here on the server may run the tool, once."""

        def work(tx: Transaction) -> None:
            acts.consume(
                tx,
                row.id,
                principal=principal,
                principals=self._principals,
                settings=session.settings,
                revision=session.revision,
            )

        with anyio.CancelScope(shield=True):
            try:
                async with self._custody.undisturbed(session):
                    await self._custody.transact_anchored(work)
            except (Expired, PolicyDenied, OverBudget) as error:
                await self._close(row, Move.EXPIRE if isinstance(error, Expired) else Move.REFUSE, error.code)
                raise
        return MayAct(operation=row.id)

    async def _close(self, row: OperationRow, move: Move, code: str) -> None:
        await self._custody.transact(lambda tx: bookkeeping.close_unmoved(tx, row, move, code=code))
        await self._closed((row.id,))

    async def _kept(self, operation: str, result: str | None) -> str | None:
        """The result as the store keeps it: canonical, short, and without a secret."""
        if result is None or len(result) > MAX_RESULT:
            return None
        try:
            payload = strict_json.loads(result.encode())
            released = check_released(payload, fingerprints=self._custody.fingerprints)
            return canonical_bytes(released.payload).decode("utf-8")
        except ValueError:
            raise InvalidInput("invalid_input", detail="a result is JSON") from None
        except Tampered:
            await note_incident(self._custody, operation)
            return None


def _answer(row: OperationRow, page_url: PageUrl) -> Acted | Pending | RefusedAnswer:
    return acts.answer(row, url=None if page_url is None else page_url(row.id))
