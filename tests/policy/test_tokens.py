"""Tokens: only those that the policy names, up to each one's cap, and nothing that has no limit.

Threat: T-025, T-028.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.clearsign.risks.known import Known, NodeClaims
from mcp_wallet_guard.clearsign.view import check_decoded
from mcp_wallet_guard.errors import GuardError, Misconfigured, OverBudget, PolicyDenied
from mcp_wallet_guard.evidence import Level
from mcp_wallet_guard.operations.erc20 import Function
from mcp_wallet_guard.operations.intents import Effect
from mcp_wallet_guard.operations.values import UINT256_MAX, Address, Asset, BaseUnits
from mcp_wallet_guard.policy.engine import Reserved, check_permitted, check_proposal, decide
from mcp_wallet_guard.policy.rules import ANY, MAX_TOKENS, Payee, Policy, TokenRule
from tests.clearsign.transfers import (
    CHAIN,
    ETHER,
    GWEI,
    PAYEE,
    STRANGER,
    USDC,
    effect,
    facts,
    freeze,
    token_effect,
    token_facts,
    token_freeze,
)

CAP = 100_000_000
FEE = 60_000 * 20 * GWEI
RULE = TokenRule(token=USDC, cap=BaseUnits(CAP))
NOTHING = Reserved()
DAI = Asset(CHAIN, "DAI", 18, Address("0x6B175474E89094C44Da98b954EedeAC495271d0F"))


@dataclass(frozen=True)
class Fresh:
    balance: int = ETHER
    token_balance: int | None = 10 * CAP
    payee_has_code: bool = False


def policy(**changes: Any) -> Policy:
    values: dict[str, Any] = {
        "payees": (Payee(name="Alice", address=PAYEE),), "max_per_transaction": ETHER // 10, "level": Level.FACTOR,
        "tokens": (RULE,), "approvals": True,
    }  # fmt: skip
    return Policy(**(values | changes))


def approval(**changes: Any) -> Effect:
    return token_effect(function=Function.APPROVE, **changes)


def refusal(
    rules: Policy, asked: Effect, *, fresh: Fresh = Fresh(), reserved: Reserved = NOTHING, **shown: Any
) -> GuardError:
    about = check_decoded(token_freeze(asked), token_facts(**shown), effect=asked)
    with pytest.raises(GuardError) as refused:
        check_permitted(rules, about, revision=1, facts=fresh, reserved=reserved)
    return refused.value


def permit(rules: Policy, asked: Effect, *, fresh: Fresh = Fresh(), reserved: Reserved = NOTHING) -> None:
    check_proposal(rules, asked)
    about = check_decoded(token_freeze(asked), token_facts(), effect=asked)
    proof = check_permitted(rules, about, revision=1, facts=fresh, reserved=reserved)
    assert proof.obligations.level is Level.FACTOR


def proposal_refused(rules: Policy, asked: Effect) -> PolicyDenied:
    with pytest.raises(PolicyDenied) as refused:
        check_proposal(rules, asked)
    return refused.value


@pytest.mark.parametrize("amount", [1, CAP - 1, CAP])
def test_a_token_is_paid_up_to_its_cap(amount: int) -> None:
    permit(policy(), token_effect(amount=amount))
    permit(policy(payees=ANY), token_effect(amount=amount, party=STRANGER))
    permit(policy(approvals=False), token_effect(amount=amount))


@pytest.mark.parametrize(
    ("rules", "asked", "code"),
    [
        (policy(), token_effect(amount=CAP + 1), "policy.cap"),
        (policy(), token_effect(party=STRANGER), "policy.payee"),
        (policy(payees=ANY), token_effect(party=USDC.address), "policy.payee"),
        (policy(payees=ANY), token_effect(party=Address.from_bytes(bytes(20))), "policy.payee"),
        (policy(), approval(amount=CAP + 1), "policy.cap"),
        (policy(), approval(party=STRANGER), "policy.payee"),
        (policy(), approval(amount=UINT256_MAX), "policy.unlimited"),
        (policy(), approval(amount=2**255), "policy.unlimited"),
        (policy(), approval(amount=2**96 - 1), "policy.unlimited"),
        (policy(approvals=False), approval(), "policy.token"),
        (policy(approvals=False), approval(amount=UINT256_MAX), "policy.token"),
    ],
)
def test_what_is_not_named_or_too_much_is_refused_at_the_proposal_and_on_the_bytes(
    rules: Policy, asked: Effect, code: str
) -> None:
    assert proposal_refused(rules, asked).code == code
    error = refusal(rules, asked)
    assert (type(error), error.code) == (PolicyDenied, code)


def test_an_approval_without_a_limit_is_refused_whatever_the_cap() -> None:
    """Threat: T-028. The attack succeeds on the chain where nobody refuses it: tests/chains/test_tokens.py."""
    generous = policy(tokens=(TokenRule(token=USDC, cap=BaseUnits(UINT256_MAX)),))
    for amount in (2**96 - 1, 2**160 - 1, 2**255, UINT256_MAX):
        assert proposal_refused(generous, approval(amount=amount)).code == "policy.unlimited"
        assert refusal(generous, approval(amount=amount)).code == "policy.unlimited"
    permit(generous, approval(amount=2**96))
    permit(generous, token_effect(amount=2**96 - 1), fresh=Fresh(token_balance=2**96))


@pytest.mark.parametrize("approvals", [True, False])
def test_an_approval_can_always_be_taken_back(approvals: bool) -> None:
    permit(policy(approvals=approvals), approval(amount=0))
    permit(policy(approvals=approvals), approval(amount=0, party=STRANGER))
    assert proposal_refused(policy(), token_effect(amount=1, party=STRANGER)).code == "policy.payee"


def test_an_approval_up_to_the_cap_is_asked() -> None:
    permit(policy(), approval(amount=CAP))


def test_a_token_without_a_rule_is_not_spent() -> None:
    rules = policy(tokens=(TokenRule(token=DAI, cap=BaseUnits(1)),))
    error = proposal_refused(rules, token_effect())
    assert (error.code, error.detail) == ("policy.token", f"the token {USDC.address} may not be spent")
    assert refusal(rules, token_effect()).code == "policy.undecodable"


def test_every_reason_is_in_the_detail() -> None:
    assert proposal_refused(policy(approvals=False), approval(party=STRANGER, amount=2**255)).detail == (
        f"{STRANGER} may not be paid; nobody may be allowed to take tokens; "
        f"an approval of {2**255} units has no limit; {2**255} units are above {CAP} units of USDC for one payment"
    )


def test_a_contract_that_the_policy_does_not_name_is_not_called() -> None:
    """Threat: T-020."""
    assert proposal_refused(policy(), token_effect(kind="contract_call")).code == "policy.contract"


@pytest.mark.parametrize("changes", [{"kind": "transfer"}, {"kind": "zzz"}, {"data": b"\x01" * 68}])
def test_a_kind_that_is_not_that_of_the_bytes_is_refused(changes: dict[str, Any]) -> None:
    """Threat: T-020."""
    assert proposal_refused(policy(), token_effect(**changes)).code == "policy.undecodable"


# --- balances -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fresh", "reserved", "detail"),
    [
        (
            Fresh(token_balance=2_499_999),
            Reserved(),
            "2500000 units and 0 units reserved exceed the balance of 24",
        ),
        (Fresh(token_balance=None), Reserved(), "2500000 units and 0 units reserved exceed the balance of None"),
        (Fresh(token_balance=2_500_004), Reserved(token=5), "2500000 units and 5 units reserved exceed"),
        (Fresh(), Reserved(token=-1), "2500000 units and -1 units reserved exceed"),
        (Fresh(balance=FEE - 1), Reserved(), f"{FEE} wei and 0 wei reserved exceed the balance of {FEE - 1} wei"),
        (Fresh(balance=FEE + 4), Reserved(native=5), f"{FEE} wei and 5 wei reserved exceed"),
    ],
)
def test_amount_and_fee_must_fit_their_balances(fresh: Fresh, reserved: Reserved, detail: str) -> None:
    error = refusal(policy(), token_effect(), fresh=fresh, reserved=reserved)
    assert (type(error), error.code) == (OverBudget, "over_balance")
    assert error.detail.startswith(detail)


def test_what_fits_exactly_is_permitted() -> None:
    fresh = Fresh(balance=FEE + 5, token_balance=2_500_007)
    permit(policy(), token_effect(), fresh=fresh, reserved=Reserved(native=5, token=7))


def test_an_approval_needs_no_tokens_yet() -> None:
    permit(policy(), approval(), fresh=Fresh(token_balance=None), reserved=Reserved(token=-1))


@given(amount=st.integers(1, 2 * CAP), cap=st.integers(1, 2 * CAP), held=st.integers(0, 2 * CAP))
def test_exactly_what_fits_every_rule_is_asked(amount: int, cap: int, held: int) -> None:
    asked = token_effect(amount=amount)
    about = check_decoded(token_freeze(asked), token_facts(), effect=asked)
    rules = policy(tokens=(TokenRule(token=USDC, cap=BaseUnits(cap)),))
    decision = decide(rules, about, facts=Fresh(token_balance=held), reserved=Reserved())
    assert (decision.obligations is not None) == (amount <= cap and amount <= held)


# --- addresses that look like known ones --------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [token_effect(), approval()])
def test_a_payee_that_looks_like_a_known_one_is_refused(asked: Effect) -> None:
    """Threat: T-025."""
    assert refusal(policy(), asked, imitates="Bob").code == "policy.imitation"


def test_the_same_for_native_currency_and_its_honest_twin() -> None:
    about = check_decoded(freeze(effect()), facts(imitates="Bob"), effect=effect())
    with pytest.raises(PolicyDenied) as refused:
        check_permitted(policy(), about, revision=1, facts=Fresh(), reserved=Reserved())
    assert refused.value.code == "policy.imitation"
    honest = check_decoded(freeze(effect()), facts(), effect=effect())
    check_permitted(policy(), honest, revision=1, facts=Fresh(), reserved=Reserved())


@pytest.mark.parametrize("asked", [token_effect(), approval()])
def test_an_address_on_a_block_list_is_refused_and_its_honest_twin_is_not(asked: Effect) -> None:
    """Threat: T-025."""
    assert refusal(policy(), asked, blocked=(PAYEE,)).code == "policy.blocked"
    about = check_decoded(token_freeze(asked), token_facts(blocked=(STRANGER,)), effect=asked)
    check_permitted(policy(), about, revision=1, facts=Fresh(), reserved=Reserved())


def test_a_payment_that_a_check_refuses_is_denied_whoever_may_be_paid() -> None:
    """Threat: T-042. The node says that it is on another chain than the wallet's."""
    known = Known(chain=str(CHAIN), node=NodeClaims(chain="eip155:1")).to_json()
    decision = decide(
        policy(), check_decoded(freeze(effect()), facts(known=known), effect=effect()), facts=Fresh(), reserved=NOTHING
    )
    assert decision.reasons[0].code == "policy.risk"
    assert decision.obligations is None


