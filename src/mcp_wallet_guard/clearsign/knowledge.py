"""What is known of tokens and names: looked up once in the owner's sources, and frozen with the operation.

`Sources` answers from the pins, the address book and the lists, in this order, and notes what was asked. What was asked
is frozen as `Names`, and from then on only that answers: the same bytes and the same names give the same view, in
another process, on another day, with another address book. Threat: T-021, T-040.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Final, Literal, final

from pydantic import Field, ValidationError

from mcp_wallet_guard.clearsign.lookup import AddressKind, AddressName, Lookup, TokenName
from mcp_wallet_guard.clearsign.risks.known import Indexed, index
from mcp_wallet_guard.clearsign.token_lists import Tokens
from mcp_wallet_guard.clearsign.tree import TRUSTED, AssetKind, Source
from mcp_wallet_guard.errors import Tampered
from mcp_wallet_guard.evidence import Model, NameClaim, canonical
from mcp_wallet_guard.operations.values import Address, Asset, ChainId

MAX_NAMES: Final = 4_096
"""Of each kind. A view that names more is not for a person to read."""

SourceName = Literal["ours", "config", "list", "history", "ens", "node"]
_SOURCES: Final = {source.value: source for source in Source}


@final
class FrozenToken(Model):
    """A token as it was known. `contract` is None for the native currency."""

    chain: int
    contract: str | None
    symbol: str
    decimals: int | None
    source: SourceName


@final
class FrozenName(Model):
    """A name as it was known; `what` is an account's or a collection's."""

    chain: int
    address: str
    name: str
    source: SourceName
    what: Literal["account", "collection"] = "account"


@final
class FrozenBlock(Model):
    """When a block was made, in unix seconds."""

    chain: int
    height: int
    at: int


@final
class Names(Indexed):
    """What was asked when an operation was frozen, and known. It is a `Lookup` of exactly that."""

    v: Literal[1] = 1
    tokens: Annotated[tuple[FrozenToken, ...], Field(max_length=MAX_NAMES)] = ()
    names: Annotated[tuple[FrozenName, ...], Field(max_length=MAX_NAMES)] = ()
    blocks: Annotated[tuple[FrozenBlock, ...], Field(max_length=MAX_NAMES)] = ()

    @classmethod
    def from_json(cls, text: str, /) -> Names:
        """Exactly what `evidence.canonical` wrote. Raises Tampered("tampered.operation") for any other text."""
        try:
            names = cls.model_validate_json(text)
            if canonical(names) == text:
                return names
        except ValidationError:
            pass
        raise Tampered("tampered.operation", detail="the names are not as they were written")

    def token(self, chain: ChainId, contract: Address | None, /) -> TokenName | None:
        """See `Lookup`."""
        return self._by_contract.get((chain.number, None if contract is None else contract.value))

    def name(self, chain: ChainId, address: Address, /) -> AddressName | None:
        """See `Lookup`."""
        return self._named(chain, address, "account")

    def names_of(self, chain: ChainId, address: Address, /) -> tuple[AddressName, ...]:
        """See `Lookup`."""
        found = self.name(chain, address)
        return () if found is None else (found,)

    def kinds(self, chain: ChainId, address: Address, /) -> frozenset[AddressKind]:
        """See `Lookup`."""
        return _kinds(self.token(chain, address))

    def collection(self, chain: ChainId, contract: Address, /) -> AddressName | None:
        """See `Lookup`."""
        return self._named(chain, contract, "collection")

    def block_time(self, chain: ChainId, height: int, /) -> int | None:
        """See `Lookup`."""
        return next((each.at for each in self.blocks if (each.chain, each.height) == (chain.number, height)), None)

    @index
    def _by_contract(self) -> dict[tuple[int, str | None], TokenName]:
        return {
            (each.chain, each.contract): TokenName(
                symbol=each.symbol, decimals=each.decimals, source=_SOURCES[each.source]
            )
            for each in reversed(self.tokens)
        }

    @index
    def _by_address(self) -> dict[tuple[int, str, str], AddressName]:
        return {
            (each.chain, each.address, each.what): AddressName(name=each.name, source=_SOURCES[each.source])
            for each in reversed(self.names)
        }

    def _named(self, chain: ChainId, address: Address, what: str) -> AddressName | None:
        return self._by_address.get((chain.number, address.value, what))


@final
class Sources:
    """The owner's sources as a `Lookup` that notes what it answered. `pins` and `names` are the settings', `lists`
    come after them, where they agree; `claims` are what contracts say of themselves, and come last. Of
    `claims_of_names` those are names that hold, where the settings have none."""

    def __init__(
        self,
        *,
        pins: Iterable[Asset] = (),
        names: Mapping[Address, str] | None = None,
        claims_of_names: Iterable[NameClaim] = (),
        lists: tuple[Tokens, ...] = (),
        claims: Mapping[tuple[int, Address], TokenName] | None = None,
    ) -> None:
        self._pins: Final = {(asset.chain.number, asset.address): asset for asset in pins}
        self._names: Final = dict(names or {})
        self._claimed: Final = {Address(each.address): each.name for each in claims_of_names if each.holds}
        self._lists: Final = lists
        self._claims: Final = dict(claims or {})
        self._tokens: dict[tuple[int, str | None], FrozenToken] = {}
        self._asked: dict[tuple[int, str], FrozenName] = {}

    @property
    def pinned(self) -> frozenset[Address]:
        """The contracts of the pinned tokens."""
        return frozenset(contract for _, contract in self._pins if contract is not None)

    def token(self, chain: ChainId, contract: Address | None, /) -> TokenName | None:
        """See `Lookup`. The native currency is known only if it is pinned."""
        found = self._token(chain.number, contract)
        if found is not None:
            address = None if contract is None else contract.value
            self._tokens[chain.number, address] = FrozenToken(
                chain=chain.number,
                contract=address,
                symbol=found.symbol,
                decimals=found.decimals,
                source=found.source.value,  # type: ignore[arg-type]  # only such are made here
            )
        return found

    def name(self, chain: ChainId, address: Address, /) -> AddressName | None:
        """See `Lookup`."""
        source = Source.CONFIG if address in self._names else Source.ENS
        name = self._names.get(address, self._claimed.get(address))
        if name is None:
            return None
        self._asked[chain.number, address.value] = FrozenName(
            chain=chain.number,
            address=address.value,
            name=name,
            source="config" if source is Source.CONFIG else "ens",
        )
        return AddressName(name=name, source=source)

    def names_of(self, chain: ChainId, address: Address, /) -> tuple[AddressName, ...]:
        """See `Lookup`."""
        found = self.name(chain, address)
        return () if found is None else (found,)

    def kinds(self, chain: ChainId, address: Address, /) -> frozenset[AddressKind]:
        """See `Lookup`."""
        return _kinds(self.token(chain, address))

    def collection(self, chain: ChainId, contract: Address, /) -> AddressName | None:
        """See `Lookup`: a collection has the name that the owner gave it."""
        return self.name(chain, contract) if contract in self._names else None

    def block_time(self, chain: ChainId, height: int, /) -> int | None:  # noqa: ARG002  # a `Lookup` is asked for it
        """See `Lookup`. Nobody says it here: a node's word for a date is none."""
        return None

    def frozen(self) -> Names:
        """All that was answered so far, sorted, so that the order of asking is not part of it."""
        names = sorted(self._asked.values(), key=lambda each: (each.chain, each.address))
        collections = (each.model_copy(update={"what": "collection"}) for each in names if each.source == "config")
        return Names(
            tokens=tuple(sorted(self._tokens.values(), key=lambda each: (each.chain, each.contract or ""))),
            names=(*names, *collections),
        )

    def _token(self, chain: int, contract: Address | None) -> TokenName | None:
        pinned = self._pins.get((chain, contract))
        if pinned is not None:
            return _named(pinned, Source.CONFIG)
        if contract is None:
            return None
        listed = {tokens[chain, contract] for tokens in self._lists if (chain, contract) in tokens}
        if len(listed) > 1:
            return None  # nobody is believed, and the checks say so
        return _named(listed.pop(), Source.LIST) if listed else self._claims.get((chain, contract))


@final
class KnownContracts:
    """What the trusted sources of a `Lookup` say of the contracts of one chain: see `decoders.base.Knowledge`."""

    def __init__(self, lookup: Lookup, chain: ChainId, /) -> None:
        self._lookup: Final = lookup
        self._chain: Final = chain

    def kind_of(self, contract: Address, /) -> AssetKind | None:
        """ERC-20 for a token that the owner or a list pins. A contract's own claim says nothing."""
        token = self._lookup.token(self._chain, contract)
        return AssetKind.ERC20 if token is not None and token.source in TRUSTED else None

    def underlying_of(self, _vault: Address, /) -> Address | None:
        """Nobody who is trusted says it here."""
        return None


def _kinds(token: TokenName | None) -> frozenset[AddressKind]:
    trusted = token is not None and token.source in TRUSTED
    return frozenset({AddressKind.TOKEN, AddressKind.CONTRACT}) if trusted else frozenset()


def _named(asset: Asset, source: Source) -> TokenName:
    return TokenName(symbol=asset.symbol, decimals=asset.decimals, source=source)
