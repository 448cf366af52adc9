"""A call over the daemon's socket takes at most 2 ms longer than the same call to an embedded guard."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import anyio
from figure import Figure

from mcp_wallet_guard.daemon.client import DaemonClient
from mcp_wallet_guard.daemon.lock import GuardLock
from mcp_wallet_guard.daemon.server import DaemonServer
from mcp_wallet_guard.testing.chain import SimulatedChain
from mcp_wallet_guard.testing.clock import ScriptedClock
from mcp_wallet_guard.testing.wallet import make_wallet

NAME: Final = "daemon"
START: Final = 1_800_000_000
ROUNDS: Final = 500


def run(*, once: bool) -> list[Figure]:
    clock = ScriptedClock(START)
    rounds = 5 if once else ROUNDS
    with tempfile.TemporaryDirectory() as folder, SimulatedChain.in_thread(clock=clock) as chain:
        made = make_wallet(Path(folder) / "w", chain=chain, clock=clock)

        async def measure() -> float:
            async with made.open() as wallet, anyio.create_task_group() as tasks:
                with GuardLock(made.directory) as lock:
                    server = DaemonServer(wallet.owned, directory=made.directory, lock=lock)
                    await tasks.start(server.serve)
                    client = DaemonClient(made.directory)
                    differences = []
                    for _ in range(rounds):
                        direct = await timed(wallet.owned.info)
                        differences.append(await timed(client.info) - direct)
                    await client.aclose()
                    server.stop()
            return statistics.median(differences)

        return [
            Figure(name="daemon round trip, above embedded", value=anyio.run(measure) * 1000, unit="ms", limit=2),
        ]


async def timed(call: Callable[[], Awaitable[object]]) -> float:
    """Seconds of wall time."""
    before = time.perf_counter()
    await call()
    return time.perf_counter() - before
