"""May this happen? Default deny; deny beats freeze beats delay beats ask beats allow.

Each rule looks at the decoded bytes and gives a verdict; the strictest one decides. An unknown thing gets `deny` from
the rule that does not know it, never silence. The engine runs when an operation is frozen and again, on fresh facts,
when its approval is consumed; the second run can only refuse more. It reserves nothing.
Threat: T-006, T-007, T-025, T-099.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Protocol, final

from mcp_wallet_guard.clearsign.decode import Payment, decode, decode_call
from mcp_wallet_guard.clearsign.risks.recipients import PAYEE_CONTRACT, PAYEE_IMITATES
from mcp_wallet_guard.clearsign.rollups import counted_in
from mcp_wallet_guard.errors import OverBudget, PolicyDenied, Refused
from mcp_wallet_guard.evidence import Level, Obligations
from mcp_wallet_guard.operations.actions import Action, action_of
from mcp_wallet_guard.operations.erc20 import is_unlimited
from mcp_wallet_guard.operations.frozen import KIND_ACTION, KIND_WITHDRAWAL, FrozenOperation
from mcp_wallet_guard.operations.intents import Effect, EffectKind, called
from mcp_wallet_guard.operations.requests import request_of
from mcp_wallet_guard.operations.statements import STATEMENT_KINDS
from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.operations.withdrawals import ExchangeWithdrawal
from mcp_wallet_guard.policy.calls import call_denials, risk_denials
from mcp_wallet_guard.policy.mandates import Mandate
from mcp_wallet_guard.policy.rules import ActionRule, Policy
from mcp_wallet_guard.policy.statements import statement_denials
from mcp_wallet_guard.policy.withdrawals import check_withdrawal
from mcp_wallet_guard.proofs import Decoded, Permitted, exactly, mint


class Verdict(StrEnum):
    """What a rule, or all of them together, say."""

    DENY = "deny"
    FREEZE = "freeze"
    DELAY = "delay"
    ASK = "ask"
    ALLOW = "allow"


ORDER: Final = (Verdict.DENY, Verdict.FREEZE, Verdict.DELAY, Verdict.ASK, Verdict.ALLOW)
"""Strictest first."""

PERMITTED: Final = frozenset({Verdict.ASK, Verdict.ALLOW})
"""Verdicts that let an operation go on. Only a mandate that a person approved gives an `allow`."""


class FreshFacts(Protocol):
    """What the engine reads of a node's claims: `balance` in wei, `token_balance` in the smallest unit of the token
    that is paid, and whether the payee is a contract."""

    @property
    def balance(self) -> int: ...

    @property
    def token_balance(self) -> int | None: ...

    @property
    def payee_has_code(self) -> bool: ...


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """What other unsettled payments may still take: wei, and smallest units of the token that is paid."""

    native: int = 0
    token: int = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One rule's verdict. `code` is from `errors.CATALOGUE` for a denial; `text` is for the operator."""

    verdict: Verdict
    code: str
    text: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The strictest verdict, every reason (strictest first), and what a person must show if it is permitted."""

    verdict: Verdict
    reasons: tuple[Reason, ...]
    obligations: Obligations | None


def strictest(verdicts: tuple[Verdict, ...], /) -> Verdict:
    """The first of `ORDER` that is among `verdicts`; `deny` when there are none."""
    return min(verdicts, key=ORDER.index, default=Verdict.DENY)


def check_proposal(policy: Policy | None, effect: Effect, /) -> None:
    """The cheap check on what is asked, before the node is asked anything.

    Raises PolicyDenied: "policy.missing", "policy.undecodable", "policy.payee", "policy.cap", "policy.token",
    "policy.unlimited", "policy.contract".
    """
    if policy is None:
        raise PolicyDenied("policy.missing")
    call = called(effect)
    if call is not None:
        is_approval = effect.kind == EffectKind.TOKEN_APPROVAL
        reasons = tuple(_token(policy, effect.to, call.party, call.amount, is_approval=is_approval))
    elif effect.kind == EffectKind.TRANSFER and not effect.data:
        reasons = tuple(_transfer(policy, effect.to, effect.value))
    elif effect.kind != EffectKind.CONTRACT_CALL:
        raise PolicyDenied("policy.undecodable")
    elif policy.contract_rule(effect.to) is None:
        raise PolicyDenied("policy.contract")
    else:
        reasons = ()  # what the call does is judged once its bytes are frozen and read
    if reasons:
        raise _refusal(reasons)


def check_action(policy: Policy | None, tool: str, /) -> ActionRule:
    """The rule of an action's tool, which may be asked for. Raises PolicyDenied: "policy.missing", "policy.action"."""
    if policy is None:
        raise PolicyDenied("policy.missing")
    rule = policy.action_rule(tool)
    if rule is None:
        raise PolicyDenied("policy.action")
    return rule


