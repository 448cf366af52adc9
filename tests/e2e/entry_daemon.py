"""The guard in a process of its own, in scripted time: `python -m tests.e2e.entry_daemon GUARD_TOML CLOCK_FILE`.

What `mcp-wallet-guard start` runs, with a clock that the tests move. A cheap KDF comes from the waiver in the settings.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import anyio

from mcp_wallet_guard.assembly import StateFiles, hosted
from mcp_wallet_guard.config.file import load_settings
from mcp_wallet_guard.daemon.lock import GuardLock
from mcp_wallet_guard.daemon.run import Ready, serve_guard
from mcp_wallet_guard.testing.clock import SharedClock


async def serve(settings: Path, clock: SharedClock) -> None:
    loaded = load_settings(settings)
    directory = StateFiles(loaded.vault_path).directory
    with GuardLock(directory) as lock:
        async with hosted(loaded, clock=clock, running_as="daemon") as owned:

            def ready(started: Ready) -> None:
                print("ready", owned.page_address, flush=True)  # noqa: T201

            await serve_guard(owned, directory=directory, lock=lock, tick=owned.tick, watch=owned.watch, ready=ready)


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stderr, level=logging.DEBUG)
    anyio.run(serve, Path(sys.argv[1]), SharedClock(Path(sys.argv[2])))
