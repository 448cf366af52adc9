"""A response that never arrived: the same call again tells what happened, and asks and pays nothing twice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

import anyio
import pytest
from mcp import Client, MCPError
from mcp_types import ElicitResult

from mcp_wallet_guard.operations.values import Address
from tests.e2e.rig import AMOUNT, EACH_ERA, MODES, WEI, Era, Home, connected, done_once, pay, server_command, told
from tests.e2e.tap import Tap

pytestmark = pytest.mark.anyio

MOST_QUESTIONS = 30
"""More than one call asks the node."""


async def _approved(client: Client, home: Home) -> Address:
    payee = home.payee()
    pending = await pay(client, payee)
    async with home.owner() as owner:
        await owner.approve(pending, payee)
    return payee


async def _cancelled_after(client: Client, home: Home, payee: Address, *, questions: int) -> bool:
    """Make the call, and cancel it when the node was asked `questions` times; whether it was still under way."""
    start = home.chain.asked.total()

    async def watch(scope: anyio.CancelScope) -> None:
        # Polled, because the chain lives in a thread of its own.
        while home.chain.asked.total() < start + questions:  # noqa: ASYNC110
            await anyio.sleep(0.001)
        scope.cancel()

    async with anyio.create_task_group() as tasks:
        with anyio.CancelScope() as scope:
            tasks.start_soon(watch, scope)
            await pay(client, payee)
        tasks.cancel_scope.cancel()
    return scope.cancelled_caught


@pytest.mark.parametrize("transport", ["memory", "stdio"])
@pytest.mark.parametrize("era", EACH_ERA)
async def test_a_call_cancelled_at_any_question_to_the_node_pays_once_and_the_same_call_tells_so(
    era: Era, transport: Literal["memory", "stdio"], home: Home
) -> None:
    """T-100, T-009: from before the call reached the guard to after its bytes were sent."""
    ended: list[bool] = []
    async with connected(home, era, transport=transport) as client:
        for questions in range(MOST_QUESTIONS):
            payee = await _approved(client, home)
            home.mark()
            home.chain.delay(0.01)  # each question takes long enough to be cancelled in
            cut = await _cancelled_after(client, home, payee, questions=questions)
            home.chain.delay(0)
            done = await pay(client, payee)
            assert told(done) == ("done", "mined"), (questions, done)
            assert home.sent() == {done["receipt"]["transaction_hash"]}, questions
            assert home.paid(payee) == WEI
            assert await pay(client, payee) == done | {"repeated": True}
            ended.append(done["repeated"])
            if not cut:
                break
        else:
            raise AssertionError("no call came to its end")
    assert set(ended) == {False, True}, "calls must be cut both before and after they signed"


async def test_a_question_cancelled_on_its_way_is_asked_once(home: Home) -> None:
    """T-100: whatever was cancelled, the owner finds one request."""
    async with connected(home, "2026-07-28", transport="memory") as client:
        for questions in range(MOST_QUESTIONS):
            payee = home.payee()
            home.chain.delay(0.01)
            cut = await _cancelled_after(client, home, payee, questions=questions)
            home.chain.delay(0)
            pending = await pay(client, payee)
            assert pending["status"] == "pending", (questions, pending)
            assert await home.asked() == pending["operation"]
            await home.clear()
            if not cut:
                break
        assert questions > 2
    assert home.sent() == set()


@pytest.mark.parametrize("era", EACH_ERA)
async def test_a_call_that_timed_out_after_the_bytes_were_sent_is_repeated(era: Era, home: Home) -> None:
    """T-100: the client gives up while the guard still waits for the receipt."""
    async with connected(home, era) as client:
        payee = await _approved(client, home)
        home.chain.auto_mine = False
        with pytest.raises(MCPError):
            await client.call_tool("pay", {"to": payee.value, "amount": AMOUNT}, read_timeout_seconds=0.8)
        assert len(home.sent()) == 1
        home.chain.mine()
        done = await pay(client, payee)
    assert (told(done), done["repeated"]) == (("done", "mined"), True)
    assert home.sent() == {done["receipt"]["transaction_hash"]}
    assert home.paid(payee) == WEI


@pytest.mark.parametrize("era", EACH_ERA)
async def test_a_broadcast_whose_answer_was_lost_is_found_on_the_chain(era: Era, home: Home) -> None:
    """The node took the bytes and never said so: the outcome is looked up, not paid for again."""
    async with connected(home, era, transport="memory") as client:
        payee = await _approved(client, home)
        home.chain.lose_broadcasts(1)
        first = await pay(client, payee)
        assert first["status"] == "done"
        assert first["outcome"] in {"unknown", "mined"}
        done = await pay(client, payee)
    assert (told(done), done["repeated"]) == (("done", "mined"), True)
    assert len(home.sent()) == 1
    assert home.paid(payee) == WEI


async def _killed(home: Home, era: Era, payee: Address, *, when: Callable[[Tap], Awaitable[None]]) -> None:
    """A call whose server is killed at a moment that `when` chooses."""
    tap = Tap(server_command(home), log=home.log)

    async def opens(context: object, params: object) -> ElicitResult:
        return ElicitResult(action="accept")

    async def call(client: Client) -> None:
        with pytest.raises(MCPError):
            await pay(client, payee)

    async with Client(tap, mode=MODES[era], elicitation_callback=opens) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(call, client)
        await when(tap)


@pytest.mark.parametrize("era", EACH_ERA)
async def test_a_server_killed_right_after_the_approval_costs_nothing(era: Era, home: Home) -> None:
    """T-009: the waiting call may have signed or not; the next server gives the one outcome."""
    payee = home.payee()
    home.edit("wait_seconds = 1 ", "wait_seconds = 20 ")

    async def when(tap: Tap) -> None:
        operation = await home.asked()
        await anyio.sleep(0.3)  # so that, mostly, the call waits at the guard and signs at once
        async with home.owner() as owner:
            await owner.approve_operation(operation, payee)
        tap.kill()

    try:
        await _killed(home, era, payee, when=when)
    finally:
        home.edit("wait_seconds = 20 ", "wait_seconds = 1 ")
    async with connected(home, era) as client:
        done = await pay(client, payee)
        assert told(done) == ("done", "mined")
        assert await pay(client, payee) == done | {"repeated": True}
    assert len(home.sent()) == 1
    assert home.paid(payee) == WEI


async def test_a_deliberate_second_payment_is_asked_and_paid(home: Home) -> None:
    """The honest twin: another reference makes another payment, with an approval of its own."""
    payee = home.payee()
    async with connected(home, "2026-07-28", transport="memory") as client:
        first = await done_once(client, home, payee, reference="invoice-1")
        again = await pay(client, payee, reference="invoice-1")
        second = await done_once(client, home, payee, reference="invoice-2")
    assert again == first | {"repeated": True}
    assert first["receipt"]["transaction_hash"] != second["receipt"]["transaction_hash"]
    assert len(home.sent()) == 2
    assert home.paid(payee) == 2 * WEI
