"""What an equal call gets: join, repeat, decline, queue, a second payment, and the two minutes of an approval."""

from __future__ import annotations

from functools import partial

import anyio
import pytest

from mcp_wallet_guard.evidence import Channel
from mcp_wallet_guard.exchange import Done, Pending, Proposal, RefusedAnswer
from mcp_wallet_guard.operations.values import Address
from tests.guard.rig import ETHER, Answer, Rig, Wallet, until
from tests.invariants import check_guard

pytestmark = pytest.mark.anyio


async def test_an_equal_call_joins_the_open_question_and_asks_nobody_again(rig: Rig) -> None:
    async with rig.opened() as wallet:
        first = await wallet.asked()
        assert (await wallet.asked()).operation == first.operation
        assert len(await wallet.owned.requests()) == 1


async def test_a_lost_answer_asked_again_is_repeated_and_pays_once(rig: Rig) -> None:
    async with rig.opened() as wallet:
        first = await wallet.paid()
        again = await wallet.done()
        assert again.repeated
        assert (again.operation, again.receipt) == (first.operation, first.receipt)
        assert rig.paid() == ETHER // 10
        assert (await check_guard(rig, wallet.owned)).signatures == 1


async def test_ten_minutes_later_the_same_call_is_a_new_payment(rig: Rig) -> None:
    async with rig.opened() as wallet:
        first = await wallet.paid()
        rig.clock.advance(600)
        assert (await wallet.asked()).operation != first.operation


async def test_a_deliberate_second_payment_carries_another_reference(rig: Rig) -> None:
    async with rig.opened() as wallet:
        first = await wallet.paid(reference="march")
        second = await wallet.paid(reference="april")
        assert first.operation != second.operation
        assert rig.paid() == 2 * ETHER // 10
        assert (await check_guard(rig, wallet.owned)).signatures == 2


async def test_a_decline_answers_for_ten_minutes_and_no_longer(rig: Rig) -> None:
    async with rig.opened() as wallet:
        asked = await wallet.asked()
        await wallet.owned.decline(asked.operation, channel=Channel.TERMINAL)
        assert await wallet.refused() == "declined"
        rig.clock.advance(599)
        assert await wallet.refused() == "declined"
        rig.clock.advance(1)
        assert (await wallet.asked()).operation != asked.operation


async def test_a_decline_through_another_channel_than_the_owners_changes_nothing(rig: Rig) -> None:
    async with rig.opened() as wallet:
        asked = await wallet.asked()
        with pytest.raises(Exception, match="not paired"):
            await wallet.owned.decline(asked.operation, channel=Channel.UNPAIRED_PAGE)
        assert (await wallet.asked()).operation == asked.operation


async def test_a_second_effect_waits_for_the_nonce_and_is_frozen_by_its_next_call_alone(rig: Rig) -> None:
    async with rig.opened() as wallet:
        first = await wallet.asked()
        queued = await wallet.pay("0.2")
        assert isinstance(queued, Pending)
        assert queued.queued
        await wallet.approve(first.operation)
        await wallet.done()
        await wallet.owned.tick()
        rig.clock.advance(60)
        await wallet.owned.tick()
        assert (await wallet.row(queued.operation)).state == "proposed", "no timer freezes"
        frozen = await wallet.asked("0.2")
        assert frozen.operation == queued.operation
        await wallet.approve(frozen.operation)
        assert (await wallet.done("0.2")).outcome == "mined"
        assert rig.paid() == 3 * ETHER // 10


async def test_a_question_that_expires_frees_the_nonce_for_the_next(rig: Rig) -> None:
    async with rig.opened() as wallet:
        await wallet.asked()
        rig.clock.advance(599)
        queued = await wallet.pay("0.2")
        assert isinstance(queued, Pending)
        assert queued.queued
        rig.clock.advance(1)
        assert not (await wallet.asked("0.2")).queued


async def test_an_approval_signs_with_the_next_identical_call_within_two_minutes(rig: Rig) -> None:
    async with rig.opened() as wallet:
        await wallet.approved()
        rig.clock.advance(119)
        assert (await wallet.done()).outcome == "mined"


async def test_an_approval_two_minutes_old_signs_nothing_and_the_call_starts_anew(rig: Rig) -> None:
    async with rig.opened() as wallet:
        operation = await wallet.approved()
        rig.clock.advance(120)
        assert (await wallet.asked()).operation != operation
        assert (await wallet.row(operation)).code == "expired"
        assert (await check_guard(rig, wallet.owned)).signatures == 0


