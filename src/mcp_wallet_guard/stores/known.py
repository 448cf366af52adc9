"""What a guard read and verified since somebody else last wrote to its database.

SQLite counts the changes that other connections commit. While that number stands still, a row that was verified once is
the row that is stored, and so is one that we wrote: neither is read again. Another number, or anything that went wrong,
and all of it is forgotten. Each consume reads every live row from the database all the same. Threat: T-009, T-070.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from mcp_wallet_guard.evidence import Row
    from mcp_wallet_guard.stores.tables import Table


@final
class Known:
    """`version` is the database's number that all else in here belongs to, None before anything was read.

    `rows` are live rows by table and key; `whole` names the tables of which every live row is among them; `history`
    says that the journal was read from its first entry to the head.
    """

    __slots__ = ("history", "rows", "version", "whole")

    def __init__(self) -> None:
        self.version: int | None = None
        self.rows: dict[Table, dict[str, Row]] = {}
        self.whole: set[Table] = set()
        self.history: bool = False

    def see(self, version: int, /) -> None:
        """From here on `version` is what the database says: what belongs to another one is forgotten."""
        if version != self.version:
            self.forget()
            self.version = version

    def forget(self) -> None:
        """Everything is read again before it is believed."""
        self.version, self.history = None, False
        self.rows.clear()
        self.whole.clear()

    def row(self, table: Table, key: str, /) -> Row | None:
        """The row, None when it is not known: that says nothing about whether it is there."""
        return self.rows.get(table, {}).get(key)

    def put(self, table: Table, key: str, row: Row | None, /) -> None:
        """This is what is stored now; None says that nothing is."""
        rows = self.rows.setdefault(table, {})
        if row is None:
            rows.pop(key, None)
        else:
            rows[key] = row
