"""What the checks may know of the outside, collected once and frozen with the operation.

Every source is optional, and None means "not known": a check that needs it then says `not_checked`. An empty list means
that there is none. What a node claims stands apart, under `node` and `simulation`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from itertools import chain
from struct import Struct
from typing import Annotated, Any, Final, Literal, Self, final

from pydantic import Field, ValidationError

from mcp_wallet_guard import strict_json
from mcp_wallet_guard.clearsign.simulated import SimulationOutcome
from mcp_wallet_guard.errors import Tampered
from mcp_wallet_guard.evidence import Model, NameClaim, Wei, canonical
from mcp_wallet_guard.operations.values import Address

Chain = Annotated[str, Field(pattern=r"^eip155:[1-9][0-9]{0,19}$")]
"""CAIP-2."""
Seconds = Annotated[int, Field(ge=0, lt=2**53)]
"""Unix time, or a span of it."""
Count = Annotated[int, Field(ge=0, lt=2**53)]
_ENDS: Final = Struct("2x4s32x4s")
"""Of an address."""
Ends = tuple[tuple[str, Address], ...]
"""Names, and addresses that are alike at one end."""


class Indexed(Model):
    """A model with indexes that are made on first use. A copy makes its own: pydantic's would keep the old ones."""

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:  # noqa: ARG002 (pydantic's signature)
        """A copy with some fields changed, all of them validated. Fields are immutable, so `deep` is the same."""
        return type(self)(**{name: getattr(self, name) for name in type(self).model_fields} | dict(update or {}))


@final
class KnownToken(Model):
    """A token of a pinned list."""

    chain: Chain
    contract: Address
    symbol: str


@final
class KnownName(Model):
    """An entry of the owner's address book."""

    name: str
    address: Address


@final
class Seen(Model):
    """An address that this wallet had to do with before."""

    address: Address
    first: Seconds
    last: Seconds
    count: Count


@final
class Request(Model):
    """An earlier request, by the digest that equal ones share."""

    digest: str
    at: Seconds


@final
class History(Indexed):
    """What this wallet did: whom it paid, which contracts it called, who got an allowance, what was asked lately."""

    paid: tuple[Seen, ...] = ()
    called: tuple[Seen, ...] = ()
    allowed: tuple[Seen, ...] = ()
    requests: tuple[Request, ...] = ()

    def is_partner(self, address: Address, /) -> bool:
        """Whether the wallet paid, called or allowed it before."""
        return address.value in self._partners

    @cached_property
    def _partners(self) -> frozenset[str]:
        return frozenset([seen.address.value for seen in (*self.paid, *self.called, *self.allowed)])


@final
class Application(Model):
    """An application whose messages are known by their domain's name, and its contracts, on any chain."""

    name: str
    contracts: tuple[Address, ...]


@final
class ResolvedName(Model):
    """What was found for a name: the address, the name that the address gives back, the address of the last time.
    `normal` is whether the name is in ENSIP-15 normal form."""

    name: str
    address: Address | None
    reverse: str | None
    previous: Address | None
    normal: bool


@final
class VenueAddress(Model):
    """A withdrawal address that the venue itself has on its list."""

    network: str
    address: str
    memo: str | None


@final
class Venue(Model):
    """What the owner knows of a venue. `memos` are the networks where a payee needs a memo, `no_memos` those that
    have none."""

    name: str
    memos: tuple[str, ...]
    no_memos: tuple[str, ...]
    white_list: tuple[VenueAddress, ...] | None


@final
class AccountClaim(Model):
    """What a node says of an address on the wallet's chain. `elsewhere` is whether it has code on another chain."""

    address: Address
    has_code: bool | None = None
    is_token: bool | None = None
    elsewhere: bool | None = None
    created_at: Seconds | None = None
    nonce: Count | None = None


@final
class TokenClaim(Model):
    """What a token's contract says of itself; `balance` is the signer's. Amounts are in the smallest unit."""

    contract: Address
    symbol: str | None = None
    supply: Wei | None = None
    balance: Wei | None = None


@final
class NodeClaims(Indexed):
    """One node's word about the wallet's chain. `nonce` and `balance` (wei) are the signer's. Fees are wei per gas,
    and `data_fee` is what the chain's oracle says that the data cost, in wei."""

    chain: Chain | None = None
    accounts: tuple[AccountClaim, ...] = ()
    tokens: tuple[TokenClaim, ...] = ()
    nonce: Count | None = None
    pending_nonce: Count | None = None
    balance: Wei | None = None
    base_fee: Wei | None = None
    priority_fee: Wei | None = None
    data_fee: Wei | None = None
    block_gas_limit: Count | None = None
    estimated_gas: Count | None = None
    estimate_failed: bool | None = None

    @cached_property
    def by_address(self) -> dict[Address, AccountClaim]:
        """The claims about accounts."""
        return {claim.address: claim for claim in self.accounts}

    @cached_property
    def by_token(self) -> dict[Address, TokenClaim]:
        """The claims of tokens."""
        return {claim.contract: claim for claim in self.tokens}


@final
class Thresholds(Model):
    """Where a number becomes a risk. The owner may set them."""

    fee_percent: Count = 20
    fee_wei: Wei = 2 * 10**18
    market_percent: Count = 120
    slippage_percent: Count = 5
    sweep_percent: Count = 90
    drift_percent: Count = 2
    far_seconds: Seconds = 30 * 86_400
    young_seconds: Seconds = 3 * 86_400
    repeat_seconds: Seconds = 600
    quiet_nonce: Count = 5
    message_bytes: Count = 4_096
    typed_types: Count = 64


