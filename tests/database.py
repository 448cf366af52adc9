"""Somebody else's connection to a store's file: what an attacker with write access does, and what a reader sees."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import apsw

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def execute(path: Path, sql: str, values: Sequence[Any] = ()) -> list[Any]:
    """All rows that one statement gives, in a connection of its own."""
    with closing(apsw.Connection(str(path))) as connection:
        return connection.execute(sql, values).fetchall()


def tables(path: Path) -> list[str]:
    """The names of all tables."""
    return [name for (name,) in execute(path, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
