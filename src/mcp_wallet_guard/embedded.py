"""The embedded mode: the guard lives in the MCP server's own process, with the same lock, sockets, page and store.

For single-process servers and tests. The key is then in the process that also runs handlers, which the daemon exists to
avoid (docs/limitations.md). Installs no signal handlers and writes nothing to stdout.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final, Literal, final

import anyio

from mcp_wallet_guard.assembly import StateFiles, hosted
from mcp_wallet_guard.config.file import LoadedSettings
from mcp_wallet_guard.daemon.lock import GuardLock
from mcp_wallet_guard.daemon.server import DaemonServer
from mcp_wallet_guard.daemon.ticking import WATCH_SECONDS, keep_ticking
from mcp_wallet_guard.errors import GuardError, Misconfigured
from mcp_wallet_guard.evidence import Clock
from mcp_wallet_guard.exchange import (
    Acted,
    ActionProposal,
    ActOutcome,
    Done,
    HistoryEntry,
    MayAct,
    Pending,
    Proposal,
    ReadRecord,
    RefusedAnswer,
    WalletInfo,
)
from mcp_wallet_guard.filters.fingerprints import FingerprintSet
from mcp_wallet_guard.owner import OwnedGuard


@final
class EmbeddedGuard:
    """A `GuardPort` whose guard runs as a task of this event loop, until `aclose`. Runs on asyncio."""

    def __init__(self, owned: OwnedGuard, task: asyncio.Task[None], stopping: asyncio.Event) -> None:
        self._owned: Final = owned
        self._task: Final = task
        self._stopping: Final = stopping

    @classmethod
    async def start(
        cls, loaded: LoadedSettings, /, *, clock: Clock, running_as: Literal["daemon", "embedded"] = "embedded"
    ) -> EmbeddedGuard:
        """Take the lock, start the guard, its sockets and its page. The vault stays locked.

        `running_as` "daemon" is for tests that host a daemon's guard in their own process. Raises Misconfigured:
        `misconfigured.already_running` beside another guard of the same vault, `misconfigured.mode`.
        """
        started: asyncio.Future[OwnedGuard] = asyncio.get_running_loop().create_future()
        stopping = asyncio.Event()
        # Contexts are entered and left in one task of their own: `aclose` may come from any other.
        task = asyncio.create_task(_run(loaded, clock, running_as, started, stopping))
        try:
            owned = await started
        except BaseException:
            stopping.set()
            raise
        return cls(owned, task, stopping)

    @property
    def owned(self) -> OwnedGuard:
        """The guard itself: approvals and control, for the process that embeds it."""
        return self._owned

    async def propose(self, proposal: Proposal, /, *, wait_seconds: float) -> Done | Pending | RefusedAnswer:
        """See `GuardPort.propose`."""
        return await self._owned.propose(proposal, wait_seconds=wait_seconds)

    async def act(
        self, proposal: ActionProposal, /, *, wait_seconds: float
    ) -> MayAct | Acted | Pending | RefusedAnswer:
        """See `GuardPort.act`."""
        return await self._owned.act(proposal, wait_seconds=wait_seconds)

    async def acted(
        self, operation: str, /, *, principal: str, outcome: ActOutcome, result: str | None
    ) -> Acted | RefusedAnswer:
        """See `GuardPort.acted`."""
        return await self._owned.acted(operation, principal=principal, outcome=outcome, result=result)

    async def status(self, operation: str, /, *, principal: str) -> Done | Pending | RefusedAnswer:
        """See `GuardPort.status`."""
        return await self._owned.status(operation, principal=principal)

    async def outcome(self, operation: str, /, *, principal: str) -> Done | Pending | RefusedAnswer:
        """See `GuardPort.outcome`."""
        return await self._owned.outcome(operation, principal=principal)

    async def info(self) -> WalletInfo:
        """See `GuardPort.info`."""
        return await self._owned.info()

    async def balance(self, address: str | None, /, *, token: str | None = None) -> str:
        """See `GuardPort.balance`."""
        return await self._owned.balance(address, token=token)

    async def history(self, last: int, /) -> tuple[HistoryEntry, ...]:
        """See `GuardPort.history`."""
        return await self._owned.history(last)

    async def fingerprints(self) -> FingerprintSet:
        """See `GuardPort.fingerprints`."""
        return await self._owned.fingerprints()

    async def record_read(self, record: ReadRecord, /) -> None:
        """See `GuardPort.record_read`."""
        await self._owned.record_read(record)

    async def aclose(self) -> None:
        """Lock the vault, stop serving, release the lock. Idempotent."""
        self._stopping.set()
        await asyncio.wait([self._task])


async def _run(
    loaded: LoadedSettings,
    clock: Clock,
    running_as: Literal["daemon", "embedded"],
    started: asyncio.Future[OwnedGuard],
    stopping: asyncio.Event,
) -> None:
    directory = StateFiles(loaded.vault_path).directory
    try:
        with GuardLock(directory) as lock:
            async with hosted(loaded, clock=clock, running_as=running_as) as owned, anyio.create_task_group() as tasks:
                server = DaemonServer(owned, directory=directory, lock=lock)
                await tasks.start(server.serve)
                tasks.start_soon(keep_ticking, owned.tick)
                tasks.start_soon(partial(keep_ticking, owned.watch, seconds=WATCH_SECONDS))
                started.set_result(owned)
                await stopping.wait()
                server.stop()
                tasks.cancel_scope.cancel()
    except BaseException as error:
        if started.done():
            raise
        started.set_exception(_cause(error))


def _cause(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error if isinstance(error, GuardError) else Misconfigured(detail=type(error).__name__)
