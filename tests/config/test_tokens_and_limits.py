"""Tokens, contacts, groups and limits of guard.toml: each name means one thing, and each limit limits something."""

from __future__ import annotations

import pytest

from mcp_wallet_guard.config.settings import parse_settings
from tests.config.documents import FULL, edited
from tests.config.test_settings import CAROL, PAYEE, PRECISION, SENDER, USDC, refusal

TOKEN = '[[tokens]]\nsymbol = "{}"\naddress = "{}"\ndecimals = 6\n'
CONTACT = '[[contacts]]\nname = "{}"\naddress = "{}"\n'
NO_SYMBOL = "is neither the chain's symbol nor one of [[tokens]]"
AGAIN = '[[policy.limits]]\nasset = "USDC"\ncount = 9\nwindow = "1d"\ngroup = "friends"\n'
SAME = "two are of the same asset, window and payees"
TWICE = "is there twice, or is a payee's with another"


def test_a_payee_may_be_a_contact_too() -> None:
    assert parse_settings(FULL + CONTACT.format("Alice", PAYEE)).address_book == parse_settings(FULL).address_book


@pytest.mark.parametrize(
    ("source", "detail"),
    [
        (edited('asset = "USDC"', 'asset = "DAI"'), f"policy.limits.0.asset: {NO_SYMBOL}"),
        (edited('asset = "USDC"\n', ""), "policy.limits.0.amount: is of no asset"),
        (edited('"500"', '"0.0000001"'), f"policy.limits.0.amount: {PRECISION}"),
        (edited('"500"', '"0"'), "policy.limits: an amount is positive, and of one asset"),
        (edited("count = 7", "count = 0"), "policy.limits: a count is from 1 to 100000"),
        (edited('"24h"', '"999d"'), "policy.limits: a window is of whole minutes, from one to those of a year"),
        (edited('group = "friends"', 'group = "foes"'), "policy.limits.0.group: is no group of payees and contacts"),
        (edited('["Carol"]', '["Dave"]'), "policy.limits.0.group: is no group of payees and contacts"),
        (edited('["Carol"]', "[]"), "policy.limits: a group without payees"),
        (edited("[approval]", AGAIN + "[approval]"), f"policy.limits: {SAME}"),
        (edited('"100.5"', '"0"'), "policy.tokens.USDC: is not a positive amount"),
        (edited('"100.5"', '"0.0000001"'), f"policy.tokens.USDC: {PRECISION}"),
        (edited("{ USDC =", "{ usdc ="), "policy.tokens: a symbol that [[tokens]] does not pin"),
        (edited('symbol = "USDC"', 'symbol = "eth"'), "tokens: a symbol is there twice"),
        (FULL + TOKEN.format("usdc", PAYEE), "tokens: a symbol is there twice"),
        (FULL + TOKEN.format("DAI", USDC.address), "tokens: an address is there twice"),
        (FULL + TOKEN.format("DAI", PAYEE), "contacts and payees: an address is a token's contract"),
        (FULL + TOKEN.format("DAI", CAROL), "contacts and payees: an address is a token's contract"),
        (FULL + CONTACT.format("CAROL", SENDER), f"contacts: a name {TWICE} address"),
        (FULL + CONTACT.format("alice", SENDER), f"contacts: a name {TWICE} address"),
        (FULL + CONTACT.format("Dave", CAROL), f"contacts: an address {TWICE} name"),
        (FULL + CONTACT.format("Dave", PAYEE), f"contacts: an address {TWICE} name"),
    ],
)
def test_values_that_contradict_each_other_are_named(source: str, detail: str) -> None:
    assert refusal(source) == detail
