"""A tool that does something itself, from call to answer, in both protocol eras.

Threat: T-001, T-004, T-009, T-011, T-013, T-057, T-061.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import anyio
import pytest
from mcp import Client
from mcp.server.mcpserver import Context, MCPServer
from mcp_types import CallToolResult, ElicitResult
from pydantic import BaseModel

from mcp_wallet_guard.errors import Misconfigured
from mcp_wallet_guard.mcp.protection import Protection, protect
from mcp_wallet_guard.operations.hashes import TxHash
from mcp_wallet_guard.operations.intents import Transfer
from mcp_wallet_guard.operations.values import Address, Amount
from tests.mcp.ports import OTHER, MemoryGuard

pytestmark = pytest.mark.anyio
ERAS = ("auto", "legacy")
ORDER = {"pair": "ETH/USDC", "amount": "0.1"}
SECRET = b"a secret of the vault, 32 bytes!"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Placed(BaseModel):
    id: int
    note: str | None


class Exchange:
    """A guarded server, and what its bodies did."""

    def __init__(self, guard: MemoryGuard) -> None:
        self.mcp = MCPServer("exchange")
        self.protection: Protection = protect(self.mcp, guard, wait_seconds=0.2)
        self.orders: list[tuple[str, str]] = []
        self.began, self.go_on = anyio.Event(), anyio.Event()

        @self.protection.acts
        async def order(pair: Literal["ETH/USDC", "ETH/DAI"], amount: Amount, note: str | None = None) -> Placed:
            """Place an order."""
            self.orders.append((pair, amount.text))
            return Placed(id=len(self.orders), note=note)

        @self.protection.acts(name="order_slowly")
        async def slowly(pair: str, amount: Amount) -> str:
            """Place an order and wait."""
            self.orders.append((pair, amount.text))
            self.began.set()
            await self.go_on.wait()
            return "done"

        @self.protection.acts
        def order_in_a_thread(pair: str, amount: Amount, ctx: Context) -> str:
            """Place an order from a worker thread."""
            assert ctx.request_id
            self.orders.append((pair, amount.text))
            return "done"

        @self.protection.acts
        async def order_badly(pair: str, amount: Amount) -> str:
            """Place an order, and fail."""
            self.orders.append((pair, amount.text))
            raise RuntimeError(SECRET.decode())

        @self.protection.acts
        async def order_and_tell(pair: str, amount: Amount) -> dict[str, Any]:
            """Place an order, and leak."""
            self.orders.append((pair, amount.text))
            return {"note": SECRET.hex()}

        @self.protection.acts
        async def withdraw(to: Address) -> dict[str, TxHash]:
            """Withdraw, and tell the transaction."""
            self.orders.append(("withdraw", to.value))
            return {"private_key": TxHash("0x" + "7a" * 32)}


@pytest.fixture
def guard() -> MemoryGuard:
    return MemoryGuard(secrets_=(SECRET,))


@pytest.fixture
def exchange(guard: MemoryGuard) -> Exchange:
    return Exchange(guard)


@asynccontextmanager
async def connected(exchange: Exchange, mode: str, callback: Any = None) -> AsyncIterator[Client]:
    async with Client(exchange.mcp, mode=mode, elicitation_callback=callback) as client:
        yield client


def told(result: CallToolResult) -> dict[str, Any]:
    assert isinstance(result.structured_content, dict), result
    return result.structured_content


async def approved(client: Client, guard: MemoryGuard, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Asked, approved, called again."""
    assert told(await client.call_tool(tool, arguments))["status"] == "pending"
    guard.approve_act()
    return told(await client.call_tool(tool, arguments))


@pytest.mark.parametrize("mode", ERAS)
async def test_it_runs_after_the_approval_once_and_an_equal_call_repeats_its_result(
    guard: MemoryGuard, exchange: Exchange, mode: str
) -> None:
    async with connected(exchange, mode) as client:
        answer = await approved(client, guard, "order", ORDER)
        assert (answer["status"], answer["outcome"]) == ("acted", "carried_out")
        assert answer["result"] == {"id": 1, "note": None}
        for _ in range(3):
            again = told(await client.call_tool("order", ORDER))
            assert (again["repeated"], again["result"]) == (True, {"id": 1, "note": None})
    assert exchange.orders == [("ETH/USDC", "0.1")]


