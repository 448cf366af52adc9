"""A server with a tool that does something itself: it writes a line into a file, and then may wait."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import anyio
from mcp.server.mcpserver import MCPServer
from mcp.server.request_state import RequestStateSecurity

from mcp_wallet_guard import Amount, WalletGuard
from mcp_wallet_guard.evidence import Clock
from tests.e2e.wallet_server import STATE_KEY


def orders_of(settings: Path) -> Path:
    """Where the effects are seen from outside."""
    return settings.parent.parent / "orders.txt"


def pid_of(settings: Path) -> Path:
    """Where the server writes its process id when it runs the tool."""
    return settings.parent.parent / "acting.pid"


def build_acting(settings: Path, *, clock: Clock | None) -> MCPServer[Any]:
    mcp = MCPServer("exchange", request_state_security=RequestStateSecurity(keys=[STATE_KEY]))
    wallet = WalletGuard.from_file(settings, clock=clock).protect(mcp)

    @wallet.acts
    async def place_order(pair: str, amount: Amount, wait: int = 0) -> dict[str, str]:
        """Place an order."""
        await anyio.Path(pid_of(settings)).write_text(str(os.getpid()), "ascii")
        async with await anyio.open_file(orders_of(settings), "a") as file:
            await file.write(f"{pair} {amount}\n")
        await anyio.sleep(wait)
        return {"pair": pair, "amount": amount.text}

    return mcp
