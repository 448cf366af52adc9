"""Actions: the guard's side of a tool that does something itself. Ask, approve, use up; the server runs it then, once.

The same steps as for a payment, but nothing is signed and no chain is asked: what is approved is the request in its
canonical form. Threat: T-001, T-006, T-009, T-013, T-014, T-018.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, final

import anyio

from mcp_wallet_guard import acts, strict_json
from mcp_wallet_guard.asking import Asking, Question
from mcp_wallet_guard.canonical import canonical_bytes
from mcp_wallet_guard.ceremony import Equal
from mcp_wallet_guard.clearsign.view import check_decoded
from mcp_wallet_guard.custody import Custody
from mcp_wallet_guard.errors import GuardError, InvalidInput, Tampered
from mcp_wallet_guard.evidence import OperationRow
from mcp_wallet_guard.exchange import MAX_RESULT, Acted, ActionProposal, ActOutcome, MayAct, Pending, RefusedAnswer
from mcp_wallet_guard.execution import note_incident
from mcp_wallet_guard.filters.outbound import check_released
from mcp_wallet_guard.operations.actions import Action, action_hash, freeze_action, parse_action
from mcp_wallet_guard.policy.engine import Reserved, check_action, check_permitted
from mcp_wallet_guard.proofs import Permitted
from mcp_wallet_guard.refusals import Refusals
from mcp_wallet_guard.session import Session
from mcp_wallet_guard.stores.base import Transaction

ActAnswer = MayAct | Acted | Pending | RefusedAnswer
PageUrl = Callable[[str], str] | None


@final
class Actions:
    """Drives actions, one transaction at a time."""

    def __init__(self, custody: Custody, asking: Asking, refusals: Refusals, /) -> None:
        self._custody: Final = custody
        self._asking: Final = asking
        self._refusals: Final = refusals

    async def act(self, proposal: ActionProposal, /, *, wait_seconds: float, page_url: PageUrl) -> ActAnswer:
        """Ask for an action, or join, begin or repeat an equal one. Every refusal is an answer."""
        tool = "action"
        try:
            action = parse_action(proposal.body.encode())
            tool = action.tool
            ask = partial(self._ask, action, proposal.principal, page_url)
            return await self._asking.waited(ask, seconds=wait_seconds)
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
        effect = action_hash(action, session.settings.account)
        self._asking.check_caller(principal=principal, tool=action.tool, effect=effect)
        check_action(session.settings.policy, action.tool)
        async with self._asking.lock:
            session = self._custody.session()
            effect = action_hash(action, session.settings.account)
            equal, row = await self._asking.met(session, effect, principal, first=acts.abandon)
            if row is None:
                return _answer(await self._freeze(session, action, principal), page_url)
            if equal is Equal.EXECUTE:
                try:
                    return await self._begin(session, row, principal)
                finally:
                    self._asking.wake(row.id)
            return acts.answer(row, repeated=True) if equal is not Equal.JOIN else _answer(row, page_url)

    async def _freeze(self, session: Session, action: Action, principal: str) -> OperationRow:
        settings, now = session.settings, self._custody.clock.now()
        expires_at = now + settings.approval.expires_minutes * 60
        decoded = check_decoded(freeze_action(action, settings.account, expires_at=expires_at), None, effect=action)
        question = Question(
            principal=principal,
            tool=action.tool,
            intent=action.body.decode("utf-8"),
            account=acts.ACCOUNT,
            decoded=decoded,
            facts=None,
            at=now,
        )

        def permit(tx: Transaction) -> Permitted:
            acts.check_room(tx, check_action(settings.policy, action.tool))
            return check_permitted(settings.policy, decoded, revision=session.revision, facts=None, reserved=Reserved())

        return await self._asking.ask(session, question, permit=permit)

    async def _begin(self, session: Session, row: OperationRow, principal: str) -> MayAct:
        """Use the approval up; from here on the server may run the tool, once."""

        def work(tx: Transaction) -> None:
            acts.consume(
                tx,
                row.id,
                principal=principal,
                principals=self._asking.principals,
                settings=session.settings,
                revision=session.revision,
            )

        async def begun(_: None) -> MayAct:
            return MayAct(operation=row.id)

        return await self._asking.use_up(session, row, work, then=begun)

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
