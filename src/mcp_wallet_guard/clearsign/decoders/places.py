"""Contracts whose code is known by their address, since a function's name says nothing about what a contract does.

An address is here when its publisher lists it, or when the same code can only be there by the way it was deployed. Text
in EIP-55, so that nothing is hashed at import. Sources: the deployment pages of Uniswap, Safe, Multicall3 and ERC-4337;
consensus specifications for the deposit contract.
"""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard.operations.values import Address, ChainId

PERMIT2: Final = "Permit2"
MULTICALL: Final = "Multicall"
MULTISEND: Final = "MultiSend"
SIGN_MESSAGE_LIB: Final = "SignMessageLib"
ENTRY_POINT: Final = "EntryPoint"
DEPOSIT: Final = "deposit contract"
WRAPPED: Final = "wrapped native currency"
V2_ROUTER: Final = "Uniswap V2 router"
V3_ROUTER: Final = "Uniswap V3 SwapRouter"
ROUTER_02: Final = "Uniswap SwapRouter02"
UNIVERSAL_ROUTER: Final = "Uniswap Universal Router"

_OP_STACK: Final = "0x4200000000000000000000000000000000000006"
_WRAPPED: Final = {
    1: "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2",
    10: _OP_STACK,
    56: "0xbb4CdB9CBd36B01bD1cBaEBF2De08d9173bc095c",
    100: "0xe91D153E0b41518A2Ce8Dd3D7944Fa863463a97d",
    130: _OP_STACK,
    137: "0x0d500B1d8E8eF31E21C99d1Db9A6444d3ADf1270",
    324: "0x5AEa5775959fBC2557Cc8789bC1bf90A239D9a91",
    480: _OP_STACK,
    8453: _OP_STACK,
    42161: "0x82aF49447D8a07e3bd95BD0d56f35241523fBab1",
    43114: "0xB31f66AA3C1e785363F0875A1B74E27b85FD66c7",
    59144: "0xe5D7C2a44FfDDf6b295A15c148167daaAf5Cf34f",
    81457: "0x4300000000000000000000000000000000000004",
    84532: _OP_STACK,
    534352: "0x5300000000000000000000000000000000000004",
    11155111: "0xfFf9976782d46CC05630D1f6eBAb18b2324d6B14",
    11155420: _OP_STACK,
}

EVERYWHERE: Final = {
    PERMIT2: {"0x000000000022D473030F116dDEE9F6B43aC78BA3"},
    MULTICALL: {
        "0xcA11bde05977b3631167028862bE2a173976CA11",  # 3
        "0x5BA1e12693Dc8F9c48aAD8770482f4739bEeD696",  # 2
        "0xeefBa1e63905eF1D7ACbA5a8513c70307C1cE441",  # 1
    },
    MULTISEND: {
        "0x8D29bE29923b68abfDD21e541b9374737B49cdAD",  # 1.1.1
        "0xA238CBeb142c10Ef7Ad8442C6D1f9E89e07e7761",  # 1.3.0
        "0x998739BFdAAdde7C933B942a68053933098f9EDa",
        "0x0dFcccB95225ffB03c6FBB2559B530C2B7C8A912",  # 1.3.0 on zkSync
        "0x38869bf66a61cF6bDB996A6aE40D5853Fd43B526",  # 1.4.1
        "0x218543288004CD07832472D464648173c77D7eB7",  # 1.5.0
        "0x40A2aCCbd92BCA938b02010E17A5b8929b49130D",  # call only, 1.3.0
        "0xA1dabEF33b3B82c7814B6D82A79e50F4AC44102B",
        "0xf220D3b4DFb23C4ade8C88E526C1353AbAcbC38F",
        "0x9641d764fc13c8B624c04430C7356C1C7C8102e2",  # call only, 1.4.1
        "0xA83c336B20401Af773B6219BA5027174338D1836",  # call only, 1.5.0
    },
    SIGN_MESSAGE_LIB: {
        "0xA65387F16B013cf2Af4605Ad8aA5ec25a2cbA3a2",  # 1.3.0
        "0x98FFBBF51bb33A056B08ddf711f289936AafF717",
        "0x357147caf9C0cCa67DfA0CF5369318d8193c8407",
        "0xd53cd0aB83D845Ac265BE939c57F53AD838012c9",  # 1.4.1
    },
    ENTRY_POINT: {
        "0x5FF137D4b0FDCD49DcA30c7CF57E578a026d2789",  # 0.6
        "0x0000000071727De22E5E9d8BAf0edAc6f37da032",  # 0.7
        "0x4337084D9E255Ff0702461CF8895CE9E3b5Ff108",  # 0.8
        "0x433709009B8330FDa32311DF1C2AFA402eD8D009",  # 0.9
    },
}
"""Place -> addresses that mean it on every chain: deployed without an owner's key, or by one that is used nowhere
else."""

