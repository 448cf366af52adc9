"""The node fails, lies, loses answers or moves the nonce: nothing is paid twice, and nothing signed is lost."""

from __future__ import annotations

import anyio
import pytest

from mcp_wallet_guard import bookkeeping
from mcp_wallet_guard.exchange import Done, Pending
from mcp_wallet_guard.execution import RESEND_SECONDS
from mcp_wallet_guard.operations.values import keccak256
from tests.guard.rig import ETHER, Rig, until
from tests.invariants import check_guard

pytestmark = pytest.mark.anyio


async def test_a_lost_answer_to_the_broadcast_ends_mined_and_pays_once(rig: Rig) -> None:
    async with rig.opened() as wallet:
        await wallet.approved()
        rig.chain.lose_broadcasts(1)
        first = await wallet.done()
        assert first.outcome in {"unknown", "mined"}
        again = await wallet.done()
        assert (again.outcome, again.repeated) == ("mined", True)
        assert len(rig.sent()) == 1
        assert rig.paid() == ETHER // 10
        assert (await check_guard(rig, wallet.owned)).signatures == 1


async def test_what_was_never_taken_is_sent_again_byte_for_byte(rig: Rig) -> None:
    async with rig.opened() as wallet:
        await wallet.approved()
        rig.chain.fail("eth_sendRawTransaction", message="busy")
        first = await wallet.done()
        assert (first.outcome, first.repeated) == ("unknown", False)
        row = await wallet.row(first.operation)
        rig.chain.honest()
        again = await wallet.done()
        assert (again.repeated, again.operation) == (True, first.operation)
        assert (await wallet.done()).outcome == "mined"
        assert (await wallet.row(first.operation)).signed_bytes == row.signed_bytes
        assert rig.sent() == {"0x" + (row.transaction_hash or b"").hex()}
        assert (await check_guard(rig, wallet.owned)).signatures == 1


async def test_an_unknown_outcome_blocks_the_effect_and_the_whole_account_until_it_settles(rig: Rig) -> None:
    async with rig.opened() as wallet:
        await wallet.approved()
        rig.chain.fail("eth_sendRawTransaction", message="busy")
        assert (await wallet.done()).outcome == "unknown"
        assert await wallet.refused("0.2") == "blocked.unknown"
        assert await wallet.refused(reference="second") == "blocked.unknown"
        assert (await wallet.done()).outcome == "unknown"
        rig.chain.honest()
        assert not (await wallet.asked("0.2")).queued
        assert (await wallet.done()).outcome == "mined"


