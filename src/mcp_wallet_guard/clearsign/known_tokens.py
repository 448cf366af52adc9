"""Tokens whose unit everybody knows: the major stablecoins and wrapped assets of the larger chains.

Written from the issuers' own public documentation; a test checks every address by its EIP-55 checksum, and all of them
against the public registry's data where that is at hand. The owner's pins and lists go before these. Threat: T-040.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from mcp_wallet_guard.operations.values import Address, Asset, ChainId

_TOKENS: Final[dict[int, tuple[tuple[str, int, str], ...]]] = {
    1: (
        ("USDC", 6, "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"),
        ("USDT", 6, "0xdAC17F958D2ee523a2206206994597C13D831ec7"),
        ("DAI", 18, "0x6B175474E89094C44Da98b954EedeAC495271d0F"),
        ("USDS", 18, "0xdC035D45d973E3EC169d2276DDab16f1e407384F"),
        ("PYUSD", 6, "0x6c3ea9036406852006290770BEdFcAbA0e23A0e8"),
        ("EURC", 6, "0x1aBaEA1f7C830bD89Acc67eC4af516284b1bC33c"),
        ("WETH", 18, "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"),
        ("WBTC", 8, "0x2260FAC5E5542a773Aa44fBCfeDf7C193bc2C599"),
        ("cbBTC", 8, "0xcbB7C0000aB88B473b1f5aFd9ef808440eed33Bf"),
        ("stETH", 18, "0xae7ab96520DE3A18E5e111B5EaAb095312D7fE84"),
        ("wstETH", 18, "0x7f39C581F595B53c5cb19bD0b3f8dA6c935E2Ca0"),
    ),
    10: (
        ("USDC", 6, "0x0b2C639c533813f4Aa9D7837CAf62653d097Ff85"),
        ("USDC.e", 6, "0x7F5c764cBc14f9669B88837ca1490cCa17c31607"),
        ("USDT", 6, "0x94b008aA00579c1307B0EF2c499aD98a8ce58e58"),
        ("DAI", 18, "0xDA10009cBd5D07dd0CeCc66161FC93D7c9000da1"),
        ("WETH", 18, "0x4200000000000000000000000000000000000006"),
        ("WBTC", 8, "0x68f180fcCe6836688e9084f035309E29Bf0A2095"),
    ),
    56: (
        ("USDC", 18, "0x8AC76a51cc950d9822D68b83fE1Ad97B32Cd580d"),
        ("USDT", 18, "0x55d398326f99059fF775485246999027B3197955"),
        ("WBNB", 18, "0xbb4CdB9CBd36B01bD1cBaEBF2De08d9173bc095c"),
    ),
    137: (
        ("USDC", 6, "0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359"),
        ("USDC.e", 6, "0x2791Bca1f2de4661ED88A30C99A7a9449Aa84174"),
        ("USDT", 6, "0xc2132D05D31c914a87C6611C10748AEb04B58e8F"),
        ("DAI", 18, "0x8f3Cf7ad23Cd3CaDbD9735AFf958023239c6A063"),
        ("WETH", 18, "0x7ceB23fD6bC0adD59E62ac25578270cFf1b9f619"),
        ("WBTC", 8, "0x1BFD67037B42Cf73acF2047067bd4F2C47D9BfD6"),
        ("WPOL", 18, "0x0d500B1d8E8eF31E21C99d1Db9A6444d3ADf1270"),
    ),
    8453: (
        ("USDC", 6, "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"),
        ("EURC", 6, "0x60a3E35Cc302bFA44Cb288Bc5a4F316Fdb1adb42"),
        ("DAI", 18, "0x50c5725949A6F0c72E6C4a641F24049A917DB0Cb"),
        ("WETH", 18, "0x4200000000000000000000000000000000000006"),
        ("cbBTC", 8, "0xcbB7C0000aB88B473b1f5aFd9ef808440eed33Bf"),
    ),
    42161: (
        ("USDC", 6, "0xaf88d065e77c8cC2239327C5EDb3A432268e5831"),
        ("USDC.e", 6, "0xFF970A61A04b1cA14834A43f5dE4533eBDDB5CC8"),
        ("USDT", 6, "0xFd086bC7CD5C481DCC9C85ebE478A1C0b69FCbb9"),
        ("DAI", 18, "0xDA10009cBd5D07dd0CeCc66161FC93D7c9000da1"),
        ("WETH", 18, "0x82aF49447D8a07e3bd95BD0d56f35241523fBab1"),
        ("WBTC", 8, "0x2f2a2543B76A4166549F7aaB2e75Bef0aefC5B0f"),
    ),
    43114: (
        ("USDC", 6, "0xB97EF9Ef8734C71904D8002F8b6Bc66Dd9c48a6E"),
        ("USDT", 6, "0x9702230A8Ea53601f5cD2dc00fDBc13d4dF4A8c7"),
        ("WAVAX", 18, "0xB31f66AA3C1e785363F0875A1B74E27b85FD66c7"),
    ),
}

NATIVE: Final = {1: "ETH", 10: "ETH", 56: "BNB", 137: "POL", 8453: "ETH", 42161: "ETH", 43114: "AVAX"}
"""Chain number -> symbol of its native currency, which has 18 decimals on all of these."""


@lru_cache(maxsize=1)
def known_tokens() -> dict[tuple[int, Address], Asset]:
    """(chain number, contract) -> the token."""
    return {
        (number, asset.address): asset
        for number, tokens in _TOKENS.items()
        for asset in (Asset(ChainId(number), symbol, decimals, Address(text)) for symbol, decimals, text in tokens)
        if asset.address is not None
    }