async def test_no_timer_signs_an_approval(rig: Rig) -> None:
    async with rig.opened() as wallet:
        operation = await wallet.approved()
        for _ in range(3):
            rig.clock.advance(30)
            await wallet.owned.tick()
        assert isinstance(await wallet.owned.outcome(operation, principal="local"), Pending)
        assert rig.signatures() == []


async def waiting(wallet: Wallet, *, calls: int = 1) -> str:
    """Ask, and return once so many calls wait for the answer."""
    asked = await wallet.asked()
    await until(lambda: len(wallet.owned.guard._waiters.get(asked.operation, ())) == calls)
    return asked.operation


async def test_a_waiting_call_signs_as_soon_as_the_owner_approves(rig: Rig) -> None:
    answers: list[Answer] = []
    async with rig.opened() as wallet, anyio.create_task_group() as tasks:

        async def call() -> None:
            answers.append(await wallet.wait(30))

        tasks.start_soon(call)
        await wallet.approve(await waiting(wallet))
    assert [(a.outcome, a.repeated) for a in answers if isinstance(a, Done)] == [("mined", False)]


async def test_a_waiting_call_hears_of_a_decline(rig: Rig) -> None:
    answers: list[Answer] = []
    async with rig.opened() as wallet, anyio.create_task_group() as tasks:

        async def call() -> None:
            answers.append(await wallet.wait(30))

        tasks.start_soon(call)
        await wallet.owned.decline(await waiting(wallet), channel=Channel.TERMINAL)
    assert [a.code for a in answers if isinstance(a, RefusedAnswer)] == ["declined"]


async def test_of_several_waiting_calls_one_pays_and_the_others_are_told_that_they_repeat(rig: Rig) -> None:
    answers: list[Answer] = []
    async with rig.opened() as wallet, anyio.create_task_group() as tasks:

        async def call() -> None:
            answers.append(await wallet.wait(30))

        for _ in range(4):
            tasks.start_soon(call)
        await wallet.approve(await waiting(wallet, calls=4))
    assert sorted(a.repeated for a in answers if isinstance(a, Done)) == [False, True, True, True]
    assert len(rig.signatures()) == len(rig.sent()) == 1


async def test_an_answer_that_comes_before_the_wait_begins_is_not_missed(rig: Rig) -> None:
    async with rig.opened() as wallet:
        operation = await wallet.approved()
        guard = wallet.owned.guard
        with anyio.fail_after(5):
            assert await guard._waiters.wait(operation, seconds=60, is_open=partial(guard.desk.is_undecided, operation))


async def test_calls_that_waited_in_vain_leave_nothing_in_memory(rig: Rig) -> None:
    async with rig.opened() as wallet:
        for number in range(3):
            answer = await wallet.wait(0.02)
            assert isinstance(answer, Pending), number
        assert wallet.owned.guard._waiters == {}


async def test_what_the_policy_refuses_leaves_no_row_and_is_asked_anew_each_time(rig: Rig) -> None:
    async with rig.opened() as wallet:
        assert await wallet.refused("0.6") == "policy.cap"
        assert await wallet.refused("0.6") == "policy.cap"
        assert (await wallet.owned.control_status()).open_operations == 0
        await wallet.asked()


async def test_more_than_the_account_holds_is_refused_before_anybody_is_asked(rig: Rig) -> None:
    async with rig.opened() as wallet:
        await wallet.paid("0.5")
        assert await wallet.refused("0.5", reference="more") == "over_balance"
        assert await wallet.owned.requests() == ()


async def test_sixteen_questions_wait_and_the_next_is_told_to_wait(rig: Rig) -> None:
    async with rig.opened() as wallet:
        for number in range(16):
            answer = await wallet.pay("0.1", reference=f"r{number}")
            assert isinstance(answer, Pending)
        assert await wallet.refused("0.1", reference="r16") == "rate_limited"


async def test_the_same_payment_asked_as_unsigned_bytes_joins_the_question(rig: Rig) -> None:
    async with rig.opened() as wallet:
        asked = await wallet.asked()
        unsigned = (await wallet.row(asked.operation)).unsigned_bytes
        assert unsigned is not None
        intent = {"kind": "unsigned_transaction", "unsigned_bytes": "0x" + unsigned.hex()}
        joined = await wallet.owned.propose(Proposal(principal="local", tool="sign", intent=intent), wait_seconds=0)
        assert isinstance(joined, Pending)
        assert joined.operation == asked.operation


async def test_an_address_of_nobody_is_refused_and_repeated_nowhere(rig: Rig) -> None:
    async with rig.opened() as wallet:
        assert await wallet.refused("0,1") == "invalid_input.amount"
        zero = Address.from_bytes(bytes(20))
        answer = await wallet.pay(to=zero.value)
        assert isinstance(answer, RefusedAnswer)
        assert zero.value not in answer.message
