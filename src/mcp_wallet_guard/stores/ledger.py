"""The ledger: what the guard believes about its live rows, and what a transaction makes of them. No storage in here.

The index in memory holds the MAC of every live row. A row that is read must have the MAC of the index; a live row that
is missing, or one that the index does not know, is `Tampered`. So an edited row, an old row and a deleted row are each
found at the first read, and at the next unlock by the sum in the sealed head. Threat: T-009, T-070, T-088.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast, final

from mcp_wallet_guard.errors import Tampered, Unavailable
from mcp_wallet_guard.evidence import Column, Row
from mcp_wallet_guard.journal import chain
from mcp_wallet_guard.journal.chain import Entry, Head
from mcp_wallet_guard.stores.base import CLOCK_TOLERANCE_SECONDS, SealedHead
from mcp_wallet_guard.stores.known import Known
from mcp_wallet_guard.stores.sealing import Keys, StoredEntry, StoredHead, StoredRow, add
from mcp_wallet_guard.stores.tables import TABLES, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mcp_wallet_guard.journal.events import Event, RowChange

R = TypeVar("R", bound=Row)

EMPTY_SUM: Final = bytes(32)
_CHUNK: Final = 500


class Reader(Protocol):
    """What a ledger reads from its storage, inside one transaction of that storage. Nothing of it is believed."""

    def row(self, table: Table, key: str, /) -> StoredRow | None: ...
    def rows(self, table: Table, /) -> Sequence[StoredRow]: ...
    def entries_about(self, subject: str, /) -> Sequence[StoredEntry]: ...
    def entries_from(self, index: int, /, *, limit: int | None = None) -> Sequence[StoredEntry]: ...


@final
@dataclass(frozen=True, slots=True)
class RowWrite:
    """One row to write. `old` is the MAC that the row must have before, None when there must be no row; `row` is what
    `new` says, and both are None when it goes."""

    table: Table
    key: str
    old: bytes | None
    new: StoredRow | None
    row: Row | None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """All that a transaction writes. `Ledger.adopt` takes it over after the storage made it durable."""

    rows: tuple[RowWrite, ...]
    entries: tuple[StoredEntry, ...]
    head: SealedHead
    stored_head: StoredHead


@final
class Ledger:
    """One unsealed store: its keys, its head, its live rows' MACs, and what is known of the rows."""

    __slots__ = ("_live", "head", "keys", "known", "stored_head")

    def __init__(self, keys: Keys, head: SealedHead, /) -> None:
        """An empty ledger whose head is `head`, already verified."""
        self.keys: Final = keys
        self.head: SealedHead = head
        self.stored_head: StoredHead = keys.seal(head)
        self._live: Final[dict[Table, dict[str, bytes]]] = {table: {} for table in TABLES.values()}
        self.known: Final = Known()

    @classmethod
    def load(cls, keys: Keys, head: SealedHead, reader: Reader, /) -> Ledger:
        """The ledger of a store, every live row verified. Raises Tampered("tampered.row")."""
        ledger = cls(keys, head)
        total = 0
        for table, live in ledger._live.items():
            for stored in reader.rows(table):
                mac = ledger._mac(table, stored)
                live[str(stored.values[0])] = mac
                total += keys.contribution(mac)
        if add(EMPTY_SUM, total) != head.live_sum:
            raise Tampered("tampered.row", detail="live rows are missing, or rows that are not live were put back")
        return ledger

    def live_keys(self, table: Table, /) -> set[str]:
        """The keys of all live rows of `table`."""
        return set(self._live[table])

    def mac(self, table: Table, key: str, /) -> bytes | None:
        """The MAC that the live row has, None when no row is live under this key."""
        return self._live[table].get(key)

    def check(self, table: Table, key: str, stored: StoredRow | None, /) -> Row | None:
        """The row under `key`, as it was read, verified. Raises Tampered("tampered.row")."""
        expected = self._live[table].get(key)
        if stored is None and expected is None:
            return None
        if stored is None or expected is None:
            raise Tampered("tampered.row", detail=f"{table.name}: a live row is missing or a dropped one is back")
        if not hmac.compare_digest(self._mac(table, stored), expected) or stored.values[0] != key:
            raise Tampered("tampered.row", detail=f"{table.name}: not the row that was written last")
        return table.row(stored.values)

    def check_clock(self, now: int, /) -> None:
        """Raises Unavailable("unavailable.clock") when `now` is too far behind the highest time seen.

        Threat: T-016, T-083.
        """
        if now < self.head.highest_time - CLOCK_TOLERANCE_SECONDS:
            raise Unavailable(
                "unavailable.clock", detail=f"the clock says {now}, the store has seen {self.head.highest_time}"
            )

    def check_entry(self, stored: StoredEntry, /) -> dict[str, Any]:
        """The fields of one journal entry, verified with the key. Raises Tampered("tampered.journal").

        The MAC covers the hash and the hash the body, so bytes that verify are those that were written: their shape,
        which `chain.check` looks at, need not be judged again.
        """
        entry, expected = stored.entry, self.keys.entry_mac(stored.entry)
        is_ours = stored.mac is not None and hmac.compare_digest(expected, stored.mac) and chain.is_intact(entry)
        fields: dict[str, Any] = json.loads(entry.body) if is_ours else {}
        if not is_ours or fields["subject"] != stored.subject:
            raise Tampered("tampered.journal", detail=f"entry {entry.index} does not verify")
        return fields

    def check_history(self, reader: Reader, /) -> None:
        """The whole journal, from its first entry to the head. Raises Tampered("tampered.journal").

        Read once after an unlock, and again when another program wrote to the database since.
        """
        if self.known.history:
            return
        head = Head()
        while head != self.head.journal:
            found = reader.entries_from(head.index + 1, limit=_CHUNK)
            if not found or found[0].entry.index > self.head.journal.index:
                raise Tampered("tampered.journal", detail="the journal does not end where the head says")
            for stored in found:
                head = chain.link(head, stored.entry, self.check_entry(stored))
        self.known.history = True

    def check_tip(self, tip: Sequence[StoredEntry], /) -> None:
        """`tip`, the entries from the head's index on, is the head's entry alone. Raises Tampered."""
        if not tip or tip[0].entry.head != self.head.journal:
            raise Tampered("tampered.journal", detail="the journal does not end where the head says")
        self.check_entry(tip[0])
        if len(tip) > 1:
            raise Tampered("tampered.journal", detail="the journal goes on after the head")

    def adopt(self, changes: Changes, /) -> None:
        """Believe `changes`, which are durable now."""
        for write in changes.rows:
            if write.new is None:
                self._live[write.table].pop(write.key, None)
            else:
                self._live[write.table][write.key] = write.new.mac
            self.known.put(write.table, write.key, write.row)
        self.head = changes.head
        self.stored_head = changes.stored_head

    def adopting(self, unsealed: Sequence[StoredEntry], /, *, now: int) -> Changes:
        """The changes that seal entries written while the vault was locked.

        Raises Tampered("tampered.journal") unless they follow on from the head and are all marked unsealed.
        Threat: T-091.
        """
        for entry in chain.follow(self.head.journal, [stored.entry for stored in unsealed]):
            if entry.fields["sealed"]:
                raise Tampered("tampered.journal", detail=f"entry {entry.index} claims to be sealed")
        entries = tuple(
            StoredEntry(stored.entry, stored.entry.fields["subject"], self.keys.entry_mac(stored.entry))
            for stored in unsealed
        )
        journal = entries[-1].entry.head if entries else self.head.journal
        return self._changes((), entries, journal=journal, live_sum=self.head.live_sum, now=now)

    def applying(
        self,
        staged: Mapping[tuple[Table, str], tuple[Row, tuple[Column, ...]] | None],
        events: Sequence[Event],
        /,
        *,
        now: int,
    ) -> Changes:
        """The changes that put these rows, given with their values, drop those of None, and journal `events`, the last
        of which names the rows."""
        last = self.head.journal.index + len(events)
        writes: list[RowWrite] = []
        named: list[RowChange] = []
        delta = 0
        for (table, key), put in staged.items():
            old, new, row = self._live[table].get(key), None, None
            if old is not None:
                delta -= self.keys.contribution(old)
            if put is not None:
                row, values = put
                new = StoredRow(values, last, self.keys.row_mac(table, values, last))
                delta += self.keys.contribution(new.mac)
            writes.append(RowWrite(table, key, old, new, row))
            named.append((table.name, key, None if new is None else new.mac.hex()))
        journal = self.head.journal
        entries: list[StoredEntry] = []
        for number, event in enumerate(events, 1):
            entry = chain.append(journal, event, rows=named if number == len(events) else ())
            entries.append(StoredEntry(entry, event.subject, self.keys.entry_mac(entry)))
            journal = entry.head
        return self._changes(writes, entries, journal=journal, live_sum=add(self.head.live_sum, delta), now=now)

    def _changes(
        self, rows: Iterable[RowWrite], entries: Iterable[StoredEntry], /, *, journal: Head, live_sum: bytes, now: int
    ) -> Changes:
        head = SealedHead(
            store_id=self.head.store_id,
            journal=journal,
            live_sum=live_sum,
            highest_time=max(now, self.head.highest_time),
        )
        return Changes(rows=tuple(rows), entries=tuple(entries), head=head, stored_head=self.keys.seal(head))

    def _mac(self, table: Table, stored: StoredRow) -> bytes:
        mac = self.keys.row_mac(table, stored.values, stored.entry)
        if not hmac.compare_digest(mac, stored.mac):
            raise Tampered("tampered.row", detail=f"{table.name}: a row does not verify")
        return mac


