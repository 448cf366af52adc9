"""The page over a real socket: what only a real server can get wrong."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from pathlib import Path

import httpx2
import pytest

from mcp_wallet_guard.approvals.page import serve_page
from mcp_wallet_guard.errors import Unavailable
from mcp_wallet_guard.testing.clock import ScriptedClock
from mcp_wallet_guard.testing.person import Authenticator, ScriptedPerson
from tests.approvals.desk import PAYEE, START, TOTP_SECRET, MemoryDesk


@pytest.fixture
def desk(clock: ScriptedClock, tmp_path: Path) -> MemoryDesk:
    return MemoryDesk(clock, links=tmp_path / "links")


async def raw(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    await writer.drain()
    try:
        return await asyncio.wait_for(reader.read(), 5)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_the_owner_approves_over_real_http(desk: MemoryDesk, clock: ScriptedClock) -> None:
    async with serve_page(desk, clock=clock, port=0) as port:
        desk.base = f"http://127.0.0.1:{port}"
        desk.ask("op-1")
        authenticator = Authenticator(TOTP_SECRET, clock)
        async with ScriptedPerson(links=desk.links.directory, authenticator=authenticator) as person:
            await person.approve("op-1", expect_to=PAYEE, expect_amount="0.1")
    assert desk.cases["op-1"].step == START // 30


async def test_a_rebound_name_is_refused_by_the_real_socket(desk: MemoryDesk, clock: ScriptedClock) -> None:
    """Threat: T-109."""
    async with serve_page(desk, clock=clock, port=0) as port:
        for host in (b"evil.example:%d" % port, b"127.0.0.1:%d" % (port + 1), b"127.0.0.1"):
            answer = await raw(port, b"GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % host)
            assert answer.startswith(b"HTTP/1.1 421 ")
        honest = await raw(port, b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n\r\n" % port)
        assert honest.startswith(b"HTTP/1.1 200 ")
        forwarded = b"GET / HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: 127.0.0.1:%d\r\n\r\n" % port
        assert (await raw(port, forwarded)).startswith(b"HTTP/1.1 421 ")


async def test_a_body_that_never_ends_does_not_fill_the_memory(desk: MemoryDesk, clock: ScriptedClock) -> None:
    """Threat: T-106."""
    async with serve_page(desk, clock=clock, port=0) as port:
        head = (
            b"POST /pair HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nOrigin: http://127.0.0.1:%d\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000000000\r\n\r\n" % (port, port)
        )
        assert (await raw(port, head + b"a" * 8192)).startswith(b"HTTP/1.1 413 ")
    assert desk.calls == []


async def test_headers_that_never_end_do_not_fill_the_memory(desk: MemoryDesk, clock: ScriptedClock) -> None:
    async with serve_page(desk, clock=clock, port=0) as port:
        answer = await raw(port, b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nX: " % port + b"a" * 100_000)
        assert answer.startswith(b"HTTP/1.1 400 ")


async def test_only_loopback_is_bound(desk: MemoryDesk, clock: ScriptedClock) -> None:
    """Threat: T-109, T-110."""
    async with serve_page(desk, clock=clock, port=0) as port:
        with socket.socket() as other:  # free on every other address, so nothing listens there
            other.bind(("127.0.0.2", port))


async def test_a_port_in_use_is_said_and_nothing_is_taken_over(desk: MemoryDesk, clock: ScriptedClock) -> None:
    async with serve_page(desk, clock=clock, port=0) as port:
        with pytest.raises(Unavailable):
            async with serve_page(desk, clock=clock, port=port):
                pass
        async with httpx2.AsyncClient() as browser:
            assert (await browser.get(f"http://127.0.0.1:{port}/")).status_code == 200


async def test_the_port_is_free_again_afterwards(desk: MemoryDesk, clock: ScriptedClock) -> None:
    async with serve_page(desk, clock=clock, port=0) as port:
        pass
    async with serve_page(desk, clock=clock, port=port) as again:
        assert again == port


async def test_an_error_inside_the_block_comes_out_as_it_is(desk: MemoryDesk, clock: ScriptedClock) -> None:
    with pytest.raises(KeyError):
        async with serve_page(desk, clock=clock, port=0):
            raise KeyError


async def test_cancelling_the_block_closes_the_socket(desk: MemoryDesk, clock: ScriptedClock) -> None:
    ports: list[int] = []
    serving = asyncio.Event()

    async def serve() -> None:
        async with serve_page(desk, clock=clock, port=0) as port:
            ports.append(port)
            serving.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(serve())
    await serving.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", ports[0])) != 0


async def test_signal_handlers_stay_the_processs_own_and_no_address_is_logged(
    desk: MemoryDesk,
    clock: ScriptedClock,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(1)
    root = logging.getLogger()
    logging.getLogger("uvicorn.error").setLevel(1)
    logging.getLogger("uvicorn.access").setLevel(1)
    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    access_handlers = list(logging.getLogger("uvicorn.access").handlers)
    try:
        async with serve_page(desk, clock=clock, port=0) as port:
            assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == before
            desk.base = f"http://127.0.0.1:{port}"
            desk.ask("op-1")
            secret = desk.links.path("op-1").read_text().strip().rpartition("/")[2]
            async with asyncio.timeout(5):
                answer = await raw(
                    port,
                    b"GET /p/op-1/%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n\r\n"
                    % (secret.encode(), port),
                )
        assert answer.startswith(b"HTTP/1.1 303 ")
        assert secret not in caplog.text
        assert "/p/" not in caplog.text
        assert capfd.readouterr().out == ""
        assert logging.getLogger("uvicorn.access").handlers == access_handlers
        assert root.handlers
    finally:
        logging.getLogger("uvicorn.error").setLevel(0)
        logging.getLogger("uvicorn.access").setLevel(0)
