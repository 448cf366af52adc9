"""The clients: concurrent calls, cancellation, restarts of the guard, and servers that are not what they should be."""

from __future__ import annotations

import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
import rfc8785
from anyio.abc import SocketAttribute, SocketStream

from mcp_wallet_guard.daemon import methods
from mcp_wallet_guard.daemon.base import Role
from mcp_wallet_guard.daemon.client import ControlClient, DaemonClient
from mcp_wallet_guard.errors import GuardError, Locked, Refused, Unavailable
from mcp_wallet_guard.evidence import Channel
from mcp_wallet_guard.exchange import Done, Pending, Proposal, ReadRecord, RefusedAnswer
from mcp_wallet_guard.secret import Secret
from tests.daemon.memory_guard import (
    ADDRESS,
    CODE,
    INTENT,
    MATCH_CODE,
    PASSPHRASE,
    VIEW_HASH,
    MemoryGuard,
    served,
    until,
)

PROPOSAL = Proposal(principal="local", tool="pay", intent=INTENT)


def numbered(number: int) -> Proposal:
    return Proposal(principal="local", tool="pay", intent={"to": ADDRESS, "reference": str(number)})


async def approve(guard: MemoryGuard, operation: str) -> None:
    await guard.approve(operation, view_hash=VIEW_HASH, match_code=MATCH_CODE, code=CODE, channel=Channel.TERMINAL)


# --- no guard -----------------------------------------------------------------------------------------------------


async def test_without_a_guard_a_proposal_is_refused_with_the_way_to_start_one(directory: Path) -> None:
    answer = await DaemonClient(directory).propose(PROPOSAL, wait_seconds=0)
    assert isinstance(answer, RefusedAnswer)
    assert answer.code == "not_running"
    assert "mcp-wallet-guard start" in answer.message


async def test_without_a_guard_every_other_call_raises_not_running(directory: Path) -> None:
    client, owner = DaemonClient(directory), ControlClient(directory)
    record = ReadRecord(tool="t", principal="p", outcome="released")
    for call in (
        lambda: client.status("o", principal="p"), lambda: client.outcome("o", principal="p"), client.info,
        lambda: client.balance(None), lambda: client.history(1), client.fingerprints,
        lambda: client.record_read(record),
        owner.control_status, lambda: owner.unlock(Secret(PASSPHRASE)),
    ):  # fmt: skip
        with pytest.raises(Locked) as absent:
            await call()
        assert absent.value.code == "not_running"


async def test_the_socket_of_a_dead_guard_reads_as_not_running(directory: Path) -> None:
    (directory / "run").mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(directory / "run" / "mcp.sock"))
        (directory / "run" / "mcp.sock").chmod(0o600)
    with pytest.raises(Locked) as absent:
        await DaemonClient(directory).info()
    assert absent.value.code == "not_running"


# --- restarts -----------------------------------------------------------------------------------------------------


async def test_one_client_outlives_restarts_of_the_guard(directory: Path, guard: MemoryGuard) -> None:
    client = DaemonClient(directory)
    for _ in range(3):
        async with served(guard, directory):
            assert (await client.info()).locked
            assert await client.balance("0x00") == "0"
        with pytest.raises(Refused) as absent:
            await client.info()
        assert absent.value.code == "not_running"
    await client.aclose()
    await client.aclose()


async def test_a_guard_that_goes_in_the_middle_of_a_proposal_can_be_asked_again(
    directory: Path, guard: MemoryGuard
) -> None:
    guard.locked = False
    client = DaemonClient(directory)
    async with served(guard, directory) as server, anyio.create_task_group() as tasks:

        async def propose() -> None:
            with pytest.raises(Unavailable) as lost:
                await client.propose(PROPOSAL, wait_seconds=60)
            assert lost.value.code == "unavailable.daemon"

        tasks.start_soon(propose)
        await guard.asked.wait()
        server.stop()
    (operation,) = guard.answers
    assert guard.cancelled == [operation]
    async with served(guard, directory):
        joined = await client.propose(PROPOSAL, wait_seconds=0)
        assert isinstance(joined, Pending)
        assert joined.operation == operation
        await client.aclose()


