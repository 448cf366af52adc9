"""Where the settings say that the venue is asked: its word is shown, and may only make the guard stricter.

Threat: T-006, T-025, T-120.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mcp_wallet_guard.exchange import Pending
from mcp_wallet_guard.testing.venue import Network, SimulatedVenue
from tests.guard.rig import Rig
from tests.guard.venue import COLD, Trader, copied, receipt_of

pytestmark = pytest.mark.anyio


@pytest.fixture
def rig(tmp_path: Path, prepared: dict[str, Rig], venue: SimulatedVenue) -> Rig:
    rig = copied(prepared["ask"], tmp_path / "copy")
    venue.clock = rig.clock
    venue.list_address("USDC", "ARBITRUM", COLD)
    return rig


def told(name: str, value: Any) -> Network:
    return replace(Network(), **{name: value})


async def shown(trader: Trader) -> tuple[dict[str, str], dict[str, str]]:
    """The fields and the findings' severities of an open question."""
    view = (await trader.wallet.owned.request((await trader.asked()).operation)).view
    return {each.label: each.value for each in view.fields}, {each.code: each.severity for each in view.findings}


async def test_the_fee_is_the_venues_and_what_arrives_is_exact(rig: Rig, venue: SimulatedVenue) -> None:
    venue.networks[0] = Network(fee="0.30")
    async with rig.opened() as wallet:
        trader = Trader(wallet)
        fields, findings = await shown(trader)
        assert (fields["Fee"], fields["Arrives"]) == ("0.3 USDC, as the venue says", "25.2 USDC")
        assert "withdrawal.unlisted" not in findings
        assert "withdrawal.fee_unchecked" not in findings
        await trader.approved()
        assert receipt_of(await trader.done()).received == "25.2"


async def test_an_address_that_the_venue_does_not_know_is_a_danger(rig: Rig, venue: SimulatedVenue) -> None:
    venue.book.clear()
    async with rig.opened() as wallet:
        assert (await shown(Trader(wallet)))[1]["withdrawal.unlisted"] == "danger"


async def test_what_the_venue_says_can_refuse(rig: Rig, venue: SimulatedVenue) -> None:
    lies: tuple[tuple[str, object, str], ...] = (
        ("fee", "1.000001", "policy.venue_fee"),
        ("least", "26", "policy.venue_fee"),
        ("open", False, "policy.venue_fee"),
        ("needs_memo", True, "policy.venue_memo"),
        ("network", "ETH", "unavailable.venue"),
        ("fee", "-1", "unavailable.venue"),
        ("fee", "1e3", "unavailable.venue"),
        ("fee", 0.1, "unavailable.venue"),
    )
    async with rig.opened() as wallet:
        for name, value, code in lies:
            venue.networks[0] = told(name, value)
            assert (name, value, await Trader(wallet).refused()) == (name, value, code)
        venue.networks[0] = Network()
        assert isinstance(await Trader(wallet).withdraw(), Pending), "the honest venue's is asked"


async def test_what_changed_after_the_owner_read_it_refuses(rig: Rig, venue: SimulatedVenue) -> None:
    changes: tuple[tuple[str, object], ...] = (("fee", "0.100001"), ("open", False), ("least", "26"))
    async with rig.opened() as wallet:
        trader = Trader(wallet)
        for number, (name, value) in enumerate(changes):
            venue.networks[0] = Network()
            await trader.approved(reference=str(number))
            venue.networks[0] = told(name, value)
            assert (name, await trader.refused(reference=str(number))) == (name, "policy.venue_fee")
    assert venue.withdrawals == []


async def test_a_fee_that_fell_does_not_matter(rig: Rig, venue: SimulatedVenue) -> None:
    async with rig.opened() as wallet:
        trader = Trader(wallet)
        await trader.approved()
        venue.networks[0] = Network(fee="0.05")
        assert (await trader.done()).outcome == "sent"


async def test_an_address_that_was_taken_out_of_the_venues_book_refuses(rig: Rig, venue: SimulatedVenue) -> None:
    async with rig.opened() as wallet:
        trader = Trader(wallet)
        await trader.approved()
        venue.book.clear()
        assert await trader.refused() == "policy.venue_address"
        venue.list_address("USDC", "ARBITRUM", COLD)
        assert isinstance(await trader.withdraw(), Pending), "what was refused is asked anew"
