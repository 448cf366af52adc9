"""One approval, one signature: races, replays, other people's ids, changed fields, other chains, turned clocks."""

from __future__ import annotations

from dataclasses import replace

import anyio
import pytest

from mcp_wallet_guard import bookkeeping
from mcp_wallet_guard.errors import AlreadyUsed, Expired, FactorRejected, GuardError, InvalidInput, Refused
from mcp_wallet_guard.evidence import Channel
from mcp_wallet_guard.exchange import Done, Pending, Proposal, RefusedAnswer
from mcp_wallet_guard.journal.events import Event, Kind
from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.stores.base import Transaction
from mcp_wallet_guard.testing.wallet import passphrase
from tests.guard.rig import ETHER, Answer, Rig, Wallet
from tests.invariants import check_guard, check_invariants

pytestmark = pytest.mark.anyio
BOTH = frozenset({"local", "other"})


async def test_of_eight_racing_calls_one_signs_and_seven_are_told_that_they_repeat(rig: Rig) -> None:
    """Threat: T-009, T-103."""
    answers: list[Answer] = []
    async with rig.opened() as wallet:
        await wallet.approved()

        async def call() -> None:
            answers.append(await wallet.pay())

        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(call)
        assert sorted(a.repeated for a in answers if isinstance(a, Done)) == [False] + 7 * [True]
        assert (await check_guard(rig, wallet.owned)).signatures == 1
        assert len(rig.sent()) == 1
        assert rig.paid() == ETHER // 10


async def test_eight_racing_executions_of_one_approval_consume_it_once(rig: Rig) -> None:
    """Below the account's lock: the consume transaction alone lets one through (Threat: T-009)."""
    failures: list[str] = []
    async with rig.opened() as wallet:
        operation = await wallet.approved()

        async def execute() -> None:
            try:
                await wallet.owned.guard.executor.execute(await wallet.row(operation), principal="local")
            except GuardError as error:
                failures.append(error.code)

        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(execute)
        report = await check_guard(rig, wallet.owned)
        assert (report.signatures, report.count(Kind.CONSUMED)) == (1, 1)
        assert failures == 7 * ["already_used"]


async def test_a_spent_approval_cannot_be_answered_consumed_or_asked_for_again(rig: Rig) -> None:
    """Threat: T-009."""
    async with rig.opened() as wallet:
        operation = (await wallet.paid()).operation
        with pytest.raises(AlreadyUsed):
            await wallet.approve(operation)
        with pytest.raises(AlreadyUsed):
            await wallet.owned.request(operation)
        with pytest.raises(AlreadyUsed):
            await wallet.owned.decline(operation, channel=Channel.PAGE)
        with pytest.raises(AlreadyUsed):
            await wallet.owned.guard.executor.execute(await wallet.row(operation), principal="local")
        assert (await check_guard(rig, wallet.owned)).signatures == 1


async def test_without_an_approval_nothing_executes(rig: Rig) -> None:
    """Threat: T-001."""
    async with rig.opened() as wallet:
        operation = (await wallet.asked()).operation
        with pytest.raises(GuardError):
            await wallet.owned.guard.executor.execute(await wallet.row(operation), principal="local")
        for _ in range(5):
            await wallet.asked()
        assert rig.signatures() == []


async def test_approval_flags_smuggled_into_the_intent_are_refused(rig: Rig) -> None:
    """Threat: T-002."""
    async with rig.opened() as wallet:
        for flag in ("confirmed", "approved", "code", "approval"):
            assert await wallet.refused(**{flag: "true"}) == "invalid_input"
        assert rig.signatures() == []


async def test_the_same_code_on_two_open_approvals_approves_exactly_one(rig: Rig) -> None:
    """Threat: T-079, T-103. Two principals, as one account holds one question at a time; both answers race."""
    async with rig.opened(principals=BOTH) as wallet:
        first = await wallet.asked(reference="one")
        second = await second_question(wallet)
        code, failures = wallet.code(), []

        async def approve(operation: str) -> None:
            try:
                await wallet.approve(operation, code=code)
            except FactorRejected as error:
                failures.append(error.code)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(approve, first.operation)
            tasks.start_soon(approve, second)
        assert failures == ["factor.rejected"]
        report = await check_guard(rig, wallet.owned)
        assert report.count(Kind.APPROVED) == 1


async def second_question(wallet: Wallet) -> str:
    """A second frozen question of the same account: the queue is opened by hand, as after a bug, to attack the desk."""
    queued = await wallet.pay("0.2", reference="two")
    assert isinstance(queued, Pending)
    custody = wallet.owned.custody
    account = custody.session().settings.account.id
    holder = (await custody.transact(lambda tx: bookkeeping.account_row(tx, account))).holder

    def free(tx: Transaction) -> None:
        tx.put(replace(bookkeeping.account_row(tx, account), holder=None))
        tx.append(Event(kind=Kind.READ, at=0, data={}))

    await custody.transact(free)
    frozen = await wallet.asked("0.2", reference="two")
    assert frozen.operation != holder
    return frozen.operation


