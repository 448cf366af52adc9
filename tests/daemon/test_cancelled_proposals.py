"""A caller that goes away at any await of a proposal: the question is asked once or not at all, and the connection
serves the next call.

Threat: T-100.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from mcp_wallet_guard.daemon.base import Role
from mcp_wallet_guard.daemon.client import DaemonClient
from mcp_wallet_guard.daemon.link import Link
from mcp_wallet_guard.exchange import Pending
from tests.daemon.memory_guard import MemoryGuard, served, until
from tests.daemon.test_clients import numbered
from tests.guard.test_cancellation import cancelled_at

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def _is_idle(link: Link) -> bool:
    return (link._waiting, link._abandoned) == ({}, set())


@pytest.mark.parametrize("fresh", [True, False], ids=["with its connection", "on an open connection"])
async def test_a_proposal_cancelled_at_any_await_is_asked_once_or_not_at_all(
    fresh: bool, directory: Path, guard: MemoryGuard
) -> None:
    """T-100."""
    guard.locked = False
    async with served(guard, directory) as server:
        client = DaemonClient(directory)
        for at in range(200):
            if fresh:
                await client.aclose()
                client = DaemonClient(directory)
            went = await cancelled_at(client.propose(numbered(at), wait_seconds=0), at)
            first = await client.propose(numbered(at), wait_seconds=0)
            again = await client.propose(numbered(at), wait_seconds=0)
            assert isinstance(first, Pending)
            assert isinstance(again, Pending)
            assert first.operation == again.operation
            link = client._line._link
            assert link is not None
            await until(partial(_is_idle, link))
            if not went:
                break
        else:
            raise AssertionError("never came to the end")
        assert at >= 2
        await client.aclose()
        await until(lambda: server._connections[Role.MCP] == 0)
