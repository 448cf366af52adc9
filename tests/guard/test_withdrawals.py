"""Withdrawals from a venue through the whole guard: asked, approved out of the model's reach, sent at most once.

The venue is a real server that checks key, signature and time, and counts what it carries out.
Threat: T-001, T-006, T-009, T-018, T-061, T-120.
"""

from __future__ import annotations

import hashlib
import json

import anyio
import pytest

from mcp_wallet_guard.approvals.documents import request_page
from mcp_wallet_guard.cli.telling import explanation
from mcp_wallet_guard.evidence import Channel, Level
from mcp_wallet_guard.exchange import Done, Pending
from mcp_wallet_guard.journal.events import Kind
from mcp_wallet_guard.operations.requests import VenueRequest
from mcp_wallet_guard.testing.venue import Fault, SimulatedVenue
from tests.guard.rig import Rig, apply, edited
from tests.guard.venue import COLD, DESK, Trader, receipt_of
from tests.invariants import check_invariants

pytestmark = pytest.mark.anyio


@pytest.fixture
def rig(venue_rig: Rig) -> Rig:
    return venue_rig


async def test_from_the_question_to_the_venues_own_account_of_it(rig: Rig, venue: SimulatedVenue) -> None:
    async with rig.opened() as wallet:
        trader = Trader(wallet)
        pending = await trader.asked()
        assert venue.withdrawals == []
        request = await wallet.owned.request(pending.operation)
        shown = {field.label: field.value for field in request.view.fields}
        await wallet.approve(pending.operation)
        done = await trader.done()
        assert (done.outcome, done.repeated) == ("sent", False)
        receipt = receipt_of(done)
        (left,) = venue.withdrawals

        # What was approved is what was signed, but for the time, and the venue says which string it verified.
        row = await wallet.row(pending.operation)
        assert row.unsigned_bytes is not None
        template = VenueRequest(**json.loads(row.unsigned_bytes)).template
        assert shown["Signed string"] == template
        assert shown["SHA-256 of it"].replace(" ", "") == hashlib.sha256(template.encode()).hexdigest()
        assert left.text == template.replace("{timestamp}", str(rig.clock.now() * 1000))
        assert receipt.request_sha256 == hashlib.sha256(left.text.encode()).hexdigest()
        assert row.signed_bytes == left.text.encode(), "kept without its signature"
        assert left.fields == {
            "coin": "USDC", "withdrawOrderId": receipt.order_id, "network": "ARBITRUM", "address": COLD,
            "amount": "25.5", "transactionFeeFlag": "false", "walletType": "0", "recvWindow": "10000",
            "timestamp": str(rig.clock.now() * 1000),
        }  # fmt: skip
        assert (receipt.amount, receipt.fee, receipt.received, receipt.memo) == ("25.5", "0.1", "25.4", None)
        again = await trader.done()
        assert (again.operation, again.repeated) == (done.operation, True)
        venue.status = 6
        settled = await trader.outcome(done.operation)
        assert settled.outcome == "completed"
        assert receipt_of(settled).venue_transaction == "0x" + "ab" * 32
        page = await wallet.owned.read_log(last=50, about=done.operation)
        entries = [json.loads(entry) for entry in page.entries]
        told = "\n".join(explanation(entries))
        for said in (left.text, receipt.request_sha256, "The venue took it.", "It ended: completed.", "Signed string"):
            assert said in told
        assert await wallet.owned.history(10) == (), "no payment of the chain's account"
        assert [entry["kind"] for entry in entries] == [
            Kind.FROZEN, Kind.APPROVED, Kind.CONSUMED, Kind.SIGNED, Kind.SENT, Kind.SETTLED,
        ]  # fmt: skip
        assert entries[3]["data"] == {"signed_string": left.text, "sha256": receipt.request_sha256}
    assert len(venue.withdrawals) == 1
    await check_invariants(rig)


