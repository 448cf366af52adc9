"""Four server processes race for one budget: not a unit above it, and no payment lost.

Threat: T-018, T-019.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client

from mcp_wallet_guard.config.settings import canonical
from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.policy.rules import Payee
from mcp_wallet_guard.testing.chain import SimulatedChain
from tests.e2e.rig import ERAS, Daemon, connected, make_home, pay, running_daemon, told
from tests.guard.rig import SMALL_MANDATE

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
BOB = Address.from_bytes(b"\xb0" * 20)
EACH, UNITS, FITS = "0.006", 6 * 10**15, 4
"""0.025 within a day, and four payments: the fifth of 0.006 has no room."""


@pytest.fixture
def daemon(base: Path, chain: SimulatedChain) -> Iterator[Daemon]:
    home = make_home(base, chain, contacts=[Payee(name="Bob", address=BOB)], more=SMALL_MANDATE)
    with running_daemon(home) as running:
        yield running


async def grant(daemon: Daemon) -> None:
    """The owner approves the mandate with a code."""
    home = daemon.home
    async with home.control() as control:
        await control.apply_policy(canonical(home.loaded.settings), code=home.code())


async def race(daemon: Daemon, name: str) -> list[dict[str, Any]]:
    """Four processes, three payments each, all at once."""
    answers: list[dict[str, Any]] = []

    async def call(client: Client, reference: str) -> None:
        answers.append(await pay(client, BOB, EACH, reference=reference))

    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connected(daemon.home, era)) for era in ERAS * 2]
        async with anyio.create_task_group() as tasks:
            for number, client in enumerate(clients):
                for turn in range(3):
                    tasks.start_soon(call, client, f"{name}-{number}-{turn}")
    return answers


async def test_four_processes_never_exceed_one_budget_and_none_is_lost(daemon: Daemon, chain: SimulatedChain) -> None:
    before = chain.balance(BOB)
    await grant(daemon)
    daemon.home.mark()
    answers = await race(daemon, "first")
    assert Counter(told(answer) for answer in answers) == {("done", "mined"): FITS, ("pending", ""): 12 - FITS}
    hashes = {answer["receipt"]["transaction_hash"] for answer in answers if answer["status"] == "done"}
    assert daemon.home.sent() == hashes
    assert chain.balance(BOB) - before == FITS * UNITS
    assert sum(not answer["queued"] for answer in answers if answer["status"] == "pending") == 1

    daemon.home.clock.advance(600)  # what waits expires
    await daemon.restart()
    again = await race(daemon, "second")
    assert {answer["status"] for answer in again} == {"pending"}, "a restart gives nothing back"
    assert chain.balance(BOB) - before == FITS * UNITS
    async with daemon.home.control() as control:
        (mandate,) = (await control.control_status()).mandates
    assert (mandate.budget.spent, mandate.budget.payments) == ("0.024", FITS)


async def test_without_the_code_all_of_them_are_asked(daemon: Daemon) -> None:
    answers = await race(daemon, "early")
    assert {answer["status"] for answer in answers} == {"pending"}
    assert daemon.home.sent() == set()
