"""What a view may ask about the outside: a protocol, so that the same code runs on live sources once, when facts are
collected, and on the frozen facts ever after."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, final

from mcp_wallet_guard.clearsign.tree import Source
from mcp_wallet_guard.operations.bulk import in_bulk
from mcp_wallet_guard.operations.values import Address, ChainId


@final
@in_bulk
@dataclass(frozen=True, slots=True, kw_only=True)
class TokenName:
    """What a unit of a token is. `decimals` is None when only the symbol is known. A `source` outside `tree.TRUSTED`
    is shown quoted and as untrusted, and its decimals are not applied."""

    symbol: str
    decimals: int | None
    source: Source


@final
@in_bulk
@dataclass(frozen=True, slots=True, kw_only=True)
class AddressName:
    """A name for an address, and who says so."""

    name: str
    source: Source


class AddressKind(StrEnum):
    """What an address is, by the words of ERC-7730."""

    WALLET = "wallet"
    """An account of this wallet."""
    EOA = "eoa"
    CONTRACT = "contract"
    TOKEN = "token"  # noqa: S105  # a kind of contract, no secret
    COLLECTION = "collection"


class Lookup(Protocol):
    """All methods are pure of the arguments and what the lookup was made with. None: not known."""

    def token(self, chain: ChainId, contract: Address | None, /) -> TokenName | None:
        """The token at `contract`, or the chain's native currency for None."""
        ...

    def name(self, chain: ChainId, address: Address, /) -> AddressName | None:
        """A name of the owner's, or one that was verified."""
        ...

    def names_of(self, chain: ChainId, address: Address, /) -> tuple[AddressName, ...]:
        """Every such name, the best first: who trusts some sources only takes the first of those."""
        ...

    def kinds(self, chain: ChainId, address: Address, /) -> frozenset[AddressKind]:
        """All that the address is known to be; empty: nothing is known."""
        ...

    def collection(self, chain: ChainId, contract: Address, /) -> AddressName | None:
        """The name of a collection of NFTs."""
        ...

    def block_time(self, chain: ChainId, height: int, /) -> int | None:
        """Unix seconds of a block."""
        ...
