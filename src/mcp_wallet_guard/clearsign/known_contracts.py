"""Contracts that everybody knows, beside those of `decoders.places`: what the checks compare with.

Each address was found in two public sources or more, of which its publisher's own is named. Text in EIP-55, so that
nothing is hashed at import; a test checks every checksum. Threat: T-020, T-032, T-035.
"""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard.clearsign.decoders import places

# Source: safe-global/safe-deployments, CompatibilityFallbackHandler of each version.
HANDLERS: Final = frozenset(
    {
        "0xf48f2B2d2a534e402487b3ee7C18c33Aec0Fe5e4",  # 1.3.0
        "0x017062a1dE2FE6b99BE3d9d37841FeD19F573804",  # 1.3.0, deployed with EIP-155
        "0x2f870a80647BbC554F3a0EBD093f11B4d2a7492A",  # 1.3.0 on zkSync
        "0xfd0732Dc9E303f09fCEf3a7388Ad10A83459Ec99",  # 1.4.1
        "0x3EfCBb83A4A7AfcB4F68D501E2c2203a38be77f4",  # 1.5.0
    }
)
"""Safe's own fallback handlers, on every chain."""

MULTISENDS: Final = frozenset(places.EVERYWHERE[places.MULTISEND])
"""Safe's own batch contracts, on every chain."""

# Source: ethereum.org, "Pectra EIP-7702 guidelines", and the publishers' deployment pages.
DELEGATES: Final[dict[str, str]] = {
    "0x63c0c19a282a1B52b07dD5a65b58948A07DAE32B": "MetaMask EIP-7702 delegator",
    "0x000000009B1D0aF20D8C6d0A44e162d11F9b8f00": "Uniswap Calibur 1.0",
    "0x000000005c84F8Fd50b21CAC312528A64437030e": "Uniswap Calibur 1.1",
    "0x7702cb554e6bFb442cb743A7dF23154544a7176C": "Coinbase EIP-7702 proxy",
    "0x69007702764179f14F51cdce752f4f775d74E139": "Alchemy Modular Account",
    "0x5A7FC11397E9a8AD41BF10bf13F22B0a63f96f6d": "Ambire account",
    "0x4Cd241E8d1510e30b2076397afc7508Ae59C66c9": "Simple7702Account",
}
"""Delegates of EIP-7702 that wallets publish, on every chain. A name, and no trust: that is the owner's to give."""

# Sources: Uniswap/permit2, ProjectOpenSea/seaport, cowprotocol/contracts.
APPLICATIONS: Final[dict[str, frozenset[str]]] = {
    "Permit2": frozenset(
        {
            "0x000000000022D473030F116dDEE9F6B43aC78BA3",
            "0x0000000000225e31D15943971F47aD3022F714Fa",  # chains of zkSync
        }
    ),
    "Seaport": frozenset(
        {
            "0x00000000006c3852cbEf3e08E8dF289169EdE581",  # 1.1
            "0x00000000000001ad428e4906aE43D8F9852d0dD6",  # 1.4
            "0x00000000000000ADc04C56Bf30aC9d3c0aAF14dC",  # 1.5
            "0x0000000000000068F116a894984e2DB1123eB395",  # 1.6
        }
    ),
    "Gnosis Protocol": frozenset(
        {
            "0x9008D19f58AAbD9eD0D60971565AA8510560ab41",
            "0xf553d092b50bdcbddeD1A99aF2cA29FBE5E2CB13",  # staging
        }
    ),
}
"""Name in the domain of its messages -> the contracts that may bear it, on any chain."""
