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
from mcp_wallet_guard.operations.values import Address
from tests.e2e.rig import EACH_ERA, ERAS, MODES, ROOT, WEI, Era, Home, answer_of, done_once, pay, told

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


async def held(client: Client, holder: Address | None = None) -> dict[str, int]:
    """Smallest units by symbol, as the tool tells them."""
    told = answer_of(await client.call_tool("balances", {} if holder is None else {"address": holder.value}))
    return {asset["symbol"]: int(asset["units"]) for asset in told["assets"]}


async def pay_token(client: Client, **arguments: str) -> dict[str, Any]:
    return answer_of(await client.call_tool("pay_token", arguments))


@pytest.mark.parametrize("era", EACH_ERA)
async def test_the_example_pays_once_its_owner_approved_on_the_page(era: Era, home: Home) -> None:
    payee = home.payee()
    async with host(home, era) as client:
        before = await held(client)
        assert before["ETH"] == home.chain.balance(home.address)
        done = await done_once(client, home, payee)
        assert home.sent() == {done["receipt"]["transaction_hash"]}
        assert home.paid(payee) == WEI
        assert await pay(client, payee) == done | {"repeated": True}
        assert (await held(client))["ETH"] < before["ETH"] - WEI
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
        pending = await pay_token(client, **arguments)
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
        done = await pay_token(client, **arguments)
        assert told(done) == ("done", "mined")
        assert (done["receipt"]["amount"], done["receipt"]["symbol"]) == ("2.5", "USDC")
        assert await held(client, payee) == {"ETH": 0, "USDC": 2_500_000}
        more = await pay_token(client, **arguments | {"amount": "100.1"})
        assert told(more) == ("refused", "policy.cap")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param({"token": "DAI"}, "invalid_input.token", id="a token that nobody pinned"),
        pytest.param({"token": "0x" + "11" * 20}, "invalid_input.token", id="a contract that nobody pinned"),
        pytest.param({"to": "the token"}, "policy.payee", id="to the token's own contract"),
        pytest.param({"amount": "0.0000001"}, "invalid_input.precision", id="less than its smallest unit"),
        pytest.param({"approve": "true"}, "invalid_input.unknown_argument", id="an argument that is none"),
        pytest.param({"amount": "1e2"}, "invalid_input.amount", id="another way to write a number"),
    ],
)
async def test_a_token_is_not_paid_around_its_pin(home: Home, change: dict[str, str], code: str) -> None:
    (token,) = home.loaded.settings.tokens
    arguments = {"token": "USDC", "to": home.payee().value, "amount": "2.5"} | change
    if arguments["to"] == "the token":
        arguments["to"] = str(token.address)
    async with host(home, ERAS[0]) as client:
        answer = await client.call_tool("pay_token", arguments)
    refused = answer.structured_content
    assert refused is not None, answer
    assert refused["code"] == code
    async with home.control() as control:
        assert await control.requests() == ()
