"""What an owner approved in advance is paid without a question, within its bounds and never beyond them.

Threat: T-018, T-019, T-028.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from mcp_wallet_guard import setup
from mcp_wallet_guard.config.settings import Settings, canonical
from mcp_wallet_guard.evidence import ApprovalRow, Channel, LimitRow, MandateRow
from mcp_wallet_guard.exchange import Done, Pending, Proposal, RefusedAnswer
from mcp_wallet_guard.journal.events import Event, Kind
from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.policy.rules import Payee
from mcp_wallet_guard.stores.base import Transaction
from mcp_wallet_guard.testing.chain import SimulatedChain
from mcp_wallet_guard.testing.wallet import FundedToken, passphrase
from tests import database
from tests.guard.rig import DATABASE, SMALL_MANDATE, Answer, Rig, Wallet, apply, edited, make_rig
from tests.invariants import check_invariants

pytestmark = pytest.mark.anyio
BOB = Address.from_bytes(b"\xb0" * 20)
ANN = Address.from_bytes(b"\xa1" * 20)
MANDATES = f"""{SMALL_MANDATE}
[[policy.mandates]]
name = "coins"
tools = ["pay_token"]
asset = "USDC"
group = "trusted"
max_per_transaction = "5"
max_fee = "0.01"
amount = "10"
count = 9
window = "1d"
valid_days = 2
"""


@pytest.fixture
def rig(tmp_path: Path, chain: SimulatedChain) -> Rig:
    contacts = [Payee(name="Bob", address=BOB), Payee(name="Ann", address=ANN)]
    return make_rig(tmp_path, chain, tokens=[FundedToken()], contacts=contacts, more=MANDATES)


async def call(
    wallet: Wallet, amount: str, reference: str, *, tool: str = "pay", to: Address = BOB, **more: str
) -> Answer:
    intent = {"kind": "transfer", "to": to.value, "amount": amount, "reference": reference, **more}
    return await wallet.owned.propose(Proposal(principal="local", tool=tool, intent=intent), wait_seconds=0)


async def token(wallet: Wallet, amount: str, reference: str, kind: str = "token_transfer") -> Answer:
    party = "to" if kind == "token_transfer" else "spender"
    intent = {"kind": kind, "token": "USDC", party: BOB.value, "amount": amount, "reference": reference}
    return await wallet.owned.propose(Proposal(principal="local", tool="pay_token", intent=intent), wait_seconds=0)


async def granted(wallet: Wallet) -> None:
    """The owner approves the mandates, with a code."""
    await apply(wallet, wallet.rig.made.loaded.settings)


def is_asked(answer: Answer) -> bool:
    return isinstance(answer, Pending) and not answer.approved and not answer.queued


async def forget(wallet: Wallet) -> None:
    """Whatever is asked is declined, so that the account is free for the next call."""
    for request in await wallet.owned.requests():
        await wallet.owned.desk.decline(request.operation, channel=Channel.TERMINAL)


async def test_within_the_bounds_nobody_is_asked_and_the_journal_says_why(rig: Rig) -> None:
    before = rig.chain.balance(BOB)
    async with rig.opened() as wallet:
        await granted(wallet)
        done = await call(wallet, "0.01", "a")
        assert isinstance(done, Done), done
        assert done.outcome == "mined"
        assert rig.chain.balance(BOB) - before == 10**16
        page = await wallet.owned.read_log(last=100, about=done.operation)
        assert '"channel":"mandate"' in "".join(page.entries)
        coins = await token(wallet, "5", "a")
        assert isinstance(coins, Done), coins
        again = await call(wallet, "0.01", "a")
        assert isinstance(again, Done)
        assert again.repeated
    assert len(rig.signatures()) == 2
    await check_invariants(rig)


async def test_a_mandate_that_only_stands_in_the_sealed_settings_has_no_force(rig: Rig) -> None:
    """It was sealed with the passphrase: nobody gave a second factor for it."""
    async with rig.opened() as wallet:
        status = await wallet.owned.control_status()
        assert [mandate.expires_at for mandate in status.mandates] == [None, None]
        assert is_asked(await call(wallet, "0.01", "a"))
    assert rig.signatures() == []


@pytest.mark.parametrize(
    ("amount", "more"),
    [
        ("0.010000000000000001", {}),
        ("0.01", {"to": ANN}),
        ("0.01", {"to": Address.from_bytes(b"\x77" * 20)}),
        ("0.01", {"tool": "pay_token"}),
        ("0.01", {"tool": "Pay"}),
    ],
)
async def test_a_payment_out_of_bounds_is_asked(rig: Rig, amount: str, more: dict[str, Address | str]) -> None:
    """One unit too much, another payee, another tool."""
    async with rig.opened() as wallet:
        await granted(wallet)
        assert is_asked(await call(wallet, amount, "a", **more))  # type: ignore[arg-type]  # by their names
    assert rig.signatures() == []


async def test_it_never_covers_an_approval_of_tokens(rig: Rig) -> None:
    """Threat: T-028. The same amount to the same payee: sent it is covered, allowed to be taken it is asked."""
    edited(rig, 'approvals = "refuse"', 'approvals = "capped"')
    async with rig.opened() as wallet:
        await granted(wallet)
        assert isinstance(await token(wallet, "5", "a"), Done)
        assert is_asked(await token(wallet, "5", "b", kind="token_approval"))
    assert len(rig.signatures()) == 1


async def test_its_budget_is_never_exceeded_and_what_is_left_over_is_asked(rig: Rig) -> None:
    """Threat: T-018. 0.025 within a day: two payments of 0.01, and not a third; a restart forgets nothing."""
    async with rig.opened() as wallet:
        await granted(wallet)
        for reference in ("a", "b"):
            assert isinstance(await call(wallet, "0.01", reference), Done)
    async with rig.opened() as wallet:
        assert is_asked(await call(wallet, "0.01", "c"))
        await forget(wallet)
        assert isinstance(await call(wallet, "0.005", "d"), Done)
        assert is_asked(await call(wallet, "0.000000000000000001", "e"))
        await forget(wallet)
        spent = (await wallet.owned.control_status()).mandates[0].budget
        assert (spent.spent, spent.payments) == ("0.025", 3)
        rig.clock.advance(86_400 + 1_440)
        await wallet.owned.lock()
        await wallet.owned.unlock(passphrase())
        assert isinstance(await call(wallet, "0.01", "f"), Done)
    assert len(rig.signatures()) == 4
    await check_invariants(rig)


async def test_without_the_budget_the_same_would_be_signed(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The attack, with the guard taken out."""
    monkeypatch.setattr("mcp_wallet_guard.counters.check_limit", lambda *_, **__: None)
    async with rig.opened() as wallet:
        await granted(wallet)
        for reference in "abcde":
            assert isinstance(await call(wallet, "0.01", reference), Done)


