"""Chains that charge for data beside the gas: no field of a transaction caps that fee, so no signature does.

The OP-stack chains take it from the balance at inclusion, by the price of the chain below; Scroll and Mantle do alike.
Arbitrum, zkSync and Linea put it into the gas, which the gas limit caps. Source: the chains' own fee documentation.
"""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard.operations.values import ChainId

_CHARGES: Final = frozenset(
    {
        10,  # OP Mainnet
        130,  # Unichain
        252,  # Fraxtal
        480,  # World Chain
        1135,  # Lisk
        1868,  # Soneium
        5000,  # Mantle
        7777777,  # Zora
        8453,  # Base
        34443,  # Mode
        42220,  # Celo
        57073,  # Ink
        81457,  # Blast
        534352,  # Scroll
        84532,  # Base Sepolia
        11155420,  # OP Sepolia
    }
)


def charges_for_data(chain: ChainId, /) -> bool:
    """Whether a transaction on `chain` may cost more than its gas limit times its fee cap."""
    return chain.number in _CHARGES
