"""Transactions that are no plain payment: their reading, their view, and what they take from which limit.

A call is read from the frozen bytes each time that anybody asks, never from what a caller said of it.
Threat: T-006, T-007, T-020, T-036.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, final

from mcp_wallet_guard.clearsign.decoders.base import Decoder, Knowledge
from mcp_wallet_guard.clearsign.descriptors.index import Index
from mcp_wallet_guard.clearsign.descriptors.reading import Described
from mcp_wallet_guard.clearsign.knowledge import KnownContracts, Names, Sources
from mcp_wallet_guard.clearsign.lookup import Lookup
from mcp_wallet_guard.clearsign.owner_lists import OwnerLists
from mcp_wallet_guard.clearsign.reading import Reading
from mcp_wallet_guard.clearsign.reading_view import view_reading
from mcp_wallet_guard.clearsign.risks.known import AccountClaim, Known
from mcp_wallet_guard.clearsign.risks.parties import addresses, called, everybody, spenders
from mcp_wallet_guard.clearsign.subjects import read_transaction
from mcp_wallet_guard.clearsign.tree import AssetKind, Consequence, Direction
from mcp_wallet_guard.confirmation import ConfirmationView
from mcp_wallet_guard.errors import InvalidInput, PolicyDenied, Tampered
from mcp_wallet_guard.evidence import canonical
from mcp_wallet_guard.operations import envelopes
from mcp_wallet_guard.operations.envelopes import Envelope, EnvelopeType
from mcp_wallet_guard.operations.frozen import KIND_EIP1559, FrozenOperation
from mcp_wallet_guard.operations.intents import Effect
from mcp_wallet_guard.operations.values import Account, Address, BaseUnits

_ANY_GAS: Final = 21_000


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What a call takes from its own account: `value` is wei that go with it; `token` is the one ERC-20 contract whose
    units leave or may be taken, `leaves` of them at once, `units` in all; None when it touches none. `parties` get
    them."""

    value: BaseUnits
    token: Address | None
    units: BaseUnits
    leaves: BaseUnits
    parties: frozenset[Address]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenWords:
    """What to freeze with an operation: texts of names and tokens and of descriptors, and what was known."""

    names: str
    known: Known
    descriptors: tuple[str, ...]


def read_operation(operation: FrozenOperation, names: Lookup, /, *, described: Described) -> Reading:
    """What a frozen transaction does; `names` tell a token from a collection, `described` calls that nobody else knows.

    Raises PolicyDenied("policy.undecodable") for bytes that do not parse.
    """
    return read_frozen_transaction(operation, KnownContracts(names, operation.account.chain), others=(described,))


def read_frozen_transaction(
    operation: FrozenOperation, knows: Knowledge, /, *, others: tuple[Decoder, ...] = ()
) -> Reading:
    """The same for any transaction, with what is known of contracts. Raises as `read_operation`."""
    if operation.kind != KIND_EIP1559:
        raise PolicyDenied("policy.undecodable", detail="not an EIP-1559 transaction")
    try:
        envelope = envelopes.parse_unsigned_envelope(operation.unsigned_bytes)
    except InvalidInput:
        raise PolicyDenied("policy.undecodable", detail="the bytes do not parse") from None
    if envelope.chain != operation.account.chain:
        raise PolicyDenied("policy.undecodable", detail="the bytes are for another chain")
    found = read_transaction(
        envelope, signer=operation.account.address, knows=knows, others=others, unsigned=operation.unsigned_bytes
    )
    # What is frozen here was asked with typed, checksummed addresses: nobody wrote one in another way.
    return replace(found, digests=(*found.digests, ("effect", operation.effect_hash.hex())), written=())


def addresses_named(operation: FrozenOperation, names: Lookup, /) -> frozenset[Address]:
    """Every address that a transaction names anywhere. Raises as `read_operation`."""
    reading = read_frozen_transaction(operation, KnownContracts(names, operation.account.chain))
    return frozenset(address for _, address in addresses(reading))


