"""Asking the person of a call, in both protocol eras: what the guard holds back is proposed again after the answer.

A client of 2026-07-28 is given the question as a result, and calls again with the state that came with it; one of
2025-11-25 is asked within the call. The state authorises nothing and selects nothing: it says only that the question
was asked already. The guard finds the operation by principal and effect. Why this is enough: docs/adr/0302.
Threat: T-004, T-011, T-012, T-013.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from mcp_types import InputRequiredResult

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.exchange import Pending
from mcp_wallet_guard.mcp.answers import with_channels
from mcp_wallet_guard.mcp.elicitation import Host

Key = tuple[str, str, str]
"""One call: principal, tool, and a digest of the arguments."""
A = TypeVar("A")


async def ask(
    host: Host,
    propose: Callable[[float], Awaitable[A]],
    /,
    *,
    key: Key,
    intent: dict[str, str],
    wait: float,
) -> A | Pending | InputRequiredResult:
    """Propose, and ask the person through `host` when the guard waits for one. `propose` takes the seconds that it may
    wait for the answer; `wait` is how many this call has.

    Raises what `propose` does, and InvalidInput("invalid_input.id"), before anything is proposed, for a state that was
    made for another call than `key` with `intent`.
    """
    asked = _was_asked(host.state, key=key, intent=intent)
    answer = await propose(wait if asked and host.opened else 0)
    if isinstance(answer, Pending) and answer.url is not None and not asked and not answer.approved:
        if host.takes_rounds:
            return host.ask_by_round(url=answer.url, state=_state(answer.operation, key=key, intent=intent))
        if host.takes_requests:
            answer = await _ask_within(host, propose, answer, wait=wait)
    return with_channels(answer) if isinstance(answer, Pending) else answer


async def _ask_within(host: Host, propose: Callable[[float], Awaitable[A]], pending: Pending, *, wait: float) -> A:
    started = anyio.current_time()
    opened = await host.ask_by_request(pending, seconds=wait)
    left = wait - (anyio.current_time() - started)
    answer = await propose(max(left, 0) if opened else 0)
    if not isinstance(answer, Pending):
        await host.tell_complete(pending.operation)
    return answer


def _was_asked(state: str | None, *, key: Key, intent: dict[str, str]) -> bool:
    """Whether the client brought back the state of this very call. Raises InvalidInput("invalid_input.id") for one that
    was made for another."""
    if state is None:
        return False
    operation = state.partition("~")[0]
    if not hmac.compare_digest(state.encode(), _state(operation, key=key, intent=intent).encode()):
        raise InvalidInput("invalid_input.id", detail="a state that was made for another call")
    return True


def _state(operation: str, *, key: Key, intent: dict[str, str]) -> str:
    """The opaque id and a digest of what it was made for. The SDK seals it; both hold without the seal."""
    made_for = json.dumps([operation, *key, intent], sort_keys=True)
    return f"{operation}~{hashlib.sha256(made_for.encode()).hexdigest()}"
