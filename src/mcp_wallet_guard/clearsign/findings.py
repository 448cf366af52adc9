"""What a person should know before saying yes to a payment.

Findings only warn: a node's word may add one, never remove a refusal. Dangers come first. Threat: T-021, T-025, T-028.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mcp_wallet_guard.clearsign.decode import Payment
from mcp_wallet_guard.clearsign.recipients import NOBODYS, nobodys
from mcp_wallet_guard.clearsign.risks.names import NAMES
from mcp_wallet_guard.clearsign.rollups import charges_for_data
from mcp_wallet_guard.clearsign.text import NAME_LIMIT, quoted, suspicion
from mcp_wallet_guard.confirmation import Finding
from mcp_wallet_guard.evidence import Facts
from mcp_wallet_guard.operations.erc20 import is_unlimited
from mcp_wallet_guard.operations.intents import EffectKind

FEE_PERCENT: Final = 20
"""A highest fee above this share of the amount is worth a warning."""

PAYEE_CONTRACT: Final = "payee.contract"
PAYEE_IMITATES: Final = "payee.imitates"
_SEVERITIES: Final = ("danger", "warning", "notice")


def findings(payment: Payment, facts: Facts, /) -> tuple[Finding, ...]:
    """All findings, by severity, then in the order of this file."""
    found = (*_payee(payment, facts), *_approval(payment), *_money(payment, facts))
    return tuple(sorted(found, key=lambda finding: _SEVERITIES.index(finding.severity)))


def _payee(payment: Payment, facts: Facts) -> Iterator[Finding]:
    lost = nobodys(payment.payee)
    if lost is not None:
        yield Finding(code=lost, severity="danger", text=NOBODYS[lost])
    if facts.payee_imitates is not None:
        yield Finding(
            code=PAYEE_IMITATES,
            severity="danger",
            text=f"The address looks like that of {quoted(facts.payee_imitates, limit=NAME_LIMIT)}, and is another.",
        )
    if payment.token is not None and payment.payee == payment.token.address:
        yield Finding(
            code="payee.token",
            severity="danger",
            text="The payee is the token's own contract. What is sent there is lost.",
        )
    if payment.payee == payment.account.address:
        yield Finding(code="payee.self", severity="warning", text="The payee is this account itself.")
    if facts.payee_has_code:
        yield Finding(
            code=PAYEE_CONTRACT,
            severity="warning",
            text="The payee is a contract. What it does with the money cannot be shown.",
        )
    claim = facts.payee_claim
    if claim is not None and not claim.holds:
        code = "name.claimed" if claim.normal else "name.not_normal"
        shown = quoted(claim.name, limit=NAME_LIMIT)
        yield Finding(code=code, severity="danger", text=NAMES[code].format(name=shown), evidence="node")
    if facts.payee_name is None:
        yield Finding(code="payee.new", severity="notice", text="The payee has no name in your address book.")
    elif suspicion(facts.payee_name) == "text.invisible":
        yield Finding(
            code="text.invisible",
            severity="danger",
            text="The payee's name contains characters that hide or reorder text.",
        )
    elif suspicion(facts.payee_name) is not None:
        yield Finding(
            code="text.nonascii",
            severity="warning",
            text="The payee's name contains characters that may imitate others.",
        )


def _approval(payment: Payment) -> Iterator[Finding]:
    if payment.kind is not EffectKind.TOKEN_APPROVAL:
        return
    if is_unlimited(payment.amount):
        yield Finding(
            code="approval.unlimited",
            severity="danger",
            text="There is no limit to what may be taken, now and later, of all that the account will ever hold.",
        )
    elif payment.amount:
        yield Finding(
            code="approval.standing",
            severity="warning",
            text="This stays in force, and can be used at any time without asking, until you take it back.",
        )


def _is_short_of_tokens(payment: Payment, facts: Facts) -> bool:
    if payment.kind is not EffectKind.TOKEN_TRANSFER:
        return False
    return facts.token is None or payment.amount > facts.token.balance


def _money(payment: Payment, facts: Facts) -> Iterator[Finding]:
    if payment.total > facts.balance or _is_short_of_tokens(payment, facts):
        yield Finding(
            code="balance.small",
            severity="warning",
            text="The account may not hold enough for the amount and its highest fee.",
        )
    if payment.token is None and payment.counted_fee * 100 > payment.amount * FEE_PERCENT:
        yield Finding(
            code="fee.high",
            severity="warning",
            text=f"The highest fee is more than {FEE_PERCENT} % of the amount.",
        )
    if facts.data_fee == 0 and charges_for_data(payment.account.chain):
        yield Finding(
            code="fee.data_free",
            severity="warning",
            text="The node says that this chain takes nothing for data. Such chains usually do.",
            evidence="node",
        )
    if payment.max_fee_per_gas < facts.base_fee:
        yield Finding(
            code="fee.low",
            severity="warning",
            text="The fee is below the chain's current fee, so the payment may not be included.",
        )
    if payment.nonce != facts.nonce:
        yield Finding(
            code="nonce.unexpected",
            severity="warning",
            text="The nonce is not the account's next one: the payment would wait, or replace another.",
        )