async def test_a_used_code_approves_nothing_more(rig: Rig) -> None:
    """Threat: T-079."""
    async with rig.opened() as wallet:
        asked = await wallet.asked()
        code = wallet.code()
        await wallet.approve(asked.operation, code=code)
        await wallet.done()
        second = await wallet.asked("0.2")
        with pytest.raises(FactorRejected):
            await wallet.approve(second.operation, code=code)
        await wallet.approve(second.operation)
        assert (await wallet.done("0.2")).outcome == "mined"


async def test_a_wrong_match_code_uses_up_no_code_and_counts_no_attempt(rig: Rig) -> None:
    async with rig.opened() as wallet:
        asked = await wallet.asked()
        request, code = await wallet.owned.request(asked.operation), wallet.code()
        for wrong in ("000-000", "", request.match_code[:-1], "\uff11" * 6):
            with pytest.raises(FactorRejected, match="match code"):
                await wallet.owned.approve(
                    asked.operation, view_hash=request.view_hash, match_code=wrong, code=code, channel=Channel.TERMINAL
                )
        with pytest.raises(FactorRejected, match="match code"):
            await wallet.owned.approve(
                asked.operation, view_hash="00" * 32, match_code=request.match_code, code=code, channel=Channel.TERMINAL
            )
        await wallet.approve(asked.operation, code=code)
        report = await check_guard(rig, wallet.owned)
        assert (report.count(Kind.FACTOR_ATTEMPT), report.count(Kind.FACTOR_USED)) == (0, 1)


async def test_the_match_code_of_one_question_fits_no_other(rig: Rig) -> None:
    """Threat: T-103."""
    async with rig.opened() as wallet:
        first = await wallet.asked()
        stolen = await wallet.owned.request(first.operation)
        await wallet.owned.decline(first.operation, channel=Channel.TERMINAL)
        second = await wallet.asked("0.2")
        honest = await wallet.owned.request(second.operation)
        with pytest.raises(FactorRejected, match="match code"):
            await wallet.owned.approve(
                second.operation,
                view_hash=honest.view_hash,
                match_code=stolen.match_code,
                code=wallet.code(),
                channel=Channel.TERMINAL,
            )


async def test_a_host_channel_is_no_person(rig: Rig) -> None:
    """Threat: T-004."""
    async with rig.opened() as wallet:
        asked = await wallet.asked()
        request = await wallet.owned.request(asked.operation)
        with pytest.raises(FactorRejected, match="not paired"):
            await wallet.owned.approve(
                asked.operation,
                view_hash=request.view_hash,
                match_code=request.match_code,
                code=wallet.code(),
                channel=Channel.UNPAIRED_PAGE,
            )


async def test_a_missing_code_approves_nothing(rig: Rig) -> None:
    async with rig.opened() as wallet:
        asked = await wallet.asked()
        request = await wallet.owned.request(asked.operation)
        with pytest.raises(FactorRejected):
            await wallet.answer(request, code=None)


async def test_another_principal_neither_sees_nor_uses_an_approval(rig: Rig) -> None:
    """Threat: T-014, T-015: a foreign id, an unknown id and a finished foreign id read alike."""
    async with rig.opened(principals=BOTH) as wallet:
        operation = await wallet.approved()
        unknown = await wallet.owned.status("AAAAAAAAAAAAAAAAAAAAAAAA", principal="other")
        assert await wallet.owned.status(operation, principal="other") == unknown
        assert await wallet.owned.outcome(operation, principal="other") == unknown
        assert isinstance(unknown, RefusedAnswer)
        assert unknown.code == "invalid_input.id"
        with pytest.raises(InvalidInput):
            await wallet.owned.guard.executor.execute(await wallet.row(operation), principal="other")
        theirs = await wallet.pay(principal="other")
        assert isinstance(theirs, Pending)
        assert theirs.operation != operation
        await wallet.done()
        assert await wallet.owned.status(operation, principal="other") == unknown
        assert (await wallet.asked(principal="other")).operation == theirs.operation
        assert (await check_guard(rig, wallet.owned)).signatures == 1


async def test_a_principal_that_is_not_configured_gets_nothing(rig: Rig) -> None:
    async with rig.opened() as wallet:
        assert await wallet.refused(principal="stranger") == "not_authorized"