def render_call(
    operation: FrozenOperation,
    /,
    *,
    names: Names,
    known: Known,
    descriptors: tuple[str, ...] = (),
    data_fee: int | None = None,
) -> ConfirmationView:
    """The view of a frozen call, from its bytes and what was known then. Raises as `read_operation`, and Tampered for
    descriptors that nobody froze."""
    try:
        described = Described.of(descriptors, names, claims=_claims(known))
    except InvalidInput:
        raise Tampered("tampered.operation", detail="the descriptors are not as they were written") from None
    return view_reading(
        read_operation(operation, names, described=described),
        known=known,
        names=names,
        account=operation.account,
        operation_digest=operation.digest,
        expires_at=operation.expires_at,
        data_fee=data_fee,
    )


def frozen_words(
    operation: FrozenOperation,
    sources: Sources,
    /,
    *,
    known: Known,
    index: Index | None,
    lists: OwnerLists | None = None,
) -> FrozenWords:
    """What the view of `operation` asks for, to be frozen with it: the view is made once on live sources. `known` goes
    on with what `lists` say of it."""
    described = Described(Index({}) if index is None else index, sources, claims=_claims(known))
    reading = read_operation(operation, sources, described=described)
    if lists is not None:
        known = lists.concerning(reading, known, chain=operation.account.chain, pins=sources.pinned)
    view_reading(
        reading,
        known=known,
        names=sources,
        account=operation.account,
        operation_digest=operation.digest,
        expires_at=operation.expires_at,
    )
    return FrozenWords(names=canonical(sources.frozen()), known=known, descriptors=described.frozen)


def contracts_called(operation: FrozenOperation, names: Lookup, /) -> tuple[Address, ...]:
    """The contracts that a transaction calls, and those whom it lets take something, each once, in order. Raises as
    `read_operation`."""
    reading = read_frozen_transaction(operation, KnownContracts(names, operation.account.chain))
    return tuple(dict.fromkeys(party.address for party in (*called(reading), *spenders(reading))))


def parties_of(effect: Effect, names: Lookup, /) -> tuple[Address, ...]:
    """Whom a call is about: the contract, and everybody who gets something by it, each once, in order."""
    found = (party.address for party in everybody(_read(effect, names)))
    return tuple(dict.fromkeys((effect.to, *found)))


def spending_of(effect: Effect, names: Lookup, /) -> Spending:
    """What a call takes from its account; `names` as for `read_operation`.

    Raises PolicyDenied("policy.undecodable") where no number says how much, and for more than one token: a limit could
    not count it.
    """
    everything = _own(effect, names)
    own = [each for each in everything if each.asset is not None and each.asset.kind is not AssetKind.NATIVE]
    tokens = {each.asset.contract for each in own if each.asset is not None}
    if len(tokens) > 1:
        raise PolicyDenied("policy.undecodable", detail="more than one token in one call")
    if any(each.amount is None for each in own):
        raise PolicyDenied("policy.undecodable", detail="an amount that no number bounds")
    units = sum(each.amount or 0 for each in own)
    leaves = sum(each.amount or 0 for each in own if each.direction is Direction.OUT)
    return Spending(
        value=BaseUnits(effect.value),
        token=next(iter(tokens), None),
        units=BaseUnits(min(units, _MOST)),
        leaves=BaseUnits(min(leaves, _MOST)),
        parties=frozenset(each.counterparty for each in everything if each.counterparty is not None),
    )


_MOST: Final = 2**256 - 1


def _claims(known: Known) -> dict[Address, AccountClaim]:
    return {} if known.node is None else known.node.by_address


def _own(effect: Effect, names: Lookup) -> list[Consequence]:
    """What leaves, or may be taken from, the account itself. The native currency is counted by the value, not here, and
    an allowance that is taken back not at all."""
    effects = _read(effect, names).of(Direction.OUT, Direction.ALLOW)
    found = (each.consequence for each in effects if not each.takes_back)
    return [each for each in found if each.owner in {None, effect.account.address} and each.asset is not None]


def _read(effect: Effect, names: Lookup) -> Reading:
    account: Account = effect.account
    envelope = Envelope(
        type=EnvelopeType.EIP1559,
        chain=account.chain,
        nonce=0,
        max_priority_fee_per_gas=0,
        max_fee_per_gas=0,
        gas=_ANY_GAS,
        to=effect.to,
        value=effect.value,
        data=effect.data,
    )
    knows = KnownContracts(names, account.chain)
    return read_transaction(envelope, signer=account.address, knows=knows)
