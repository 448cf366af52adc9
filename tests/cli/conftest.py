"""A private chain, and a wallet with a short path in a time that is scripted but near the computer's own."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_wallet_guard.testing.chain import SimulatedChain
from mcp_wallet_guard.testing.clock import ScriptedClock
from mcp_wallet_guard.testing.wallet import MadeWallet, make_wallet
from tests.cli.commands import daemon, unlock


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, so that sockets' paths fit."""
    with tempfile.TemporaryDirectory(prefix="c", dir="/tmp") as name:
        yield Path(name)


@pytest.fixture
def clock() -> ScriptedClock:
    return ScriptedClock(int(time.time()))


@pytest.fixture
def chain(clock: ScriptedClock) -> Iterator[SimulatedChain]:
    with SimulatedChain.in_thread(clock=clock) as served:
        yield served


@pytest.fixture
def made(folder: Path, chain: SimulatedChain, clock: ScriptedClock) -> MadeWallet:
    return make_wallet(folder / "guard", chain=chain, clock=clock, mode="daemon")


@pytest.fixture
def config(made: MadeWallet) -> str:
    return str(made.loaded.path)


@pytest.fixture
def running(made: MadeWallet) -> Iterator[None]:
    """A guard that runs, locked."""
    with daemon(made):
        yield


@pytest.fixture
def unlocked(made: MadeWallet, running: None) -> None:
    """A guard that runs, unlocked."""
    unlock(made.loaded.path)