async def test_without_the_block_a_second_payment_would_be_asked_beside_an_unknown_one(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attack, with the guard taken out."""
    async with rig.opened() as wallet:
        await wallet.approved()
        rig.chain.fail("eth_sendRawTransaction", message="busy")
        await wallet.done()
        monkeypatch.setattr(bookkeeping, "check_account", lambda *_: None)
        assert not (await wallet.asked("0.2")).queued


async def test_an_unknown_outcome_survives_a_restart_and_still_blocks(rig: Rig) -> None:
    async with rig.opened() as wallet:
        await wallet.approved()
        rig.chain.fail("eth_sendRawTransaction", message="busy")
        await wallet.done()
    async with rig.opened() as wallet:
        assert await wallet.refused("0.2") == "blocked.unknown"
        rig.chain.honest()
        operation = (await wallet.done()).operation
        settled = await wallet.owned.outcome(operation, principal="local")
        assert isinstance(settled, Done)
        assert settled.outcome == "mined"
        assert (await check_guard(rig, wallet.owned)).signatures == 1


async def test_a_sent_payment_is_told_as_sent_and_settles_later(rig: Rig) -> None:
    async with rig.opened() as wallet:
        rig.chain.auto_mine = False
        await wallet.approved()
        first = await wallet.done()
        assert first.outcome == "sent"
        assert first.receipt is not None
        assert first.receipt.block_number is None
        rig.chain.mine()
        settled = await wallet.owned.outcome(first.operation, principal="local")
        assert isinstance(settled, Done)
        assert settled.outcome == "mined"
        assert settled.receipt is not None
        assert settled.receipt.block_number == rig.chain.height()


async def test_the_next_payment_goes_on_while_one_waits_to_be_mined(rig: Rig) -> None:
    async with rig.opened() as wallet:
        rig.chain.auto_mine = False
        await wallet.approved()
        assert (await wallet.done()).outcome == "sent"
        await wallet.approved("0.2")
        assert (await wallet.done("0.2")).outcome == "sent"
        rig.chain.mine(2)
        assert (await wallet.done()).outcome == (await wallet.done("0.2")).outcome == "mined"
        assert rig.paid() == 3 * ETHER // 10


async def test_a_transaction_that_the_node_forgot_is_sent_again_after_a_minute(rig: Rig) -> None:
    async with rig.opened() as wallet:
        await wallet.approved()
        rig.chain.lie("eth_sendRawTransaction", lambda params, _: transaction_hash(params))
        rig.chain.lie("eth_getTransactionReceipt", None)
        rig.chain.lie("eth_getTransactionCount", "0x0")
        first = await wallet.done()
        assert first.outcome == "sent"
        before = sum(rig.chain.sent[each] for each in rig.sent())
        await wallet.owned.outcome(first.operation, principal="local")
        assert sum(rig.chain.sent[each] for each in rig.sent()) == before
        rig.clock.advance(RESEND_SECONDS)
        await wallet.owned.outcome(first.operation, principal="local")
        assert sum(rig.chain.sent[each] for each in rig.sent()) == before + 1
        assert len(rig.sent()) == 1


def transaction_hash(params: list[str]) -> str:
    return "0x" + keccak256(bytes.fromhex(params[0][2:])).hex()


async def test_a_nonce_that_moved_before_the_signature_supersedes_and_the_call_starts_anew(rig: Rig) -> None:
    async with rig.opened() as wallet:
        operation = await wallet.approved()
        rig.chain.lie("eth_getTransactionCount", "0x1")
        assert await wallet.refused() == "superseded"
        assert rig.signatures() == []
        assert (await wallet.row(operation)).state == "superseded"
        fresh = await wallet.asked()
        assert (await wallet.row(fresh.operation)).nonce == 1


async def test_a_nonce_used_by_another_transaction_settles_as_replaced_after_a_minute(rig: Rig) -> None:
    async with rig.opened() as wallet:
        await wallet.approved()
        rig.chain.fail("eth_sendRawTransaction", message="busy")
        first = await wallet.done()
        rig.chain.lie("eth_getTransactionCount", "0x1")
        early = await wallet.owned.outcome(first.operation, principal="local")
        assert isinstance(early, Done)
        assert early.outcome == "unknown", "a node that lags is not believed at once"
        rig.clock.advance(RESEND_SECONDS)
        late = await wallet.owned.outcome(first.operation, principal="local")
        assert isinstance(late, Done)
        assert late.outcome == "replaced"
        rig.chain.honest()
        assert rig.paid() == 0


async def test_a_node_that_promised_a_later_nonce_and_takes_it_back_gets_no_signature(rig: Rig) -> None:
    """Threat: T-039. A transaction for a later nonce could be kept back and sent another day."""
    async with rig.opened() as wallet:
        rig.chain.lie("eth_getTransactionCount", "0x7")
        await wallet.approved()
        rig.chain.honest()
        assert await wallet.refused() == "unavailable.node"
        assert rig.signatures() == []
        rig.clock.advance(120)
        fresh = await wallet.asked()
        assert (await wallet.row(fresh.operation)).nonce == 0


async def test_a_node_may_not_take_the_nonce_below_what_was_signed(rig: Rig) -> None:
    """Threat: T-039."""
    async with rig.opened() as wallet:
        await wallet.paid()
        rig.chain.lie("eth_getTransactionCount", "0x0")
        assert await wallet.refused("0.2") == "unavailable.node"
        rig.chain.honest()
        asked = await wallet.asked("0.2")
        assert (await wallet.row(asked.operation)).nonce == 1


@pytest.mark.parametrize(
    ("method", "lie", "code"),
    [
        ("eth_chainId", "0x2", "unavailable.node_lied"),
        ("eth_getBalance", "0x0", "over_balance"),
        ("eth_getBalance", "lots", "unavailable.node_lied"),
        ("eth_getCode", "0x6000", "policy.denied"),
        ("eth_getTransactionCount", "-0x1", "unavailable.node_lied"),
    ],
)
async def test_a_node_that_lies_at_the_consume_gets_no_signature(rig: Rig, method: str, lie: str, code: str) -> None:
    """Threat: T-039, T-042."""
    async with rig.opened() as wallet:
        await wallet.approved()
        rig.chain.lie(method, lie)
        assert await wallet.refused() == code
        assert rig.signatures() == []
        report = await check_guard(rig, wallet.owned)
        assert report.signatures == report.sent == 0


async def test_a_node_that_does_not_answer_costs_nothing_and_the_approval_waits_for_it(rig: Rig) -> None:
    async with rig.opened() as wallet:
        rig.chain.fail("eth_chainId")
        assert await wallet.refused() == "unavailable.node"
        rig.chain.honest()
        await wallet.approved()
        rig.chain.fail("eth_getBalance")
        assert await wallet.refused() == "unavailable.node"
        rig.chain.honest()
        assert (await wallet.done()).outcome == "mined"


async def test_facts_older_than_thirty_seconds_sign_nothing(rig: Rig) -> None:
    async with rig.opened() as wallet:
        await wallet.approved()
        custody, codes = wallet.owned.custody, []

        async def call() -> None:
            codes.append(await wallet.refused())

        async with anyio.create_task_group() as tasks, custody._lock:  # as while the owner applies settings
            tasks.start_soon(call)
            await until(lambda: custody._lock.statistics().tasks_waiting > 0)
            rig.clock.advance(31)
        assert codes == ["unavailable.stale"]
        assert rig.signatures() == []
        assert (await wallet.done()).outcome == "mined"


async def test_a_reverted_payment_is_told_as_failed(rig: Rig) -> None:
    async with rig.opened() as wallet:
        await wallet.approved()
        rig.chain.lie("eth_getTransactionReceipt", reverted)
        done = await wallet.done()
        assert done.outcome == "failed"
        rig.chain.honest()


def reverted(_: list[str], honest: object) -> object:
    return honest | {"status": "0x0"} if isinstance(honest, dict) else honest


async def test_status_and_outcome_of_an_open_question_say_pending(rig: Rig) -> None:
    async with rig.opened() as wallet:
        asked = await wallet.asked()
        for answer in (
            await wallet.owned.status(asked.operation, principal="local"),
            await wallet.owned.outcome(asked.operation, principal="local"),
        ):
            assert isinstance(answer, Pending)
            assert answer.operation == asked.operation
