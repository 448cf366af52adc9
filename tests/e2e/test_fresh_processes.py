"""Nothing needed to go on lives in memory only: every round has a new MCP server, and the daemon dies in between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import anyio.to_thread
import pytest
from mcp import Client
from mcp_types import ElicitResult, InputRequiredResult

from mcp_wallet_guard.testing.chain import SimulatedChain
from tests.e2e.rig import AMOUNT, EACH_ERA, WEI, Daemon, Era, Home, answer_of, connected, make_home, pay, told

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
async def mortal(base: Path, chain: SimulatedChain) -> AsyncIterator[Daemon]:
    """A daemon of the test's own, which it may kill."""
    home = await anyio.to_thread.run_sync(lambda: make_home(base, chain))
    daemon = Daemon(home)
    await anyio.to_thread.run_sync(daemon.start)
    try:
        await home.unlock()
        yield daemon
    finally:
        daemon.kill()


async def _round(home: Home, era: Era, payee: str) -> dict[str, object]:
    """One call to a server that was started for it."""
    async with connected(home, era) as client:
        return answer_of(await client.call_tool("pay", {"to": payee, "amount": AMOUNT}))


@pytest.mark.slow
@pytest.mark.parametrize("era", EACH_ERA)
async def test_a_payment_survives_a_new_server_for_each_round_and_a_killed_daemon_between_them(
    era: Era, mortal: Daemon
) -> None:
    """T-009, T-100: one approval, exactly one signed transaction, whoever is alive when."""
    home = mortal.home
    payee = home.payee()
    pending = await _round(home, era, payee.value)
    await mortal.restart()
    assert (await _round(home, era, payee.value))["operation"] == pending["operation"]
    async with home.owner() as owner:
        await owner.approve(pending, payee)
    await mortal.restart()
    done = await _round(home, era, payee.value)
    assert told(done) == ("done", "mined"), done
    await mortal.restart()
    assert await _round(home, era, payee.value) == done | {"repeated": True}
    assert len(home.sent()) == 1
    assert home.paid(payee) == WEI


async def _asked(client: Client, payee: str) -> InputRequiredResult:
    arguments = {"to": payee, "amount": AMOUNT}
    asked = await client.session.call_tool("pay", arguments, allow_input_required=True)
    assert isinstance(asked, InputRequiredResult)
    return asked


async def _brought_back(home: Home, payee: str, state: str) -> dict[str, object]:
    """The second round of a question, at a server that never heard of the first."""
    async with connected(home, "2026-07-28", callback=_unused) as client:
        result = await client.session.call_tool(
            "pay",
            {"to": payee, "amount": AMOUNT},
            input_responses={"approval_page": ElicitResult(action="accept")},
            request_state=state,
            allow_input_required=True,
        )
        assert not isinstance(result, InputRequiredResult)
        return answer_of(result)


async def _unused(context: object, params: object) -> ElicitResult:
    raise AssertionError("this client answers by hand")


async def test_a_state_from_one_server_is_answered_by_another_and_pays_once(mortal: Daemon) -> None:
    """T-011: the same state brought back again and again, after restarts of everything, pays nothing more."""
    home = mortal.home
    payee = home.payee()
    async with connected(home, "2026-07-28", callback=_unused) as client:
        asked = await _asked(client, payee.value)
    assert asked.request_state is not None
    pending = await _brought_back(home, payee.value, asked.request_state)
    async with home.owner() as owner:
        await owner.approve(pending, payee)
    await mortal.restart()
    done = await _brought_back(home, payee.value, asked.request_state)
    assert told(done) == ("done", "mined")
    await mortal.restart()
    assert await _brought_back(home, payee.value, asked.request_state) == done | {"repeated": True}
    assert len(home.sent()) == 1
    assert home.paid(payee) == WEI


async def test_a_daemon_that_came_back_locked_answers_locked_and_keeps_the_approval(mortal: Daemon) -> None:
    """A restart wipes the keys and nothing else."""
    home = mortal.home
    payee = home.payee()
    async with connected(home, "2026-07-28") as client:
        pending = await pay(client, payee)
        async with home.owner() as owner:
            await owner.approve(pending, payee)
        await anyio.to_thread.run_sync(mortal.kill)
        assert told(await pay(client, payee)) == ("refused", "not_running")
        await anyio.to_thread.run_sync(mortal.start)
        assert told(await pay(client, payee)) == ("refused", "locked")
        assert home.sent() == set()
        await home.unlock()
        assert told(await pay(client, payee)) == ("done", "mined")
    assert len(home.sent()) == 1
