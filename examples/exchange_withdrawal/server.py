"""A server that withdraws from a trading venue. Run it with the path of the wallet's guard.toml.

The tool names venue, asset, network, address and memo; it holds no key. What guard.toml does not name is refused, what
it names is asked of its owner, and the guard signs the one request that was approved.
"""

from __future__ import annotations

import sys

from mcp.server import MCPServer

from mcp_wallet_guard import Amount, ExchangeWithdrawal, WalletGuard

VENUE = "exchange"

mcp = MCPServer("treasury")
wallet = WalletGuard.from_file(sys.argv[1]).protect(mcp)


@wallet.spends
async def withdraw(
    asset: str, network: str, to: str, amount: Amount, memo: str | None = None, reference: str | None = None
) -> ExchangeWithdrawal:
    """Withdraw from the exchange to one of the owner's addresses. The owner must approve it.

    A network has to be named. A memo is what the receiver asks for, or nothing.
    """
    return ExchangeWithdrawal(
        venue=VENUE, asset=asset, network=network, to=to, memo=memo, amount=amount, reference=reference
    )


if __name__ == "__main__":
    mcp.run()
