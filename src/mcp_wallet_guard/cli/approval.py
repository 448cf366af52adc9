"""``approve``, ``decline``, ``requests``: the owner answers without a browser, on the controlling terminal.

The view, the match code and the question go to the terminal; standard output says only how it ended. Threat: T-004.
"""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard.approvals.terminal import Terminal, ask_on_terminal, controlling_terminal
from mcp_wallet_guard.cli.invocation import Invocation
from mcp_wallet_guard.cli.output import Report
from mcp_wallet_guard.daemon.client import ControlClient
from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.evidence import Channel
from mcp_wallet_guard.exchange import ApprovalRequest

UNDECIDED: Final = 1
NOTHING: Final = Report(fields={"operation": None, "outcome": "nothing_waits"}, lines=("Nothing waits for an answer.",))


def approve(invocation: Invocation, /) -> Report:
    """Show one request and take the answer. Raises Unavailable("unavailable.terminal") without a terminal, and
    what the guard raises. Exit status 1 when nothing was decided."""
    with controlling_terminal() as terminal:

        async def work(client: ControlClient) -> Report:
            operation = await _choose(client, terminal, invocation.options.id)
            if operation is None:
                return NOTHING
            outcome = await ask_on_terminal(client, operation, terminal=terminal, clock=invocation.clock)
            return _answered(operation, outcome.value)

        return invocation.control(work)


def decline(invocation: Invocation, /) -> Report:
    """Show one request and, when the person types ``decline``, say no. Raises as `approve`."""
    with controlling_terminal() as terminal:

        async def work(client: ControlClient) -> Report:
            operation = await _choose(client, terminal, invocation.options.id)
            if operation is None:
                return NOTHING
            request = await client.request(operation)
            terminal.say(*request.text.split("\n"))
            if terminal.ask("To decline this, type decline: ").lower() != "decline":
                return _answered(operation, "left")
            await client.decline(operation, channel=Channel.TERMINAL)
            return _answered(operation, "declined")

        return invocation.control(work)


def requests(invocation: Invocation, /) -> Report:
    """What waits: ids, sentences and times; no match code. Raises Locked."""
    waiting = invocation.control(lambda client: client.requests())
    return Report(
        fields={"requests": [public(request) for request in waiting]},
        lines=tuple(f"{request.operation}  {request.view.intent}" for request in waiting) or NOTHING.lines,
    )


async def _choose(client: ControlClient, terminal: Terminal, asked: str | None) -> str | None:
    """The id that was given, the only one that waits, or the one that the person picks. None when nothing waits."""
    if asked is not None:
        return asked
    waiting = await client.requests()
    if len(waiting) < 2:
        return waiting[0].operation if waiting else None
    for number, request in enumerate(waiting, 1):
        terminal.say(f"{number}: {request.view.intent}  ({request.operation})")
    typed = terminal.ask(f"Which one (1 to {len(waiting)}): ")
    if not typed.isascii() or not typed.isdigit() or not 1 <= int(typed) <= len(waiting):
        raise InvalidInput("invalid_input.id")
    return waiting[int(typed) - 1].operation


def _answered(operation: str, outcome: str) -> Report:
    said = {"approved": "Approved.", "declined": "Declined. Nothing was signed.", "left": "Nothing was decided."}
    return Report(
        fields={"operation": operation, "outcome": outcome},
        lines=(said[outcome],),
        exit_status=UNDECIDED if outcome == "left" else 0,
    )


def public(request: ApprovalRequest, /) -> dict[str, object]:
    """What may be told of a request outside its channel: no match code."""
    return {
        "operation": request.operation,
        "intent": request.view.intent,
        "tool": request.tool,
        "expires_at": request.expires_at,
    }