async def test_a_memo_is_part_of_the_string_and_of_what_is_allowed(rig: Rig, venue: SimulatedVenue) -> None:
    """Threat: T-120. At an exchange it is the memo that says whose the money is."""
    memo = {"asset": "XRP", "network": "XRP", "to": DESK, "memo": "104729"}
    async with rig.opened() as wallet:
        trader = Trader(wallet)
        for other in ("104728", "0104729", "104729x"):
            assert await trader.refused("30", **{**memo, "memo": other}) == "policy.venue_address"
        assert await trader.refused("30", **{**memo, "memo": None}) == "policy.venue_memo"
        request = await wallet.owned.request((await trader.asked("30", **memo)).operation)
        assert {field.label: field.value for field in request.view.fields}["Memo"] == '"104729"'
        await wallet.approve(request.operation)
        assert receipt_of(await trader.done("30", **memo)).memo == "104729"
    assert venue.withdrawals[0].fields["addressTag"] == "104729"


REFUSED: tuple[tuple[dict[str, str | None], str], ...] = (
    ({"venue": "kraken"}, "policy.venue"),
    ({"asset": "USDT"}, "policy.venue"),
    ({"network": "ETH"}, "policy.venue"),
    ({"network": "XRP"}, "policy.venue"),
    ({"to": "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"}, "policy.venue_address"),
    ({"to": COLD.lower()}, "policy.venue_address"),
    ({"memo": "1"}, "policy.venue_memo"),
    ({"amount": "500.000001"}, "policy.cap"),
    ({"amount": "0.0000001"}, "invalid_input.precision"),
    ({"amount": "0"}, "invalid_input.zero"),
    ({"amount": "0.1"}, "policy.venue_fee"),
    ({"to": COLD + "&network=ETH"}, "invalid_input.withdrawal"),
    ({"memo": "1&amount=9"}, "invalid_input.withdrawal"),
    ({"network": None}, "invalid_input"),
    ({"chain": "eip155:1"}, "invalid_input"),
)


async def test_what_the_settings_do_not_name_is_refused_before_anybody_is_asked(
    rig: Rig, venue: SimulatedVenue
) -> None:
    async with rig.opened() as wallet:
        for changes, code in REFUSED:
            asked = {"amount": "25.5", **changes}
            assert (changes, await Trader(wallet).refused(asked.pop("amount") or "", **asked)) == (changes, code)
        assert await wallet.owned.requests() == ()
        assert isinstance(await Trader(wallet).withdraw(), Pending), "the honest one is asked"
    assert venue.asked == []


async def test_a_factor_is_asked_whatever_the_policys_level(rig: Rig) -> None:
    edited(rig, "[danger]", '[danger]\nlower_level = "for this test alone"')
    settings = edited(rig, 'level = "factor"', 'level = "present"')
    async with rig.opened() as wallet:
        await apply(wallet, settings)
        request = await wallet.owned.request((await Trader(wallet).asked()).operation)
        assert request.level == Level.FACTOR
        assert (await wallet.owned.request((await wallet.asked()).operation)).level == Level.PRESENT


async def test_six_calls_at_once_withdraw_once(rig: Rig, venue: SimulatedVenue) -> None:
    """Threat: T-009."""
    async with rig.opened() as wallet:
        trader = Trader(wallet)
        await trader.approved()
        answers: list[object] = []

        async def call() -> None:
            answers.append(await trader.withdraw())

        async with anyio.create_task_group() as tasks:
            for _ in range(6):
                tasks.start_soon(call)
        assert sorted(each.repeated for each in answers if isinstance(each, Done)) == [False] + [True] * 5
    async with rig.opened() as wallet:
        assert (await Trader(wallet).done()).repeated, "nor after a restart"
    assert len(venue.withdrawals) == 1


