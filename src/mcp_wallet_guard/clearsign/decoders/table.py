"""The functions that are known without a descriptor, by selector.

Each noun's module has a reader for each of its functions; they are put together once, when the first call is read.
Selectors are computed from the functions' text, never written down.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from mcp_wallet_guard.clearsign.decoders import (
    accounts,
    collections,
    entry_point,
    multicalls,
    ownership,
    permit2,
    permits,
    safe,
    safe_control,
    staking,
    tokens,
    uniswap_v2,
    uniswap_v3,
    universal_router,
    upgrades,
    vaults,
    wrapped,
)
from mcp_wallet_guard.clearsign.decoders.functions import Functions, Known
from mcp_wallet_guard.operations.values import keccak256

STANDARDS: Final[tuple[Functions, ...]] = (
    tokens.ERC20,
    tokens.ERC1363,
    tokens.ERC7674,
    collections.ERC721,
    collections.ERC1155,
    collections.ERC6909,
    vaults.ERC4626,
    wrapped.WETH,
    permits.ERC2612,
    permits.DAI,
    permits.ERC4494,
    permits.ERC3009,
    permit2.PERMIT2,
    ownership.OWNABLE,
    ownership.ACCESS_CONTROL,
    upgrades.PROXY,
    upgrades.DIAMOND,
    multicalls.MULTICALL,
    multicalls.SELF,
    uniswap_v2.V2,
    uniswap_v3.V3,
    universal_router.UNIVERSAL,
    safe.SAFE,
    safe_control.CONTROL,
    entry_point.ERC4337,
    accounts.ACCOUNT,
    accounts.ERC7579,
    staking.DEPOSIT,
)
"""In the order in which people read about them."""

_NAME: Final = re.compile(r" \w+")


def find(selector: bytes, /) -> Known | None:
    """The function of four bytes."""
    return by_selector().get(selector)


@lru_cache(maxsize=1)
def by_selector() -> dict[bytes, Known]:
    """All functions. Raises ValueError for two of one selector."""
    # The types alone, without parsing all the functions of which a call needs one.
    found: dict[bytes, Known] = {}
    for functions in STANDARDS:
        for known in functions.known:
            selector = keccak256(_NAME.sub("", known.text).encode("ascii"))[:4]
            if found.setdefault(selector, known) is not known:
                raise ValueError(f"two functions of one selector: {known.text}")
    return found
