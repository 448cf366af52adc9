"""Flows of actions and of mandates, for the sweep of kills. See `kill_flows`."""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard.evidence import MandateRow, OperationRow
from mcp_wallet_guard.exchange import Acted, ActionProposal, Done, MayAct, Pending, RefusedAnswer
from mcp_wallet_guard.operations.actions import Action
from tests.guard.kill_flows import Flow, Kept, Made, apply, outcome
from tests.guard.kill_spends import stage_of
from tests.guard.rig import SMALL_MANDATE, Wallet

ACTIONS: Final = '\n[[policy.actions]]\ntool = "order"\ncount = 9\nwindow = "1d"\n'
BODY: Final = Action("order", {"pair": "ETH/USDC"}).body.decode()


async def call(wallet: Wallet) -> MayAct | Acted | Pending | RefusedAnswer:
    return await wallet.owned.act(ActionProposal(principal="local", body=BODY), wait_seconds=0)


async def acts(wallet: Wallet, _: Kept) -> None:
    await call(wallet)


async def asked(wallet: Wallet) -> Kept:
    answer = await call(wallet)
    assert isinstance(answer, Pending)
    return {"operation": answer.operation}


async def approved(wallet: Wallet) -> Kept:
    kept = await asked(wallet)
    await wallet.approve(kept["operation"])
    return kept


async def begun(wallet: Wallet) -> Kept:
    kept = await approved(wallet)
    assert isinstance(await call(wallet), MayAct)
    return kept


async def tells(wallet: Wallet, kept: Kept) -> None:
    await wallet.owned.acted(kept["operation"], principal="local", outcome="carried_out", result='{"id":1}')


async def abandons(wallet: Wallet, _: Kept) -> None:
    wallet.rig.clock.advance(600)
    await wallet.owned.sweep()


async def after_asking(wallet: Wallet, _: Kept) -> str:
    before = await wallet.owned.requests()
    answer = await call(wallet)
    assert isinstance(answer, Pending)
    assert [request.operation for request in before] in ([], [answer.operation])
    await wallet.approve(answer.operation)
    assert isinstance(await call(wallet), MayAct)
    return "asked" if before else "nothing"


async def after_beginning(wallet: Wallet, kept: Kept) -> str:
    """Whoever was told that it may begin was killed with it, or was not told: it begins once in all."""
    state = (await wallet.row(kept["operation"])).state
    answers = [await call(wallet), await call(wallet)]
    first = MayAct if state == "approved" else Acted
    assert [type(answer) for answer in answers] == [first, Acted]
    await tells(wallet, kept)
    last = await call(wallet)
    assert isinstance(last, Acted)
    assert (last.outcome, last.repeated) == ("carried_out", True)
    return state


async def after_telling(wallet: Wallet, kept: Kept) -> str:
    row = await wallet.owned.custody.transact(lambda tx: tx.get(OperationRow, kept["operation"]))
    assert row is not None
    await tells(wallet, kept)
    answer = await call(wallet)
    assert isinstance(answer, Acted)
    assert (answer.outcome, answer.result) == ("carried_out", {"id": 1})
    return row.state


async def after_abandoning(wallet: Wallet, kept: Kept) -> str:
    await wallet.owned.sweep()
    row = await wallet.row(kept["operation"])
    assert (row.state, row.outcome) == ("settled", "unknown")
    late = await wallet.owned.acted(kept["operation"], principal="local", outcome="failed", result=None)
    assert isinstance(late, RefusedAnswer)
    return "over"


async def granted(wallet: Wallet) -> Kept:
    await apply(wallet)
    return {}


async def grants(wallet: Wallet, _: Kept) -> None:
    await apply(wallet)


async def pays_small(wallet: Wallet, _: Kept) -> None:
    await wallet.pay("0.01")


async def after_small(wallet: Wallet, _: Kept) -> str:
    """Wherever it was killed: one equal call later it is paid once, and counted at least once."""
    rows = await wallet.owned.custody.transact(lambda tx: tx.all(OperationRow))
    stage = "nothing" if not rows else await stage_of(wallet, rows[0].id)
    done = await wallet.done("0.01")
    await outcome(wallet, {"operation": done.operation})
    done = await wallet.done("0.01")
    assert done.outcome == "mined"
    assert wallet.rig.paid() == 10**16
    (mandate,) = (await wallet.owned.control_status()).mandates
    assert mandate.budget.payments in {1, 2}
    return stage


async def after_granting(wallet: Wallet, _: Kept) -> str:
    rows = await wallet.owned.custody.transact(lambda tx: tx.all(MandateRow))
    answer = await wallet.pay("0.01")
    assert isinstance(answer, Done if rows else Pending), answer
    if isinstance(answer, Pending):
        await wallet.approve(answer.operation)
        await wallet.done("0.01")
    return "good" if rows else "waits"


ORDERS: Final = Made(more=ACTIONS)
SMALL: Final = Made(more=SMALL_MANDATE, knows_payee=True)

ACTS: dict[str, Flow] = {
    "ask for an action": Flow(made=ORDERS, stages=("nothing", "asked"), act=acts, after=after_asking),
    "begin an action": Flow(
        made=ORDERS, stages=("approved", "consumed"), prepare=approved, act=acts, after=after_beginning
    ),
    "tell how an action ended": Flow(
        made=ORDERS, stages=("consumed", "settled"), prepare=begun, act=tells, after=after_telling
    ),
    "give an action up": Flow(
        made=ORDERS, stages=("over",), prepare=begun, act=abandons, after=after_abandoning, seconds=660
    ),
    "approve a mandate": Flow(made=SMALL, stages=("waits", "good"), act=grants, after=after_granting),
    "pay under a mandate": Flow(
        made=SMALL, stages=("nothing", "approved", "burned", "signed", "sent", "mined"), prepare=granted,
        act=pays_small, after=after_small,
    ),
}  # fmt: skip
