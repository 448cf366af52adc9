"""A tool that does something itself: asked, approved outside this conversation, and run at most once.

What is approved is the tool and its validated arguments in canonical form; the handler's body runs with exactly those,
after the guard said `MayAct`, which it says once. However the run ends, the guard is told.
Threat: T-001, T-004, T-009, T-011.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, final

import anyio
from mcp_types import InputRequiredResult

from mcp_wallet_guard.errors import GuardError, Misconfigured, Tampered
from mcp_wallet_guard.exchange import MAX_RESULT, Acted, ActionProposal, ActOutcome, MayAct, Pending, RefusedAnswer
from mcp_wallet_guard.filters.outbound import check_released
from mcp_wallet_guard.mcp import answers
from mcp_wallet_guard.mcp.asking import ask
from mcp_wallet_guard.mcp.ceremonies import PRINCIPAL
from mcp_wallet_guard.mcp.elicitation import Host
from mcp_wallet_guard.mcp.link import GuardLink
from mcp_wallet_guard.mcp.rehearsal import as_json
from mcp_wallet_guard.operations.actions import Action, parse_action

logger: Final = logging.getLogger(__name__)

TOLD_BY_US: Final = "The tool ran, and the guard could not be told how it ended."
_Answer = MayAct | Acted | Pending | RefusedAnswer


@final
class Acts:
    """Actions of one protected server. It remembers nothing: the guard finds an action by what it is."""

    def __init__(self, link: GuardLink, /, *, wait_seconds: float) -> None:
        self._link: Final = link
        self._wait: Final = wait_seconds

    async def act(
        self, *, tool: str, arguments: dict[str, Any], host: Host, body: Callable[[], Awaitable[object]]
    ) -> Acted | Pending | RefusedAnswer | InputRequiredResult:
        """Ask for the action, and run `body` if this call is the one that may.

        Raises GuardError: of the guard's link, and InvalidInput for arguments that have no canonical form.
        """
        proposal = ActionProposal(principal=PRINCIPAL, body=_body(tool, arguments))
        key = (PRINCIPAL, tool, hashlib.sha256(proposal.body.encode()).hexdigest())
        answer = await ask(host, partial(self._propose, proposal), key=key, intent={}, wait=self._wait)
        return await self._run(answer.operation, tool, body) if isinstance(answer, MayAct) else answer

    async def _propose(self, proposal: ActionProposal, seconds: float) -> _Answer:
        async with self._link.port() as port:
            return await port.act(proposal, wait_seconds=seconds)

    async def _run(self, operation: str, tool: str, body: Callable[[], Awaitable[object]]) -> Acted:
        """Run the body. Nothing is refused from here on: whatever happens, the caller and the guard are told."""
        outcome: ActOutcome = "unknown"
        result: Any = None
        incident: str | None = None
        try:
            returned = await body()
            outcome = "carried_out"
            result, incident = await self._released(returned, tool)
        except Exception:  # the author's code: its text stays in the log
            outcome, incident = "failed", answers.new_incident()
            logger.exception("tool %s failed (incident %s)", tool, incident)
        finally:
            # A cancelled call has begun something: the guard hears that nobody knows how it ended.
            with anyio.CancelScope(shield=True):
                told = await self._tell(operation, outcome, result)
        return told.model_copy(update={"result": result, "incident": incident})

    async def _released(self, returned: object, tool: str) -> tuple[Any, str | None]:
        """The result as JSON, or the incident under which the log says why it is withheld."""
        try:
            payload = as_json(returned)
            fingerprints = self._link.recent or await self._link.fingerprints()
            return check_released(payload, fingerprints=fingerprints, returned=returned).payload, None
        except Exception as error:  # noqa: BLE001  # it ran: a result that cannot be told is withheld, no more
            incident = answers.new_incident()
            detail = error.detail if isinstance(error, Tampered) else type(error).__name__
            logger.warning("the result of %s is withheld (incident %s): %s", tool, incident, detail)
            return None, incident

    async def _tell(self, operation: str, outcome: ActOutcome, result: Any) -> Acted:
        text = None if result is None else json.dumps(result, allow_nan=False)
        kept = text if text is not None and len(text) <= MAX_RESULT else None
        try:
            async with self._link.port() as port:
                answer = await port.acted(operation, principal=PRINCIPAL, outcome=outcome, result=kept)
        except GuardError as error:
            logger.warning("how %s ended could not be told: %s", operation, error.code)
        else:
            if isinstance(answer, Acted):
                return answer
        return Acted(operation=operation, outcome=outcome, message=TOLD_BY_US)


def _body(tool: str, arguments: dict[str, Any]) -> str:
    try:
        body = Action(tool, {name: as_json(value) for name, value in arguments.items()}).body
    except GuardError:
        raise
    except Exception as error:  # noqa: BLE001  # a type of the author's that JSON cannot say
        raise Misconfigured("misconfigured.tool", detail=f"an argument has no JSON ({type(error).__name__})") from None
    parse_action(body)
    return body.decode("utf-8")
