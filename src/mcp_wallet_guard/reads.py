"""The journal of reads: in order, group-committed, from a bounded queue. No journal, no service.

Threat: T-088, T-090.
"""

from __future__ import annotations

from typing import Final, final

import anyio

from mcp_wallet_guard.custody import Custody
from mcp_wallet_guard.errors import Unavailable
from mcp_wallet_guard.evidence import ReadRecord
from mcp_wallet_guard.journal.events import Event, Kind
from mcp_wallet_guard.stores.base import Transaction

MAX_QUEUED: Final = 1_000
MAX_PER_ENTRY: Final = 200


@final
class ReadLog:
    """Collects reads and writes one entry for many of them, at the latest with the next tick."""

    def __init__(self, custody: Custody, /) -> None:
        self._custody: Final = custody
        self._queue: list[dict[str, object]] = []
        self._lock: Final = anyio.Lock()

    async def add(self, record: ReadRecord, /) -> None:
        """Queue one read. Raises Unavailable when the queue is full and cannot be written."""
        self._queue.append({**record.model_dump(mode="json", exclude_none=True), "at": self._custody.clock.now()})
        if len(self._queue) >= MAX_PER_ENTRY:
            await self.flush()

    async def flush(self) -> None:
        """Write what is queued, sealed or, while the vault is locked, unsealed. Keeps it when the store fails.

        Raises Unavailable when more than MAX_QUEUED reads could not be written.
        """
        async with self._lock:
            while self._queue:
                batch = self._queue[:MAX_PER_ENTRY]
                event = Event(kind=Kind.READ, at=self._custody.clock.now(), data={"reads": batch})
                try:
                    await self._append(event)
                except Unavailable:
                    if len(self._queue) > MAX_QUEUED:
                        raise
                    return
                del self._queue[: len(batch)]

    async def _append(self, event: Event) -> None:
        def work(tx: Transaction) -> None:
            tx.append(event)

        if self._custody.is_locked:
            await self._custody.store.append_unsealed(event)
        else:
            await self._custody.transact(work)
