"""Flows of codes, browsers, settings and the store itself, for the sweep of kills.

See `kill_flows`.
"""

from __future__ import annotations

import pytest

from mcp_wallet_guard import setup
from mcp_wallet_guard.errors import FactorRejected, GuardError, LockedOut, Refused
from mcp_wallet_guard.exchange import ReadRecord
from mcp_wallet_guard.journal.events import Kind
from mcp_wallet_guard.testing.wallet import passphrase
from tests.guard.kill_flows import Flow, Kept, apply, asked, edited, factor, journalled, link_secret
from tests.guard.rig import Rig, Wallet

FAILURES = 5


def wrong(wallet: Wallet) -> str:
    """A code that neither this step nor the one before has."""
    before = wallet.rig.made.authenticator.display()
    right = wallet.code()
    return next(f"{number:06}" for number in range(3) if f"{number:06}" not in {before, right})


def verdicts(rig: Rig) -> int:
    """How often the child was told that a code is wrong."""
    path = rig.directory.parent / "verdicts"
    return len(path.read_text("ascii")) if path.exists() else 0


def told(wallet: Wallet) -> None:
    with (wallet.rig.directory.parent / "verdicts").open("a", encoding="ascii") as file:
        file.write("n")


# --- pairing ------------------------------------------------------------------------------------------------------


async def asked_with_link(wallet: Wallet) -> Kept:
    kept = await asked(wallet)
    return {**kept, "secret": link_secret(wallet, kept["operation"])}


async def pair_by_link(wallet: Wallet, kept: Kept) -> None:
    await wallet.owned.pair_by_link(kept["operation"], link_secret(wallet, kept["operation"]))


async def after_link(wallet: Wallet, kept: Kept) -> str:
    """Each unlock makes new links, but not of one that was used: it lets nobody in again."""
    operation, path = kept["operation"], wallet.rig.files.links / f"{kept['operation']}.url"
    paired = (await journalled(wallet))[Kind.PAIRED]
    with pytest.raises(FactorRejected):
        await wallet.owned.pair_by_link(operation, kept["secret"])
    if not paired:
        assert await wallet.owned.is_paired(await wallet.owned.pair_by_link(operation, link_secret(wallet, operation)))
    elif path.exists():
        with pytest.raises(FactorRejected):
            await wallet.owned.pair_by_link(operation, link_secret(wallet, operation))
    assert (await journalled(wallet))[Kind.PAIRED] == 1
    return "paired" if paired else "unpaired"


async def pair_by_code(wallet: Wallet, _: Kept) -> None:
    await wallet.owned.pair_by_code(wallet.code())


async def after_pairing_by_code(wallet: Wallet, _: Kept) -> str:
    code = wallet.rig.made.authenticator.display()
    paired = (await journalled(wallet))[Kind.PAIRED]
    if not paired:
        assert await wallet.owned.is_paired(await wallet.owned.pair_by_code(code))
    with pytest.raises(FactorRejected):
        await wallet.owned.pair_by_code(code)
    operation = (await asked(wallet))["operation"]
    with pytest.raises(FactorRejected):
        await wallet.approve(operation, code=code)
    kinds = await journalled(wallet)
    assert kinds[Kind.PAIRED] == kinds[Kind.FACTOR_USED] == 1
    return "paired" if paired else "unpaired"


# --- wrong codes --------------------------------------------------------------------------------------------------


async def answer_wrongly(wallet: Wallet, kept: Kept) -> None:
    with pytest.raises(FactorRejected):
        await wallet.approve(kept["operation"], code=wrong(wallet))
    told(wallet)


async def pair_wrongly(wallet: Wallet, _: Kept) -> None:
    with pytest.raises(FactorRejected):
        await wallet.owned.pair_by_code(wrong(wallet))
    told(wallet)


