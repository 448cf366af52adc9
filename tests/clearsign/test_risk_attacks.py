"""Attacks on the checks themselves: hiding, flooding, text that speaks for us, and a node that says all is well.

Threat: T-020, T-021, T-022, T-025, T-028, T-041, T-043, T-048, T-120.
"""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_wallet_guard.clearsign.aspects import ANYTHING
from mcp_wallet_guard.clearsign.reading import Delegation, SignIn, UsedName, Withdrawal
from mcp_wallet_guard.clearsign.risks.calldata import ODDITIES
from mcp_wallet_guard.clearsign.risks.known import Known, KnownName, ResolvedName, TokenClaim
from mcp_wallet_guard.clearsign.risks.results import MISSING, MOST, Gap, Hit, Status, results_of
from mcp_wallet_guard.clearsign.risks.table import CHECKS, results
from mcp_wallet_guard.clearsign.text import is_plain
from mcp_wallet_guard.clearsign.tree import (
    Bound,
    Clarity,
    Direction,
    PartKind,
    Shown,
    ShownKind,
    Source,
)
from mcp_wallet_guard.operations.values import UINT256_MAX
from tests.clearsign.asking import of, raised, unchecked
from tests.clearsign.attacks import CASES
from tests.clearsign.readings import (
    APES,
    COIN,
    ENVELOPE,
    ETHER,
    KNOWN,
    MULTISEND,
    NATIVE,
    NODE,
    PAYEE,
    RAN,
    ROUTER,
    SAFE,
    SIGNER,
    STRANGER,
    TOKEN,
    TWIN,
    UNREAD,
    ZERO,
    address,
    allow,
    call,
    comes,
    controls,
    knowing,
    message,
    node,
    out,
    part,
    pay,
    read,
    typed,
    within,
)  # fmt: skip
from tests.clearsign.scenes import CLAIM

# --- hiding ---------------------------------------------------------------------------------------------------------


def test_an_approval_three_levels_down_raises_what_it_raises_at_the_top() -> None:
    evil = part(allow(STRANGER, amount=UINT256_MAX))
    top = read(evil)
    deep = read(within(part(), part(target=ROUTER), within(part(target=SAFE), within(part(target=ROUTER), evil))))
    assert {"approval.unlimited", "approval.standing", "approval.to_account"} <= raised(deep) & raised(top)
    assert of("approval.unlimited", deep)[0].path == "1.0.0#consequences.0"


def test_the_recipient_is_who_gets_the_money_and_not_whom_the_transaction_calls() -> None:
    reading = call(out(TWIN, asset=COIN), target=TOKEN)
    assert {"payee.imitates", "payee.first_time"} <= raised(reading)
    assert not {"payee.imitates", "payee.first_time"} & raised(call(out(PAYEE, asset=COIN), target=TOKEN))


def test_who_receives_what_comes_in_is_a_recipient_too() -> None:
    reading = call(out(ROUTER, asset=COIN), comes(NATIVE, owner=TWIN), target=ROUTER)
    assert {"payee.imitates", "swap.other_recipient"} <= raised(reading)


def test_value_that_no_consequence_tells_of_has_a_recipient() -> None:
    assert "payee.first_time" in raised(read(part(target=STRANGER, data=b"", value=5), value=5))


def test_an_address_that_is_only_shown_may_not_look_like_a_known_one() -> None:
    deep = Shown(path="#.to.[0]", label="To", kind=ShownKind.ADDRESS, raw=TWIN)
    group = Shown(path="#.to", label="To", kind=ShownKind.GROUP, children=(deep,))
    reading = call(shown=(group,))
    assert [result.path for result in of("payee.imitates", reading)] == ["#.to.[0]"]


def test_a_known_address_does_not_imitate_another_and_zeros_at_one_end_are_no_likeness() -> None:
    both = knowing(addresses=(KnownName(name="Alice", address=PAYEE), KnownName(name="Bob", address=TWIN)))
    assert "payee.imitates" not in raised(pay(TWIN), both)
    mined, other = address("0000" + "12" * 18), address("0000" + "34" * 18)
    known = knowing(addresses=(KnownName(name="Mined", address=mined),))
    assert "payee.half_imitates" not in raised(pay(other), known)


