"""Many at once: tasks, callers that give up, processes. Threat: T-009."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections import Counter
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import apsw
import pytest

from mcp_wallet_guard.evidence import AccountRow, ApprovalRow
from mcp_wallet_guard.journal.chain import Entry, Head
from mcp_wallet_guard.journal.events import Event, Kind
from tests.stores.samples import (
    NOW,
    account,
    approval,
    checking,
    event,
    opened,
    row_key,
    writing,
)  # fmt: skip

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_wallet_guard.stores.base import Transaction

pytestmark = pytest.mark.anyio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def about(tx: Transaction, *, subject: str) -> tuple[Entry, ...]:
    return tx.entries(subject)


# --- many at once -------------------------------------------------------------------------------------------------


async def test_eight_tasks_that_race_for_one_approval_leave_one_winner(path: Path) -> None:
    """Threat: T-009."""
    store = await opened(path)
    await store.transact(writing(*(approval(f"op-{number}") for number in range(20))), now=NOW)
    winners = Counter[str]()

    def consume(key: str) -> Any:
        def work(tx: Transaction) -> bool:
            row = tx.get(ApprovalRow, key)
            if row is None:
                return False
            tx.drop(ApprovalRow, key)
            tx.append(event(key, kind=Kind.CONSUMED))
            return True

        return work

    async def racer() -> None:
        for number in range(20):
            if await store.transact(consume(f"op-{number}"), now=NOW):
                winners.update([f"op-{number}"])

    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(racer)
    assert winners == {f"op-{number}": 1 for number in range(20)}
    for number in range(20):
        entries = await store.transact(partial(about, subject=f"op-{number}"), now=NOW)
        assert [entry.fields["kind"] for entry in entries] == ["operation.consumed"]
    await store.close()


async def test_a_cancelled_caller_leaves_a_whole_transaction_or_none(path: Path) -> None:
    store = await opened(path)
    results: list[int] = []

    async def spender(number: int) -> None:
        await store.transact(writing(account("a", number)), now=NOW)
        results.append(number)

    for number in range(30):
        with anyio.move_on_after(0.0002 * number):
            await spender(number)
    row = await store.transact(lambda tx: tx.get(AccountRow, "a"), now=NOW)
    assert row is None or row.next_nonce == max(results)
    await store.transact(checking, now=NOW)
    await store.close()


async def test_two_guards_on_one_file_do_not_both_go_on(path: Path) -> None:
    """The lock file keeps them apart; should it fail, one of them stops, and the file stays whole."""
    first, second = await opened(path), await opened(path)
    await first.transact(writing(account("a", 1)), now=NOW)
    with pytest.raises(Exception, match="replaced or rolled back"):
        await second.transact(writing(account("a", 2)), now=NOW)
    await first.transact(writing(account("a", 3)), now=NOW)
    await first.transact(checking, now=NOW)
    await first.close()
    await second.close()


RACER = """
import sys, anyio
from pathlib import Path
from mcp_wallet_guard.errors import GuardError
from tests.stores.samples import NOW, account, opened, writing
async def main():
    won = 0
    for number in range(25):
        try:
            store = await opened(Path(sys.argv[1]))
            try:
                await store.transact(writing(account("a", number)), now=NOW)
                won += 1
            finally:
                await store.close()
        except GuardError:
            pass
    print(won)
anyio.run(main)
"""


def test_four_processes_on_one_file_leave_it_whole(path: Path) -> None:
    folders = os.pathsep.join(each for each in sys.path if each)
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(path)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": folders},
        )
        for _ in range(4)
    ]
    won = sum(int(racer.communicate(timeout=60)[0]) for racer in racers)

    async def check() -> Head:
        store = await opened(path)
        await store.transact(checking, now=NOW)
        assert store.head is not None
        head = store.head.journal
        await store.close()
        return head

    assert anyio.run(check).index == won > 0


async def test_while_another_program_writes_calls_wait_in_their_order_and_the_loop_goes_on(path: Path) -> None:
    store, done = await opened(path), list[int]()
    await store.transact(checking, now=NOW)

    async def write(number: int) -> None:
        await store.transact(writing(account("a", number)), now=NOW)
        done.append(number)

    with closing(apsw.Connection(str(path))) as other:
        other.execute("BEGIN IMMEDIATE")
        async with anyio.create_task_group() as group:
            for number in range(1, 4):
                group.start_soon(write, number)
                await anyio.wait_all_tasks_blocked()
            for _ in range(10):
                await anyio.sleep(0.005)
            assert done == []
            other.execute("ROLLBACK")
    assert done == [1, 2, 3]
    await store.close()


async def test_a_caller_that_gives_up_while_another_program_writes_has_no_effect(path: Path) -> None:
    store = await opened(path)
    with closing(apsw.Connection(str(path))) as other:
        other.execute("BEGIN IMMEDIATE")
        with anyio.move_on_after(0.03) as gave_up:
            await store.transact(writing(account("a", 1)), now=NOW)
    assert gave_up.cancelled_caught
    assert await store.transact(lambda tx: tx.get(AccountRow, "a"), now=NOW) is None
    await store.close()


async def test_a_caller_that_was_cancelled_before_has_no_effect(path: Path) -> None:
    store = await opened(path)
    for _ in range(2):  # in a thread, since nobody read the journal yet, and then on the loop
        with anyio.CancelScope() as scope:
            scope.cancel()
            await store.transact(writing(account("a", 1)), now=NOW)
        assert scope.cancelled_caught
        assert await store.transact(lambda tx: tx.get(AccountRow, "a"), now=NOW) is None
        await store.transact(checking, now=NOW)
    await store.close()


async def test_what_reads_the_whole_journal_does_not_hold_up_the_loop(path: Path) -> None:
    """The first consume after an unlock, the next one after somebody else wrote, and what says that it is long."""
    store, here = await opened(path), threading.get_ident()

    async def where(*, long: bool = False, consume: bool = True) -> bool:
        def work(tx: Transaction) -> int:
            if consume:
                tx.check_live()
            return threading.get_ident()

        return await store.transact(work, now=NOW, long=long) == here

    assert [await where(consume=False), await where(), await where(), await where(long=True)] == [
        False, False, True, False,
    ]  # fmt: skip
    await store.seal()
    await store.unseal(row_key(), now=NOW)
    assert [await where(), await where()] == [False, True]
    await store.close()


async def test_a_task_that_asyncio_cancels_leaves_the_connection_to_its_thread(path: Path) -> None:
    """anyio's shield does not hold against `Task.cancel`: the turn is given back while the thread still works."""
    store = await opened(path)
    inside, go_on = threading.Event(), threading.Event()

    def slow(tx: Transaction) -> None:
        tx.append(Event(kind=Kind.READ, at=tx.now, data={"slow": True}))
        inside.set()
        assert go_on.wait(10)

    task = asyncio.ensure_future(store.transact(slow, now=NOW, long=True))
    await asyncio.to_thread(inside.wait, 10)
    task.cancel()
    other = asyncio.ensure_future(
        store.transact(lambda tx: tx.append(Event(kind=Kind.READ, at=tx.now, data={"slow": False})), now=NOW, long=True)
    )
    await asyncio.sleep(0.05)
    go_on.set()
    await other
    entries = await store.journal()
    assert [entry.fields["data"]["slow"] for entry in entries if entry.fields["kind"] == "tool.read"] == [True, False]
    await store.close()
