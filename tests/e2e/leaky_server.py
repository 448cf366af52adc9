from __future__ import annotations
from pathlib import Path
from typing import Any
from mcp.server.mcpserver import MCPServer
from mcp_wallet_guard.evidence import Clock


def build_leaky(settings: Path, *, clock: Clock | None) -> MCPServer[Any]:
    raise SystemExit(1)
