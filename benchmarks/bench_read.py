"""A guarded read takes at most 15 % longer than the plain call: paired, interleaved, medians of the differences."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

import anyio
from figure import Figure
from mcp import Client
from mcp.server import MCPServer

from mcp_wallet_guard import WalletGuard
from mcp_wallet_guard.testing.chain import SimulatedChain
from mcp_wallet_guard.testing.clock import ScriptedClock
from mcp_wallet_guard.testing.wallet import make_wallet

NAME: Final = "read"
START: Final = 1_800_000_000
CALLS: Final = 5_000
WARM_UP: Final = 200


async def price(asset: str) -> dict[str, str]:
    """What an asset costs."""
    return {"asset": asset, "price": "1234.56", "source": "a fixed number"}


def run(*, once: bool) -> list[Figure]:
    clock = ScriptedClock(START)
    calls = 10 if once else CALLS
    with tempfile.TemporaryDirectory() as folder, SimulatedChain.in_thread(clock=clock) as chain:
        made = make_wallet(Path(folder) / "w", chain=chain, clock=clock)

        async def measure() -> float:
            plain, guarded = MCPServer("plain"), MCPServer("guarded")
            plain.tool()(price)
            async with made.open() as wallet:
                WalletGuard.connect(wallet.owned).protect(guarded).reads(price)
                async with Client(plain) as first, Client(guarded) as second:
                    for _ in range(1 if once else WARM_UP):
                        await timed(first)
                        await timed(second)
                    pairs = [(await timed(first), await timed(second)) for _ in range(calls)]
            base = statistics.median(before for before, _ in pairs)
            return statistics.median(after - before for before, after in pairs) / base

        return [
            Figure(name="guarded read, above the plain call", value=anyio.run(measure) * 100, unit="%", limit=15),
        ]


async def timed(client: Client) -> float:
    """Seconds of wall time for one call."""
    before = time.perf_counter()
    result = await client.call_tool("price", {"asset": "ETH"})
    elapsed = time.perf_counter() - before
    assert not result.is_error, result
    return elapsed
