"""Flows that are killed at each of their steps: how one begins, what the child does, how it must stand afterwards.

`after` (or `again`, for what needs the store to itself) looks at a restarted guard, names the stage that the kill left,
and takes the flow to its honest end from there. Here are questions, answers and the ways out before the consume.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import final

import pytest
from eth_account import Account as EthAccount

from mcp_wallet_guard.config.file import load_settings
from mcp_wallet_guard.config.settings import canonical
from mcp_wallet_guard.errors import FactorRejected, GuardError
from mcp_wallet_guard.evidence import Channel, FactorRow
from mcp_wallet_guard.exchange import Done, Pending
from mcp_wallet_guard.journal.events import Kind
from mcp_wallet_guard.testing.chain import SimulatedChain
from tests.guard.rig import Misbehaviour, Rig, Wallet

Kept = dict[str, str]
"""What the preparation found out, by name: operations, codes, link secrets."""


async def nothing(_: Wallet) -> Kept:
    return {}


async def passes(_: Wallet, __: Kept) -> str:
    return ""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """How the wallet of a flow differs from the usual one. A known payee is a contact with the name Bob."""

    more: str = ""
    knows_payee: bool = False


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """`stages` are what kills leave, in order. `dies` runs in a child of its own after `prepare` and is killed.

    The clock moves on by `seconds` before the restart. `alone` opens the store by itself, in place of `act`.
    """

    stages: tuple[str, ...]
    made: Made = Made()
    prepare: Callable[[Wallet], Awaitable[Kept]] = nothing
    dies: Callable[[Wallet], Awaitable[None]] | None = None
    arrange: Callable[[SimulatedChain], None] | None = None
    act: Callable[[Wallet, Kept], Awaitable[object]] = passes
    alone: Callable[[Rig, Kept], Awaitable[None]] | None = None
    again: Callable[[Rig, Kept], Awaitable[str]] | None = None
    after: Callable[[Wallet, Kept], Awaitable[str]] = passes
    misbehave: Misbehaviour | None = None
    seconds: int = 60
    from_unlock: bool = False
    sealed: bool = True


# --- what several flows do ----------------------------------------------------------------------------------------


async def journalled(wallet: Wallet) -> Counter[str]:
    return Counter(entry.fields["kind"] for entry in await wallet.owned.custody.store.journal())


async def factor(wallet: Wallet) -> FactorRow:
    (row,) = await wallet.owned.custody.transact(lambda tx: tx.all(FactorRow))
    return row


async def closed(wallet: Wallet, operation: str) -> None:
    """What is closed is not spendable: not by an answer, and not by the executor, asked behind the guard's back."""
    with pytest.raises(GuardError):
        await wallet.approve(operation)
    with pytest.raises(GuardError):
        await wallet.owned.guard.executor.execute(await wallet.row(operation), principal="local")


async def mined(wallet: Wallet, operation: str) -> None:
    """What was signed comes to its receipt, and is not signed again."""
    before = wallet.rig.signatures()
    await outcome(wallet, {"operation": operation})
    done = await wallet.owned.status(operation, principal="local")
    assert isinstance(done, Done)
    assert done.outcome == "mined"
    assert wallet.rig.signatures() == before


async def outcome(wallet: Wallet, kept: Kept) -> None:
    for _ in range(2):
        await wallet.owned.outcome(kept["operation"], principal="local")


async def asked(wallet: Wallet) -> Kept:
    return {"operation": (await wallet.asked()).operation}


async def approved(wallet: Wallet) -> Kept:
    return {"operation": await wallet.approved()}


async def pays(wallet: Wallet, _: Kept) -> None:
    await wallet.pay()


def link_secret(wallet: Wallet, operation: str) -> str:
    path = wallet.rig.files.links / f"{operation}.url"
    return path.read_text("ascii").strip().rpartition("/")[2]


async def edited(wallet: Wallet) -> None:
    """Another guard.toml, for this rig and for those that its folder is copied to."""
    rig = wallet.rig
    path = rig.made.loaded.path
    text = path.read_text("utf-8")
    path.write_text(text.replace("idle_minutes = 15", "idle_minutes = 20"), "utf-8")
    rig.made = replace(rig.made, loaded=load_settings(path))


async def apply(wallet: Wallet, code: str | None = None) -> None:
    await wallet.owned.apply_policy(canonical(wallet.rig.made.loaded.settings), code=code or wallet.code())