@pytest.mark.parametrize("clarity", [Clarity.BLIND, Clarity.PARTIAL, Clarity.DECODED])
def test_what_cannot_be_read_leaves_every_check_of_effects_unchecked(clarity: Clarity) -> None:
    reading = read(within(part(), part(clarity=clarity)))
    assert {check.number for check in CHECKS if check.effects} <= unchecked(reading)


def test_what_only_a_descriptor_explains_has_effects_that_nobody_knows() -> None:
    shown = Shown(path="#.a", label="Vote", kind=ShownKind.INTEGER, raw=1, source=Source.DESCRIPTOR)
    described = call(shown=(shown,))
    assert 2 in unchecked(described)
    assert 2 not in unchecked(call(allow(amount=0), shown=(shown,))), "a built-in decoder knows what it does"


def test_a_lower_allowance_is_none_that_is_given() -> None:
    assert not {"approval.standing", "approval.unlimited"} & raised(call(allow(amount=None, bound=Bound.AT_MOST)))


def test_an_allowance_without_a_number_has_no_limit_whatever_it_is_of() -> None:
    assert "approval.unlimited" in raised(call(allow(amount=None)))
    assert "approval.unlimited" in raised(call(allow(asset=None, amount=None)))
    assert "approval.unlimited" not in raised(call(allow(asset=replace(APES, token_id=1), amount=1)))


# --- delegatecalls and delegates ------------------------------------------------------------------------------------


def test_without_a_list_every_delegatecall_and_every_delegate_is_unknown() -> None:
    in_safe = read(within(part(target=SAFE), part(kind=PartKind.DELEGATECALL, target=MULTISEND)))
    assert "delegatecall.unknown" in raised(in_safe, knowing(multisends=None))
    delegated = pay(delegations=(Delegation(path="0", delegate=MULTISEND, chain=NATIVE.chain),))
    assert "account.unknown_delegate" in raised(delegated, knowing(delegates=None))


def test_a_contract_that_calls_itself_in_a_batch_runs_no_foreign_code() -> None:
    reading = read(within(part(target=ROUTER), part(kind=PartKind.DELEGATECALL, target=ROUTER)))
    assert not {"delegatecall.unknown", "delegatecall.nested"} & raised(reading)


def test_a_delegatecall_is_refused_once_however_a_decoder_says_it() -> None:
    inner = part(kind=PartKind.DELEGATECALL, target=STRANGER)
    whole = within(part(controls("delegatecall"), target=SAFE, odd="safe.delegatecall"), inner)
    assert [result.path for result in of("delegatecall.unknown", read(whole))] == ["0"]
    assert [r.path for r in of("delegatecall.unknown", call(controls("delegatecall")))] == ["#consequences.0"]
    assert [r.path for r in of("delegatecall.unknown", typed(odd="safe.delegatecall"))] == [""]


def test_an_authorization_in_the_tree_counts_like_one_of_the_envelope() -> None:
    inner = part(controls("account.delegate"), kind=PartKind.AUTHORIZATION, target=STRANGER, chain=None)
    assert {"account.unknown_delegate", "account.every_chain"} <= raised(read(within(part(), inner)))
    revoked = pay(delegations=(Delegation(path="0", delegate=ZERO, chain=NATIVE.chain),))
    assert not {"account.unknown_delegate", "account.every_chain"} & raised(revoked, knowing(delegates=()))


def test_a_control_that_no_check_knows_is_raised_all_the_same() -> None:
    assert "control.safe" in raised(call(controls("something.new")))


def test_an_oddity_that_no_check_knows_is_raised_all_the_same() -> None:
    assert "calldata.unusual" in raised(call(odd="something.new"))


@pytest.mark.parametrize("oddity", sorted(ODDITIES))
def test_every_oddity_is_raised_under_its_code(oddity: str) -> None:
    chain = None if oddity in {"typed.other_chain", "authorization.other_chain"} else NATIVE.chain
    assert ODDITIES[oddity] in raised(typed(odd=oddity, chain=chain))


# --- payments that are none, and the other way round ----------------------------------------------------------------


def test_unwrapping_and_redeeming_at_a_tokens_own_contract_loses_nothing() -> None:
    unwrap = call(out(TOKEN, asset=COIN), comes(NATIVE, amount=ETHER), target=TOKEN)
    assert "payee.token" not in raised(unwrap)
    assert "payee.token" in raised(call(out(TOKEN, asset=COIN), target=TOKEN))


