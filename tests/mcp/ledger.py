"""A server with resources and prompts of both labels."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from mcp import MCPError
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.prompts.base import AssistantMessage, UserMessage
from pydantic import BaseModel

from mcp_wallet_guard.mcp.protection import Protection, protect
from mcp_wallet_guard.operations.values import Address
from tests.mcp.ports import MemoryGuard


class Holding(BaseModel):
    symbol: str
    wei: str


class Ledger:
    """A server with a private and a public resource, template and prompt, and how often a handler ran."""

    def __init__(self, guard: MemoryGuard | None = None) -> None:
        self.guard = guard or MemoryGuard()
        self.mcp: MCPServer[Any] = MCPServer("ledger")
        self.wallet: Protection = protect(self.mcp, self.guard)
        self.ran: list[str] = []
        self.answer: Any = None
        self.wallet.resource("wallet://holdings", label="private", title="Holdings")(self.holdings)
        self.wallet.resource("wallet://of/{address}", label="private")(self.holdings_of)
        self.wallet.resource("wallet://chain", label="public", mime_type="application/json")(self.chain)
        self.wallet.resource("wallet://help/{topic}", label="public", name="manual", max_bytes=100)(self.manual)
        self.wallet.prompt(label="private")(self.review)
        self.wallet.prompt(label="public", name="explain", title="Explain", max_bytes=200)(self.told)

    async def holdings(self) -> list[Holding]:
        """What the wallet holds."""
        self.ran.append("holdings")
        return [Holding(symbol="ETH", wei="42")]

    def holdings_of(self, address: Address) -> str:
        self.ran.append("holdings_of")
        return f"{address} holds 42"

    def chain(self, ctx: Context) -> bytes:
        assert ctx.request_id
        return b'{"chain": 1}'

    async def manual(self, topic: str, ctx: Context) -> Any:
        assert ctx.request_id
        return topic if self.answer is None else self.answer

    def review(self, address: Address, days: int = 7) -> list[Any]:
        """Review what an address holds."""
        self.ran.append("review")
        return [UserMessage(f"Review {address} of {days} days."), AssistantMessage("Yes.")]

    def told(self, topic: Literal["fees", "nonces"]) -> Any:
        return f"Explain {topic}." if self.answer is None else self.answer


async def refusal(call: Any) -> str:
    with pytest.raises(MCPError) as caught:
        await call
    data = caught.value.error.data
    return data["code"] if isinstance(data, dict) else caught.value.error.message