async def after_wrong_answer(wallet: Wallet, kept: Kept) -> str:
    row = await factor(wallet)
    assert 1 >= row.failures >= verdicts(wallet.rig), "an attempt whose verdict was given is counted"
    await wallet.approve(kept["operation"])
    assert (await factor(wallet)).failures == 0
    assert (await wallet.done()).outcome == "mined"
    return "counted" if row.failures else "not counted"


async def after_wrong_pairing(wallet: Wallet, _: Kept) -> str:
    row = await factor(wallet)
    assert 1 >= row.unpaired_failures >= verdicts(wallet.rig), "an attempt whose verdict was given is counted"
    assert row.failures == 0
    await wallet.owned.pair_by_code(wallet.code())
    return "counted" if row.unpaired_failures else "not counted"


async def nearly_locked_out(wallet: Wallet) -> Kept:
    kept = await asked(wallet)
    for _ in range(FAILURES - 1):
        with pytest.raises(FactorRejected):
            await wallet.approve(kept["operation"], code=wrong(wallet))
    return kept


async def locked_out(wallet: Wallet) -> Kept:
    kept = await nearly_locked_out(wallet)
    await answer_wrongly(wallet, kept)
    return kept


async def after_last_try(wallet: Wallet, kept: Kept) -> str:
    row = await factor(wallet)
    assert bool(row.locked) >= bool(verdicts(wallet.rig))
    if row.locked:
        with pytest.raises(LockedOut):
            await wallet.approve(kept["operation"])
        await wallet.owned.unlock_factor(passphrase(), code=wallet.code())
    await wallet.approve(kept["operation"])
    assert (await wallet.done()).outcome == "mined"
    return "locked out" if row.locked else "open"


async def unlock_factor(wallet: Wallet, _: Kept) -> None:
    await wallet.owned.unlock_factor(passphrase(), code=wallet.code())


async def after_factor_unlock(wallet: Wallet, kept: Kept) -> str:
    code = wallet.rig.made.authenticator.display()
    locked = (await factor(wallet)).locked
    if locked:
        await wallet.owned.unlock_factor(passphrase(), code=code)
    with pytest.raises(FactorRejected):
        await wallet.approve(kept["operation"], code=code)
    await wallet.approve(kept["operation"])
    assert (await wallet.done()).outcome == "mined"
    return "locked out" if locked else "open"


# --- settings -----------------------------------------------------------------------------------------------------


async def asked_and_edited(wallet: Wallet) -> Kept:
    kept = await asked(wallet)
    await edited(wallet)
    return kept


async def applies(wallet: Wallet, _: Kept) -> None:
    await apply(wallet)


async def after_apply(wallet: Wallet, kept: Kept) -> str:
    """The old settings or the new ones, whole; the code that was used for them approves nothing."""
    code = wallet.rig.made.authenticator.display()
    used = (await journalled(wallet))[Kind.FACTOR_USED]
    revision = (await wallet.owned.control_status()).policy_revision
    assert revision in {1, 2}
    assert (await journalled(wallet))[Kind.POLICY_APPLIED] == revision, "what is in force is journalled, once"
    if not used:
        await apply(wallet, code)
    with pytest.raises(FactorRejected):
        await apply(wallet, code)
    if revision == 1 and used:
        await apply(wallet)
    status = await wallet.owned.control_status()
    assert (status.policy_revision, status.settings_differ) == (2, ())
    assert (await wallet.asked()).operation != kept["operation"]
    with pytest.raises(GuardError):
        await wallet.approve(kept["operation"])
    await wallet.paid()
    return "applied" if revision == 2 else "code used" if used else "as it was"


# --- the store ----------------------------------------------------------------------------------------------------


async def lives(rig: Rig, _: Kept) -> None:
    """Start, unlock, journal a read, lock."""
    async with setup.unlocked(rig.made.loaded, passphrase(), clock=rig.clock) as owned:
        await owned.record_read(ReadRecord(tool="balance", principal="local", outcome="released"))
        await owned.tick()


async def first_unlock(rig: Rig, _: Kept) -> None:
    await setup.put_in_force(rig.made.loaded, passphrase(), clock=rig.clock)


