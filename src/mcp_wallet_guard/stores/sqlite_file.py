"""One SQLite file: how it is opened, what schema it must have, and the statements that a store runs on it.

Not for two threads at once. Every statement goes through `run`, which calls the fault hook before and after it, so
that tests can stop a process between any two. Errors of SQLite are `Unavailable("unavailable.store")`. SQLite comes
with apsw, in one known version everywhere: docs/adr/0203-an-sqlite-of-our-own.md.
Source: the rules in docs/formats/state-store.md. Threat: T-071, T-072.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final, final

import apsw

from mcp_wallet_guard.errors import Misconfigured, Tampered, Unavailable
from mcp_wallet_guard.journal.chain import Entry
from mcp_wallet_guard.stores import files
from mcp_wallet_guard.stores.sealing import StoredEntry, StoredHead, StoredRow
from mcp_wallet_guard.stores.tables import TABLES, Table

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_wallet_guard.stores.ledger import Changes, RowWrite

Faults = Callable[[str], None]
"""Called with ``before:<statement>`` and ``after:<statement>``; may raise."""

SCHEMA_VERSION: Final = 1
OLDEST_SQLITE: Final = 3_051_003
"""As `SQLITE_VERSION_NUMBER`. Before it two connections that write and checkpoint at one instant can damage a
write-ahead log."""
MAX_VALUE_BYTES: Final = 16 * 1024 * 1024
_SIBLINGS: Final = ("-journal", "-wal", "-shm")
_ERRORS: Final = (apsw.Error, OSError)
_OPENING_MILLISECONDS: Final = 5_000
_SQL_TYPES: Final = {str: "TEXT", int: "INTEGER", bytes: "BLOB"}


class HeldError(Exception):
    """Another program holds the database at this moment. Nothing was done; it may be tried again."""


def check_sqlite(version: str, /) -> None:
    """Raises Misconfigured for an SQLite that is too old: one that somebody put in the place of apsw's own."""
    major, minor, patch = (int(part) for part in version.split(".")[:3])
    if (major * 1000 + minor) * 1000 + patch < OLDEST_SQLITE:
        raise Misconfigured(detail=f"SQLite {version} is too old: install apsw from its wheel")


def schema() -> tuple[str, ...]:
    """The statements that make the tables of `SCHEMA_VERSION`."""
    return (
        "CREATE TABLE migrations (version INTEGER PRIMARY KEY) STRICT",
        "CREATE TABLE head (id INTEGER PRIMARY KEY CHECK (id = 1), store_id TEXT NOT NULL,"
        " journal_index INTEGER NOT NULL, journal_hash BLOB NOT NULL, live_sum BLOB NOT NULL,"
        " highest_time INTEGER NOT NULL, mac BLOB NOT NULL) STRICT",
        "CREATE TABLE journal (entry INTEGER PRIMARY KEY, subject TEXT NOT NULL, body BLOB NOT NULL,"
        " hash BLOB NOT NULL, mac BLOB) STRICT",
        "CREATE INDEX journal_by_subject ON journal (subject, entry)",
        *(_create(table) for table in TABLES.values()),
    )


def _create(table: Table) -> str:
    columns = [
        f'"{field.name}" {_SQL_TYPES[field.type]}{"" if field.nullable else " NOT NULL"}'
        f"{' PRIMARY KEY' if number == 0 else ''}"
        for number, field in enumerate(table.fields)
    ]
    return f'CREATE TABLE "{table.name}" ({", ".join(columns)}, "entry" INTEGER NOT NULL, "mac" BLOB NOT NULL) STRICT'


@contextmanager
def translating() -> Iterator[None]:
    """Give errors of SQLite and of the disk their code."""
    try:
        yield
    except _ERRORS as error:
        raise _translated(error) from None


def _translated(error: Exception) -> Unavailable:
    return Unavailable("unavailable.store", detail=f"{type(error).__name__}: {error}")