def test_a_deposit_into_the_called_contract_is_no_payment_to_a_contract() -> None:
    deposit = read(part(out(ROUTER), target=ROUTER, value=ETHER), value=ETHER)
    assert not {"payee.contract", "payee.token_contract"} & raised(deposit)


def test_a_payment_by_signature_is_no_order_for_nothing() -> None:
    assert "order.for_nothing" not in raised(typed(out(PAYEE, asset=COIN)))


def test_the_owner_of_a_safes_message_is_the_safe() -> None:
    assert "owner.mismatch" not in raised(typed(out(None, owner=SAFE), standard="Safe"))
    assert "owner.mismatch" not in raised(typed(allow(owner=SAFE)), knowing(accounts=(SIGNER, SAFE)))


def test_a_swap_to_nobody_in_particular_is_unchecked() -> None:
    assert 35 in unchecked(call(out(ROUTER, asset=COIN), comes(NATIVE, owner=None), target=ROUTER))


def test_fees_are_compared_with_the_amount_only_where_there_is_one() -> None:
    assert "fee.high" not in raised(call(allow()))
    assert "fee.high" in raised(pay(value=1))


# --- flooding -------------------------------------------------------------------------------------------------------


def test_a_flood_of_findings_is_counted_and_not_listed() -> None:
    many = tuple(allow(address(f"{at:040x}"), amount=UINT256_MAX) for at in range(2**17, 2**17 + 100))
    found = of("approval.unlimited", call(*many))
    assert len(found) == MOST
    assert found[-1].more == 100 - MOST
    assert all(result.more == 0 for result in found[:-1])


def test_many_calls_take_time_in_proportion_to_their_number() -> None:
    def seconds(count: int) -> float:
        calls = (part(allow(address(f"{at:040x}"), amount=5), target=address(f"{at:040x}")) for at in range(count))
        reading = read(within(part(), *calls))
        started = time.perf_counter()
        results(reading, KNOWN)
        return time.perf_counter() - started

    seconds(10)
    small = min(seconds(200) for _ in range(3))
    assert min(seconds(1600) for _ in range(2)) < 8 * small * 3


# --- text that speaks for us ----------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(text=st.text(max_size=60))
def test_no_text_from_outside_reaches_a_sentence_unescaped(text: str) -> None:
    spam = replace(COIN, contract=STRANGER)
    known = KNOWN.model_copy(
        update={
            "addresses": (KnownName(name=text, address=PAYEE),),
            "node": NODE.model_copy(update={"tokens": (TokenClaim(contract=STRANGER, symbol=text),)}),
            "simulation": (RAN.model_copy(update={"status": "reverted", "reason": text}),) * 2,
        }
    )
    reading = read(part(out(TWIN), comes(spam)), origin=text, written=(("to", text),))
    for result in results(reading, known):
        assert is_plain(result.sentence)
        assert len(result.sentence) < 400
    # What is not quoted is the same whatever the text is.
    outside = [result.sentence.split('"')[0] for result in results(reading, known) if result.code == "payee.imitates"]
    assert outside == ["The address looks like that of "]


def test_a_fact_that_is_no_printable_text_cannot_be_made() -> None:
    for wrong in ("\u202egnp", "a\nb", "\u0430"):
        with pytest.raises(ValueError, match="printable"):
            Hit(code="payee.zero", path="", facts=(("name", wrong),))


def test_a_check_cannot_raise_what_its_table_does_not_have() -> None:
    wrong = replace(CHECKS[0], examine=lambda _, __: [Hit(code="payee.zero", path="")], about=ANYTHING)
    with pytest.raises(ValueError, match="does not have"):
        results_of(wrong, pay(), KNOWN)


def test_every_source_that_a_check_may_lack_has_words() -> None:
    used = {missing for case in CASES.values() for missing, _ in case.unchecked}
    assert used | {"bytes"} == MISSING.keys()


# --- small things ---------------------------------------------------------------------------------------------------


def test_a_failing_node_leaves_what_it_knows_unchecked_and_nothing_passed() -> None:
    silent = knowing(node=None, simulation=None)
    assert {5, 18, 22, 23, 26, 29, 37, 38, 39, 40, 44} <= unchecked(call(allow(), out(PAYEE)), silent) | unchecked(
        pay(), silent
    )


