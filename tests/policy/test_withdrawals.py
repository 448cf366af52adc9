"""What the owner's settings allow of withdrawals: default deny in each of venue, network, address, memo and amount.

Threat: T-018, T-120.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.clearsign.view import check_decoded
from mcp_wallet_guard.danger import lower_level
from mcp_wallet_guard.errors import GuardError, InvalidInput, Misconfigured, OverBudget, PolicyDenied
from mcp_wallet_guard.evidence import Level
from mcp_wallet_guard.operations.requests import VenueRequest, freeze_withdrawal
from mcp_wallet_guard.operations.values import Amount, BaseUnits
from mcp_wallet_guard.policy.engine import Reserved, check_permitted
from mcp_wallet_guard.policy.limits import Limit, Spent
from mcp_wallet_guard.policy.rules import ANY, Policy
from mcp_wallet_guard.policy.withdrawals import (
    Destination,
    NetworkRule,
    VenueRule,
    check_fee,
    check_withdrawal,
    is_of_form,
)
from tests.clearsign.test_withdrawals import FACTS
from tests.operations.test_withdrawals import ACCOUNT, ASKED, COLD, REQUEST

RULE = NetworkRule(
    asset="USDC", network="ARBITRUM", decimals=6, cap=500_000_000, amount=600_000_000, limit=Limit(86_400, count=3),
    max_fee=1_000_000, fee=None, memo="optional", form="evm",
)  # fmt: skip
PLACE = Destination(name="Cold wallet", network="ARBITRUM", address=COLD)
VENUE = VenueRule(
    name="binance", kind="binance", origin="https://api.binance.com", label="Trading", wallet="spot",
    window_ms=10_000, networks=(RULE,), destinations=(PLACE,),
)  # fmt: skip
POLICY = Policy(payees=ANY, max_per_transaction=BaseUnits(1), level=Level.FACTOR, venues=(VENUE,))


def permitted(policy: Policy | None = POLICY, request: VenueRequest = REQUEST) -> Level:
    operation = freeze_withdrawal(ASKED, request, ACCOUNT)
    decoded = check_decoded(operation, FACTS, effect=ASKED)
    proof = check_permitted(policy, decoded, revision=1, facts=None, reserved=Reserved())
    assert proof.obligations.mandate is None
    return proof.obligations.level


def test_what_is_named_is_asked_with_a_factor_whatever_the_level() -> None:
    assert permitted() is Level.FACTOR
    waiver = lower_level(reason="for this test alone")
    assert permitted(replace(POLICY, level=Level.PRESENT, waiver=waiver)) is Level.FACTOR
    assert permitted(replace(POLICY, level=Level.HARDWARE)) is Level.HARDWARE


def test_the_frozen_bytes_are_judged_and_where_they_go() -> None:
    for request in (
        replace(REQUEST, endpoint="https://api.binance.co/sapi/v1/capital/withdraw/apply"),
        replace(REQUEST, endpoint="https://api.binance.com/sapi/v1/capital/withdraw/applies"),
        replace(REQUEST, label="Savings"),
        replace(REQUEST, template=REQUEST.template.replace("walletType=0", "walletType=1")),
        replace(REQUEST, template=REQUEST.template.replace("recvWindow=10000", "recvWindow=60000")),
    ):
        with pytest.raises(PolicyDenied) as refused:
            permitted(request=request)
        assert refused.value.code == "policy.venue"
    for policy in (None, replace(POLICY, venues=()), replace(POLICY, venues=(replace(VENUE, name="kraken"),))):
        with pytest.raises(PolicyDenied):
            permitted(policy)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, ""),
        ({"amount": Amount("500")}, ""),
        ({"amount": Amount("500.000001")}, "policy.cap"),
        ({"amount": Amount("1.0000001")}, "invalid_input.precision"),
        ({"venue": "kraken"}, "policy.venue"),
        ({"asset": "USDT"}, "policy.venue"),
        ({"network": "ETH"}, "policy.venue"),
        ({"to": COLD.lower()}, "policy.venue_address"),
        ({"to": COLD[:-1] + "9"}, "policy.venue_address"),
        ({"memo": "1"}, "policy.venue_address"),
    ],
    ids=str,
)
def test_each_field_is_denied_unless_it_is_named(change: dict[str, Any], code: str) -> None:
    asked = replace(ASKED, **change)
    if not code:
        assert check_withdrawal((VENUE,), asked) == (VENUE, RULE, PLACE)
        return
    with pytest.raises(GuardError) as refused:
        check_withdrawal((VENUE,), asked)
    assert isinstance(refused.value, PolicyDenied | InvalidInput)
    assert refused.value.code == code


def test_the_memo_is_what_the_network_says() -> None:
    for rule, memo in (("required", None), ("none", "1")):
        venue = replace(VENUE, networks=(replace(RULE, memo=rule),), destinations=())  # type: ignore[arg-type]
        with pytest.raises(PolicyDenied) as refused:
            check_withdrawal((venue,), replace(ASKED, memo=memo))
        assert refused.value.code == "policy.venue_memo"


@pytest.mark.parametrize(
    ("fee", "shown", "fits"),
    [
        ("0", None, True), ("1", None, True), ("1.000001", None, False), ("0.1", "0.1", True), ("0.1", "0.2", True),
        ("0.100001", "0.1", False), ("0.0000001", None, None),
    ],
)  # fmt: skip
def test_a_fee_is_at_most_the_ceiling_and_what_was_shown(fee: str, shown: str | None, fits: bool | None) -> None:
    seen = None if shown is None else Amount(shown)
    if fits:
        check_fee(RULE, Amount("25.5"), Amount(fee), shown=seen)
        return
    with pytest.raises(InvalidInput if fits is None else PolicyDenied):
        check_fee(RULE, Amount("25.5"), Amount(fee), shown=seen)


def test_a_fee_that_takes_all_of_it_is_denied() -> None:
    check_fee(RULE, Amount("0.500001"), Amount("0.5"))
    with pytest.raises(PolicyDenied):
        check_fee(RULE, Amount("0.5"), Amount("0.5"))


@given(amounts=st.lists(st.integers(1, 300_000_000), max_size=8))
def test_a_window_never_holds_more_than_it_says(amounts: list[int]) -> None:
    seen = Spent()
    for units in amounts:
        try:
            RULE.check_fits(seen, units=units)
        except OverBudget:
            assert seen.units + units > RULE.amount or seen.count == 3
        else:
            seen = seen.plus(1, units)
    assert seen.units <= RULE.amount
    assert seen.count <= 3


def test_a_raised_limit_forgives_nothing_and_another_window_is_another() -> None:
    raised = replace(RULE, amount=10**12, limit=Limit(86_400, count=99))
    assert VENUE.limit_id(raised) == VENUE.limit_id(RULE)
    others = {VENUE.limit_id(replace(RULE, limit=Limit(3_600, count=3))), VENUE.limit_id(replace(RULE, network="ETH"))}
    assert len(others | {VENUE.limit_id(RULE), replace(VENUE, name="b").limit_id(RULE)}) == 4


@pytest.mark.parametrize(
    "change",
    [
        {"networks": (RULE, RULE)},
        {"destinations": (PLACE, PLACE)},
        {"destinations": (PLACE, replace(PLACE, name="cold WALLET", memo="1"))},
        {"destinations": (PLACE, replace(PLACE, name="Other"))},
        {"destinations": (replace(PLACE, network="ETH"),)},
        {"destinations": (replace(PLACE, address=COLD.lower()),)},
        {"destinations": (replace(PLACE, address="rEb8TK3gBgk5auZkwc6sHnwrGVJH8DuaLh"),)},
        {"destinations": (replace(PLACE, memo="a b"),)},
        {"destinations": (replace(PLACE, name=""),)},
        {"networks": (replace(RULE, memo="required"),)},
        {"networks": (replace(RULE, memo="none"),), "destinations": (replace(PLACE, memo="1"),)},
        {"label": "-"},
    ],
    ids=str,
)
def test_a_venue_that_grants_by_accident_is_misconfigured(change: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured):
        replace(VENUE, **change)


@pytest.mark.parametrize(
    ("address", "forms"),
    [
        (COLD, {"evm", "other"}),
        (COLD.lower(), {"other"}),
        ("TJRabPrwbZy45sbavfcjinPJC18kjpRTv8", {"tron", "solana", "other"}),
        ("bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", {"bitcoin", "other"}),
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", {"bitcoin", "solana", "other"}),
        ("rEb8TK3gBgk5auZkwc6sHnwrGVJH8DuaLh", {"xrp", "solana", "other"}),
    ],
)
def test_an_address_looks_like_those_of_its_networks(address: str, forms: set[str]) -> None:
    every = ("evm", "tron", "bitcoin", "xrp", "solana", "other")
    assert {form for form in every if is_of_form(address, form)} == forms  # type: ignore[arg-type]


def test_a_window_takes_what_fits_and_not_one_unit_more() -> None:
    """Threat: T-018."""
    seen = Spent().plus(RULE.limit.bucket(0), 100_000_000)
    RULE.check_fits(seen, units=500_000_000)
    with pytest.raises(OverBudget) as refused:
        RULE.check_fits(seen, units=500_000_001)
    assert refused.value.code == "over_budget"
