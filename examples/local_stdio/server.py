"""A wallet server over stdio. Run it with the path of the wallet's guard.toml.

It holds no key: `pay` returns what should happen, and the guard asks the wallet's owner before it signs.
"""

from __future__ import annotations

import sys

from mcp.server import MCPServer
from pydantic import BaseModel

from mcp_wallet_guard import Address, Amount, TokenTransfer, Transfer, WalletGuard

mcp = MCPServer("treasury")
wallet = WalletGuard.from_file(sys.argv[1]).protect(mcp)


class Balance(BaseModel):
    """What an address holds. `wei` is decimal text."""

    address: str
    wei: str


class TokenBalance(BaseModel):
    """What an address holds of a token. `units` is decimal text, in the token's smallest unit."""

    address: str
    token: str
    units: str


@wallet.spends
async def pay(to: Address, amount: Amount) -> Transfer:
    """Send ETH to an address. The owner of the wallet must approve it."""
    return Transfer(to=to, amount=amount)


@wallet.spends
async def pay_token(token: str, to: Address, amount: Amount) -> TokenTransfer:
    """Send an ERC-20 token to an address. The owner of the wallet must approve it."""
    return TokenTransfer(token=token, to=to, amount=amount)


@wallet.reads
async def balance(address: Address) -> Balance:
    """Read the balance of an address."""
    return Balance(address=str(address), wei=await wallet.balance(address))


@wallet.reads
async def token_balance(token: str, address: Address) -> TokenBalance:
    """Read how much of an ERC-20 token an address holds."""
    return TokenBalance(address=str(address), token=token, units=await wallet.balance(address, token=token))


if __name__ == "__main__":
    mcp.run()
