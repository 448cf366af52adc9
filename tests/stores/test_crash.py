"""Killed, failed or out of disk at any statement: the transaction is whole or absent, and everything verifies.

Threat: T-072, T-090, T-091.
"""

from __future__ import annotations

import resource
import signal
from typing import TYPE_CHECKING

import anyio
import apsw
import pytest

from mcp_wallet_guard.errors import Unavailable
from mcp_wallet_guard.evidence import AccountRow, ApprovalRow, FactorRow
from mcp_wallet_guard.stores.sqlite import SqliteStore
from tests.processes import die, in_child
from tests.stores.samples import NOW, account, approval, checking, contents, event, opened, row_key, sample, writing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mcp_wallet_guard.stores.base import Transaction


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


class Stops:
    """A fault hook that acts at call number `at` (counted from 0), once it is armed."""

    def __init__(self, at: int, act: Callable[[], None]) -> None:
        self.at, self.act, self.armed = at, act, False
        self.names: list[str] = []

    def __call__(self, name: str) -> None:
        if self.armed:
            self.names.append(name)
            if len(self.names) == self.at + 1:
                self.act()


def fail() -> None:
    raise OSError(5, "stopped by the test")


def consume(tx: Transaction) -> None:
    """As the guard consumes: rows of several kinds at once."""
    tx.check_live()
    tx.drop(ApprovalRow, "op-1")
    tx.put(account("acc", 2))
    tx.put(sample(FactorRow, "totp", 2))
    tx.append(event("op-1", step=1))
    tx.append(event("op-1", step=2))


async def before(path: Path) -> None:
    store = await opened(path)
    await store.transact(writing(approval("op-1"), account("acc", 1), sample(FactorRow, "totp", 1)), now=NOW)
    await store.close()


async def outcome(store: SqliteStore) -> bool:
    """Whether the consume happened. Fails the test when it happened in part."""

    def work(tx: Transaction) -> bool:
        tx.check_live()
        tx.check_entries(0)
        found = (
            tx.get(ApprovalRow, "op-1") is None,
            tx.get(AccountRow, "acc") == account("acc", 2),
            tx.get(FactorRow, "totp") == sample(FactorRow, "totp", 2),
            len(tx.entries("op-1")) == 2,
        )
        assert len(set(found)) == 1, found
        return found[0]

    return await store.transact(work, now=NOW)


def killed(work: Callable[[Stops], None], at: int) -> bool:
    """Run `work` in a child that kills itself at hook call `at`. Whether it died before the end."""
    return in_child(lambda: work(Stops(at, die)))


@pytest.mark.forks
def test_a_kill_at_any_statement_of_a_consume_leaves_it_whole_or_absent(path: Path) -> None:
    def work(stops: Stops) -> None:
        async def main() -> None:
            store = await opened(path, faults=stops)
            stops.armed = True
            await store.transact(consume, now=NOW)
            die()

        anyio.run(main)

    async def look() -> bool:
        store = await opened(path)
        happened = await outcome(store)
        await store.close()
        return happened

    outcomes = []
    copy = path.with_name("before.db")
    anyio.run(before, copy)
    for at in range(60):
        for name in ("state.db", "state.db-journal", "state.db-wal", "state.db-shm"):
            path.with_name(name).unlink(missing_ok=True)
        path.touch(0o600)
        path.write_bytes(copy.read_bytes())
        assert killed(work, at)
        outcomes.append(anyio.run(look))
    assert outcomes == sorted(outcomes), "once it is durable it stays so"
    assert 30 < outcomes.index(True) < 58, "every statement was reached"


@pytest.mark.anyio
async def test_a_failure_at_any_statement_of_a_consume_leaves_store_and_memory_as_they_were(path: Path) -> None:
    await before(path)
    at, happened = 0, False
    while not happened:
        stops = Stops(at, fail)
        store = await opened(path, faults=stops)
        head, commits = store.head, store.commits
        stops.armed = True
        try:
            await store.transact(consume, now=NOW)
        except OSError:
            pass
        stops.armed = False
        happened = await outcome(store)
        assert happened == (stops.names[-1] == "after:commit" or len(stops.names) <= at)
        assert (store.head == head, store.commits == commits) == (not happened, not happened)
        await store.close()
        at += 1
    assert at > 30


