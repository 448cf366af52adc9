"""What a client that breaks the rules gets: a code, the end of its connection, and nothing of the guard's.

Threat: T-110.
"""

from __future__ import annotations

import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
import rfc8785
from anyio.abc import SocketStream

from mcp_wallet_guard.daemon.base import Role
from mcp_wallet_guard.daemon.client import ControlClient, DaemonClient
from mcp_wallet_guard.daemon.methods import METHODS
from mcp_wallet_guard.daemon.server import Limits
from mcp_wallet_guard.errors import RateLimited
from tests.daemon.memory_guard import ADDRESS, PASSPHRASE, VIEW_HASH, MemoryGuard, served

QUICK = Limits(connections=3, in_flight=4, hello_seconds=0.3, frame_seconds=0.3, write_seconds=0.3)
PROPOSE = {"principal": "p", "tool": "t", "intent": {"to": ADDRESS}, "wait_milliseconds": 60_000}


def framed(message: Any) -> bytes:
    body = message if isinstance(message, bytes) else rfc8785.dumps(message)
    return struct.pack(">I", len(body)) + body


class Raw:
    """A client without manners."""

    def __init__(self, stream: SocketStream) -> None:
        self._stream = stream
        self._buffer = b""

    async def send(self, data: bytes) -> None:
        await self._stream.send(data)

    async def drip(self, data: bytes, *, pause: float = 0, size: int = 1) -> None:
        for start in range(0, len(data), size):
            await self.send(data[start : start + size])
            await anyio.sleep(pause)

    async def receive(self) -> Any:
        """The next message, or None at the end of the connection."""
        with anyio.fail_after(5):
            while len(self._buffer) < 4 or len(self._buffer) < 4 + struct.unpack(">I", self._buffer[:4])[0]:
                try:
                    self._buffer += await self._stream.receive()
                except (anyio.EndOfStream, anyio.BrokenResourceError):
                    assert self._buffer == b""
                    return None
        end = 4 + struct.unpack(">I", self._buffer[:4])[0]
        message, self._buffer = self._buffer[4:end], self._buffer[end:]
        return json.loads(message)


@asynccontextmanager
async def raw(directory: Path, role: Role, *, greet: bool = True) -> AsyncIterator[Raw]:
    async with await anyio.connect_unix(directory / "run" / f"{role.value}.sock") as stream:
        client = Raw(stream)
        if greet:
            hello = {"hello": {"role": role.value, "version": 1}}
            await client.send(framed(hello))
            assert await client.receive() == hello
        yield client


async def expect_fatal(client: Raw, code: str, *, kind: str = "InvalidInput") -> None:
    error = (await client.receive())["error"]
    assert (error["kind"], error["code"]) == (kind, code)
    assert await client.receive() is None


@pytest.mark.parametrize("name", sorted(METHODS[Role.CONTROL]))
async def test_no_method_of_the_owner_exists_on_mcp_sock(directory: Path, guard: MemoryGuard, name: str) -> None:
    """Threat: T-001."""
    args = {"operation": "op", "view_hash": VIEW_HASH, "match_code": "m", "code": None, "channel": "terminal"}
    async with served(guard, directory), raw(directory, Role.MCP) as client:
        await client.send(framed({"id": 1, "method": name, "args": args if name == "approve" else {}}))
        await expect_fatal(client, "invalid_input")
    assert guard.locked
    assert guard.signed == []


async def test_a_passphrase_sent_to_mcp_sock_is_not_even_read(directory: Path, guard: MemoryGuard) -> None:
    async with served(guard, directory), raw(directory, Role.MCP) as client:
        request = {"id": 1, "method": "unlock", "args": {}, "secret": len(PASSPHRASE)}
        await client.send(framed(request) + PASSPHRASE)
        assert (await client.receive())["error"] == {"kind": "InvalidInput", "code": "invalid_input"}
    assert guard.passphrases == []


async def test_no_method_of_an_mcp_server_exists_on_control_sock(directory: Path, guard: MemoryGuard) -> None:
    async with served(guard, directory), raw(directory, Role.CONTROL) as client:
        await client.send(framed({"id": 1, "method": "propose", "args": PROPOSE}))
        await expect_fatal(client, "invalid_input")