@pytest.mark.parametrize("mode", ERAS)
async def test_what_is_approved_is_the_validated_request_in_canonical_form(
    guard: MemoryGuard, exchange: Exchange, mode: str
) -> None:
    """Spelled in another way it is the same request; its defaults are part of it."""
    async with connected(exchange, mode) as client:
        await client.call_tool("order", {"amount": "0.100", "pair": "ETH/USDC"})
        (row,) = guard.acts.values()
        body = json.loads(row.body)
        assert body == {"arguments": {"amount": "0.1", "note": None, "pair": "ETH/USDC"}, "tool": "order"}
        await client.call_tool("order", {"pair": "ETH/USDC", "amount": "0.1", "note": None})
        assert len(guard.acts) == 1


@pytest.mark.parametrize("mode", ERAS)
async def test_an_approval_of_one_request_runs_no_other(guard: MemoryGuard, exchange: Exchange, mode: str) -> None:
    """The attack: the arguments change after the person said yes."""
    async with connected(exchange, mode) as client:
        await client.call_tool("order", ORDER)
        guard.approve_act()
        for change in ({"amount": "100"}, {"pair": "ETH/DAI"}, {"note": "x"}):
            assert told(await client.call_tool("order", ORDER | change))["status"] == "pending"
        assert exchange.orders == []
        assert told(await client.call_tool("order", ORDER))["status"] == "acted"
    assert exchange.orders == [("ETH/USDC", "0.1")]


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize("smuggled", [{"confirmed": True}, {"code": "123456"}, {"ctx": {}}])
async def test_nothing_in_a_call_approves_it(
    guard: MemoryGuard, exchange: Exchange, mode: str, smuggled: dict[str, Any]
) -> None:
    """Threat: T-001."""
    async with connected(exchange, mode) as client:
        answer = told(await client.call_tool("order", ORDER | smuggled))
        assert (answer["status"], answer["code"]) == ("refused", "invalid_input.unknown_argument")
    assert (guard.acts, exchange.orders) == ({}, [])


@pytest.mark.parametrize("mode", ERAS)
async def test_a_host_that_accepts_at_once_changes_nothing(guard: MemoryGuard, exchange: Exchange, mode: str) -> None:
    """Threat: T-004."""
    asked: list[Any] = []

    async def accept(_context: Any, params: Any) -> ElicitResult:
        asked.append(params)
        return ElicitResult(action="accept")

    async with connected(exchange, mode, accept) as client:
        assert told(await client.call_tool("order", ORDER))["status"] == "pending"
    assert exchange.orders == []
    assert len(asked) <= 1


@pytest.mark.parametrize("mode", ERAS)
async def test_a_person_who_opens_the_page_and_approves_is_waited_for(
    guard: MemoryGuard, exchange: Exchange, mode: str
) -> None:
    async def accept(_context: Any, _params: Any) -> ElicitResult:
        guard.approve_act()
        return ElicitResult(action="accept")

    async with connected(exchange, mode, accept) as client:
        assert told(await client.call_tool("order", ORDER))["outcome"] == "carried_out"
    assert exchange.orders == [("ETH/USDC", "0.1")]


async def test_five_equal_calls_at_once_run_it_once(guard: MemoryGuard, exchange: Exchange) -> None:
    """Threat: T-009."""
    async with connected(exchange, "auto") as client:
        await client.call_tool("order", ORDER)
        guard.approve_act()
        answers: list[dict[str, Any]] = []

        async def call() -> None:
            answers.append(told(await client.call_tool("order", ORDER)))

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(call)
    assert {answer["status"] for answer in answers} == {"acted"}
    assert exchange.orders == [("ETH/USDC", "0.1")]


async def test_a_call_that_is_given_up_while_it_runs_is_unknown_and_runs_no_more(
    guard: MemoryGuard, exchange: Exchange
) -> None:
    """Threat: T-013."""
    arguments = {"pair": "x", "amount": "1"}
    async with connected(exchange, "legacy") as client:
        await client.call_tool("order_slowly", arguments)
        guard.approve_act()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, "order_slowly", arguments)
            await exchange.began.wait()
            tasks.cancel_scope.cancel()
        with anyio.fail_after(5):
            while [each.outcome for each in guard.acts.values()] != ["unknown"]:  # noqa: ASYNC110  # another task's
                await anyio.sleep(0.01)
        again = told(await client.call_tool("order_slowly", arguments))
        assert (again["outcome"], again["repeated"]) == ("unknown", True)
    assert exchange.orders == [("x", "1")]