@pytest.mark.parametrize(
    "changed",
    [
        {"amount": "0.2"},
        {"amount": "0.100000000000000001"},
        {"to": "0x22000000000000000000000000000000000000aa"},
        {"reference": "another"},
    ],
    ids=lambda each: next(iter(each)),
)
async def test_any_field_changed_after_the_approval_is_a_new_question(rig: Rig, changed: dict[str, str]) -> None:
    """Threat: T-006, T-007."""
    async with rig.opened() as wallet:
        operation = await wallet.approved()
        intent = {"kind": "transfer", "to": rig.payee.value, "amount": "0.1"} | changed
        if "to" in changed:
            intent["to"] = Address.from_bytes(bytes.fromhex(changed["to"][2:])).value
        answer = await wallet.owned.propose(Proposal(principal="local", tool="pay", intent=intent), wait_seconds=0)
        assert isinstance(answer, Pending)
        assert (answer.queued, answer.operation == operation) == (True, False)
        assert rig.signatures() == []
        assert (await wallet.done()).operation == operation


async def test_another_chain_or_account_in_the_call_is_refused_and_the_honest_call_signs(rig: Rig) -> None:
    """Threat: T-008."""
    async with rig.opened() as wallet:
        await wallet.approved()
        assert await wallet.refused(chain="eip155:1") == "invalid_input.chain"
        assert await wallet.refused(account="second") == "invalid_input.account"
        assert rig.signatures() == []
        assert (await wallet.done(chain=str(rig.chain.chain_id), account="main")).outcome == "mined"


async def test_a_node_that_changes_chain_before_the_signature_stops_it(rig: Rig) -> None:
    """Threat: T-008, T-042."""
    async with rig.opened() as wallet:
        await wallet.approved()
        rig.chain.lie("eth_chainId", "0x1")
        assert await wallet.refused() == "unavailable.node_lied"
        assert rig.signatures() == []
        rig.chain.honest()
        assert (await wallet.done()).outcome == "mined"


@pytest.mark.parametrize("back", [91, 3_600, 86_400])
async def test_a_clock_turned_back_revives_no_approval(rig: Rig, back: int) -> None:
    """Threat: T-016, T-083."""
    async with rig.opened() as wallet:
        operation = await wallet.approved()
        rig.clock.advance(120)
        rig.clock.advance(30)
        await wallet.owned.sweep()
        rig.clock.advance(-back)
        assert await wallet.refused() == "unavailable.clock"
        rig.clock.advance(back)
        assert (await wallet.row(operation)).code == "expired"
    assert (await check_invariants(rig)).signatures == 0


async def test_a_clock_turned_back_within_the_tolerance_is_read_as_the_highest_time_seen(rig: Rig) -> None:
    """Threat: T-016."""
    async with rig.opened() as wallet:
        asked = await wallet.asked()
        old_code = wallet.code()
        rig.clock.advance(60)
        await wallet.approve(asked.operation)
        rig.clock.advance(120)
        await wallet.owned.sweep()
        rig.clock.advance(-60)
        assert (await wallet.row(asked.operation)).code == "expired"
        fresh = await wallet.asked()
        with pytest.raises(FactorRejected):
            await wallet.approve(fresh.operation, code=old_code)


async def test_an_operation_expires_even_while_it_is_looked_at(rig: Rig) -> None:
    async with rig.opened() as wallet:
        asked = await wallet.asked()
        request = await wallet.owned.request(asked.operation)
        rig.clock.advance(600)
        with pytest.raises(Expired):
            await wallet.owned.approve(
                asked.operation,
                view_hash=request.view_hash,
                match_code=request.match_code,
                code=wallet.code(),
                channel=Channel.TERMINAL,
            )
        assert await wallet.owned.requests() == ()


async def test_a_lock_in_the_middle_refuses_and_the_approval_survives_it(rig: Rig) -> None:
    async with rig.opened() as wallet:
        operation = await wallet.approved()
        await wallet.owned.lock()
        assert await wallet.refused() == "locked"
        assert (await wallet.owned.status(operation, principal="local")) == await wallet.pay()
        await wallet.owned.unlock(passphrase())
        assert (await wallet.done()).operation == operation


async def test_every_round_may_meet_a_fresh_guard(rig: Rig) -> None:
    """Nothing that is needed to go on lives only in memory."""
    async with rig.opened() as wallet:
        operation = (await wallet.asked()).operation
    async with rig.opened() as wallet:
        assert (await wallet.asked()).operation == operation
        request = await wallet.owned.request(operation)
    async with rig.opened() as wallet:
        assert await wallet.owned.request(operation) == request
    async with rig.opened() as wallet:
        await wallet.approve(operation)
    async with rig.opened() as wallet:
        assert (await wallet.done()).operation == operation
    async with rig.opened() as wallet:
        assert (await wallet.done()).repeated
    report = await check_invariants(rig)
    assert (report.signatures, report.sent) == (1, 1)
    assert rig.paid() == ETHER // 10


async def test_a_locked_wallet_writes_no_row_and_asks_the_node_nothing(rig: Rig) -> None:
    async with rig.opened(unlock=False) as wallet:
        before = sum(rig.chain.asked.values())
        assert await wallet.refused() == "locked"
        assert sum(rig.chain.asked.values()) == before
        with pytest.raises(Refused):
            await wallet.owned.requests()
