"""Frozen messages, typed data and authorizations: their reading, their view, and what their signature lets others take.

Everything is read from the frozen bytes each time that anybody asks, never from what a caller said of them.
Threat: T-006, T-028, T-029, T-034, T-035.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

from mcp_wallet_guard.clearsign.knowledge import KnownContracts, Names, Sources
from mcp_wallet_guard.clearsign.lookup import Lookup
from mcp_wallet_guard.clearsign.reading import Reading
from mcp_wallet_guard.clearsign.reading_view import view_reading
from mcp_wallet_guard.clearsign.risks.known import Known
from mcp_wallet_guard.clearsign.risks.parties import addresses
from mcp_wallet_guard.clearsign.subjects import read_delegation, read_personal, read_typed
from mcp_wallet_guard.clearsign.tree import AssetKind, Direction
from mcp_wallet_guard.confirmation import ConfirmationView
from mcp_wallet_guard.errors import InvalidInput, PolicyDenied, Tampered
from mcp_wallet_guard.evidence import StatementFacts, canonical
from mcp_wallet_guard.operations.authorizations import parse_authorization
from mcp_wallet_guard.operations.frozen import FrozenOperation
from mcp_wallet_guard.operations.statements import (
    KIND_AUTHORIZATION,
    KIND_MESSAGE,
    KIND_TYPED_DATA,
    StatementEffect,
    is_statement_of,
    statement_hash,
)
from mcp_wallet_guard.operations.typed_data import parse_typed_data
from mcp_wallet_guard.operations.values import Account, Address, BaseUnits

_MOST: Final = 2**256 - 1


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """Of one ERC-20 contract: all `units` that leave the account or may be taken, and the `parties` that get them."""

    token: Address
    units: BaseUnits
    parties: frozenset[Address]


def check_stated(operation: FrozenOperation, effect: StatementEffect, /) -> None:
    """Raises Tampered("tampered.operation") unless the frozen bytes are exactly what `effect` asks for."""
    try:
        same = is_statement_of(effect, operation.unsigned_bytes)
    except InvalidInput:
        raise Tampered("tampered.operation", detail="the frozen bytes do not parse") from None
    asked = (effect.kind, effect.account, statement_hash(effect))
    if not same or asked != (operation.kind, operation.account, operation.effect_hash):
        raise Tampered("tampered.operation", detail="the frozen bytes are not what was asked")


def render_statement(operation: FrozenOperation, facts: StatementFacts, /) -> ConfirmationView:
    """The view of a frozen statement, from its bytes and what was known then.

    Raises PolicyDenied("policy.undecodable"), and Tampered for facts about another chain.
    """
    if facts.chain != str(operation.account.chain):
        raise Tampered("tampered.operation", detail="the facts are about another chain")
    return _view(operation, Names.from_json(facts.names), Known.from_json(facts.known))


def statement_facts(operation: FrozenOperation, sources: Sources, /, *, known: Known, at: int) -> StatementFacts:
    """What the view of `operation` asks for, to be frozen with it: the view is made once on live sources."""
    _view(operation, sources, known)
    return StatementFacts(
        collected_at=at,
        chain=str(operation.account.chain),
        names=canonical(sources.frozen()),
        known=known.to_json(),
    )


def read_frozen(kind: str, data: bytes, /, *, account: Account, names: Lookup) -> Reading:
    """What `account` says by signing `data`. Raises PolicyDenied("policy.undecodable") for bytes that do not parse."""
    chain, signer = account.chain, account.address
    try:
        if kind == KIND_MESSAGE:
            return read_personal(data, chain=chain, signer=signer)
        if kind == KIND_TYPED_DATA:
            knows = KnownContracts(names, chain)
            return read_typed(parse_typed_data(data), chain=chain, signer=signer, knows=knows)
        if kind == KIND_AUTHORIZATION:
            return read_delegation(parse_authorization(data), chain=chain, signer=signer)
    except InvalidInput:
        pass
    raise PolicyDenied("policy.undecodable", detail="not a statement that can be read")


def addresses_stated(operation: FrozenOperation, names: Lookup, /) -> frozenset[Address]:
    """Every address that a frozen statement names anywhere. Raises as `read_frozen`."""
    reading = read_frozen(operation.kind, operation.unsigned_bytes, account=operation.account, names=names)
    return frozenset(address for _, address in addresses(reading))


def allowed_by(effect: StatementEffect, names: Lookup, /) -> tuple[Allowed, ...]:
    """What typed data takes from the account, or lets others take, by token; nothing for other statements.

    Raises PolicyDenied("policy.undecodable") where no number says how much, and for what is no ERC-20 token: a limit
    could not count it.
    """
    if effect.kind != KIND_TYPED_DATA:
        return ()
    reading = read_frozen(effect.kind, effect.body, account=effect.account, names=names)
    units: dict[Address, int] = {}
    parties: dict[Address, set[Address]] = {}
    for each in (found.consequence for found in reading.of(Direction.OUT, Direction.ALLOW)):
        if each.owner not in {None, effect.account.address}:
            continue
        if each.asset is None or each.asset.kind is not AssetKind.ERC20 or each.asset.contract is None:
            raise PolicyDenied("policy.undecodable", detail="something that is no token")
        if each.amount is None:
            raise PolicyDenied("policy.undecodable", detail="an amount that no number bounds")
        token = each.asset.contract
        units[token] = min(units.get(token, 0) + each.amount, _MOST)
        parties.setdefault(token, set()).update({each.counterparty} - {None})  # type: ignore[arg-type]  # without None
    return tuple(
        Allowed(token=token, units=BaseUnits(taken), parties=frozenset(parties[token]))
        for token, taken in units.items()
    )


def _view(operation: FrozenOperation, names: Lookup, known: Known) -> ConfirmationView:
    return view_reading(
        read_frozen(operation.kind, operation.unsigned_bytes, account=operation.account, names=names),
        known=known,
        names=names,
        account=operation.account,
        operation_digest=operation.digest,
        expires_at=operation.expires_at,
    )