async def test_a_plain_function_runs_in_a_thread(guard: MemoryGuard, exchange: Exchange) -> None:
    async with connected(exchange, "auto") as client:
        answer = await approved(client, guard, "order_in_a_thread", {"pair": "x", "amount": "1"})
        assert (answer["outcome"], answer["result"]) == ("carried_out", "done")


async def test_a_body_that_raises_is_failed_and_its_words_stay_in_the_log(
    guard: MemoryGuard, exchange: Exchange, caplog: pytest.LogCaptureFixture
) -> None:
    """Threat: T-057. It may have had an effect: it does not run again."""
    async with connected(exchange, "auto") as client:
        answer = await approved(client, guard, "order_badly", {"pair": "x", "amount": "1"})
        assert (answer["outcome"], answer["result"]) == ("failed", None)
        assert SECRET.decode() not in json.dumps(answer)
        assert answer["incident"] in caplog.text
        assert told(await client.call_tool("order_badly", {"pair": "x", "amount": "1"}))["outcome"] == "failed"
    assert exchange.orders == [("x", "1")]


async def test_a_result_with_a_secret_is_withheld_and_the_run_is_told(guard: MemoryGuard, exchange: Exchange) -> None:
    """Threat: T-061."""
    async with connected(exchange, "auto") as client:
        answer = await approved(client, guard, "order_and_tell", {"pair": "x", "amount": "1"})
        assert (answer["outcome"], answer["result"]) == ("carried_out", None)
        assert answer["incident"]
    (row,) = guard.acts.values()
    assert row.result is None


async def test_a_declared_hash_passes_whatever_its_name(guard: MemoryGuard, exchange: Exchange) -> None:
    """Threat: T-062, the honest twin."""
    async with connected(exchange, "auto") as client:
        answer = await approved(client, guard, "withdraw", {"to": OTHER})
        assert answer["result"] == {"private_key": "0x" + "7a" * 32}


async def test_a_guard_that_goes_away_while_it_runs_takes_nothing_from_the_answer(
    guard: MemoryGuard, exchange: Exchange
) -> None:
    async with connected(exchange, "legacy") as client:
        await client.call_tool("order_slowly", {"pair": "x", "amount": "1"})
        guard.approve_act()
        answers: list[dict[str, Any]] = []

        async def call() -> None:
            answers.append(told(await client.call_tool("order_slowly", {"pair": "x", "amount": "1"})))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call)
            await exchange.began.wait()
            await anyio.sleep(0.05)
            guard.tells_nobody = True
            exchange.go_on.set()
    assert [(answer["outcome"], answer["result"]) for answer in answers] == [("carried_out", "done")]
    assert "could not be told" in answers[0]["message"]


@pytest.mark.parametrize("mode", ERAS)
async def test_the_schema_names_the_three_answers_and_the_plain_parameters(exchange: Exchange, mode: str) -> None:
    async with connected(exchange, mode) as client:
        tool = next(tool for tool in (await client.list_tools()).tools if tool.name == "order")
    assert tool.input_schema["properties"].keys() == {"pair", "amount", "note"}
    schema = json.dumps(tool.output_schema)
    assert all(f'"{status}"' in schema for status in ("acted", "pending", "refused"))
    assert "may_act" not in schema
    assert tool.annotations is not None
    assert tool.annotations.read_only_hint is False


def test_a_tool_that_returns_something_to_sign_is_no_action(exchange: Exchange) -> None:
    async def pay(to: Address, amount: Amount) -> Transfer:
        return Transfer(to=to, amount=amount)

    with pytest.raises(Misconfigured, match=r"not guarded|cannot be guarded"):
        exchange.protection.acts(pay)


async def test_a_secret_in_an_argument_is_refused_before_anything_is_asked(
    guard: MemoryGuard, exchange: Exchange
) -> None:
    async with connected(exchange, "auto") as client:
        answer = told(await client.call_tool("order", ORDER | {"note": SECRET.hex()}))
        assert answer["code"] == "invalid_input.secret"
    assert guard.acts == {}
