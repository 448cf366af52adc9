"""Fees, gas and the account's balance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mcp_wallet_guard.clearsign.reading import Envelope, Reading
from mcp_wallet_guard.clearsign.risks.known import Known, NodeClaims
from mcp_wallet_guard.clearsign.risks.parties import is_signers
from mcp_wallet_guard.clearsign.risks.results import Check, Evidence, Gap, Hit, Saying, Severity
from mcp_wallet_guard.clearsign.rollups import DataFee, charges_for_data
from mcp_wallet_guard.clearsign.tree import AssetKind, Bound, Direction
from mcp_wallet_guard.operations.values import Address

_EMPTY: Final = NodeClaims()


def _fees(reading: Reading, known: Known) -> Iterator[Hit | Gap]:
    envelope, limits, path = reading.envelope, known.thresholds, reading.root.path
    if envelope is None:
        return
    if envelope.max_fee > limits.fee_wei:
        yield Hit(code="fee.absolute", path=path, facts=(("wei", envelope.max_fee),))
    simple = not reading.root.data and not envelope.creates
    counted = envelope.max_fee + _for_data(envelope, known)
    if (envelope.value or simple) and counted * 100 > envelope.value * limits.fee_percent:
        yield Hit(code="fee.high", path=path, facts=(("percent", limits.fee_percent),))
    if envelope.max_priority_fee_per_gas > envelope.max_fee_per_gas:
        yield Hit(code="fee.tip", path=path)
    if envelope.max_blob_fee > limits.fee_wei:
        yield Hit(code="fee.blobs", path=path, facts=(("wei", envelope.max_blob_fee),))
    yield from _market(envelope, known, path)
    if known.node is not None and known.node.data_fee == 0 and _is_charged(envelope):
        yield Hit(code="fee.data_free", path=path, source=Evidence.NODE)


def _for_data(envelope: Envelope, known: Known) -> int:
    """What is counted for data that the chain charges for beside the gas, in wei."""
    estimate = (known.node or _EMPTY).data_fee
    return 0 if envelope.chain is None else DataFee(envelope.chain, estimate).counted


def _is_charged(envelope: Envelope) -> bool:
    return envelope.chain is not None and charges_for_data(envelope.chain)


def _market(envelope: Envelope, known: Known, path: str) -> Iterator[Hit | Gap]:
    node, percent = known.node or _EMPTY, known.thresholds.market_percent
    if node.base_fee is None or node.priority_fee is None:
        yield Gap(missing="node", path=path)
        return
    paid = min(envelope.max_fee_per_gas, node.base_fee + envelope.max_priority_fee_per_gas)
    if paid * 100 > (node.base_fee + node.priority_fee) * percent:
        yield Hit(code="fee.market", path=path, facts=(("percent", percent),), source=Evidence.NODE)


def _gas(reading: Reading, known: Known) -> Iterator[Hit | Gap]:
    envelope, node, path = reading.envelope, known.node or _EMPTY, reading.root.path
    if envelope is None:
        return
    if node.base_fee is None or node.block_gas_limit is None or node.estimate_failed is None:
        yield Gap(missing="node", path=path)
    if node.base_fee is not None and envelope.max_fee_per_gas < node.base_fee:
        yield Hit(code="fee.low", path=path, source=Evidence.NODE)
    if node.block_gas_limit is not None and envelope.gas > node.block_gas_limit:
        yield Hit(code="gas.above_block", path=path, source=Evidence.NODE)
    if node.estimate_failed:
        yield Hit(code="gas.fails", path=path, source=Evidence.NODE)
    elif node.estimated_gas is None:
        yield Gap(missing="node", path=path)
    elif envelope.gas < node.estimated_gas:
        facts = (("gas", envelope.gas), ("needed", node.estimated_gas))
        yield Hit(code="gas.low", path=path, facts=facts, source=Evidence.NODE)


def _balance(reading: Reading, known: Known) -> Iterator[Hit | Gap]:
    if reading.envelope is not None:
        yield from _native(reading, reading.envelope, known)
    for contract, (path, units) in _leaving(reading).items():
        claim = known.token(contract)
        if claim is None or claim.balance is None:
            yield Gap(missing="node", path=path)
        else:
            yield from _compared(path, units, claim.balance, known)


def _native(reading: Reading, envelope: Envelope, known: Known) -> Iterator[Hit | Gap]:
    balance, path = (known.node or _EMPTY).balance, reading.root.path
    if balance is None:
        yield Gap(missing="node", path=path)
    elif envelope.value + envelope.max_fee + _for_data(envelope, known) > balance:
        yield Hit(code="balance.small", path=path, source=Evidence.NODE)
    elif envelope.value:
        yield from _compared(path, envelope.value, balance, known)


def _compared(path: str, units: int, balance: int, known: Known) -> Iterator[Hit]:
    percent = known.thresholds.sweep_percent
    if units > balance:
        yield Hit(code="balance.small", path=path, source=Evidence.NODE)
    elif units and units * 100 > balance * percent:
        yield Hit(code="balance.sweep", path=path, facts=(("percent", percent),), source=Evidence.NODE)


def _leaving(reading: Reading) -> dict[Address, tuple[str, int]]:
    """What leaves the signer of each fungible token, in all, and where it is first said."""
    leaving: dict[Address, tuple[str, int]] = {}
    for effect in reading.of(Direction.OUT):
        consequence, asset = effect.consequence, effect.consequence.asset
        if asset is None or asset.contract is None or asset.kind is not AssetKind.ERC20:
            continue
        if is_signers(consequence.owner, reading) and consequence.bound is not Bound.AT_LEAST:
            path, units = leaving.get(asset.contract, (effect.path, 0))
            leaving[asset.contract] = (path, units + (consequence.amount or 0))
    return leaving


CHECKS: Final = (
    Check(
        number=37,
        subject="the fee is too high",
        needs=(Evidence.BYTES, Evidence.NODE),
        effects=False,
        sayings=(
            Saying(
                code="fee.absolute",
                severity=Severity.DANGER,
                sentence="The highest fee is {wei} wei, more than any honest transaction costs.",
            ),
            Saying(
                code="fee.high",
                severity=Severity.WARNING,
                sentence="The highest fee is more than {percent} % of the amount.",
            ),
            Saying(
                code="fee.tip",
                severity=Severity.DANGER,
                sentence="The tip per gas is above the highest fee per gas, which no chain takes.",
            ),
            Saying(
                code="fee.blobs", severity=Severity.DANGER, sentence="The highest fee for the blobs alone is {wei} wei."
            ),
            Saying(
                code="fee.market",
                severity=Severity.WARNING,
                sentence="The fee is more than {percent} % of what the chain asks now.",
            ),
            Saying(
                code="fee.data_free",
                severity=Severity.WARNING,
                sentence="The node says that this chain takes nothing for data. Such chains usually do.",
            ),
        ),
        examine=_fees,
    ),
    Check(
        number=38,
        subject="the gas or the fee is too low, or the chain cannot take it",
        needs=(Evidence.NODE,),
        effects=False,
        sayings=(
            Saying(
                code="fee.low",
                severity=Severity.WARNING,
                sentence="The fee is below the chain's current fee, so the payment may not be included.",
            ),
            Saying(
                code="gas.low",
                severity=Severity.WARNING,
                sentence="The gas limit is {gas}, and {needed} is needed: it may fail, and the fee is lost.",
            ),
            Saying(
                code="gas.above_block",
                severity=Severity.WARNING,
                sentence="The gas limit is above that of a whole block, so it can never be included.",
            ),
            Saying(
                code="gas.fails",
                severity=Severity.WARNING,
                sentence="The node expects that it fails. The fee would be lost.",
            ),
        ),
        examine=_gas,
    ),
    Check(
        number=39,
        subject="the account holds too little, or is nearly emptied",
        needs=(Evidence.NODE,),
        sayings=(
            Saying(
                code="balance.small",
                severity=Severity.WARNING,
                sentence="The account may not hold enough for the amount and its highest fee.",
            ),
            Saying(
                code="balance.sweep",
                severity=Severity.WARNING,
                sentence="This takes more than {percent} % of what the account holds of it.",
            ),
        ),
        examine=_balance,
    ),
)