@final
class LedgerTransaction:
    """A `Transaction` over a ledger: reads verify, writes are kept until `finish`, which seals them."""

    __slots__ = (
        "_checked",
        "_events",
        "_is_open",
        "_known",
        "_ledger",
        "_reader",
        "_staged",
        "now",
    )

    def __init__(self, ledger: Ledger, reader: Reader, /, *, now: int) -> None:
        self.now: int = max(now, ledger.head.highest_time)
        self._ledger: Final = ledger
        self._reader: Final = reader
        self._known: Final = ledger.known
        self._staged: Final[dict[tuple[Table, str], tuple[Row, tuple[Column, ...]] | None]] = {}
        self._checked: Final[dict[int, tuple[StoredEntry, dict[str, Any]]]] = {}
        self._events: Final[list[Event]] = []
        self._is_open = True

    def get(self, kind: type[R], key: str, /) -> R | None:
        """See `Transaction`."""
        self._check_open()
        table = TABLES[kind]
        place = (table, key)
        if place in self._staged:
            put = self._staged[place]
            return None if put is None else cast("R", put[0])
        row = self._known.row(table, key)
        if row is None:
            row = self._ledger.check(table, key, self._reader.row(table, key))
            self._known.put(table, key, row)
        return cast("R | None", row)

    def all(self, kind: type[R], /) -> tuple[R, ...]:
        """See `Transaction`."""
        self._check_open()
        table = TABLES[kind]
        known = self._known.rows(table)
        rows = dict(self._read_whole(table) if known is None else known)
        for (where, key), put in self._staged.items():
            if where is table and put is not None:
                rows[key] = put[0]
            elif where is table:
                rows.pop(key, None)
        return tuple(cast("R", rows[key]) for key in sorted(rows))

    def put(self, row: Row, /) -> None:
        """See `Transaction`. Raises ValueError for a value that its column does not hold."""
        self._check_open()
        table = TABLES[type(row)]
        values = table.values(row)
        place = (table, str(values[0]))
        self._staged[place] = row, values

    def drop(self, kind: type[Row], key: str, /) -> None:
        """See `Transaction`. Dropping what is not there changes nothing."""
        self._check_open()
        place = (TABLES[kind], key)
        if self._ledger.mac(*place) is None:
            self._staged.pop(place, None)
        else:
            self._staged[place] = None

    def append(self, event: Event, /) -> None:
        """See `Transaction`."""
        self._check_open()
        self._events.append(event)

    def entries(self, subject: str, /) -> tuple[Entry, ...]:
        """See `Transaction`."""
        self._check_open()
        return tuple(self._verified(stored)[0] for stored in self._reader.entries_about(subject))

    def check_live(self) -> None:
        """See `Transaction`."""
        self._check_open()
        for table in TABLES.values():
            self._read_whole(table)
        self._ledger.check_tip(self._reader.entries_from(self._ledger.head.journal.index))
        self._ledger.check_history(self._reader)

    def check_entries(self, since: int, /) -> tuple[Entry, ...]:
        """See `Transaction`."""
        self._check_open()
        before = self._reader.entries_from(since - 1, limit=1) if since > 0 else ()
        head = Head() if since <= 0 else Head(since - 1, before[0].entry.hash) if before else None
        if head is None:
            raise Tampered("tampered.journal", detail=f"no entry before entry {since}")
        entries = [self._verified(stored) for stored in self._reader.entries_from(max(since, 0))]
        for entry, fields in entries:
            head = chain.link(head, entry, fields)
        if head != self._ledger.head.journal:
            raise Tampered("tampered.journal", detail=f"no whole chain from entry {since} to the head")
        return tuple(entry for entry, _ in entries)

    def finish(self) -> Changes | None:
        """End the transaction: what is to be written, or None when nothing is.

        Raises ValueError when rows changed and nothing was appended: what changes is journalled.
        """
        self._check_open()
        self._is_open = False
        if self._staged and not self._events:
            raise ValueError("a transaction that changes rows appends an event")
        if not self._events:
            return None
        return self._ledger.applying(self._staged, self._events, now=self.now)

    def close(self) -> None:
        """Make the transaction unusable. Idempotent."""
        self._is_open = False

    def _verified(self, stored: StoredEntry) -> tuple[Entry, dict[str, Any]]:
        """A journal entry and its fields, verified once in this transaction."""
        seen, fields = self._checked.get(stored.entry.index, (None, {}))
        if seen != stored:
            fields = self._ledger.check_entry(stored)
            self._checked[stored.entry.index] = stored, fields
        return stored.entry, fields

    def _read_whole(self, table: Table) -> dict[str, Row]:
        """Read and verify every live row of the table, also one that is known."""
        found: dict[str, Row] = {}
        for stored in self._reader.rows(table):
            key = str(stored.values[0])
            row = self._ledger.check(table, key, stored)
            if row is not None:
                found[key] = row
        if found.keys() != self._ledger.live_keys(table):
            raise Tampered("tampered.row", detail=f"{table.name}: a live row is missing")
        self._known.put_all(table, found)
        return found

    def _check_open(self) -> None:
        if not self._is_open:
            raise ValueError("this transaction has ended")
