"""A wallet server over stdio. Run it with the path of the wallet's guard.toml.

It holds no key: `pay` returns what should happen, and the guard asks the wallet's owner before it signs.
"""

from __future__ import annotations

import sys
from typing import Annotated

from mcp.server import MCPServer
from pydantic import BaseModel, Field

from mcp_wallet_guard import Address, Amount, HistoryEntry, TokenTransfer, Transfer, WalletGuard

mcp = MCPServer("treasury")
wallet = WalletGuard.from_file(sys.argv[1]).protect(mcp)


class Balance(BaseModel):
    """What an address holds of one asset. `units` is decimal text, in its smallest unit: wei for ETH."""

    symbol: str
    decimals: int
    units: str


class Balances(BaseModel):
    """What an address holds: the chain's currency, and every token that guard.toml pins."""

    address: str
    assets: list[Balance]


class History(BaseModel):
    """What the wallet paid lately, the newest first."""

    payments: list[HistoryEntry]


@wallet.spends
async def pay(to: Address, amount: Amount) -> Transfer:
    """Send ETH to an address. The owner of the wallet must approve it."""
    return Transfer(to=to, amount=amount)


@wallet.spends
async def pay_token(token: str, to: Address, amount: Amount) -> TokenTransfer:
    """Send an ERC-20 token to an address. The owner of the wallet must approve it."""
    return TokenTransfer(token=token, to=to, amount=amount)


@wallet.reads
async def balances(address: Address | None = None) -> Balances:
    """Read what an address, or the wallet itself, holds."""
    info = await wallet.info()
    assets = [Balance(symbol=info.symbol, decimals=info.decimals, units=await wallet.balance(address))]
    for token in info.tokens:
        units = await wallet.balance(address, token=token.address)
        assets.append(Balance(symbol=token.symbol, decimals=token.decimals, units=units))
    return Balances(address=info.account if address is None else address.value, assets=assets)


@wallet.reads
async def history(last: Annotated[int, Field(ge=1, le=100)] = 20) -> History:
    """Read what this wallet paid lately."""
    return History(payments=list(await wallet.history(last)))


if __name__ == "__main__":
    mcp.run()
