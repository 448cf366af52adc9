"""A simulated chain and the guard's connection to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcp_wallet_guard.chains.web3 import Web3Chain
from mcp_wallet_guard.egress import Egress
from mcp_wallet_guard.pinned_url import PinnedUrl
from mcp_wallet_guard.testing.chain import SimulatedChain
from tests.chains.transfers import ETHER, LIMITS, SENDER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def node() -> AsyncIterator[SimulatedChain]:
    async with SimulatedChain.serve(funded=[(SENDER, ETHER)]) as chain:
        yield chain


@pytest.fixture
async def chain(node: SimulatedChain) -> AsyncIterator[Web3Chain]:
    egress = Egress(timeout_seconds=2, max_response_bytes=1_000_000)
    connected = Web3Chain(chain_id=node.chain_id, node=PinnedUrl.parse(node.url), egress=egress, limits=LIMITS)
    yield connected
    await connected.aclose()
