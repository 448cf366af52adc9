"""A guard does not grow with the ceremonies that it ran: at most 1 MiB from the thousandth to the ten thousandth.

Apart from the other figures of a ceremony, because ten thousand of them, nearly all traced, take about ten minutes.
"""

from __future__ import annotations

import gc
import tempfile
import tracemalloc
from pathlib import Path
from typing import Final

import anyio
from bench_ceremony import START, ceremony
from figure import Figure
from stand_in import stand_in

from mcp_wallet_guard.testing.chain import SimulatedChain
from mcp_wallet_guard.testing.clock import ScriptedClock
from mcp_wallet_guard.testing.wallet import GuardedWallet, make_wallet

NAME: Final = "memory"
TRACED_FROM: Final = 500
GROWTH_FROM: Final = 1_000
GROWTH_TO: Final = 10_000


def run(*, once: bool) -> list[Figure]:
    clock = ScriptedClock(START)
    with tempfile.TemporaryDirectory() as folder, SimulatedChain.in_thread(clock=clock) as chain:
        made = make_wallet(Path(folder) / "wallet", chain=chain, clock=clock)

        async def measure() -> int:
            async with made.open() as wallet:
                stand_in(wallet)
                return await grown(wallet, once=once)

        growth = anyio.run(measure)
    return [Figure(name="memory, ceremony 1,000 to 10,000", value=growth / 1024, unit="KiB", limit=1024)]


async def grown(wallet: GuardedWallet, *, once: bool) -> int:
    """Bytes that Python's heap grew from ceremony 1,000 to 10,000 (20 to 40 when run once).

    Traced from earlier on: what only takes the place of untraced memory, in a full cache say, is no growth.
    """
    traced, first, last = (10, 20, 40) if once else (TRACED_FROM, GROWTH_FROM, GROWTH_TO)
    sizes = []
    for number in range(last + 1):
        if number == traced:
            tracemalloc.start()
        if number in {first, last}:
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
        if number < last:
            await ceremony(wallet, number)
    tracemalloc.stop()
    return sizes[1] - sizes[0]
