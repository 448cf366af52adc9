"""The presets: texts that parse, explain every key, and lower no protection."""

from __future__ import annotations

import re

import pytest

from mcp_wallet_guard.config.difference import difference
from mcp_wallet_guard.config.presets import SmallBudget, ask_everything
from mcp_wallet_guard.config.settings import Settings, parse_settings
from mcp_wallet_guard.errors import Misconfigured
from mcp_wallet_guard.evidence import Level
from mcp_wallet_guard.operations.values import Account, Address, Amount, Asset, ChainId
from mcp_wallet_guard.policy.rules import Payee

CHAIN = ChainId(31337)
ALICE = Payee(name="Alice", address=Address.from_bytes(b"\xa1" * 20))
BOB = Payee(name="Bob", address=Address.from_bytes(b"\xb0" * 20))


def preset(budget: SmallBudget | None = None) -> str:
    return ask_everything(
        vault="vault.json",
        mode="daemon",
        node="http://127.0.0.1:8545",
        account=Account("main", CHAIN, Address.from_bytes(b"\x11" * 20)),
        native=Asset(CHAIN, "ETH", 18),
        max_per_transaction=Amount("0.5"),
        budget=budget,
    )


def settings(budget: SmallBudget | None = None) -> Settings:
    return parse_settings(preset(budget))


def test_ask_everything_asks_about_each_payment_with_a_code() -> None:
    policy = settings().policy

    assert policy is not None
    assert (policy.level, policy.approvals, policy.mandates) == (Level.FACTOR, False, ())
    assert settings().waivers == ()


def test_small_budget_is_ask_everything_and_one_mandate_to_the_named_payees() -> None:
    edited = settings(SmallBudget(payees=(ALICE, BOB)))

    changed = {line.partition(":")[0].split(".")[0:2][-1] for line in difference(settings(), edited)}
    assert changed == {"Alice", "Bob", "groups", "mandates"}
    assert edited.policy is not None
    (mandate,) = edited.policy.mandates
    assert mandate.name == "small payments"
    assert mandate.tools == {"pay"}
    assert mandate.payees == {ALICE.address, BOB.address}
    assert (mandate.asset, mandate.cap, mandate.max_fee) == (edited.native, 5 * 10**15, 2 * 10**15)
    assert (mandate.budget.amount, mandate.budget.count, mandate.budget.seconds) == (2 * 10**16, 10, 86_400)
    assert mandate.seconds == 30 * 86_400
    assert edited.waivers == ()


def test_every_bound_can_be_another() -> None:
    budget = SmallBudget(
        payees=(ALICE,), max_per_transaction=Amount("1"), max_fee=Amount("2"), amount=Amount("3"), count=4,
        window="5h", days=6, tools=("pay", "tip"),
    )  # fmt: skip
    policy = settings(budget).policy

    assert policy is not None
    (mandate,) = policy.mandates
    ether = 10**18
    assert (mandate.cap, mandate.max_fee, mandate.budget.amount) == (ether, 2 * ether, 3 * ether)
    assert (mandate.budget.count, mandate.budget.seconds, mandate.seconds) == (4, 5 * 3600, 6 * 86_400)
    assert mandate.tools == {"pay", "tip"}


@pytest.mark.parametrize(
    "budget",
    [
        SmallBudget(payees=()),
        SmallBudget(payees=(ALICE,), window="a day"),
        SmallBudget(payees=(ALICE,), count=0),
        SmallBudget(payees=(ALICE,), days=400),
        SmallBudget(payees=(ALICE,), max_per_transaction=Amount("1")),
        SmallBudget(payees=(ALICE,), tools=("pay now",)),
        SmallBudget(payees=(ALICE, Payee(name="alice", address=BOB.address))),
    ],
)
def test_bounds_that_are_none_are_refused(budget: SmallBudget) -> None:
    with pytest.raises(Misconfigured):
        preset(budget)


@pytest.mark.parametrize("budget", [None, SmallBudget(payees=(ALICE,))])
def test_each_key_and_table_of_payments_has_a_short_explanation(budget: SmallBudget | None) -> None:
    lines = preset(budget).partition("\n[[contacts]]")[0].splitlines()
    keys = [line for line in lines if re.match(r"[a-z_]+ = ", line)]

    assert len(keys) >= 20
    assert [line for line in keys if not re.search(r"  # \S.{5,}", line)] == []
