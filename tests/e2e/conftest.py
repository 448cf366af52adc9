"""What end-to-end tests share: one chain and one running wallet."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_wallet_guard.testing.chain import SimulatedChain
from tests.e2e.rig import Daemon, Home, make_home, running_daemon


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def simulated() -> Iterator[SimulatedChain]:
    with SimulatedChain.in_thread() as chain:
        yield chain


@pytest.fixture
def chain(simulated: SimulatedChain) -> Iterator[SimulatedChain]:
    """The chain, honest again afterwards."""
    yield simulated
    simulated.honest()
    simulated.auto_mine = True


@pytest.fixture
def base() -> Iterator[Path]:
    # Not tmp_path: the guard's folder must be nobody else's, and a socket's path is short.
    with tempfile.TemporaryDirectory(prefix="e2e-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def daemon(simulated: SimulatedChain) -> Iterator[Daemon]:
    """An unlocked daemon that the tests share, each with payees of its own. Who kills one starts one."""
    with tempfile.TemporaryDirectory(prefix="e2e-") as folder:
        home = make_home(Path(folder), simulated)
        with running_daemon(home) as daemon:
            yield daemon


@pytest.fixture
async def home(daemon: Daemon, chain: SimulatedChain) -> Home:
    """The shared daemon's wallet, with nothing waiting and its transactions counted from here."""
    await daemon.home.clear()
    daemon.home.mark()
    return daemon.home
