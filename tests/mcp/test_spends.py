"""A spending tool from call to answer, in both protocol eras."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from mcp import Client, MCPError
from mcp.client.session import ClientRequestContext
from mcp.server import request_state
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.request_state import RequestStateSecurity
from mcp_types import (
    CallToolResult,
    ElicitRequestFormParams,
    ElicitRequestURLParams,
    ElicitResult,
    InputRequiredResult,
)

from mcp_wallet_guard.mcp.protection import Protection, protect
from mcp_wallet_guard.operations.intents import Transfer
from mcp_wallet_guard.operations.values import Address, Amount
from tests.mcp.ports import OTHER, PAYEE, MemoryGuard

ERAS = ("auto", "legacy")
ARGUMENTS = {"to": PAYEE, "amount": "0.1"}

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Wallet:
    """A guarded server and how often its handler's body ran."""

    def __init__(self, guard: MemoryGuard, *, wait: float = 0.2, security: RequestStateSecurity | None = None) -> None:
        self.mcp = MCPServer("treasury", request_state_security=security)
        self.protection: Protection = protect(self.mcp, guard, wait_seconds=wait)
        self.bodies = 0

        @self.protection.spends
        async def pay(to: Address, amount: Amount) -> Transfer:
            """Send ETH."""
            self.bodies += 1
            return Transfer(to=to, amount=amount)

        @self.protection.spends
        def pay_slowly(to: Address, amount: Amount, ctx: Context) -> Transfer:
            """Send ETH, from a worker thread."""
            assert ctx.request_id
            self.bodies += 1
            return Transfer(to=to, amount=amount)


@asynccontextmanager
async def connected(wallet: Wallet, mode: str, callback: Any = None) -> AsyncIterator[Client]:
    async with Client(wallet.mcp, mode=mode, elicitation_callback=callback) as client:
        yield client


def answering(action: Any, then: Callable[[ElicitRequestURLParams], None] | None = None) -> Any:
    """A host that answers each question with `action`, and counts them."""
    seen: list[ElicitRequestURLParams] = []

    async def callback(
        context: ClientRequestContext, params: ElicitRequestURLParams | ElicitRequestFormParams
    ) -> ElicitResult:
        assert isinstance(params, ElicitRequestURLParams)
        seen.append(params)
        if then is not None:
            then(params)
        return ElicitResult(action=action)

    callback.seen = seen  # type: ignore[attr-defined]
    return callback


def status(result: CallToolResult) -> dict[str, Any]:
    assert isinstance(result.structured_content, dict)
    return result.structured_content


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize("tool", ["pay", "pay_slowly"])
async def test_a_call_without_a_person_is_pending_and_names_the_channels(mode: str, tool: str) -> None:
    """T-001, T-112."""
    guard = MemoryGuard()
    async with connected(wallet := Wallet(guard), mode) as client:
        answer = status(await client.call_tool(tool, ARGUMENTS))
        assert answer["status"] == "pending"
        assert "mcp-wallet-guard approve" in answer["message"]
        guard.approve(guard.only())
        done = await client.call_tool(tool, ARGUMENTS)
        assert status(done)["status"] == "done"
        assert not done.is_error
        again = status(await client.call_tool(tool, ARGUMENTS))
        assert (again["status"], again["repeated"]) == ("done", True)
    assert len(guard.paid) == wallet.bodies == 1


@pytest.mark.parametrize("mode", ERAS)
async def test_a_person_who_opens_the_page_and_approves_gets_the_receipt_in_the_same_call(mode: str) -> None:
    guard = MemoryGuard()
    host = answering("accept", then=lambda _: guard.approve(guard.only()))
    async with connected(wallet := Wallet(guard), mode, host) as client:
        answer = status(await client.call_tool("pay", ARGUMENTS))
    assert answer["status"] == "done"
    assert len(guard.paid) == wallet.bodies == len(host.seen) == 1
    assert host.seen[0].url == f"http://127.0.0.1:7000/a/{guard.only()}"
    assert (host.seen[0].elicitation_id is None) == (mode == "auto")


