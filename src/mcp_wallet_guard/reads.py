"""Reads: the chain that they ask, and their journal: in order, group-committed, from a bounded queue. No journal, no
service.

Threat: T-088, T-090.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, final

import anyio

from mcp_wallet_guard.chains.base import Chain
from mcp_wallet_guard.config.settings import canonical as canonical_settings
from mcp_wallet_guard.custody import Custody
from mcp_wallet_guard.errors import InvalidInput, Unavailable
from mcp_wallet_guard.exchange import ReadRecord
from mcp_wallet_guard.journal.events import Event, Kind

MAX_QUEUED: Final = 1_000
MAX_PER_ENTRY: Final = 150
MAX_LINE: Final = 400
"""So that an entry's data stays below the journal's 64 KiB."""

_PARTS: Final = re.compile(r"[!-~]+(?: [!-~]+){4}")


@final
class ReadChain:
    """The connection that reads use: the session's while there is one, else one of its own, kept for a while."""

    def __init__(self, custody: Custody, /) -> None:
        self._custody: Final = custody
        self._kept: tuple[bytes, Chain] | None = None

    async def connect(self) -> Chain:
        """Raises Locked when the settings refuse reads while locked, PolicyDenied when nothing was ever sealed."""
        settings, session = self._custody.settings_for_reads(), self._custody.session_for_reads
        if session is not None:
            return session.chain
        key = canonical_settings(settings)
        if self._kept is None or self._kept[0] != key:
            await self.aclose()
            self._kept = (key, self._custody.make_chain(settings))
        return self._kept[1]

    async def aclose(self) -> None:
        """Close what is kept. Idempotent."""
        kept, self._kept = self._kept, None
        if kept is not None:
            await kept[1].aclose()


@final
class ReadLog:
    """Collects reads and writes one entry for many of them, at the latest with the next tick.

    A read is one line of an entry: ``time outcome tool principal code incident``, with ``-`` for what there is not.
    """

    def __init__(self, custody: Custody, /) -> None:
        self._custody: Final = custody
        self._queue: list[str] = []
        self._lock: Final = anyio.Lock()

    async def add(self, record: ReadRecord, /) -> None:
        """Queue one read. Raises Unavailable when the queue is full and cannot be written, InvalidInput for a record
        with a blank, a control or a non-ASCII character in it, or of more than MAX_LINE characters."""
        if len(self._queue) >= MAX_QUEUED:
            await self.flush()
            if len(self._queue) >= MAX_QUEUED:
                raise Unavailable("unavailable.store", detail="the journal takes no reads")
        told = _told(record.outcome, record.tool, record.principal, record.code or "-", record.incident or "-")
        line = f"{self._custody.clock.now()} {told}"
        if len(line) > MAX_LINE:
            raise InvalidInput("invalid_input.size")
        self._queue.append(line)
        if len(self._queue) >= MAX_PER_ENTRY:
            await self.flush()

    async def flush(self) -> None:
        """Write what is queued, sealed or, while the vault is locked, unsealed. Keeps it when the store fails."""
        async with self._lock:
            while self._queue:
                batch = self._queue[:MAX_PER_ENTRY]
                event = Event(kind=Kind.READ, at=self._custody.clock.now(), data={"reads": batch})
                try:
                    await self._custody.store.append_unsealed(event)
                except Unavailable:
                    return
                del self._queue[: len(batch)]


@lru_cache(maxsize=64)
def _told(*parts: str) -> str:
    # Servers call the same few tools all day.
    told = " ".join(parts)
    if _PARTS.fullmatch(told) is None:
        raise InvalidInput("invalid_input.size")
    return told
