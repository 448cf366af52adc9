"""What became of a spend, for its author: `on_settled` handlers, and the one task of a server that calls them.

An operation is watched when this process proposed it and its answer was not the last word. Watching asks the guard and
decides nothing; a handler is told and alters nothing. All of it is in memory: after a restart nobody remembers.
Threat: T-057, T-060.
"""

from __future__ import annotations

import inspect
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol, final

import anyio
import anyio.abc
import anyio.to_thread

from mcp_wallet_guard.errors import GuardError
from mcp_wallet_guard.exchange import Done, Pending, RefusedAnswer, Settled
from mcp_wallet_guard.filters.outbound import check_released
from mcp_wallet_guard.mcp.answers import Answer, new_incident
from mcp_wallet_guard.mcp.handlers import refuse
from mcp_wallet_guard.mcp.link import GuardLink

logger: Final = logging.getLogger(__name__)

FIRST_SECONDS: Final = 2.0
LONGEST_SECONDS: Final = 60.0
MOST_WATCHED: Final = 256
REMEMBERED: Final = 1024
"""Operations whose handler was called: an answer that comes again calls it no second time."""
THREADS: Final = 4

OnSettled = Callable[[Settled], Awaitable[None] | None]


class Timer(Protocol):
    """The time of the watching task."""

    def now(self) -> float:
        """Seconds since some moment."""
        ...

    async def wait(self, event: anyio.Event, /, *, until: float | None) -> None:
        """Until the event is set, or the time has come."""
        ...


@final
class LoopTimer:
    """The clock of the event loop."""

    def now(self) -> float:
        """See `Timer.now`."""
        return anyio.current_time()

    async def wait(self, event: anyio.Event, /, *, until: float | None) -> None:
        """See `Timer.wait`."""
        with anyio.CancelScope(deadline=float("inf") if until is None else until):
            await event.wait()


def check_on_settled(handler: OnSettled, /, *, tool: str) -> None:
    """Raises Misconfigured("misconfigured.tool") for what is no function of one value."""
    if not (inspect.isfunction(handler) or inspect.ismethod(handler)):
        refuse(f"on_settled of {tool!r} is a function")
    try:
        inspect.signature(handler).bind(object())
    except TypeError:
        refuse(f"on_settled of {tool!r} takes one value")


@final
@dataclass(slots=True)
class _Watched:
    tool: str
    principal: str
    due: float
    pause: float = FIRST_SECONDS
    answer: Done | RefusedAnswer | None = None
    telling: bool = False


