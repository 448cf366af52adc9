"""Allowances: who may take what, how much, for how long, and by which kind of signature. Threat: T-020, T-028."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mcp_wallet_guard.clearsign.aspects import ALLOWS, ENDS, ODD, STATES
from mcp_wallet_guard.clearsign.reading import Effect, Reading
from mcp_wallet_guard.clearsign.risks.calldata import odd
from mcp_wallet_guard.clearsign.risks.known import Known
from mcp_wallet_guard.clearsign.risks.parties import allowances, is_collection, spenders
from mcp_wallet_guard.clearsign.risks.results import Check, Evidence, Fact, Gap, Hit, Saying, Severity
from mcp_wallet_guard.clearsign.tree import AssetKind, AssetRef, Direction, PartKind
from mcp_wallet_guard.operations.erc20 import is_unlimited

_FUNGIBLE: Final = frozenset({AssetKind.NATIVE, AssetKind.ERC20, AssetKind.ERC6909, AssetKind.ERC1155})
_NEVER: Final = 2**40
"""Unix seconds from here on mean "never": the year 36812. Types of 48 and 256 bits have their maxima there."""


def _facts(effect: Effect) -> tuple[Fact, ...]:
    spender = effect.consequence.counterparty
    return (("address", "somebody" if spender is None else spender.value),)


def _unlimited(reading: Reading, known: Known) -> Iterator[Hit | Gap]:
    for effect in allowances(reading):
        consequence, asset = effect.consequence, effect.consequence.asset
        if is_collection(consequence):
            continue
        if consequence.unlimited or (_is_fungible(asset) and _has_no_limit(consequence.amount)):
            yield Hit(code="approval.unlimited", path=effect.path, facts=_facts(effect))
        elif asset is not None and asset.kind is AssetKind.ERC20 and consequence.amount is not None:
            claim = known.token(asset.contract)
            if claim is None or claim.supply is None:
                yield Gap(missing="node", path=effect.path)
            elif consequence.amount >= claim.supply:
                yield Hit(code="approval.above_supply", path=effect.path, facts=_facts(effect), source=Evidence.NODE)


def _is_fungible(asset: AssetRef | None) -> bool:
    return asset is None or asset.kind in _FUNGIBLE


def _has_no_limit(amount: int | None) -> bool:
    return amount is None or is_unlimited(amount)


def _standing(reading: Reading, _: Known) -> Iterator[Hit | Gap]:
    for effect in allowances(reading):
        yield Hit(code="approval.standing", path=effect.path, facts=_facts(effect))


def _collection(reading: Reading, _: Known) -> Iterator[Hit | Gap]:
    for effect in allowances(reading):
        if is_collection(effect.consequence):
            yield Hit(code="approval.collection", path=effect.path, facts=_facts(effect))


def _signed(reading: Reading, _: Known) -> Iterator[Hit | Gap]:
    for effect in allowances(reading):
        if effect.part.kind is PartKind.TYPED_DATA:
            yield Hit(code="approval.signed", path=effect.path, facts=_facts(effect))
    yield from odd(reading, "approval.like")


def _to_account(reading: Reading, known: Known) -> Iterator[Hit | Gap]:
    for party in spenders(reading):
        has_code = known.claim(party.address).has_code
        if has_code is None:
            yield Gap(missing="node", path=party.path)
        elif not has_code:
            yield Hit(code="approval.to_account", path=party.path, facts=party.facts, source=Evidence.NODE)


def _expiry(reading: Reading, known: Known) -> Iterator[Hit | Gap]:
    for effect in reading.of(Direction.ALLOW, Direction.OUT):
        consequence = effect.consequence
        typed = effect.part.kind is PartKind.TYPED_DATA
        if consequence.direction is Direction.ALLOW and consequence.amount == 0 and not consequence.unlimited:
            continue
        if consequence.expires_at is None:
            if typed:
                yield Hit(code="expiry.none", path=effect.path)
        elif consequence.expires_at >= _NEVER:
            yield Hit(code="expiry.none", path=effect.path)
        elif known.now is None:
            yield Gap(missing="now", path=effect.path)
        elif consequence.expires_at > known.now + known.thresholds.far_seconds:
            days = (consequence.expires_at - known.now) // 86_400
            yield Hit(code="expiry.far", path=effect.path, facts=(("days", days),))
    yield from odd(reading, "expiry.signature")


CHECKS: Final = (
    Check(
        number=1,
        subject="an approval has no limit in effect",
        needs=(Evidence.BYTES, Evidence.NODE),
        sayings=(
            Saying(
                code="approval.unlimited",
                severity=Severity.DANGER,
                sentence="There is no limit to what may be taken, now and later, of all that the account will ever "
                "hold.",
            ),
            Saying(
                code="approval.above_supply",
                severity=Severity.DANGER,
                sentence="What may be taken is more than the token has in all, so there is no limit in effect.",
            ),
        ),
        examine=_unlimited,
        about=ALLOWS,
    ),
    Check(
        number=2,
        subject="somebody may take something later",
        needs=(Evidence.BYTES,),
        sayings=(
            Saying(
                code="approval.standing",
                severity=Severity.WARNING,
                sentence="This stays in force, and can be used at any time without asking, until you take it back.",
            ),
        ),
        examine=_standing,
        about=ALLOWS,
    ),
    Check(
        number=3,
        subject="somebody may take everything of a collection",
        needs=(Evidence.BYTES,),
        sayings=(
            Saying(
                code="approval.collection",
                severity=Severity.DANGER,
                sentence="{address} may take everything that the account has and will have of this contract.",
            ),
        ),
        examine=_collection,
        about=ALLOWS,
    ),
    Check(
        number=4,
        subject="a signature alone lets somebody take something",
        needs=(Evidence.BYTES,),
        sayings=(
            Saying(
                code="approval.signed",
                severity=Severity.DANGER,
                sentence="Whoever holds this signature can let {address} take the money. It costs them no further "
                "question to you.",
            ),
            Saying(
                code="approval.like",
                severity=Severity.DANGER,
                sentence="The message names somebody who may take something, and is none of the known permits.",
            ),
        ),
        examine=_signed,
        about=ALLOWS | ODD,
    ),
    Check(
        number=5,
        subject="the spender is a plain account and no contract",
        needs=(Evidence.NODE,),
        sayings=(
            Saying(
                code="approval.to_account",
                severity=Severity.DANGER,
                sentence="{address}, who may take it, is a plain account and no contract. Thieves ask for that.",
            ),
        ),
        examine=_to_account,
        about=ALLOWS,
    ),
    Check(
        number=33,
        subject="a permission ends late or never",
        needs=(Evidence.BYTES,),
        sayings=(
            Saying(
                code="expiry.none",
                severity=Severity.WARNING,
                sentence="This never expires: it can be used at any later time.",
            ),
            Saying(
                code="expiry.far",
                severity=Severity.WARNING,
                sentence="This can be used for {days} more days.",
            ),
            Saying(
                code="expiry.signature",
                severity=Severity.WARNING,
                sentence="The signature has no end: whoever holds it can hand it in at any later time.",
            ),
        ),
        examine=_expiry,
        about=ENDS | STATES | ODD,
    ),
)
