"""Attacks that a review found: each once worked, and has its honest twin."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from mcp_wallet_guard.config.file import load_settings
from mcp_wallet_guard.config.settings import canonical, parse_settings
from mcp_wallet_guard.embedded import EmbeddedGuard
from mcp_wallet_guard.errors import FactorRejected, GuardError, LockedOut, Misconfigured, Refused
from mcp_wallet_guard.exchange import Done, Proposal, RefusedAnswer
from mcp_wallet_guard.testing.wallet import make_wallet, passphrase
from tests.guard.rig import DATABASE, ETHER, Rig

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("use", ["approve", "pair"])
async def test_a_store_put_back_to_before_a_code_was_used_is_blocked(rig: Rig, use: str) -> None:
    """Threat: T-070, T-079."""
    async with rig.opened() as wallet:
        asked = await wallet.asked()
        before = rig.snapshot("before")
        code = wallet.code()
        if use == "approve":
            await wallet.approve(asked.operation, code=code)
        else:
            await wallet.owned.pair_by_code(code)
        killed = rig.snapshot("killed")
    rig.put_back(killed)
    rig.put_back(before, *DATABASE)
    async with rig.opened() as wallet:
        assert (await wallet.owned.control_status()).blocked == "blocked.store"
        with pytest.raises(Refused):
            await wallet.approve(asked.operation, code=code)
    assert rig.signatures() == []


@pytest.mark.parametrize("door", ["approve", "use", "pair"])
async def test_a_store_put_back_does_not_open_a_locked_out_factor(rig: Rig, door: str) -> None:
    """Threat: T-070, T-081."""
    async with rig.opened() as wallet:
        asked = await wallet.asked()
        before = rig.snapshot("before")
        doors: dict[str, Callable[[], Awaitable[object]]] = {
            "approve": lambda: wallet.approve(asked.operation, code="000000"),
            "use": lambda: wallet.owned.desk.use_code("000000"),
            "pair": lambda: wallet.owned.pair_by_code("000000"),
        }
        for _ in range(5):
            with pytest.raises((FactorRejected, LockedOut)):
                await doors[door]()
        killed = rig.snapshot("killed")
    rig.put_back(killed)
    rig.put_back(before, *DATABASE)
    async with rig.opened() as wallet:
        assert (await wallet.owned.control_status()).blocked == "blocked.store"


@pytest.mark.parametrize("moment", ["consumed", "signed", "sent"])
async def test_a_store_put_back_to_before_a_payment_left_does_not_pay_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Whoever puts back what stood just after the consume must not read as "burned, nothing was paid": the bytes left
    since. From the stored bytes on, the same bytes are found again. Threat: T-009, T-070."""
    async with rig.opened() as wallet:
        operation = await wallet.approved()
        executor = wallet.owned.guard.executor
        copies: dict[str, Path] = {}
        sign, send, settle = executor._sign, executor._send, executor._await_settlement

        async def consumed(*arguments: Any) -> Any:
            copies["consumed"] = rig.snapshot("consumed")
            return await sign(*arguments)

        async def signed(*arguments: Any) -> Any:
            copies["signed"] = rig.snapshot("signed")
            return await send(*arguments)

        async def sent(*arguments: Any) -> Any:
            copies["sent"] = rig.snapshot("sent")
            return await settle(*arguments)

        monkeypatch.setattr(executor, "_sign", consumed)
        monkeypatch.setattr(executor, "_send", signed)
        monkeypatch.setattr(executor, "_await_settlement", sent)
        assert (await wallet.done()).outcome == "mined"
        killed = rig.snapshot("killed")
    rig.put_back(killed)
    rig.put_back(copies[moment], *DATABASE)
    async with rig.opened() as wallet:
        blocked = (await wallet.owned.control_status()).blocked
        assert blocked == ("blocked.store" if moment == "consumed" else None)
        again = await wallet.pay()
        if blocked:
            assert isinstance(again, RefusedAnswer)
            assert again.code == "blocked.store"
        else:
            assert isinstance(again, Done)
            assert (again.operation, again.outcome) == (operation, "mined")
    assert rig.paid() == ETHER // 10
    assert len(set(rig.sent())) == 1


async def test_a_killed_guard_whose_store_was_left_alone_goes_on(rig: Rig) -> None:
    """The honest twin of both."""
    async with rig.opened() as wallet:
        asked = await wallet.asked()
        await wallet.approve(asked.operation)
        killed = rig.snapshot("killed")
    rig.put_back(killed)
    async with rig.opened() as wallet:
        assert (await wallet.done()).outcome == "mined"


