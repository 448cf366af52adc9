"""kill -9 at each statement that writes, through the whole payment; then a restart on the same files and chain.

A child process runs from proposal to receipt with a fault hook that kills it at its n-th call; n goes up until a child
lives to the end. Between two writes the files do not change, so a transaction's begin stands for all its reads. After
each death a fresh guard opens, the invariants of docs/threats.md are asserted, and the honest call comes to its end.
Threat: T-009, T-072, T-091.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from mcp_wallet_guard.errors import Unavailable
from mcp_wallet_guard.exchange import Done, Pending
from mcp_wallet_guard.journal.events import Kind
from mcp_wallet_guard.testing.chain import SimulatedChain
from tests.guard.rig import ETHER, Rig, Wallet, make_rig
from tests.invariants import Report, check_guard, check_invariants
from tests.processes import die, in_child

EVERY = 4
"""The sweep in four tests, so that processes can share them; together they cover each statement."""
WRITES = (
    "before:begin",
    "before:insert",
    "after:insert",
    "before:update",
    "after:update",
    "before:delete",
    "after:delete",
    "before:commit",
    "after:commit",
)
KILLS = ("before:begin", "after:insert", "after:update", "after:delete", "after:commit")
"""Where kills differ: one before a statement leaves what one after the last statement left."""


class Stops:
    """A fault hook that acts at statement number `at` of those named, counted from 0, once it is armed."""

    def __init__(self, at: int, act: Callable[[], None], statements: tuple[str, ...] = WRITES) -> None:
        self.at, self.act, self.armed, self.statements = at, act, False, statements
        self.names: list[str] = []

    def __call__(self, name: str) -> None:
        if self.armed and name.startswith(self.statements):
            self.names.append(name)
            if len(self.names) == self.at + 1:
                self.act()


def full() -> None:
    raise Unavailable("unavailable.store", detail="the disk is full")


async def payment(rig: Rig, stops: Stops) -> None:
    """Propose, approve, consume, sign, store, send, settle."""
    async with rig.opened(faults=stops) as wallet:
        stops.armed = True
        await wallet.approved()
        await wallet.done()
        stops.armed = False


async def afterwards(rig: Rig) -> Report:
    """What a person and an agent do after the crash: unlock, ask again, and come to the one payment."""
    async with rig.opened() as wallet:
        await check_guard(rig, wallet.owned)
        rig.clock.advance(60)
        await finish(wallet)
        report = await check_guard(rig, wallet.owned)
    check_paid_once(rig, report)
    return report


def check_paid_once(rig: Rig, report: Report) -> None:
    """One payment, of one stored signature; beside it at most one approval that a stop burned, and nothing open."""
    assert rig.paid() == ETHER // 10, "paid exactly once"
    assert (report.sent, report.count(Kind.SIGNED)) == (1, 1)
    ends = Counter(report.outcomes.values())
    assert ends in ({"mined": 1}, {"mined": 1, "burned": 1}), ends
    assert report.count(Kind.SETTLED) == report.count(Kind.CONSUMED) == report.count(Kind.APPROVED) == ends.total()


async def finish(wallet: Wallet) -> None:
    answer = await wallet.pay()
    if isinstance(answer, Pending):
        await wallet.approve(answer.operation)
        answer = await wallet.pay()
    assert isinstance(answer, Done), answer
    if answer.outcome != "mined":
        settled = await wallet.owned.outcome(answer.operation, principal="local")
        assert isinstance(settled, Done)
        assert settled.outcome == "mined"


@pytest.mark.slow
@pytest.mark.parametrize("offset", range(EVERY))
def test_a_kill_at_any_statement_loses_nothing_and_pays_once(
    tmp_path: Path, chain: SimulatedChain, offset: int
) -> None:
    reports: list[Report] = []
    for number, at in enumerate(range(offset, 2_000, EVERY)):
        rig = make_rig(tmp_path / str(number), chain)
        killed = in_child(lambda rig=rig, at=at: anyio.run(payment, rig, Stops(at, die, KILLS)))  # type: ignore[misc]
        reports.append(anyio.run(afterwards, rig))
        if not killed:
            break
    else:
        raise AssertionError("no child lived to the end")
    assert {report.count(Kind.CONSUMED) for report in reports} == {1, 2}, "some kills burned, and it was asked again"
    assert {report.signatures for report in reports} == {1, 2}, "some kills came between signature and store"


def test_a_full_disk_at_any_write_signs_nothing_that_is_not_stored_and_loses_nothing(
    tmp_path: Path, chain: SimulatedChain
) -> None:
    """The store refuses one statement, in the same process, at places all over the payment; the guard goes on."""

    async def attempt(rig: Rig, at: int) -> bool:
        stops = Stops(at, full)
        async with rig.opened(faults=stops) as wallet:
            stops.armed = True
            try:
                await wallet.approved()
                await wallet.pay()
            except (Unavailable, AssertionError):
                pass
            stops.armed = False
            rig.clock.advance(60)
            await finish(wallet)
            report = await check_guard(rig, wallet.owned)
        check_paid_once(rig, report)
        return len(stops.names) > at

    for number, at in enumerate(range(0, 2_000, 5)):
        rig = make_rig(tmp_path / str(number), chain)
        if not anyio.run(attempt, rig, at):
            break
    else:
        raise AssertionError("no payment met a disk with enough room")


def test_an_anchor_that_cannot_be_written_stops_the_signature(tmp_path: Path, chain: SimulatedChain) -> None:
    """No anchor, no signature: what was consumed is burned, and the person is told by its status."""
    rig = make_rig(tmp_path, chain)

    async def attack() -> None:
        async with rig.opened() as wallet:
            operation = await wallet.approved()
            aside = rig.files.anchor.rename(rig.directory / "aside")
            rig.files.anchor.mkdir()
            assert (await wallet.refused()).startswith(("misconfigured", "unavailable"))
            assert rig.signatures() == []
            rig.files.anchor.rmdir()
            aside.rename(rig.files.anchor)
            fresh = await wallet.asked()
            told = await wallet.owned.status(operation, principal="local")
            assert isinstance(told, Done)
            assert told.outcome == "burned"
            assert "ask again" in told.message
            await wallet.approve(fresh.operation)
            assert (await wallet.done()).outcome == "mined"

    anyio.run(attack)
    assert anyio.run(check_invariants, rig).signatures == 1


def test_a_crash_between_consume_and_anchor_is_repaired_and_burned(tmp_path: Path, chain: SimulatedChain) -> None:
    rig = make_rig(tmp_path, chain)

    async def until_consumed() -> None:
        async with rig.opened() as wallet:
            await wallet.approved()
            os.pwrite = dies  # type: ignore[assignment]  # which puts the new anchor into its slot
            await wallet.pay()

    def dies(*_: object) -> None:
        die()

    assert in_child(lambda: anyio.run(until_consumed))
    report = anyio.run(check_invariants, rig)
    assert (report.signatures, report.sent) == (0, 0)
    assert Counter(report.outcomes.values()) == {"burned": 1}
    anyio.run(afterwards, rig)


def test_a_crash_between_stored_bytes_and_broadcast_sends_the_same_bytes(tmp_path: Path, chain: SimulatedChain) -> None:
    rig = make_rig(tmp_path, chain)

    async def until_stored() -> None:
        async with rig.opened() as wallet:
            await wallet.approved()

            async def dies(*_: object) -> None:
                die()

            wallet.owned.guard.executor._send = dies  # type: ignore[assignment, method-assign]
            await wallet.pay()

    assert in_child(lambda: anyio.run(until_stored))
    report = anyio.run(check_invariants, rig)
    assert (report.signatures, report.sent, list(report.outcomes.values())) == (1, 0, ["signed"])
    report = anyio.run(afterwards, rig)
    assert (report.signatures, report.sent, report.count(Kind.APPROVED)) == (1, 1, 1)


def test_four_processes_race_for_one_approval_and_one_signs(tmp_path: Path, chain: SimulatedChain) -> None:
    """Without the state directory's lock, which keeps a second guard away: the store alone lets one through."""
    rig = make_rig(tmp_path, chain)

    async def approve() -> None:
        async with rig.opened() as wallet:
            await wallet.approved()

    async def race() -> None:
        try:
            async with rig.opened() as wallet:
                await wallet.pay()
        except Exception:  # noqa: BLE001  # two guards on one store find each other's writes: each kind of refusal is fine
            return

    anyio.run(approve)
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            try:
                anyio.run(race)
            finally:
                os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    assert len(rig.sent()) <= len(rig.signatures()) <= 1
    anyio.run(afterwards, rig)
