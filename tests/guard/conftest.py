"""One chain for all tests of the guard; a wallet of its own for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_wallet_guard.testing.chain import SimulatedChain
from tests.guard.rig import Rig, make_rig


@pytest.fixture(scope="session")
def chain() -> Iterator[SimulatedChain]:
    with SimulatedChain.in_thread() as chain:
        yield chain


@pytest.fixture
def rig(tmp_path: Path, chain: SimulatedChain) -> Rig:
    return make_rig(tmp_path, chain)
