"""The leaking wallet server behind the real guard, with a tool that picks what leaks.

`plant` picks the value that leaks from now on: an entry of the file ``planted.json`` beside the wallet's folder. A
value arrives by number, because an argument that held a secret would be refused before any handler ran.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mcp.server.mcpserver import MCPServer

from mcp_wallet_guard import WalletGuard
from mcp_wallet_guard.evidence import Clock
from tests.mcp.leaky import LeakyServer

PLANTED = "planted.json"


def build_leaky(settings: Path, *, clock: Clock | None) -> MCPServer[Any]:
    """The server. Its guard is the real one, behind the daemon's socket."""
    values: list[Any] = json.loads((settings.parent.parent / PLANTED).read_text("utf-8"))
    server = LeakyServer(lambda mcp, reads: WalletGuard.from_file(settings, clock=clock).protect(mcp, reads=reads))

    @server.wallet.reads
    def plant(number: int, detour: str = "") -> str:
        server.planted, server.detour = values[number], detour
        return "planted"

    return server.mcp