@pytest.mark.forks
@pytest.mark.slow
def test_a_kill_at_any_statement_of_the_first_unlock_leaves_a_store_that_unlocks(path: Path) -> None:
    def work(stops: Stops) -> None:
        async def main() -> None:
            store = SqliteStore(path, faults=stops)
            stops.armed = True
            await store.open()
            await store.append_unsealed(event("started"))
            await store.unseal(row_key(), now=NOW)
            await store.seal()
            await store.append_unsealed(event("locked"))
            await store.unseal(row_key(), now=NOW)
            await store.close()

        anyio.run(main)

    async def look() -> None:
        store = await opened(path)
        await store.transact(checking, now=NOW)
        await store.transact(writing(account()), now=NOW)
        await store.close()

    at = 0
    while killed(work, at):
        anyio.run(look)
        for name in ("state.db", "state.db-journal", "state.db-wal", "state.db-shm"):
            path.with_name(name).unlink(missing_ok=True)
        at += 1
    assert at > 80


@pytest.mark.anyio
async def test_a_failed_unlock_leaves_the_store_sealed_and_the_next_one_works(path: Path) -> None:
    await before(path)
    at = 0
    while True:
        stops = Stops(at, fail)
        store = SqliteStore(path, faults=stops)
        await store.open()
        await store.append_unsealed(event("locked"))
        stops.armed = True
        try:
            await store.unseal(row_key(), now=NOW)
        except OSError:
            assert store.head is None
            stops.armed = False
            await store.unseal(row_key(), now=NOW)
        stops.armed = False
        await store.transact(lambda tx: tx.check_live(), now=NOW)
        await store.close()
        if len(stops.names) <= at:
            break
        at += 1
    assert at > 15


def test_a_full_disk_is_said_and_loses_nothing(path: Path) -> None:
    """The kernel refuses to let the files grow, in a process of its own."""

    def work(_: Stops) -> None:
        async def main() -> None:
            store = await opened(path)
            await store.transact(writing(account("a", 1)), now=NOW)
            size = len(contents(path))
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            head = store.head
            refused, written = 0, 1
            while refused < 3:
                number = written + 1
                try:
                    await store.transact(writing(account("a", number), account(f"{number}", number)), now=NOW)
                except Unavailable as error:
                    refused += error.code == "unavailable.store" and store.head == head
                else:
                    assert not refused, "a full disk does not become empty by itself"
                    head, written = store.head, number
            await store.transact(checking, now=NOW)
            row = await store.transact(lambda tx: tx.get(AccountRow, "a"), now=NOW)
            assert row == account("a", written)
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            await store.transact(writing(account("a", 1000)), now=NOW)
            await store.close()

        anyio.run(main)

    assert not killed(work, 10**9)

    async def look() -> None:
        store = await opened(path)
        await store.transact(checking, now=NOW)
        row = await store.transact(lambda tx: tx.get(AccountRow, "a"), now=NOW)
        assert row == account("a", 1000)
        await store.close()

    anyio.run(look)


@pytest.mark.anyio
async def test_a_database_held_by_somebody_else_is_unavailable_and_then_works(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_wallet_guard.stores.sqlite.PATIENCE_SECONDS", 0.05)
    store = await opened(path)
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable) as caught:
        await store.transact(writing(account()), now=NOW)
    assert caught.value.code == "unavailable.store"
    other.execute("ROLLBACK")
    other.execute("BEGIN")
    other.execute("SELECT * FROM head").fetchall()
    await store.transact(writing(account()), now=NOW)  # a reader that does not end holds nobody up
    other.close()
    await store.transact(writing(account()), now=NOW)
    await store.transact(lambda tx: tx.check_live(), now=NOW)
    await store.close()