# --- the rules themselves -----------------------------------------------------------------------------------------


def test_a_rule_is_found_by_its_contract() -> None:
    rules = policy(tokens=(RULE, TokenRule(token=DAI, cap=BaseUnits(7))))
    assert USDC.address is not None
    assert DAI.address is not None
    assert rules.token_rule(USDC.address) == RULE
    assert rules.token_rule(DAI.address) == TokenRule(token=DAI, cap=BaseUnits(7))
    assert rules.token_rule(PAYEE) is None
    assert policy(tokens=()).token_rule(USDC.address) is None


@pytest.mark.parametrize(
    ("tokens", "detail"),
    [
        ([RULE], f"tokens: at most {MAX_TOKENS}"),
        (None, f"tokens: at most {MAX_TOKENS}"),
        ((RULE,) * (MAX_TOKENS + 1), f"tokens: at most {MAX_TOKENS}"),
        ((USDC,), "tokens: an entry is not a rule"),
        ((RULE, replace(RULE, cap=BaseUnits(1))), "tokens: a token is there twice"),
    ],
)
def test_rules_that_grant_by_accident_are_refused(tokens: Any, detail: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        policy(tokens=tokens)
    assert refused.value.detail == detail


@pytest.mark.parametrize("cap", [0, -1, UINT256_MAX + 1, 1.0, None, True])
def test_a_cap_is_a_positive_amount(cap: Any) -> None:
    with pytest.raises(Misconfigured) as refused:
        TokenRule(token=USDC, cap=cap)
    assert refused.value.detail == "tokens.USDC: is not a positive amount"


@pytest.mark.parametrize("token", [None, "USDC", Asset(CHAIN, "ETH", 18)])
def test_a_rule_is_about_a_pinned_token(token: Any) -> None:
    with pytest.raises(Misconfigured) as refused:
        TokenRule(token=token, cap=BaseUnits(1))
    assert refused.value.detail == "tokens: not a pinned token"


def test_tokens_approvals_and_limits_are_granted_only_where_they_are_named() -> None:
    least = Policy(payees=ANY, max_per_transaction=BaseUnits(1), level=Level.FACTOR)
    assert (least.tokens, least.approvals, least.limits) == ((), False, ())


def test_as_many_tokens_as_the_limit_says() -> None:
    many = tuple(
        TokenRule(token=Asset(CHAIN, "T", 0, Address.from_bytes(number.to_bytes(20))), cap=BaseUnits(1))
        for number in range(1, MAX_TOKENS + 1)
    )
    assert policy(tokens=many).tokens == many
