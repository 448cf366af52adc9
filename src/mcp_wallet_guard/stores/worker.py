"""Worker: the one thread that a store blocks in.

anyio's own way into a thread serves any number of threads and costs about 0.4 ms of CPU; a store has one, and a payment
goes there nine times. Calls run one after another, in the order in which they came. Threat: T-100.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Final, TypeVar, final

import anyio
import anyio.to_thread

T = TypeVar("T")
_Call = tuple[Callable[[], Any], asyncio.AbstractEventLoop, "asyncio.Future[Any]"]
_Queue = SimpleQueue[_Call | None]
_running_loop: Final = asyncio.get_running_loop
"""By a name of its own, so that a test can play a loop that is not asyncio's."""


@final
class Worker:
    """Starts its thread at the first call and ends it with `stop`, or when nobody has the worker any more."""

    def __init__(self, name: str, /) -> None:
        self._name: Final = name
        self._turn: Final = anyio.Lock(fast_acquire=True)
        self._busy: Final = threading.Lock()
        self._queue: _Queue | None = None

    async def run(self, call: Callable[[], T], /) -> T:
        """The result of `call`, made in the thread; what it raises is raised here.

        A caller that is cancelled before its turn has no effect; afterwards the call runs to its end, and its result is
        returned.
        """

        def alone() -> T:
            # A task that asyncio itself cancels gives its turn back while its call still runs: `_turn` keeps the
            # order of those that wait, this lock keeps one call at a time, in whatever thread.
            with self._busy:
                return call()

        async with self._turn:
            try:
                loop = _running_loop()
            except RuntimeError:  # another event loop's thread
                return await anyio.to_thread.run_sync(alone)
            answer: asyncio.Future[T] = loop.create_future()
            with anyio.CancelScope(shield=True):
                self._started().put((alone, loop, answer))
                await answer
        return answer.result()

    def stop(self) -> None:
        """End the thread after the call that it runs. Idempotent; the next call starts another."""
        queue, self._queue = self._queue, None
        if queue is not None:
            queue.put(None)

    def _started(self) -> _Queue:
        if self._queue is None:
            self._queue = SimpleQueue()
            threading.Thread(target=_serve, args=(self._queue,), name=self._name, daemon=True).start()
            weakref.finalize(self, self._queue.put, None)
        return self._queue


def _serve(queue: _Queue) -> None:
    """The thread. It holds the queue and not the worker, so that the worker can go."""
    while (item := queue.get()) is not None:
        call, loop, answer = item
        result: Any = None
        failure: BaseException | None = None
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001  # it is raised where the call was made
            failure = error
        try:
            loop.call_soon_threadsafe(_answer, answer, result, failure)
        except RuntimeError:
            pass  # the loop was closed meanwhile: nobody asks any more
        del item, call, loop, answer, result, failure  # else they would live until the next call


def _answer(answer: asyncio.Future[Any], result: object, failure: BaseException | None) -> None:
    if answer.cancelled():
        return
    if failure is None:
        answer.set_result(result)
    else:
        answer.set_exception(failure)
