"""What the checks read: the tree of what is signed, and what its envelope or its message says beside it.

A `Reading` is made of the bytes that will be signed, by whoever parsed them; two fields of it are said by others and
marked so. Everything that only the outside knows is in `risks.known`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, TypeVar, final

from mcp_wallet_guard.clearsign import aspects
from mcp_wallet_guard.clearsign.tree import CLARITIES, Bound, Clarity, Consequence, Direction, Part, PartKind, Source
from mcp_wallet_guard.operations.bulk import in_bulk
from mcp_wallet_guard.operations.values import Address, ChainId

Found = TypeVar("Found")

BLOB_GAS: Final = 131_072
"""Gas of one blob. Source: EIP-4844."""


class Method(StrEnum):
    """How a signature is asked for."""

    TRANSACTION = "transaction"
    PERSONAL_SIGN = "personal_sign"
    ETH_SIGN = "eth_sign"
    TYPED_DATA_V1 = "eth_signTypedData_v1"
    TYPED_DATA_V3 = "eth_signTypedData_v3"
    TYPED_DATA_V4 = "eth_signTypedData_v4"
    AUTHORIZATION = "authorization"
    WITHDRAWAL = "withdrawal"


@final
@in_bulk
@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What the envelope of a transaction says. `type` is that of EIP-2718, 0 for legacy, whose gas price is in both
    fees per gas. Fees per gas and `value` are wei. `chain` is None for a legacy one without EIP-155."""

    type: int
    chain: ChainId | None
    nonce: int
    gas: int
    max_fee_per_gas: int
    max_priority_fee_per_gas: int
    value: int
    max_fee_per_blob_gas: int = 0
    blobs: int = 0
    creates: bool = False

    @property
    def max_blob_fee(self) -> int:
        """The most that the blobs can cost, in wei."""
        return self.blobs * BLOB_GAS * self.max_fee_per_blob_gas

    @property
    def max_fee(self) -> int:
        """The most that the fee can be, in wei, blobs included."""
        return self.gas * self.max_fee_per_gas + self.max_blob_fee


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """One EIP-7702 authorization: whose code becomes the account's. The zero address takes it away; `chain` is None for
    one that holds on every chain."""

    path: str
    delegate: Address
    chain: ChainId | None

    @property
    def revokes(self) -> bool:
        """Whether it takes the account's code away."""
        return not any(self.delegate.raw)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """An EIP-712 domain: `chain` is the number, None when absent. `types` counts the struct types of the message."""

    name: str | None
    chain: int | None
    contract: Address | None
    types: int = 1


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """An ERC-4361 message. Times are unix seconds."""

    domain: str
    uri: str
    address: Address
    chain: int
    expires_at: int | None = None
    not_before: int | None = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """What a signed request asks of a venue, as the request's string says it. `received` is what arrives after the fee,
    None when the request does not settle it. `address` is the venue's text, of any chain."""

    venue: str
    asset: str
    network: str | None
    address: str
    memo: str | None
    amount: str
    received: str | None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class UsedName:
    """A name that somebody used instead of an address, and the address that was frozen for it."""

    name: str
    address: Address


@final
@in_bulk
@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One consequence and where it stands."""

    part: Part
    index: int
    consequence: Consequence

    @property
    def path(self) -> str:
        """The path of the part, then the place within it."""
        return f"{self.part.path}#consequences.{self.index}"

    @property
    def takes_back(self) -> bool:
        """Whether it does nothing but lower what somebody may take: to zero, or to at most what it was. Only of a part
        that is read in full: the zero that an unknown contract gets may be the number of a token. Threat: T-028."""
        consequence = self.consequence
        if consequence.direction is not Direction.ALLOW or consequence.unlimited:
            return False
        less = consequence.amount == 0 or (consequence.amount is None and consequence.bound is Bound.AT_MOST)
        return less and self.part.clarity is Clarity.CLEAR


@final
@in_bulk
@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """All that is known of one thing that `signer` is asked to sign, from its bytes.

    `invalid` is the catalogue's code with which a strict parser refused it. `digests` are (name of ours, hex) pairs;
    "effect" is the one that equal requests share. `written` are the addresses as whoever asked wrote them, with their
    paths, None when that was not handed over; `origin` is the host name of the site, as the client claims it.
    `aspects` are bits of `clearsign.aspects`.
    """

    signer: Address
    root: Part
    method: Method | None = None
    envelope: Envelope | None = None
    delegations: tuple[Delegation, ...] = ()
    domain: Domain | None = None
    sign_in: SignIn | None = None
    withdrawal: Withdrawal | None = None
    invalid: str | None = None
    digests: tuple[tuple[str, str], ...] = ()
    names: tuple[UsedName, ...] = ()
    written: tuple[tuple[str, str], ...] | None = None
    origin: str | None = None
    parts: tuple[Part, ...] = field(init=False, repr=False, compare=False)
    effects: tuple[Effect, ...] = field(init=False, repr=False, compare=False)
    unread: str | None = field(init=False, repr=False, compare=False)
    aspects: int = field(init=False, repr=False, compare=False)
    _found: dict[object, tuple[Any, ...]] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        parts = tuple(self.root.walk())
        object.__setattr__(self, "parts", parts)
        object.__setattr__(self, "effects", tuple(_effects(parts)))
        object.__setattr__(self, "unread", _unread(parts))
        object.__setattr__(self, "aspects", aspects.of_parts(parts) | _beside(self))

    def once(self, find: Callable[[Reading], Iterator[Found]], /) -> tuple[Found, ...]:
        """What `find` finds in this reading. Many checks ask for the same, and it is looked for once."""
        found = self._found.get(find)
        if found is None:
            found = self._found[find] = tuple(find(self))
        return found

    def of(self, *directions: Direction) -> Iterator[Effect]:
        """The effects of these directions, in order."""
        return (effect for effect in self.effects if effect.consequence.direction in directions)


_CLEAR: Final = Clarity.CLEAR
_PLAIN: Final = frozenset({Method.TRANSACTION, Method.PERSONAL_SIGN, Method.AUTHORIZATION, Method.WITHDRAWAL})


def _beside(reading: Reading) -> int:
    """The aspects of what is beside the tree."""
    found = 0
    if reading.method not in _PLAIN:
        found |= aspects.STATES if reading.method is Method.TYPED_DATA_V4 else aspects.REFUSED
    if reading.envelope is not None and reading.envelope.creates:
        found |= aspects.CREATES
    if reading.delegations:
        found |= aspects.DELEGATES
    if reading.domain is not None:
        found |= aspects.STATES
    if reading.sign_in is not None:
        found |= aspects.SIGNS_IN
    if reading.withdrawal is not None:
        found |= aspects.WITHDRAWS
    return found if reading.invalid is None else found | aspects.REFUSED


def _effects(parts: tuple[Part, ...]) -> Iterator[Effect]:
    for part in parts:
        for index, consequence in enumerate(part.consequences):
            yield Effect(part=part, index=index, consequence=consequence)


def _unread(parts: tuple[Part, ...]) -> str | None:
    """The path of the part that is read worst, None when all are read in full. What a descriptor alone explains says no
    consequences, so that part does not count as read."""
    unclear = [part for part in parts if part.clarity is not _CLEAR]
    if unclear:
        return min(unclear, key=lambda part: CLARITIES.index(part.clarity)).path
    silent = [part for part in parts if not part.consequences]
    return next((part.path for part in silent if _is_described(part)), None)


def _is_described(part: Part) -> bool:
    return part.kind is not PartKind.MESSAGE and any(shown.source is Source.DESCRIPTOR for shown in part.shown)
