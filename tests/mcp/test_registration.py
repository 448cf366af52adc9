"""The guard stays where it was put: late tools, replaced tools, removed parts, life and death of the link."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ToolError

from mcp_wallet_guard.errors import GuardError, Locked, Misconfigured
from mcp_wallet_guard.mcp.base import GuardPort
from mcp_wallet_guard.mcp.protection import Protection, protect
from mcp_wallet_guard.operations.intents import Transfer
from mcp_wallet_guard.operations.values import Address, Amount
from tests.mcp.ports import PAYEE, MemoryGuard

pytestmark = pytest.mark.anyio
ARGUMENTS = {"to": PAYEE, "amount": "0.1"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def _pay(to: Address, amount: Amount) -> Transfer:
    return Transfer(to=to, amount=amount)


def _server(guard: Any = None) -> tuple[MCPServer, Protection]:
    mcp = MCPServer("treasury")
    wallet = protect(mcp, guard or MemoryGuard())
    wallet.spends(name="pay")(_pay)
    return mcp, wallet


def _naked(to: str) -> str:
    return f"sent to {to}"


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_tool_that_is_added_later_is_not_served(mode: str) -> None:
    """T-056."""
    mcp, wallet = _server()

    @wallet.reads
    async def outer(ctx: Context) -> str:
        try:
            await ctx.mcp_server.call_tool("late", {"to": "x"}, ctx)
        except ToolError as error:
            return str(error)
        return "reached"

    async with Client(mcp, mode=mode) as client:
        mcp.add_tool(_naked, name="late")
        mcp.tool(name="later")(_naked)
        assert [tool.name for tool in (await client.list_tools()).tools] == ["pay", "outer"]
        for name in ("late", "later"):
            with pytest.raises(MCPError) as caught:
                await client.call_tool(name, {"to": "x"})
            assert caught.value.error.data == {"code": "unclassified"}
        nested = await client.call_tool("outer", {})
        assert nested.structured_content == {
            "result": "This server's guard does not know this tool, resource or prompt, so it is not served."
        }


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_guarded_tool_that_was_replaced_is_not_served(mode: str) -> None:
    """T-107."""
    mcp, wallet = _server()
    async with Client(mcp, mode=mode) as client:
        mcp.remove_tool("pay")
        mcp.add_tool(_naked, name="pay")
        for refused in (client.call_tool("pay", {"to": "x"}), client.list_tools()):
            with pytest.raises(MCPError):
                await refused
        with pytest.raises(ToolError):
            await mcp.call_tool("pay", {"to": "x"})
    with pytest.raises(Misconfigured):
        wallet.verify()


async def test_a_tool_whose_function_is_swapped_in_place_is_not_served() -> None:
    mcp, _ = _server()
    async with Client(mcp) as client:
        tool = mcp._tool_manager.get_tool("pay")
        assert tool is not None
        tool.fn = _naked
        with pytest.raises(MCPError):
            await client.call_tool("pay", ARGUMENTS)


async def test_the_doors_of_the_server_ask_as_well() -> None:
    mcp, _ = _server()
    mcp.add_tool(_naked, name="late")

    @mcp.resource("wallet://x")
    def resource() -> str:
        return "x"

    @mcp.prompt()
    def prompt() -> str:
        return "x"

    with pytest.raises(ToolError):
        await mcp.call_tool("late", {"to": "x"})
    with pytest.raises(ResourceError):
        await mcp.read_resource("wallet://x")
    with pytest.raises(ValueError, match="does not know"):
        await mcp.get_prompt("prompt")


def test_a_server_is_protected_once() -> None:
    mcp, _ = _server()
    with pytest.raises(Misconfigured):
        protect(mcp, MemoryGuard())


@pytest.mark.parametrize("part", ["middleware", "outer", "lifespan", "door", "boundary"])
async def test_a_server_with_a_part_of_the_guard_missing_does_not_start(part: str) -> None:
    mcp, wallet = _server()

    async def middleware(ctx: Any, call_next: Any) -> Any:
        return await call_next(ctx)

    if part == "middleware":
        del mcp.middleware[-1]
    elif part == "outer":
        mcp.middleware.insert(2, middleware)
    elif part == "lifespan":
        mcp._lowlevel_server.lifespan = lambda _: None  # type: ignore[assignment,return-value]
    elif part == "door":
        del mcp.call_tool
    else:
        del mcp.middleware[1]
    with pytest.raises(Misconfigured):
        wallet.verify()
    if part != "lifespan":
        with pytest.raises(BaseException) as caught:  # noqa: PT011  # the client may wrap it in a group
            async with Client(mcp):
                pass
        assert "Misconfigured" in repr(caught.value)


async def test_an_sdk_that_calls_tools_differently_stops_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    mcp, _ = _server()

    async def call_fn(self: Any, fn: Any, fn_is_async: bool, arguments: Any, direct: Any = None) -> Any:
        return "around"

    monkeypatch.setattr("mcp.server.mcpserver.utilities.func_metadata.FuncMetadata.call_fn", call_fn)
    with pytest.raises(BaseException) as caught:  # noqa: PT011
        async with Client(mcp):
            pass
    assert "Misconfigured" in repr(caught.value) or "UnexpectedToolError" in repr(caught.value)


async def test_the_servers_own_lifespan_runs_inside_the_guards() -> None:
    events: list[str] = []

    @asynccontextmanager
    async def lifespan(_: MCPServer[str]) -> AsyncIterator[str]:
        events.append("up")
        yield "state"
        events.append("down")

    mcp = MCPServer("treasury", lifespan=lifespan)
    wallet = protect(mcp, MemoryGuard())

    @wallet.reads
    def state(ctx: Context[str]) -> str:
        return ctx.request_context.lifespan_context

    async with Client(mcp) as client:
        assert (await client.call_tool("state", {})).structured_content == {"result": "state"}
    assert events == ["up", "down"]


class Factory:
    """Makes ports the way that a daemon's client is made, and can be down."""

    def __init__(self) -> None:
        self.guard = MemoryGuard()
        self.down: GuardError | None = None
        self.made = 0

    async def __call__(self) -> GuardPort:
        if self.down is not None:
            raise self.down
        self.made += 1
        return self.guard


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_server_without_a_daemon_starts_and_says_so_and_finds_it_later(mode: str) -> None:
    factory = Factory()
    factory.down = Locked("not_running")
    mcp, wallet = _server(factory)

    @wallet.reads
    async def balance() -> str:
        return await wallet.balance()

    async with Client(mcp, mode=mode) as client:
        assert len((await client.list_tools()).tools) == 2
        refused = await client.call_tool("pay", ARGUMENTS)
        assert refused.structured_content is not None
        assert refused.structured_content["code"] == "not_running"
        assert "mcp-wallet-guard start" in refused.structured_content["message"]
        assert (await client.call_tool("balance", {})).is_error
        factory.down = None
        pending = await client.call_tool("pay", ARGUMENTS)
        assert pending.structured_content is not None
        assert pending.structured_content["status"] == "pending"
        factory.guard.broken = True
        broken = await client.call_tool("pay", ARGUMENTS)
        assert broken.structured_content is not None
        assert broken.structured_content["code"] == "unavailable.daemon"
        assert factory.guard.closed >= 1
        factory.guard.broken = False
        joined = await client.call_tool("pay", ARGUMENTS)
        assert joined.structured_content is not None
        assert joined.structured_content["operation"] == pending.structured_content["operation"]
        assert (await client.call_tool("balance", {})).structured_content == {"result": "1000000000000000000"}
    assert factory.made >= 2


async def test_a_given_port_is_left_open_and_a_made_one_is_closed() -> None:
    guard, factory = MemoryGuard(), Factory()
    for port in (guard, factory):
        mcp, _ = _server(port)
        async with Client(mcp) as client:
            await client.call_tool("pay", ARGUMENTS)
    assert (guard.closed, factory.guard.closed) == (0, 1)


async def test_a_read_that_may_not_be_journalled_is_refused() -> None:
    guard = MemoryGuard()
    mcp, wallet = _server(guard)

    @wallet.reads
    def holdings() -> str:
        return "42 ETH"

    async with Client(mcp) as client:
        guard.reads_refused = True
        result = await client.call_tool("holdings", {})
    assert result.is_error
    assert "locked" in result.model_dump_json()
    assert "42 ETH" not in result.model_dump_json()


async def test_public_facts_are_at_hand() -> None:
    _, wallet = _server()
    assert (await wallet.info()).symbol == "ETH"
    assert await wallet.balance(Address.parse(PAYEE)) == "1000000000000000000"


def test_waiting_longer_than_clients_do_is_refused() -> None:
    with pytest.raises(Misconfigured):
        protect(MCPServer("treasury"), MemoryGuard(), wait_seconds=60)