def decide(
    policy: Policy | None,
    decoded: Decoded,
    /,
    *,
    facts: FreshFacts | None,
    reserved: Reserved,
    mandates: tuple[Mandate, ...] = (),
) -> Decision:
    """The decision about a decoded operation. `mandates` are those that a person approved and that may be used now,
    through the tool that asks; without them every payment is asked. Actions and statements have no such facts, and no
    mandate."""
    operation = exactly(Decoded, decoded).operation
    if policy is None:
        denial = Reason(verdict=Verdict.DENY, code="policy.missing", text="no policy is sealed")
        return Decision(verdict=Verdict.DENY, reasons=(denial,), obligations=None)
    mandate: Mandate | None = None
    level = policy.level
    if operation.kind == KIND_ACTION:
        reasons = (*_action(policy, action_of(operation)), _asked(level))
    elif operation.kind in STATEMENT_KINDS:
        reasons = (*_statement(policy, decoded), *_imitation(decoded), _asked(level))
    elif operation.kind == KIND_WITHDRAWAL:
        # What leaves a venue is under no key of the wallet, so no setting and no mandate takes its factor away.
        level = max(level, Level.FACTOR)
        reasons = (*_withdrawal(policy, operation), _asked(level))
    elif facts is None:
        reasons = (_deny("policy.denied", "nothing is known about the chain"),)
    else:
        rule = policy.token_rule(operation.transaction.to)
        called = decoded.view.kind == "contract_call"
        read = decode_call(operation) if called else decode(operation, token=None if rule is None else rule.token)
        payment = replace(read, data_fee=counted_in(decoded.view))
        mandate = None if called else _mandate(mandates, payment, decoded)
        reasons = (
            *(_call(policy, decoded, payment) if called else _payment(policy, payment)),
            *_fee(policy, payment),
            *_balance(payment, facts, reserved),
            *(() if called else (*_risks(decoded), *_contract(decoded, facts))),
            *_imitation(decoded),
            _asked(level) if mandate is None else _covered(mandate),
        )
    ordered = tuple(sorted(reasons, key=lambda reason: ORDER.index(reason.verdict)))
    verdict = strictest(tuple(reason.verdict for reason in ordered))
    return Decision(verdict=verdict, reasons=ordered, obligations=_obligations(verdict, level, mandate))


def check_permitted(
    policy: Policy | None,
    decoded: Decoded,
    /,
    *,
    revision: int,
    facts: FreshFacts | None,
    reserved: Reserved,
    mandates: tuple[Mandate, ...] = (),
) -> Permitted:
    """Step 4: the sealed `policy` with this `revision` permits the operation, under the obligations inside. `mandates`
    as for `decide`.

    Raises PolicyDenied with the strictest reason's code, or OverBudget("over_balance") when amount, highest fee and
    `reserved` together exceed the balance.
    """
    decision = decide(policy, decoded, facts=facts, reserved=reserved, mandates=mandates)
    if decision.obligations is None:
        raise _refusal(decision.reasons)
    return mint(
        Permitted,
        operation_digest=decoded.operation.digest,
        view_hash=decoded.view_hash,
        policy_revision=revision,
        obligations=decision.obligations,
    )


def check_same_revision(*, approved: int, in_force: int) -> None:
    """Raises PolicyDenied("policy.changed") unless the approval was given under the policy in force. Threat: T-099."""
    if approved != in_force:
        raise PolicyDenied("policy.changed", detail=f"approved under revision {approved}, in force is {in_force}")


def explain(decision: Decision, /) -> str:
    """The decision in lines for the operator. Holds no text from outside."""
    lines = [f"{decision.verdict.value}"]
    if decision.obligations is not None and decision.obligations.mandate is None:
        people = decision.obligations.approvers
        lines[0] += f": {people} {'person' if people == 1 else 'people'} at {decision.obligations.level.name}"
    return "\n".join([*lines, *(f"- {r.verdict.value} ({r.code}): {r.text}" for r in decision.reasons)])


def _mandate(mandates: tuple[Mandate, ...], payment: Payment, decoded: Decoded) -> Mandate | None:
    found = frozenset(finding.code for finding in decoded.view.findings)
    return next((mandate for mandate in mandates if mandate.covers(payment, found)), None)


def _asked(level: Level) -> Reason:
    return Reason(verdict=Verdict.ASK, code="policy.level", text=f"a person must show {level.name}")


def _covered(mandate: Mandate) -> Reason:
    return Reason(verdict=Verdict.ALLOW, code="policy.mandate", text=f"the mandate {mandate.name!r} covers it")


def _obligations(verdict: Verdict, level: Level, mandate: Mandate | None) -> Obligations | None:
    if verdict not in PERMITTED:
        return None
    return Obligations(level=level) if mandate is None else Obligations(level=Level.NONE, mandate=mandate.id)


def _action(policy: Policy, action: Action) -> Iterator[Reason]:
    if policy.action_rule(action.tool) is None:
        yield _deny("policy.action", f"the tool {action.tool} may not be asked for")


