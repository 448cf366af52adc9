"""The owner's links on the real desk: they come with a question, open once, and go with the answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_wallet_guard.errors import FactorRejected
from mcp_wallet_guard.evidence import Channel, PairingRow
from mcp_wallet_guard.testing.wallet import passphrase
from tests.guard.rig import Rig, Wallet
from tests.invariants import check_invariants

pytestmark = pytest.mark.anyio


def with_page(wallet: Wallet) -> None:
    """Links are written only where a page is."""
    wallet.owned.desk.link_url = lambda operation, secret: f"http://127.0.0.1:1/p/{operation}/{secret}"


def secret_of(path: Path) -> str:
    return path.read_text("ascii").strip().rpartition("/")[2]


async def linked(wallet: Wallet, amount: str = "0.1") -> tuple[str, str]:
    """A question with its link: operation and secret."""
    with_page(wallet)
    operation = (await wallet.asked(amount)).operation
    return operation, secret_of(wallet.rig.files.links / f"{operation}.url")


async def opens_nothing(wallet: Wallet, operation: str, secret: str) -> None:
    """One answer to every link that does not open, so that it tells nothing; and no browser is paired."""
    with pytest.raises(FactorRejected) as refused:
        await wallet.owned.pair_by_link(operation, secret)
    assert refused.value.code == "pairing.required"
    assert await wallet.owned.custody.transact(lambda tx: tx.all(PairingRow)) == ()


async def test_link_files_come_with_the_question_and_go_with_the_answer(rig: Rig) -> None:
    links = rig.files.links
    async with rig.opened() as wallet:
        with_page(wallet)
        asked = await wallet.asked()
        path = links / f"{asked.operation}.url"
        old_secret = secret_of(path)
        path.unlink()
        await wallet.asked()
        assert secret_of(path) != old_secret, "a missing link is made anew, since the store has only its hash"
        with pytest.raises(FactorRejected):
            await wallet.owned.pair_by_link(asked.operation, old_secret)
        await wallet.approve(asked.operation)
        assert not path.exists()
        (await wallet.done())
        second = await wallet.asked("0.2")
        rig.clock.advance(600)
        await wallet.owned.tick()
        assert list(links.iterdir()) == [], second


async def test_after_a_restart_waiting_questions_have_links_that_work(rig: Rig) -> None:
    async with rig.opened() as wallet:
        with_page(wallet)
        asked = await wallet.asked()
        path = rig.files.links / f"{asked.operation}.url"
        before = secret_of(path)
    async with rig.opened(unlock=False) as wallet:
        wallet.owned.desk.link_url = lambda operation, secret: f"http://127.0.0.1:2/p/{operation}/{secret}"
        await wallet.owned.unlock(passphrase())
        after = secret_of(path)
        assert before != after
        token = await wallet.owned.pair_by_link(asked.operation, after)
        assert await wallet.owned.is_paired(token)
        with pytest.raises(FactorRejected):
            await wallet.owned.pair_by_link(asked.operation, after)
    await check_invariants(rig)


@pytest.mark.parametrize("answer", ["approve", "decline"])
async def test_a_link_of_an_earlier_run_goes_with_the_answer_also_when_this_run_has_no_page(
    rig: Rig, answer: str
) -> None:
    async with rig.opened() as wallet:
        operation, _ = await linked(wallet)
    path = rig.files.links / f"{operation}.url"
    async with rig.opened() as wallet:
        assert wallet.owned.desk.link_url is None
        assert path.exists()
        if answer == "approve":
            await wallet.approve(operation)
        else:
            await wallet.owned.decline(operation, channel=Channel.TERMINAL)
        assert not path.exists()


async def test_a_link_opens_once(rig: Rig) -> None:
    """The honest twin of all that follow."""
    async with rig.opened() as wallet:
        operation, secret = await linked(wallet)
        assert await wallet.owned.is_paired(await wallet.owned.pair_by_link(operation, secret))
        with pytest.raises(FactorRejected):
            await wallet.owned.pair_by_link(operation, secret)


@pytest.mark.parametrize("swept", [False, True])
async def test_an_expired_link_opens_nothing(rig: Rig, swept: bool) -> None:
    """Threat: T-016. Whether or not its row is still there."""
    async with rig.opened() as wallet:
        operation, secret = await linked(wallet)
        rig.clock.advance(600)
        if swept:
            await wallet.owned.tick()
        await opens_nothing(wallet, operation, secret)


@pytest.mark.parametrize("answer", ["approved", "declined", "paid"])
async def test_a_link_of_a_question_that_was_answered_opens_nothing(rig: Rig, answer: str) -> None:
    async with rig.opened() as wallet:
        operation, secret = await linked(wallet)
        if answer == "declined":
            await wallet.owned.decline(operation, channel=Channel.TERMINAL)
        else:
            await wallet.approve(operation)
        if answer == "paid":
            await wallet.done()
        await opens_nothing(wallet, operation, secret)


@pytest.mark.parametrize("operation", ["x" * 24, "", "../vault"])
async def test_a_link_of_an_unknown_operation_opens_nothing(rig: Rig, operation: str) -> None:
    """Threat: T-015."""
    async with rig.opened() as wallet:
        _, secret = await linked(wallet)
        await opens_nothing(wallet, operation, secret)


async def test_a_link_of_another_question_opens_nothing(rig: Rig) -> None:
    async with rig.opened() as wallet:
        await wallet.paid()
        first, old = await linked(wallet, "0.2")
        rig.clock.advance(600)
        second, _ = await linked(wallet, "0.3")
        await opens_nothing(wallet, second, old)
        await opens_nothing(wallet, first, old)


@pytest.mark.parametrize("guess", ["A" * 43, "", "A" * 42, "A" * 44, "\u0410" * 43, "0" * 64])
async def test_a_guessed_link_opens_nothing_and_the_real_one_still_does(rig: Rig, guess: str) -> None:
    """Threat: T-015."""
    async with rig.opened() as wallet:
        operation, secret = await linked(wallet)
        for _ in range(10):
            await opens_nothing(wallet, operation, guess)
        assert await wallet.owned.is_paired(await wallet.owned.pair_by_link(operation, secret))
