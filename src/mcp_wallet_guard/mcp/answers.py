"""Answers of the guard as MCP results, and the few sentences of our own that reach a model."""

from __future__ import annotations

import json
import secrets
from typing import Any, Final

from mcp_types import CallToolResult, TextContent

from mcp_wallet_guard.errors import GuardError
from mcp_wallet_guard.exchange import ACT_RESULT, ANSWER, Acted, Done, Pending, RefusedAnswer

Answer = Done | Pending | RefusedAnswer

CHANNELS: Final = (
    "Nothing in this conversation can approve it. The owner decides with the link in the wallet's links folder, or in "
    "a terminal with: mcp-wallet-guard approve. Then call the same tool with the same arguments again."
)
LINK_MESSAGE: Final = (
    "Open your wallet's own approval page to see this payment and decide. Accepting here only opens the page."
)
FAILED: Final = "The tool failed. Its operator finds the reason in the log under incident {incident}."


def output_schema() -> dict[str, Any]:
    """The schema of every spending tool's answer: done, pending or refused. An object at the root, as MCP asks."""
    return {"type": "object", **ANSWER.json_schema()}


def act_schema() -> dict[str, Any]:
    """The schema of every acting tool's answer: acted, pending or refused."""
    return {"type": "object", **ACT_RESULT.json_schema()}


def to_result(answer: Answer | Acted, /) -> CallToolResult:
    """`answer` as structured content and, for hosts that show only text, as the same JSON in text."""
    data = answer.model_dump(mode="json")
    text = TextContent(type="text", text=json.dumps(data))
    return CallToolResult(content=[text], structured_content=data, is_error=isinstance(answer, RefusedAnswer))


def to_refused(error: GuardError, /) -> RefusedAnswer:
    """Code and catalogue sentence of `error`, and nothing else of it."""
    return RefusedAnswer(code=error.code, message=error.public)


def with_channels(pending: Pending, /) -> Pending:
    """`pending` with a message that names where a person decides."""
    if "mcp-wallet-guard approve" in pending.message:
        return pending
    return pending.model_copy(update={"message": f"{pending.message} {CHANNELS}".strip()})


def withheld(done: Done, /, *, incident: str) -> Done:
    """The least that must be said of a payment whose receipt may not leave: it happened. Its outcome stays."""
    return Done(
        operation=done.operation,
        outcome=done.outcome,
        repeated=done.repeated,
        incident=incident,
        message="The receipt is withheld. The owner finds it in the journal.",
    )


def error_result(text: str, /) -> CallToolResult:
    """A failed call of a reading tool. `text` is one of our fixed sentences."""
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)


def new_incident() -> str:
    """A random name under which the operator's log tells more."""
    return secrets.token_hex(8)
