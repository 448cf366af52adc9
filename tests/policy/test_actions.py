"""Tools that do something themselves: only those that the policy names, and each is asked. Threat: T-001, T-018."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
import rfc8785

from mcp_wallet_guard.clearsign.view import check_decoded
from mcp_wallet_guard.errors import Misconfigured, PolicyDenied
from mcp_wallet_guard.evidence import Level, Obligations
from mcp_wallet_guard.operations.actions import Action, freeze_action
from mcp_wallet_guard.operations.values import Account, BaseUnits
from mcp_wallet_guard.policy.engine import Reserved, Verdict, check_action, check_permitted, decide
from mcp_wallet_guard.policy.limits import MAX_LIMITS, Limit
from mcp_wallet_guard.policy.rules import ANY, ActionRule, Policy
from mcp_wallet_guard.proofs import Decoded
from tests.clearsign.transfers import CHAIN, ETHER, PAYEE, SENDER, effect, facts, freeze
from tests.policy.test_mandates import NATIVE, mandate

COUNTED = "actions: count: is needed, and nothing else is counted"
ACCOUNT = Account("main", CHAIN, SENDER)


def rule(tool: str = "order", **changes: Any) -> ActionRule:
    return ActionRule(tool, Limit(**({"seconds": 3_600, "count": 5} | changes)))


def policy(*rules: ActionRule, **changes: Any) -> Policy:
    values: dict[str, Any] = {
        "payees": ANY, "max_per_transaction": BaseUnits(ETHER), "level": Level.FACTOR, "actions": rules,
    }  # fmt: skip
    return Policy(**(values | changes))


def decoded(tool: str = "order") -> Decoded:
    action = Action(tool, {"amount": "5"})
    return check_decoded(freeze_action(action, ACCOUNT, expires_at=1_800_000_000), None, effect=action)


def permit(rules: Policy | None, about: Decoded, **more: Any) -> Obligations:
    return check_permitted(rules, about, revision=1, facts=None, reserved=Reserved(), **more).obligations


def test_a_tool_that_the_policy_names_is_asked_at_its_level() -> None:
    rules = policy(rule("other"), rule())
    assert permit(rules, decoded()) == Obligations(level=Level.FACTOR)
    assert check_action(rules, "order") is rules.actions[1]
    decision = decide(rules, decoded(), facts=None, reserved=Reserved())
    assert (decision.verdict, [reason.code for reason in decision.reasons]) == (Verdict.ASK, ["policy.level"])


@pytest.mark.parametrize("tool", ["orders", "Order", "withdraw"])
def test_another_one_is_denied_at_the_proposal_and_on_the_bytes(tool: str) -> None:
    for denied in (lambda: check_action(policy(rule()), tool), lambda: permit(policy(rule()), decoded(tool))):
        with pytest.raises(PolicyDenied) as refused:
            denied()
        assert refused.value.code == "policy.action"
    decision = decide(policy(rule()), decoded(tool), facts=None, reserved=Reserved())
    assert decision.reasons[0].text == f"the tool {tool} may not be asked for"


def test_without_a_policy_or_an_entry_every_one_is_denied() -> None:
    with pytest.raises(PolicyDenied) as refused:
        check_action(None, "order")
    assert refused.value.code == "policy.missing"
    with pytest.raises(PolicyDenied) as refused:
        permit(None, decoded())
    assert refused.value.code == "policy.missing"
    with pytest.raises(PolicyDenied):
        permit(policy(), decoded())


def test_no_mandate_covers_one() -> None:
    given = mandate(tools=frozenset({"order"}))
    assert permit(policy(rule()), decoded(), mandates=(given,)) == Obligations(level=Level.FACTOR)


def test_a_payment_of_which_nothing_is_known_is_denied() -> None:
    """The attack: the door of actions, which have no facts, for a payment."""
    asked = effect()
    payment = check_decoded(freeze(asked), facts(), effect=asked)
    with pytest.raises(PolicyDenied) as refused:
        permit(policy(rule()), payment)
    assert refused.value.code == "policy.denied"
    assert refused.value.detail == "nothing is known about the chain"


def test_its_id_names_tool_and_window_and_no_count() -> None:
    one = rule()
    assert one.id == rule(count=6).id
    assert len({one.id, rule("other").id, rule(seconds=7_200).id}) == 3
    body: Any = ["mcp-wallet-guard/action-limit/v1", "order", 3_600]
    assert one.id == hashlib.sha256(rfc8785.dumps(body)).hexdigest()[:32]


@pytest.mark.parametrize(
    ("made", "detail"),
    [
        (lambda: rule(""), "actions: tool: is no name of a tool"),
        (lambda: rule("a b"), "actions: tool: is no name of a tool"),
        (lambda: rule("t" * 65), "actions: tool: is no name of a tool"),
        (lambda: rule(count=None, asset=NATIVE, amount=BaseUnits(1)), COUNTED),
        (lambda: rule(asset=NATIVE), COUNTED),
        (lambda: rule(payees=frozenset({PAYEE})), COUNTED),
        (lambda: policy(rule(), rule(count=9)), "actions: a tool is there twice"),
        (lambda: policy(*(rule(f"t{n}") for n in range(MAX_LIMITS + 1))), f"actions: at most {MAX_LIMITS}"),
        (lambda: policy(actions=[rule()]), f"actions: at most {MAX_LIMITS}"),
        (lambda: policy(actions=("order",)), "actions: an entry is not a rule"),
    ],
)  # fmt: skip
def test_what_counts_nothing_or_names_nothing_is_no_rule(made: Any, detail: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        made()
    assert (refused.value.code, refused.value.detail) == ("misconfigured.settings", detail)


def test_as_many_as_the_bounds_say() -> None:
    rules = tuple(rule(f"t{n}") for n in range(MAX_LIMITS))
    assert policy(*rules).actions == rules
    assert rule("t" * 64).tool == "t" * 64
