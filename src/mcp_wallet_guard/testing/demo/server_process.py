"""The demonstration's wallet server, over stdio: the few lines that an author writes.

    python -m mcp_wallet_guard.testing.demo.server_process GUARD.TOML

It holds no key, no factor, no store and no clock: those are the daemon's.
"""

from __future__ import annotations

import sys
from pathlib import Path

import anyio
from mcp.server import MCPServer

from mcp_wallet_guard import Address, Amount, Asset, BaseUnits, ChainId, TokenTransfer, Transfer, WalletGuard


def build(config: Path, /) -> MCPServer:
    """The server, guarded by the guard of `config`."""
    mcp = MCPServer("demo-wallet")
    wallet = WalletGuard.from_file(config).protect(mcp)

    @wallet.reads
    async def balance(address: Address | None = None) -> str:
        """How much an address, or the wallet, holds."""
        info = await wallet.info()
        native = Asset(ChainId.parse(info.chain), info.symbol, info.decimals)
        held = BaseUnits(int(await wallet.balance(address)))
        return f"{Amount.from_base_units(held, native)} {info.symbol}"

    @wallet.spends
    async def pay(to: Address, amount: Amount, reference: str | None = None) -> Transfer:
        """Send the chain's currency to an address."""
        return Transfer(to=to, amount=amount, reference=reference)

    @wallet.spends
    async def pay_token(token: str, to: Address, amount: Amount) -> TokenTransfer:
        """Send an ERC-20 token to an address."""
        return TokenTransfer(token=token, to=to, amount=amount)

    @wallet.reads
    async def read_note(name: str) -> str:
        """A note of the wallet's owner."""
        return await note(name)

    @wallet.reads
    async def count_note(name: str) -> int:
        """The number that a note holds."""
        return int(await note(name))

    async def note(name: str) -> str:
        return await anyio.Path(config.with_name(f"{name}.txt")).read_text(encoding="utf-8")

    return mcp


if __name__ == "__main__":
    build(Path(sys.argv[1])).run("stdio")
