"""What is in force, what an edited file changes (nothing), locking by time, and changes in the middle of a payment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from mcp_wallet_guard import setup
from mcp_wallet_guard.config.file import load_settings
from mcp_wallet_guard.config.settings import Settings, canonical
from mcp_wallet_guard.errors import FactorRejected, GuardError, Locked, Refused
from mcp_wallet_guard.evidence import RefusedAnswer
from mcp_wallet_guard.testing.wallet import passphrase
from tests.guard.rig import Answer, Rig, Wallet, until
from tests.invariants import check_guard, check_invariants

pytestmark = pytest.mark.anyio


def edited(rig: Rig, old: str, new: str) -> Settings:
    """guard.toml with one edit, read again for the next guard of this rig."""
    path = rig.directory / "guard.toml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    loaded = load_settings(path)
    rig.made = replace(rig.made, loaded=loaded)
    return loaded.settings


async def apply(wallet: Wallet, settings: Settings, *, code: str | None = None) -> None:
    await wallet.owned.apply_policy(canonical(settings), code=code or wallet.code())


async def test_an_edited_guard_toml_changes_nothing_and_the_difference_is_named(rig: Rig) -> None:
    edited(rig, 'max_per_transaction = "0.5"', 'max_per_transaction = "50"')
    async with rig.opened() as wallet:
        assert await wallet.refused("0.6") == "policy.cap"
        status = await wallet.owned.control_status()
        assert any("max_per_transaction" in each for each in status.settings_differ)
        await wallet.paid()


async def test_an_edited_node_is_not_asked(rig: Rig) -> None:
    edited(rig, rig.chain.url, "http://127.0.0.1:9/")
    async with rig.opened() as wallet:
        await wallet.paid()
        assert any("node" in each for each in (await wallet.owned.control_status()).settings_differ)


async def test_a_guard_toml_that_names_another_vault_blocks_spending(rig: Rig) -> None:
    async with rig.opened() as wallet:
        operation = await wallet.approved()
    copy = rig.directory / "other.json"
    copy.write_bytes(rig.files.vault.read_bytes())
    copy.chmod(0o600)
    rig.files.anchor.rename(rig.directory / "other.anchor")
    edited(rig, '"vault.json"', '"other.json"')
    async with rig.opened() as wallet:
        assert await wallet.refused() == "blocked.vault"
        with pytest.raises(Refused):
            await wallet.owned.request(operation)
        assert rig.signatures() == []


async def test_settings_in_force_change_with_a_fresh_code_and_differ_no_more(rig: Rig) -> None:
    settings = edited(rig, 'max_per_transaction = "0.5"', 'max_per_transaction = "0.7"')
    async with rig.opened() as wallet:
        with pytest.raises(FactorRejected):
            await apply(wallet, settings, code="000000")
        assert await wallet.refused("0.6") == "policy.cap"
        await apply(wallet, settings)
        assert (await wallet.owned.control_status()).settings_differ == ()
        await wallet.paid("0.6")
    async with rig.opened() as wallet:
        assert (await wallet.owned.control_status()).policy_revision == 2


async def test_a_code_that_applied_settings_approves_nothing_more(rig: Rig) -> None:
    settings = edited(rig, "idle_minutes = 15", "idle_minutes = 20")
    async with rig.opened() as wallet:
        asked = await wallet.asked()
        code = wallet.code()
        await apply(wallet, settings, code=code)
        fresh = await wallet.asked()
        assert fresh.operation != asked.operation
        with pytest.raises(FactorRejected):
            await wallet.approve(fresh.operation, code=code)


async def test_an_approval_given_under_other_settings_is_refused_and_asked_anew(rig: Rig) -> None:
    """Threat: T-099."""
    settings = edited(rig, "idle_minutes = 15", "idle_minutes = 20")
    async with rig.opened() as wallet:
        operation = await wallet.approved()
        await apply(wallet, settings)
        assert await wallet.refused() == "policy.changed"
        assert rig.signatures() == []
        assert (await wallet.row(operation)).code == "policy.changed"
        await wallet.paid()


async def test_a_question_from_before_the_change_is_not_joined(rig: Rig) -> None:
    settings = edited(rig, "idle_minutes = 15", "idle_minutes = 20")
    async with rig.opened() as wallet:
        asked = await wallet.asked()
        await apply(wallet, settings)
        assert (await wallet.asked()).operation != asked.operation
        assert (await wallet.row(asked.operation)).code == "policy.changed"
        await check_guard(rig, wallet.owned)


async def test_settings_applied_while_the_node_is_asked_stop_the_signature(rig: Rig) -> None:
    """Threat: T-099: the check and the consume are under one lock with the change."""
    settings = edited(rig, "idle_minutes = 15", "idle_minutes = 20")
    answers: list[Answer] = []
    async with rig.opened() as wallet:
        await wallet.approved()
        rig.chain.pause()

        async def call() -> None:
            answers.append(await wallet.pay())

        async with anyio.create_task_group() as tasks:
            before = rig.chain.asked["eth_chainId"]
            tasks.start_soon(call)
            await until(lambda: rig.chain.asked["eth_chainId"] > before)
            await apply(wallet, settings)
            rig.chain.resume()
        assert all(isinstance(each, RefusedAnswer) for each in answers), answers
        assert rig.signatures() == []


async def test_a_lock_while_the_node_is_asked_stops_the_signature(rig: Rig) -> None:
    answers: list[Answer] = []
    async with rig.opened() as wallet:
        await wallet.approved()
        rig.chain.pause()

        async def call() -> None:
            answers.append(await wallet.pay())

        async with anyio.create_task_group() as tasks:
            before = rig.chain.asked["eth_chainId"]
            tasks.start_soon(call)
            await until(lambda: rig.chain.asked["eth_chainId"] > before)
            await wallet.owned.lock()
            rig.chain.resume()
        assert all(isinstance(each, RefusedAnswer) for each in answers)
        assert rig.signatures() == []
        await wallet.owned.unlock(passphrase())
        assert (await wallet.done()).outcome == "mined"


async def test_locks_and_unlocks_race_with_a_payment_and_never_split_consume_from_signature(rig: Rig) -> None:
    async with rig.opened() as wallet:
        for round_number in range(4):
            await wallet.approved(reference=f"r{round_number}")

            async def disturb() -> None:
                await wallet.owned.lock()
                await wallet.owned.unlock(passphrase())

            async def call(reference: str = f"r{round_number}") -> None:
                await wallet.pay(reference=reference)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(call)
                await anyio.sleep(0.004 * round_number)
                tasks.start_soon(disturb)
            done = await wallet.done(reference=f"r{round_number}")
            assert done.outcome == "mined", "nothing was burned"
        assert (await check_guard(rig, wallet.owned)).signatures == 4


async def test_the_outcome_of_a_payment_asked_while_it_is_signed_does_not_undo_it(rig: Rig) -> None:
    """A look from outside reads the row under the account's lock, so it cannot burn what is being signed."""
    async with rig.opened() as wallet:
        operation = await wallet.approved()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wallet.pay)
            for _ in range(40):
                tasks.start_soon(lambda: wallet.owned.outcome(operation, principal="local"))
                await anyio.sleep(0.002)
        assert (await wallet.done()).outcome == "mined"
        report = await check_guard(rig, wallet.owned)
        assert (report.signatures, report.sent) == (1, 1)


