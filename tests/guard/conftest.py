"""One chain for all tests of the guard; a wallet of its own for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_wallet_guard.testing.chain import SimulatedChain
from mcp_wallet_guard.testing.clock import ScriptedClock
from mcp_wallet_guard.testing.venue import SimulatedVenue
from tests.guard.rig import START, Rig, make_rig
from tests.guard.venue import KEY_ID, SECRET, copied, make_venue_rig


@pytest.fixture(scope="session")
def chain() -> Iterator[SimulatedChain]:
    with SimulatedChain.in_thread() as chain:
        yield chain


@pytest.fixture
def rig(tmp_path: Path, chain: SimulatedChain) -> Rig:
    return make_rig(tmp_path, chain)


@pytest.fixture(scope="session")
def served_venue() -> Iterator[SimulatedVenue]:
    with SimulatedVenue.in_thread(key_id=KEY_ID, secret=SECRET, clock=ScriptedClock(START)) as venue:
        yield venue


@pytest.fixture
def venue(served_venue: SimulatedVenue) -> SimulatedVenue:
    served_venue.reset()
    return served_venue


@pytest.fixture(scope="session")
def prepared(
    tmp_path_factory: pytest.TempPathFactory, chain: SimulatedChain, served_venue: SimulatedVenue
) -> dict[str, Rig]:
    """By the fee of the settings: wallets whose owner has an account at the venue as well."""
    folder = tmp_path_factory.mktemp("prepared")
    return {fee: make_venue_rig(folder / fee, chain, served_venue, fee=fee) for fee in ("0.1", "ask")}


@pytest.fixture
def venue_rig(tmp_path: Path, prepared: dict[str, Rig], venue: SimulatedVenue) -> Rig:
    """A copy of its own of the one whose settings pin the fee."""
    rig = copied(prepared["0.1"], tmp_path / "copy")
    venue.clock = rig.clock
    return rig
