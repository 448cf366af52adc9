"""What a guard read and verified since somebody else last wrote to its database.

SQLite counts the changes that other connections commit. While that number stands still, a row that was verified once is
the row that is stored, and so is one that we wrote: neither is read again. Another number, or anything that went wrong,
and all of it is forgotten. Each consume reads every live row from the database all the same. Threat: T-009, T-070.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcp_wallet_guard.evidence import Row
    from mcp_wallet_guard.stores.tables import Table


@final
class Known:
    """`version` is the database's number that all else in here belongs to, None before anything was read; `history`
    says that the journal was read from its first entry to the head."""

    __slots__ = ("_rows", "_whole", "history", "version")

    def __init__(self) -> None:
        self.version: int | None = None
        self.history: bool = False
        self._rows: dict[Table, dict[str, Row]] = {}
        self._whole: set[Table] = set()

    def see(self, version: int, /) -> None:
        """From here on `version` is what the database says: what belongs to another one is forgotten."""
        if version != self.version:
            self.forget()
            self.version = version

    def forget(self) -> None:
        """Everything is read again before it is believed."""
        self.version, self.history = None, False
        self._rows.clear()
        self._whole.clear()

    def row(self, table: Table, key: str, /) -> Row | None:
        """The row, None when it is not known: that says nothing about whether it is there."""
        return self._rows.get(table, {}).get(key)

    def rows(self, table: Table, /) -> Mapping[str, Row] | None:
        """All live rows of `table` by key, None when they are not all known."""
        return self._rows.get(table, {}) if table in self._whole else None

    def put(self, table: Table, key: str, row: Row | None, /) -> None:
        """This is what is stored now; None says that nothing is."""
        rows = self._rows.setdefault(table, {})
        if row is None:
            rows.pop(key, None)
        else:
            rows[key] = row

    def put_all(self, table: Table, rows: dict[str, Row], /) -> None:
        """These are all the live rows of `table`."""
        self._rows[table] = rows
        self._whole.add(table)
