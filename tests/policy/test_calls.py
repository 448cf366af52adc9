"""What the policy says about contract calls: each rule once broken, and the call beside it that it permits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest

from mcp_wallet_guard.clearsign.contract_calls import frozen_words, spending_of
from mcp_wallet_guard.clearsign.knowledge import Sources
from mcp_wallet_guard.clearsign.risks.known import Known
from mcp_wallet_guard.clearsign.risks.table import REFUSED
from mcp_wallet_guard.clearsign.tree import Clarity
from mcp_wallet_guard.clearsign.view import check_decoded
from mcp_wallet_guard.confirmation import ConfirmationView, Finding, ViewEffect, ViewParty
from mcp_wallet_guard.errors import Misconfigured, PolicyDenied
from mcp_wallet_guard.evidence import Level
from mcp_wallet_guard.operations.abi import Value, encode
from mcp_wallet_guard.operations.abi_types import parse_function
from mcp_wallet_guard.operations.values import Address, BaseUnits
from mcp_wallet_guard.policy.calls import call_denials
from mcp_wallet_guard.policy.contracts import MAX_CONTRACTS, ContractRule, check_contracts
from mcp_wallet_guard.policy.engine import Reserved, Verdict, check_proposal, decide
from mcp_wallet_guard.policy.rules import Payee, Policy, TokenRule
from mcp_wallet_guard.proofs import Decoded
from tests.clearsign.transfers import CLAIMS, PAYEE, SENDER, STRANGER, USDC, facts, token_effect, token_freeze

CONTRACT: Final = Address.from_bytes(b"\x77" * 20)
TOKEN: Final = USDC.id
NATIVE: Final = f"{USDC.chain}/slip44:60"


def policy(*, approvals: bool = True, **rule: Any) -> Policy:
    """Calls of one contract, 100 USDC at once, half an ether, and one payee."""
    named: dict[str, Any] = {"name": "Router", "address": CONTRACT}
    return Policy(
        payees=(Payee(name="Alice", address=PAYEE),),
        max_per_transaction=BaseUnits(5 * 10**17),
        level=Level.FACTOR,
        tokens=(TokenRule(token=USDC, cap=BaseUnits(100_000_000)),),
        approvals=approvals,
        contracts=(ContractRule(**(named | rule)),),
    )


def effect(**changes: Any) -> ViewEffect:
    values: dict[str, Any] = {
        "direction": "out",
        "text": "x",
        "asset": TOKEN,
        "raw": "100000000",
        "owner": ViewParty(address=SENDER.value, relation="self"),
        "counterparty": ViewParty(address=PAYEE.value),
    }
    return ViewEffect(**(values | changes))


def view(*effects: ViewEffect, level: str = "clear", findings: tuple[Finding, ...] = ()) -> ConfirmationView:
    return ConfirmationView.model_validate(
        {
            "kind": "contract_call",
            "chain": str(USDC.chain),
            "account": "x",
            "intent": "x",
            "level": level,
            "effects": effects,
            "fields": (),
            "findings": findings,
            "operation_digest": "00",
            "expires_at": 1,
        }
    )


def codes(shown: ConfirmationView, rules: Policy | None = None, *, value: int = 0, to: Address = CONTRACT) -> list[str]:
    return [code for code, _ in call_denials(rules or policy(), shown, contract=to, value=value)]


def party(address: Address, relation: str = "unknown") -> ViewParty:
    return ViewParty.model_validate({"address": address.value, "relation": relation})


def test_a_call_of_a_named_contract_that_does_what_is_allowed_is_permitted() -> None:
    assert codes(view(effect(), effect(direction="in", raw=None)), value=5 * 10**17) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"raw": "100000001"}, ["policy.cap"]),
        ({"raw": None}, ["policy.unlimited"]),
        ({"unlimited": True}, ["policy.unlimited"]),
        ({"asset": f"{USDC.chain}/erc20:{STRANGER.value.lower()}"}, ["policy.token"]),
        ({"asset": f"{USDC.chain}/erc721:{STRANGER.value.lower()}/7"}, ["policy.token"]),
        ({"asset": None}, ["policy.token"]),
        ({"counterparty": party(STRANGER)}, ["policy.payee"]),
        ({"counterparty": None}, ["policy.payee"]),
        ({"counterparty": party(CONTRACT)}, []),
        ({"counterparty": party(SENDER, "self")}, []),
        ({"counterparty": party(STRANGER), "direction": "in"}, []),
        ({"owner": None, "counterparty": party(STRANGER)}, ["policy.payee"]),
        ({"owner": party(STRANGER), "counterparty": party(STRANGER)}, []),
        ({"asset": NATIVE, "raw": "1"}, []),
        ({"asset": NATIVE, "raw": "1", "counterparty": party(STRANGER)}, ["policy.payee"]),
        ({"direction": "allow"}, []),
        ({"direction": "allow", "unlimited": True, "raw": str(2**256 - 1)}, ["policy.unlimited"]),
        ({"direction": "control", "control": "ownership.transfer"}, ["policy.control"]),
    ],
)
def test_each_effect_is_one_that_the_policy_allows_by_itself(changes: dict[str, Any], expected: list[str]) -> None:
    """Threat: T-020, T-028."""
    assert codes(view(effect(**changes))) == expected


def test_tokens_that_go_to_their_own_contract_are_lost_also_where_it_may_be_called() -> None:
    token = Address(str(USDC.address))
    assert codes(view(effect(counterparty=party(token))), policy(address=token), to=token) == ["policy.payee"]


def test_an_allowance_takes_a_policy_that_has_allowances_and_taking_one_back_does_not() -> None:
    strict = policy(approvals=False)
    assert codes(view(effect(direction="allow", raw="1")), strict) == ["policy.token"]
    assert codes(view(effect(direction="allow", raw="0")), strict) == []


def test_control_may_be_asked_about_where_the_owner_said_so() -> None:
    assert codes(view(effect(direction="control", control="proxy.upgrade")), policy(control=True)) == []


def test_a_contract_that_is_not_named_is_the_only_reason_that_is_told() -> None:
    assert codes(view(effect(raw=None), level="blind"), to=STRANGER) == ["policy.contract"]


@pytest.mark.parametrize(
    ("readable", "level", "expected"),
    [
        ("clear", "clear", []),
        ("clear", "decoded", ["policy.blind"]),
        ("clear", "partial", ["policy.blind"]),
        ("clear", "blind", ["policy.blind"]),
        ("decoded", "clear", []),
        ("decoded", "decoded", []),
        ("decoded", "partial", ["policy.blind"]),
        ("decoded", "blind", ["policy.blind"]),
    ],
)
def test_a_call_must_be_as_readable_as_its_rule_asks(readable: str, level: str, expected: list[str]) -> None:
    """Threat: T-036."""
    assert codes(view(level=level), policy(readable=Clarity(readable))) == expected


def test_what_is_never_signed_is_denied_and_a_warning_is_not() -> None:
    never = Finding(code=min(REFUSED), severity="danger", text="x")
    assert codes(view(findings=(never,))) == ["policy.risk"]
    assert codes(view(findings=(Finding(code="payee.new", severity="danger", text="x"),))) == []


def test_the_value_of_a_call_is_capped() -> None:
    assert codes(view(), value=5 * 10**17) == []
    assert codes(view(), value=5 * 10**17 + 1) == ["policy.cap"]


def test_every_denial_is_told_with_words_for_the_owner() -> None:
    found = dict(call_denials(policy(), view(effect(raw="100000001")), contract=CONTRACT, value=0))
    assert found == {"policy.cap": "100000001 units are above 100000000 units of USDC for one payment"}


# --- the rules themselves -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "\u202e"},
        {"address": Address.from_bytes(bytes(20))},
        {"address": CONTRACT.value},
        {"readable": Clarity.PARTIAL},
        {"readable": Clarity.BLIND},
    ],
)
def test_a_rule_that_would_permit_too_much_is_refused(wrong: dict[str, Any]) -> None:
    values: dict[str, Any] = {"name": "Router", "address": CONTRACT}
    with pytest.raises(Misconfigured) as caught:
        ContractRule(**(values | wrong))
    assert caught.value.detail.startswith("contracts: ")


def test_rules_are_few_and_each_name_and_contract_is_there_once() -> None:
    one = ContractRule(name="Router", address=CONTRACT)
    many = tuple(
        ContractRule(name=f"c{number}", address=Address.from_bytes(b"\x77" * 18 + number.to_bytes(2)))
        for number in range(MAX_CONTRACTS + 1)
    )
    check_contracts((one,))
    check_contracts(many[:-1])
    for wrong in (
        many,
        (one, ContractRule(name="ROUTER", address=STRANGER)),
        (one, ContractRule(name="Other", address=CONTRACT)),
        ("Router",),
    ):
        with pytest.raises(Misconfigured):
            check_contracts(wrong)  # type: ignore[arg-type]  # callers without a type checker exist


def test_a_policy_knows_its_contracts_alone() -> None:
    rules = policy()
    found = rules.contract_rule(CONTRACT)
    assert found is not None
    assert (found.name, found.readable, found.control) == ("Router", Clarity.CLEAR, False)
    assert rules.contract_rule(STRANGER) is None


# --- in the engine ------------------------------------------------------------------------------------------------

CALLED: Final = token_effect(kind="contract_call", to=CONTRACT)


def decoded_call(**changes: Any) -> Decoded:
    """A `transfer` that a contract which is no pinned token is asked for, as it is frozen and shown."""
    operation = token_freeze(CALLED, **changes)
    known = Known()
    words = frozen_words(operation, Sources(), known=known, index=None)
    return check_decoded(operation, facts(names=words.names, known=words.known.to_json()), effect=CALLED)


def test_a_call_is_judged_by_what_its_bytes_do_and_by_its_fee() -> None:
    check_proposal(policy(), CALLED)
    decision = decide(policy(readable=Clarity.DECODED), decoded_call(), facts=CLAIMS, reserved=Reserved())
    denied = [reason.code for reason in decision.reasons if reason.verdict is Verdict.DENY]
    assert denied == ["policy.token"], "what is moved is a token that nobody pinned"
    dear = decide(policy(), decoded_call(gas=2**32 - 1), facts=CLAIMS, reserved=Reserved())
    assert {"over_balance", "policy.token"} <= {reason.code for reason in dear.reasons}


def test_a_call_of_a_contract_that_is_not_named_is_no_proposal() -> None:
    with pytest.raises(PolicyDenied) as refused:
        check_proposal(policy(address=STRANGER), CALLED)
    assert refused.value.code == "policy.contract"


# --- taking allowances back ---------------------------------------------------------------------------------------

PERMIT2: Final = Address("0x000000000022D473030F116dDEE9F6B43aC78BA3")
TOKENS: Final = Address(str(USDC.address))
LOWERED: Final = ViewEffect(direction="allow", text="x", raw="0", counterparty=party(STRANGER))


@pytest.mark.parametrize(
    "lowered",
    [
        effect(direction="allow", raw="0", counterparty=party(STRANGER)),
        effect(direction="allow", raw=None, bound="at_most", counterparty=party(STRANGER)),
        effect(direction="allow", raw="0", asset=f"{USDC.chain}/erc721:{STRANGER.value.lower()}"),
    ],
)
@pytest.mark.parametrize("approvals", [True, False])
def test_an_allowance_can_be_taken_back_from_anybody_of_any_token(lowered: ViewEffect, approvals: bool) -> None:
    """It lowers what can be lost, and makes nobody a payee."""
    assert codes(view(lowered), policy(approvals=approvals)) == []
    more = lowered.model_copy(update={"raw": "1"})
    assert codes(view(more, effect(counterparty=party(STRANGER))), policy(approvals=approvals)) != []


@pytest.mark.parametrize("level", ["decoded", "partial", "blind"])
def test_a_zero_that_nobody_can_read_for_sure_takes_nothing_back(level: str) -> None:
    """Threat: T-028. `approve(thief, 0)` at a collection lets the thief take the token with the number 0."""
    shown = view(effect(direction="allow", raw="0", counterparty=party(STRANGER)), level=level)
    assert "policy.payee" in codes(shown, policy(readable=Clarity.DECODED))


@pytest.mark.parametrize("to", [PERMIT2, TOKENS])
def test_where_allowances_are_kept_taking_them_back_needs_no_rule_and_anything_else_does(to: Address) -> None:
    assert codes(view(LOWERED), to=to) == []
    assert codes(view(LOWERED, effect()), to=to) == ["policy.contract"]
    assert codes(view(), to=to) == ["policy.contract"]
    assert codes(view(LOWERED), to=to, value=1) == ["policy.contract"]
    assert codes(view(LOWERED, level="decoded"), to=to) == ["policy.contract"]
    assert codes(view(LOWERED), to=STRANGER) == ["policy.contract"]
    never = Finding(code=min(REFUSED), severity="danger", text="x")
    assert codes(view(LOWERED, findings=(never,)), to=to) == ["policy.risk"]


@pytest.mark.parametrize(
    ("to", "signature", "values"),
    [
        (TOKENS, "decreaseAllowance(address spender,uint256 less)", (STRANGER, 5)),
        (TOKENS, "decreaseApproval(address spender,uint256 less)", (STRANGER, 5)),
        (PERMIT2, "approve(address token,address spender,uint160 amount,uint48 end)", (STRANGER, STRANGER, 0, 0)),
        (PERMIT2, "lockdown((address token,address spender)[] all)", (((TOKENS, STRANGER), (STRANGER, PAYEE)),)),
    ],
)
def test_the_known_ways_to_take_an_allowance_back_are_asked_about_and_their_neighbours_are_not(
    to: Address, signature: str, values: tuple[Value, ...]
) -> None:
    function = parse_function(signature)
    asked = token_effect(kind="contract_call", to=to, data=function.selector + encode(function.inputs, values))
    check_proposal(policy(), asked)
    with pytest.raises(PolicyDenied):
        check_proposal(policy(), replace(asked, to=STRANGER))
    with pytest.raises(PolicyDenied):
        check_proposal(policy(), replace(asked, data=b"\xff" + asked.data[1:]))
    operation, known = token_freeze(asked), Known()
    words = frozen_words(operation, Sources(pins=[USDC]), known=known, index=None)
    decoded = check_decoded(operation, facts(names=words.names, known=words.known.to_json()), effect=asked)
    decision = decide(policy(approvals=False), decoded, facts=CLAIMS, reserved=Reserved())
    assert decision.verdict is Verdict.ASK
    spending = spending_of(asked, Sources(pins=[USDC]))
    assert (spending.token, spending.units, spending.parties) == (None, 0, frozenset())