# --- questions and answers ----------------------------------------------------------------------------------------


async def after_ask(wallet: Wallet, _: Kept) -> str:
    open_before = await wallet.owned.requests()
    assert len(open_before) <= 1
    operation = (await wallet.asked()).operation
    assert [request.operation for request in open_before] in ([], [operation])
    assert link_secret(wallet, operation), "a question has its link"
    await wallet.approve(operation)
    assert (await wallet.done()).outcome == "mined"
    return "asked" if open_before else "nothing"


async def lose_link_and_ask(wallet: Wallet, kept: Kept) -> None:
    (wallet.rig.files.links / f"{kept['operation']}.url").unlink()
    await wallet.asked()


async def after_renewal(wallet: Wallet, kept: Kept) -> str:
    secret = link_secret(wallet, kept["operation"])
    assert await wallet.owned.is_paired(await wallet.owned.pair_by_link(kept["operation"], secret))
    with pytest.raises(FactorRejected):
        await wallet.owned.pair_by_link(kept["operation"], secret)
    return "asked"


async def answer(wallet: Wallet, _: Kept) -> None:
    (request,) = await wallet.owned.requests()
    await wallet.approve(request.operation)


async def after_answer(wallet: Wallet, kept: Kept) -> str:
    """The code of the answer, which a kill may have left unused, approves one operation in all."""
    code = wallet.rig.made.authenticator.display()
    stage = (await wallet.row(kept["operation"])).state
    if stage == "frozen":
        await wallet.approve(kept["operation"], code=code)
    with pytest.raises(GuardError):
        await wallet.approve(kept["operation"], code=code)
    assert (await wallet.done()).outcome == "mined"
    second = await wallet.asked("0.2")
    with pytest.raises(FactorRejected):
        await wallet.approve(second.operation, code=code)
    assert (await journalled(wallet))[Kind.APPROVED] == 1
    return stage


async def decline(wallet: Wallet, kept: Kept) -> None:
    await wallet.owned.decline(kept["operation"], channel=Channel.TERMINAL)


async def after_decline(wallet: Wallet, kept: Kept) -> str:
    stage = (await wallet.row(kept["operation"])).state
    if stage == "frozen":
        await decline(wallet, kept)
    assert await wallet.refused() == "declined"
    await closed(wallet, kept["operation"])
    return stage


async def queued(wallet: Wallet) -> Kept:
    kept = await asked(wallet)
    answer = await wallet.pay("0.2")
    assert isinstance(answer, Pending)
    assert answer.queued
    await decline(wallet, kept)
    return {"operation": answer.operation}


async def pays_second(wallet: Wallet, _: Kept) -> None:
    await wallet.pay("0.2")


async def after_queueing(wallet: Wallet, kept: Kept) -> str:
    stage = "queued" if (await journalled(wallet))[Kind.PROPOSED] else "nothing"
    await decline(wallet, kept)
    await wallet.paid("0.2")
    return stage


async def after_queue(wallet: Wallet, kept: Kept) -> str:
    stage = (await wallet.row(kept["operation"])).state
    assert (await wallet.asked("0.2")).operation == kept["operation"]
    await wallet.paid("0.2")
    return stage


# --- ways out -----------------------------------------------------------------------------------------------------


async def after_refusal(wallet: Wallet, kept: Kept) -> str:
    """Over balance, or superseded by a nonce: an approval that was not closed yet is good, or closed now."""
    row = await wallet.row(kept["operation"])
    if row.state == "approved" and wallet.rig.chain.nonce(wallet.rig.made.address):
        assert await wallet.refused() == "superseded"
    elif row.state == "approved":
        assert (await wallet.done()).outcome == "mined"
    await closed(wallet, kept["operation"])
    return row.state


async def approved_then_edited(wallet: Wallet) -> Kept:
    kept = await approved(wallet)
    await edited(wallet)
    await apply(wallet)
    return kept


async def after_policy_change(wallet: Wallet, kept: Kept) -> str:
    stage = (await wallet.row(kept["operation"])).state
    if stage == "approved":
        assert await wallet.refused() == "policy.changed"
    await closed(wallet, kept["operation"])
    await wallet.paid()
    return stage


async def asked_then_edited(wallet: Wallet) -> Kept:
    kept = await asked(wallet)
    await edited(wallet)
    await apply(wallet)
    return kept


