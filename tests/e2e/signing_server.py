"""A server with tools that ask for signatures: what a client gets of them is a signature, or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mcp.server.mcpserver import MCPServer
from mcp.server.request_state import RequestStateSecurity

from mcp_wallet_guard import Address, Authorize7702, SignMessage, SignTypedData, WalletGuard
from mcp_wallet_guard.evidence import Clock
from tests.e2e.wallet_server import STATE_KEY


def build_signing(settings: Path, *, clock: Clock | None) -> MCPServer[Any]:
    mcp = MCPServer("signing", request_state_security=RequestStateSecurity(keys=[STATE_KEY]))
    wallet = WalletGuard.from_file(settings, clock=clock).protect(mcp)

    @wallet.spends
    async def sign_in(text: str) -> SignMessage:
        """Sign in to a website."""
        return SignMessage(message=text)

    @wallet.spends
    async def sign_data(data: str) -> SignTypedData:
        """Sign typed data."""
        return SignTypedData(typed_data=data)

    @wallet.spends
    async def delegate(to: Address) -> Authorize7702:
        """Let the account have the code of a contract."""
        return Authorize7702(delegate=to)

    return mcp