@pytest.mark.parametrize("mode", ERAS)
async def test_a_person_who_approves_while_the_call_waits_gets_the_receipt(mode: str) -> None:
    guard = MemoryGuard()
    wallet = Wallet(guard, wait=10)
    async with connected(wallet, mode, answering("accept")) as client, anyio.create_task_group() as tasks:

        async def person() -> None:
            await anyio.sleep(0.05)
            guard.approve(guard.only())

        tasks.start_soon(person)
        assert status(await client.call_tool("pay", ARGUMENTS))["status"] == "done"


@pytest.mark.parametrize("mode", ERAS)
async def test_a_host_that_accepts_everything_gets_nothing_approved(mode: str) -> None:
    """T-004."""
    guard = MemoryGuard()
    async with connected(Wallet(guard), mode, host := answering("accept")) as client:
        assert status(await client.call_tool("pay", ARGUMENTS))["status"] == "pending"
        assert len(host.seen) == 1
    assert guard.paid == []


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_host_that_declines_changes_nothing_and_does_not_wait(mode: str, action: str) -> None:
    guard = MemoryGuard()
    async with connected(Wallet(guard, wait=30), mode, answering(action)) as client:
        with anyio.fail_after(5):
            assert status(await client.call_tool("pay", ARGUMENTS))["status"] == "pending"
        guard.approve(guard.only())
        assert status(await client.call_tool("pay", ARGUMENTS))["status"] == "done"
    assert len(guard.paid) == 1


async def test_a_host_that_breaks_at_the_question_leaves_the_call_pending() -> None:
    async def breaks(*_: object) -> ElicitResult:
        raise MCPError(code=-32602, message="no such mode")

    async with connected(Wallet(MemoryGuard()), "legacy", breaks) as client:
        assert status(await client.call_tool("pay", ARGUMENTS))["status"] == "pending"


async def _first_round(client: Client, tool: str = "pay", **arguments: str) -> str:
    result = await client.session.call_tool(tool, {**ARGUMENTS, **arguments}, allow_input_required=True)
    assert isinstance(result, InputRequiredResult)
    assert result.request_state is not None
    return result.request_state


async def _retry(client: Client, state: str, tool: str = "pay", **arguments: str) -> Any:
    return await client.session.call_tool(
        tool,
        {**ARGUMENTS, **arguments},
        input_responses={"approval_page": ElicitResult(action="accept")},
        request_state=state,
        allow_input_required=True,
    )


async def test_a_replayed_state_repeats_the_outcome_and_pays_once() -> None:
    """T-009, T-011."""
    guard = MemoryGuard()
    async with connected(wallet := Wallet(guard), "auto", answering("accept")) as client:
        state = await _first_round(client)
        guard.approve(guard.only())
        answers = [status(await _retry(client, state)) for _ in range(4)]
    assert [a["repeated"] for a in answers] == [False, True, True, True]
    assert len(guard.paid) == wallet.bodies == 1


async def test_the_state_of_another_call_is_refused() -> None:
    """T-012: other arguments, another tool, another server's key, and no state at all."""
    guard = MemoryGuard()
    async with connected(Wallet(guard), "auto", answering("accept")) as client:
        state = await _first_round(client)
        for tool, arguments in (("pay", {"to": OTHER}), ("pay_slowly", {})):
            with pytest.raises(MCPError):
                await _retry(client, state, tool, **arguments)
        with pytest.raises(MCPError):
            await _retry(client, state[:-2] + "AA")
    async with connected(Wallet(guard), "auto", answering("accept")) as stranger:
        with pytest.raises(MCPError):
            await _retry(stranger, state)
    assert guard.paid == []
    assert len(guard.operations) == 1


