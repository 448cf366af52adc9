"""Actions over stdio, with a real daemon: the effect is a line in a file, which nobody but the tool's body writes.

Threat: T-001, T-009, T-013.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client

from mcp_wallet_guard.evidence import Channel
from mcp_wallet_guard.testing.chain import SimulatedChain
from tests.e2e.acting_server import orders_of, pid_of
from tests.e2e.rig import EACH_ERA, ERAS, Daemon, Era, Home, answer_of, connected, make_home, running_daemon

pytestmark = pytest.mark.anyio
ACTIONS = '\n[[policy.actions]]\ntool = "place_order"\ncount = 5\nwindow = "1d"\n'
ORDER = {"pair": "ETH/USDC", "amount": "0.1"}


@pytest.fixture
def daemon(base: Path, chain: SimulatedChain) -> Iterator[Daemon]:
    with running_daemon(make_home(base, chain, more=ACTIONS)) as running:
        yield running


def orders(home: Home) -> list[str]:
    path = orders_of(home.settings)
    return path.read_text("utf-8").splitlines() if path.exists() else []


async def order(client: Client, **changes: Any) -> dict[str, Any]:
    return answer_of(await client.call_tool("place_order", ORDER | changes))


async def approve(home: Home) -> None:
    """The owner at the terminal reads the request, and types match code and code."""
    async with home.control() as control:
        (request,) = await control.requests()
        shown = {field.label: field.value for field in request.view.fields}
        assert (shown["Tool"], shown["pair"], shown["amount"]) == ("place_order", '"ETH/USDC"', '"0.1"')
        assert [finding.code for finding in request.view.findings] == ["action.unseen"]
        await control.approve(
            request.operation,
            view_hash=request.view_hash,
            match_code=request.match_code,
            code=home.code(),
            channel=Channel.TERMINAL,
        )


@pytest.mark.parametrize("era", EACH_ERA)
async def test_an_order_is_placed_after_its_owner_approved_it_and_once(daemon: Daemon, era: Era) -> None:
    home = daemon.home
    async with connected(home, era, kind="acting") as client:
        assert (await order(client))["status"] == "pending"
        assert orders(home) == []
        await approve(home)
        answer = await order(client)
        assert (answer["outcome"], answer["result"]) == ("carried_out", ORDER)
    async with connected(home, era, kind="acting") as client:
        again = await order(client)
        assert (again["repeated"], again["result"]) == (True, ORDER), "from a fresh process"
    assert orders(home) == ["ETH/USDC 0.1"]


async def test_four_processes_racing_place_it_once(daemon: Daemon) -> None:
    home = daemon.home
    async with (
        connected(home, ERAS[0], kind="acting") as one,
        connected(home, ERAS[1], kind="acting") as two,
        connected(home, ERAS[0], kind="acting") as three,
        connected(home, ERAS[1], kind="acting") as four,
    ):
        await order(one)
        await approve(home)
        answers: list[dict[str, Any]] = []

        async def call(client: Client) -> None:
            answers.append(await order(client))

        async with anyio.create_task_group() as tasks:
            for client in (one, two, three, four):
                tasks.start_soon(call, client)
    assert {answer["status"] for answer in answers} == {"acted"}
    assert orders(home) == ["ETH/USDC 0.1"]


async def test_a_server_that_dies_while_it_runs_has_used_the_approval_up(daemon: Daemon) -> None:
    """kill -9 after the effect and before the word: nobody runs it again, a restart of the guard included."""
    home = daemon.home
    with anyio.move_on_after(60) as scope:
        async with connected(home, ERAS[0], kind="acting") as client:
            assert (await order(client, wait=600))["status"] == "pending"
            await approve(home)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(partial(order, client, wait=600))
                while not orders(home):  # noqa: ASYNC110  # another process writes it
                    await anyio.sleep(0.02)
                os.kill(int(pid_of(home.settings).read_text("ascii")), signal.SIGKILL)
                scope.cancel()
    assert orders(home) == ["ETH/USDC 0.1"]
    await daemon.restart()
    async with connected(home, ERAS[1], kind="acting") as client:
        answer = await order(client, wait=600)
        assert (answer["status"], answer["outcome"], answer["repeated"]) == ("acted", "unknown", True)
    assert orders(home) == ["ETH/USDC 0.1"]