_V3_ROUTER: Final = "0xE592427A0AEce92De3Edee1F18E0157C05861564"
_ROUTER_02: Final = "0x68b3465833fb72A70ecDF485E0e4C7bD8665Fc45"
_V2_ROUTER: Final = "0x4752ba5DBc23f44D87826276BF6Fd6b1C372aD24"
_UNIVERSAL: Final = "0x3fC91A3afd70395Cd496C647d5a6CC9D4B2b7FAD"  # 1.2

ON_CHAIN: Final[dict[str, dict[int, tuple[str, ...]]]] = {
    WRAPPED: {chain: (contract,) for chain, contract in _WRAPPED.items()},
    DEPOSIT: {
        1: ("0x00000000219ab540356cBB839Cbe05303d7705Fa",),
        560048: ("0x00000000219ab540356cBB839Cbe05303d7705Fa",),
        11155111: ("0x7f02C3E3c98b133055B8B348B2Ac625669Ed295D",),
    },
    V2_ROUTER: {
        1: ("0x7a250d5630B4cF539739dF2C5dAcb4c659F2488D",),
        10: ("0x4A7b5Da61326A6379179b40d00F57E5bbDC962c2",),
        56: (_V2_ROUTER,),
        130: ("0x284F11109359a7e1306C3e447ef14D38400063FF",),
        137: ("0xedf6066a2b290C185783862C7F4776A2C8077AD1",),
        8453: (_V2_ROUTER,),
        42161: (_V2_ROUTER,),
        43114: (_V2_ROUTER,),
        11155111: ("0xeE567Fe1712Faf6149d80dA1E6934E354124CfE3",),
    },
    V3_ROUTER: dict.fromkeys((1, 10, 137, 42161), (_V3_ROUTER,)),
    ROUTER_02: {
        **dict.fromkeys((1, 10, 137, 42161), (_ROUTER_02,)),
        56: ("0xB971eF87ede563556b2ED4b1C0b0019111Dd85d2",),
        130: ("0x73855d06DE49d0fe4A9c42636Ba96c62da12FF9C",),
        8453: ("0x2626664c2603336E57B271c5C0b26F421741e481",),
        43114: ("0xbb00FF08d01D300023C629E8fFfFcb65A5a578cE",),
        11155111: ("0x3bFA4769FB09eefC5a80d6E87c3B9C650f7Ae48E",),
    },
    UNIVERSAL_ROUTER: {
        1: (_UNIVERSAL, "0x66a9893cC07D91D95644AEDD05D03f95e1dBA8Af"),
        10: (_UNIVERSAL, "0x851116D9223fabED8E56C0E6b8Ad0c31d98B3507"),
        56: ("0x1906c1d672b88cD1B9aC7593301cA990F94Eae07",),
        130: ("0xEf740bf23aCaE26f6492B10de645D6B98dC8Eaf3",),
        137: ("0x1095692A6237d83C6a72F3F5eFEdb9A670C49223",),
        8453: (_UNIVERSAL, "0x6fF5693b99212Da76ad316178A184AB56D299b43"),
        42161: ("0x5E325eDA8064b456f4781070C0738d849c824258", "0xA51afAFe0263b40EdaEf0Df8781eA9aa03E381a3"),
        43114: ("0x94b75331AE8d42C1b61065089B7d48FE14aA73b7",),
        11155111: (_UNIVERSAL, "0x3A9D48AB9751398BbFa63ad67599Bb04e4BdF98b"),
    },
}
"""Place -> chain -> addresses."""


def is_at(place: str, chain: ChainId, contract: Address | None, /) -> bool:
    """Whether `contract` is known to be `place`."""
    if contract is None:
        return False
    return contract.value in EVERYWHERE.get(place, ()) or contract.value in ON_CHAIN.get(place, {}).get(
        chain.number, ()
    )


def wrapped_native(chain: ChainId, /) -> Address | None:
    """The token that wraps the native currency of `chain`."""
    found = _WRAPPED.get(chain.number)
    return None if found is None else Address(found)