def test_nothing_known_makes_nothing_safe() -> None:
    blank = results(pay(), Known())
    assert not [r for r in blank if r.status is Status.PASSED and r.check in {7, 24, 25, 29, 37, 38, 39, 40, 44}]


def test_a_message_has_no_fee_and_no_nonce() -> None:
    assert not {37, 38} & unchecked(message(), KNOWN)


def test_a_gap_is_listed_once() -> None:
    many = tuple(allow(address(f"{at:040x}")) for at in range(2**17, 2**17 + 50))
    gaps = [r for r in results(call(*many), node(accounts=())) if r.check == 5 and r.status is Status.NOT_CHECKED]
    assert len(gaps) == 1
    assert gaps[0].path == "#consequences.0"
    assert Gap(missing="node").path == ""


def test_the_same_reading_and_knowledge_give_the_same_results() -> None:
    for case in CASES.values():
        for reading, known in case.attacks.values():
            again = Known.from_json(known.to_json())
            assert results(reading, again) == results(reading, known)


def test_unread_bytes_are_refused() -> None:
    assert any(result.refuses for result in results(UNREAD, KNOWN))
    assert Direction.OUT not in {effect.consequence.direction for effect in UNREAD.effects}


# --- the other way to say it ----------------------------------------------------------------------------------------


def test_an_envelope_that_creates_is_enough() -> None:
    creating = pay(envelope=replace(ENVELOPE, creates=True))
    assert "contract.create" in raised(creating)
    assert "fee.high" not in raised(creating)


def test_who_signs_in_is_who_signs() -> None:
    other = SignIn(domain="app.example", uri="https://app.example", address=STRANGER, chain=1)
    assert "owner.mismatch" in raised(message(sign_in=other))
    assert "owner.mismatch" not in raised(message(sign_in=replace(other, address=SIGNER)))


@pytest.mark.parametrize(
    ("uri", "fine"),
    [
        ("https://app.example", True),
        ("https://APP.example/x?y#z", True),
        ("https://app.example:8443", False),
        ("https://app.example.evil", False),
        ("https://evil\\app.example", False),
        ("app.example", False),
        ("", False),
    ],
)
def test_a_sign_in_names_the_host_of_its_address(uri: str, *, fine: bool) -> None:
    sign_in = SignIn(domain="app.example", uri=uri, address=SIGNER, chain=1)
    assert ("sign_in.uri" not in raised(message(sign_in=sign_in))) is fine


def test_a_name_that_now_stands_for_another_address_has_changed() -> None:
    found = ResolvedName(name="alice.eth", address=STRANGER, reverse="alice.eth", previous=None, normal=True)
    named = pay(names=(UsedName(name="alice.eth", address=PAYEE),))
    assert "name.changed" in raised(named, knowing(names=(found,)))


def test_gas_that_was_not_estimated_and_a_white_list_that_is_not_known_are_unchecked() -> None:
    assert 38 in unchecked(pay(), node(estimated_gas=None))
    venue = (KNOWN.venues or ())[0].model_copy(update={"white_list": None})
    withdrawal = Withdrawal(
        venue="exchange", asset="ETH", network="ETH", address=PAYEE.value, memo=None, amount="1", received="1"
    )
    assert 45 in unchecked(message(withdrawal=withdrawal), knowing(venues=(venue,)))


def test_what_a_decoder_reports_as_unknown_is_refused_however_clear_it_calls_the_part() -> None:
    assert "calldata.blind" in raised(call(odd="calldata.unknown"))


def test_what_leaves_of_a_token_is_added_up_over_all_calls() -> None:
    half = out(PAYEE, asset=COIN, amount=6 * 10**11)
    assert "balance.small" in raised(call(half, half))
    assert "balance.small" not in raised(call(half))
    assert "balance.small" not in raised(call(half, out(PAYEE, asset=COIN, amount=6 * 10**11, owner=STRANGER)))


def test_a_party_that_calls_itself_by_a_name_that_holds_is_no_finding_and_by_one_that_is_not_normal_is() -> None:
    """Threat: T-022."""
    assert not raised(pay(), knowing(claims=(CLAIM,))) & {"name.claimed", "name.not_normal"}
    odd = CLAIM.model_copy(update={"normal": False, "stands_for": None})
    assert "name.not_normal" in raised(pay(), knowing(claims=(odd,)))
