"""A wallet server over stdio. Run it with the path of the wallet's guard.toml.

It holds no key: `pay` returns what should happen, and the guard asks the wallet's owner before it signs.
"""

from __future__ import annotations

import sys

from mcp.server import MCPServer
from pydantic import BaseModel

from mcp_wallet_guard import Address, Amount, Transfer, WalletGuard

mcp = MCPServer("treasury")
wallet = WalletGuard.from_file(sys.argv[1]).protect(mcp)


class Balance(BaseModel):
    """What an address holds. `wei` is decimal text."""

    address: str
    wei: str


@wallet.spends
async def pay(to: Address, amount: Amount) -> Transfer:
    """Send ETH to an address. The owner of the wallet must approve it."""
    return Transfer(to=to, amount=amount)


@wallet.reads
async def balance(address: Address) -> Balance:
    """Read the balance of an address."""
    return Balance(address=str(address), wei=await wallet.balance(address))


if __name__ == "__main__":
    mcp.run()
