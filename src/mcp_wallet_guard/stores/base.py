"""StateStore: durable state of one guard, as rows that cannot be edited, put back or deleted unnoticed.

Tables hold *live* rows only; what is finished is in the journal. Each row carries a MAC under a vault-derived key over
its table, all its columns and the index of the journal entry that last changed it. `SealedHead`, MACed too, holds the
journal's last index and hash, a sum over all live rows, the store's id and the highest time seen. So an edited row, an
old row, a missing row and an old database are each a mismatch. Threat: T-009, T-016, T-070, T-088.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar, final

from mcp_wallet_guard.evidence import Row
from mcp_wallet_guard.journal.chain import Entry, Head
from mcp_wallet_guard.journal.events import Event
from mcp_wallet_guard.secret import Secret

CLOCK_TOLERANCE_SECONDS: Final = 90
R = TypeVar("R", bound=Row)
T = TypeVar("T")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SealedHead:
    """What the MACed head says. `live_sum` (32 bytes) is the sum modulo 2**256 of a keyed number for each live row."""

    store_id: str
    journal: Head
    live_sum: bytes
    highest_time: int


class Transaction(Protocol):
    """All or nothing. Reads verify; any mismatch raises Tampered("tampered.row") and nothing is written.

    `now` is max(clock, highest time seen). A transaction that changes rows appends at least one event.
    """

    now: int

    def get(self, kind: type[R], key: str, /) -> R | None:
        """The live row, verified, or None when there is none (and none was ever put, or it was dropped)."""
        ...

    def all(self, kind: type[R], /) -> tuple[R, ...]:
        """Every live row of a kind, verified, ordered by key. A missing one is Tampered."""
        ...

    def put(self, row: Row, /) -> None:
        """Insert or replace by key."""
        ...

    def drop(self, kind: type[Row], key: str, /) -> None:
        """Take a row out of the live set. Dropping what is not there changes nothing."""
        ...

    def append(self, event: Event, /) -> None:
        """Journal an event in this transaction. The last one appended names the rows that changed."""
        ...

    def entries(self, subject: str, /) -> tuple[Entry, ...]:
        """The committed journal entries about a subject, oldest first, each verified under the row key.

        What is returned was written by this store. That nothing is missing is not proved: decide by what is there,
        never by what is absent, or call `check_entries` first.
        """
        ...

    def check_live(self) -> None:
        """Verify every live row of every kind, and the journal. Called before each consume.

        The journal is read whole at the first call after an unlock, and when another program wrote to the store.
        """
        ...

    def check_entries(self, since: int, /) -> tuple[Entry, ...]:
        """The committed entries from index `since` on, verified as a whole chain that ends at the sealed head.

        Raises Tampered("tampered.journal"). Costs about 0.1 ms an entry.
        """
        ...


class StateStore(Protocol):
    """Durable state. One guard holds it; calls are serialised; each transaction is durable when it returns."""

    async def open(self) -> None:
        """Open or create, without a key: integrity check, migrations. Raises Unavailable or Misconfigured."""
        ...

    async def unseal(self, key: Secret, /, *, now: int) -> SealedHead:
        """Take the row key: verify the head, adopt unsealed entries, verify every live row. From here `transact` works.

        A store that was just created draws its id, is sealed for the first time and journals `store.created`. Raises
        Tampered, or Unavailable("unavailable.clock"); the store is then sealed as before. `key` stays the caller's.
        """
        ...

    async def seal(self) -> None:
        """Forget the row key. From here only `append_unsealed` works."""
        ...

    async def transact(
        self,
        work: Callable[[Transaction], T],
        /,
        *,
        now: int,
        then: Callable[[SealedHead], None] | None = None,
        long: bool = False,
    ) -> T:
        """Run `work` in one durable transaction. Raises Locked while sealed; Unavailable when the clock is behind the
        highest time seen by more than CLOCK_TOLERANCE_SECONDS or the disk refuses; nothing is written then.

        `then` gets the new head once it is durable, before anybody learns the result. What it raises is raised; the
        transaction stands. `work` that reads the whole journal is `long`: it may not hold up the event loop.
        """
        ...

    async def append_unsealed(self, event: Event, /) -> None:
        """Journal one event while the vault is locked."""
        ...

    async def journal(self, *, since: int = 0) -> tuple[Entry, ...]:
        """The entries from index `since` on, unverified, for `log verify`, reports and the anchor."""
        ...

    @property
    def head(self) -> SealedHead | None:
        """The sealed head as last committed, None while sealed."""
        ...

    @property
    def commits(self) -> int:
        """How many transactions were committed since open. For the commit budget's test."""
        ...

    async def close(self) -> None:
        """Close. Idempotent."""
        ...
