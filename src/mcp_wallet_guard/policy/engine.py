"""May this happen? Default deny; deny beats freeze beats delay beats ask beats allow.

Each rule looks at the decoded bytes and gives a verdict; the strictest one decides. An unknown thing gets `deny` from
the rule that does not know it, never silence. The engine runs when an operation is frozen and again, on fresh facts,
when its approval is consumed; the second run can only refuse more. It reserves nothing.
Threat: T-006, T-007, T-025, T-099.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol, final

from mcp_wallet_guard.clearsign.decode import NativeTransfer, decode
from mcp_wallet_guard.clearsign.findings import PAYEE_CONTRACT
from mcp_wallet_guard.errors import OverBudget, PolicyDenied, Refused
from mcp_wallet_guard.evidence import Obligations
from mcp_wallet_guard.operations.intents import Effect
from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.policy.rules import Policy
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

PERMITTED: Final = frozenset({Verdict.ASK})
"""Verdicts that let an operation go on. Every spend is asked: an `allow` needs a mandate that a person approved."""


class FreshFacts(Protocol):
    """What the engine reads of a node's claims: `balance` in wei, and whether the payee is a contract."""

    @property
    def balance(self) -> int: ...

    @property
    def payee_has_code(self) -> bool: ...


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

    Raises PolicyDenied: "policy.missing", "policy.undecodable", "policy.payee", "policy.cap".
    """
    if policy is None:
        raise PolicyDenied("policy.missing")
    if effect.kind != "transfer" or effect.data:
        raise PolicyDenied("policy.undecodable")
    reasons = tuple(_payment(policy, effect.to, effect.value))
    if reasons:
        raise _refusal(reasons)


def decide(policy: Policy | None, decoded: Decoded, /, *, facts: FreshFacts, reserved: int) -> Decision:
    """The decision about a decoded operation. `reserved` is wei that other unsettled payments may still take."""
    transfer = decode(exactly(Decoded, decoded).operation)
    if policy is None:
        denial = Reason(verdict=Verdict.DENY, code="policy.missing", text="no policy is sealed")
        return Decision(verdict=Verdict.DENY, reasons=(denial,), obligations=None)
    reasons = (
        *_payment(policy, transfer.payee, transfer.amount),
        *_fee(policy, transfer),
        *_balance(transfer, facts, reserved),
        *_contract(decoded, facts),
        Reason(verdict=Verdict.ASK, code="policy.level", text=f"a person must show {policy.level.name}"),
    )
    ordered = tuple(sorted(reasons, key=lambda reason: ORDER.index(reason.verdict)))
    verdict = strictest(tuple(reason.verdict for reason in ordered))
    obligations = Obligations(level=policy.level) if verdict in PERMITTED else None
    return Decision(verdict=verdict, reasons=ordered, obligations=obligations)


def check_permitted(
    policy: Policy | None, decoded: Decoded, /, *, revision: int, facts: FreshFacts, reserved: int
) -> Permitted:
    """Step 4: the sealed `policy` with this `revision` permits the operation, under the obligations inside.

    Raises PolicyDenied with the strictest reason's code, or OverBudget("over_balance") when amount, highest fee and
    `reserved` together exceed the balance.
    """
    decision = decide(policy, decoded, facts=facts, reserved=reserved)
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
    if decision.obligations is not None:
        people = decision.obligations.approvers
        lines[0] += f": {people} {'person' if people == 1 else 'people'} at {decision.obligations.level.name}"
    return "\n".join([*lines, *(f"- {r.verdict.value} ({r.code}): {r.text}" for r in decision.reasons)])


def _payment(policy: Policy, payee: Address, amount: int) -> Iterator[Reason]:
    if not policy.allows_payee(payee):
        yield _deny("policy.payee", f"{payee} may not be paid")
    if amount > policy.max_per_transaction:
        yield _deny("policy.cap", f"{amount} wei is above {policy.max_per_transaction} wei for one payment")


def _fee(policy: Policy, transfer: NativeTransfer) -> Iterator[Reason]:
    if policy.max_fee is not None and transfer.max_fee > policy.max_fee:
        yield _deny("policy.cap", f"a fee of up to {transfer.max_fee} wei is above {policy.max_fee} wei")


def _balance(transfer: NativeTransfer, facts: FreshFacts, reserved: int) -> Iterator[Reason]:
    if reserved < 0 or transfer.total + reserved > facts.balance:
        total = f"{transfer.total} wei and {reserved} wei reserved"
        yield _deny("over_balance", f"{total} exceed the balance of {facts.balance} wei")


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
