"""The demonstration's daemon: what ``mcp-wallet-guard start`` runs, in a scripted time.

    python -m mcp_wallet_guard.testing.demo.daemon_process GUARD.TOML CLOCK

Prints one line, as JSON, when everything listens.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import anyio

from mcp_wallet_guard.assembly import StateFiles, hosted
from mcp_wallet_guard.config.file import load_settings
from mcp_wallet_guard.daemon.lock import GuardLock
from mcp_wallet_guard.daemon.run import Ready, serve_guard
from mcp_wallet_guard.evidence import Clock
from mcp_wallet_guard.testing.clock import SharedClock


async def serve(config: Path, clock: Clock, /) -> None:
    """Serve the guard of `config` until it is told to stop."""
    loaded = load_settings(config)
    directory = StateFiles(loaded.vault_path).directory

    def ready(started: Ready) -> None:
        sys.stdout.write(json.dumps({"running": True, "directory": str(started.directory)}) + "\n")
        sys.stdout.flush()

    with GuardLock(directory) as lock:
        async with hosted(loaded, clock=clock, running_as="daemon") as owned:
            await serve_guard(owned, directory=directory, lock=lock, tick=owned.tick, watch=owned.watch, ready=ready)


if __name__ == "__main__":
    anyio.run(serve, Path(sys.argv[1]), SharedClock(Path(sys.argv[2])))
