"""The wallet server of the end-to-end tests, and the same functions on a server without a guard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mcp.server.mcpserver import MCPServer
from mcp.server.request_state import RequestStateSecurity

from mcp_wallet_guard import Address, Amount, Transfer, WalletGuard
from mcp_wallet_guard.evidence import Clock

STATE_KEY = b"one key for all processes of a test"


async def pay(to: Address, amount: Amount, reference: str | None = None) -> Transfer:
    """Send ETH to an address."""
    return Transfer(to=to, amount=amount, reference=reference)


def pay_slowly(to: Address, amount: Amount, reference: str | None = None) -> Transfer:
    """Send ETH to an address, from a worker thread."""
    return Transfer(to=to, amount=amount, reference=reference)


def build_wallet(settings: Path, *, clock: Clock | None) -> MCPServer[Any]:
    """What an author writes: one line for the guard, one decorator for each tool."""
    # Clients bring a state back to another process of this server, so the processes share a key.
    mcp = MCPServer("treasury", request_state_security=RequestStateSecurity(keys=[STATE_KEY]))
    wallet = WalletGuard.from_file(settings, clock=clock).protect(mcp)
    wallet.spends(pay)
    wallet.spends(pay_slowly)

    @wallet.reads
    async def balance(address: Address) -> str:
        """Wei held by an address."""
        return await wallet.balance(address)

    return mcp


def build_plain() -> MCPServer[Any]:
    """The same functions, naked: for comparing schemas only."""
    mcp = MCPServer("plain")
    mcp.tool(structured_output=False)(pay)
    mcp.tool(structured_output=False)(pay_slowly)
    return mcp
