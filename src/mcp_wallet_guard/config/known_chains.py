"""Chains that have a name here, so that nobody types their numbers. No node comes with them, but a local one.

Any other chain is set up by its number, symbol and decimals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

from mcp_wallet_guard.operations.values import Address


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class KnownChain:
    """`number` is the EIP-155 chain id; `node` is None where its owner must name one."""

    number: int
    symbol: str = "ETH"
    decimals: int = 18
    node: str | None = None


LOCAL: Final = KnownChain(number=31337, node="http://127.0.0.1:8545")
"""What development chains say of themselves; `mcp-wallet-guard local-chain` serves one."""

KNOWN_CHAINS: Final[dict[str, KnownChain]] = {
    "ethereum": KnownChain(number=1),
    "sepolia": KnownChain(number=11_155_111),
    "base": KnownChain(number=8453),
    "base-sepolia": KnownChain(number=84_532),
    "optimism": KnownChain(number=10),
    "local": LOCAL,
}

ENS_REGISTRY: Final = Address("0x00000000000C2E074eC69A0dFb2997BA6C7d2e1e")
"""Where ENS keeps its names, on each of `ENS_CHAINS`. Source: docs.ens.domains, deployments."""
ENS_CHAINS: Final = frozenset({1, 11_155_111})
