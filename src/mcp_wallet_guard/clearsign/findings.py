"""What a person should know before saying yes to a transfer.

Findings only warn: a node's word may add one, never remove a refusal. Dangers come first. Threat: T-021, T-025.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mcp_wallet_guard.clearsign.decode import NativeTransfer
from mcp_wallet_guard.clearsign.recipients import NOBODYS, nobodys
from mcp_wallet_guard.clearsign.text import suspicion
from mcp_wallet_guard.evidence import Facts, Finding

FEE_PERCENT: Final = 20
"""A highest fee above this share of the amount is worth a warning."""

PAYEE_CONTRACT: Final = "payee.contract"
_SEVERITIES: Final = ("danger", "warning", "notice")


def findings(transfer: NativeTransfer, facts: Facts, /) -> tuple[Finding, ...]:
    """All findings, by severity, then in the order of this file."""
    found = (*_payee(transfer, facts), *_money(transfer, facts))
    return tuple(sorted(found, key=lambda finding: _SEVERITIES.index(finding.severity)))


def _payee(transfer: NativeTransfer, facts: Facts) -> Iterator[Finding]:
    lost = nobodys(transfer.payee)
    if lost is not None:
        yield Finding(code=lost, severity="danger", text=NOBODYS[lost])
    if transfer.payee == transfer.account.address:
        yield Finding(code="payee.self", severity="warning", text="The payee is this account itself.")
    if facts.payee_has_code:
        yield Finding(
            code=PAYEE_CONTRACT,
            severity="warning",
            text="The payee is a contract. What it does with the money cannot be shown.",
        )
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


def _money(transfer: NativeTransfer, facts: Facts) -> Iterator[Finding]:
    if transfer.total > facts.balance:
        yield Finding(
            code="balance.small",
            severity="warning",
            text="The account may not hold enough for the amount and its highest fee.",
        )
    if transfer.max_fee * 100 > transfer.amount * FEE_PERCENT:
        yield Finding(
            code="fee.high",
            severity="warning",
            text=f"The highest fee is more than {FEE_PERCENT} % of the amount.",
        )
    if transfer.max_fee_per_gas < facts.base_fee:
        yield Finding(
            code="fee.low",
            severity="warning",
            text="The fee is below the chain's current fee, so the payment may not be included.",
        )
    if transfer.nonce != facts.nonce:
        yield Finding(
            code="nonce.unexpected",
            severity="warning",
            text="The nonce is not the account's next one: the payment would wait, or replace another.",
        )
