"""Over HTTP nobody is the local owner: until callers are told apart there, a guarded server refuses them all."""

from __future__ import annotations

import socket

import anyio
import pytest
import uvicorn
from mcp import Client
from mcp.server import MCPServer
from mcp.shared.exceptions import MCPError

from mcp_wallet_guard import Address, Amount, Transfer, WalletGuard
from tests.mcp.ports import MemoryGuard

PAYEE = "0x0102030405060708090a0B0c0d0e0f1011121314"


def guarded_server() -> MCPServer[None]:
    mcp: MCPServer[None] = MCPServer("served")
    wallet = WalletGuard.connect(MemoryGuard()).protect(mcp)

    @wallet.spends
    async def pay(to: Address, amount: Amount) -> Transfer:
        """Send ETH."""
        return Transfer(to=to, amount=amount)

    return mcp


@pytest.mark.anyio
async def test_a_client_over_http_is_refused_and_the_same_server_serves_its_owner_in_memory() -> None:
    """Threat: T-111."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
    app = guarded_server().streamable_http_app()
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on", ws="none"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: server.serve(sockets=[listener]))
        for _ in range(500):
            if server.started:
                break
            await anyio.sleep(0.01)
        with pytest.raises((MCPError, ExceptionGroup)):
            async with Client(url) as stranger:
                await stranger.call_tool("pay", {"to": PAYEE, "amount": "0.1"})
        server.should_exit = True
    async with Client(guarded_server()) as owner:
        answer = await owner.call_tool("pay", {"to": PAYEE, "amount": "0.1"})
    assert answer.structured_content is not None
    assert answer.structured_content["status"] == "pending"
