"""A spending call, from arguments to answer, in both protocol eras.

The handler's body runs once per ceremony. What it returned is remembered, in memory and bounded, under (principal,
tool, arguments) for as long as the guard would join or repeat it; a retry proposes the remembered intent. A fresh
process remembers nothing and runs the body again: then the intent must be the one that the client's state was made
for, or the call is refused before anything is proposed. Threat: T-001, T-004, T-009, T-011, T-014.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, final

import anyio
from mcp_types import InputRequiredResult

from mcp_wallet_guard.errors import Misconfigured
from mcp_wallet_guard.exchange import MAX_WAIT_SECONDS, Done, Pending, Proposal, RefusedAnswer
from mcp_wallet_guard.mcp.answers import Answer
from mcp_wallet_guard.mcp.asking import Key, ask
from mcp_wallet_guard.mcp.elicitation import Host
from mcp_wallet_guard.mcp.link import GuardLink
from mcp_wallet_guard.mcp.settlements import Settlements
from mcp_wallet_guard.operations.intents import INTENTS, Intent, to_json

PRINCIPAL: Final = "local"
"""Over stdio there is one principal: the owner of the process."""

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
        self._memory: OrderedDict[Key, _Remembered] = OrderedDict()

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
        proposal = Proposal(principal=PRINCIPAL, tool=tool, intent=intent)
        return await ask(host, partial(self._propose, proposal, key), key=key, intent=intent, wait=self._wait)

    async def _propose(self, proposal: Proposal, key: Key, seconds: float) -> Answer:
        async with self._link.port() as port:
            answer = await port.propose(proposal, wait_seconds=seconds)
        self._settlements.heard(proposal.tool, answer, principal=proposal.principal)
        self._remember(key, intent=proposal.intent, answer=answer)
        return answer

    async def _recall(self, key: Key) -> dict[str, str] | None:
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

    def _remember(self, key: Key, *, intent: dict[str, str], answer: Answer) -> None:
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


def _checked(intent: object) -> Intent:
    for kind in INTENTS:
        if type(intent) is kind:
            return intent
    raise Misconfigured("misconfigured.tool", detail="the handler did not return an intent")