MAX_CLAIMS: Final = 8
"""Addresses that are asked for their names. A call with more of them shows the rest without."""
_NOTHING: Final = AccountClaim(address=Address("0x0000000000000000000000000000000000000000"))


@final
class Known(Indexed):
    """Everything at once. `chain` is the wallet's own. `now` is when this was collected. `allowed` is None also for an
    owner who keeps no such list. `simulation` are the runs, in order; `claims` are what parties call themselves."""

    v: Literal[1] = 1
    now: Seconds | None = None
    chain: Chain | None = None
    accounts: tuple[Address, ...] | None = None
    addresses: tuple[KnownName, ...] | None = None
    tokens: tuple[KnownToken, ...] | None = None
    history: History | None = None
    blocked: tuple[Address, ...] | None = None
    allowed: tuple[Address, ...] | None = None
    delegates: tuple[Address, ...] | None = None
    multisends: tuple[Address, ...] | None = None
    handlers: tuple[Address, ...] | None = None
    applications: tuple[Application, ...] | None = None
    verified: tuple[Address, ...] | None = None
    venues: tuple[Venue, ...] | None = None
    names: tuple[ResolvedName, ...] | None = None
    claims: Annotated[tuple[NameClaim, ...], Field(max_length=MAX_CLAIMS)] | None = None
    node: NodeClaims | None = None
    simulation: Annotated[tuple[SimulationOutcome, ...], Field(max_length=4)] | None = None
    thresholds: Thresholds = Thresholds()

    def to_json(self) -> str:
        """RFC 8785 text, which `from_json` reads back."""
        return canonical(self)

    @classmethod
    def from_json(cls, text: str, /) -> Known:
        """Exactly what `to_json` wrote. Raises Tampered("tampered.operation") for any other text."""
        try:
            raw = text.encode("utf-8")
            strict_json.check_depth(raw)
            known = cls.model_validate_json(raw)
            same = known.to_json() == text
        except (ValidationError, ValueError, RecursionError):
            same, known = False, cls()
        if not same:
            raise Tampered("tampered.operation", detail="what was known is not as it was written")
        return known

    @cached_property
    def own(self) -> frozenset[Address]:
        """The wallet's accounts."""
        return frozenset(self.accounts or ())

    @cached_property
    def named(self) -> dict[str, str]:
        """The owner's names, by the text of the address."""
        return {entry.address.value: entry.name for entry in self.addresses or ()}

    @cached_property
    def listed_tokens(self) -> dict[tuple[str, str], str]:
        """Symbols of pinned tokens, by chain and the text of the address."""
        return {(token.chain, token.contract.value): token.symbol for token in self.tokens or ()}

    def is_familiar(self, address: Address, /) -> bool:
        """Whether it is an own account, named, listed or paid before."""
        return address.value in self._texts

    def alike(self, address: Address, /) -> tuple[Ends, Ends]:
        """The familiar addresses, with their names, that have the same first four hex digits, and those that have the
        same last four: what people compare."""
        digits = address.value[2:].lower().encode("ascii")
        head, tail = digits[:4], digits[-4:]
        if head not in self._ends and tail not in self._ends:
            return (), ()
        heads, tails = self._by_ends
        return tuple(heads.get(head, ())), tuple(tails.get(tail, ()))

    @cached_property
    def _texts(self) -> frozenset[str]:
        paid = self.history.paid if self.history is not None else ()
        texts = [entry.address.value for entry in self.addresses or ()]
        texts += [account.value for account in self.accounts or ()]
        texts += [token.contract.value for token in self.tokens or ()]
        texts += [seen.address.value for seen in paid]
        return frozenset(texts)

    # What is known is new with every request, and looks like nobody who is asked about: the indexes wait until it does.
    @cached_property
    def _ends(self) -> frozenset[bytes]:
        texts = "".join(self._texts).lower().encode("ascii")
        return frozenset(chain.from_iterable(_ENDS.iter_unpack(texts)))

    @cached_property
    def _by_ends(self) -> tuple[dict[bytes, list[tuple[str, Address]]], dict[bytes, list[tuple[str, Address]]]]:
        heads: dict[bytes, list[tuple[str, Address]]] = {}
        tails: dict[bytes, list[tuple[str, Address]]] = {}
        paid = self.history.paid if self.history is not None else ()
        familiar = (
            *[(entry.name, entry.address) for entry in self.addresses or ()],
            *[("own account", account) for account in self.accounts or ()],
            *[(token.symbol, token.contract) for token in self.tokens or ()],
            *[("paid before", seen.address) for seen in paid],
        )
        for name, address in familiar:
            digits = address.value[2:].lower().encode("ascii")
            heads.setdefault(digits[:4], []).append((name, address))
            tails.setdefault(digits[-4:], []).append((name, address))
        return heads, tails

    def claim(self, address: Address, /) -> AccountClaim:
        """What the node says of `address`, an empty claim when it was not asked."""
        return _NOTHING if self.node is None else self.node.by_address.get(address, _NOTHING)

    def token(self, contract: Address | None, /) -> TokenClaim | None:
        """What a token's contract says of itself."""
        return None if self.node is None or contract is None else self.node.by_token.get(contract)
