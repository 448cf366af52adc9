"""A withdrawal cut off anywhere: the venue carried it out once or not at all, and the guard says which.

Threat: T-009, T-016, T-072, T-100.
"""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from mcp_wallet_guard.errors import Tampered
from mcp_wallet_guard.evidence import OperationRow
from mcp_wallet_guard.exchange import Done
from mcp_wallet_guard.testing.venue import SimulatedVenue
from mcp_wallet_guard.testing.wallet import passphrase
from tests import database
from tests.guard.rig import DATABASE, Rig, Wallet, until
from tests.guard.venue import Trader, copied
from tests.invariants import check_invariants
from tests.processes import die, in_child


@pytest.fixture
def rig(venue_rig: Rig) -> Rig:
    return venue_rig


async def _approved(rig: Rig) -> str:
    async with rig.opened() as wallet:
        return await Trader(wallet).approved()


async def _withdraws(rig: Rig, kill_at: int | None, names: list[str]) -> None:
    armed = False

    def step(name: str) -> None:
        if armed and name in {"before:commit", "after:commit"}:
            names.append(name)
            if len(names) - 1 == kill_at:
                die()

    async with rig.opened(faults=step) as wallet:
        armed = True
        await Trader(wallet).withdraw()
        armed = False


@pytest.mark.slow
def test_a_kill_at_any_transaction_withdraws_once_or_never_and_the_truth_is_told(
    rig: Rig, venue: SimulatedVenue, tmp_path: Path
) -> None:
    operation = anyio.run(_approved, rig)
    counted = tmp_path / "names"

    def count() -> None:
        names: list[str] = []
        anyio.run(_withdraws, copied(rig, tmp_path / "counted"), None, names)
        counted.write_text("\n".join(names))

    venue.clock = rig.clock
    assert not in_child(count)
    steps = counted.read_text().split()
    assert len(steps) >= 6
    found = []
    for at in range(len(steps)):
        venue.reset()
        killed = copied(rig, tmp_path / str(at))
        venue.clock = killed.clock
        assert in_child(partial(anyio.run, _withdraws, killed, at, list[str]()))
        found.append(anyio.run(_restart, killed, venue, operation))
    kinds = [kind for number, kind in enumerate(found) if number == 0 or found[number - 1] != kind]
    assert kinds == ["approved", "burned", "never sent", "sent"], list(zip(steps, found, strict=True))


async def _restart(rig: Rig, venue: SimulatedVenue, operation: str) -> str:
    sent = len(venue.withdrawals)
    assert sent <= 1
    venue.clock = rig.clock
    async with rig.opened() as wallet:
        trader = Trader(wallet)
        row = await wallet.row(operation)
        if row.state == "approved":
            assert sent == 0
            assert (await trader.done()).outcome == "sent"
            assert len(venue.withdrawals) == 1
            kind = "approved"
        elif row.outcome == "burned":
            assert sent == 0
            assert (await trader.asked()).operation != operation, "and its owner may be asked anew"
            kind = "burned"
        else:
            outcome = (await trader.done()).outcome
            assert outcome == ("sent" if sent else "unknown")
            if not sent:
                rig.clock.advance(611)
                assert (await trader.outcome(operation)).outcome == "failed"
            kind = "sent" if sent else "never sent"
            assert len(venue.withdrawals) == sent, "nothing is sent again"
    await check_invariants(rig)
    return kind


def test_killed_between_the_venues_deed_and_its_answer_it_was_withdrawn_once(rig: Rig, venue: SimulatedVenue) -> None:
    operation = anyio.run(_approved, rig)
    venue.fail("hang")
    child = os.fork()
    if child == 0:
        try:
            anyio.run(_withdraws, rig, None, [])
        finally:
            os._exit(1)
    try:
        anyio.run(until, lambda: len(venue.withdrawals) == 1)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        venue.released.set()

    async def restart() -> None:
        async with rig.opened() as wallet:
            trader = Trader(wallet)
            assert (await wallet.row(operation)).state == "signed"
            done = await trader.done()
            assert (done.operation, done.outcome, done.repeated) == (operation, "sent", True)

    anyio.run(restart)
    assert len(venue.withdrawals) == 1