async def test_a_waiting_call_withdraws_as_soon_as_it_is_approved(rig: Rig, venue: SimulatedVenue) -> None:
    async with rig.opened() as wallet:
        answers: list[object] = []

        async def call() -> None:
            answers.append(await Trader(wallet).wait(30))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call)
            while not (waiting := await wallet.owned.requests()):  # noqa: ASYNC110
                await anyio.sleep(0.01)
            await wallet.approve(waiting[0].operation)
        assert [each.outcome for each in answers if isinstance(each, Done)] == ["sent"]
    assert len(venue.withdrawals) == 1


@pytest.mark.parametrize("fault", ["silent", "garbage"])
async def test_an_answer_that_is_lost_is_looked_up_and_never_sent_again(
    rig: Rig, venue: SimulatedVenue, fault: Fault
) -> None:
    """Threat: T-009. The venue carried it out, and would do so again: only nobody asks it to."""
    async with rig.opened() as wallet:
        trader = Trader(wallet)
        await trader.approved()
        venue.fail(fault)
        assert (await trader.done()).outcome == "sent", "its history says that it has it"
        assert (await trader.done()).repeated
    assert len(venue.withdrawals) == 1


async def test_what_has_no_end_is_asked_about_without_a_call_and_not_each_second(
    rig: Rig, venue: SimulatedVenue
) -> None:
    async with rig.opened() as wallet:
        trader = Trader(wallet)
        await trader.approved()
        sent = await trader.done()
        assert sent.outcome == "sent"
        rig.clock.advance(20)
        await wallet.owned.guard.watch()
        assert (await wallet.row(sent.operation)).outcome is None, "the venue still works on it"
        venue.status = 6
        await wallet.owned.guard.watch()
        assert (await wallet.row(sent.operation)).outcome is None, "it was asked a moment ago"
        rig.clock.advance(61)
        await wallet.owned.guard.watch()
        assert (await wallet.row(sent.operation)).outcome == "completed"
    assert len(venue.withdrawals) == 1


async def test_an_approval_under_settings_that_changed_meanwhile_sends_nothing(rig: Rig, venue: SimulatedVenue) -> None:
    """Threat: T-099."""
    async with rig.opened() as wallet:
        trader = Trader(wallet)
        operation = await trader.approved()
        await apply(wallet, edited(rig, "expires_minutes = 10", "expires_minutes = 9"))
        assert await trader.refused() == "policy.changed"
        assert (await wallet.row(operation)).state == "refused"
    assert venue.withdrawals == []


async def test_what_is_unclear_blocks_the_venue_until_it_is_clear(rig: Rig, venue: SimulatedVenue) -> None:
    async with rig.opened() as wallet:
        trader = Trader(wallet)
        await trader.approved()
        venue.fail("silent")
        venue.forgets = True
        first = await trader.done()
        assert first.outcome == "unknown"
        assert first.withdrawal is None
        assert await trader.refused("7") == "blocked.unknown"
        assert (await wallet.pay()).status == "pending", "the chain's account is another matter"
        venue.forgets = False
        assert (await trader.outcome(first.operation)).outcome == "sent"
        assert isinstance(await trader.withdraw("7"), Pending)
    assert len(venue.withdrawals) == 1


async def test_what_the_venue_never_had_ends_once_it_cannot_be_taken_any_more(rig: Rig, venue: SimulatedVenue) -> None:
    async with rig.opened() as wallet:
        trader = Trader(wallet)
        await trader.approved()
        venue.fail("before")
        first = await trader.done()
        assert first.outcome == "unknown"
        rig.clock.advance(600)
        assert (await trader.outcome(first.operation)).outcome == "unknown", "its history may lag"
        rig.clock.advance(11)
        assert (await trader.outcome(first.operation)).outcome == "failed"
        assert (await trader.done()).repeated
        rig.clock.advance(601)
        assert isinstance(await trader.withdraw(), Pending), "and may be asked for anew"
    assert venue.withdrawals == []


