"""What the example tells: what an address holds, and what the wallet paid lately. And what it does not tell.

Threat: T-040, T-060.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from mcp_wallet_guard.testing.chain import SimulatedChain
from tests.e2e.rig import (
    AMOUNT,
    EACH_ERA,
    ERAS,
    Daemon,
    Era,
    Home,
    answer_of,
    done_once,
    make_home,
    pay,
    running_daemon,
    text_of,
    told,
)
from tests.e2e.test_example import host

pytestmark = pytest.mark.anyio
TOLD = {"operation", "at", "outcome", "to", "amount", "symbol", "transaction_hash", "fee"}


@pytest.fixture
async def client(home: Home) -> AsyncIterator[Client]:
    async with host(home, ERAS[0]) as client:
        yield client


async def payments(client: Client, **arguments: int) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = answer_of(await client.call_tool("history", arguments))["payments"]
    return told


async def test_balances_are_the_chains_in_units_that_the_owner_pinned(client: Client, home: Home) -> None:
    told = answer_of(await client.call_tool("balances", {}))
    assert told["address"] == home.address.value
    ether, token = told["assets"]
    assert ether == {"symbol": "ETH", "decimals": 18, "units": str(home.chain.balance(home.address))}
    assert (token["symbol"], token["decimals"]) == ("USDC", 6)


async def test_a_node_that_lies_about_decimals_is_told_and_gives_no_balance(client: Client, home: Home) -> None:
    home.chain.lie("eth_call", "0x" + (2).to_bytes(32, "big").hex())
    refused = await client.call_tool("balances", {})
    assert refused.is_error
    assert text_of(refused).startswith("The chain's node contradicts what the owner pinned.")
    home.chain.honest()
    assert not (await client.call_tool("balances", {})).is_error


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("balances", {"address": "0x2b5ad5c4795c026514f8317c7a215e218dccd6cf"}),
        ("balances", {"address": "vault.json"}),
        ("balances", {"token": "0x0000000000000000000000000000000000000001"}),
        ("history", {"last": 0}),
        ("history", {"last": 101}),
        ("history", {"principal": "somebody else"}),
    ],
)
async def test_a_question_that_is_none_of_theirs_is_refused(
    client: Client, tool: str, arguments: dict[str, Any]
) -> None:
    answer = await client.call_tool(tool, arguments)
    assert answer.is_error
    assert not any(str(value) in str(answer.content) for value in arguments.values() if len(str(value)) > 3)


@pytest.mark.parametrize("era", EACH_ERA)
async def test_history_tells_what_was_paid_and_nothing_else(era: Era, home: Home) -> None:
    payee = home.payee()
    async with host(home, era) as client:
        done = await done_once(client, home, payee)
        waiting = await pay(client, home.payee(), "0.002")
        assert waiting["status"] == "pending"
        newest = (await payments(client))[0]
    assert newest.keys() == TOLD
    assert newest["operation"] == done["operation"]
    assert (newest["to"], newest["amount"], newest["symbol"]) == (payee.value, AMOUNT, "ETH")
    assert newest["outcome"] == done["outcome"] == "mined"
    assert newest["transaction_hash"] == done["receipt"]["transaction_hash"]
    assert newest["fee"] == done["receipt"]["fee"]


async def test_what_was_declined_or_refused_is_in_no_history(client: Client, home: Home) -> None:
    before = await payments(client, last=100)
    waiting = await pay(client, home.payee())
    await home.clear()
    assert told(await pay(client, home.payee(), "0.6")) == ("refused", "policy.cap")
    assert waiting["operation"] not in str(await payments(client, last=100))
    assert await payments(client, last=100) == before


@pytest.fixture
def closed(base: Path, chain: SimulatedChain) -> Iterator[Daemon]:
    """A daemon whose settings refuse reads while it is locked."""

    def refusing(text: str) -> str:
        assert 'locked_reads = "allow"' in text
        return text.replace('locked_reads = "allow"', 'locked_reads = "refuse"')

    with running_daemon(make_home(base, chain, edit=refusing)) as running:
        yield running


@pytest.mark.parametrize("tool", ["history", "balances"])
async def test_a_locked_wallet_tells_neither_when_its_settings_say_so(closed: Daemon, tool: str) -> None:
    async with host(closed.home, ERAS[0]) as client:
        assert not (await client.call_tool(tool, {})).is_error
        await closed.home.lock()
        assert (await client.call_tool(tool, {})).is_error
        await closed.home.unlock()
        assert not (await client.call_tool(tool, {})).is_error