@pytest.mark.parametrize(
    "data",
    [
        framed(b"\xff\xfe"),
        framed(b"[]"),
        framed(b'"text"'),
        framed(b'{"id":1, "method":"info","args":{}}'),
        framed(b'{"args":{},"id":1,"id":1,"method":"info"}'),
        framed(b'{"args":{},"id":1.0,"method":"info"}'),
        framed(b'{"args":{},"id":NaN,"method":"info"}'),
        framed(b'{"args":{},"id":1' + b"0" * 5000 + b',"method":"info"}'),
        framed(b'{"args":{"a":"\\ud800"},"id":1,"method":"info"}'),
        framed(b'{"args":' + b"[" * 100_000),
        framed(b'{"args":' + b'{"a":' * 17 + b"1" + b"}" * 17 + b',"id":1,"method":"info"}'),
        framed({"id": 0, "method": "info", "args": {}}),
        framed({"id": True, "method": "info", "args": {}}),
        framed({"id": "1", "method": "info", "args": {}}),
        framed(b'{"args":{},"id":9007199254740992,"method":"info"}'),
        framed({"id": 1, "method": "info"}),
        framed({"id": 1, "method": "info", "args": []}),
        framed({"id": 1, "method": "info", "args": {}, "confirmed": True}),
        framed({"id": 1, "method": "info", "args": {"confirmed": True}}),
        framed({"id": 1, "method": "info", "args": {}, "secret": 5}),
        framed({"id": 1, "method": "status", "args": {"operation": "o"}}),
        framed({"id": 1, "method": "status", "args": {"operation": 5, "principal": "p"}}),
        framed({"id": 1, "method": "propose", "args": PROPOSE | {"wait_milliseconds": -1}}),
        framed({"id": 1, "method": "propose", "args": PROPOSE | {"wait_milliseconds": 600_001}}),
        framed({"id": 1, "method": "propose", "args": PROPOSE | {"intent": {str(n): "" for n in range(17)}}}),
        framed({"id": 1, "method": "propose", "args": PROPOSE | {"confirmed": True}}),
        framed({"id": 1, "method": "Info", "args": {}}),
        framed({"id": 1, "method": "__class__", "args": {}}),
        framed({"cancel": 1, "id": 1}),
        framed({"result": None, "id": 1}),
    ],
)
async def test_a_message_that_breaks_a_rule_ends_the_connection(
    directory: Path, guard: MemoryGuard, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(guard, directory), raw(directory, Role.MCP) as client:
        await client.send(data)
        await expect_fatal(client, "invalid_input")
        other = DaemonClient(directory)
        assert (await other.info()).locked  # the others do not notice
        await other.aclose()
    assert "confirmed" not in caplog.text


@pytest.mark.parametrize("length", [0, 1, 262_145, 2**32 - 1])
async def test_a_length_that_no_frame_has_ends_the_connection(directory: Path, guard: MemoryGuard, length: int) -> None:
    """Threat: T-106."""
    async with served(guard, directory), raw(directory, Role.MCP) as client:
        await client.send(struct.pack(">I", length))
        await expect_fatal(client, "invalid_input.size")


async def test_a_frame_of_exactly_the_cap_is_read(directory: Path, guard: MemoryGuard) -> None:
    def asking(to: str) -> bytes:
        args = PROPOSE | {"intent": {"to": to}, "wait_milliseconds": 0}
        return framed({"args": args, "id": 1, "method": "propose"})

    async with served(guard, directory), raw(directory, Role.MCP) as client:
        await client.send(asking("x" * (4 + 262_144 - len(asking("")))))
        assert (await client.receive())["result"]["code"] == "locked"


@pytest.mark.parametrize(
    ("hello", "kind", "code"),
    [
        ({"hello": {"role": "mcp", "version": 2}}, "Misconfigured", "misconfigured.protocol"),
        ({"hello": {"role": "control", "version": 1}}, "Misconfigured", "misconfigured.protocol"),
        ({"hello": {"role": "mcp", "version": 1, "as": "owner"}}, "InvalidInput", "invalid_input"),
        ({"hello": {"role": "mcp", "version": "1"}}, "InvalidInput", "invalid_input"),
        ({"id": 1, "method": "info", "args": {}}, "InvalidInput", "invalid_input"),
    ],
)
async def test_a_wrong_opening_is_answered_with_its_reason(
    directory: Path, guard: MemoryGuard, hello: dict[str, Any], kind: str, code: str
) -> None:
    async with served(guard, directory), raw(directory, Role.MCP, greet=False) as client:
        await client.send(framed(hello))
        await expect_fatal(client, code, kind=kind)


async def test_a_client_that_sends_an_error_instead_of_a_hello_is_only_hung_up_on(
    directory: Path, guard: MemoryGuard
) -> None:
    async with served(guard, directory), raw(directory, Role.MCP, greet=False) as client:
        await client.send(framed({"error": {"kind": "Misconfigured", "code": "misconfigured.protocol"}}))
        await expect_fatal(client, "invalid_input")


@pytest.mark.parametrize("begun", [b"", b"\0", framed(b"{}" * 50)[:-1]])
async def test_who_does_not_greet_in_time_is_hung_up_on(directory: Path, guard: MemoryGuard, begun: bytes) -> None:
    async with served(guard, directory, limits=QUICK), raw(directory, Role.MCP, greet=False) as client:
        if begun:
            await client.send(begun)
        assert await client.receive() is None


async def test_a_frame_that_drips_is_hung_up_on_although_each_byte_is_in_time(
    directory: Path, guard: MemoryGuard
) -> None:
    async with served(guard, directory, limits=QUICK), raw(directory, Role.MCP) as client:
        started = anyio.current_time()
        with pytest.raises((anyio.BrokenResourceError, anyio.ClosedResourceError)):
            await client.drip(framed({"id": 1, "method": "info", "args": {}}), pause=0.05)
        assert anyio.current_time() - started < 1.0


async def test_half_a_passphrase_is_hung_up_on_and_reaches_nobody(directory: Path, guard: MemoryGuard) -> None:
    async with served(guard, directory, limits=QUICK), raw(directory, Role.CONTROL) as client:
        await client.send(framed({"id": 1, "method": "unlock", "args": {}, "secret": len(PASSPHRASE)}))
        await client.send(PASSPHRASE[:7])
        assert await client.receive() is None
    assert guard.passphrases == []


async def test_an_idle_connection_stays_open(directory: Path, guard: MemoryGuard) -> None:
    async with served(guard, directory, limits=QUICK), raw(directory, Role.MCP) as client:
        await anyio.sleep(0.7)
        await client.send(framed({"id": 1, "method": "info", "args": {}}))
        assert (await client.receive())["result"]["symbol"] == "ETH"


@pytest.mark.parametrize("role", list(Role))
async def test_one_connection_too_many_is_refused_and_the_other_socket_does_not_notice(
    directory: Path, guard: MemoryGuard, role: Role
) -> None:
    async with served(guard, directory, limits=QUICK), raw(directory, role), raw(directory, role):
        async with raw(directory, role):
            async with raw(directory, role, greet=False) as late:
                await expect_fatal(late, "rate_limited", kind="RateLimited")
            port, owner = DaemonClient(directory), ControlClient(directory)
            with pytest.raises(RateLimited):
                await (port.info() if role is Role.MCP else owner.control_status())
            assert (await (owner.control_status() if role is Role.MCP else port.info())).locked
            await port.aclose()
            await owner.aclose()
        async with raw(directory, role):
            pass  # a place became free


async def test_calls_above_the_ceiling_of_one_connection_are_refused_and_the_connection_lives(
    directory: Path, guard: MemoryGuard
) -> None:
    guard.locked = False
    async with served(guard, directory, limits=QUICK), raw(directory, Role.MCP) as client:
        for number in range(1, 5):
            intent = {"to": ADDRESS, "reference": str(number)}
            await client.send(framed({"id": number, "method": "propose", "args": PROPOSE | {"intent": intent}}))
        await client.send(framed({"id": 5, "method": "info", "args": {}}))
        refusal = {"id": 5, "error": {"kind": "RateLimited", "code": "rate_limited"}}
        assert await client.receive() == refusal
        await client.send(framed({"cancel": 2}))
        cancelled = {"id": 2, "error": {"kind": "Unavailable", "code": "unavailable.daemon"}}
        assert await client.receive() == cancelled
        await client.send(framed({"id": 5, "method": "info", "args": {}}))
        assert (await client.receive())["id"] == 5
    assert len(guard.cancelled) == 4


async def test_an_id_cannot_be_used_twice_at_once(directory: Path, guard: MemoryGuard) -> None:
    guard.locked = False
    async with served(guard, directory), raw(directory, Role.MCP) as client:
        for _ in range(2):
            await client.send(framed({"id": 7, "method": "propose", "args": PROPOSE}))
        await expect_fatal(client, "invalid_input")


async def test_cancelling_what_is_not_open_changes_nothing(directory: Path, guard: MemoryGuard) -> None:
    async with served(guard, directory), raw(directory, Role.MCP) as client:
        await client.send(framed({"cancel": 99}) + framed({"id": 1, "method": "info", "args": {}}))
        assert (await client.receive())["id"] == 1


async def test_a_client_that_does_not_read_is_hung_up_on(directory: Path, guard: MemoryGuard) -> None:
    async with served(guard, directory, limits=QUICK), raw(directory, Role.MCP) as client:
        with pytest.raises((anyio.BrokenResourceError, anyio.ClosedResourceError)), anyio.fail_after(20):
            await client.drip(framed({"id": 1, "method": "fingerprints", "args": {}}) * 10**6, size=65_536)