def _statement(policy: Policy, decoded: Decoded) -> Iterator[Reason]:
    for code, words in statement_denials(policy, decoded.operation, decoded.view):
        yield _deny(code, words)


def _withdrawal(policy: Policy, operation: FrozenOperation) -> Iterator[Reason]:
    """What the bytes ask for, and where they are sent, is what the settings in force allow."""
    request = request_of(operation)
    fields = request.fields
    asked = ExchangeWithdrawal(
        venue=request.venue,
        asset=fields.asset,
        network=fields.network,
        to=fields.address,
        memo=fields.memo,
        amount=fields.amount,
    )
    try:
        venue, _, _ = check_withdrawal(policy.venues, asked)
    except PolicyDenied as error:
        yield _deny(error.code, error.detail or "the settings do not allow it")
        return
    sent = (request.format, request.endpoint, request.label, fields.wallet, fields.window_ms)
    if sent != (venue.kind, venue.endpoint, venue.label, venue.wallet, venue.window_ms):
        yield _deny("policy.venue", "the request goes elsewhere than the settings say")


def _payment(policy: Policy, payment: Payment) -> Iterator[Reason]:
    if payment.token is None or payment.token.address is None:
        yield from _transfer(policy, payment.payee, payment.amount)
    else:
        is_approval = payment.kind is EffectKind.TOKEN_APPROVAL
        yield from _token(policy, payment.token.address, payment.payee, payment.amount, is_approval=is_approval)


def _call(policy: Policy, decoded: Decoded, payment: Payment) -> Iterator[Reason]:
    for code, words in call_denials(policy, decoded.view, contract=payment.payee, value=payment.amount):
        yield _deny(code, words)


def _transfer(policy: Policy, payee: Address, amount: int) -> Iterator[Reason]:
    yield from _payee(policy, payee)
    if amount > policy.max_per_transaction:
        yield _deny("policy.cap", f"{amount} wei is above {policy.max_per_transaction} wei for one payment")


def _token(policy: Policy, contract: Address, payee: Address, amount: int, *, is_approval: bool) -> Iterator[Reason]:
    """Threat: T-028. A limit that is not one is refused whatever the cap."""
    yield from _payee(policy, payee)
    rule = policy.token_rule(contract)
    if rule is None:
        yield _deny("policy.token", f"the token {contract} may not be spent")
        return
    if is_approval and not policy.approvals and amount:
        yield _deny("policy.token", "nobody may be allowed to take tokens")
    if is_approval and is_unlimited(amount):
        yield _deny("policy.unlimited", f"an approval of {amount} units has no limit")
    if amount > rule.cap:
        yield _deny("policy.cap", f"{amount} units are above {rule.cap} units of {rule.token.symbol} for one payment")


def _payee(policy: Policy, payee: Address) -> Iterator[Reason]:
    if not policy.allows_payee(payee):
        yield _deny("policy.payee", f"{payee} may not be paid")


def _fee(policy: Policy, payment: Payment) -> Iterator[Reason]:
    if policy.max_fee is not None and payment.counted_fee > policy.max_fee:
        yield _deny("policy.cap", f"a fee of up to {payment.counted_fee} wei is above {policy.max_fee} wei")


def _balance(payment: Payment, facts: FreshFacts, reserved: Reserved) -> Iterator[Reason]:
    if reserved.native < 0 or payment.total + reserved.native > facts.balance:
        total = f"{payment.total} wei and {reserved.native} wei reserved"
        yield _deny("over_balance", f"{total} exceed the balance of {facts.balance} wei")
    if payment.kind is not EffectKind.TOKEN_TRANSFER:
        return
    if reserved.token < 0 or payment.amount + reserved.token > (facts.token_balance or 0):
        total = f"{payment.amount} units and {reserved.token} units reserved"
        yield _deny("over_balance", f"{total} exceed the balance of {facts.token_balance} units")


def _imitation(decoded: Decoded) -> Iterator[Reason]:
    if any(finding.code == PAYEE_IMITATES for finding in decoded.view.findings):
        yield _deny("policy.imitation", "the payee's address looks like a known one and is another")


def _risks(decoded: Decoded) -> Iterator[Reason]:
    for code, words in risk_denials(decoded.view):
        yield _deny(code, words)


def _contract(decoded: Decoded, facts: FreshFacts) -> Iterator[Reason]:
    shown = any(finding.code == PAYEE_CONTRACT for finding in decoded.view.findings)
    if facts.payee_has_code and not shown:
        yield _deny("policy.denied", "the payee became a contract after the person's view was made")


def _deny(code: str, text: str) -> Reason:
    return Reason(verdict=Verdict.DENY, code=code, text=text)


def _refusal(reasons: tuple[Reason, ...]) -> Refused:
    first = reasons[0]
    kind = OverBudget if first.code == "over_balance" else PolicyDenied
    return kind(first.code, detail="; ".join(reason.text for reason in reasons))