async def test_the_state_of_an_earlier_hour_or_of_another_principal_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """T-012: an answer that comes too late, and one that somebody else brings; both in time and by its owner pass."""
    now, caller = [1_800_000_000.0], ["alice"]
    monkeypatch.setattr(request_state, "time", SimpleNamespace(time=lambda: now[0]))
    security = RequestStateSecurity(keys=[b"k" * 32], ttl=1, bind_principal=lambda _: caller[0])
    guard = MemoryGuard()
    async with connected(Wallet(guard, security=security), "auto", answering("accept")) as client:
        state = await _first_round(client)
        guard.approve(guard.only())
        for late, who in ((2.0, "alice"), (0.0, "mallory")):
            now[0], caller[0] = 1_800_000_000.0 + late, who
            with pytest.raises(MCPError):
                await _retry(client, state)
        assert guard.paid == []
        now[0], caller[0] = 1_800_000_000.5, "alice"
        assert status(await _retry(client, state))["status"] == "done"
    assert len(guard.paid) == 1


class _Unsealed:
    """A broken codec: what comes from the client is believed. The guard must not depend on the seal."""

    def seal(self, payload: bytes) -> str:
        return payload.decode()

    def unseal(self, token: str) -> bytes:
        return token.encode()


async def test_without_a_seal_a_forged_state_still_gains_nothing() -> None:
    """T-012, T-014: an attacker who writes states freely names another operation or another payee."""
    guard = MemoryGuard()
    wallet = Wallet(guard, security=RequestStateSecurity(codec=_Unsealed()))
    async with connected(wallet, "auto", answering("accept")) as client:
        state = await _first_round(client)
        other = await _first_round(client, to=OTHER)
        assert state != other
        first, second = guard.operations
        for forged in (state.replace(first, second), state.replace(first, "guess" * 4)):
            answer = status(await _retry(client, forged))
            assert (answer["status"], answer["code"]) == ("refused", "invalid_input.id")
    assert guard.paid == []


async def test_answers_to_a_question_that_was_not_asked_are_ignored() -> None:
    """T-013."""
    guard = MemoryGuard()
    async with connected(Wallet(guard, wait=30), "auto", answering("accept")) as client:
        with anyio.fail_after(5):
            result = await client.session.call_tool(
                "pay",
                ARGUMENTS,
                input_responses={"approval_page": ElicitResult(action="accept", content={"approved": True})},
                allow_input_required=True,
            )
        assert isinstance(result, InputRequiredResult)
    assert guard.paid == []


async def test_a_fresh_server_process_for_every_round_pays_once() -> None:
    """The state's key is shared, nothing else: the body runs again and must mean the same."""
    guard = MemoryGuard()
    security = RequestStateSecurity(keys=[b"k" * 32])
    async with connected(Wallet(guard, security=security), "auto", answering("accept")) as client:
        state = await _first_round(client)
    guard.approve(guard.only())
    async with connected(Wallet(guard, security=security), "auto", answering("accept")) as client:
        assert status(await _retry(client, state))["status"] == "done"
    async with connected(Wallet(guard, security=security), "auto", answering("accept")) as client:
        assert status(await _retry(client, state))["repeated"] is True
    assert len(guard.paid) == 1


async def test_a_fresh_process_whose_handler_means_something_else_is_refused() -> None:
    guard = MemoryGuard()
    security = RequestStateSecurity(keys=[b"k" * 32])
    async with connected(Wallet(guard, security=security), "auto", answering("accept")) as client:
        state = await _first_round(client)
    changed = MCPServer("treasury", request_state_security=security)

    @protect(changed, guard, wait_seconds=0.1).spends
    def pay(to: Address, amount: Amount) -> Transfer:
        return Transfer(to=Address.parse(OTHER), amount=amount)

    async with Client(changed, elicitation_callback=answering("accept")) as client:
        assert status(await _retry(client, state))["code"] == "invalid_input.id"
    assert len(guard.operations) == 1