async def test_eight_calls_at_once_spend_no_unit_more_than_the_budget(rig: Rig) -> None:
    """Threat: T-019."""
    answers: list[Answer] = []

    async with rig.opened() as wallet:
        await granted(wallet)

        async def one(reference: str) -> None:
            answers.append(await call(wallet, "0.01", reference))

        async with anyio.create_task_group() as calls:
            for reference in "abcdefgh":
                calls.start_soon(one, reference)
        assert sum(isinstance(answer, Done) for answer in answers) == 2
        assert sum(is_asked(answer) for answer in answers) == 1, "the first that the budget has no room for"
    assert len(rig.signatures()) == 2


async def test_limits_beat_a_mandate(rig: Rig) -> None:
    edited(rig, "valid_days = 2\n", 'valid_days = 2\n\n[[policy.limits]]\ncount = 1\nwindow = "1d"\n')
    async with rig.opened() as wallet:
        await granted(wallet)
        assert isinstance(await call(wallet, "0.01", "a"), Done)
        refused = await call(wallet, "0.01", "b")
        assert isinstance(refused, RefusedAnswer)
        assert refused.code == "over_budget"


async def test_its_time_ends_and_a_code_renews_it(rig: Rig) -> None:
    async with rig.opened() as wallet:
        await granted(wallet)
        rig.clock.advance(30 * 86_400)
        await wallet.owned.lock()
        await wallet.owned.unlock(passphrase())
        assert is_asked(await call(wallet, "0.01", "a"))
        await forget(wallet)
        await granted(wallet)
        assert isinstance(await call(wallet, "0.01", "b"), Done)


async def test_another_change_of_the_settings_does_not_prolong_it(rig: Rig) -> None:
    async with rig.opened() as wallet:
        await granted(wallet)
        until = [mandate.expires_at for mandate in (await wallet.owned.control_status()).mandates]
        rig.clock.advance(3_600)
        await wallet.owned.unlock(passphrase())
        await apply(wallet, edited(rig, "expires_minutes = 10", "expires_minutes = 9"))
        assert [mandate.expires_at for mandate in (await wallet.owned.control_status()).mandates] == until


async def test_settings_without_it_end_it_and_wider_bounds_are_another_one(rig: Rig) -> None:
    async with rig.opened() as wallet:
        await granted(wallet)
        before = rig.made.loaded.settings
        await apply(wallet, edited(rig, 'tools = ["pay"]', 'tools = ["send"]'))
        assert is_asked(await call(wallet, "0.01", "a"))
        await forget(wallet)
        await _sealed_without_a_code(wallet, before)
        assert is_asked(await call(wallet, "0.01", "b")), "what was ended does not come back by itself"


async def _sealed_without_a_code(wallet: Wallet, settings: Settings) -> None:
    await wallet.owned.custody.apply_settings(canonical(settings), proven=False)


