"""`SqliteStore`: the state of one guard in one SQLite file. The default store.

    store = SqliteStore(folder / "state.db")
    await store.open()
    await store.unseal(row_key, now=clock.now())
    await store.transact(work, now=clock.now())

A transaction runs where it is called, on the event loop, and ends before anybody else is heard: it costs a millisecond,
and a thread would cost as much again. What reads the whole file goes to a thread. Calls are served in their order. A
caller that is cancelled before its turn has no effect; afterwards the transaction runs to its end and its result is
returned. Threat: T-100. See docs/adr/0203-an-sqlite-of-our-own.md.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar, final

import anyio
import anyio.to_thread

from mcp_wallet_guard.errors import Locked, Tampered, Unavailable
from mcp_wallet_guard.journal import chain
from mcp_wallet_guard.journal.chain import Entry, Head
from mcp_wallet_guard.journal.events import Event, Kind
from mcp_wallet_guard.stores.base import SealedHead, Transaction
from mcp_wallet_guard.stores.ledger import EMPTY_SUM, Changes, Ledger, LedgerTransaction
from mcp_wallet_guard.stores.sealing import STORE_ID_BYTES, Keys, StoredEntry, StoredHead
from mcp_wallet_guard.stores.sqlite_file import Faults, HeldError, SqliteFile
from mcp_wallet_guard.stores.tables import TABLES

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_wallet_guard.secret import Secret

T = TypeVar("T")
PATIENCE_SECONDS: Final = 5.0
"""How long a call waits for another program that writes to the file."""
_PAUSE_SECONDS: Final = 0.01


@final
class SqliteStore:
    """A `StateStore` in one file of mode 0600 in a folder of mode 0700. Threat: T-009, T-070, T-071, T-088, T-091."""

    def __init__(
        self, path: Path, /, *, faults: Faults | None = None, draw: Callable[[int], bytes] = secrets.token_bytes
    ) -> None:
        """Nothing is touched before `open`. `faults` is called around each SQL statement; `draw` gives random bytes."""
        self._path: Final = path
        self._faults: Final = faults
        self._draw: Final = draw
        self._turn: Final = anyio.Lock(fast_acquire=True)
        self._busy: Final = threading.Lock()
        self._file: SqliteFile | None = None
        self._ledger: Ledger | None = None
        self._last_head: StoredHead | None = None
        self._tip: Head | None = None
        self._commits = 0

    @property
    def head(self) -> SealedHead | None:
        """The sealed head as last committed, None while sealed."""
        return None if self._ledger is None else self._ledger.head

    @property
    def commits(self) -> int:
        """How many transactions were committed since `open`, those that only read not counted."""
        return self._commits

    async def open(self) -> None:
        """Open or create. See `SqliteFile` for what it raises."""
        await self._run(self._open, apart=True)

    async def unseal(self, key: Secret, /, *, now: int) -> SealedHead:
        """Take the row key: see `StateStore`. `key` stays the caller's.

        Reads the live rows and the journal from the sealed head on, so the cost does not grow with the journal. A new
        store draws its id and journals `store.created`. Raises Tampered("tampered.store") for a head that does not
        verify, is missing, or is not the one that this process wrote last; "tampered.row"; "tampered.journal";
        Unavailable("unavailable.clock"). The store is then as sealed as before.
        """
        return await self._run(lambda: self._unseal(key, now), apart=True)

    async def seal(self) -> None:
        """Forget the keys and the index. Idempotent."""
        await self._run(self._seal)

    async def transact(
        self,
        work: Callable[[Transaction], T],
        /,
        *,
        now: int,
        then: Callable[[SealedHead], None] | None = None,
        long: bool = False,
    ) -> T:
        """Run `work`, and `then` after it, in one durable transaction: see `StateStore`.

        Whatever `work` raises leaves store and memory as they were. Raises ValueError when `work` changed rows and
        appended no event.
        """
        ledger = self._ledger
        # The first consume reads all of the journal.
        apart = long or (ledger is not None and not ledger.known.history)
        return await self._run(lambda: self._transact(work, now, then), apart=apart)

    async def append_unsealed(self, event: Event, /) -> None:
        """Journal one event while the vault is locked. While it is unlocked the entry is sealed like any other."""
        await self._run(lambda: self._append_unsealed(event))

    async def journal(self, *, since: int = 0) -> tuple[Entry, ...]:
        """The entries from index `since` on, unverified."""

        def read() -> tuple[Entry, ...]:
            return tuple(stored.entry for stored in self._opened().entries_from(since))

        return await self._run(read, apart=True)

    async def close(self) -> None:
        """Seal and close. Idempotent."""
        await self._run(self._close, apart=True)

    async def _run(self, call: Callable[[], T], *, apart: bool = False) -> T:
        """`call` in its turn, in a thread when it is `apart`. Waits while another program writes."""

        def alone() -> T:
            # A task that asyncio itself cancels gives its turn back while its thread still works: `_turn` keeps the
            # order of those that wait, this lock one call at a time.
            with self._busy:
                return call()

        async with self._turn:
            patience = anyio.current_time() + PATIENCE_SECONDS
            while True:
                try:
                    return await anyio.to_thread.run_sync(alone) if apart else alone()
                except HeldError:
                    if anyio.current_time() >= patience:
                        raise Unavailable("unavailable.store", detail="another program holds the store") from None
                await anyio.sleep(_PAUSE_SECONDS)

    # --- in turn ------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        if self._file is None:
            self._file = SqliteFile(self._path, faults=self._faults)
            self._last_head = self._tip = None
            self._commits = 0

    def _close(self) -> None:
        self._seal()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _seal(self) -> None:
        if self._ledger is not None:
            self._ledger.keys.wipe()
            self._ledger = None

    def _unseal(self, key: Secret, now: int) -> SealedHead:
        file = self._opened()
        self._seal()
        with file.transaction():
            file.check_schema()
            stored = file.head()
            if self._last_head is not None and stored != self._last_head:
                raise Tampered("tampered.store", detail="the head is not the one that was written last")
            store_id = self._draw(STORE_ID_BYTES).hex() if stored is None else stored.store_id
            keys = Keys(key, store_id=store_id)
            try:
                ledger = self._first(file, keys, now) if stored is None else self._again(file, keys, stored, now)
            except BaseException:
                keys.wipe()
                raise
        self._believe(ledger)
        return ledger.head

    def _first(self, file: SqliteFile, keys: Keys, now: int) -> Ledger:
        """Seal a store for the first time. One that holds rows has lost its head."""
        if any(file.rows(table) for table in TABLES.values()):
            raise Tampered("tampered.store", detail="the store has rows and no head")
        blank = SealedHead(store_id=keys.store_id, journal=Head(), live_sum=EMPTY_SUM, highest_time=now)
        ledger = Ledger(keys, blank)
        found = ledger.adopting(file.entries_from(0), now=now)
        ledger.adopt(found)
        event = Event(kind=Kind.STORE_CREATED, at=now, data={"store_id": keys.store_id})
        created = ledger.applying({}, [event], now=now)
        for entry in found.entries:
            file.write_entry(entry)
        self._write(file, ledger, created)
        return ledger

    def _again(self, file: SqliteFile, keys: Keys, stored: StoredHead, now: int) -> Ledger:
        head = keys.open(stored)
        ledger = Ledger.load(keys, head, file)
        ledger.check_clock(now)
        entries = file.entries_from(head.journal.index)
        ledger.check_tip(entries[:1])
        tip = entries[-1].entry.head
        if self._tip is not None and tip != self._tip:
            raise Tampered("tampered.journal", detail="the journal does not end where it was left")
        if len(entries) > 1:
            self._write(file, ledger, ledger.adopting(entries[1:], now=now))
        return ledger

    def _transact(self, work: Callable[[Transaction], T], now: int, then: Callable[[SealedHead], None] | None) -> T:
        file, ledger = self._opened(), self._unsealed()
        ledger.check_clock(now)
        with self._as_left(file, ledger):
            transaction = LedgerTransaction(ledger, file, now=now)
            try:
                result = work(transaction)
                changes = transaction.finish()
            finally:
                transaction.close()
            if changes is not None:
                self._write(file, ledger, changes)
        if then is not None:
            then(ledger.head)
        return result

    def _append_unsealed(self, event: Event) -> None:
        file, ledger = self._opened(), self._ledger
        if ledger is not None:
            with self._as_left(file, ledger):
                self._write(file, ledger, ledger.applying({}, [event], now=0))
            return
        with file.transaction():
            file.check_schema()
            last = file.last_entry()
            tip = Head() if last is None else last.entry.head
            if self._tip is not None and tip != self._tip:
                raise Tampered("tampered.journal", detail="the journal does not end where it was left")
            entry = chain.append(tip, event, sealed=False)
            file.write_entry(StoredEntry(entry, event.subject, None))
            file.commit(lambda: self._committed(entry.head))

    @contextmanager
    def _as_left(self, file: SqliteFile, ledger: Ledger) -> Iterator[None]:
        """A transaction on the database as it was left. Whatever fails in it, nothing that was known is believed."""
        try:
            with file.transaction():
                self._check_head(file, ledger)
                yield
        except BaseException:
            ledger.known.forget()
            raise

    def _check_head(self, file: SqliteFile, ledger: Ledger) -> None:
        """The database is the one that was left: a copy put back is found here. Threat: T-070."""
        version = file.version()
        if version == ledger.known.version:
            return
        file.check_schema()
        if file.head() != ledger.stored_head:
            raise Tampered("tampered.store", detail="the head is not the one that was written last")
        last = file.last_entry()
        if last is None or last.entry.head != ledger.head.journal:
            raise Tampered("tampered.journal", detail="the journal does not end where the head says")
        ledger.known.see(version)

    def _write(self, file: SqliteFile, ledger: Ledger, changes: Changes) -> None:
        def done() -> None:
            ledger.adopt(changes)
            self._last_head = changes.stored_head
            self._committed(changes.head.journal)

        file.write(changes)
        file.commit(done)

    def _committed(self, tip: Head) -> None:
        self._commits += 1
        self._tip = tip

    def _believe(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._last_head = ledger.stored_head
        self._tip = ledger.head.journal

    def _opened(self) -> SqliteFile:
        if self._file is None:
            raise Unavailable("unavailable.store", detail="the store is not open")
        return self._file

    def _unsealed(self) -> Ledger:
        if self._ledger is None:
            raise Locked
        return self._ledger
