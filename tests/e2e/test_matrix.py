"""Must work everywhere: both protocol eras, sync and async handlers, in memory and over stdio, daemon and embedded."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from mcp import Client

from mcp_wallet_guard.testing.chain import SimulatedChain
from tests.e2e.rig import ERAS, MODES, WEI, Era, Home, connected, make_home, pay
from tests.e2e.wallet_server import build_plain

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def embedded(simulated: SimulatedChain) -> Iterator[Home]:
    with tempfile.TemporaryDirectory(prefix="e2e-") as folder:
        yield make_home(Path(folder), simulated, mode="embedded")


async def _pays(client: Client, home: Home, tool: str) -> None:
    """Asked, approved on the page, done by the same call, and only repeated by a third."""
    payee, before = home.payee(), home.chain.balance(home.address)
    home.mark()
    pending = await pay(client, payee, tool=tool)
    assert pending["status"] == "pending", pending
    assert home.paid(payee) == 0
    async with home.owner() as owner:
        assert await owner.approve(pending, payee) == "next_call"
    assert home.paid(payee) == 0
    done = await pay(client, payee, tool=tool)
    assert (done["status"], done["outcome"], done["repeated"]) == ("done", "mined", False), done
    assert home.sent() == {done["receipt"]["transaction_hash"]}
    assert home.paid(payee) == WEI
    assert home.chain.balance(home.address) < before - WEI
    again = await pay(client, payee, tool=tool)
    assert again == done | {"repeated": True}
    assert home.paid(payee) == WEI


@pytest.mark.parametrize("tool", ["pay", "pay_slowly"])
@pytest.mark.parametrize("transport", ["memory", "stdio"])
@pytest.mark.parametrize("era", ERAS)
async def test_a_payment_is_asked_approved_on_the_page_and_done(
    era: Era, transport: Literal["memory", "stdio"], tool: str, home: Home
) -> None:
    """T-001: nothing moves before the owner's answer. T-009: and once after it."""
    async with connected(home, era, transport=transport, negotiated=True) as client:
        await _pays(client, home, tool)


@pytest.mark.parametrize("transport", ["memory", "stdio"])
@pytest.mark.parametrize("era", ERAS)
async def test_an_embedded_guard_does_the_same_for_both_kinds_of_handler(
    era: Era, transport: Literal["memory", "stdio"], embedded: Home, chain: SimulatedChain
) -> None:
    """The guard starts locked in the server's own process, and the owner unlocks it there."""
    async with connected(embedded, era, transport=transport, negotiated=True) as client:
        locked = await pay(client, embedded.payee())
        assert (locked["status"], locked["code"]) == ("refused", "locked")
        await embedded.unlock()
        for tool in ("pay", "pay_slowly"):
            await _pays(client, embedded, tool)


@pytest.mark.parametrize("era", ERAS)
async def test_the_input_schema_is_that_of_the_plain_function(era: Era, home: Home) -> None:
    async with Client(build_plain(), mode=MODES[era]) as naked, connected(home, era) as guarded:
        plain = {tool.name: tool for tool in (await naked.list_tools()).tools}
        ours = {tool.name: tool for tool in (await guarded.list_tools()).tools}
    for name, twin in plain.items():
        assert ours[name].input_schema == twin.input_schema
        assert ours[name].description == twin.description
        assert ours[name].output_schema is not None
