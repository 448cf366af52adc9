"""What was sent settles also when nobody asks about it again."""

from __future__ import annotations

import anyio
import pytest

from mcp_wallet_guard.exchange import Done
from mcp_wallet_guard.journal.events import Kind
from mcp_wallet_guard.testing.wallet import passphrase
from tests.guard.rig import Rig, Wallet
from tests.invariants import check_invariants

pytestmark = pytest.mark.anyio


async def state(wallet: Wallet, operation: str) -> tuple[str, str | None]:
    row = await wallet.row(operation)
    return row.state, row.outcome


async def sent(wallet: Wallet, reference: str = "a") -> str:
    """A payment that the node took and nobody mined yet."""
    wallet.rig.chain.auto_mine = False
    wallet.owned.guard.executor.settle_seconds = 0.05
    await wallet.approved(reference=reference)
    done = await wallet.done(reference=reference)
    assert done.outcome == "sent"
    return done.operation


async def test_a_payment_settles_by_itself_once_it_is_mined(rig: Rig) -> None:
    async with rig.opened() as wallet:
        operation = await sent(wallet)
        await wallet.owned.watch()
        assert await state(wallet, operation) == ("sent", None)
        rig.chain.mine()
        rig.clock.advance(5)
        await wallet.owned.watch()
        assert await state(wallet, operation) == ("settled", "mined")
        kinds = [entry.fields["kind"] for entry in await wallet.owned.custody.store.journal()]
        assert kinds.count(Kind.SETTLED) == 1
    await check_invariants(rig)


async def test_without_the_watch_it_would_stay_as_it_is(rig: Rig) -> None:
    async with rig.opened() as wallet:
        operation = await sent(wallet)
        rig.chain.mine()
        rig.clock.advance(600)
        await wallet.owned.tick()
        assert await state(wallet, operation) == ("sent", None)


async def test_it_asks_less_often_the_longer_it_takes(rig: Rig) -> None:
    async with rig.opened() as wallet:
        await sent(wallet)
        asked: list[int] = []
        rig.clock.advance(300)
        await wallet.owned.watch()
        for second in range(1, 100):
            rig.clock.advance(1)
            before = rig.chain.asked["eth_getTransactionReceipt"]
            await wallet.owned.watch()
            if rig.chain.asked["eth_getTransactionReceipt"] > before:
                asked.append(second)
        assert asked == [33, 69], "a tenth of its age apart"
        rig.clock.advance(3_600)
        await wallet.owned.unlock(passphrase())
        await wallet.owned.watch()
        before = rig.chain.asked["eth_getTransactionReceipt"]
        rig.clock.advance(59)
        await wallet.owned.watch()
        assert rig.chain.asked["eth_getTransactionReceipt"] == before
        rig.clock.advance(1)
        await wallet.owned.watch()
        assert rig.chain.asked["eth_getTransactionReceipt"] > before, "and never more than a minute"


async def test_a_node_that_does_not_answer_changes_nothing_and_holds_up_no_tick(rig: Rig) -> None:
    async with rig.opened() as wallet:
        operation = await sent(wallet)
        rig.chain.mine()
        rig.clock.advance(5)
        rig.chain.pause()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wallet.owned.watch)
            await anyio.wait_all_tasks_blocked()
            with anyio.fail_after(5):
                await wallet.owned.tick()
                await wallet.owned.watch()  # the one before is still at it: this one goes away
            assert await state(wallet, operation) == ("sent", None)
            rig.chain.resume()
        assert await state(wallet, operation) == ("settled", "mined")


async def test_a_locked_or_blocked_wallet_asks_nothing(rig: Rig) -> None:
    async with rig.opened() as wallet:
        operation = await sent(wallet)
        rig.chain.mine()
        await wallet.owned.lock()
        rig.clock.advance(60)
        before = rig.chain.asked.total()
        await wallet.owned.watch()
        assert rig.chain.asked.total() == before
        await wallet.owned.unlock(passphrase())
        wallet.owned.custody.blocked = "blocked.store"
        await wallet.owned.watch()
        assert rig.chain.asked.total() == before
        wallet.owned.custody.blocked = None
        await wallet.owned.watch()
        assert await state(wallet, operation) == ("settled", "mined")


async def test_what_was_lost_on_the_way_is_sent_again_and_settles(rig: Rig) -> None:
    """The node forgot it: after a minute the same bytes go again, and nothing is signed twice."""
    async with rig.opened() as wallet:
        rig.chain.lose_broadcasts()
        wallet.owned.guard.executor.settle_seconds = 0.05
        await wallet.approved()
        first = await wallet.done()
        assert isinstance(first, Done)
        for _ in range(3):
            rig.clock.advance(61)
            await wallet.owned.watch()
        assert await state(wallet, first.operation) == ("settled", "mined")
    assert len(rig.signatures()) == len(rig.sent()) == 1
