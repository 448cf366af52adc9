"""Actions through the whole guard: asked, approved out of the model's reach, begun at most once.

Threat: T-001, T-009, T-013, T-018, T-061.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from mcp_wallet_guard.approvals.base import Continuation
from mcp_wallet_guard.errors import FactorRejected
from mcp_wallet_guard.evidence import Channel, OperationRow
from mcp_wallet_guard.exchange import Acted, ActionProposal, MayAct, Pending, RefusedAnswer
from mcp_wallet_guard.journal.events import Kind
from mcp_wallet_guard.operations.actions import Action
from mcp_wallet_guard.testing.chain import SimulatedChain
from mcp_wallet_guard.testing.wallet import passphrase
from tests import database
from tests.guard.rig import DATABASE, Rig, Wallet, apply, edited, make_rig
from tests.invariants import check_invariants

pytestmark = pytest.mark.anyio
ACTIONS = """
[[policy.actions]]
tool = "place_order"
count = 3
window = "1d"
"""
Answer = MayAct | Acted | Pending | RefusedAnswer


@pytest.fixture
def rig(tmp_path: Path, chain: SimulatedChain) -> Rig:
    return make_rig(tmp_path, chain, more=ACTIONS)


async def act(wallet: Wallet, tool: str = "place_order", *, wait: float = 0, **arguments: Any) -> Answer:
    body = Action(tool, {"pair": "ETH/USDC", **arguments}).body.decode()
    return await wallet.owned.act(ActionProposal(principal="local", body=body), wait_seconds=wait)


async def asked(wallet: Wallet, **arguments: Any) -> Pending:
    answer = await act(wallet, **arguments)
    assert isinstance(answer, Pending), answer
    return answer


async def begun(wallet: Wallet, **arguments: Any) -> str:
    """Asked, approved and begun; the operation."""
    await wallet.approve((await asked(wallet, **arguments)).operation)
    answer = await act(wallet, **arguments)
    assert isinstance(answer, MayAct), answer
    return answer.operation


async def told(wallet: Wallet, operation: str, outcome: str = "carried_out", result: Any = None) -> Any:
    text = None if result is None else json.dumps(result)
    return await wallet.owned.acted(operation, principal="local", outcome=outcome, result=text)  # type: ignore[arg-type]


async def code_of(answer: Answer) -> str:
    assert isinstance(answer, RefusedAnswer), answer
    return answer.code


async def test_from_the_question_to_the_result_and_an_equal_call_repeats_it(rig: Rig) -> None:
    async with rig.opened() as wallet:
        operation = await begun(wallet)
        answer = await told(wallet, operation, result={"order": 77})
        assert (answer.outcome, answer.result) == ("carried_out", {"order": 77})
        again = await act(wallet)
        assert isinstance(again, Acted)
        assert (again.operation, again.outcome, again.repeated, again.result) == (
            operation, "carried_out", True, {"order": 77},
        )  # fmt: skip
        page = await wallet.owned.read_log(last=50, about=operation)
        kinds = [json.loads(entry)["kind"] for entry in page.entries]
        assert kinds == [Kind.FROZEN, Kind.APPROVED, Kind.CONSUMED, Kind.SETTLED]
    assert rig.signatures() == []
    await check_invariants(rig)


async def test_the_approval_begins_it_once_whoever_asks_and_however_often(rig: Rig) -> None:
    """Threat: T-009."""
    async with rig.opened() as wallet:
        await wallet.approve((await asked(wallet)).operation)
        answers: list[Answer] = []

        async def call() -> None:
            answers.append(await act(wallet))

        async with anyio.create_task_group() as tasks:
            for _ in range(6):
                tasks.start_soon(call)
        assert sorted(type(answer).__name__ for answer in answers) == ["Acted"] * 5 + ["MayAct"]
        assert {answer.outcome for answer in answers if isinstance(answer, Acted)} == {"unknown"}
    async with rig.opened() as wallet:
        again = await act(wallet)
        assert isinstance(again, Acted), "nor after a restart"
        assert again.outcome == "unknown"


async def test_a_waiting_call_begins_it_as_soon_as_it_is_approved(rig: Rig) -> None:
    async with rig.opened() as wallet:
        answers: list[Answer] = []

        async def call() -> None:
            answers.append(await act(wallet, wait=30))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call)
            # Polled, as an owner's terminal does.
            while not (waiting := await wallet.owned.requests()):  # noqa: ASYNC110
                await anyio.sleep(0.01)
            request = waiting[0]
            assert request.view.kind == "action"
            await anyio.wait_all_tasks_blocked()
            continuation = await wallet.owned.approve(
                request.operation, view_hash=request.view_hash, match_code=request.match_code,
                code=wallet.code(), channel=Channel.TERMINAL,
            )  # fmt: skip
            assert continuation is Continuation.NOW
        assert [type(answer) for answer in answers] == [MayAct]


async def test_other_arguments_are_another_question(rig: Rig) -> None:
    """The attack: approved is one order, begun would be another."""
    async with rig.opened() as wallet:
        await wallet.approve((await asked(wallet, amount="1")).operation)
        assert isinstance(await act(wallet, amount="1000"), Pending)
        assert isinstance(await act(wallet, amount=1), Pending)
        assert isinstance(await act(wallet, amount="1"), MayAct)


@pytest.mark.parametrize("tool", ["withdraw", "Place_order", "place_order2"])
async def test_a_tool_that_the_policy_does_not_name_is_refused(rig: Rig, tool: str) -> None:
    async with rig.opened() as wallet:
        assert await code_of(await act(wallet, tool)) == "policy.action"
        assert await wallet.owned.requests() == ()


async def test_it_takes_the_match_code_and_a_factor_like_a_payment(rig: Rig) -> None:
    async with rig.opened() as wallet:
        request = await wallet.owned.request((await asked(wallet)).operation)
        for match_code, code in (("AAAA-AA", wallet.code()), (request.match_code, None)):
            with pytest.raises(FactorRejected):
                await wallet.owned.approve(
                    request.operation, view_hash=request.view_hash, match_code=match_code, code=code,
                    channel=Channel.TERMINAL,
                )  # fmt: skip
        assert isinstance(await act(wallet), Pending)
        await wallet.owned.decline(request.operation, channel=Channel.TERMINAL)
        assert await code_of(await act(wallet)) == "declined"


async def test_its_count_is_never_exceeded_and_a_restart_forgets_nothing(rig: Rig) -> None:
    """Threat: T-018."""
    async with rig.opened() as wallet:
        for number in range(3):
            await told(wallet, await begun(wallet, number=number))
    async with rig.opened() as wallet:
        assert await code_of(await act(wallet, number=3)) == "over_budget"
        rig.clock.advance(86_400 + 1_440)
        await wallet.owned.unlock(passphrase())
        assert isinstance(await act(wallet, number=3), Pending)


async def test_two_questions_that_fit_alone_are_counted_when_they_begin(rig: Rig) -> None:
    async with rig.opened() as wallet:
        for number in range(2):
            await told(wallet, await begun(wallet, number=number))
        one, other = await asked(wallet, number=2), await asked(wallet, number=3)
        await wallet.approve(one.operation)
        await wallet.approve(other.operation)
        assert isinstance(await act(wallet, number=2), MayAct)
        assert await code_of(await act(wallet, number=3)) == "over_budget"


async def test_how_it_ended_is_told_once_and_by_nobody_else(rig: Rig) -> None:
    async with rig.opened(principals=frozenset({"local", "other"})) as wallet:
        operation = await begun(wallet)
        foreign = await wallet.owned.acted(operation, principal="other", outcome="failed", result=None)
        assert await code_of(foreign) == "invalid_input.id"
        assert isinstance(await told(wallet, operation, "failed"), Acted)
        assert await code_of(await told(wallet, operation)) == "already_used"
        assert await code_of(await told(wallet, "0" * 32)) == "invalid_input.id"


async def test_what_was_not_begun_cannot_be_told(rig: Rig) -> None:
    """The attack: a server says that it ran what nobody approved. It gets no entry that it did."""
    async with rig.opened() as wallet:
        operation = (await asked(wallet)).operation
        assert isinstance(await told(wallet, operation), RefusedAnswer)
        payment = await wallet.asked()
        assert await code_of(await told(wallet, payment.operation)) == "invalid_input.id"
        assert isinstance(await act(wallet), Pending)


async def test_a_payments_door_does_not_open_for_an_action(rig: Rig) -> None:
    async with rig.opened() as wallet:
        operation = await begun(wallet)
        for door in (wallet.owned.status, wallet.owned.outcome):
            assert await code_of(await door(operation, principal="local")) == "invalid_input.id"  # type: ignore[arg-type]
        assert (await wallet.paid()).outcome == "mined", "and a begun action holds up no payment"


async def test_without_a_word_it_is_unknown_after_ten_minutes_and_may_be_asked_again_later(rig: Rig) -> None:
    async with rig.opened() as wallet:
        operation = await begun(wallet)
        rig.clock.advance(600)
        await wallet.owned.sweep()
        row = await wallet.owned.custody.transact(lambda tx: tx.get(OperationRow, operation))
        assert row is not None
        assert (row.state, row.outcome) == ("settled", "unknown")
        assert await code_of(await told(wallet, operation)) == "already_used"
        rig.clock.advance(600)
        await wallet.owned.unlock(passphrase())
        assert isinstance(await act(wallet), Pending)


async def test_a_result_with_a_secret_is_neither_kept_nor_repeated(rig: Rig) -> None:
    """Threat: T-061."""
    async with rig.opened() as wallet:
        operation = await begun(wallet)
        words = " ".join(rig.made.new.words)
        answer = await told(wallet, operation, result={"note": words})
        assert (answer.outcome, answer.result) == ("carried_out", None)
        kinds = [entry.fields["kind"] for entry in await wallet.owned.custody.store.journal()]
        assert kinds.count(Kind.INCIDENT) == 1
    files = [rig.files.database.with_name(name) for name in DATABASE]
    assert not any(words.encode() in file.read_bytes() for file in files if file.exists())


@pytest.mark.parametrize("result", ["{", "NaN", '{"a":1,"a":2}'])
async def test_a_result_that_is_no_json_is_refused_and_can_be_told_properly(rig: Rig, result: str) -> None:
    async with rig.opened() as wallet:
        operation = await begun(wallet)
        refused = await wallet.owned.acted(operation, principal="local", outcome="carried_out", result=result)
        assert await code_of(refused) == "invalid_input"
        assert isinstance(await told(wallet, operation), Acted)


async def test_settings_that_changed_meanwhile_make_the_question_anew(rig: Rig) -> None:
    async with rig.opened() as wallet:
        first = await asked(wallet)
        await apply(wallet, edited(rig, "expires_minutes = 10", "expires_minutes = 9"))
        second = await asked(wallet)
        assert second.operation != first.operation
        await wallet.approve(second.operation)
        await apply(wallet, edited(rig, "expires_minutes = 9", "expires_minutes = 8"))
        assert await code_of(await act(wallet)) == "policy.changed"


async def test_an_edited_row_begins_nothing(rig: Rig) -> None:
    """Threat: T-088."""
    async with rig.opened() as wallet:
        await wallet.approve((await asked(wallet)).operation)
    statement = "UPDATE operations SET intent = replace(intent, 'USDC', 'DOGE')"
    database.execute(rig.files.database, statement)
    with pytest.raises(Exception, match="changed from outside"):
        async with rig.opened() as wallet:
            await act(wallet)


async def test_a_store_put_back_to_before_it_began_is_found_out(rig: Rig) -> None:
    """Threat: T-070. At most once, also with an older database."""
    async with rig.opened() as wallet:
        await wallet.approve((await asked(wallet)).operation)
    copy = rig.snapshot("approved")
    async with rig.opened() as wallet:
        assert isinstance(await act(wallet), MayAct)
    rig.put_back(copy, *DATABASE)
    async with rig.opened() as wallet:
        assert await code_of(await act(wallet)) == "blocked.store"


@pytest.mark.parametrize("body", ["", "{}", '{"tool":"place_order","arguments":{}}', "x" * 20_000])
async def test_what_is_no_action_is_refused(rig: Rig, body: str) -> None:
    async with rig.opened() as wallet:
        answer = await wallet.owned.act(ActionProposal(principal="local", body=body), wait_seconds=0)
        assert (await code_of(answer)).startswith("invalid_input")


async def test_a_locked_wallet_and_a_stranger_are_refused(rig: Rig) -> None:
    async with rig.opened() as wallet:
        body = Action("place_order", {}).body.decode()
        stranger = await wallet.owned.act(ActionProposal(principal="eve", body=body), wait_seconds=0)
        assert await code_of(stranger) == "not_authorized"
        await wallet.owned.lock()
        assert await code_of(await act(wallet)) == "locked"


async def test_it_expires_like_a_payment(rig: Rig) -> None:
    async with rig.opened() as wallet:
        operation = (await asked(wallet)).operation
        await wallet.approve(operation)
        rig.clock.advance(120)
        again = await act(wallet)
        assert isinstance(again, Pending)
        assert again.operation != operation
