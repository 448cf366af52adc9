"""What a store must say after an attack, and its honest twin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mcp_wallet_guard.errors import Tampered
from mcp_wallet_guard.stores.sqlite import SqliteStore
from tests.stores.samples import NOW, checking, opened, other, row_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mcp_wallet_guard.evidence import Row
    from mcp_wallet_guard.stores.base import Transaction
    from mcp_wallet_guard.stores.tables import Table


def columns(table: Table) -> list[str]:
    return [*table.names, "entry", "mac"]


def edited(table: Table, column: str, value: Any) -> Any:
    if column == "entry":
        return value + 1
    if column == "mac":
        return bytes(32)
    return other(table.fields[table.names.index(column)], value)


async def refuses(store: SqliteStore, work: Callable[[Transaction], object], code: str) -> None:
    before, commits = store.head, store.commits
    with pytest.raises(Tampered) as caught:
        await store.transact(work, now=NOW)
    assert caught.value.code == code
    assert (store.head, store.commits) == (before, commits)


async def finds_in_use(store: SqliteStore, kind: type[Row], key: str, code: str = "tampered.row") -> None:
    """Every way to read the row says so, and nothing is written."""
    await refuses(store, lambda tx: tx.get(kind, key), code)
    await refuses(store, lambda tx: tx.all(kind), code)
    await refuses(store, lambda tx: tx.check_live(), code)


async def finds_at_unlock(path: Path, code: str) -> None:
    store = SqliteStore(path)
    await store.open()
    with pytest.raises(Tampered) as caught:
        await store.unseal(row_key(), now=NOW)
    assert caught.value.code == code
    assert store.head is None
    await store.close()


async def is_honest(path: Path) -> None:
    store = await opened(path)
    await store.transact(checking, now=NOW)
    await store.close()
