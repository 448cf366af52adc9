"""`on_settled`: told once of each operation's end, beside everything else, and altering nothing."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.server.mcpserver import MCPServer
from pydantic import ValidationError

from mcp_wallet_guard import Address, Amount, Settled, Transfer
from mcp_wallet_guard.errors import Misconfigured
from mcp_wallet_guard.exchange import Done, Pending
from mcp_wallet_guard.mcp.link import GuardLink
from mcp_wallet_guard.mcp.protection import Protection, protect
from mcp_wallet_guard.mcp.settlements import MOST_WATCHED, Settlements
from tests.mcp.ports import PAYEE, MemoryGuard, Outcome

pytestmark = pytest.mark.anyio
ERAS = ("auto", "legacy")
ARGUMENTS = {"to": PAYEE, "amount": "0.1"}
SECRET = bytes(range(7, 39))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class HandTimer:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.time = 0.0
        self._until: float | None = None
        self._event = anyio.Event()

    def now(self) -> float:
        return self.time

    async def wait(self, event: anyio.Event, /, *, until: float | None) -> None:
        self._until, self._event = until, event
        if until is None or until > self.time:
            await event.wait()

    async def pass_(self, seconds: float) -> None:
        end = self.time + seconds
        await anyio.wait_all_tasks_blocked()
        while self._until is not None and self._until <= end:
            self.time = max(self.time, self._until)
            self._event.set()
            await anyio.wait_all_tasks_blocked()
        self.time = end


class Wallet:
    """A server with a paying tool that tells `told`, on a clock that a test holds."""

    def __init__(self, guard: MemoryGuard, on_settled: Any = None, *, mcp: MCPServer[Any] | None = None) -> None:
        self.guard = guard
        self.timer = HandTimer()
        self.mcp: MCPServer[Any] = mcp or MCPServer("treasury")
        self.told: list[Settled] = []
        self.protection: Protection = protect(self.mcp, guard, wait_seconds=0, timer=self.timer)
        self.protection.spends(on_settled=on_settled or self.note)(self.pay)
        self.protection.spends(name="pay_other", on_settled=self.note)(self.pay)
        self.protection.spends(name="pay_silently")(self.pay)

    async def note(self, settled: Settled) -> None:
        self.told.append(settled)

    async def pay(self, to: Address, amount: Amount) -> Transfer:
        return Transfer(to=to, amount=amount)


async def _call(client: Client, tool: str = "pay", **changed: str) -> dict[str, Any]:
    result = await client.call_tool(tool, {**ARGUMENTS, **changed})
    content: dict[str, Any] | None = result.structured_content
    assert content is not None
    return content


@pytest.mark.parametrize("mode", ERAS)
async def test_the_author_is_told_once_when_a_payment_is_mined(mode: str) -> None:
    wallet = Wallet(MemoryGuard())
    async with Client(wallet.mcp, mode=mode) as client:
        pending = await _call(client)
        await wallet.timer.pass_(10)
        assert (pending["status"], wallet.told) == ("pending", [])
        wallet.guard.approve(wallet.guard.only())
        done = await _call(client)
        await wallet.timer.pass_(0)
        (settled,) = wallet.told
        assert await _call(client) == {**done, "repeated": True}
        await wallet.timer.pass_(600)
    assert (settled.operation, settled.tool, settled.outcome, settled.code) == (
        pending["operation"],
        "pay",
        "mined",
        None,
    )
    assert settled.receipt is not None
    assert settled.receipt.model_dump(mode="json") == done["receipt"]
    assert wallet.told == [settled]


@pytest.mark.parametrize("end", ["mined", "failed", "replaced", "burned", "signed_but_invalid"])
@pytest.mark.parametrize("first", ["sent", "unknown"])
async def test_a_payment_that_is_sent_or_unknown_is_watched_to_its_end(first: Outcome, end: Outcome) -> None:
    wallet = Wallet(MemoryGuard())
    wallet.guard.outcome_is = first
    async with Client(wallet.mcp) as client:
        await _call(client)
        wallet.guard.approve(wallet.guard.only())
        assert (await _call(client))["outcome"] == first
        await wallet.timer.pass_(600)
        assert wallet.told == []
        wallet.guard.outcome_is = end
        await wallet.timer.pass_(60)
        await wallet.timer.pass_(600)
    assert [each.outcome for each in wallet.told] == [end]


@pytest.mark.parametrize("code", ["declined", "expired"])
async def test_an_operation_that_comes_to_nothing_has_an_end_too(code: str) -> None:
    wallet = Wallet(MemoryGuard())
    async with Client(wallet.mcp) as client:
        await _call(client)
        (wallet.guard.decline if code == "declined" else wallet.guard.expire)(wallet.guard.only())
        await wallet.timer.pass_(2)
    (settled,) = wallet.told
    assert (settled.outcome, settled.code, settled.receipt) == ("refused", code, None)


async def test_the_guard_is_asked_less_and_less_often() -> None:
    wallet = Wallet(MemoryGuard())
    asked: list[float] = []
    async with Client(wallet.mcp) as client:
        await _call(client)
        for _ in range(200):
            before = len(wallet.guard.asked_about)
            await wallet.timer.pass_(1)
            asked += [wallet.timer.time] * (len(wallet.guard.asked_about) - before)
    assert asked == [2, 6, 14, 30, 62, 122, 182]


@pytest.mark.parametrize("trouble", ["broken", "crashes"])
async def test_a_guard_that_is_away_is_asked_again(trouble: str) -> None:
    wallet = Wallet(MemoryGuard())
    async with Client(wallet.mcp) as client:
        await _call(client)
        wallet.guard.expire(wallet.guard.only())
        setattr(wallet.guard, trouble, True)
        await wallet.timer.pass_(10)
        assert (len(wallet.guard.asked_about), wallet.told) == (2, [])
        setattr(wallet.guard, trouble, False)
        await wallet.timer.pass_(10)
    assert [each.code for each in wallet.told] == ["expired"]


async def test_a_refusal_without_an_operation_and_a_tool_without_a_handler_tell_nobody() -> None:
    wallet = Wallet(MemoryGuard())
    async with Client(wallet.mcp) as client:
        wallet.guard.locked = True
        assert (await _call(client))["code"] == "locked"
        wallet.guard.locked = False
        await _call(client, "pay_silently", amount="7")
        await wallet.timer.pass_(600)
    assert (wallet.told, wallet.guard.asked_about) == ([], [])


async def test_an_operation_of_an_earlier_process_is_not_told() -> None:
    guard = MemoryGuard()
    earlier = Wallet(guard)
    async with Client(earlier.mcp) as client:
        await _call(client)
        guard.approve(guard.only())
        await _call(client)
    later = Wallet(guard)
    async with Client(later.mcp) as client:
        assert (await _call(client))["repeated"]
        await later.timer.pass_(600)
    assert later.told == []


async def test_an_operation_that_the_guard_forgot_is_not_asked_about_again() -> None:
    wallet = Wallet(MemoryGuard())
    async with Client(wallet.mcp) as client:
        await _call(client)
        wallet.guard.operations.clear()
        await wallet.timer.pass_(600)
    assert (len(wallet.guard.asked_about), wallet.told) == (1, [])


@pytest.mark.parametrize("error", [RuntimeError, SystemExit, ExceptionGroup])
async def test_a_handler_that_raises_changes_nothing_and_its_words_are_filtered(
    error: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """T-057."""
    called: list[Settled] = []

    async def failing(settled: Settled) -> None:
        called.append(settled)
        raise error(SECRET.hex(), [ValueError("x")]) if error is ExceptionGroup else error(SECRET.hex())

    wallet = Wallet(MemoryGuard(secrets_=(SECRET,)), failing)
    async with Client(wallet.mcp) as client:
        await _call(client)
        wallet.guard.approve(wallet.guard.only())
        assert (await _call(client))["outcome"] == "mined"
        await wallet.timer.pass_(600)
        assert (await _call(client))["outcome"] == "mined"
        await _call(client, "pay_other", amount="3")
        wallet.guard.decline(list(wallet.guard.operations)[-1])
        await wallet.timer.pass_(600)
    assert (len(called), [each.tool for each in wallet.told]) == (1, ["pay_other"])
    assert SECRET.hex() not in caplog.text
    assert "withheld" in caplog.text


@pytest.mark.parametrize("mode", ERAS)
async def test_a_slow_handler_delays_nothing_and_is_cancelled_with_the_server(mode: str) -> None:
    ended: list[str] = []

    async def slow(settled: Settled) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(settled.operation)

    wallet = Wallet(MemoryGuard(), slow)
    async with Client(wallet.mcp, mode=mode) as client:
        first = await _call(client)
        wallet.guard.approve(first["operation"])
        assert (await _call(client))["status"] == "done"
        second = await _call(client, "pay_other", amount="2")
        wallet.guard.approve(second["operation"])
        assert (await _call(client, "pay_other", amount="2"))["status"] == "done"
        await wallet.timer.pass_(600)
        assert ([each.operation for each in wallet.told], ended) == ([second["operation"]], [])
    assert ended == [first["operation"]]


async def test_a_plain_function_runs_in_a_thread_for_which_nobody_waits() -> None:
    started, go = threading.Event(), threading.Event()

    def blocking(settled: Settled) -> None:
        started.set()
        go.wait(30)

    wallet = Wallet(MemoryGuard(), blocking)
    try:
        with anyio.fail_after(20):
            async with Client(wallet.mcp) as client:
                wallet.guard.approve((await _call(client))["operation"])
                await _call(client)
                assert await anyio.to_thread.run_sync(started.wait, 10)
                assert (await _call(client, amount="2"))["status"] == "pending"
        assert not go.is_set()
    finally:
        go.set()


async def test_a_receipt_with_a_secret_is_not_told() -> None:
    """T-060."""
    wallet = Wallet(MemoryGuard(secrets_=(SECRET,)))
    wallet.guard.memo = SECRET.hex()
    async with Client(wallet.mcp) as client:
        await _call(client)
        wallet.guard.approve(wallet.guard.only())
        await _call(client)
        await wallet.timer.pass_(0)
    (settled,) = wallet.told
    assert (settled.outcome, settled.receipt) == ("mined", None)


async def test_handlers_run_within_the_servers_own_lifespan() -> None:
    open_: list[bool] = []

    @asynccontextmanager
    async def lifespan(_: MCPServer[str]) -> AsyncIterator[str]:
        open_.append(True)
        yield "state"
        open_.append(False)

    async def handler(settled: Settled) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            open_.append(open_[-1])

    wallet = Wallet(MemoryGuard(), handler, mcp=MCPServer("treasury", lifespan=lifespan))
    async with Client(wallet.mcp) as client:
        wallet.guard.approve((await _call(client))["operation"])
        await _call(client)
        await wallet.timer.pass_(0)
    assert open_ == [True, True, False]


async def test_two_clients_of_one_server_tell_once() -> None:
    wallet = Wallet(MemoryGuard())
    async with Client(wallet.mcp) as first:
        async with Client(wallet.mcp) as second:
            await _call(second)
            await wallet.timer.pass_(0)
        wallet.guard.expire(wallet.guard.only())
        await wallet.timer.pass_(10)
        assert len(wallet.told) == 1
        assert (await first.list_tools()).tools


async def test_what_is_watched_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    guard, timer, told = MemoryGuard(), HandTimer(), list[Settled]()
    settlements = Settlements(GuardLink(guard), timer)

    async def note(settled: Settled) -> None:
        told.append(settled)

    settlements.add("pay", note)
    for number in range(MOST_WATCHED + 1):
        pending = Pending(operation=f"{number}", expires_at=1, message="")
        settlements.heard("pay", pending, principal="local")
    assert caplog.text.count("too many wait") == 1
    for number in range(MOST_WATCHED + 1):
        done = Done(operation=f"{number}", outcome="mined", repeated=True, message="")
        settlements.heard("pay", done, principal="local")
    async with settlements.watching():
        await timer.pass_(0)
    assert {each.operation for each in told} == {f"{number}" for number in range(MOST_WATCHED)}


async def test_an_error_of_the_server_leaves_as_it_came() -> None:
    settlements = Settlements(GuardLink(MemoryGuard()), HandTimer())
    with pytest.raises(LookupError):
        async with settlements.watching():
            raise LookupError


class _Callable:
    def __call__(self, settled: Settled) -> None: ...


def _two(settled: Settled, more: int) -> None: ...


def _none() -> None: ...


@pytest.mark.parametrize("handler", [_Callable(), Settled, _two, _none, "log", print])
def test_what_cannot_be_told_is_refused_and_its_tool_is_not_registered(handler: Any) -> None:
    wallet = protect(MCPServer("treasury"), MemoryGuard())

    def pay(to: Address) -> Transfer:
        return Transfer(to=to, amount=Amount("1"))

    with pytest.raises(Misconfigured):
        wallet.spends(on_settled=handler)(pay)
    wallet.spends(pay)


def test_what_is_told_cannot_be_altered() -> None:
    settled = Settled(operation="a", tool="pay", outcome="mined")
    alter: Callable[[], None] = lambda: setattr(settled, "outcome", "failed")  # noqa: E731
    with pytest.raises(ValidationError):
        alter()
