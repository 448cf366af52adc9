"""Token lists of the owner's choice, in the Uniswap token-list format: whose decimals and symbols are taken.

A list is pinned by its hash when it is installed; nothing is fetched. An entry that this library cannot show safely is
refused with the whole list: a list that is read in part is not the one that was reviewed. Source: Uniswap token-lists,
schema 1.0. Threat: T-021, T-040.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mcp_wallet_guard import strict_json
from mcp_wallet_guard.clearsign.address_lists import listed_address
from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations.values import Address, Asset, ChainId

MAX_BYTES: Final = 8 * 1024 * 1024
MAX_TOKENS: Final = 10_000

Tokens = Mapping[tuple[int, Address], Asset]
"""(chain number, contract) -> the token."""


def read_token_list(data: bytes, /) -> dict[tuple[int, Address], Asset]:
    """The tokens of a list.

    Raises InvalidInput("invalid_input.token"), whose detail names the entry, for more than 8 MiB or 10,000 tokens, a
    symbol that is not 1 to 12 of ``A-Z a-z 0-9 .``, decimals outside 0 to 77, an address whose mixed case is not its
    EIP-55 checksum, and two different tokens at one address.
    """
    if len(data) > MAX_BYTES:
        raise InvalidInput("invalid_input.size", detail="the token list is too large")
    try:
        document = strict_json.loads(data)
    except (ValueError, RecursionError):
        raise InvalidInput("invalid_input.token", detail="the token list is not JSON") from None
    entries = document.get("tokens") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not 0 < len(entries) <= MAX_TOKENS:
        raise InvalidInput("invalid_input.token", detail="a token list has 1 to 10,000 tokens")
    tokens: dict[tuple[int, Address], Asset] = {}
    for place, entry in enumerate(entries):
        asset, contract = _token(entry, place)
        if tokens.setdefault((asset.chain.number, contract), asset) != asset:
            raise InvalidInput("invalid_input.token", detail=f"tokens.{place}: another token at the same address")
    return tokens


def _token(entry: Any, place: int) -> tuple[Asset, Address]:
    try:
        chain, text, symbol, decimals = (entry[name] for name in ("chainId", "address", "symbol", "decimals"))
        if type(symbol) is not str:
            raise InvalidInput("invalid_input.token")
        contract = Address.from_bytes(listed_address(text))
        return Asset(ChainId(chain), symbol, decimals, contract), contract
    except (InvalidInput, KeyError, TypeError):
        raise InvalidInput("invalid_input.token", detail=f"tokens.{place} is not a token that can be shown") from None
