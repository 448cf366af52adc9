"""What the policy says about messages, typed data and authorizations: what may be signed that is no transaction.

Whoever has the signature hands it in when they like, so nothing here is permitted by leaving it out of the settings.
Typed data may do only what the owner would have let the account do by itself; what it counts for, and for which chain
and contract, is read from the bytes. Nothing here is ever covered by a mandate.
Threat: T-028, T-029, T-032, T-034, T-035.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from mcp_wallet_guard.clearsign.tree import Clarity
from mcp_wallet_guard.confirmation import ConfirmationView, ViewEffect
from mcp_wallet_guard.errors import InvalidInput, PolicyDenied
from mcp_wallet_guard.operations.authorizations import parse_authorization
from mcp_wallet_guard.operations.frozen import FrozenOperation
from mcp_wallet_guard.operations.statements import KIND_AUTHORIZATION, KIND_MESSAGE, StatementEffect
from mcp_wallet_guard.operations.typed_data import parse_typed_data
from mcp_wallet_guard.policy.calls import Denial, party_denials, risk_denials, token_denials
from mcp_wallet_guard.policy.rules import Policy

_TAKES: Final = frozenset({"out", "allow"})


def check_statement(policy: Policy | None, effect: StatementEffect, /) -> None:
    """The cheap check on what is asked, before it is read. Raises PolicyDenied("policy.missing", "policy.message")."""
    if policy is None:
        raise PolicyDenied("policy.missing")
    for code, detail in _kind(policy, effect.kind):
        raise PolicyDenied(code, detail=detail)


def statement_denials(policy: Policy, operation: FrozenOperation, view: ConfirmationView, /) -> Iterator[Denial]:
    """Why the policy does not permit signing the frozen statement that `view` shows."""
    yield from _kind(policy, operation.kind)
    if Clarity(view.level) is not Clarity.CLEAR:
        yield "policy.blind", f"the statement is {view.level}"
    yield from risk_denials(view)
    try:
        if operation.kind == KIND_AUTHORIZATION:
            yield from _authorization(policy, operation)
        elif operation.kind != KIND_MESSAGE:
            yield from _domain(operation)
            yield from _effects(policy, view)
    except InvalidInput:
        yield "policy.undecodable", "the frozen bytes do not parse"


def _kind(policy: Policy, kind: str) -> Iterator[Denial]:
    if kind == KIND_AUTHORIZATION:
        return  # which delegates are trusted is asked of the bytes
    if not (policy.messages if kind == KIND_MESSAGE else policy.typed_data):
        yield "policy.message", f"signing of the kind {kind} is not asked about"


def _authorization(policy: Policy, operation: FrozenOperation) -> Iterator[Denial]:
    found = parse_authorization(operation.unsigned_bytes)
    if found.chain_number != operation.account.chain.number:
        yield "policy.risk", f"the authorization is for the chain {found.chain_number}"
    if not found.is_revocation and found.delegate not in policy.delegates:
        yield "policy.risk", f"the delegate {found.delegate} is not trusted"


def _domain(operation: FrozenOperation) -> Iterator[Denial]:
    domain = parse_typed_data(operation.unsigned_bytes).domain
    if domain.chain_id != operation.account.chain.number:
        yield "policy.risk", f"the typed data is for the chain {domain.chain_id}"
    if domain.verifying_contract is None:
        yield "policy.risk", "the typed data names no contract"


def _effects(policy: Policy, view: ConfirmationView) -> Iterator[Denial]:
    if not view.effects:
        yield "policy.blind", "nothing says what the typed data does"
    taken: dict[str, int] = defaultdict(int)
    for effect in view.effects:
        if effect.direction == "control":
            yield "policy.control", f"{effect.control} is never asked about as typed data"
        elif effect.direction in _TAKES:
            yield from _taking(policy, effect)
            taken[effect.asset or ""] += int(effect.raw or 0)
    for rule in policy.tokens:
        if taken[rule.token.id] > rule.cap:
            yield "policy.cap", f"{taken[rule.token.id]} units are above {rule.cap} units of {rule.token.symbol}"


def _taking(policy: Policy, effect: ViewEffect) -> Iterator[Denial]:
    if effect.owner is not None and effect.owner.relation != "self":
        yield "policy.risk", f"it speaks for {effect.owner.address}"
    yield from party_denials(policy, effect, contract=None)
    yield from token_denials(policy, effect)
