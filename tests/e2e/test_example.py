"""The example of the documentation as its reader runs it: its own process, started as host.json says, and a guard."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters

from mcp_wallet_guard.evidence import Channel
from tests.e2e.rig import ERAS, MODES, ROOT, WEI, Era, Home, answer_of, done_once, pay, told

pytestmark = pytest.mark.anyio
EXAMPLE: Final = ROOT / "examples" / "local_stdio"


@asynccontextmanager
async def host(home: Home, era: Era) -> AsyncIterator[Client]:
    """A host with the configuration of the example, its paths filled in."""
    (server,) = json.loads((EXAMPLE / "host.json").read_text("utf-8"))["mcpServers"].values()
    paths = {"/path/to/server.py": str(EXAMPLE / "server.py"), "/path/to/guard.toml": str(home.settings)}
    assert (server["command"], set(server["args"])) == ("python", set(paths))
    command = StdioServerParameters(command=sys.executable, args=[paths[each] for each in server["args"]])
    async with Client(command, mode=MODES[era]) as client:
        yield client


async def balance(client: Client, home: Home) -> dict[str, Any]:
    return answer_of(await client.call_tool("balance", {"address": home.address.value}))


@pytest.mark.parametrize("era", ERAS)
async def test_the_example_pays_once_its_owner_approved_on_the_page(era: Era, home: Home) -> None:
    payee = home.payee()
    async with host(home, era) as client:
        before = await balance(client, home)
        assert before == {"address": home.address.value, "wei": str(home.chain.balance(home.address))}
        done = await done_once(client, home, payee)
        assert home.sent() == {done["receipt"]["transaction_hash"]}
        assert home.paid(payee) == WEI
        assert await pay(client, payee) == done | {"repeated": True}
        assert int((await balance(client, home))["wei"]) < int(before["wei"]) - WEI
    assert home.paid(payee) == WEI


async def test_the_example_pays_once_its_owner_approved_at_the_terminal(home: Home) -> None:
    payee = home.payee()
    async with host(home, ERAS[0]) as client:
        pending = await pay(client, payee)
        assert told(pending) == ("pending", "")
        assert told(await pay(client, payee)) == ("pending", ""), "asking again approves nothing"
        async with home.control() as control:
            request = await control.request(pending["operation"])
            await control.approve(
                request.operation,
                view_hash=request.view_hash,
                match_code=request.match_code,
                code=home.code(),
                channel=Channel.TERMINAL,
            )
        assert home.sent() == set()
        assert told(await pay(client, payee)) == ("done", "mined")
    assert home.paid(payee) == WEI


async def test_what_the_owner_declines_the_example_does_not_pay(home: Home) -> None:
    payee = home.payee()
    async with host(home, ERAS[0]) as client:
        await pay(client, payee)
        await home.clear()
        assert told(await pay(client, payee)) == ("refused", "declined")
    assert (home.paid(payee), home.sent()) == (0, set())


async def test_the_example_pays_a_token_once_its_owner_approved_it(home: Home) -> None:
    payee = home.payee()
    arguments = {"token": "USDC", "to": payee.value, "amount": "2.5"}
    async with host(home, ERAS[0]) as client:
        pending = answer_of(await client.call_tool("pay_token", arguments))
        assert told(pending) == ("pending", "")
        async with home.control() as control:
            request = await control.request(pending["operation"])
            assert request.view.intent == f"Send 2.5 USDC to {payee}"
            await control.approve(
                request.operation,
                view_hash=request.view_hash,
                match_code=request.match_code,
                code=home.code(),
                channel=Channel.TERMINAL,
            )
        done = answer_of(await client.call_tool("pay_token", arguments))
        assert told(done) == ("done", "mined")
        assert (done["receipt"]["amount"], done["receipt"]["symbol"]) == ("2.5", "USDC")
        held = answer_of(await client.call_tool("token_balance", {"token": "USDC", "address": payee.value}))
        assert held == {"address": payee.value, "token": "USDC", "units": "2500000"}
        more = answer_of(await client.call_tool("pay_token", arguments | {"amount": "100.1"}))
        assert told(more) == ("refused", "policy.cap")