@final
class Settlements:
    """The handlers of one server's tools, and the operations that they wait for."""

    def __init__(self, link: GuardLink, timer: Timer, /) -> None:
        self._link = link
        self._timer = timer
        self._handlers: dict[str, OnSettled] = {}
        self._watched: OrderedDict[str, _Watched] = OrderedDict()
        self._told: OrderedDict[str, None] = OrderedDict()
        self._changed = anyio.Event()
        self._turn = anyio.Lock()

    def add(self, tool: str, handler: OnSettled, /) -> None:
        """From now on `handler`, which passed `check_on_settled`, is told of the tool's operations."""
        self._handlers[tool] = handler

    def heard(self, tool: str, answer: Answer, /, *, principal: str) -> None:
        """An answer of the guard to a proposal of this process. Never waits and never raises.

        A repeated answer about an operation that is not watched is about an earlier process's, or was told already.
        """
        operation = answer.operation
        if tool not in self._handlers or operation is None or operation in self._told:
            return
        watched = self._watched.get(operation)
        if watched is None:
            if isinstance(answer, Done) and answer.repeated:
                return
            if len(self._watched) >= MOST_WATCHED:
                logger.warning("on_settled of %s will not be called for operation %s: too many wait", tool, operation)
                return
            due = self._timer.now() + FIRST_SECONDS
            watched = self._watched[operation] = _Watched(tool, principal, due)
        if not watched.telling:
            watched.answer = _final(answer)
            self._changed.set()

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Inside the block handlers are called. Handlers that run when it ends are cancelled."""
        failure: Exception | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch)
            try:
                yield
            except Exception as error:  # noqa: BLE001  # the server's own: it leaves as it came, and not in a group
                failure = error
            tasks.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _watch(self) -> None:
        # Two clients in one process make two lives of one server: one watches, the other waits for its turn.
        async with self._turn:
            threads = anyio.CapacityLimiter(THREADS)
            try:
                async with anyio.create_task_group() as tasks:
                    while True:
                        await self._round(tasks, threads)
            finally:
                # A handler that was cut off is not called again: it may have done half of its work.
                for operation in [name for name, each in self._watched.items() if each.telling]:
                    self._forget(operation)

    async def _round(self, tasks: anyio.abc.TaskGroup, threads: anyio.CapacityLimiter) -> None:
        self._changed = changed = anyio.Event()
        for operation, watched in list(self._watched.items()):
            if watched.answer is None and not watched.telling and watched.due <= self._timer.now():
                await self._ask(operation, watched)
            if watched.answer is not None and not watched.telling:
                watched.telling = True
                tasks.start_soon(self._tell, operation, watched, watched.answer, threads)
        due = [each.due for each in self._watched.values() if not each.telling]
        await self._timer.wait(changed, until=min(due, default=None))

    async def _ask(self, operation: str, watched: _Watched) -> None:
        try:
            async with self._link.port() as port:
                answer = await port.outcome(operation, principal=watched.principal)
        except Exception as error:  # noqa: BLE001  # a port of somebody's own: nothing of it ends the server
            told = error.code if isinstance(error, GuardError) else type(error).__name__
            logger.info("the guard does not tell of operation %s: %s", operation, told)
            answer = None
        if answer is not None:
            watched.answer = watched.answer or _final(answer)
            if isinstance(answer, RefusedAnswer) and answer.code == "invalid_input.id":
                self._forget(operation)  # the guard has another store now, or retired it
        watched.pause = min(watched.pause * 2, LONGEST_SECONDS)
        watched.due = self._timer.now() + watched.pause

    async def _tell(
        self, operation: str, watched: _Watched, answer: Done | RefusedAnswer, threads: anyio.CapacityLimiter
    ) -> None:
        try:
            settled = await self._settled(watched.tool, operation, answer)
            await _call(self._handlers[watched.tool], settled, threads=threads)
        except (Exception, SystemExit):
            # The author's code; the payment is what it is. The traceback passes the filter of `records.py`.
            logger.exception("on_settled of %s failed (incident %s)", watched.tool, new_incident())
        finally:
            self._forget(operation)

    async def _settled(self, tool: str, operation: str, answer: Done | RefusedAnswer) -> Settled:
        if isinstance(answer, RefusedAnswer):
            return Settled(operation=operation, tool=tool, outcome="refused", code=answer.code)
        told = answer.receipt or answer.signed or answer.withdrawal
        held = False
        if told is not None:
            try:
                payload, fingerprints = told.model_dump(mode="json"), await self._link.fingerprints()
                check_released(payload, fingerprints=fingerprints, returned=told)
            except GuardError as error:
                logger.warning("a receipt for on_settled of %s was withheld: %s", tool, error.code)
                held = True
        outcome: Any = answer.outcome
        settled = Settled(operation=operation, tool=tool, outcome=outcome)
        if held:
            return settled
        more = {"receipt": answer.receipt, "signed": answer.signed, "withdrawal": answer.withdrawal}
        return settled.model_copy(update=more)

    def _forget(self, operation: str) -> None:
        self._watched.pop(operation, None)
        self._told[operation] = None
        while len(self._told) > REMEMBERED:
            self._told.popitem(last=False)


def _final(answer: Answer) -> Done | RefusedAnswer | None:
    """The answer, if nothing follows it. A refusal about no operation says that the guard could not tell."""
    if isinstance(answer, Pending) or (isinstance(answer, RefusedAnswer) and answer.operation is None):
        return None
    return None if isinstance(answer, Done) and answer.outcome in {"sent", "unknown"} else answer


async def _call(handler: OnSettled, settled: Settled, *, threads: anyio.CapacityLimiter) -> None:
    if inspect.iscoroutinefunction(handler):
        await handler(settled)
        return
    # Threads of its own, so that tools never wait for one; left behind at shutdown, which waits for none.
    result = await anyio.to_thread.run_sync(handler, settled, limiter=threads, abandon_on_cancel=True)
    if inspect.isawaitable(result):
        await result