@pytest.mark.parametrize(("fault", "outcome"), [("refuse", "failed"), ("unclear", "unknown")])
async def test_the_venues_no_is_an_end_and_its_perhaps_is_none(
    rig: Rig, venue: SimulatedVenue, fault: Fault, outcome: str
) -> None:
    async with rig.opened() as wallet:
        trader = Trader(wallet)
        await trader.approved()
        venue.fail(fault)
        assert (await trader.done()).outcome == outcome
    assert venue.withdrawals == []


LIES: tuple[dict[str, object], ...] = (
    {"address": "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"},
    {"network": "ETH"},
    {"coin": "USDT"},
    {"amount": "255"},
    {"amount": 25.5},
    {"addressTag": "7"},
    {"status": 9},
    {"status": "6"},
)


async def test_a_venue_that_tells_of_something_else_is_not_believed(rig: Rig, venue: SimulatedVenue) -> None:
    async with rig.opened() as wallet:
        trader = Trader(wallet)
        done = await trader.withdrawn()
        venue.status = 6
        for lie in LIES:
            venue.lies = dict(lie)
            assert (lie, (await trader.outcome(done.operation)).outcome) == (lie, "sent")
        venue.lies = {"address": COLD.lower(), "amount": "25.4"}
        assert (await trader.outcome(done.operation)).outcome == "completed", "in its own spelling it is the same"


async def test_the_window_counts_amounts_and_withdrawals(rig: Rig, venue: SimulatedVenue) -> None:
    """Threat: T-018, T-019."""
    async with rig.opened() as wallet:
        trader = Trader(wallet)
        await trader.withdrawn("500")
        assert await trader.refused("100.000001") == "over_budget"
        await trader.withdrawn("50")
        await trader.withdrawn("25")
        await trader.withdrawn("20")
        assert await trader.refused("5") == "over_budget", "four of them"
        assert isinstance(await trader.withdraw("30", asset="XRP", network="XRP", to=DESK, memo="104729"), Pending)
        rig.clock.advance(86_400 + 1_440)
        assert isinstance(await trader.withdraw("5"), Pending)
    assert [each.fields["amount"] for each in venue.withdrawals] == ["500", "50", "25", "20"]


async def test_a_second_one_of_the_same_needs_another_reference(rig: Rig, venue: SimulatedVenue) -> None:
    async with rig.opened() as wallet:
        trader = Trader(wallet)
        first = await trader.withdrawn()
        second = await trader.withdrawn(reference="again")
        assert receipt_of(first).order_id != receipt_of(second).order_id
    assert len(venue.withdrawals) == 2


async def test_a_declined_one_is_not_asked_again_at_once(rig: Rig, venue: SimulatedVenue) -> None:
    async with rig.opened() as wallet:
        trader = Trader(wallet)
        operation = (await trader.asked()).operation
        await wallet.owned.decline(operation, channel=Channel.TERMINAL)
        assert await trader.refused() == "declined"
    assert venue.asked == []


async def test_an_approval_that_nobody_used_in_time_sends_nothing(rig: Rig, venue: SimulatedVenue) -> None:
    async with rig.opened() as wallet:
        trader = Trader(wallet)
        await trader.approved()
        rig.clock.advance(120)
        assert isinstance(await trader.withdraw(), Pending)
    assert venue.withdrawals == []


async def test_its_page_names_it_a_withdrawal_and_shows_every_field_before_the_form(rig: Rig) -> None:
    """Threat: T-021."""
    async with rig.opened() as wallet:
        request = await wallet.owned.request((await Trader(wallet).asked()).operation)
    page = request_page(request, csrf="c", now=rig.clock.now()).decode()
    assert "<h1>Approve this withdrawal?</h1>" in page
    places = [page.index(f'data-field="{field.label}"') for field in request.view.fields]
    assert places == sorted(places)
    assert page.rindex("data-finding=") < min(places)
    assert max(places) < page.index("<form") < page.index("data-match-code")
    assert request.view.fields[11].value.replace("&", "&amp;") in page, "the string, whole"
