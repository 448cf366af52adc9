"""Limits over time through the whole guard: counted where the approval is used up, and never given back.

Threat: T-018, T-019.
"""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from mcp_wallet_guard.evidence import LimitRow
from mcp_wallet_guard.exchange import Done, Pending, Proposal, RefusedAnswer
from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.policy.limits import Spent
from mcp_wallet_guard.policy.rules import Payee
from mcp_wallet_guard.proofs import Signable
from mcp_wallet_guard.signers.base import Signer
from mcp_wallet_guard.testing.chain import SimulatedChain
from mcp_wallet_guard.testing.wallet import FundedToken, passphrase
from tests.guard.rig import Rig, Wallet, apply, edited, make_rig
from tests.invariants import check_invariants

pytestmark = pytest.mark.anyio
BOB = Address.from_bytes(b"\xb0" * 20)
LIMITS = """
[[policy.limits]]
asset = "ETH"
amount = "0.25"
window = "1d"

[[policy.limits]]
asset = "USDC"
amount = "10"
window = "1d"

[[policy.limits]]
count = 5
window = "1h"
"""


@pytest.fixture
def rig(tmp_path: Path, chain: SimulatedChain) -> Rig:
    return make_rig(tmp_path, chain, tokens=[FundedToken()], contacts=[Payee(name="Bob", address=BOB)], more=LIMITS)


async def paid(wallet: Wallet, amount: str, reference: str) -> None:
    await wallet.paid(amount, reference=reference)


async def test_a_day_has_its_limit_and_a_restart_forgets_nothing(rig: Rig) -> None:
    async with rig.opened() as wallet:
        await paid(wallet, "0.1", "a")
        await paid(wallet, "0.15", "b")
        assert await wallet.refused("0.000000000000000001", reference="c") == "over_budget"
    async with rig.opened() as wallet:
        assert await wallet.refused("0.1", reference="c") == "over_budget"
        rig.clock.advance(86_400 - 600)
        await wallet.owned.lock()
        await wallet.owned.unlock(passphrase())
        assert await wallet.refused("0.1", reference="c") == "over_budget"
        rig.clock.advance(600 + 2 * 1_440)
        await wallet.owned.lock()
        await wallet.owned.unlock(passphrase())
        await paid(wallet, "0.25", "c")
    await check_invariants(rig)


async def test_before_and_after_midnight_are_one_window(rig: Rig) -> None:
    """Threat: T-018."""
    rig.clock.advance(86_400 - rig.clock.now() % 86_400 - 60)
    async with rig.opened() as wallet:
        await paid(wallet, "0.25", "before")
        rig.clock.advance(120)
        assert await wallet.refused("0.1", reference="after") == "over_budget"


async def test_a_question_that_was_approved_before_the_limit_was_reached_is_refused_at_its_consume(rig: Rig) -> None:
    """Both fit when they were asked; one does when it is signed."""
    async with rig.opened() as wallet:
        first = await wallet.asked("0.2", reference="a")
        second = await wallet.pay("0.2", reference="b")
        assert isinstance(second, Pending)
        assert second.queued
        await wallet.approve(first.operation)
        await wallet.done("0.2", reference="a")
        assert await wallet.refused("0.2", reference="b") == "over_budget"
        assert len(rig.signatures()) == 1