@pytest.mark.anyio
async def test_a_cancelled_call_does_not_cut_it_off(rig: Rig, venue: SimulatedVenue) -> None:
    """Threat: T-100."""
    async with rig.opened() as wallet:
        trader = Trader(wallet)
        operation = await trader.approved()
        venue.fail("hang")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(trader.withdraw)
            await until(lambda: len(venue.withdrawals) == 1)
            tasks.cancel_scope.cancel()
            venue.released.set()
        assert (await wallet.row(operation)).state == "sent"


@pytest.mark.anyio
async def test_a_vault_that_locks_while_the_venue_works_loses_nothing(rig: Rig, venue: SimulatedVenue) -> None:
    async with rig.opened() as wallet:
        trader = Trader(wallet)
        operation = await trader.approved()
        venue.fail("hang")
        answers: list[object] = []

        async def call() -> None:
            answers.append(await trader.withdraw())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call)
            await until(lambda: len(venue.withdrawals) == 1)
            await wallet.owned.lock()
            venue.released.set()
        assert [each.outcome for each in answers if isinstance(each, Done)] == ["unknown"], answers
        await wallet.owned.unlock(passphrase())
        assert (await wallet.row(operation)).state == "signed"
        assert (await trader.done()).outcome == "sent"
    assert len(venue.withdrawals) == 1


@pytest.mark.anyio
async def test_a_store_that_is_put_back_does_not_make_it_twice(rig: Rig, venue: SimulatedVenue, tmp_path: Path) -> None:
    """Threat: T-070."""
    async with rig.opened() as wallet:
        await Trader(wallet).approved()
    before = rig.snapshot("before")
    async with rig.opened() as wallet:
        assert (await Trader(wallet).done()).outcome == "sent"
    rig.put_back(before, *DATABASE)
    async with rig.opened() as wallet:
        assert await Trader(wallet).refused() == "blocked.store"
    assert len(venue.withdrawals) == 1


EDITS = (
    ("unsigned_bytes", b"amount=25.5", b"amount=255."),
    ("unsigned_bytes", b"network=ARBITRUM", b"network=OPTIMISM"),
    ("unsigned_bytes", b"0x7099", b"0x7098"),
    ("unsigned_bytes", b'"label":"Trading"', b'"label":"Savings"'),
    ("intent", "25.5", "255."),
    ("facts", '"fee":"0.1"', '"fee":"0.2"'),
    ("account", "venue:binance", "venue:kraken1"),
)


@pytest.mark.anyio
async def test_an_edited_row_sends_nothing(rig: Rig, venue: SimulatedVenue, tmp_path: Path) -> None:
    """Threat: T-006, T-016."""
    async with rig.opened() as wallet:
        operation = await Trader(wallet).approved()
    for number, (column, old, new) in enumerate(EDITS):
        each = copied(rig, tmp_path / f"edited{number}")
        venue.clock = each.clock
        _edit(each, operation, column, old, new)
        async with each.opened(unlock=False) as wallet:
            with pytest.raises(Tampered):
                await _unlocked_and_asked(wallet)
    assert venue.asked == []
    venue.clock = rig.clock
    async with rig.opened() as wallet:
        assert (await Trader(wallet).done()).outcome == "sent", "the untouched one is sent"


def _edit(rig: Rig, operation: str, column: str, old: Any, new: Any) -> None:
    table, store = OperationRow.table, rig.files.database
    ((kept,),) = database.execute(store, f"SELECT {column} FROM {table} WHERE id = ?", (operation,))
    changed = kept.replace(old, new)
    assert changed != kept
    database.execute(store, f"UPDATE {table} SET {column} = ? WHERE id = ?", (changed, operation))


async def _unlocked_and_asked(wallet: Wallet) -> None:
    await wallet.owned.unlock(passphrase())
    raise Tampered(await Trader(wallet).refused())
