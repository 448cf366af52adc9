"""Windows that slide: nothing is forgotten early, nothing begins anew at an hour. Threat: T-018, T-019."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.errors import Misconfigured, OverBudget, Tampered
from mcp_wallet_guard.operations.values import UINT256_MAX, Asset, BaseUnits
from mcp_wallet_guard.policy.limits import (
    BUCKETS,
    MAX_COUNT,
    MAX_LIMITS,
    MAX_SECONDS,
    Limit,
    Spent,
    check_limit,
    covering,
)
from tests.clearsign.transfers import CHAIN, PAYEE, STRANGER, USDC
from tests.policy.test_tokens import policy

ETH = Asset(CHAIN, "ETH", 18)
DAY = 86_400
MIDNIGHT = 20_000 * DAY
LIMIT = Limit(seconds=DAY, asset=ETH, amount=BaseUnits(100), count=3)


def pay(limit: Limit, spent: Spent, at: int, units: int) -> Spent:
    """One payment at `at`, refused as a consume refuses it."""
    seen = spent.within(limit, at)
    check_limit(limit, seen, units=units)
    return seen.plus(limit.bucket(at), units)


# --- the window ---------------------------------------------------------------------------------------------------


def test_all_of_it_a_second_before_midnight_and_again_a_second_after_is_refused() -> None:
    """Threat: T-018."""
    spent = pay(LIMIT, Spent(), MIDNIGHT - 1, 100)
    with pytest.raises(OverBudget) as refused:
        pay(LIMIT, spent, MIDNIGHT + 1, 1)
    assert (refused.value.code, refused.value.detail) == ("over_budget", "100 and 1 units are above 100")
    with pytest.raises(OverBudget):
        pay(LIMIT, spent, MIDNIGHT - 1 + DAY, 1)
    pay(LIMIT, spent, MIDNIGHT - 1 + DAY + DAY // BUCKETS, 100)


def test_the_limit_itself_is_allowed_and_one_unit_more_is_not() -> None:
    spent = pay(LIMIT, pay(LIMIT, Spent(), MIDNIGHT, 99), MIDNIGHT, 1)
    assert (spent.units, spent.count) == (100, 2)
    with pytest.raises(OverBudget):
        pay(LIMIT, spent, MIDNIGHT, 1)


def test_payments_are_counted_whatever_they_are_of() -> None:
    rare = replace(LIMIT, asset=None, amount=None, count=2)
    spent = pay(rare, pay(rare, Spent(), MIDNIGHT, 0), MIDNIGHT + 5, 10**30)
    with pytest.raises(OverBudget) as refused:
        pay(rare, spent, MIDNIGHT + 6, 0)
    assert refused.value.detail == "2 payments are as many as are allowed"


@given(
    payments=st.lists(st.tuples(st.integers(0, 3 * DAY), st.integers(0, 60)), max_size=40),
    limit=st.sampled_from([LIMIT, replace(LIMIT, seconds=60), replace(LIMIT, seconds=3_600, count=None)]),
)
def test_no_window_ever_holds_more_than_the_limit(payments: list[tuple[int, int]], limit: Limit) -> None:
    """Against the definition: the sum over every true window that ends at a payment."""
    spent, paid = Spent(), list[tuple[int, int]]()
    for at, units in sorted(payments):
        try:
            spent = pay(limit, spent, at, units)
        except OverBudget:
            # Honest twin: it was refused because it would not fit in the window and one bucket more.
            near = [u for t, u in paid if t > at - limit.seconds - 2 * (limit.seconds // BUCKETS)]
            full = limit.count is not None and len(near) >= limit.count
            assert full or sum(near) + units > (limit.amount or 0)
            continue
        paid.append((at, units))
        window = [u for t, u in paid if at - limit.seconds < t <= at]
        assert sum(window) <= (limit.amount or 0)
        assert limit.count is None or len(window) <= limit.count
    assert len(spent.buckets) <= BUCKETS + 1, "what is kept does not grow"


def test_a_bucket_counts_until_all_of_it_has_left() -> None:
    width = DAY // BUCKETS
    spent = Spent().plus(LIMIT.bucket(MIDNIGHT), 7)
    assert spent.within(LIMIT, MIDNIGHT + DAY) == spent
    assert spent.within(LIMIT, MIDNIGHT + DAY + width - 1) == spent
    assert spent.within(LIMIT, MIDNIGHT + DAY + width) == Spent()


def test_equal_buckets_are_one() -> None:
    assert Spent().plus(5, 1).plus(7, 2).plus(5, 3) == Spent(((5, 4, 2), (7, 2, 1)))


# --- what is counted ----------------------------------------------------------------------------------------------


def test_a_limit_covers_its_asset_and_its_payees() -> None:
    anything, ether = replace(LIMIT, asset=None, amount=None), LIMIT
    friends = replace(LIMIT, payees=frozenset({PAYEE}))
    assert [limit.covers(ETH, STRANGER) for limit in (anything, ether, friends)] == [True, True, False]
    assert [limit.covers(USDC, PAYEE) for limit in (anything, ether, friends)] == [True, False, False]
    assert friends.covers(ETH, PAYEE)
    assert list(covering((anything, ether, friends), ETH, STRANGER)) == [anything, ether]


def test_another_amount_starts_nothing_anew_and_another_window_does() -> None:
    assert replace(LIMIT, amount=BaseUnits(5), count=None).id == LIMIT.id
    others = [
        replace(LIMIT, seconds=3_600), replace(LIMIT, asset=USDC), replace(LIMIT, asset=None, amount=None),
        replace(LIMIT, payees=frozenset({PAYEE})), replace(LIMIT, payees=frozenset({PAYEE, STRANGER})),
    ]  # fmt: skip
    assert len({LIMIT.id, *(other.id for other in others)}) == 6
    named = b'["mcp-wallet-guard/limit/v1","eip155:31337/slip44:60",86400,null]'
    assert LIMIT.id == hashlib.sha256(named).hexdigest()[:32]
    friends = b'["mcp-wallet-guard/limit/v1",null,60,["%b","%b"]]' % (STRANGER.value.encode(), PAYEE.value.encode())
    both = Limit(seconds=60, count=1, payees=frozenset({PAYEE, STRANGER}))
    assert both.id == hashlib.sha256(friends).hexdigest()[:32]


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, UINT256_MAX)), max_size=20))
def test_what_was_spent_is_written_in_one_way(payments: list[tuple[int, int]]) -> None:
    spent = Spent()
    for bucket, units in payments:
        spent = spent.plus(bucket, units)
    assert Spent.parse(spent.text) == spent


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[1]", "[[1]]", '[[1,"2"]]', "[[1,2,3]]", '[[1,"2",3] ]', '[[1,"02",3]]', '[["1","2",3]]', "null"],
)
def test_anything_else_is_tampered(text: str) -> None:
    assert Spent.parse('[[1,"2",3]]') == Spent(((1, 2, 3),))
    with pytest.raises(Tampered) as refused:
        Spent.parse(text)
    assert (refused.value.code, refused.value.detail) == ("tampered.row", "limits: not what a limit counts")


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"seconds": 0}, "window"), ({"seconds": 59}, "window"), ({"seconds": 61}, "window"),
        ({"seconds": MAX_SECONDS + 60}, "window"), ({"amount": None, "count": None}, "neither an amount nor a count"),
        ({"asset": None}, "of one asset"), ({"amount": BaseUnits(0)}, "of one asset"),
        ({"amount": BaseUnits(UINT256_MAX + 1)}, "of one asset"), ({"count": 0}, "from 1 to 100000"),
        ({"count": MAX_COUNT + 1}, "from 1 to 100000"), ({"payees": frozenset()}, "without payees"),
    ],
)  # fmt: skip
def test_a_limit_that_limits_nothing_is_refused(changes: dict[str, Any], detail: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        replace(LIMIT, **changes)
    assert refused.value.detail.startswith("limits: ")
    assert detail in refused.value.detail


@pytest.mark.parametrize(
    "changes",
    [
        {"seconds": 60},
        {"seconds": MAX_SECONDS},
        {"amount": BaseUnits(1)},
        {"amount": BaseUnits(UINT256_MAX)},
        {"count": 1},
        {"count": MAX_COUNT},
    ],
)
def test_the_ends_of_each_range_are_in_it(changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        assert getattr(replace(LIMIT, **changes), name) == value


# --- in a policy --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "detail"),
    [
        ([LIMIT], f"limits: at most {MAX_LIMITS}"),
        ((LIMIT,) * (MAX_LIMITS + 1), f"limits: at most {MAX_LIMITS}"),
        (("1 ETH a day",), "limits: an entry is not a limit"),
        ((LIMIT, replace(LIMIT, count=None)), "limits: two are of the same asset, window and payees"),
    ],
)
def test_limits_that_cannot_be_meant_are_refused(limits: Any, detail: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        policy(limits=limits)
    assert refused.value.detail == detail


def test_as_many_limits_as_are_allowed() -> None:
    many = tuple(replace(LIMIT, seconds=60 * number) for number in range(1, MAX_LIMITS + 1))
    assert policy(limits=many).limits == many