async def test_closing_a_client_ends_the_calls_that_wait(directory: Path, guard: MemoryGuard) -> None:
    guard.locked = False
    client = DaemonClient(directory)
    async with served(guard, directory):
        async with anyio.create_task_group() as tasks:

            async def propose(number: int) -> None:
                with pytest.raises(Unavailable):
                    await client.propose(numbered(number), wait_seconds=60)

            for number in range(3):
                tasks.start_soon(propose, number)
            await until(lambda: len(guard.answers) == 3)
            await client.aclose()
        await until(lambda: len(guard.cancelled) == 3)


# --- many calls at once -------------------------------------------------------------------------------------------


async def test_fifty_calls_share_one_connection_and_each_gets_its_own_answer(
    directory: Path, guard: MemoryGuard
) -> None:
    guard.locked = False
    client = DaemonClient(directory)
    answers: dict[int, str] = {}

    async def propose(number: int) -> None:
        answer = await client.propose(numbered(number), wait_seconds=30)
        assert isinstance(answer, Done)
        answers[number] = answer.operation

    async with served(guard, directory) as server:
        async with anyio.create_task_group() as tasks:
            for number in range(50):
                tasks.start_soon(propose, number)
            await until(lambda: len(guard.answers) == 50)
            assert server._connections[Role.MCP] == 1
            for operation in reversed(list(guard.answers)):
                await approve(guard, operation)
        await client.aclose()
    assert {number: operation.removeprefix("op-" + ADDRESS[2:10]) for number, operation in answers.items()} == {
        number: str(number) for number in range(50)
    }


async def test_reads_are_recorded_in_the_order_in_which_they_were_sent(directory: Path, guard: MemoryGuard) -> None:
    client = DaemonClient(directory)
    tools = ["x" * (1 + n * 7 % 13) + str(n) for n in range(40)]
    async with served(guard, directory):
        await client.info()
        async with anyio.create_task_group() as tasks:
            for tool in tools:
                tasks.start_soon(client.record_read, ReadRecord(tool=tool, principal="p", outcome="released"))
        await client.aclose()
    assert [record.tool for record in guard.reads] == tools


async def test_two_clients_of_one_guard_do_not_see_each_others_replies(directory: Path, guard: MemoryGuard) -> None:
    one, two = DaemonClient(directory), DaemonClient(directory)
    async with served(guard, directory):

        async def ask(client: DaemonClient, address: str | None, expected: str) -> None:
            for _ in range(50):
                assert await client.balance(address) == expected

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, one, None, "1000000000000000000")
            tasks.start_soon(ask, two, "0x00", "0")
        await one.aclose()
        await two.aclose()


# --- cancellation -------------------------------------------------------------------------------------------------


async def test_a_cancelled_call_ends_in_the_guard_too_and_leaves_the_others_alone(
    directory: Path, guard: MemoryGuard
) -> None:
    guard.locked = False
    client = DaemonClient(directory)
    results: list[Done | Pending | RefusedAnswer] = []

    async def propose(number: int) -> None:
        results.append(await client.propose(numbered(number), wait_seconds=30))

    async with served(guard, directory), anyio.create_task_group() as tasks:
        with anyio.CancelScope() as first:
            async with anyio.create_task_group() as doomed:
                doomed.start_soon(propose, 0)  # it reads for all, until it is cancelled
                await until(lambda: bool(guard.answers))
                tasks.start_soon(propose, 1)
                tasks.start_soon(propose, 2)
                await until(lambda: len(guard.answers) == 3)
                first.cancel()
        gone, *others = guard.answers
        await until(lambda: bool(guard.cancelled))
        assert guard.cancelled == [gone]
        for operation in others:
            await approve(guard, operation)
        await until(lambda: len(results) == 2)
        assert (await client.info()).symbol == "ETH"
        await client.aclose()
    assert {answer.operation for answer in results} == set(others)


async def test_cancelling_at_any_moment_never_spoils_the_connection(directory: Path, guard: MemoryGuard) -> None:
    client = DaemonClient(directory)
    async with served(guard, directory) as server:
        for step in range(60):
            with anyio.move_on_after(step * 0.00005):
                await client.balance("0x00")
        assert await client.balance(None) == "1000000000000000000"
        assert server._connections[Role.MCP] <= 1
        link = client._line._link
        assert link is not None
        assert (link._waiting, link._abandoned) == ({}, set())
        await client.aclose()


