"""What is in force, locking by time, and changes in the middle of a payment."""

from __future__ import annotations

import anyio
import pytest

from mcp_wallet_guard import setup
from mcp_wallet_guard.errors import FactorRejected, GuardError, Locked, Refused
from mcp_wallet_guard.exchange import RefusedAnswer
from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.testing.wallet import passphrase
from tests.guard.rig import Answer, Rig, apply, edited, until
from tests.invariants import check_guard

pytestmark = pytest.mark.anyio


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


async def test_somebody_who_is_not_on_the_owners_list_is_not_paid_and_somebody_on_it_is(rig: Rig) -> None:
    listed = f'payees = [{{ name = "Alice", address = "{rig.payee.value}" }}]'
    settings = edited(rig, 'payees = "any"', listed)
    stranger = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
    async with rig.opened() as wallet:
        await apply(wallet, settings)
        assert await wallet.refused(to=stranger) == "policy.payee"
        assert await wallet.owned.requests() == ()
        assert rig.signatures() == []
        assert rig.chain.balance(Address.parse(stranger)) == 0
        request = await wallet.owned.request((await wallet.asked()).operation)
        (payee,) = (field.value for field in request.view.fields if field.label == "Payee")
        assert "Alice" in payee
        await wallet.approve(request.operation)
        assert (await wallet.done()).outcome == "mined"
        assert (await check_guard(rig, wallet.owned)).signatures == 1


async def test_a_payee_that_is_taken_off_the_list_after_the_approval_is_not_paid(rig: Rig) -> None:
    """Threat: T-099."""
    other = 'payees = [{ name = "Bob", address = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC" }]'
    settings = edited(rig, 'payees = "any"', other)
    async with rig.opened() as wallet:
        await wallet.approved()
        await apply(wallet, settings)
        assert await wallet.refused() == "policy.changed"
        assert await wallet.refused() == "policy.payee"
        assert (rig.signatures(), rig.paid()) == ([], 0)


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
        assert (info.locked, info.private_reads, info.account) == (True, True, rig.made.address.value)
        assert await wallet.owned.balance(None) == str(rig.chain.balance(rig.made.address))


async def test_reads_refused_while_locked_are_refused_from_the_first_start_on_and_facts_are_not(rig: Rig) -> None:
    settings = edited(rig, 'locked_reads = "allow"', 'locked_reads = "refuse"')
    async with rig.opened() as wallet:
        await apply(wallet, settings)
        assert await wallet.owned.balance(None) == str(rig.chain.balance(rig.made.address))
        assert (await wallet.owned.info()).private_reads
    async with rig.opened(unlock=False) as wallet:
        with pytest.raises(Locked):
            await wallet.owned.balance(None)
        info = await wallet.owned.info()
        assert (info.locked, info.private_reads) == (True, False)


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
