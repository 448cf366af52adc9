"""A wallet server for an agent that works alone. Run it with the path of the wallet's guard.toml.

The mandate in guard.toml names the tool `pay`: what it proposes within the mandate's bounds is paid without a question.
`refund` is in no mandate, so each call of it is asked, like everything else that the mandate does not cover.
"""

from __future__ import annotations

import sys

from mcp.server import MCPServer
from pydantic import BaseModel

from mcp_wallet_guard import Address, Amount, Transfer, WalletGuard

mcp = MCPServer("till")
wallet = WalletGuard.from_file(sys.argv[1]).protect(mcp)


class Balance(BaseModel):
    """What the wallet holds. `wei` is decimal text."""

    wei: str


@wallet.spends
async def pay(to: Address, amount: Amount, invoice: str) -> Transfer:
    """Pay an invoice in ETH. An invoice that was paid within ten minutes is not paid again."""
    return Transfer(to=to, amount=amount, reference=invoice)


@wallet.spends
async def refund(to: Address, amount: Amount, order: str) -> Transfer:
    """Give ETH back for an order. The owner of the wallet must approve it."""
    return Transfer(to=to, amount=amount, reference=order)


@wallet.reads
async def balance() -> Balance:
    """Read what the wallet holds."""
    return Balance(wei=await wallet.balance())


if __name__ == "__main__":
    mcp.run()
