"""Default deny, the strictest verdict decides, and fresh facts can only refuse more."""

from __future__ import annotations

import itertools
from dataclasses import FrozenInstanceError, dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.clearsign.view import check_decoded
from mcp_wallet_guard.errors import GuardError, OverBudget, PolicyDenied
from mcp_wallet_guard.evidence import Level, Obligations
from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.policy import engine
from mcp_wallet_guard.policy.engine import (
    ORDER,
    Decision,
    Reason,
    Reserved,
    Verdict,
    check_permitted,
    check_proposal,
    check_same_revision,
    decide,
    explain,
    strictest,
)  # fmt: skip
from mcp_wallet_guard.policy.rules import ANY, Payee, Policy
from mcp_wallet_guard.proofs import Decoded, Permitted
from tests.clearsign.transfers import ETHER, GWEI, PAYEE, STRANGER, effect, facts, freeze

FEE = 21_000 * 20 * GWEI
ASKED = effect()
NOTHING = Reserved()


def policy(**changes: Any) -> Policy:
    values: dict[str, Any] = {
        "payees": (Payee(name="Alice", address=PAYEE),), "max_per_transaction": ETHER // 10, "level": Level.FACTOR,
    }  # fmt: skip
    return Policy(**(values | changes))


def decoded(view_facts: dict[str, Any] | None = None, **changes: Any) -> Decoded:
    asked = effect(**changes)
    return check_decoded(freeze(asked), facts(**(view_facts or {})), effect=asked)


@dataclass(frozen=True)
class Fresh:
    balance: int = 10 * ETHER
    payee_has_code: bool = False
    token_balance: int | None = None


def permitted(
    rules: Policy | None, about: Decoded, *, fresh: Fresh = Fresh(), reserved: Reserved = NOTHING, revision: int = 3
) -> Permitted:
    return check_permitted(rules, about, revision=revision, facts=fresh, reserved=reserved)


def refusal(
    rules: Policy | None, about: Decoded, *, fresh: Fresh = Fresh(), reserved: Reserved = NOTHING
) -> GuardError:
    with pytest.raises(GuardError) as refused:
        permitted(rules, about, fresh=fresh, reserved=reserved)
    return refused.value


def text_of(decision: Decision, verdict: Verdict = Verdict.DENY) -> list[str]:
    return [reason.text for reason in decision.reasons if reason.verdict is verdict]


# --- the cheap check ----------------------------------------------------------------------------------------------


def test_what_the_policy_names_may_be_proposed() -> None:
    check_proposal(policy(), ASKED)
    check_proposal(policy(payees=ANY), effect(to=STRANGER))