async def test_other_bounds_forgive_nothing_that_was_spent(rig: Rig) -> None:
    """Threat: T-019."""
    async with rig.opened() as wallet:
        await granted(wallet)
        assert isinstance(await call(wallet, "0.01", "a"), Done)
        assert isinstance(await call(wallet, "0.01", "b"), Done)
        await apply(wallet, edited(rig, 'amount = "0.025"', 'amount = "0.026"'))
        assert is_asked(await call(wallet, "0.01", "c"))


async def test_a_mandate_that_is_over_at_the_consume_signs_nothing(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the freeze and the consume its row goes: the payment is refused, and an equal call is asked."""
    async with rig.opened() as wallet:
        await granted(wallet)
        executor, honest = wallet.owned.guard.executor, wallet.owned.guard.executor.execute

        async def late(row: object, **keywords: str) -> object:
            def end(tx: Transaction) -> None:
                for each in tx.all(MandateRow):
                    tx.drop(MandateRow, each.id)
                tx.append(Event(kind=Kind.MANDATE_ENDED, at=tx.now, data={}))

            await wallet.owned.custody.transact(end)
            return await honest(row, **keywords)  # type: ignore[arg-type]  # handed on

        monkeypatch.setattr(type(executor), "execute", lambda _, row, **keywords: late(row, **keywords))
        refused = await call(wallet, "0.01", "a")
        assert isinstance(refused, RefusedAnswer)
        assert refused.code == "policy.mandate"
        monkeypatch.undo()
        assert is_asked(await call(wallet, "0.01", "a"))
    assert rig.signatures() == []


async def test_an_asked_payment_is_not_signed_by_a_mandate_that_came_later(rig: Rig) -> None:
    """It was frozen for a person's answer; that a mandate would cover it now is no answer."""
    async with rig.opened() as wallet:
        asked = await call(wallet, "0.01", "a")
        assert isinstance(asked, Pending)

        def claim(tx: Transaction) -> None:
            approval = tx.get(ApprovalRow, asked.operation)
            mandate = wallet.rig.made.loaded.settings.policy
            assert approval is not None
            assert mandate is not None
            tx.put(replace(approval, mandate=mandate.mandates[0].id))
            tx.append(Event(kind=Kind.TAMPERED, at=tx.now, data={}))

        await granted(wallet)
        await wallet.owned.custody.transact(claim)
        answer = await call(wallet, "0.01", "a")
        assert isinstance(answer, Done), "under the new revision it is frozen anew, and covered"
    assert len(rig.signatures()) == 1


async def test_a_forged_row_of_a_mandate_is_found(rig: Rig) -> None:
    """Threat: T-088. Written beside the guard, it has no MAC."""
    async with rig.opened() as wallet:
        policy = wallet.rig.made.loaded.settings.policy
        assert policy is not None
    columns = "id, name, approved_at, expires_at, entry, mac"
    values = (policy.mandates[0].id, "small", 1, 2**40, 1, b"m" * 32)
    database.execute(rig.files.database, f"INSERT INTO mandates ({columns}) VALUES (?, ?, ?, ?, ?, ?)", values)
    with pytest.raises(Exception, match=r"changed from outside"):
        async with rig.opened() as wallet:
            await call(wallet, "0.01", "a")
    assert rig.signatures() == []


async def test_an_older_store_put_back_brings_no_budget_back(rig: Rig) -> None:
    """Threat: T-070. Blocked, and after the owner acknowledged it every mandate has ended."""
    async with rig.opened() as wallet:
        await granted(wallet)
    copy = rig.snapshot("before")
    async with rig.opened() as wallet:
        assert isinstance(await call(wallet, "0.01", "a"), Done)
    rig.put_back(copy, *DATABASE)
    async with rig.opened() as wallet:
        refused = await call(wallet, "0.01", "b")
        assert isinstance(refused, RefusedAnswer)
        assert refused.code == "blocked.store"
    code = _fresh(rig)
    await setup.acknowledge_store(rig.made.loaded, passphrase(), code=code, clock=rig.clock)
    async with rig.opened() as wallet:
        assert is_asked(await call(wallet, "0.01", "b"))
        assert await wallet.owned.custody.transact(lambda tx: tx.all(MandateRow)) == ()
        assert await wallet.owned.custody.transact(lambda tx: tx.all(LimitRow)) == ()


def _fresh(rig: Rig) -> str:
    rig.clock.advance(30)
    return rig.made.authenticator.code()


async def test_a_signer_that_fails_gives_no_budget_back(rig: Rig) -> None:
    async with rig.opened() as wallet:
        await granted(wallet)
    async with rig.opened(misbehave=_dies) as wallet:
        burned = await call(wallet, "0.01", "a")
        assert isinstance(burned, Done)
        assert burned.outcome == "burned"
    async with rig.opened() as wallet:
        assert isinstance(await call(wallet, "0.01", "a"), Done)
        spent = (await wallet.owned.control_status()).mandates[0].budget
        assert spent.payments == 2, "what was asked to be signed counts, signed or not"
    assert len(rig.signatures()) == 1


async def _dies(_signable: object, _signer: object) -> bytes:
    raise RuntimeError("the signer's process is gone")
