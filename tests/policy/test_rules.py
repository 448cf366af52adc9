"""A policy grants only what it names, and a policy that grants by accident does not exist."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from mcp_wallet_guard.danger import cheap_kdf, lower_level
from mcp_wallet_guard.errors import Misconfigured
from mcp_wallet_guard.evidence import Level
from mcp_wallet_guard.operations.values import Address, BaseUnits
from mcp_wallet_guard.policy.rules import ANY, MAX_PAYEES, Payee, Policy
from tests.clearsign.transfers import ETHER, PAYEE, SENDER, STRANGER

ALICE = Payee(name="Alice", address=PAYEE)
BOB = Payee(name="Bob", address=SENDER)
REASON = "a test wallet without money"


def policy(**changes: Any) -> Policy:
    values: dict[str, Any] = {
        "payees": (ALICE,), "max_per_transaction": BaseUnits(ETHER), "level": Level.FACTOR,
    }  # fmt: skip
    return Policy(**(values | changes))


def detail_of(**changes: Any) -> str:
    with pytest.raises(Misconfigured) as refused:
        policy(**changes)
    assert refused.value.code == "misconfigured.settings"
    return refused.value.detail


def test_a_named_payee_is_allowed_and_nobody_else() -> None:
    rules = policy(payees=(ALICE, BOB))
    assert rules.allows_payee(PAYEE)
    assert rules.allows_payee(SENDER)
    assert not rules.allows_payee(STRANGER)


def test_any_allows_everybody_but_addresses_that_nobody_owns() -> None:
    rules = policy(payees=ANY)
    assert rules.allows_payee(STRANGER)
    assert rules.allows_payee(Address.from_bytes(bytes(20))) is False
    assert not rules.allows_payee(Address.from_bytes(bytes(19) + b"\x09"))


@pytest.mark.parametrize("payees", [(), [ALICE], None, "any", (ALICE,) * 1_000])
def test_payees_are_a_bounded_list_or_any(payees: object) -> None:
    assert detail_of(payees=payees) == "payees: 1 to 256 entries, or any"


def test_up_to_256_payees_fit() -> None:
    many = tuple(Payee(name=f"p{n}", address=Address.from_bytes((2**100 + n).to_bytes(20, "big"))) for n in range(257))
    assert MAX_PAYEES == 256
    assert policy(payees=many[:256]).allows_payee(many[255].address)
    assert detail_of(payees=many) == "payees: 1 to 256 entries, or any"


def test_an_entry_that_is_no_payee_is_refused() -> None:
    assert detail_of(payees=(ALICE, "Bob")) == "payees: an entry is not a payee"


@pytest.mark.parametrize(
    "twin",
    [
        Payee(name="Alice", address=STRANGER),
        Payee(name="aLICE", address=STRANGER),
        Payee(name="Other", address=PAYEE),
    ],
)
def test_one_name_and_one_address_mean_one_payee(twin: Payee) -> None:
    assert detail_of(payees=(ALICE, twin)) == "payees: a name or an address is there twice"


@pytest.mark.parametrize("limit", [0, -1, 2**256, True, 1.0, "1", None])
def test_a_cap_is_a_positive_whole_number(limit: object) -> None:
    assert detail_of(max_per_transaction=limit) == "max_per_transaction: is not a positive amount"


@pytest.mark.parametrize("limit", [0, -1, 2**256, False, 0.1])
def test_a_fee_limit_is_a_positive_whole_number(limit: object) -> None:
    assert detail_of(max_fee=limit) == "max_fee: is not a positive amount"


@pytest.mark.parametrize("limit", [1, 2, 2**256 - 1])
def test_limits_from_one_unit_up_are_accepted(limit: int) -> None:
    rules = policy(max_per_transaction=limit, max_fee=limit)
    assert (rules.max_per_transaction, rules.max_fee) == (limit, limit)


@pytest.mark.parametrize("level", [Level.NONE, Level.HOST, 3, "factor", None])
def test_a_level_that_proves_no_person_is_never_accepted(level: object) -> None:
    """Threat: T-004."""
    assert detail_of(level=level, waiver=lower_level(reason=REASON)) == "level: proves no person"


def test_less_than_a_factor_needs_a_waiver() -> None:
    assert detail_of(level=Level.PRESENT) == "level: below factor needs danger.lower_level"
    assert policy(level=Level.PRESENT, waiver=lower_level(reason=REASON)).level is Level.PRESENT


def test_the_waiver_of_something_else_does_not_lower_the_level() -> None:
    other: Any = cheap_kdf(reason=REASON)
    assert detail_of(level=Level.PRESENT, waiver=other) == "level: below factor needs danger.lower_level"


@pytest.mark.parametrize("level", [Level.FACTOR, Level.HARDWARE])
def test_a_factor_or_more_needs_no_waiver(level: Level) -> None:
    rules = policy(level=level)
    assert (rules.level, rules.waiver, rules.max_fee) == (level, None, None)


@pytest.mark.parametrize("name", ["A", "Alice Smith", "a.b_c-d", "x" * 40, "4"])
def test_plain_names_are_accepted(name: str) -> None:
    assert Payee(name=name, address=PAYEE).name == name


@pytest.mark.parametrize("name", ["", " A", "A ", "-a", "x" * 41, "Al\u0456ce", "a\n", 'a"b', "a\u202e"])
def test_names_that_could_deceive_are_refused(name: str) -> None:
    """Threat: T-021."""
    with pytest.raises(Misconfigured) as refused:
        Payee(name=name, address=PAYEE)
    assert refused.value.detail == ("payees: a name is 1 to 40 letters, digits, spaces, dots, underscores, hyphens")
    assert refused.value.code == "misconfigured.settings"


@pytest.mark.parametrize("address", [Address.from_bytes(bytes(20)), PAYEE.value, None])
def test_a_payee_has_an_address_that_somebody_can_own(address: Any) -> None:
    """Threat: T-025."""
    with pytest.raises(Misconfigured) as refused:
        Payee(name="Alice", address=address)
    assert refused.value.detail == "payees: an address is one that somebody can own"
    assert refused.value.code == "misconfigured.settings"


def test_rules_do_not_change_once_made() -> None:
    rules: Any = policy()
    with pytest.raises(FrozenInstanceError):
        rules.max_per_transaction = 2**200
    with pytest.raises(FrozenInstanceError):
        rules.payees[0].address = STRANGER
    assert rules == policy()
    assert not hasattr(rules, "__dict__")
    with pytest.raises(TypeError):
        Policy((ALICE,), BaseUnits(1), Level.FACTOR)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Payee("Alice", PAYEE)  # type: ignore[call-arg]
