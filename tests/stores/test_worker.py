"""The store's thread: one call at a time, in order, to its end, and gone when nobody needs it.

Threat: T-100.
"""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from typing import NoReturn

import anyio
import anyio.to_thread
import pytest

from mcp_wallet_guard.stores import worker as module
from mcp_wallet_guard.stores.worker import Worker

pytestmark = pytest.mark.anyio

NAME = "the worker of a test"


def threads() -> int:
    return sum(thread.name == NAME for thread in threading.enumerate())


def none_left() -> bool:
    deadline = time.monotonic() + 5
    while threads() and time.monotonic() < deadline:
        time.sleep(0.001)
    return threads() == 0


async def test_calls_run_in_one_other_thread_in_the_order_in_which_they_came() -> None:
    worker, seen = Worker(NAME), list[tuple[int, int]]()

    async def call(number: int) -> None:
        await worker.run(lambda: seen.append((number, threading.get_ident())))

    async with anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(call, number)
    assert [number for number, _ in seen] == list(range(20))
    (ident,) = {ident for _, ident in seen}
    assert ident != threading.get_ident()
    worker.stop()


async def test_results_and_errors_come_back() -> None:
    worker = Worker(NAME)

    def fails() -> NoReturn:
        raise KeyError("the reason")

    def leaves() -> NoReturn:
        raise SystemExit(3)

    assert await worker.run(lambda: "a result") == "a result"
    with pytest.raises(KeyError, match="the reason"):
        await worker.run(fails)
    with pytest.raises(SystemExit):
        await worker.run(leaves)
    assert await worker.run(lambda: 7) == 7, "the thread ended with an error"
    worker.stop()


async def test_a_caller_that_is_cancelled_before_its_turn_has_no_effect() -> None:
    worker, seen, gate = Worker(NAME), list[str](), threading.Event()

    def second() -> None:
        seen.append("second")

    def first() -> None:
        gate.wait(5)
        seen.append("first")

    async with anyio.create_task_group() as group:
        group.start_soon(worker.run, first)
        await anyio.sleep(0.05)
        with anyio.move_on_after(0.05) as scope:
            await worker.run(second)
        assert scope.cancelled_caught
        gate.set()
    await worker.run(lambda: None)
    assert seen == ["first"]
    worker.stop()


async def test_a_caller_that_is_cancelled_in_its_turn_gets_its_result_all_the_same() -> None:
    worker, got = Worker(NAME), list[str]()

    def slow() -> str:
        time.sleep(0.3)
        return "done"

    with anyio.move_on_after(0.05) as scope:
        got.append(await worker.run(slow))
    assert scope.cancel_called
    assert got == ["done"]
    worker.stop()


async def test_a_task_that_asyncio_cancels_leaves_its_call_alone_in_the_thread() -> None:
    worker, running, most = Worker(NAME), list[int](), list[int]()

    def call() -> None:
        running.append(1)
        most.append(len(running))
        time.sleep(0.1)
        running.pop()

    first = asyncio.ensure_future(worker.run(call))
    await anyio.sleep(0.05)
    first.cancel()
    worker.stop()  # the next call gets another thread
    await worker.run(call)
    assert most == [1, 1]
    with pytest.raises(asyncio.CancelledError):
        await first
    worker.stop()


async def test_the_thread_ends_with_stop_and_starts_again() -> None:
    worker = Worker(NAME)
    assert threads() == 0, "a thread before the first call"
    await worker.run(lambda: None)
    assert threads() == 1
    worker.stop()
    worker.stop()
    assert none_left()
    assert await worker.run(lambda: "again") == "again"
    worker.stop()
    assert none_left()


async def test_the_thread_ends_when_nobody_has_the_worker() -> None:
    worker = Worker(NAME)
    await worker.run(lambda: None)
    del worker
    gc.collect()
    assert none_left()


async def test_nothing_of_a_call_stays_in_the_thread() -> None:
    worker = Worker(NAME)

    class Large:
        pass

    gone = threading.Event()
    weakref.finalize(await worker.run(Large), gone.set)
    assert await anyio.to_thread.run_sync(gone.wait, 5)
    worker.stop()


def test_a_loop_that_is_gone_does_not_end_the_thread() -> None:
    worker, gate = Worker(NAME), threading.Event()

    async def leave() -> None:
        task = asyncio.ensure_future(worker.run(lambda: gate.wait(5)))
        await asyncio.sleep(0.05)
        task.cancel()

    asyncio.run(leave())
    gate.set()

    async def come_back() -> str:
        return await worker.run(lambda: "served")

    assert asyncio.run(come_back()) == "served"
    worker.stop()


async def test_without_asyncio_the_call_goes_through_anyio(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another event loop has no `call_soon_threadsafe`: anyio knows its way there."""

    def no_loop() -> NoReturn:
        raise RuntimeError("no running event loop")

    worker = Worker(NAME)
    with monkeypatch.context() as patch:
        patch.setattr(module, "_running_loop", no_loop)
        assert await worker.run(threading.get_ident) != threading.get_ident()
    assert threads() == 0