async def test_an_expired_question_starts_a_new_ceremony() -> None:
    guard = MemoryGuard()
    async with connected(wallet := Wallet(guard), "auto") as client:
        first = status(await client.call_tool("pay", ARGUMENTS))["operation"]
        guard.expire(first)
        assert status(await client.call_tool("pay", ARGUMENTS))["operation"] != first
    assert wallet.bodies == 2


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18"])
async def test_an_undeclared_mode_is_never_sent(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """T-112: clients before 2025-11-25 know no URL mode, whatever they declare."""
    monkeypatch.setattr("mcp.client.session.LATEST_HANDSHAKE_VERSION", version)
    guard = MemoryGuard()
    async with connected(Wallet(guard, wait=30), "legacy", host := answering("accept")) as client:
        assert client.session.protocol_version == version
        with anyio.fail_after(5):
            assert status(await client.call_tool("pay", ARGUMENTS))["status"] == "pending"
    assert host.seen == []


@pytest.mark.parametrize("mode", ERAS)
async def test_a_guard_without_a_page_asks_nobody_through_the_host(mode: str) -> None:
    async with connected(Wallet(MemoryGuard(url=None)), mode, host := answering("accept")) as client:
        assert status(await client.call_tool("pay", ARGUMENTS))["status"] == "pending"
    assert host.seen == []


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({**ARGUMENTS, "confirmed": True}, "invalid_input.unknown_argument"),
        ({**ARGUMENTS, "wallet_guard_context": {}}, "invalid_input.unknown_argument"),
        ({**ARGUMENTS, "to": PAYEE.lower()}, "invalid_input.address"),
        ({**ARGUMENTS, "amount": 0.1}, "invalid_input.amount"),
        ({**ARGUMENTS, "amount": "1e3"}, "invalid_input.amount"),
        ({**ARGUMENTS, "amount": '{"text": "0.1"}'}, "invalid_input.amount"),
        ({"to": PAYEE}, "invalid_input"),
        ({**ARGUMENTS, "to": "0x" * 100_000}, "invalid_input.size"),
    ],
)
async def test_arguments_that_do_not_fit_are_refused_before_the_handler(
    mode: str, arguments: dict[str, Any], code: str
) -> None:
    """T-002, T-058, T-106."""
    guard = MemoryGuard()
    async with connected(wallet := Wallet(guard), mode) as client:
        result = await client.call_tool("pay", arguments)
        assert result.is_error
        assert (status(result)["status"], status(result)["code"]) == ("refused", code)
    assert wallet.bodies == 0
    assert guard.proposals == []


@pytest.mark.parametrize("mode", ERAS)
async def test_a_locked_or_absent_guard_is_a_clear_answer(mode: str) -> None:
    guard = MemoryGuard()
    async with connected(Wallet(guard), mode) as client:
        guard.locked = True
        assert status(await client.call_tool("pay", ARGUMENTS))["code"] == "locked"
        guard.broken = True
        assert status(await client.call_tool("pay", ARGUMENTS))["code"] == "unavailable.daemon"
        assert [tool.name for tool in (await client.list_tools()).tools] == ["pay", "pay_slowly"]


async def test_a_wrong_return_value_is_refused() -> None:
    mcp = MCPServer("treasury")

    @protect(mcp, MemoryGuard()).spends
    def pay() -> Transfer:
        return "0.1 ETH"  # type: ignore[return-value]

    async with Client(mcp) as client:
        assert status(await client.call_tool("pay", {}))["code"] == "misconfigured.tool"


@pytest.mark.parametrize("mode", ERAS)
async def test_a_nested_call_asks_nobody_and_uses_no_state(mode: str) -> None:
    guard = MemoryGuard()
    wallet = Wallet(guard, wait=30)

    @wallet.protection.reads
    async def outer(ctx: Context) -> str:
        result = await ctx.mcp_server.call_tool("pay", ARGUMENTS, ctx)
        assert isinstance(result, CallToolResult)
        return str(status(result)["status"])

    async with connected(wallet, mode, host := answering("accept")) as client:
        with anyio.fail_after(5):
            assert status(await client.call_tool("outer", {})) == {"result": "pending"}
    assert host.seen == []
    assert guard.paid == []
