"""The server's one link to the guard: opened when first needed, dropped when it breaks, opened again."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, cast, final

import anyio

from mcp_wallet_guard.errors import GuardError, Unavailable
from mcp_wallet_guard.exchange import ReadRecord
from mcp_wallet_guard.filters.fingerprints import FingerprintSet
from mcp_wallet_guard.mcp.base import GuardPort

logger: Final = logging.getLogger(__name__)
REFRESH_SECONDS: Final = 2.0
"""How old the fingerprints may be: a secret that was added later is recognised after this."""


@final
class GuardLink:
    """Holds a port, or makes one with a factory. A port that a factory made is closed here; a given one is not."""

    def __init__(self, port: GuardPort | Callable[[], Awaitable[GuardPort]], /) -> None:
        given = hasattr(port, "propose")
        self._factory = None if given else cast("Callable[[], Awaitable[GuardPort]]", port)
        self._port = cast("GuardPort", port) if given else None
        self._lock = anyio.Lock()
        self._users = 0
        self._known: FingerprintSet | None = None
        self._known_at = 0.0

    @property
    def known(self) -> FingerprintSet:
        """The fingerprints as last seen; empty before that. For places that cannot wait, such as the log."""
        return self._known or FingerprintSet()

    @property
    def recent(self) -> FingerprintSet | None:
        """What `fingerprints` returns without asking the guard, None when it would ask."""
        known = self._known
        if known is None or known.empty or time.monotonic() - self._known_at >= REFRESH_SECONDS:
            return None
        return known

    @asynccontextmanager
    async def port(self) -> AsyncIterator[GuardPort]:
        """The guard, for one exchange. Raises the factory's GuardError; a port that fails as Unavailable is dropped."""
        port = await self._opened()
        try:
            yield port
        except Unavailable:
            await self._drop(port)
            raise

    async def fingerprints(self) -> FingerprintSet:
        """What no message may hold, at most `REFRESH_SECONDS` old. An unreachable guard leaves the last known set;
        raises its GuardError when there is none."""
        if (recent := self.recent) is not None:
            return recent
        now = time.monotonic()
        try:
            async with self.port() as port:
                fresh = await port.fingerprints()
        except GuardError:
            if self._known is None:
                raise
            return self._known
        # A guard that restarted and is locked knows nothing yet: what it once told stays in force.
        if not fresh.empty or self._known is None:
            self._known, self._known_at = fresh, now
        return self._known

    async def record_read(self, record: ReadRecord, /) -> None:
        """`GuardPort.record_read` as one exchange; raises as `port` does."""
        port = self._port or await self._opened()
        try:
            await port.record_read(record)
        except Unavailable:
            await self._drop(port)
            raise

    async def record_quietly(self, record: ReadRecord, /) -> None:
        """`record_read` for a read that does not leave: a failure is logged, since nothing more is refused by it."""
        try:
            await self.record_read(record)
        except GuardError as error:
            logger.info("a read of %s was not journalled: %s (incident %s)", record.tool, error.code, record.incident)

    @asynccontextmanager
    async def in_use(self) -> AsyncIterator[None]:
        """Keep the link for a server's life; the last one out closes what the factory made."""
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            if self._users == 0 and self._port is not None:
                await self._drop(self._port)

    async def _opened(self) -> GuardPort:
        if self._port is not None:
            return self._port
        async with self._lock:
            return await self._open()

    async def _open(self) -> GuardPort:
        # Another task may have opened it while this one waited for the lock.
        if self._port is not None:
            return self._port
        if self._factory is None:
            raise Unavailable
        self._port = port = await self._factory()
        return port

    async def _drop(self, port: GuardPort) -> None:
        if self._factory is None or self._port is not port:
            return
        self._port = None
        with anyio.CancelScope(shield=True), anyio.move_on_after(5):
            try:
                await port.aclose()
            except GuardError:
                pass  # it is broken already
