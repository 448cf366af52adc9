"""What the policy says about a contract call: each rule looks at the effects that were decoded from the bytes.

A call may do only what the owner would have let the account do by itself: tokens that the policy names, under their
caps, to payees or to the named contract. What moves in another way is denied, and so is what nobody can read.
Threat: T-020, T-028, T-036.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mcp_wallet_guard.clearsign.risks.table import REFUSED
from mcp_wallet_guard.clearsign.tree import Clarity
from mcp_wallet_guard.confirmation import ConfirmationView, ViewEffect
from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.policy.contracts import ContractRule
from mcp_wallet_guard.policy.rules import Policy, TokenRule

Denial = tuple[str, str]
"""A code of the catalogue, and words for the operator."""

_NATIVE: Final = "/slip44:60"
_PARTIES: Final = frozenset({"out", "allow"})


def call_denials(policy: Policy, view: ConfirmationView, /, *, contract: Address, value: int) -> Iterator[Denial]:
    """Why the policy does not permit the call that `view` shows. `value` is the wei that go with it."""
    rule = policy.contract_rule(contract)
    if rule is None:
        yield "policy.contract", f"the contract {contract} may not be called"
        return
    if not rule.reads(Clarity(view.level)):
        yield "policy.blind", f"the call is {view.level}, and {rule.name!r} asks for {rule.readable.value}"
    yield from risk_denials(view)
    if value > policy.max_per_transaction:
        yield "policy.cap", f"{value} wei is above {policy.max_per_transaction} wei for one payment"
    for effect in view.effects:
        yield from _effect(policy, rule, effect)


def risk_denials(view: ConfirmationView, /) -> Iterator[Denial]:
    """What `view` shows that nobody is asked about."""
    for finding in view.findings:
        if finding.code in REFUSED:
            yield "policy.risk", f"{finding.code} at {finding.path or 'the top'}"


def _effect(policy: Policy, rule: ContractRule, effect: ViewEffect) -> Iterator[Denial]:
    if effect.direction == "control":
        if not rule.control:
            yield "policy.control", f"{effect.control} is not asked about for {rule.name!r}"
        return
    own = effect.owner is None or effect.owner.relation == "self"
    if effect.direction not in _PARTIES or not own:
        return
    yield from party_denials(policy, effect, contract=rule.address)
    if effect.asset is not None and effect.asset.endswith(_NATIVE):
        return  # the transaction's own value is what leaves, and is counted whole
    yield from token_denials(policy, effect)


def party_denials(policy: Policy, effect: ViewEffect, /, *, contract: Address | None) -> Iterator[Denial]:
    """Why whoever gets what the effect is about may not: nobody but a payee, the account itself, and the `contract`
    that is called."""
    if effect.counterparty is None:
        yield "policy.payee", "nobody knows who gets it"
        return
    address = Address(effect.counterparty.address)
    # What is sent to a token's own contract is lost, also where that contract may be called.
    is_token = effect.asset is not None and effect.asset.endswith(f"erc20:{address.value.lower()}")
    may_get = (address == contract and not is_token) or effect.counterparty.relation == "self"
    if not may_get and not policy.allows_payee(address):
        yield "policy.payee", f"{address} may not be paid"


def token_denials(policy: Policy, effect: ViewEffect, /) -> Iterator[Denial]:
    """Why so much of what the effect is about may not leave, or be taken."""
    token = _rule_of(policy, effect)
    if token is None:
        yield "policy.token", f"the asset {effect.asset} may not be spent"
        return
    units = None if effect.raw is None else int(effect.raw)
    if effect.direction == "allow" and not policy.approvals and units != 0:
        yield "policy.token", "nobody may be allowed to take tokens"
    if effect.unlimited or units is None:
        yield "policy.unlimited", f"no number bounds {effect.asset}"
    elif units > token.cap:
        yield "policy.cap", f"{units} units are above {token.cap} units of {token.token.symbol} for one payment"


def _rule_of(policy: Policy, effect: ViewEffect) -> TokenRule | None:
    return next((rule for rule in policy.tokens if rule.token.id == effect.asset), None)
