"""Orders and swaps: what is given, what comes back, to whom; and tokens that fake another's symbol.

Threat: T-022, T-041, T-048.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mcp_wallet_guard.clearsign.aspects import GETS, STATES
from mcp_wallet_guard.clearsign.reading import Effect, Reading
from mcp_wallet_guard.clearsign.risks.known import Known
from mcp_wallet_guard.clearsign.risks.parties import is_signers
from mcp_wallet_guard.clearsign.risks.results import Check, Evidence, Gap, Hit, Saying, Severity
from mcp_wallet_guard.clearsign.risks.typed import skeleton
from mcp_wallet_guard.clearsign.text import is_plain, quoted
from mcp_wallet_guard.clearsign.tree import AssetRef, Bound, Consequence, Direction, Part, PartKind
from mcp_wallet_guard.operations.values import Address

SYMBOL_LIMIT: Final = 16
_NEVER: Final = 2**40


def _orders(reading: Reading, known: Known) -> Iterator[Hit | Gap]:
    for part in reading.parts:
        if part.kind is not PartKind.TYPED_DATA:
            continue
        own = known.own | {reading.signer}
        # With a counterparty it is a payment by signature: that is no offer to whoever comes.
        gives = any(_is_offer(c, reading) for c in part.consequences)
        comes = [c for c in part.consequences if c.direction is Direction.IN and c.amount != 0]
        if not gives:
            continue
        if not comes:
            yield Hit(code="order.for_nothing", path=part.path)
        elif all(c.owner is not None and c.owner not in own for c in comes):
            if known.accounts is None:
                yield Gap(missing="accounts", path=part.path)
            yield Hit(code="order.other_payee", path=part.path, facts=(("address", str(comes[0].owner)),))


def _is_offer(c: Consequence, reading: Reading) -> bool:
    return c.direction is Direction.OUT and c.counterparty is None and is_signers(c.owner, reading)


def _swaps(reading: Reading, known: Known) -> Iterator[Hit | Gap]:
    for effect in _bought(reading):
        consequence, owner = effect.consequence, effect.consequence.owner
        if owner is None:
            yield Gap(missing="bytes", path=effect.path)
        if not is_signers(owner, reading) and owner not in known.own:
            if known.accounts is None:
                yield Gap(missing="accounts", path=effect.path)
            yield Hit(code="swap.other_recipient", path=effect.path, facts=(("address", str(owner)),))
        if consequence.expires_at is not None and consequence.expires_at >= _NEVER:
            yield Hit(code="swap.no_deadline", path=effect.path)
        if consequence.bound is not Bound.AT_LEAST:
            continue
        if not consequence.amount:
            yield Hit(code="swap.no_minimum", path=effect.path)
        elif is_signers(owner, reading):
            yield from _slippage(effect, consequence.amount, reading, known)


def _slippage(effect: Effect, least: int, reading: Reading, known: Known) -> Iterator[Hit | Gap]:
    asset = effect.consequence.asset
    expected = None if asset is None else _gained(asset, reading.signer, known)
    if expected is None:
        yield Gap(missing="simulation", path=effect.path)
    elif (expected - least) * 100 > expected * known.thresholds.slippage_percent:
        percent = (expected - least) * 100 // expected
        yield Hit(code="swap.slippage", path=effect.path, facts=(("percent", percent),), source=Evidence.SIMULATION)


def _gained(asset: AssetRef, signer: Address, known: Known) -> int | None:
    for outcome in known.simulation or ():
        for movement in outcome.movements or ():
            if movement.account == signer and movement.asset == asset.id and movement.amount > 0:
                return movement.amount
    return None


def _bought(reading: Reading) -> Iterator[Effect]:
    """What comes in within a call that gives something away, and every amount of which only the least is known."""
    paying: dict[int, bool] = {}
    for effect in reading.of(Direction.IN):
        part = effect.part
        if part.kind is PartKind.TYPED_DATA:
            continue
        if id(part) not in paying:
            paying[id(part)] = _pays(part, reading)
        if paying[id(part)] or effect.consequence.bound is Bound.AT_LEAST:
            yield effect


def _pays(part: Part, reading: Reading) -> bool:
    return any(c.direction is Direction.OUT and is_signers(c.owner, reading) for c in part.consequences)


def _fakes(reading: Reading, known: Known) -> Iterator[Hit | Gap]:
    seen: set[tuple[int, str]] = set()
    for effect in reading.of(Direction.IN, Direction.OUT, Direction.ALLOW):
        asset = effect.consequence.asset
        if asset is None or asset.contract is None or (asset.chain.number, asset.contract.value) in seen:
            continue
        seen.add((asset.chain.number, asset.contract.value))
        yield from _fake(effect, str(asset.chain), asset.contract, known)


def _fake(effect: Effect, chain: str, contract: Address, known: Known) -> Iterator[Hit | Gap]:
    if contract in known.disputed:
        facts = (("address", contract.value),)
        yield Hit(code="token.disputed", path=effect.path, facts=facts, source=Evidence.LIST)
        return
    if known.tokens is None:
        yield Gap(missing="tokens", path=effect.path)
        return
    if (chain, contract.value) in known.listed_tokens:
        return
    claim = known.token(contract)
    if claim is None or claim.symbol is None:
        yield Gap(missing="node", path=effect.path)
        return
    told = (("address", contract.value), ("symbol", quoted(claim.symbol, limit=SYMBOL_LIMIT)))
    if not is_plain(claim.symbol):
        yield Hit(code="token.odd_symbol", path=effect.path, facts=told, source=Evidence.NODE)
    elif skeleton(claim.symbol) in {skeleton(symbol) for symbol in known.listed_tokens.values()}:
        yield Hit(code="token.fake_symbol", path=effect.path, facts=told, source=Evidence.LIST)


CHECKS: Final = (
    Check(
        number=34,
        subject="an order gives something away for nothing, or for somebody else",
        needs=(Evidence.BYTES,),
        sayings=(
            Saying(
                code="order.for_nothing",
                severity=Severity.DANGER,
                sentence="Whoever holds this signature can take what it offers, and nothing comes back.",
            ),
            Saying(
                code="order.other_payee",
                severity=Severity.DANGER,
                sentence="What is paid for the offer goes to {address}, not to you.",
            ),
        ),
        examine=_orders,
        about=STATES,
    ),
    Check(
        number=35,
        subject="an exchange gives too little, too late, or to somebody else",
        needs=(Evidence.BYTES, Evidence.SIMULATION),
        sayings=(
            Saying(
                code="swap.other_recipient",
                severity=Severity.DANGER,
                sentence="What is bought goes to {address}, not to you.",
            ),
            Saying(
                code="swap.no_minimum",
                severity=Severity.DANGER,
                sentence="The exchange accepts any price: you may get nothing.",
            ),
            Saying(
                code="swap.slippage",
                severity=Severity.DANGER,
                sentence="You may get {percent} % less than the exchange gives now.",
            ),
            Saying(
                code="swap.no_deadline",
                severity=Severity.DANGER,
                sentence="The exchange has no deadline: it can be done later, at that time's price.",
            ),
        ),
        examine=_swaps,
        about=GETS,
    ),
    Check(
        number=36,
        subject="a token fakes the symbol of another, or is disputed",
        needs=(Evidence.LIST, Evidence.NODE),
        sayings=(
            Saying(
                code="token.fake_symbol",
                severity=Severity.DANGER,
                sentence="The token {address} calls itself {symbol}, and is not the one that you know by that symbol.",
            ),
            Saying(
                code="token.odd_symbol",
                severity=Severity.DANGER,
                sentence="The token {address} calls itself {symbol}, with characters that may imitate others.",
            ),
            Saying(
                code="token.disputed",
                severity=Severity.WARNING,
                sentence="Your lists say different things of the token {address}, so none of them is believed.",
            ),
        ),
        examine=_fakes,
    ),
)