async def test_a_disconnecting_client_cancels_its_waiting_proposal(directory: Path, guard: MemoryGuard) -> None:
    guard.locked = False
    client = DaemonClient(directory)
    async with served(guard, directory):
        with anyio.move_on_after(0.2):
            await client.propose(PROPOSAL, wait_seconds=60)
        await client.aclose()
        await until(lambda: bool(guard.cancelled))


async def test_what_the_owner_began_finishes_although_the_terminal_is_gone(directory: Path, guard: MemoryGuard) -> None:
    guard.locked, guard.lock_hold = False, anyio.Event()
    owner = ControlClient(directory)
    async with served(guard, directory):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(owner.lock)
            await guard.lock_began.wait()
            tasks.cancel_scope.cancel()
        await owner.aclose()
        await anyio.sleep(0.05)
        guard.lock_hold.set()
        await until(lambda: guard.locked)


async def test_a_call_that_takes_too_long_is_given_up_by_the_client(
    directory: Path, guard: MemoryGuard, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard.balance_hold = anyio.Event()
    client = DaemonClient(directory)
    async with served(guard, directory):
        with monkeypatch.context() as impatient:
            impatient.setattr(methods, "BALANCE", replace(methods.BALANCE, seconds=0.2))
            with pytest.raises(Unavailable) as late:
                await client.balance(None)
        assert late.value.code == "unavailable.daemon"
        guard.balance_hold.set()
        assert await client.balance(None) == "1000000000000000000"
        await client.aclose()


# --- what is not a guard ------------------------------------------------------------------------------------------

GREETING = rfc8785.dumps({"hello": {"role": "mcp", "version": 1}})


def framed(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


@asynccontextmanager
async def impostor(directory: Path, replies: list[bytes]) -> AsyncIterator[None]:
    """Something that sends one reply for each frame that it gets, then hangs up."""
    run = directory / "run"
    run.mkdir(mode=0o700)

    async def handle(stream: SocketStream) -> None:
        async with stream:
            for reply in replies:
                await stream.receive()
                await stream.send(reply)

    listener = await anyio.create_unix_listener(run / "mcp.sock", mode=0o600)
    assert listener.extra(SocketAttribute.family) == socket.AF_UNIX
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, handle)
        yield
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("replies", "code"),
    [
        ([], "unavailable.daemon"),
        ([framed(rfc8785.dumps({"hello": {"role": "mcp", "version": 2}}))], "misconfigured.protocol"),
        ([framed(rfc8785.dumps({"hello": {"role": "control", "version": 1}}))], "misconfigured.protocol"),
        ([framed(b'{"hello": {}}')], "misconfigured.protocol"),
        ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], "misconfigured.protocol"),
        (
            [framed(b'{"error":{"code":"misconfigured.protocol","kind":"Misconfigured"}}')],
            "misconfigured.protocol",
        ),
        ([framed(GREETING)], "unavailable.daemon"),
        ([framed(GREETING), framed(b'{"id":1,"result":{"locked":false}}')], "misconfigured.protocol"),
        ([framed(GREETING), framed(b'{"id":2,"result":null}')], "misconfigured.protocol"),
        ([framed(GREETING), framed(b'{"id":1,"result":null,"x":1}')], "misconfigured.protocol"),
        ([framed(GREETING), framed(b"not json")], "misconfigured.protocol"),
        ([framed(GREETING), b"\xff\xff\xff\xff"], "misconfigured.protocol"),
        ([framed(GREETING), framed(b'{"error":{"code":"new","kind":"Refused"},"id":1}')], "misconfigured.protocol"),
        ([framed(GREETING), framed(b'{"error":{"code":"locked","kind":"Exception"}}')], "misconfigured.protocol"),
        ([framed(GREETING), framed(b'{"error":{"code":"rate_limited","kind":"RateLimited"}}')], "rate_limited"),
        ([framed(GREETING), framed(b'{"id":1')[:6]], "unavailable.daemon"),
    ],
)
async def test_a_server_that_breaks_the_protocol_is_told_apart_from_one_that_is_gone(
    directory: Path, replies: list[bytes], code: str
) -> None:
    client = DaemonClient(directory)
    async with impostor(directory, replies):
        with pytest.raises(GuardError) as broken:
            await client.info()
        assert broken.value.code == code
        await client.aclose()
