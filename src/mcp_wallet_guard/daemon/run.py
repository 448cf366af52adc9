"""`serve_guard`: the foreground of `mcp-wallet-guard start`, from taking the lock to letting go of it.

The order is the point: lock, hardening, sockets, page, readiness; at the end the sockets vanish, calls that must finish
do, the vault is locked, and only then is the lock released. Threat: T-065, T-110.
"""

from __future__ import annotations

import logging
import signal
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, final

import anyio
from anyio.abc import TaskStatus

from mcp_wallet_guard.daemon.hardening import Hardening, harden
from mcp_wallet_guard.daemon.lock import GuardLock
from mcp_wallet_guard.daemon.server import DaemonServer, Limits
from mcp_wallet_guard.daemon.ticking import WATCH_SECONDS, keep_ticking
from mcp_wallet_guard.errors import GuardError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from mcp_wallet_guard.daemon.base import ServedGuard

CLOSING_SECONDS: Final = 30.0
_log: Final = logging.getLogger(__name__)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """Everything listens. What the hardening did is for the operator to see; `page_port` is on 127.0.0.1."""

    directory: Path
    hardening: Hardening
    page_port: int | None


async def serve_guard(
    guard: ServedGuard,
    /,
    *,
    directory: Path,
    lock: GuardLock | None = None,
    page: AbstractAsyncContextManager[int] | None = None,
    tick: Callable[[], Awaitable[None]] | None = None,
    watch: Callable[[], Awaitable[None]] | None = None,
    ready: Callable[[Ready], None] | None = None,
    limits: Limits | None = None,
) -> None:
    """Serve until SIGTERM, SIGINT or `shut_down`; then lock and close the guard.

    For a process of its own: it takes over signals and hardens the process. `lock` is one that the caller holds
    already, because it opened the store under it, and releases itself; without it the directory's is taken here.
    `page` serves the approval page while it is entered and gives its port, as `approvals.page.serve_page` does.
    `tick` is called about once a second; `watch`, which may wait for a node, every few seconds. Raises Misconfigured
    (`already_running`, `permissions`); whatever breaks a ticker other than with a GuardError ends the service, with the
    vault locked.
    """
    with ExitStack() as held:
        own = lock if lock is not None else held.enter_context(GuardLock(directory))
        hardening = harden()
        server = DaemonServer(guard, directory=directory, lock=own, limits=limits)
        try:
            async with anyio.create_task_group() as tasks, AsyncExitStack() as served:
                await tasks.start(_stop_on_signals, server)
                await tasks.start(server.serve)
                port = None if page is None else await served.enter_async_context(page)
                if tick is not None:
                    tasks.start_soon(keep_ticking, tick)
                if watch is not None:
                    tasks.start_soon(partial(keep_ticking, watch, seconds=WATCH_SECONDS))
                if ready is not None:
                    ready(Ready(directory=directory, hardening=hardening, page_port=port))
                await server.wait_stopping()
                await served.aclose()
                tasks.cancel_scope.cancel()
        except ExceptionGroup as group:
            raise _cause_of(group) from None
        finally:
            await _close(guard)


def _cause_of(group: BaseException) -> BaseException:
    """The one error inside groups of one, so that a caller sees a GuardError as such."""
    while isinstance(group, ExceptionGroup) and len(group.exceptions) == 1:
        group = group.exceptions[0]
    return group


async def _stop_on_signals(server: DaemonServer, *, task_status: TaskStatus[None]) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async for _ in signals:
            server.stop()


async def _close(guard: ServedGuard) -> None:
    """Wipe the keys first, whatever else goes wrong."""
    with anyio.move_on_after(CLOSING_SECONDS, shield=True):
        try:
            await guard.lock()
        except GuardError as error:
            _log.warning("lock at the end: %s", error.code)
        finally:
            await guard.aclose()