@final
class SqliteFile:
    """An open database with the right schema. Implements `ledger.Reader`."""

    def __init__(self, path: Path, /, *, faults: Faults | None) -> None:
        """Open, or make, the database at `path`; its folder is made when only that is missing.

        Raises Misconfigured("misconfigured.permissions") for a place that is not private, Misconfigured for an SQLite
        that is too old or a file of a newer release, Tampered("tampered.store") for any table, index, trigger or view
        that this release did not make, Unavailable("unavailable.store") for a damaged file or a failing disk.
        """
        check_sqlite(apsw.sqlite_lib_version())
        self._faults: Final = faults if faults is not None else _no_faults
        self._path: Final = path.absolute()
        self._identity: Final = self._prepare()
        with translating():
            self._connection: Final = apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            with translating():
                self._settle()
                self._check_integrity()
                with self.transaction():
                    self._migrate()
                    self._check_schema()
                    self._commit_if_changed()
                self._schema_cookie = self._cookie()
                self._connection.set_busy_timeout(0)  # from here on whoever calls waits, and not in here
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close. Idempotent."""
        with translating():
            self._connection.close()

    # --- transactions -------------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Begin; roll back whatever was not committed when the block ends.

        Raises Tampered("tampered.store") when the name no longer leads to the file that was opened, HeldError when
        another program writes.
        """
        status = files.check_file(self._path)
        if status is None or (status.st_dev, status.st_ino) != self._identity:
            raise Tampered("tampered.store", detail=f"{self._path}: removed or replaced while in use")
        try:
            self._begin()
            yield
        finally:
            self._roll_back()

    def check_schema(self) -> None:
        """Inside a transaction: the schema is the one that was checked at opening, so no trigger fires.

        Raises Tampered("tampered.store").
        """
        if self._cookie() != self._schema_cookie:
            raise Tampered("tampered.store", detail=f"{self._path}: the schema was changed while in use")

    def commit(self, done: Callable[[], None], /) -> None:
        """Make the transaction durable, then call `done` before anything else can fail."""
        self._faults("before:commit")
        with translating():
            self._connection.execute("COMMIT")
        done()
        self._faults("after:commit")

    def run(self, name: str, sql: str, values: Sequence[Any] = (), /) -> list[Any]:
        """Run one statement and fetch all of it."""
        self._faults(f"before:{name}")
        try:
            rows = self._connection.execute(sql, values).fetchall()
        except _ERRORS as error:
            raise _translated(error) from None
        except UnicodeDecodeError:
            raise Tampered("tampered.row", detail=f"{name}: text that is none") from None
        self._faults(f"after:{name}")
        return rows

    def _begin(self) -> None:
        self._faults("before:begin")
        with translating():
            try:
                self._connection.execute("BEGIN IMMEDIATE")
            except apsw.BusyError:
                raise HeldError from None
        self._faults("after:begin")

    # --- reading ------------------------------------------------------------------------------------------------

    def head(self) -> StoredHead | None:
        """The head, None in a store that was never unsealed."""
        found = self.run(
            "select head", "SELECT store_id, journal_index, journal_hash, live_sum, highest_time, mac FROM head"
        )
        return StoredHead(*found[0]) if found else None

    def row(self, table: Table, key: str, /) -> StoredRow | None:
        """The row under `key`."""
        sql = f'SELECT * FROM "{table.name}" WHERE "{table.names[0]}" = ?'  # noqa: S608  our own names
        found = self.run(f"select {table.name}", sql, (key,))
        return _stored_row(found[0]) if found else None

    def rows(self, table: Table, /) -> list[StoredRow]:
        """All rows."""
        found = self.run(f"select all {table.name}", f'SELECT * FROM "{table.name}"')  # noqa: S608  our own names
        return [_stored_row(each) for each in found]

    def entries_about(self, subject: str, /) -> list[StoredEntry]:
        """All entries whose column says `subject`, oldest first."""
        return self._entries("select subject", "subject = ?", subject)

    def entries_from(self, index: int, /, *, limit: int | None = None) -> list[StoredEntry]:
        """All entries from `index` on, oldest first; at most `limit`."""
        return self._entries("select journal", "entry >= ?", index, limit=-1 if limit is None else limit)

    def version(self) -> int:
        """Another number once another connection changed the database."""
        version: int = self.run("pragma data_version", "PRAGMA data_version")[0][0]
        return version

    def last_entry(self) -> StoredEntry | None:
        """The entry with the highest index."""
        found = self._entries("select tip", "entry = (SELECT max(entry) FROM journal) AND ?", 1)
        return found[0] if found else None

    # --- writing ------------------------------------------------------------------------------------------------

    def write(self, changes: Changes, /) -> None:
        """Write rows, entries and head. Raises Tampered when what is overwritten is not what it should be."""
        for write in changes.rows:
            self._write_row(write)
        for stored in changes.entries:
            self.write_entry(stored)
        self._write_one("insert head", "INSERT OR REPLACE INTO head VALUES (1, ?, ?, ?, ?, ?, ?)", changes.stored_head)

    def write_entry(self, stored: StoredEntry, /) -> None:
        """Add an entry, or give an unsealed one its MAC."""
        entry = stored.entry
        self._write_one(
            "insert journal",
            "INSERT INTO journal VALUES (?, ?, ?, ?, ?) ON CONFLICT (entry) DO UPDATE SET mac = excluded.mac"
            " WHERE journal.mac IS NULL AND journal.hash = excluded.hash AND journal.subject = excluded.subject",
            (entry.index, stored.subject, entry.body, entry.hash, stored.mac),
        )

    def _write_row(self, write: RowWrite) -> None:
        name, insert, update, delete = _statements(write.table)
        values = () if write.new is None else (*write.new.values, write.new.entry, write.new.mac)
        if write.old is None:
            self._write_one(f"insert {name}", insert, values)
        elif write.new is None:
            self._write_one(f"delete {name}", delete, (write.key, write.old))
        else:
            self._write_one(f"update {name}", update, (*values[1:], write.key, write.old))

    def _write_one(self, name: str, sql: str, values: Sequence[Any]) -> None:
        self._faults(f"before:{name}")
        try:
            self._connection.execute(sql, values)
            count = self._connection.changes()
        except apsw.ConstraintError:
            count = -1
        except _ERRORS as error:
            raise _translated(error) from None
        if count != 1:
            raise Tampered("tampered.row", detail=f"{name}: the store does not hold what it should")
        self._faults(f"after:{name}")

    # --- opening ------------------------------------------------------------------------------------------------

    def _prepare(self) -> tuple[int, int]:
        folder = self._path.parent
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise Misconfigured("misconfigured.permissions", detail=f"{folder}: {error.strerror}") from None
        files.check_folder(folder)
        files.check_local(folder)
        for sibling in _SIBLINGS:
            files.check_file(self._path.with_name(self._path.name + sibling))
        if files.check_file(self._path) is None:
            files.create_file(self._path)
            with translating():
                files.sync_folder(folder)
        status = os.lstat(self._path)
        return status.st_dev, status.st_ino

    def _settle(self) -> None:
        self._connection.set_busy_timeout(_OPENING_MILLISECONDS)
        self._connection.limit(apsw.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
        self._connection.limit(apsw.SQLITE_LIMIT_ATTACHED, 0)
        for pragma in (
            "trusted_schema=OFF",
            "secure_delete=ON",
            "foreign_keys=ON",
            "cell_size_check=ON",
            "mmap_size=0",
            "synchronous=FULL",
            "fullfsync=ON",  # macOS: fsync alone leaves the data in the drive's cache
        ):
            self.run(f"pragma {pragma}", f"PRAGMA {pragma}")
        if self.run("pragma journal_mode", "PRAGMA journal_mode=WAL") != [("wal",)]:
            raise Unavailable("unavailable.store", detail=f"{self._path}: a write-ahead log was refused")

    def _check_integrity(self) -> None:
        found = self.run("pragma integrity_check", "PRAGMA integrity_check(1)")
        if found != [("ok",)]:
            raise Unavailable("unavailable.store", detail=f"{self._path}: damaged: {found[0][0]}")

    def _migrate(self) -> None:
        """Make the tables of an empty file. Refuse a file of a newer release."""
        existing = {name for (name,) in self.run("select schema", "SELECT name FROM sqlite_schema")}
        if not existing:
            for statement in schema():
                self.run("create", statement)
            self.run("insert migrations", "INSERT INTO migrations VALUES (?)", (SCHEMA_VERSION,))
        elif "migrations" in existing:
            versions = [version for (version,) in self.run("select migrations", "SELECT version FROM migrations")]
            if any(version > SCHEMA_VERSION for version in versions):
                raise Misconfigured(detail=f"{self._path}: written by a newer release")
            if versions != [SCHEMA_VERSION]:
                raise Tampered("tampered.store", detail=f"{self._path}: a version that never was")

    def _check_schema(self) -> None:
        query = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name"
        model = apsw.Connection(":memory:")
        try:
            for statement in schema():
                model.execute(statement)
            expected = model.execute(query).fetchall()
        finally:
            model.close()
        if self.run("select schema", query) != expected:
            raise Tampered("tampered.store", detail=f"{self._path}: not the schema of this release")

    def _commit_if_changed(self) -> None:
        if self._connection.total_changes():
            self.commit(lambda: None)

    def _cookie(self) -> int:
        cookie: int = self.run("pragma schema_version", "PRAGMA schema_version")[0][0]
        return cookie

    def _roll_back(self) -> None:
        if not self._connection.in_transaction:
            return
        try:
            self._faults("before:rollback")
        finally:
            with translating():
                self._connection.execute("ROLLBACK")
        self._faults("after:rollback")

    def _entries(self, name: str, where: str, value: str | int, *, limit: int = -1) -> list[StoredEntry]:
        sql = f"SELECT entry, body, hash, subject, mac FROM journal WHERE {where} ORDER BY entry LIMIT ?"  # noqa: S608
        return [
            StoredEntry(Entry(index, body, digest), subject, mac)
            for index, body, digest, subject, mac in self.run(name, sql, (value, limit))
        ]


@cache
def _statements(table: Table) -> tuple[str, str, str, str]:
    """The table's name, and how one of its rows is written: anew, over the row with a MAC, away."""
    name, columns = table.name, (*table.names, "entry", "mac")
    this = f'WHERE "{table.names[0]}" = ? AND "mac" = ?'
    assigned = ", ".join(f'"{column}" = ?' for column in columns[1:])  # naming the key would rewrite its index too
    return (
        name,
        f'INSERT INTO "{name}" VALUES ({", ".join("?" * len(columns))})',  # noqa: S608  our own names
        f'UPDATE "{name}" SET {assigned} {this}',  # noqa: S608
        f'DELETE FROM "{name}" {this}',  # noqa: S608
    )


def _stored_row(found: tuple[Any, ...]) -> StoredRow:
    *values, entry, mac = found
    return StoredRow(tuple(values), entry, mac)


def _no_faults(_: str) -> None:
    return None
