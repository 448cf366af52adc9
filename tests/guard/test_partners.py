"""Whom the account dealt with before, through the whole guard: what makes somebody a partner, and what does not.

Threat: T-025.
"""

from __future__ import annotations

import json

import pytest

from mcp_wallet_guard import partners
from mcp_wallet_guard.clearsign.risks.known import History
from mcp_wallet_guard.confirmation import ConfirmationView
from mcp_wallet_guard.errors import Tampered
from mcp_wallet_guard.evidence import Channel, PartnersRow
from mcp_wallet_guard.exchange import Pending, RefusedAnswer
from mcp_wallet_guard.frozen_rows import operation_of
from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.stores.base import Transaction
from tests.guard.rig import Rig, Wallet
from tests.invariants import check_invariants

pytestmark = pytest.mark.anyio


async def raised(wallet: Wallet, operation: str) -> list[str]:
    view = (await wallet.owned.request(operation)).view
    return [finding.code for finding in view.findings]


def look_alike(address: Address) -> Address:
    """Another address with the same first and last four digits: what a grinder finds in seconds."""
    return Address.from_bytes(address.raw[:2] + b"\x77" * 16 + address.raw[-2:])


async def test_the_first_payment_to_somebody_is_told_and_the_next_one_is_not_also_after_a_restart(rig: Rig) -> None:
    async with rig.opened() as wallet:
        first = await wallet.asked()
        assert await raised(wallet, first.operation) == ["payee.first_time"]
        await wallet.approve(first.operation)
        await wallet.done()
        again = (await wallet.asked("0.2")).operation
        assert await raised(wallet, again) == ["payee.new"]
        await wallet.owned.decline(again, channel=Channel.TERMINAL)
    async with rig.opened() as wallet:
        assert await raised(wallet, (await wallet.asked("0.3")).operation) == ["payee.new"]
    await check_invariants(rig)


async def test_an_address_that_looks_like_one_paid_before_is_refused(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threat: T-025. The model copies the poisoner's address from a list of transfers."""
    fake = look_alike(rig.payee)
    async with rig.opened() as wallet:
        await wallet.paid()
        answer = await wallet.pay("0.2", to=fake.value)
        assert isinstance(answer, RefusedAnswer)
        assert answer.code == "policy.imitation"
        other = Address.from_bytes(b"\x12" * 20)
        honest = await wallet.asked("0.2", to=other.value)
        assert await raised(wallet, honest.operation) == ["payee.first_time"]

        monkeypatch.setattr(partners, "history", lambda *_, **__: History())
        assert isinstance(await wallet.pay("0.3", to=fake.value), Pending), "the attack succeeds without the history"
    assert rig.chain.balance(fake) == 0


async def test_what_was_only_asked_or_declined_makes_nobody_a_partner(rig: Rig) -> None:
    async with rig.opened() as wallet:
        pending = await wallet.asked()
        await wallet.owned.decline(pending.operation, channel=Channel.TERMINAL)
        assert await raised(wallet, (await wallet.asked("0.2")).operation) == ["payee.first_time"]
        assert await wallet.owned.custody.transact(lambda tx: tx.all(PartnersRow)) == ()


async def test_the_last_256_are_kept_and_who_is_met_again_is_the_newest(rig: Rig) -> None:
    async with rig.opened() as wallet:
        operation = await wallet.approved()
        row = await wallet.row(operation)
        settings = wallet.owned.custody.session().settings
        assert row.view is not None
        frozen, view = operation_of(row, settings), ConfirmationView.model_validate_json(row.view)
        old = Address.from_bytes(b"\x21" * 20)
        others = [Address.from_bytes(number.to_bytes(2) * 10) for number in range(1_000, 1_255)]

        def work(tx: Transaction) -> None:
            for each in (old, *others, old, Address.from_bytes(b"\x22" * 20)):
                partners.note(tx, frozen, _to(view, each))
            row = tx.get(PartnersRow, settings.account.id)
            assert row is not None
            raise Found(partners.history(tx, settings.account.id, about=[old, others[0]]), len(json.loads(row.seen)))

        with pytest.raises(Found) as found:
            await wallet.owned.custody.transact(work)
        history, kept = found.value.args
        assert kept == partners.MOST
        assert [(each.address, each.count) for each in history.paid] == [(old, 2)], "the oldest of the others is gone"


async def test_a_row_that_says_something_else_is_tampered(rig: Rig) -> None:
    async with rig.opened() as wallet:
        account = wallet.owned.custody.session().settings.account.id

        def work(tx: Transaction) -> None:
            tx.put(PartnersRow(account=account, seen="[[1]]"))
            partners.history(tx, account, about=())

        with pytest.raises(Tampered) as refused:
            await wallet.owned.custody.transact(work)
        assert refused.value.code == "tampered.row"


class Found(Exception):
    """Carries out of a transaction what it found, and takes it back."""


def _to(view: ConfirmationView, address: Address) -> ConfirmationView:
    (effect,) = view.effects
    assert effect.counterparty is not None
    party = effect.counterparty.model_copy(update={"address": address.value})
    return view.model_copy(update={"effects": (effect.model_copy(update={"counterparty": party}),)})
