"""The fee for data that no signature caps: said with its estimate, counted with a margin, and never quietly missing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.clearsign.rollups import MARGIN, DataFee, charges_for_data, check_still_counted, counted_in
from mcp_wallet_guard.clearsign.view import check_decoded, render_view, view_hash
from mcp_wallet_guard.confirmation import ConfirmationView
from mcp_wallet_guard.errors import OverBudget, PolicyDenied
from mcp_wallet_guard.operations.values import Account, ChainId
from mcp_wallet_guard.policy.engine import Reserved, check_permitted
from tests.clearsign.transfers import CLAIMS, ETHER, GWEI, SENDER, effect, facts, freeze
from tests.policy.test_engine import policy

BASE: Final = ChainId(8453)
ASKED: Final = effect(account=Account(name="main", chain=BASE, address=SENDER))
SIGNED: Final = 21_000 * 20 * GWEI
FEE: Final = 10**13


def view(**changes: Any) -> ConfirmationView:
    values: dict[str, Any] = {"chain": str(BASE), "data_fee": FEE}
    return render_view(freeze(ASKED), facts(**(values | changes)))


def values(shown: ConfirmationView) -> dict[str, tuple[str, str | None]]:
    return {field.label: (field.value, field.raw) for field in shown.fields}


@pytest.mark.parametrize("chain", [10, 130, 480, 5000, 8453, 534352, 84532])
def test_chains_that_charge_beside_the_gas_are_known(chain: int) -> None:
    assert charges_for_data(ChainId(chain))


@pytest.mark.parametrize("chain", [1, 137, 42161, 42220, 59144, 31337, 11155111])
def test_chains_whose_gas_limit_caps_everything_do_not(chain: int) -> None:
    """Arbitrum and Linea put it into the gas, Celo has set it to nothing."""
    assert not charges_for_data(ChainId(chain))


def test_a_payment_says_the_estimate_and_what_is_counted() -> None:
    shown = values(view())
    assert shown["Maximum fee"] == (
        "0.00042 ETH (21000 gas at 20 gwei, of it at most 1 gwei as tip), plus a data fee that the signature does not "
        "cap (estimated at 0.00001 ETH, counted as 0.00002 ETH)",
        str(SIGNED),
    )
    counted = ETHER // 10 + SIGNED + MARGIN * FEE
    assert shown["Total at most"] == ("0.10044 ETH with the data fee as counted", str(counted))
    fee = view().fee
    assert fee is not None
    assert (fee.and_data, fee.data_estimate, fee.data_counted) == (True, str(FEE), str(2 * FEE))


def test_elsewhere_nothing_is_said_of_it_whatever_the_facts_hold() -> None:
    plain = render_view(freeze(effect()), facts())
    odd = render_view(freeze(effect()), facts(data_fee=FEE))
    assert plain.fields == odd.fields
    assert plain.fee is not None
    assert plain.fee == odd.fee
    assert (plain.fee.and_data, plain.fee.data_estimate, plain.fee.data_counted) == (False, None, None)


def test_an_estimate_that_is_missing_is_said_and_permits_nothing() -> None:
    blind = view(data_fee=None)
    assert values(blind)["Maximum fee"][0].endswith(", plus a data fee that the signature does not cap")
    assert values(blind)["Total at most"][0].endswith(" and a data fee")
    with pytest.raises(PolicyDenied) as refused:
        counted_in(blind)
    assert refused.value.code == "policy.undecodable"
    decoded = check_decoded(freeze(ASKED), facts(chain=str(BASE)), effect=ASKED)
    with pytest.raises(PolicyDenied):
        check_permitted(policy(), decoded, revision=1, facts=CLAIMS, reserved=Reserved())


@pytest.mark.parametrize(("data_fee", "refused"), [(2 * FEE, True), (FEE, False)])
def test_limits_count_it_with_its_margin(data_fee: int, refused: bool) -> None:
    decoded = check_decoded(freeze(ASKED), facts(chain=str(BASE), data_fee=data_fee), effect=ASKED)
    rules = policy(max_fee=SIGNED + 3 * FEE)
    if refused:
        with pytest.raises(PolicyDenied) as caught:
            check_permitted(rules, decoded, revision=1, facts=CLAIMS, reserved=Reserved())
        assert caught.value.code == "policy.cap"
    else:
        check_permitted(rules, decoded, revision=1, facts=CLAIMS, reserved=Reserved())
    short = replace(CLAIMS, balance=type(CLAIMS.balance)(ETHER // 10 + SIGNED + 2 * data_fee - 1))
    with pytest.raises(OverBudget):
        check_permitted(policy(), decoded, revision=1, facts=short, reserved=Reserved())


def test_nothing_for_data_is_a_finding_where_data_costs() -> None:
    def codes(shown: ConfirmationView) -> list[str]:
        return [finding.code for finding in shown.findings]

    assert "fee.data_free" in codes(view(data_fee=0))
    assert "fee.data_free" not in codes(view())
    assert "fee.data_free" not in codes(render_view(freeze(effect()), facts(data_fee=0)))


def test_the_view_hash_covers_the_estimate() -> None:
    assert view_hash(view()) == view_hash(view())
    assert view_hash(view()) != view_hash(view(data_fee=FEE + 1))


@given(st.integers(0, 2**90), st.integers(0, 2**92))
def test_a_fresh_estimate_passes_exactly_up_to_what_is_counted(frozen: int, fresh: int) -> None:
    shown = view(data_fee=frozen)
    if fresh <= DataFee(BASE, frozen).counted:
        check_still_counted(shown, fresh=fresh)
    else:
        with pytest.raises(PolicyDenied) as refused:
            check_still_counted(shown, fresh=fresh)
        assert refused.value.code == "policy.data_fee"


def test_where_the_chain_charges_no_fresh_estimate_is_no_pass() -> None:
    with pytest.raises(PolicyDenied):
        check_still_counted(view(), fresh=None)
    check_still_counted(render_view(freeze(effect()), facts()), fresh=None)
