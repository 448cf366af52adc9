"""A ceremony costs at most 10 ms of CPU and 6 commits.

Both are taken from proposal to released receipt. CPU is the guard's alone: the chain is a stand-in that answers at
once, so that no network and no EVM is measured. Settlement, which is a block later, and the minute's sweep, which
retires what is over, come between two ceremonies, as they do in a running guard. The time is given at the pace of a
core at rest (see `speed`); as it was, it is told beside it.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

import anyio
from figure import Figure
from speed import QUIET_SECONDS, pace
from stand_in import StandInChain, stand_in

from mcp_wallet_guard.exchange import Done, Pending
from mcp_wallet_guard.guard import LOCAL_OWNER
from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.testing.chain import SimulatedChain
from mcp_wallet_guard.testing.clock import ScriptedClock
from mcp_wallet_guard.testing.wallet import GuardedWallet, make_wallet

NAME: Final = "ceremony"
START: Final = 1_800_000_000
PAYEE: Final = Address.from_bytes(bytes(range(1, 21)))
ROUNDS: Final = 60


def run(*, once: bool) -> list[Figure]:
    clock = ScriptedClock(START)
    with tempfile.TemporaryDirectory() as folder, SimulatedChain.in_thread(clock=clock) as chain:
        made = make_wallet(Path(folder) / "wallet", chain=chain, clock=clock)

        async def measure() -> list[Figure]:
            async with made.open() as wallet:
                stand_in(wallet)
                costs = []
                for number in range(3 if once else ROUNDS):
                    before = pace()
                    cost, commits = await ceremony(wallet, number)
                    costs.append((cost, cost / (before + pace()) * 2, commits))
            cpu = statistics.median(cost for cost, _, _ in costs)
            at_rest = statistics.median(ratio for _, ratio, _ in costs) * QUIET_SECONDS
            commits = max(commits for _, _, commits in costs)
            print(f"  as it was: {cpu * 1000:.1f} ms, at {at_rest / cpu:.0%} of a quiet core's pace")
            return [
                Figure(name="ceremony, without scrypt and network", value=at_rest * 1000, unit="ms CPU", limit=10),
                Figure(name="ceremony, proposal to receipt", value=commits, unit="commits", limit=6),
            ]

        return anyio.run(measure)


async def ceremony(wallet: GuardedWallet, number: int) -> tuple[float, int]:
    """One payment from proposal to released receipt: seconds of CPU, and commits."""
    reference = f"n-{number}"
    commits, cpu = wallet.owned.custody.store.commits, time.process_time()
    pending = await wallet.pay(PAYEE, "0.1", reference=reference)
    assert isinstance(pending, Pending), pending
    await wallet.approve(pending.operation)
    done = await wallet.pay(PAYEE, "0.1", reference=reference)
    assert isinstance(done, Done), done
    assert done.receipt is not None, done
    cost = time.process_time() - cpu, wallet.owned.custody.store.commits - commits
    chain = wallet.owned.custody.session().chain
    assert isinstance(chain, StandInChain), chain
    chain.mine()
    settled = await wallet.owned.outcome(pending.operation, principal=LOCAL_OWNER)
    assert isinstance(settled, Done), settled
    assert settled.outcome == "mined", settled
    wallet.made.clock.advance(700)  # it retires, so that each starts from the same state
    await wallet.owned.sweep()
    return cost
