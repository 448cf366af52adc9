"""A mandate covers what it names and nothing else, and its id names all of it.

Threat: T-018, T-028.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest
import rfc8785

from mcp_wallet_guard.clearsign.decode import decode
from mcp_wallet_guard.clearsign.view import check_decoded
from mcp_wallet_guard.errors import Misconfigured, PolicyDenied
from mcp_wallet_guard.evidence import Level, Obligations
from mcp_wallet_guard.operations.erc20 import Function
from mcp_wallet_guard.operations.values import Asset, BaseUnits, ChainId
from mcp_wallet_guard.policy.engine import Reserved, Verdict, check_permitted, decide, explain
from mcp_wallet_guard.policy.limits import MAX_SECONDS, Limit
from mcp_wallet_guard.policy.mandates import HARMLESS, MAX_MANDATES, MAX_TOOLS, Mandate
from mcp_wallet_guard.policy.rules import ANY, Policy, TokenRule
from mcp_wallet_guard.proofs import Decoded
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
from tests.policy.test_engine import Fresh

NATIVE = Asset(CHAIN, "ETH", 18)
FEE = 21_000 * 20 * GWEI
AMOUNT = ETHER // 10


def budget(**changes: Any) -> Limit:
    values: dict[str, Any] = {"asset": NATIVE, "amount": BaseUnits(ETHER), "count": 5, "payees": frozenset({PAYEE})}
    return Limit(3_600, **(values | changes))


def mandate(**changes: Any) -> Mandate:
    values: dict[str, Any] = {
        "name": "small", "tools": frozenset({"pay"}), "asset": NATIVE, "payees": frozenset({PAYEE}),
        "cap": BaseUnits(AMOUNT), "max_fee": BaseUnits(FEE), "budget": budget(), "seconds": 86_400,
    }  # fmt: skip
    return Mandate(**(values | changes))


def policy(*mandates: Mandate, **changes: Any) -> Policy:
    values: dict[str, Any] = {
        "payees": ANY, "max_per_transaction": BaseUnits(ETHER), "level": Level.FACTOR, "mandates": mandates,
    }  # fmt: skip
    return Policy(**(values | changes))


def decoded(view: dict[str, Any] | None = None, frozen: dict[str, Any] | None = None, **asked: Any) -> Decoded:
    what = effect(**({"value": AMOUNT} | asked))
    return check_decoded(freeze(what, **(frozen or {})), facts(**({"balance": 9 * ETHER} | (view or {}))), effect=what)


def obligations(about: Decoded, *given: Mandate, rules: Policy | None = None) -> Obligations:
    permitted = check_permitted(
        rules or policy(), about, revision=1, facts=Fresh(), reserved=Reserved(), mandates=given
    )
    return permitted.obligations


def test_what_is_covered_asks_nobody_and_names_the_mandate() -> None:
    given = mandate()
    assert obligations(decoded(), given) == Obligations(level=Level.NONE, approvers=1, mandate=given.id)
    decision = decide(policy(), decoded(), facts=Fresh(), reserved=Reserved(), mandates=(given,))
    assert decision.verdict is Verdict.ALLOW
    assert explain(decision) == "allow\n- allow (policy.mandate): the mandate 'small' covers it"


def test_without_a_mandate_a_person_is_asked() -> None:
    assert obligations(decoded()) == Obligations(level=Level.FACTOR)


def test_that_it_stands_in_the_policy_is_not_enough() -> None:
    """Only what the caller found approved counts."""
    assert obligations(decoded(), rules=policy(mandate())) == Obligations(level=Level.FACTOR)


@pytest.mark.parametrize(
    "about",
    [
        decoded(value=AMOUNT + 1),
        decoded(to=STRANGER),
        decoded(frozen={"max_fee_per_gas": 20 * GWEI + 1}),
        decoded(view={"payee_has_code": True}),
        decoded(view={"payee_name": "\u0410nn"}),
        decoded(view={"balance": 1}),
        decoded(view={"nonce": 3}),
    ],
    ids=["a wei more", "another payee", "a higher fee", "a contract", "a strange name", "too little", "a nonce ahead"],
)
def test_one_step_out_of_bounds_is_asked(about: Decoded) -> None:
    assert obligations(about, mandate()) == Obligations(level=Level.FACTOR)


def test_the_first_that_covers_is_the_one_that_is_used() -> None:
    narrow, wide = mandate(name="narrow", cap=BaseUnits(1)), mandate(name="wide")
    assert obligations(decoded(), narrow, wide).mandate == wide.id


@pytest.mark.parametrize("view", [{"payee_name": None}, {"base_fee": 30 * GWEI}])
def test_a_finding_that_is_harmless_here_does_not_stop_it(view: dict[str, Any]) -> None:
    about = decoded(view)
    assert {finding.code for finding in about.view.findings} <= HARMLESS
    assert about.view.findings
    assert obligations(about, mandate()).mandate is not None


def test_a_denial_beats_it() -> None:
    rules = policy(max_per_transaction=BaseUnits(AMOUNT - 1))
    with pytest.raises(PolicyDenied) as refused:
        obligations(decoded(), mandate(), rules=rules)
    assert refused.value.code == "policy.cap"


def test_nobody_is_asked_and_somebody_is_asked_cannot_both_be() -> None:
    for level in set(Level) - {Level.NONE}:
        with pytest.raises(ValueError, match=r"^nobody is asked under a mandate$"):
            Obligations(level=level, mandate="m")


def test_every_bound_is_part_of_its_id() -> None:
    one = mandate()
    others = [
        mandate(name="other"),
        mandate(tools=frozenset({"pay", "send"})),
        mandate(payees=frozenset({STRANGER})),
        mandate(cap=BaseUnits(AMOUNT - 1)),
        mandate(max_fee=BaseUnits(FEE - 1)),
        mandate(budget=budget(amount=BaseUnits(ETHER - 1))),
        mandate(budget=budget(count=6)),
        mandate(budget=replace(budget(), seconds=7_200)),
        mandate(seconds=86_401),
        mandate(asset=Asset(ChainId(1), "ETH", 18), budget=budget(asset=Asset(ChainId(1), "ETH", 18))),
    ]
    assert len({each.id for each in (one, *others)}) == len(others) + 1
    assert mandate().id == one.id


def test_both_ids_are_as_the_format_page_says() -> None:
    body: Any = [
        "mcp-wallet-guard/mandate/v1", "small", ["pay"], NATIVE.id, [PAYEE.value], str(AMOUNT), str(FEE), str(ETHER),
        5, 3_600, 86_400,
    ]  # fmt: skip
    assert mandate().id == hashlib.sha256(rfc8785.dumps(body)).hexdigest()[:32]
    spent: Any = ["mcp-wallet-guard/mandate-budget/v1", "small", NATIVE.id, 3_600]
    assert mandate().budget_id == hashlib.sha256(rfc8785.dumps(spent)).hexdigest()[:32]


def test_its_budget_is_the_same_one_whatever_else_changes() -> None:
    """Threat: T-019. A wider mandate has spent what the narrower one did."""
    one = mandate()
    same = [mandate(cap=BaseUnits(1)), mandate(tools=frozenset({"x"})), mandate(budget=budget(count=99), seconds=1)]
    assert {each.budget_id for each in same} == {one.budget_id}
    others = [mandate(name="other"), mandate(budget=replace(budget(), seconds=7_200))]
    assert len({each.budget_id for each in (one, *others)}) == 3
    assert one.budget_id != one.id


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"name": ""}, "name: 1 to 40"),
        ({"name": "a\nb"}, "name: 1 to 40"),
        ({"name": "x" * 41}, "name: 1 to 40"),
        ({"tools": frozenset()}, f"tools: 1 to {MAX_TOOLS}"),
        ({"tools": frozenset(f"t{n}" for n in range(MAX_TOOLS + 1))}, f"tools: 1 to {MAX_TOOLS}"),
        ({"tools": frozenset({"pay", "a b"})}, f"tools: 1 to {MAX_TOOLS}"),
        ({"payees": frozenset()}, "group: has no payees"),
        ({"cap": BaseUnits(0)}, "is not a positive amount"),
        ({"max_fee": BaseUnits(0)}, "is not a positive amount"),
        ({"cap": BaseUnits(2**256)}, "is not a positive amount"),
        ({"cap": 0.5}, "is not a positive amount"),
        ({"cap": True}, "is not a positive amount"),
        ({"budget": budget(amount=None)}, "amount, count: both"),
        ({"budget": budget(count=None)}, "amount, count: both"),
        ({"budget": budget(asset=Asset(ChainId(1), "ETH", 18))}, "amount, count: both"),
        ({"cap": BaseUnits(ETHER + 1)}, "max_per_transaction: is above amount"),
        ({"seconds": 0}, "valid_days: is from 1 to 366"),
        ({"seconds": MAX_SECONDS + 1}, "valid_days: is from 1 to 366"),
    ],
)
def test_what_bounds_nothing_is_no_mandate(changes: dict[str, Any], detail: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        mandate(**changes)
    assert refused.value.code == "misconfigured.settings"
    assert detail in refused.value.detail


def test_the_bounds_are_these() -> None:
    assert (MAX_MANDATES, MAX_TOOLS, MAX_SECONDS) == (16, 16, 31_622_400)
    assert frozenset({"payee.new", "payee.first_time", "fee.high", "fee.low"}) == HARMLESS


def test_all_harmless_findings_together_are_harmless() -> None:
    about = decoded()
    assert mandate().covers(decode(about.operation), HARMLESS)
    assert not mandate().covers(decode(about.operation), HARMLESS | {"payee.self"})


def test_the_widest_bounds_are_allowed() -> None:
    tools = frozenset(f"t{n}" for n in range(MAX_TOOLS))
    mandate(name="x" * 40, tools=tools, cap=BaseUnits(ETHER), seconds=MAX_SECONDS)
    mandate(cap=BaseUnits(1), max_fee=BaseUnits(1), seconds=1)


def test_a_policy_has_mandates_with_names_of_their_own() -> None:
    rules = tuple(mandate(name=f"m{number}") for number in range(MAX_MANDATES))
    assert policy(*rules).mandates == rules
    for wrong, detail in (
        ((*rules, mandate()), "mandates: at most 16"),
        ((mandate(), mandate(name="SMALL")), "mandates: a name is there twice"),
        (("small",), "mandates: an entry is not a mandate"),
        ([mandate()], "mandates: at most 16"),
    ):
        with pytest.raises(Misconfigured) as refused:
            policy(mandates=wrong)
        assert refused.value.detail == detail


def coins(**changes: Any) -> Mandate:
    units = BaseUnits(1_000)
    budgeted = budget(asset=USDC, amount=units)
    return mandate(**({"asset": USDC, "cap": units, "max_fee": BaseUnits(10**18), "budget": budgeted} | changes))


def token_decoded(units: int, **asked: Any) -> Decoded:
    what = token_effect(amount=units, **asked)
    return check_decoded(token_freeze(what), token_facts(), effect=what)


def token_obligations(about: Decoded, given: Mandate) -> Obligations:
    rules = policy(tokens=(TokenRule(token=USDC, cap=BaseUnits(10**9)),), approvals=True)
    fresh = Fresh(token_balance=10**9)
    return check_permitted(rules, about, revision=1, facts=fresh, reserved=Reserved(), mandates=(given,)).obligations


def test_a_token_is_covered_by_its_own_mandate_only() -> None:
    assert token_obligations(token_decoded(1_000), coins()).mandate == coins().id
    assert token_obligations(token_decoded(1_001), coins()).mandate is None
    assert token_obligations(token_decoded(1_000), mandate()).mandate is None
    assert obligations(decoded(), coins(cap=BaseUnits(1))).mandate is None


def test_a_standing_approval_is_never_covered() -> None:
    """Threat: T-028."""
    about = token_decoded(1_000, function=Function.APPROVE)
    assert token_obligations(about, coins()) == Obligations(level=Level.FACTOR)
