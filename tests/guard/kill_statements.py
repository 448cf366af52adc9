"""Flows of statements, for the sweep of kills. See `kill_flows`."""

from __future__ import annotations

from typing import Final

from tests.guard.kill_flows import Flow, Kept
from tests.guard.kill_spends import stage_of
from tests.guard.rig import Wallet, apply, edited
from tests.guard.statements import ask, asked, done, message

HELLO: Final = message("Sign in to the sweep of kills")


async def allowed(wallet: Wallet) -> Kept:
    settings = edited(wallet.rig, 'approvals = "refuse"', 'approvals = "refuse"\nmessages = "ask"')
    await apply(wallet, settings)
    return {}


async def approved(wallet: Wallet) -> Kept:
    await allowed(wallet)
    operation = (await asked(wallet, HELLO)).operation
    await wallet.approve(operation)
    return {"operation": operation}


async def asks(wallet: Wallet, _: Kept) -> None:
    await ask(wallet, HELLO)


async def after_asking(wallet: Wallet, _: Kept) -> str:
    before = await wallet.owned.requests()
    pending = await asked(wallet, HELLO)
    assert [request.operation for request in before] in ([], [pending.operation])
    await wallet.approve(pending.operation)
    assert (await done(wallet, HELLO)).outcome == "signed"
    return "asked" if before else "nothing"


async def after_signing(wallet: Wallet, kept: Kept) -> str:
    """What was stored is given out as it is; what was burned is asked for again; there is one signature."""
    operation = kept["operation"]
    stage = await stage_of(wallet, operation)
    if stage == "burned":
        digest = (await wallet.row(operation)).digest or b""
        assert wallet.rig.signatures() in ([], [digest.hex()])
        again = (await asked(wallet, HELLO)).operation
        assert again != operation
        await wallet.approve(again)
    answers = [await done(wallet, HELLO), await done(wallet, HELLO)]
    assert answers[0].signed is not None
    assert answers[0].signed == answers[1].signed
    assert [answer.repeated for answer in answers] == [stage == "signed", True]
    return stage


STATEMENTS: Final[dict[str, Flow]] = {
    "ask for a message": Flow(stages=("nothing", "asked"), prepare=allowed, act=asks, after=after_asking),
    "sign a message": Flow(stages=("approved", "burned", "signed"), prepare=approved, act=asks, after=after_signing),
}
