"""A clock, a desk with one request, and people with browsers around the page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import pytest

from mcp_wallet_guard.approvals.page import create_page
from mcp_wallet_guard.testing.clock import ScriptedClock
from mcp_wallet_guard.testing.person import Authenticator, ScriptedPerson
from tests.approvals.desk import ORIGIN, START, TOTP_SECRET, MemoryDesk

Browser = httpx2.AsyncClient


@pytest.fixture
def clock() -> ScriptedClock:
    return ScriptedClock(START)


@pytest.fixture
def desk(clock: ScriptedClock, tmp_path: Path) -> MemoryDesk:
    desk = MemoryDesk(clock, links=tmp_path / "links")
    desk.ask("op-1")
    return desk


@pytest.fixture
def transport(desk: MemoryDesk, clock: ScriptedClock) -> httpx2.ASGITransport:
    return httpx2.ASGITransport(app=create_page(desk, clock=clock))


@pytest.fixture
async def person(
    desk: MemoryDesk, clock: ScriptedClock, transport: httpx2.ASGITransport
) -> AsyncIterator[ScriptedPerson]:
    authenticator = Authenticator(TOTP_SECRET, clock)
    async with ScriptedPerson(links=desk.links.directory, authenticator=authenticator, transport=transport) as person:
        yield person


@pytest.fixture
async def browser(transport: httpx2.ASGITransport) -> AsyncIterator[Browser]:
    """A browser that nobody paired."""
    async with Browser(transport=transport, base_url=ORIGIN) as browser:
        yield browser


@pytest.fixture
async def new_browser(transport: httpx2.ASGITransport) -> AsyncIterator[Callable[[], Browser]]:
    async with AsyncExitStack() as stack:

        def new() -> Browser:
            browser = Browser(transport=transport, base_url=ORIGIN)
            stack.push_async_callback(browser.aclose)
            return browser

        yield new