async def test_fifteen_idle_minutes_lock_and_asking_is_no_activity_of_the_owner(rig: Rig) -> None:
    async with rig.opened() as wallet:
        asked = await wallet.asked()
        for _ in range(9):
            rig.clock.advance(100)
            await wallet.owned.status(asked.operation, principal="local")
            await wallet.pay()
        await wallet.owned.tick()
        assert wallet.owned.custody.is_locked


async def test_the_owners_own_actions_keep_the_vault_open_until_twelve_hours(rig: Rig) -> None:
    async with rig.opened() as wallet:
        for _ in range(12 * 6 - 1):
            rig.clock.advance(600)
            await wallet.owned.requests()
            await wallet.owned.tick()
            assert not wallet.owned.custody.is_locked
        rig.clock.advance(600)
        await wallet.owned.requests()
        await wallet.owned.tick()
        assert wallet.owned.custody.is_locked


async def test_a_locked_wallet_still_tells_its_public_facts_and_balance(rig: Rig) -> None:
    async with rig.opened(unlock=False) as wallet:
        info = await wallet.owned.info()
        assert (info.locked, info.account) == (True, rig.made.address.value)
        assert await wallet.owned.balance(None) == str(rig.chain.balance(rig.made.address))


async def test_reads_refused_while_locked_are_refused_from_the_first_start_on_and_facts_are_not(rig: Rig) -> None:
    settings = edited(rig, 'locked_reads = "allow"', 'locked_reads = "refuse"')
    async with rig.opened() as wallet:
        await apply(wallet, settings)
        assert await wallet.owned.balance(None) == str(rig.chain.balance(rig.made.address))
    async with rig.opened(unlock=False) as wallet:
        with pytest.raises(Locked):
            await wallet.owned.balance(None)
        assert (await wallet.owned.info()).locked


async def test_fingerprints_stay_through_a_lock(rig: Rig) -> None:
    async with rig.opened() as wallet:
        before = await wallet.owned.fingerprints()
        await wallet.owned.lock()
        assert await wallet.owned.fingerprints() == before


async def test_a_wrong_passphrase_leaves_an_open_wallet_as_it_was(rig: Rig) -> None:
    async with rig.opened() as wallet:
        with pytest.raises(GuardError, match="cannot be unlocked"):
            await wallet.owned.unlock(setup.passphrase_from("not the right one at all"))
        await wallet.paid()


async def test_settings_are_sealed_once_without_a_code(rig: Rig) -> None:
    with pytest.raises(Refused) as refused:
        await setup.put_in_force(rig.made.loaded, passphrase(), clock=rig.clock)
    assert refused.value.code == "policy.sealed"


async def test_five_wrong_codes_lock_the_factor_and_passphrase_and_code_open_it(rig: Rig) -> None:
    """Threat: T-081; the lock-out is in the store, so a restart does not lift it."""
    async with rig.opened() as wallet:
        asked = await wallet.asked()
        for _ in range(5):
            with pytest.raises(GuardError):
                await wallet.approve(asked.operation, code="000000")
    async with rig.opened() as wallet:
        with pytest.raises(GuardError, match="Too many wrong codes"):
            await wallet.approve(asked.operation)
        assert (await wallet.owned.control_status()).factor_locked
        with pytest.raises(GuardError):
            await wallet.owned.unlock_factor(setup.passphrase_from("not the right one at all"), code=wallet.code())
        await wallet.owned.unlock_factor(passphrase(), code=wallet.code())
        await wallet.approve(asked.operation)
        assert (await wallet.done()).outcome == "mined"


async def test_link_files_come_with_the_question_and_go_with_the_answer(rig: Rig) -> None:
    links = rig.files.links
    async with rig.opened() as wallet:
        wallet.owned.desk.link_url = lambda operation, secret: f"http://127.0.0.1:1/p/{operation}/{secret}"
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
        wallet.owned.desk.link_url = lambda operation, secret: f"http://127.0.0.1:1/p/{operation}/{secret}"
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


def secret_of(path: Path) -> str:
    return path.read_text("ascii").strip().rpartition("/")[2]