async def first_unlock_again(rig: Rig, _: Kept) -> str:
    """As an owner would: the same command again, until it says that it is done."""
    try:
        await setup.put_in_force(rig.made.loaded, passphrase(), clock=rig.clock)
    except Refused as error:
        if error.code == "policy.sealed":
            return "sealed"
        if error.code != "blocked.store":
            raise
        # Its factor is bound and nothing is anchored: a code proves the owner, as for any store of which that is so.
        await acknowledge(rig)
        await setup.put_in_force(rig.made.loaded, passphrase(), clock=rig.clock)
        return "bound, not anchored"
    return "new"


async def acknowledge(rig: Rig) -> None:
    rig.clock.advance(30)
    code = rig.made.authenticator.code()
    await setup.acknowledge_store(rig.made.loaded, passphrase(), code=code, clock=rig.clock)


async def accepts(wallet: Wallet, _: Kept) -> None:
    """What `setup.acknowledge_store` does once it has started and unlocked."""
    await wallet.owned.desk.prove_code(wallet.code())
    await setup.bind_factors(wallet.owned)


async def acknowledge_again(rig: Rig, _: Kept) -> str:
    """Blocked until the anchor is there: the owner says it again, with another code."""
    code = rig.made.authenticator.display()
    async with rig.opened() as wallet:
        blocked = (await wallet.owned.control_status()).blocked
        if blocked is not None:
            assert await wallet.refused() == blocked == "blocked.store"
    if blocked is not None:
        await acknowledge(rig)
        return "blocked"
    async with rig.opened() as wallet:
        operation = (await asked(wallet))["operation"]
        with pytest.raises(FactorRejected):
            await wallet.approve(operation, code=code)
    return "acknowledged"


async def without_anchor(wallet: Wallet) -> Kept:
    kept = await asked(wallet)
    await wallet.owned.lock()
    wallet.rig.files.anchor.unlink()
    return kept


async def without_store(wallet: Wallet) -> Kept:
    await wallet.owned.custody.aclose()
    for path in wallet.rig.directory.glob("state.db*"):
        path.unlink()
    return {}


DOORS: dict[str, Flow] = {
    "pair by link": Flow(
        stages=("unpaired", "paired"), prepare=asked_with_link, act=pair_by_link, after=after_link
    ),
    "pair by code": Flow(
        stages=("unpaired", "paired"), act=pair_by_code, after=after_pairing_by_code, seconds=30
    ),
    "a wrong code": Flow(
        stages=("not counted", "counted"), prepare=asked, act=answer_wrongly, after=after_wrong_answer
    ),
    "a wrong code of an unpaired browser": Flow(
        stages=("not counted", "counted"), act=pair_wrongly, after=after_wrong_pairing
    ),
    "lock out": Flow(
        stages=("open", "locked out"), prepare=nearly_locked_out, act=answer_wrongly, after=after_last_try
    ),
    "unlock the factor": Flow(
        stages=("locked out", "open"), prepare=locked_out, act=unlock_factor, after=after_factor_unlock, seconds=30
    ),
    "apply settings": Flow(
        stages=("as it was", "code used", "applied"), prepare=asked_and_edited, act=applies, after=after_apply,
        seconds=30,
    ),
    "start, unlock, read, lock": Flow(stages=("",), alone=lives),
    "first unlock": Flow(
        stages=("new", "bound, not anchored", "new", "sealed"), alone=first_unlock, again=first_unlock_again,
        sealed=False,
    ),
    "acknowledge a store without its anchor": Flow(
        stages=("blocked", "acknowledged"), prepare=without_anchor, act=accepts, again=acknowledge_again,
        seconds=30,
    ),
    "acknowledge a new store": Flow(
        stages=("blocked", "acknowledged"), prepare=without_store, act=accepts, again=acknowledge_again,
        seconds=30,
    ),
}  # fmt: skip
