"""Handing a person the approval page's address through the host: a convenience that approves nothing.

A host may accept for its user at once, decline, lie or hang. "accept" says only that the page may be open; the answer
comes from the guard. A mode that the client did not declare is never sent. Source: MCP 2025-11-25 and 2026-07-28,
client/elicitation. Threat: T-004, T-005, T-013, T-112.
"""

from __future__ import annotations

from typing import Any, Final, final

import anyio
from mcp.server.mcpserver import Context
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitRequest, ElicitRequestURLParams, ElicitResult, InputRequiredResult
from mcp_types.version import is_version_at_least
from pydantic import ValidationError

from mcp_wallet_guard.exchange import Pending
from mcp_wallet_guard.mcp.answers import LINK_MESSAGE

URL_SINCE: Final = "2025-11-25"
ROUNDS_SINCE: Final = "2026-07-28"
QUESTION: Final = "approval_page"


@final
class Host:
    """The client of one call of `tool`, as far as asking goes. A nested call has no client of its own."""

    def __init__(self, context: Context[Any, Any], /, *, tool: str) -> None:
        self._context = context
        self._own = _is_call_of(context, tool)

    @property
    def state(self) -> str | None:
        """What an earlier round gave the client to bring back."""
        return self._context.request_state if self._own else None

    @property
    def opened(self) -> bool:
        """Whether the client says that its user opened the page. Nothing more follows from it."""
        if self.state is None:
            return False  # answers to a question that was not asked (T-013)
        answer = (self._context.input_responses or {}).get(QUESTION)
        return isinstance(answer, ElicitResult) and answer.action == "accept"

    @property
    def takes_rounds(self) -> bool:
        """Whether the client answers questions by calling again (2026-07-28)."""
        return self._declares_url() and is_version_at_least(self._version(), ROUNDS_SINCE)

    @property
    def takes_requests(self) -> bool:
        """Whether the client answers questions within a call (2025-11-25)."""
        return self._declares_url() and not is_version_at_least(self._version(), ROUNDS_SINCE)

    def ask_by_round(self, *, url: str, state: str) -> InputRequiredResult:
        """The question as a result."""
        params = ElicitRequestURLParams(message=LINK_MESSAGE, url=url)
        return InputRequiredResult(input_requests={QUESTION: ElicitRequest(params=params)}, request_state=state)

    async def ask_by_request(self, pending: Pending, /, *, seconds: float) -> bool:
        """The question as a request. Whether the client says, within `seconds`, that the page was opened."""
        if pending.url is None:
            return False
        with anyio.move_on_after(seconds):
            try:
                result = await self._context.session.elicit_url(
                    LINK_MESSAGE, pending.url, pending.operation, related_request_id=self._context.request_id
                )
            except (MCPError, ValidationError):
                return False  # it declared a mode that it does not have; the guard stays closed
            return bool(result.action == "accept")
        return False

    async def tell_complete(self, operation: str, /) -> None:
        """Say that the page is done with, as 2025-11-25 asks. Nobody has to listen."""
        try:
            await self._context.session.send_elicit_complete(operation, related_request_id=self._context.request_id)
        except MCPError:
            pass

    def _version(self) -> str:
        return self._context.protocol_version or ""

    def _declares_url(self) -> bool:
        if not self._own or not is_version_at_least(self._version(), URL_SINCE):
            return False
        declared = self._context.client_capabilities
        elicitation = None if declared is None else declared.elicitation
        return elicitation is not None and elicitation.url is not None


def _is_call_of(context: Context[Any, Any], tool: str) -> bool:
    try:
        request = context.request_context
    except ValueError:
        return False
    return request.method == "tools/call" and (request.params or {}).get("name") == tool