async def after_outdated(wallet: Wallet, kept: Kept) -> str:
    row = await wallet.row(kept["operation"])
    waiting = [request.operation for request in await wallet.owned.requests()]
    if row.state == "frozen":
        assert waiting == [row.id]
        await wallet.approve(row.id)
        assert await wallet.refused() == "policy.changed"
    await closed(wallet, row.id)
    await wallet.paid()
    return row.state if row.state == "frozen" or not waiting else "asked anew"


async def overdue(wallet: Wallet) -> Kept:
    first = await asked(wallet)
    await decline(wallet, first)
    await wallet.owned.pair_by_code(wallet.code())
    wallet.rig.clock.advance(12 * 3600 - 300)
    return {"retired": first["operation"], **await asked(wallet)}


async def sweep(wallet: Wallet, _: Kept) -> None:
    wallet.rig.clock.advance(3600)
    await wallet.owned.sweep()


async def after_sweep(wallet: Wallet, kept: Kept) -> str:
    """The restart sweeps as well: each thing ended once, whoever did it."""
    kinds = await journalled(wallet)
    assert (kinds[Kind.EXPIRED], kinds[Kind.RETIRED]) == (1, 2)
    await closed(wallet, kept["operation"])
    assert list(wallet.rig.files.links.iterdir()) == []
    return "swept"


async def execute_late(wallet: Wallet, kept: Kept) -> None:
    wallet.rig.clock.advance(120)
    with pytest.raises(GuardError):
        await wallet.owned.guard.executor.execute(await wallet.row(kept["operation"]), principal="local")


async def after_expiry(wallet: Wallet, kept: Kept) -> str:
    await closed(wallet, kept["operation"])
    return (await wallet.row(kept["operation"])).state


async def approved_then_overtaken(wallet: Wallet) -> Kept:
    kept = await approved(wallet)
    overtake(wallet)
    return kept


def overtake(wallet: Wallet) -> None:
    """The account's nonce is used by a transaction of its owner's that the guard knows nothing about."""
    rig = wallet.rig
    EthAccount.enable_unaudited_hdwallet_features()
    key = EthAccount.from_mnemonic(" ".join(rig.made.new.words))
    fields = {
        "chainId": rig.chain.chain_id.number, "nonce": 0, "to": "0x" + "77" * 20, "value": 1, "gas": 21_000,
        "maxFeePerGas": 10**11, "maxPriorityFeePerGas": 10**9,
    }  # fmt: skip
    rig.chain._evm.submit(bytes(key.sign_transaction(fields).raw_transaction))


def no_balance(chain: SimulatedChain) -> None:
    chain.lie("eth_getBalance", "0x0")


QUESTIONS: dict[str, Flow] = {
    "ask": Flow(stages=("nothing", "asked"), act=pays, after=after_ask),
    "make a lost link anew": Flow(stages=("asked",), prepare=asked, act=lose_link_and_ask, after=after_renewal),
    "approve": Flow(stages=("frozen", "approved"), prepare=asked, act=answer, after=after_answer, seconds=30),
    "decline": Flow(stages=("frozen", "refused"), prepare=asked, act=decline, after=after_decline),
    "queue": Flow(stages=("nothing", "queued"), prepare=asked, act=pays_second, after=after_queueing),
    "freeze what was queued": Flow(stages=("proposed", "frozen"), prepare=queued, act=pays_second, after=after_queue),
    "close an outdated question": Flow(
        stages=("frozen", "refused", "asked anew"), prepare=asked_then_edited, act=pays, after=after_outdated
    ),
    "expire, retire, end a pairing": Flow(
        stages=("swept",), prepare=overdue, act=sweep, after=after_sweep, seconds=3600
    ),
    "expire at the consume": Flow(
        stages=("expired",), prepare=approved, act=execute_late, after=after_expiry, seconds=120
    ),
    "supersede": Flow(
        stages=("approved", "superseded"), prepare=approved_then_overtaken, act=pays, after=after_refusal
    ),
    "refuse what the balance does not cover": Flow(
        stages=("approved", "refused"), prepare=approved, arrange=no_balance, act=pays, after=after_refusal
    ),
    "refuse under a changed policy": Flow(
        stages=("approved", "refused"), prepare=approved_then_edited, act=pays, after=after_policy_change
    ),
}
