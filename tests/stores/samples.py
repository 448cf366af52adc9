"""Rows, stores and the attacker's pen, for tests of stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mcp_wallet_guard.evidence import AccountRow, ApprovalRow, Column, Row
from mcp_wallet_guard.journal.events import Event, Kind
from mcp_wallet_guard.secret import Secret
from mcp_wallet_guard.stores.sqlite import SqliteStore
from mcp_wallet_guard.stores.tables import TABLES, Field
from tests.database import execute

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mcp_wallet_guard.stores.base import Transaction

NOW: Final = 1_790_000_000
KEY: Final = bytes(range(32))


def row_key() -> Secret:
    return Secret(KEY)


def sample(kind: type[Row], key: str, version: int = 0) -> Row:
    """A row with every column filled, different in each column from the next version."""
    table = TABLES[kind]
    values: list[Column] = [key]
    values.extend(_value(field, version) for field in table.fields[1:])
    return table.row(values)


def _value(field: Field, version: int) -> Column:
    if field.type is int:
        return version + len(field.name)
    text = f"{field.name} {version}"
    return text if field.type is str else text.encode()


def other(field: Field, value: Any) -> Any:
    """Another value that the column may hold."""
    if value is None:
        return _value(field, 7)
    if field.type is int:
        return value + 1
    return value + ("!" if field.type is str else b"!")


def event(subject: str = "", *, kind: Kind = Kind.READ, at: int = NOW, **data: Any) -> Event:
    return Event(kind=kind, at=at, subject=subject, data=data)


def writing(*rows: Row, subject: str = "") -> Callable[[Transaction], None]:
    """Work that puts rows and journals it."""

    def work(tx: Transaction) -> None:
        for row in rows:
            tx.put(row)
        tx.append(event(subject))

    return work


def dropping(kind: type[Row], key: str) -> Callable[[Transaction], None]:
    def work(tx: Transaction) -> None:
        tx.drop(kind, key)
        tx.append(event())

    return work


def checking(tx: Transaction) -> None:
    """Work that verifies all there is."""
    tx.check_live()
    tx.check_entries(0)


def account(key: str = "acc", nonce: int = 0) -> AccountRow:
    return AccountRow(account=key, next_nonce=nonce)


def approval(key: str = "op-1", version: int = 0) -> ApprovalRow:
    row = sample(ApprovalRow, key, version)
    assert isinstance(row, ApprovalRow)
    return row


async def opened(path: Path, **options: Any) -> SqliteStore:
    """An open and unsealed store."""
    store = SqliteStore(path, **options)
    await store.open()
    await store.unseal(row_key(), now=NOW)
    return store


async def filled(path: Path) -> SqliteStore:
    """An unsealed store with two full rows of each kind, one journal entry for each row."""
    store = await opened(path)
    for kind in TABLES:
        for key in ("a", "b"):
            await store.transact(writing(sample(kind, key, ord(key)), subject=f"{kind.table}.{key}"), now=NOW)
    return store


def copy_of(path: Path) -> Path:
    """A whole copy beside the database, what is in a write-ahead log included."""
    copy = path.with_name("copy.db")
    execute(path, "VACUUM INTO ?", (str(copy),))
    return copy


def contents(path: Path) -> bytes:
    return path.read_bytes()


def overwrite(path: Path, data: bytes) -> None:
    """In place: the same file with other bytes."""
    path.write_bytes(data)


def make(path: Path) -> None:
    path.touch(0o600, exist_ok=True)


def allow(path: Path, mode: int) -> None:
    path.chmod(mode)


def replace(path: Path, other: Path) -> None:
    """Another file, private, at this name."""
    other.chmod(0o600)
    other.rename(path)


def remove(path: Path) -> None:
    path.unlink()
