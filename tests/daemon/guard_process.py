"""A daemon in a process of its own, with the guard in memory: `python guard_process.py DIRECTORY [FLAW]`."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from mcp_wallet_guard.daemon.run import Ready, serve_guard
from mcp_wallet_guard.errors import GuardError, Unavailable
from tests.daemon.memory_guard import MemoryGuard


def say(*words: object) -> None:
    """The tests read this process' stderr; the daemon itself writes to neither."""
    print(*words, file=sys.stderr, flush=True)  # noqa: T201


class Talking(MemoryGuard):
    async def aclose(self) -> None:
        await super().aclose()
        say("closed", "locked" if self.locked else "open")


@asynccontextmanager
async def page() -> AsyncIterator[int]:
    try:
        yield 4711
    finally:
        say("page ended")


def on_ready(ready: Ready) -> None:
    limits = resource.getrlimit(resource.RLIMIT_CORE)
    umask = os.umask(0o077)
    say("ready", ready.page_port, sorted(ready.hardening.applied), ready.hardening.missing, limits, oct(umask))


async def run(directory: Path, flaw: str) -> None:
    guard, ticks = Talking(), 0

    async def tick() -> None:
        nonlocal ticks
        ticks += 1
        if flaw == "tick refuses" and ticks == 1:
            raise Unavailable
        if flaw == "tick breaks":
            guard.locked = False
            raise RuntimeError("a bug")
        say("tick")

    try:
        await serve_guard(guard, directory=directory, page=page(), tick=tick, ready=on_ready)
    except GuardError as error:
        say("refused", error.code)
        raise SystemExit(error.exit_status) from None


if __name__ == "__main__":
    anyio.run(run, Path(sys.argv[1]), "".join(sys.argv[2:]))
