"""An unlock is one scrypt derivation; all else costs at most 20 ms of CPU, and the event loop goes on ticking."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import anyio
from figure import Figure

from mcp_wallet_guard.keys import kdf
from mcp_wallet_guard.testing.chain import SimulatedChain
from mcp_wallet_guard.testing.clock import ScriptedClock
from mcp_wallet_guard.testing.wallet import make_wallet, passphrase

NAME: Final = "unlock"
START: Final = 1_800_000_000
ROUNDS: Final = 9
TICK_SECONDS: Final = 0.005
IDLE_SECONDS: Final = 5.0
UNLOCKS: Final = 6


def run(*, once: bool) -> list[Figure]:
    clock = ScriptedClock(START)
    with tempfile.TemporaryDirectory() as folder, SimulatedChain.in_thread(clock=clock) as chain:
        made = make_wallet(Path(folder) / "cheap", chain=chain, clock=clock)

        async def besides() -> tuple[float, float]:
            """CPU seconds of an unlock with a negligible scrypt cost, and how many derivations it made."""
            costs, derivations = [], []
            async with made.open(unlock=False) as wallet:
                for _ in range(1 if once else ROUNDS):
                    count, cpu = kdf.derivations(), time.process_time()
                    await wallet.owned.custody.unlock(passphrase())
                    costs.append(time.process_time() - cpu)
                    derivations.append(kdf.derivations() - count)
                    await wallet.owned.lock()
            return statistics.median(costs), max(derivations)

        real = make_wallet(Path(folder) / "real", chain=chain, clock=clock, cheap=once)

        async def stalls() -> float:
            """p99 of a 5 ms ticker while a vault of the default cost unlocks, against the same ticker at rest."""
            idle = await p99(lambda: anyio.sleep(0.2 if once else IDLE_SECONDS))
            async with real.open(unlock=False) as wallet:

                async def unlocks() -> None:
                    await anyio.sleep(4 * TICK_SECONDS)
                    for _ in range(1 if once else UNLOCKS):
                        await wallet.owned.custody.unlock(passphrase())
                        await wallet.owned.lock()

                return await p99(unlocks) / idle

        cpu, derivations = anyio.run(besides)
        return [
            Figure(name="unlock, scrypt derivations", value=derivations, unit="calls", limit=1),
            Figure(name="unlock, all but scrypt", value=cpu * 1000, unit="ms CPU", limit=20),
            Figure(name="event loop p99 during unlock, against idle", value=anyio.run(stalls), unit="x", limit=2),
        ]


async def p99(work: Callable[[], Awaitable[None]]) -> float:
    """The 99th percentile of how long a 5 ms sleep took while `work` ran, in seconds."""
    seen: list[float] = []

    async def tick() -> None:
        while True:
            before = time.perf_counter()
            await anyio.sleep(TICK_SECONDS)
            seen.append(time.perf_counter() - before)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tick)
        await work()
        tasks.cancel_scope.cancel()
    return sorted(seen)[max(0, int(len(seen) * 0.99) - 1)]
