"""The whole database is put back, replaced or given another schema, or changed while the vault is locked.

Each attack has its honest twin: the same store, untouched or put right again, works. Threat: T-009, T-070, T-088.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcp_wallet_guard.errors import GuardError, Misconfigured, Tampered
from mcp_wallet_guard.evidence import ApprovalRow, FactorRow
from mcp_wallet_guard.journal import chain
from mcp_wallet_guard.journal.chain import Entry
from mcp_wallet_guard.stores.sqlite import SqliteStore
from mcp_wallet_guard.stores.tables import TABLES
from tests.database import execute
from tests.stores.attacks import finds_in_use, is_honest, refuses
from tests.stores.samples import (
    NOW,
    account,
    allow,
    checking,
    contents,
    copy_of,
    dropping,
    event,
    filled,
    overwrite,
    remove,
    replace,
    row_key,
    sample,
    writing,
)  # fmt: skip

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.anyio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


# --- the whole store ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["as it lay there", "as a whole copy"])
async def test_a_file_put_back_in_place_while_the_guard_runs_brings_nothing_old_back(path: Path, how: str) -> None:
    """Behind SQLite's back, so that name and file stay the same: what is newer is in the log, or in memory."""
    store = await filled(path)
    old = contents(path if how == "as it lay there" else copy_of(path))
    await store.transact(writing(sample(ApprovalRow, "a", 9)), now=NOW)
    overwrite(path, old)
    codes = ["", ""]
    try:
        assert await store.transact(lambda tx: tx.get(ApprovalRow, "a"), now=NOW) == sample(ApprovalRow, "a", 9)
        await store.transact(writing(sample(ApprovalRow, "b", 9)), now=NOW)
        await store.transact(checking, now=NOW)
    except GuardError as found:
        codes[0] = found.code
    await store.close()
    again = SqliteStore(path)
    try:
        await again.open()
        await again.unseal(row_key(), now=NOW)
        assert await again.transact(lambda tx: tx.get(ApprovalRow, "a"), now=NOW) == sample(ApprovalRow, "a", 9)
    except GuardError as found:
        codes[1] = found.code
    await again.close()
    assert set(codes) <= {"", "tampered.row", "tampered.store", "tampered.journal", "unavailable.store"}


async def test_rows_and_head_put_back_by_sql_while_the_guard_runs_are_found(path: Path) -> None:
    """The same attack through SQLite itself: every table as it was, all of it with its own MACs."""
    store = await filled(path)
    copy = copy_of(path)
    await store.transact(writing(sample(ApprovalRow, "a", 9)), now=NOW)
    names = [*(table.name for table in TABLES.values()), "journal", "head"]
    rows = {name: execute(copy, f"SELECT * FROM {name}") for name in names}
    for name in names:
        execute(path, f"DELETE FROM {name}")
        for row in rows[name]:
            execute(path, f"INSERT INTO {name} VALUES ({', '.join('?' * len(row))})", row)
    await finds_in_use(store, ApprovalRow, "a", "tampered.store")
    await store.seal()
    with pytest.raises(Tampered) as caught:
        await store.unseal(row_key(), now=NOW)
    assert caught.value.code == "tampered.store"
    await store.close()


@pytest.mark.parametrize("how", ["removed", "replaced"])
async def test_a_file_that_was_removed_or_replaced_while_the_guard_runs_is_found(path: Path, how: str) -> None:
    store = await filled(path)
    if how == "replaced":
        replace(path, copy_of(path))
    else:
        remove(path)
    await refuses(store, writing(account()), "tampered.store")
    await refuses(store, lambda tx: tx.get(FactorRow, "a"), "tampered.store")
    await store.close()


