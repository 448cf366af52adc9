"""[[venues]] of guard.toml: strict, default deny, and named key by key when it changes."""

from __future__ import annotations

import pytest

from mcp_wallet_guard.config.difference import difference
from mcp_wallet_guard.config.settings import canonical, from_canonical, parse_settings
from mcp_wallet_guard.errors import Misconfigured
from tests.config.documents import LEAST

VENUE = """
[[venues]]
name = "exchange"
kind = "binance"
url = "https://api.binance.com"
account = "Trading"
wallet = "spot"

[[venues.assets]]
asset = "USDC"
network = "ARBITRUM"
decimals = 6
max_per_withdrawal = "500"
amount = "1000"
count = 3
window = "24h"
max_fee = "1"
fee = "0.1"
memo = "none"
form = "evm"

[[venues.addresses]]
name = "Cold wallet"
network = "ARBITRUM"
address = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
"""


def test_a_venue_becomes_a_rule_and_travels_sealed() -> None:
    settings = parse_settings(LEAST + VENUE)
    assert from_canonical(canonical(settings)) == settings
    (venue,) = settings.venues
    (rule,) = venue.networks
    assert (venue.endpoint, venue.window_ms) == ("https://api.binance.com/sapi/v1/capital/withdraw/apply", 10_000)
    assert (rule.cap, rule.amount, rule.max_fee, rule.fee) == (500_000_000, 1_000_000_000, 1_000_000, 100_000)
    assert parse_settings(LEAST + VENUE.replace('fee = "0.1"', 'fee = "ask"')).venues[0].networks[0].fee is None
    assert parse_settings(LEAST).venues == ()


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('kind = "binance"', 'kind = "kraken"', "venues.0.kind"),
        ("https://api.binance.com", "https://api.binance.com/", "has a path"),
        ("https://api.binance.com", "https://api.binance.com/api", "has a path"),
        ("https://api.binance.com", "https://api.binance.com?key=1", "has a path"),
        ("https://api.binance.com", "http://api.binance.com", "venues.0.url"),
        ("https://api.binance.com", "https://me@api.binance.com", "venues.0.url"),
        ('wallet = "spot"', "", "venues.0.wallet"),
        ('wallet = "spot"', 'wallet = "margin"', "venues.0.wallet"),
        ('name = "exchange"', 'name = "My exchange"', "venues.0.name"),
        ('account = "Trading"', 'account = "Tr\\u00e4ding"', "venues.0.account"),
        ('network = "ARBITRUM"\ndecimals', "decimals", "venues.0.assets.0.network"),
        ('memo = "none"', "", "venues.0.assets.0.memo"),
        ('memo = "none"', 'memo = "no"', "venues.0.assets.0.memo"),
        ('max_fee = "1"', "", "venues.0.assets.0.max_fee"),
        ('max_fee = "1"', 'max_fee = "0.05"', "is above max_fee"),
        ('"500"', '"0"', "is not a positive amount"),
        ('"500"', "500", "max_per_withdrawal"),
        ('"500"', '"500.0000001"', "max_per_withdrawal"),
        ("count = 3", "count = 0", "venues.exchange.assets.USDC.ARBITRUM"),
        ('window = "24h"', 'window = "24"', "window"),
        ("decimals = 6", "decimals = 19", "decimals"),
        ('form = "evm"', 'form = "tron"', "Cold wallet"),
        ("79C8", "79c8", "Cold wallet"),
        ('address = "0x', 'memo = "1"\naddress = "0x', "Cold wallet"),
        ("[[venues.addresses]]", '[[venues.addresses]]\nnote = "x"', "note"),
    ],
)
def test_what_is_not_as_documented_is_named(old: str, new: str, named: str) -> None:
    assert VENUE.count(old)
    with pytest.raises(Misconfigured) as refused:
        parse_settings(LEAST + VENUE.replace(old, new))
    assert named in refused.value.detail


def test_a_name_means_one_venue() -> None:
    with pytest.raises(Misconfigured, match="not valid"):
        parse_settings(LEAST + VENUE + VENUE)


def test_an_edit_is_named_by_venue_asset_and_address() -> None:
    before = parse_settings(LEAST + VENUE)
    after = parse_settings(LEAST + VENUE.replace('"500"', '"5000"').replace('"Cold wallet"', '"Cold"'))
    assert difference(before, after)[-1].startswith(
        'venues.exchange.assets.USDC.ARBITRUM.max_per_withdrawal: "500" -> '
    )
    assert any(line.startswith("venues.exchange.addresses.Cold.") for line in difference(before, after))
    assert difference(parse_settings(LEAST), before)[0].startswith("venues.exchange.account: (not set) -> ")
