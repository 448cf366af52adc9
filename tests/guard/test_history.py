"""What the wallet paid lately: from the journal's receipts, and nothing about who asked for what.

Threat: T-060, T-088.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mcp_wallet_guard import history
from mcp_wallet_guard.errors import InvalidInput, Locked, Tampered
from mcp_wallet_guard.evidence import Channel
from mcp_wallet_guard.exchange import ActionProposal, Done, HistoryEntry, MayAct, Pending
from mcp_wallet_guard.journal.chain import Entry
from mcp_wallet_guard.operations.actions import Action
from mcp_wallet_guard.testing.chain import SimulatedChain
from tests import database
from tests.guard.rig import DATABASE, Rig, apply, edited, make_rig
from tests.guard.test_withheld_receipts import make_secret

pytestmark = pytest.mark.anyio
FIELDS = {"operation", "at", "outcome", "to", "amount", "symbol", "transaction_hash", "fee"}
ACTION = '\n[[policy.actions]]\ntool = "book"\ncount = 3\nwindow = "1d"\n'


def entry_of(done: Done, at: int) -> HistoryEntry:
    assert done.receipt is not None
    return HistoryEntry(
        operation=done.operation,
        at=at,
        outcome=done.outcome,  # type: ignore[arg-type]  # the model refuses another one
        **done.receipt.model_dump(include=FIELDS - {"operation"}),
    )


async def test_what_was_paid_is_told_as_its_receipt_was_the_newest_first(rig: Rig) -> None:
    async with rig.opened() as wallet:
        assert await wallet.owned.history(20) == ()
        first = await wallet.paid("0.1")
        began = rig.clock.now()
        rig.clock.advance(60)
        second = await wallet.paid("0.2")
        expected = (entry_of(second, rig.clock.now()), entry_of(first, began))
        assert await wallet.owned.history(20) == expected
        assert await wallet.owned.history(1) == expected[:1]
        rig.clock.advance(3_600)
        await wallet.owned.sweep()
        assert await wallet.owned.history(20) == expected, "also when its row is gone"
    async with rig.opened() as wallet:
        assert await wallet.owned.history(20) == expected


async def test_nothing_is_told_of_who_asked_and_of_what_was_not_paid(rig: Rig) -> None:
    async with rig.opened() as wallet:
        declined = await wallet.asked("0.11", reference="declined-one")
        await wallet.owned.decline(declined.operation, channel=Channel.TERMINAL)
        assert await wallet.refused("0.7", reference="too-much") == "policy.cap"
        await wallet.approved("0.12", reference="approved-and-not-called")
        rig.clock.advance(1_000)
        paid = await wallet.paid("0.13", reference="the-invoice")
        await wallet.asked("0.14", reference="waiting")

        told = await wallet.owned.history(100)

    assert [entry.operation for entry in told] == [paid.operation]
    assert told[0].model_dump().keys() == FIELDS
    text = told[0].model_dump_json()
    assert not [word for word in ("invoice", "local", "pay", "approved", rig.made.address.value) if word in text]


async def test_what_is_sent_unknown_or_settled_is_told_so(rig: Rig) -> None:
    async with rig.opened() as wallet:
        await wallet.approved("0.1")
        rig.chain.fail("eth_sendRawTransaction", message="busy")
        assert (await wallet.done("0.1")).outcome == "unknown"
        (unknown,) = await wallet.owned.history(5)
        assert (unknown.outcome, unknown.to, unknown.fee) == ("unknown", None, None)
        rig.chain.honest()
        rig.chain.auto_mine = False
        assert (await wallet.done("0.1")).outcome == "sent"
        (sent,) = await wallet.owned.history(5)
        assert (sent.outcome, sent.to, sent.fee) == ("sent", rig.payee.value, None)
        rig.chain.mine()
        await wallet.owned.outcome(unknown.operation, principal="local")
        (mined,) = await wallet.owned.history(5)
        assert (mined.outcome, mined.operation, mined.at) == ("mined", unknown.operation, unknown.at)
        assert mined.fee is not None


async def test_what_was_burned_was_not_paid(rig: Rig) -> None:
    async def dies(*_: object) -> Any:
        raise RuntimeError("the signer's process is gone")

    async with rig.opened(misbehave=dies) as wallet:
        await wallet.approved()
        assert (await wallet.done()).outcome == "burned"
        assert await wallet.owned.history(5) == ()


@pytest.fixture
def acting_rig(tmp_path: Path, chain: SimulatedChain) -> Rig:
    return make_rig(tmp_path, chain, more=ACTION)


async def test_an_action_is_no_payment_whatever_it_returns(acting_rig: Rig) -> None:
    proposal = ActionProposal(principal="local", body=Action("book", {}).body.decode())
    async with acting_rig.opened() as wallet:
        paid = await wallet.paid()
        asked = await wallet.owned.act(proposal, wait_seconds=0)
        assert isinstance(asked, Pending)
        await wallet.approve(asked.operation)
        begun = await wallet.owned.act(proposal, wait_seconds=0)
        assert isinstance(begun, MayAct)
        assert paid.receipt is not None
        forged = paid.receipt.model_dump(mode="json") | {"operation": begun.operation, "amount": "99"}
        await wallet.owned.acted(begun.operation, principal="local", outcome="carried_out", result=json.dumps(forged))
        assert [entry.operation for entry in await wallet.owned.history(5)] == [paid.operation]


@pytest.mark.parametrize("last", [0, -1, 101, True, 1.0, "5"])
async def test_a_number_out_of_bounds_is_refused(rig: Rig, last: Any) -> None:
    async with rig.opened() as wallet:
        with pytest.raises(InvalidInput):
            await wallet.owned.history(last)


async def test_while_locked_it_is_told_or_refused_as_a_balance_is(rig: Rig) -> None:
    settings = edited(rig, 'locked_reads = "allow"', 'locked_reads = "refuse"')
    async with rig.opened() as wallet:
        await wallet.paid()
        open_ = await wallet.owned.history(5)
        await wallet.owned.lock()
        assert await wallet.owned.history(5) == open_, "the settings in force allow it"
    async with rig.opened() as wallet:
        await apply(wallet, settings)
        assert await wallet.owned.history(5) == open_
    async with rig.opened(unlock=False) as wallet:
        with pytest.raises(Locked):
            await wallet.owned.history(5)


@pytest.mark.parametrize("unlock", [True, False])
async def test_an_edited_journal_tells_nothing(rig: Rig, *, unlock: bool) -> None:
    async with rig.opened() as wallet:
        done = await wallet.paid()
        assert done.receipt is not None
        if not unlock:
            await wallet.owned.lock()
        edit = "UPDATE journal SET body = CAST(replace(CAST(body AS TEXT), ?, ?) AS BLOB)"
        database.execute(rig.files.database, edit, (done.receipt.to, rig.made.address.value))
        with pytest.raises(Tampered):
            await wallet.owned.history(5)


async def test_a_receipt_that_was_withheld_stays_inside_here_too(rig: Rig) -> None:
    async with rig.opened() as wallet:
        await wallet.approved()
        planted = make_secret(wallet)
        done = await wallet.done()
        (told,) = await wallet.owned.history(5)
    assert (told.operation, told.outcome) == (done.operation, "mined")
    assert set(told.model_dump(exclude={"operation", "at", "outcome"}).values()) == {None}
    assert planted not in told.model_dump_json()


async def test_another_accounts_payments_are_not_this_ones(rig: Rig) -> None:
    async with rig.opened() as wallet:
        await wallet.paid()
        entries = await wallet.owned.custody.store.journal()
        account = rig.made.loaded.settings.account.id
        assert len(history._payments(entries, account)) == 1
        assert history._payments(entries, account.replace("0x", "0X")) == ()


async def test_it_looks_back_so_far_and_no_further(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a long journal does not keep the guard busy."""
    async with rig.opened() as wallet:
        await wallet.paid("0.1")
        second = await wallet.paid("0.2")
        monkeypatch.setattr(history, "REACH", _since(await wallet.owned.custody.store.journal(), second.operation))
        assert [entry.operation for entry in await wallet.owned.history(5)] == [second.operation]
        await wallet.owned.lock()
        assert [entry.operation for entry in await wallet.owned.history(5)] == [second.operation]


def _since(entries: tuple[Entry, ...], operation: str) -> int:
    """How many entries there are from the first one about the operation on."""
    first = next(entry.index for entry in entries if entry.fields["subject"] == operation)
    return len(entries) - first


async def test_copies_of_a_store_are_no_history(rig: Rig) -> None:
    """An older store that was put back has forgotten a payment: the guard is blocked, and says what the store says."""
    async with rig.opened() as wallet:
        await wallet.paid("0.1")
    copy = rig.snapshot("before")
    async with rig.opened() as wallet:
        await wallet.paid("0.2")
    rig.put_back(copy, *DATABASE)
    async with rig.opened() as wallet:
        assert wallet.owned.custody.blocked == "blocked.store"
        assert len(await wallet.owned.history(5)) == 1