async def test_an_edited_mode_does_not_move_the_guard_into_the_servers_process(rig: Rig, tmp_path: Path) -> None:
    """Threat: T-065, T-099."""
    folder = tmp_path / "sealed-as-daemon"
    made = await anyio.to_thread.run_sync(lambda: make_wallet(folder, chain=rig.chain, clock=rig.clock, mode="daemon"))
    text = made.loaded.path.read_text()
    made.loaded.path.write_text(text.replace('mode = "daemon"', 'mode = "embedded"'))
    with pytest.raises(Misconfigured) as refused:
        await EmbeddedGuard.start(load_settings(made.loaded.path), clock=rig.clock)
    assert refused.value.code == "misconfigured.mode"


async def test_an_embedded_guard_of_embedded_settings_starts_and_locks_with_its_server(rig: Rig) -> None:
    """The honest twin: the sealed settings of this wallet say embedded."""
    guard = await EmbeddedGuard.start(rig.made.loaded, clock=rig.clock)
    await guard.owned.unlock(passphrase())
    intent = {"kind": "transfer", "to": rig.payee.value, "amount": "0.1"}
    answer = await guard.propose(Proposal(principal="local", tool="pay", intent=intent), wait_seconds=0)
    await guard.aclose()
    assert answer.status == "pending"
    assert guard.owned.custody.is_locked


async def test_a_waiver_in_force_is_named_and_journalled_whatever_guard_toml_says_now(rig: Rig) -> None:
    """Threat: T-099."""
    path = rig.made.loaded.path
    text = path.read_text()
    lower = text.replace('level = "factor"', 'level = "present"') + 'lower_level = "no telephone for a week"\n'
    async with rig.opened() as wallet:
        await wallet.owned.apply_policy(canonical(parse_settings(lower)), code=wallet.code())
    async with rig.opened() as wallet:
        assert any(waiver.startswith("LowerLevel") for waiver in (await wallet.owned.control_status()).waivers)
        entries = await wallet.owned.custody.store.journal()
    waivers = [entry.fields["data"]["waiver"] for entry in entries if entry.fields["kind"] == "guard.waiver"]
    assert "LowerLevel" in waivers


async def test_a_refused_proposal_leaves_a_line_in_the_journal(rig: Rig) -> None:
    """Threat: T-088."""
    async with rig.opened() as wallet:
        code = await wallet.refused("0.9")
        await wallet.owned.tick()
        entries = await wallet.owned.custody.store.journal()
    lines: list[Any] = [line for entry in entries for line in entry.fields["data"].get("reads", [])]
    assert any(f" refused pay local {code} " in line for line in lines), lines


async def test_an_acknowledged_store_is_journalled_as_such(rig: Rig) -> None:
    """Threat: T-070."""
    async with rig.opened() as wallet:
        entries = await wallet.owned.custody.store.journal()
    assert "store.acknowledged" in [entry.fields["kind"] for entry in entries]


async def test_a_node_that_hangs_does_not_keep_the_vault_open(rig: Rig) -> None:
    """Threat: T-065."""
    async with rig.opened() as wallet, anyio.create_task_group() as tasks:
        rig.chain.pause()
        try:
            tasks.start_soon(wallet.pay)
            await anyio.sleep(0.2)
            rig.clock.advance(16 * 60)
            with anyio.fail_after(5):
                await wallet.owned.tick()
            assert wallet.owned.custody.is_locked
        finally:
            rig.chain.resume()
        tasks.cancel_scope.cancel()


async def test_a_clock_set_back_locks_the_vault(rig: Rig) -> None:
    """Threat: T-083."""
    async with rig.opened() as wallet:
        rig.clock.set(rig.clock.now() - 86_400)
        try:
            await wallet.owned.tick()
        except GuardError:
            pass
        assert wallet.owned.custody.is_locked
        rig.clock.advance(86_400)


async def test_an_unlock_that_meets_a_tick_which_was_due_stays_unlocked(rig: Rig) -> None:
    """The tick waited for its turn while the owner unlocked anew: what it had seen before counts no more."""
    async with rig.opened() as wallet:
        rig.clock.advance(16 * 60)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wallet.owned.unlock, passphrase())
            await anyio.lowlevel.checkpoint()  # the unlock has its turn first
            tasks.start_soon(wallet.owned.tick)
        assert not wallet.owned.custody.is_locked
        rig.clock.advance(16 * 60)
        await wallet.owned.tick()
        assert wallet.owned.custody.is_locked
