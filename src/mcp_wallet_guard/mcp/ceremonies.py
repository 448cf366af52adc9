"""A spending call, from arguments to answer, in both protocol eras.

The handler's body runs once per ceremony. What it returned is remembered, in memory and bounded, under (principal,
tool, arguments) for as long as the guard would join or repeat it; a retry proposes the remembered intent. A fresh
process remembers nothing and runs the body again: then the intent must be the one that the client's state was made
for, or the call is refused before anything is proposed.

The client's state authorises nothing and selects nothing: it says only that the question was asked already. The guard
finds the operation by principal and effect. Why this is enough: docs/adr/0302.
Threat: T-001, T-004, T-009, T-011, T-012, T-013, T-014.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, final

import anyio
from mcp_types import InputRequiredResult

from mcp_wallet_guard.errors import InvalidInput, Misconfigured
from mcp_wallet_guard.exchange import Done, Pending, Proposal, RefusedAnswer
from mcp_wallet_guard.mcp.answers import Answer, with_channels
from mcp_wallet_guard.mcp.elicitation import Host
from mcp_wallet_guard.mcp.link import GuardLink
from mcp_wallet_guard.mcp.settlements import Settlements
from mcp_wallet_guard.operations.intents import INTENTS, Intent, to_json

PRINCIPAL: Final = "local"
"""Over stdio there is one principal: the owner of the process."""

MAX_WAIT_SECONDS: Final = 50.0
"""Common clients give up on a call after 60 seconds."""

REMEMBER_SECONDS: Final = 600.0
REMEMBER_ENTRIES: Final = 256
_OVER: Final = frozenset({"expired", "superseded", "declined", "invalid_input.id"})


@final
@dataclass(frozen=True, slots=True)
class _Remembered:
    intent: dict[str, str]
    operation: str
    until: float


@final
class Ceremonies:
    """What this process knows of spending calls under way."""

    def __init__(self, link: GuardLink, settlements: Settlements, /, *, wait_seconds: float) -> None:
        if not 0 <= wait_seconds <= MAX_WAIT_SECONDS:
            raise Misconfigured(detail=f"wait_seconds is 0 to {MAX_WAIT_SECONDS:g}")
        self._link = link
        self._settlements = settlements
        self._wait = wait_seconds
        self._memory: OrderedDict[tuple[str, str, str], _Remembered] = OrderedDict()

    async def spend(
        self, *, tool: str, arguments: str, host: Host, body: Callable[[], Awaitable[object]]
    ) -> Answer | InputRequiredResult:
        """Propose what `body` returns, and ask the person through `host` when the guard waits for one.

        Raises GuardError: of the guard's link, of the body, Misconfigured when the body returns no intent, and
        InvalidInput("invalid_input.id") for a state that was made for another call.
        """
        key = (PRINCIPAL, tool, hashlib.sha256(arguments.encode()).hexdigest())
        intent = await self._recall(key)
        if intent is None:
            intent = to_json(_checked(await body()))
        asked = was_asked(host.state, key=key, intent=intent)
        proposal = Proposal(principal=PRINCIPAL, tool=tool, intent=intent)
        answer = await self._propose(proposal, seconds=self._wait if asked and host.opened else 0)
        self._remember(key, intent=intent, answer=answer)
        if isinstance(answer, Pending) and answer.url is not None and not asked and not answer.approved:
            if host.takes_rounds:
                state = client_state(answer.operation, key=key, intent=intent)
                return host.ask_by_round(url=answer.url, state=state)
            if host.takes_requests:
                answer = await self._ask_within(host, proposal, answer)
                self._remember(key, intent=intent, answer=answer)
        return with_channels(answer) if isinstance(answer, Pending) else answer

    async def _ask_within(self, host: Host, proposal: Proposal, pending: Pending) -> Answer:
        started = anyio.current_time()
        opened = await host.ask_by_request(pending, seconds=self._wait)
        left = self._wait - (anyio.current_time() - started)
        answer = await self._propose(proposal, seconds=max(left, 0) if opened else 0)
        if not isinstance(answer, Pending):
            await host.tell_complete(pending.operation)
        return answer

    async def _propose(self, proposal: Proposal, *, seconds: float) -> Answer:
        async with self._link.port() as port:
            answer = await port.propose(proposal, wait_seconds=seconds)
        self._settlements.heard(proposal.tool, answer, principal=proposal.principal)
        return answer

    async def _recall(self, key: tuple[str, str, str]) -> dict[str, str] | None:
        """The intent of this call's open ceremony, if the guard still knows it as open or just done."""
        entry = self._memory.get(key)
        if entry is None:
            return None
        if entry.until > anyio.current_time():
            async with self._link.port() as port:
                stands = await port.status(entry.operation, principal=PRINCIPAL)
            if not (isinstance(stands, RefusedAnswer) and stands.code in _OVER):
                return entry.intent
        self._memory.pop(key, None)
        return None

    def _remember(self, key: tuple[str, str, str], *, intent: dict[str, str], answer: Answer) -> None:
        if not isinstance(answer, Pending | Done):
            self._memory.pop(key, None)
            return
        earlier = self._memory.pop(key, None)
        # A done payment is repeated by the guard for ten minutes from its end: the clock starts with each new state.
        same = earlier is not None and earlier.operation == answer.operation and isinstance(answer, Done)
        until = earlier.until if same and earlier is not None else anyio.current_time() + REMEMBER_SECONDS
        self._memory[key] = _Remembered(intent=intent, operation=answer.operation, until=until)
        while len(self._memory) > REMEMBER_ENTRIES:
            self._memory.popitem(last=False)


def was_asked(state: str | None, /, *, key: tuple[str, str, str], intent: dict[str, str]) -> bool:
    """Whether the client brought back the state of this very call. Raises InvalidInput("invalid_input.id") for one that
    was made for another."""
    if state is None:
        return False
    operation = state.partition("~")[0]
    if not hmac.compare_digest(state.encode(), client_state(operation, key=key, intent=intent).encode()):
        raise InvalidInput("invalid_input.id", detail="a state that was made for another call")
    return True


def _checked(intent: object) -> Intent:
    for kind in INTENTS:
        if type(intent) is kind:
            return intent
    raise Misconfigured("misconfigured.tool", detail="the handler did not return an intent")


def client_state(operation: str, /, *, key: tuple[str, str, str], intent: dict[str, str]) -> str:
    """The opaque id and a digest of what it was made for. The SDK seals it; both hold without the seal."""
    made_for = json.dumps([operation, *key, intent], sort_keys=True)
    return f"{operation}~{hashlib.sha256(made_for.encode()).hexdigest()}"