async def test_without_the_check_at_the_consume_the_same_would_be_signed(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attack, with the guard taken out."""
    monkeypatch.setattr("mcp_wallet_guard.counters.check_limit", lambda *_, **__: None)
    async with rig.opened() as wallet:
        await paid(wallet, "0.2", "a")
        await paid(wallet, "0.2", "b")
    assert len(rig.signatures()) == 2


async def test_tokens_have_their_own_limit_and_every_payment_counts_as_one(rig: Rig) -> None:
    async with rig.opened() as wallet:

        async def tokens(amount: str, reference: str) -> Done | Pending | RefusedAnswer:
            intent = {"kind": "token_transfer", "token": "USDC", "to": BOB.value, "amount": amount}
            proposal = Proposal(principal="local", tool="t", intent=intent | {"reference": reference})
            return await wallet.owned.propose(proposal, wait_seconds=0)

        for number in range(2):
            pending = await tokens("5", str(number))
            assert isinstance(pending, Pending)
            await wallet.approve(pending.operation)
            assert isinstance(await tokens("5", str(number)), Done)
        over = await tokens("0.000001", "more")
        assert isinstance(over, RefusedAnswer)
        assert over.code == "over_budget"
        for number in range(3):
            await paid(wallet, "0.01", f"eth {number}".replace(" ", "-"))
        assert await wallet.refused("0.01", reference="sixth") == "over_budget", "the sixth payment of the hour"


async def test_eight_calls_that_race_for_one_budget_take_it_once(rig: Rig) -> None:
    """Threat: T-019."""
    async with rig.opened() as wallet:
        pending = await wallet.asked("0.25", reference="r")
        await wallet.approve(pending.operation)
        answers = list[object]()

        async def call(number: int) -> None:
            reference = "r" if number % 2 else f"r{number}"
            answers.append(await wallet.pay("0.25", reference=reference))

        async with anyio.create_task_group() as group:
            for number in range(8):
                group.start_soon(call, number)
        assert sum(isinstance(each, Done) and not each.repeated for each in answers) == 1
        assert len(rig.signatures()) == 1
        for number in range(0, 8, 2):
            assert await wallet.refused("0.25", reference=f"r{number}") == "over_budget"


async def test_a_payment_that_was_burned_is_not_given_back(rig: Rig) -> None:
    """A signer that broke may have signed all the same."""

    async def breaks(_: Signable, __: Signer) -> bytes:
        raise RuntimeError

    async with rig.opened(misbehave=breaks) as wallet:
        await wallet.approved("0.25")
        assert (await wallet.done("0.25")).outcome == "burned"
        assert await wallet.refused("0.1", reference="again") == "over_budget"


async def test_a_higher_limit_forgives_nothing(rig: Rig) -> None:
    async with rig.opened() as wallet:
        await paid(wallet, "0.25", "a")
        settings = edited(rig, 'amount = "0.25"', 'amount = "0.3"')
        await apply(wallet, settings)
        assert await wallet.refused("0.06", reference="b") == "over_budget"
        await paid(wallet, "0.05", "b")


@pytest.fixture
def grouped(tmp_path: Path, chain: SimulatedChain) -> Rig:
    more = '[[policy.limits]]\ncount = 1\nwindow = "1h"\ngroup = "friends"\n[policy.groups]\nfriends = ["Bob"]\n'
    return make_rig(tmp_path, chain, contacts=[Payee(name="Bob", address=BOB)], more=more)


async def test_a_limit_for_a_group_counts_its_payees_alone(grouped: Rig) -> None:
    async with grouped.opened() as wallet:
        await paid(wallet, "0.01", "a")
        await paid(wallet, "0.01", "b")
        await wallet.paid("0.01", to=BOB.value)
        assert await wallet.refused("0.01", to=BOB.value, reference="again") == "over_budget"
        await paid(wallet, "0.01", "c")


async def test_what_is_counted_is_what_was_signed(rig: Rig) -> None:
    async with rig.opened() as wallet:
        await paid(wallet, "0.1", "a")
        await wallet.asked("0.1", reference="b")
        limits = wallet.owned.custody.session().settings.policy
        assert limits is not None
        rows = await wallet.owned.custody.transact(lambda tx: {row.id: row for row in tx.all(LimitRow)})
        ether, tokens, payments = limits.limits
        assert tokens.id not in rows
        assert Spent.parse(rows[ether.id].spent).units == 10**17
        assert (Spent.parse(rows[payments.id].spent).units, Spent.parse(rows[payments.id].spent).count) == (0, 1)


async def test_its_owner_sees_what_each_limit_has_counted_and_a_locked_guard_tells_nothing(rig: Rig) -> None:
    async with rig.opened() as wallet:
        await paid(wallet, "0.1", "a")
        ether, tokens, payments = (await wallet.owned.control_status()).limits
        assert (ether.symbol, ether.spent, ether.amount, ether.payments, ether.count) == ("ETH", "0.1", "0.25", 1, None)
        assert (tokens.symbol, tokens.spent, tokens.amount, tokens.payments) == ("USDC", "0", "10", 0)
        assert (payments.symbol, payments.spent, payments.amount) == (None, None, None)
        assert (payments.payments, payments.count, payments.seconds, payments.payees) == (1, 5, 3_600, None)
        await wallet.owned.lock()
        assert (await wallet.owned.control_status()).limits == ()
