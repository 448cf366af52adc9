"""Somebody with write access to the database changes something; the guard finds out before it signs.

Each attack has its honest twin: the same store, untouched or put right again, works. Threat: T-009, T-070, T-088.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mcp_wallet_guard.errors import Tampered, Unavailable
from mcp_wallet_guard.evidence import ROWS, AccountRow, FactorRow, OperationRow, Row
from mcp_wallet_guard.journal import chain
from mcp_wallet_guard.journal.chain import Head
from mcp_wallet_guard.secret import Secret
from mcp_wallet_guard.stores.sqlite import SqliteStore
from mcp_wallet_guard.stores.sqlite_file import SqliteFile
from mcp_wallet_guard.stores.tables import TABLES
from tests.database import execute
from tests.stores.attacks import columns, edited, finds_at_unlock, finds_in_use, is_honest, refuses
from tests.stores.samples import (
    KEY,
    NOW,
    account,
    dropping,
    event,
    filled,
    opened,
    row_key,
    sample,
    writing,
)  # fmt: skip

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.anyio

KINDS = pytest.mark.parametrize("kind", ROWS, ids=lambda kind: str(kind.table))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


# --- rows, while the guard runs -----------------------------------------------------------------------------------


@KINDS
async def test_an_edit_of_any_column_of_any_row_is_found(path: Path, kind: type[Row]) -> None:
    store, table = await filled(path), TABLES[kind]
    keyed = table.names[0]
    for column in columns(table):
        ((value,),) = execute(path, f'SELECT "{column}" FROM "{table.name}" WHERE "{keyed}" = ?', ("a",))
        fakes = [edited(table, column, value)]
        if column in table.names and table.fields[table.names.index(column)].nullable:
            fakes.append(None)
        for fake in fakes:
            rowid = execute(path, f'SELECT rowid FROM "{table.name}" WHERE "{keyed}" = ?', ("a",))[0][0]
            execute(path, f'UPDATE "{table.name}" SET "{column}" = ? WHERE rowid = ?', (fake, rowid))
            await finds_in_use(store, kind, "a")
            execute(path, f'UPDATE "{table.name}" SET "{column}" = ? WHERE rowid = ?', (value, rowid))
            assert await store.transact(lambda tx: tx.get(kind, "a"), now=NOW) == sample(kind, "a", ord("a"))
    await store.transact(lambda tx: tx.check_live(), now=NOW)
    await store.close()


@KINDS
async def test_an_edit_is_found_also_after_something_else_was_written(path: Path, kind: type[Row]) -> None:
    """What is known of a row is forgotten when somebody else writes, and not only for the next transaction."""
    store, table = await filled(path), TABLES[kind]
    for read in (lambda tx: tx.get(kind, "a"), lambda tx: tx.all(kind)):
        await store.transact(read, now=NOW)  # it is known now
        execute(path, f'UPDATE "{table.name}" SET "entry" = "entry" + 1')
        await store.transact(writing(subject="another"), now=NOW)
        await refuses(store, read, "tampered.row")
        execute(path, f'UPDATE "{table.name}" SET "entry" = "entry" - 1')
        await store.transact(read, now=NOW)
    await store.close()


@KINDS
async def test_a_dropped_row_put_back_is_found_also_after_something_else_was_written(
    path: Path, kind: type[Row]
) -> None:
    store, table = await filled(path), TABLES[kind]
    keyed, marks = table.names[0], ", ".join("?" * len(columns(table)))
    old = execute(path, f'SELECT * FROM "{table.name}" WHERE "{keyed}" = ?', ("a",))[0]
    await store.transact(dropping(kind, "a"), now=NOW)
    assert await store.transact(lambda tx: tx.get(kind, "a"), now=NOW) is None
    execute(path, f'INSERT INTO "{table.name}" VALUES ({marks})', old)
    await store.transact(writing(subject="another"), now=NOW)
    await refuses(store, lambda tx: tx.all(kind), "tampered.row")
    await store.transact(writing(subject="another"), now=NOW)
    await refuses(store, lambda tx: tx.get(kind, "a"), "tampered.row")
    await store.close()


@pytest.mark.parametrize("unsealed", [False, True], ids=["transact", "append_unsealed"])
async def test_what_failed_is_read_again_before_it_is_believed(
    path: Path, monkeypatch: pytest.MonkeyPatch, unsealed: bool
) -> None:
    """A disk that takes a commit and then says that it failed: the guard must not go on with what was before."""
    store = await filled(path)
    await store.transact(writing(account("a", 1)), now=NOW)

    def commit(file: SqliteFile, _: object) -> None:
        file.run("commit", "COMMIT")
        raise Unavailable("unavailable.store", detail="or so it says")

    async def write() -> None:
        if unsealed:
            await store.append_unsealed(event())
        else:
            await store.transact(writing(account("a", 2)), now=NOW)

    with monkeypatch.context() as patch:
        patch.setattr(SqliteFile, "commit", commit)
        with pytest.raises(Unavailable):
            await write()
    await refuses(store, lambda tx: tx.get(AccountRow, "a"), "tampered.store")
    await store.close()
    again = await opened(path)
    assert await again.transact(lambda tx: tx.get(AccountRow, "a"), now=NOW) == account("a", 1 if unsealed else 2)
    await again.close()


async def test_an_edit_of_an_old_entry_is_found_also_when_the_journal_was_read_before(path: Path) -> None:
    store = await filled(path)
    await store.transact(lambda tx: tx.check_live(), now=NOW)
    ((body,),) = execute(path, "SELECT body FROM journal WHERE entry = 2")
    execute(path, "UPDATE journal SET body = ? WHERE entry = 2", (body + b" ",))
    for _ in range(2):
        await refuses(store, lambda tx: tx.check_live(), "tampered.journal")
    execute(path, "UPDATE journal SET body = ? WHERE entry = 2", (body,))
    await store.transact(lambda tx: tx.check_live(), now=NOW)
    await store.close()


async def test_a_row_that_was_read_is_not_read_again_until_the_consume(path: Path) -> None:
    """The honest twin: nobody wrote, so what is known stands; `check_live` reads all of it from the disk."""
    names = list[str]()
    await (await filled(path)).close()
    store = await opened(path, faults=names.append)
    for _ in range(2):
        await store.transact(lambda tx: (tx.get(OperationRow, "a"), tx.all(FactorRow)), now=NOW)
    await store.transact(writing(account("a", 5)), now=NOW)
    assert await store.transact(lambda tx: tx.get(AccountRow, "a"), now=NOW) == account("a", 5)
    read = [name for name in names if name.startswith("before:select")]
    assert [read.count(f"before:select {each}") for each in ("operations", "all factors", "accounts")] == [1, 2, 0]
    names.clear()
    await store.transact(lambda tx: tx.check_live(), now=NOW)
    assert {f"before:select all {table.name}" for table in TABLES.values()} <= set(names)
    await store.close()


@KINDS
async def test_an_edit_of_any_column_is_found_at_the_next_unlock(path: Path, kind: type[Row]) -> None:
    await (await filled(path)).close()
    table = TABLES[kind]
    for column in columns(table):
        (rowid, value) = execute(path, f'SELECT rowid, "{column}" FROM "{table.name}" LIMIT 1')[0]
        fake = edited(table, column, value)
        execute(path, f'UPDATE "{table.name}" SET "{column}" = ? WHERE rowid = ?', (fake, rowid))
        await finds_at_unlock(path, "tampered.row")
        execute(path, f'UPDATE "{table.name}" SET "{column}" = ? WHERE rowid = ?', (value, rowid))
    await is_honest(path)


@KINDS
async def test_an_old_row_put_back_with_its_old_mac_is_found(path: Path, kind: type[Row]) -> None:
    store, table = await filled(path), TABLES[kind]
    keyed, marks = table.names[0], ", ".join("?" * len(columns(table)))
    old = execute(path, f'SELECT * FROM "{table.name}" WHERE "{keyed}" = ?', ("a",))[0]
    await store.transact(writing(sample(kind, "a", 3)), now=NOW)
    new = execute(path, f'SELECT * FROM "{table.name}" WHERE "{keyed}" = ?', ("a",))[0]
    execute(path, f'REPLACE INTO "{table.name}" VALUES ({marks})', old)
    await finds_in_use(store, kind, "a")
    await refuses(store, writing(sample(kind, "a", 4)), "tampered.row")  # nor is it written over unread
    await refuses(store, dropping(kind, "a"), "tampered.row")
    await store.close()
    await finds_at_unlock(path, "tampered.row")
    execute(path, f'REPLACE INTO "{table.name}" VALUES ({marks})', new)
    await is_honest(path)


@KINDS
async def test_a_dropped_row_put_back_is_found(path: Path, kind: type[Row]) -> None:
    store, table = await filled(path), TABLES[kind]
    keyed, marks = table.names[0], ", ".join("?" * len(columns(table)))
    old = execute(path, f'SELECT * FROM "{table.name}" WHERE "{keyed}" = ?', ("a",))[0]
    await store.transact(dropping(kind, "a"), now=NOW)
    execute(path, f'INSERT INTO "{table.name}" VALUES ({marks})', old)
    await finds_in_use(store, kind, "a")
    await refuses(store, writing(sample(kind, "a")), "tampered.row")
    await store.close()
    await finds_at_unlock(path, "tampered.row")
    execute(path, f'DELETE FROM "{table.name}" WHERE "{keyed}" = ?', ("a",))
    await is_honest(path)


@KINDS
async def test_a_deleted_row_is_found(path: Path, kind: type[Row]) -> None:
    store, table = await filled(path), TABLES[kind]
    keyed, marks = table.names[0], ", ".join("?" * len(columns(table)))
    row = execute(path, f'SELECT * FROM "{table.name}" WHERE "{keyed}" = ?', ("a",))[0]
    execute(path, f'DELETE FROM "{table.name}" WHERE "{keyed}" = ?', ("a",))
    await finds_in_use(store, kind, "a")
    await refuses(store, dropping(kind, "a"), "tampered.row")
    await refuses(store, writing(sample(kind, "a")), "tampered.row")
    await store.close()
    await finds_at_unlock(path, "tampered.row")
    execute(path, f'INSERT INTO "{table.name}" VALUES ({marks})', row)
    await is_honest(path)


@KINDS
async def test_two_rows_that_changed_places_are_found(path: Path, kind: type[Row]) -> None:
    store, table = await filled(path), TABLES[kind]
    keyed = table.names[0]
    for one, two in (("a", "x"), ("b", "a"), ("x", "b")):
        execute(path, f'UPDATE "{table.name}" SET "{keyed}" = ? WHERE "{keyed}" = ?', (two, one))
    await finds_in_use(store, kind, "a")
    await store.close()
    await finds_at_unlock(path, "tampered.row")


@KINDS
async def test_a_row_copied_under_another_key_is_found(path: Path, kind: type[Row]) -> None:
    store, table = await filled(path), TABLES[kind]
    keyed = table.names[0]
    rest = ", ".join(f'"{column}"' for column in columns(table)[1:])
    execute(path, f'INSERT INTO "{table.name}" SELECT \'c\', {rest} FROM "{table.name}" WHERE "{keyed}" = \'a\'')
    await finds_in_use(store, kind, "c")
    await store.close()
    await finds_at_unlock(path, "tampered.row")
    execute(path, f'DELETE FROM "{table.name}" WHERE "{keyed}" = \'c\'')
    await is_honest(path)


async def test_an_old_row_beside_a_missing_one_is_found_by_the_sum(path: Path) -> None:
    """At unlock each remaining row verifies on its own: only the sum knows which of them are live."""
    store = await filled(path)
    old = execute(path, "SELECT * FROM factors WHERE id = 'a'")[0]
    await store.transact(writing(sample(FactorRow, "a", 9)), now=NOW)
    await store.close()
    execute(path, f"REPLACE INTO factors VALUES ({', '.join('?' * len(old))})", old)
    await finds_at_unlock(path, "tampered.row")


async def test_a_row_of_another_store_under_the_same_key_does_not_verify(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours.db", tmp_path / "theirs.db"
    await (await filled(ours)).close()
    await (await filled(theirs)).close()
    row = execute(theirs, "SELECT * FROM factors WHERE id = 'a'")[0]
    execute(ours, f"REPLACE INTO factors VALUES ({', '.join('?' * len(row))})", row)
    await finds_at_unlock(ours, "tampered.row")
    await is_honest(theirs)


async def test_text_that_is_not_utf_8_is_tampering_not_a_crash(path: Path) -> None:
    store = await filled(path)
    execute(path, "UPDATE operations SET state = CAST(X'FF80' AS TEXT) WHERE id = 'a'")
    await finds_in_use(store, OperationRow, "a")
    await store.close()
    await finds_at_unlock(path, "tampered.row")


# --- the head and the journal -------------------------------------------------------------------------------------

HEAD: dict[str, Any] = {
    "store_id": "ab" * 16, "journal_index": 3, "journal_hash": bytes(32), "live_sum": bytes(32),
    "highest_time": 1, "mac": bytes(32),
}  # fmt: skip


@pytest.mark.parametrize("column", list(HEAD))
async def test_an_edit_of_the_head_is_found(path: Path, column: str) -> None:
    store = await filled(path)
    ((value,),) = execute(path, f"SELECT {column} FROM head")
    execute(path, f"UPDATE head SET {column} = ?", (HEAD[column],))
    await finds_in_use(store, FactorRow, "a", "tampered.store")
    await refuses(store, writing(account()), "tampered.store")
    await store.close()
    await finds_at_unlock(path, "tampered.store")
    execute(path, f"UPDATE head SET {column} = ?", (value,))
    await is_honest(path)


async def test_a_store_id_of_another_shape_is_found(path: Path) -> None:
    await (await filled(path)).close()
    for fake in ("", "zz" * 16, "AB" * 16, "ab" * 15, "ab " * 16):
        execute(path, "UPDATE head SET store_id = ?", (fake,))
        await finds_at_unlock(path, "tampered.store")


async def test_a_missing_head_is_found(path: Path) -> None:
    store = await filled(path)
    execute(path, "DELETE FROM head")
    await refuses(store, writing(account()), "tampered.store")
    await store.seal()
    with pytest.raises(Tampered):
        await store.unseal(row_key(), now=NOW)
    await store.close()
    await finds_at_unlock(path, "tampered.store")
    for table in TABLES.values():
        execute(path, f'DELETE FROM "{table.name}"')
    await finds_at_unlock(path, "tampered.journal")


async def test_another_key_does_not_open_the_store(path: Path) -> None:
    await (await filled(path)).close()
    store = SqliteStore(path)
    await store.open()
    with pytest.raises(Tampered) as caught:
        await store.unseal(Secret(KEY[::-1]), now=NOW)
    assert caught.value.code == "tampered.store"
    await store.unseal(row_key(), now=NOW)
    await store.close()


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        ("UPDATE journal SET body = ? WHERE entry = 5", (b"{}",)),
        ("UPDATE journal SET hash = ? WHERE entry = 5", (bytes(32),)),
        ("UPDATE journal SET mac = ? WHERE entry = 5", (bytes(32),)),
        ("UPDATE journal SET mac = NULL WHERE entry = 5", ()),
        ("UPDATE journal SET subject = 'x' WHERE entry = 5", ()),
        ("DELETE FROM journal WHERE entry = 5", ()),
        ("DELETE FROM journal WHERE entry < 5", ()),
        ("UPDATE journal SET entry = -5 WHERE entry = 5", ()),
    ],
)
async def test_an_edit_of_an_old_entry_is_found_when_the_chain_is_checked(
    path: Path, sql: str, values: tuple[Any, ...]
) -> None:
    store = await filled(path)
    await store.transact(lambda tx: tx.check_entries(3), now=NOW)
    execute(path, sql, values)
    await refuses(store, lambda tx: tx.check_entries(3), "tampered.journal")
    await store.transact(lambda tx: tx.check_entries(8), now=NOW)
    await store.close()


async def test_an_edited_entry_about_a_subject_is_found_when_it_is_read(path: Path) -> None:
    """Also one with a hash that fits: it takes the key to make an entry."""
    store = await filled(path)
    (entry,) = await store.transact(lambda tx: tx.entries("factors.a"), now=NOW)
    fake = chain.append(Head(entry.index - 1, bytes.fromhex(entry.fields["prev"])), event("factors.a", forged=True))
    execute(path, "UPDATE journal SET body = ?, hash = ? WHERE entry = ?", (fake.body, fake.hash, entry.index))
    await refuses(store, lambda tx: tx.entries("factors.a"), "tampered.journal")
    execute(path, "UPDATE journal SET body = ?, hash = ? WHERE entry = ?", (entry.body, entry.hash, entry.index))
    execute(path, "UPDATE journal SET subject = 'factors.a' WHERE entry = 2")
    await refuses(store, lambda tx: tx.entries("factors.a"), "tampered.journal")
    await store.close()


@pytest.mark.parametrize("column", ["body", "hash", "mac", "subject"])
async def test_an_edit_of_the_last_entry_is_found(path: Path, column: str) -> None:
    store = await filled(path)
    fake = "x" if column == "subject" else bytes(32)
    execute(path, f"UPDATE journal SET {column} = ? WHERE entry = (SELECT max(entry) FROM journal)", (fake,))
    await refuses(store, lambda tx: tx.check_live(), "tampered.journal")
    await store.close()
    await finds_at_unlock(path, "tampered.journal")


async def test_a_journal_that_was_cut_or_lengthened_is_found(path: Path) -> None:
    store = await filled(path)
    assert store.head is not None
    tip = store.head.journal
    honest = execute(path, "SELECT * FROM journal WHERE entry = ?", (tip.index,))[0]
    execute(path, "DELETE FROM journal WHERE entry = ?", (tip.index,))
    await refuses(store, writing(account()), "tampered.journal")
    execute(path, "INSERT INTO journal VALUES (?, ?, ?, ?, ?)", honest)
    more = chain.append(tip, event("x"))
    put = "INSERT INTO journal VALUES (?, 'x', ?, ?, NULL)"
    execute(path, put, (more.index, more.body, more.hash))
    await refuses(store, writing(account()), "tampered.journal")
    await store.close()
    await finds_at_unlock(path, "tampered.journal")
    execute(path, "DELETE FROM journal WHERE entry = ?", (more.index,))
    await is_honest(path)