async def test_a_file_that_was_opened_to_others_while_the_guard_runs_is_found(path: Path) -> None:
    store = await filled(path)
    allow(path, 0o644)
    with pytest.raises(Misconfigured):
        await store.transact(writing(account()), now=NOW)
    allow(path, 0o600)
    await store.transact(writing(account()), now=NOW)
    await store.close()


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TRIGGER quiet BEFORE INSERT ON journal BEGIN SELECT RAISE(IGNORE); END",
        "CREATE TRIGGER revive AFTER DELETE ON approvals BEGIN UPDATE factors SET failures = 0; END",
        "CREATE TABLE mine (x)",
        "CREATE VIEW seen AS SELECT * FROM operations",
        "CREATE INDEX mine ON factors (failures)",
        "DROP INDEX journal_by_subject",
        "ALTER TABLE factors ADD COLUMN trusted TEXT",
        "ALTER TABLE factors RENAME COLUMN failures TO misses",
        "DROP TABLE pairings",
    ],
)
async def test_a_foreign_schema_is_found_while_the_guard_runs_and_at_the_next_start(path: Path, sql: str) -> None:
    store = await filled(path)
    execute(path, sql)
    await refuses(store, writing(account()), "tampered.store")
    await store.close()
    again = SqliteStore(path)
    with pytest.raises(Tampered) as caught:
        await again.open()
    assert caught.value.code == "tampered.store"


# --- while the vault is locked ------------------------------------------------------------------------------------


async def test_entries_written_while_locked_are_adopted(path: Path) -> None:
    store = await filled(path)
    await store.seal()
    for number in range(3):
        await store.append_unsealed(event("locked", n=number))
    assert execute(path, "SELECT count(*) FROM journal WHERE mac IS NULL") == [(3,)]
    head = await store.unseal(row_key(), now=NOW)
    assert execute(path, "SELECT count(*) FROM journal WHERE mac IS NOT NULL") == [(head.journal.index + 1,)]
    found = await store.transact(lambda tx: tx.entries("locked"), now=NOW)
    assert [entry.fields["data"] for entry in found] == [{"n": 0}, {"n": 1}, {"n": 2}]
    await store.transact(lambda tx: tx.check_entries(0), now=NOW)
    await store.close()
    await is_honest(path)


@pytest.mark.parametrize("attacked", ["edited", "removed", "sealed", "gap"])
async def test_entries_written_while_locked_are_a_chain_or_are_refused(path: Path, attacked: str) -> None:
    store = await filled(path)
    assert store.head is not None
    tip = store.head.journal
    await store.seal()
    await store.append_unsealed(event("one"))
    await store.append_unsealed(event("two"))
    first = chain.append(tip, event("one", forged=True), sealed=attacked == "sealed")
    if attacked in {"edited", "sealed"}:
        values = (first.body, first.hash, first.index)
        execute(path, "UPDATE journal SET body = ?, hash = ? WHERE entry = ?", values)
    if attacked == "sealed":
        second = chain.append(first.head, event("two"), sealed=False)
        values = (second.body, second.hash, second.index)
        execute(path, "UPDATE journal SET body = ?, hash = ? WHERE entry = ?", values)
    if attacked == "gap":
        execute(path, "DELETE FROM journal WHERE entry = ?", (tip.index + 1,))
    if attacked == "removed":  # the process that wrote them knows; a new process cannot
        execute(path, "DELETE FROM journal WHERE entry > ?", (tip.index,))
    for _ in range(2):
        with pytest.raises(Tampered) as caught:
            await store.unseal(row_key(), now=NOW)
        assert caught.value.code == "tampered.journal"
    if attacked == "removed":
        with pytest.raises(Tampered):
            await store.append_unsealed(event("three"))
    await store.close()


async def test_a_store_rolled_back_while_locked_is_found_by_the_process_that_wrote_it(path: Path) -> None:
    store = await filled(path)
    names = [*(table.name for table in TABLES.values()), "journal", "head"]
    rows = {name: execute(path, f"SELECT * FROM {name}") for name in names}
    await store.transact(dropping(FactorRow, "a"), now=NOW)
    await store.seal()
    for name in names:
        execute(path, f"DELETE FROM {name}")
        for row in rows[name]:
            execute(path, f"INSERT INTO {name} VALUES ({', '.join('?' * len(row))})", row)
    with pytest.raises(Tampered) as caught:
        await store.unseal(row_key(), now=NOW)
    assert caught.value.code == "tampered.store"
    await store.close()


async def test_the_unverified_journal_is_what_the_file_says(path: Path) -> None:
    store = await filled(path)
    entries = await store.journal()
    assert chain.verify(entries) == (store.head.journal if store.head else None)
    assert await store.journal(since=5) == entries[5:]
    execute(path, "UPDATE journal SET hash = X'00' WHERE entry = 5")
    changed = await store.journal()
    assert changed[5] == Entry(5, entries[5].body, b"\x00")
    await store.close()
