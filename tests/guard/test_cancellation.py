"""A caller that goes away at any await: nothing half-way, and the next identical call comes to the end.

Threat: T-100.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import pytest

from mcp_wallet_guard.evidence import Channel
from mcp_wallet_guard.exchange import Pending
from mcp_wallet_guard.journal.events import Kind
from mcp_wallet_guard.testing.wallet import passphrase
from tests.guard.rig import ETHER, Rig, Wallet
from tests.invariants import check_guard

pytestmark = pytest.mark.anyio


class Steps:
    """Runs a coroutine by hand and calls `cancel` when it has waited `at` times: with each `at`, at every await."""

    def __init__(self, work: Coroutine[Any, Any, object], at: int, cancel: Callable[[], object]) -> None:
        self.work, self.at, self.cancel, self.waits = work, at, cancel, 0

    def __await__(self) -> Any:
        steps = self.work.__await__()
        value, failure = None, None
        while True:
            try:
                waited = steps.throw(failure) if failure is not None else steps.send(value)
            except StopIteration as end:
                return end.value
            failure = None
            if self.waits == self.at:
                self.cancel()
            self.waits += 1
            try:
                value = yield waited
            except BaseException as error:  # noqa: BLE001  # handed on into the coroutine, as an event loop does
                failure = error


async def cancelled_at(work: Coroutine[Any, Any, object], at: int) -> bool:
    """Cancel `work` at its await number `at`, as the MCP server and the daemon do; whether it had that many."""
    with anyio.CancelScope() as scope:
        steps = Steps(work, at, scope.cancel)
        await steps
    return steps.waits > at


async def killed_at(work: Coroutine[Any, Any, object], at: int) -> bool:
    """The same with a task's own cancel, which no shield of anyio keeps away: as a web server that is being stopped."""

    reached = False

    async def run() -> None:
        def kill() -> None:
            nonlocal reached
            reached = True
            task.cancel()

        await Steps(work, at, kill)

    task = asyncio.get_running_loop().create_task(run())
    await asyncio.wait([task])
    assert task.cancelled() or task.exception() is None, task
    return reached


async def test_a_proposal_cancelled_at_any_await_leaves_a_question_or_none(rig: Rig) -> None:
    async with rig.opened() as wallet:
        wallet.owned.desk.link_url = lambda operation, secret: f"http://127.0.0.1:1/p/{operation}/{secret}"
        for at in range(400):
            went = await cancelled_at(wallet.pay("0.01", reference=f"r{at}"), at)
            requests = await wallet.owned.requests()
            assert len(requests) <= 1
            for request in requests:
                assert (rig.files.links / f"{request.operation}.url").exists(), "a question has its link"
                await wallet.owned.decline(request.operation, channel=Channel.TERMINAL)
            if not went:
                break
        else:
            raise AssertionError("never came to the end")
        assert at > 10
        await check_guard(rig, wallet.owned)
        assert rig.signatures() == []


@pytest.mark.slow
async def test_an_approved_call_cancelled_at_any_await_pays_once_in_the_end(rig: Rig) -> None:
    async with rig.opened() as wallet:
        paid = 0
        for at in range(400):
            await wallet.approved("0.001", reference=f"r{at}")
            went = await cancelled_at(wallet.pay("0.001", reference=f"r{at}"), at)
            await finish_reference(wallet, f"r{at}")
            paid += 1
            assert rig.paid() == paid * ETHER // 1000
            if not went:
                break
            rig.clock.advance(600)
        else:
            raise AssertionError("never came to the end")
        assert at > 10
        report = await check_guard(rig, wallet.owned)
        assert report.signatures == report.sent == report.count(Kind.APPROVED) == paid, "the critical section is whole"


async def finish_reference(wallet: Wallet, reference: str) -> None:
    with anyio.fail_after(10):
        while (await wallet.done("0.001", reference=reference)).outcome != "mined":  # noqa: ASYNC110  # a chain mines
            await anyio.sleep(0.01)


async def test_an_answer_cancelled_at_any_await_is_given_whole_or_not_at_all(rig: Rig) -> None:
    async with rig.opened() as wallet:
        for at in range(200):
            asked = await wallet.asked("0.001", reference=f"r{at}")
            went = await cancelled_at(wallet.approve(asked.operation), at)
            row = await wallet.row(asked.operation)
            assert row.state in {"frozen", "approved"}
            if row.state == "frozen":
                await wallet.approve(asked.operation)
            await finish_reference(wallet, f"r{at}")
            if not went:
                break
        else:
            raise AssertionError("never came to the end")
        report = await check_guard(rig, wallet.owned)
        assert report.signatures == report.sent == at + 1


async def test_unlock_and_lock_cancelled_at_any_await_leave_a_guard_that_locks_and_unlocks(rig: Rig) -> None:
    async with rig.opened(unlock=False) as wallet:
        for at in range(200):
            went = await cancelled_at(wallet.owned.unlock(passphrase()), at)
            await cancelled_at(wallet.owned.lock(), at)
            await wallet.owned.lock()
            assert wallet.owned.custody.is_locked
            assert wallet.owned.custody.store.head is None
            if not went:
                break
        else:
            raise AssertionError("never came to the end")
        await wallet.owned.unlock(passphrase())
        await wallet.paid()
        await check_guard(rig, wallet.owned)


@pytest.mark.slow
async def test_a_task_killed_at_any_await_pays_at_most_once_and_the_store_stays_whole(rig: Rig) -> None:
    """What was consumed may be burned then; it is asked for again, and paid once."""
    async with rig.opened() as wallet:
        paid = 0
        for at in range(400):
            reference = f"r{at}"
            await wallet.approved("0.001", reference=reference)
            went = await killed_at(wallet.pay("0.001", reference=reference), at)
            answer = await wallet.pay("0.001", reference=reference)
            if isinstance(answer, Pending):
                await wallet.approve(answer.operation)
            await finish_reference(wallet, reference)
            paid += 1
            assert rig.paid() == paid * ETHER // 1000
            if not went:
                break
            rig.clock.advance(600)
        else:
            raise AssertionError("never came to the end")
        assert (await check_guard(rig, wallet.owned)).sent == paid