@pytest.mark.parametrize(
    ("rules", "changes", "code"),
    [
        (None, {}, "policy.missing"),
        (policy(), {"to": STRANGER}, "policy.payee"),
        (policy(), {"value": ETHER // 10 + 1}, "policy.cap"),
        (policy(), {"data": b"\x00"}, "policy.undecodable"),
        (policy(), {"kind": "approval"}, "policy.undecodable"),
        (policy(), {"kind": "zzz"}, "policy.undecodable"),
        (policy(payees=ANY), {"to": Address.from_bytes(bytes(20))}, "policy.payee"),
        (policy(), {"to": STRANGER, "value": ETHER}, "policy.payee"),
    ],
)
def test_what_the_policy_does_not_name_is_refused_before_the_node_is_asked(
    rules: Policy | None, changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(PolicyDenied) as refused:
        check_proposal(rules, effect(**changes))
    assert refused.value.code == code


def test_every_reason_of_a_refused_proposal_is_in_the_detail() -> None:
    with pytest.raises(PolicyDenied) as refused:
        check_proposal(policy(), effect(to=STRANGER, value=ETHER))
    assert refused.value.detail == (
        f"{STRANGER} may not be paid; {ETHER} wei is above {ETHER // 10} wei for one payment"
    )


# --- step 4 -------------------------------------------------------------------------------------------------------


def test_a_permit_carries_operation_view_revision_and_obligations() -> None:
    about = decoded()
    proof = permitted(policy(), about, revision=3)
    assert type(proof) is Permitted
    assert proof.operation_digest == about.operation.digest
    assert proof.view_hash == about.view_hash
    assert proof.policy_revision == 3
    assert proof.obligations == Obligations(level=Level.FACTOR, approvers=1)


def test_the_policys_level_is_what_a_person_must_show() -> None:
    assert permitted(policy(level=Level.HARDWARE), decoded()).obligations.level is Level.HARDWARE


def test_without_a_policy_nothing_is_permitted() -> None:
    decision = decide(None, decoded(), facts=Fresh(), reserved=NOTHING)
    assert (decision.verdict, decision.obligations) == (Verdict.DENY, None)
    assert [(r.verdict, r.code) for r in decision.reasons] == [(Verdict.DENY, "policy.missing")]
    assert text_of(decision) == ["no policy is sealed"]
    error = refusal(None, decoded())
    assert (type(error), error.code) == (PolicyDenied, "policy.missing")


def test_a_payee_outside_the_policy_is_refused() -> None:
    """Threat: T-006."""
    error = refusal(policy(), decoded(to=STRANGER))
    assert (type(error), error.code, error.detail.split(";")[0]) == (
        PolicyDenied, "policy.payee", f"{STRANGER} may not be paid",
    )  # fmt: skip


def test_one_wei_above_the_cap_is_refused_and_the_cap_itself_is_not() -> None:
    """Threat: T-007."""
    error = refusal(policy(), decoded(value=ETHER // 10 + 1))
    assert (type(error), error.code) == (PolicyDenied, "policy.cap")
    permitted(policy(), decoded(value=ETHER // 10))


def test_a_fee_above_the_limit_is_refused_and_the_limit_itself_is_not() -> None:
    error = refusal(policy(max_fee=FEE - 1), decoded())
    assert (type(error), error.code) == (PolicyDenied, "policy.cap")
    assert error.detail.split(";")[0] == f"a fee of up to {FEE} wei is above {FEE - 1} wei"
    permitted(policy(max_fee=FEE), decoded())


def test_amount_fee_and_reserved_must_fit_the_balance() -> None:
    total = ETHER // 10 + FEE
    permitted(policy(), decoded(), fresh=Fresh(balance=total))
    permitted(policy(), decoded(), fresh=Fresh(balance=total + 5), reserved=Reserved(native=5))
    for fresh, reserved in ((Fresh(balance=total - 1), 0), (Fresh(balance=total + 5), 6), (Fresh(balance=0), 0)):
        error = refusal(policy(), decoded(), fresh=fresh, reserved=Reserved(native=reserved))
        assert (type(error), error.code) == (OverBudget, "over_balance")
        assert error.detail.split(";")[0] == (
            f"{total} wei and {reserved} wei reserved exceed the balance of {fresh.balance} wei"
        )


def test_a_negative_reservation_makes_no_room() -> None:
    assert refusal(policy(), decoded(), reserved=Reserved(native=-1)).code == "over_balance"


def test_a_payee_that_became_a_contract_after_the_view_is_refused() -> None:
    error = refusal(policy(), decoded(), fresh=Fresh(payee_has_code=True))
    assert (type(error), error.code) == (PolicyDenied, "policy.denied")
    assert error.detail.split(";")[0] == "the payee became a contract after the person's view was made"


def test_a_contract_that_the_person_was_shown_may_be_paid() -> None:
    permitted(policy(), decoded({"payee_has_code": True}), fresh=Fresh(payee_has_code=True))
    permitted(policy(), decoded({"payee_has_code": True}), fresh=Fresh(payee_has_code=False))


def test_a_finding_of_another_kind_does_not_stand_for_the_contract() -> None:
    about = decoded({"payee_name": None})
    assert refusal(policy(), about, fresh=Fresh(payee_has_code=True)).code == "policy.denied"


def test_the_first_denial_names_the_error_and_the_detail_names_all() -> None:
    error = refusal(policy(), decoded(to=STRANGER, value=ETHER), fresh=Fresh(balance=0))
    assert error.code == "policy.payee"
    assert error.detail == "; ".join(
        (
            f"{STRANGER} may not be paid",
            f"{ETHER} wei is above {ETHER // 10} wei for one payment",
            f"{ETHER + FEE} wei and 0 wei reserved exceed the balance of 0 wei",
            "a person must show FACTOR",
        )
    )


def test_only_a_proof_that_the_bytes_were_decoded_is_looked_at() -> None:
    class Lookalike:
        operation = freeze(ASKED)
        view = decoded().view
        view_hash = bytes(32)

    forged: Any = Lookalike()
    with pytest.raises(TypeError, match="needs a Decoded"):
        permitted(policy(), forged)
    with pytest.raises(TypeError, match="needs a Decoded"):
        decide(None, forged, facts=Fresh(), reserved=NOTHING)


@given(
    value=st.integers(1, 2 * ETHER), cap=st.integers(1, 2 * ETHER), balance=st.integers(0, 4 * ETHER),
    reserved=st.integers(0, 2 * ETHER), known=st.booleans(),
)  # fmt: skip
def test_exactly_what_fits_every_rule_is_asked(value: int, cap: int, balance: int, reserved: int, known: bool) -> None:
    rules = policy(max_per_transaction=cap)
    about = decoded(value=value, to=PAYEE if known else STRANGER)
    decision = decide(rules, about, facts=Fresh(balance=balance), reserved=Reserved(native=reserved))
    fits = known and value <= cap and value + FEE + reserved <= balance
    assert decision.verdict is (Verdict.ASK if fits else Verdict.DENY)
    assert (decision.obligations is not None) is fits


# --- order --------------------------------------------------------------------------------------------------------


def test_deny_beats_freeze_beats_delay_beats_ask_beats_allow() -> None:
    assert [verdict.value for verdict in ORDER] == ["deny", "freeze", "delay", "ask", "allow"]
    assert set(ORDER) == set(Verdict)
    for one, other in itertools.product(Verdict, repeat=2):
        expected = ORDER[min(ORDER.index(one), ORDER.index(other))]
        assert strictest((one, other)) is expected


def test_no_verdict_at_all_is_a_denial() -> None:
    assert strictest(()) is Verdict.DENY


def test_only_asking_a_person_or_a_mandate_of_theirs_lets_an_operation_go_on() -> None:
    assert frozenset({Verdict.ASK, Verdict.ALLOW}) == engine.PERMITTED


def test_reasons_stand_strictest_first() -> None:
    decision = decide(policy(), decoded(value=ETHER), facts=Fresh(), reserved=NOTHING)
    assert [(r.verdict, r.code) for r in decision.reasons] == [
        (Verdict.DENY, "policy.cap"), (Verdict.ASK, "policy.level"),
    ]  # fmt: skip


# --- changes between approval and consumption -----------------------------------------------------------------------


def test_an_approval_under_another_revision_is_refused() -> None:
    """Threat: T-099."""
    for approved, in_force in ((1, 2), (2, 1), (0, 1)):
        with pytest.raises(PolicyDenied) as refused:
            check_same_revision(approved=approved, in_force=in_force)
        assert refused.value.code == "policy.changed"
        assert refused.value.detail == f"approved under revision {approved}, in force is {in_force}"


def test_an_approval_under_the_policy_in_force_goes_on() -> None:
    check_same_revision(approved=2, in_force=2)
    check_same_revision(approved=10**30, in_force=10**30 + 0)


def test_a_tighter_policy_refuses_what_the_earlier_one_permitted() -> None:
    """Threat: T-099."""
    about = decoded()
    permitted(policy(), about, revision=1)
    for tighter in (policy(max_per_transaction=1), policy(payees=(Payee(name="Bob", address=STRANGER),)), None):
        with pytest.raises(PolicyDenied):
            permitted(tighter, about, revision=2)


# --- explaining -----------------------------------------------------------------------------------------------------


def test_a_decision_explains_itself() -> None:
    decision = decide(policy(), decoded(), facts=Fresh(), reserved=NOTHING)
    assert explain(decision) == "ask: 1 person at FACTOR\n- ask (policy.level): a person must show FACTOR"
    several = replace(decision, obligations=Obligations(level=Level.HARDWARE, approvers=2))
    assert explain(several).splitlines()[0] == "ask: 2 people at HARDWARE"


def test_a_denial_explains_every_reason() -> None:
    decision = decide(policy(), decoded(value=ETHER), facts=Fresh(), reserved=NOTHING)
    assert explain(decision) == (
        "deny\n"
        f"- deny (policy.cap): {ETHER} wei is above {ETHER // 10} wei for one payment\n"
        "- ask (policy.level): a person must show FACTOR"
    )


def test_a_decision_does_not_change_once_made() -> None:
    decision: Any = decide(None, decoded(), facts=Fresh(), reserved=NOTHING)
    with pytest.raises(FrozenInstanceError):
        decision.verdict = Verdict.ALLOW
    with pytest.raises(FrozenInstanceError):
        decision.reasons[0].verdict = Verdict.ALLOW
    for value in (decision, decision.reasons[0]):
        assert not hasattr(value, "__dict__")
    with pytest.raises(TypeError):
        Reason(Verdict.ASK, "a", "b")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Decision(Verdict.ASK, (), None)  # type: ignore[call-arg]
