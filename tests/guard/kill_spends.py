"""Flows from the consume on, for the sweep of kills: burned, lost, unknown, sent again, settled, replaced.

See `kill_flows`.
"""

from __future__ import annotations

from mcp_wallet_guard.exchange import Done, Pending
from mcp_wallet_guard.execution import RESEND_SECONDS
from mcp_wallet_guard.proofs import Signable
from mcp_wallet_guard.signers.base import Signer
from mcp_wallet_guard.testing.chain import SimulatedChain
from tests.guard.kill_flows import Flow, Kept, approved, mined, outcome, overtake, pays
from tests.guard.rig import Wallet
from tests.processes import die


async def unplugged(_: Signable, __: Signer) -> bytes:
    raise RuntimeError("unplugged")


async def wrong_parity(signable: Signable, signer: Signer) -> bytes:
    signature = await signer.sign(signable)
    return signature[:64] + bytes([signature[64] ^ 1])


def busy(chain: SimulatedChain) -> None:
    chain.fail("eth_sendRawTransaction", message="busy")


async def dies_at_the_signer(wallet: Wallet) -> None:
    async def sign(*_: object) -> bytes:
        die()

    signer = wallet.owned.custody.session().signer
    signer.sign = sign  # type: ignore[method-assign]
    await wallet.pay()


async def dies_at_the_broadcast(wallet: Wallet) -> None:
    async def dies(*_: object) -> None:
        die()

    wallet.owned.guard.executor._send = dies  # type: ignore[assignment, method-assign]
    await wallet.pay()


async def unknown(wallet: Wallet) -> Kept:
    kept = await approved(wallet)
    busy(wallet.rig.chain)
    assert (await wallet.done()).outcome == "unknown"
    wallet.rig.chain.honest()
    return kept


async def unknown_then_overtaken(wallet: Wallet) -> Kept:
    kept = await unknown(wallet)
    overtake(wallet)
    return kept


async def sent(wallet: Wallet) -> Kept:
    """The chain has mined it; only the guard does not know yet."""
    kept = await approved(wallet)
    wallet.rig.chain.lie("eth_getTransactionReceipt", None)
    wallet.rig.chain.lie("eth_getTransactionCount", "0x0")
    assert (await wallet.done()).outcome == "sent"
    wallet.rig.chain.honest()
    return kept


async def stage_of(wallet: Wallet, operation: str) -> str:
    row = await wallet.row(operation)
    return row.outcome or row.state


async def after_spend(wallet: Wallet, kept: Kept) -> str:
    """What was signed is paid with the same bytes; what was burned is asked for again; never both."""
    operation = kept["operation"]
    row = await wallet.row(operation)
    stage = await stage_of(wallet, operation)
    if stage == "approved":
        assert (await wallet.done()).operation == operation
    elif stage == "burned":
        told = await wallet.owned.status(operation, principal="local")
        assert isinstance(told, Done)
        fresh = await wallet.pay()
        assert isinstance(fresh, Pending)
        assert fresh.operation != operation
        await wallet.approve(fresh.operation)
        operation = (await wallet.done()).operation
    elif stage in {"signed", "unknown"}:
        # The account is blocked until this is settled, and the first call that meets it settles it.
        assert (await wallet.done()).operation == operation
    await mined(wallet, operation)
    again = await wallet.row(kept["operation"])
    assert (again.signed_bytes, again.digest) == (row.signed_bytes or again.signed_bytes, row.digest)
    return stage


async def after_invalid(wallet: Wallet, kept: Kept) -> str:
    stage = await stage_of(wallet, kept["operation"])
    if stage != "signed_but_invalid":
        return await after_spend(wallet, kept)
    assert await wallet.refused("0.2") == "blocked.unknown"
    assert (await wallet.done()).outcome == stage, "a restart does not forget it"
    assert wallet.rig.sent() == set()
    wallet.rig.chain.lie("eth_getTransactionCount", "0x1")
    settled = await wallet.owned.outcome(kept["operation"], principal="local")
    assert isinstance(settled, Done)
    assert settled.outcome == "replaced"
    wallet.rig.chain.honest()
    return stage


async def outcome_later(wallet: Wallet, kept: Kept) -> None:
    wallet.rig.clock.advance(RESEND_SECONDS)
    await outcome(wallet, kept)


async def after_replaced(wallet: Wallet, kept: Kept) -> str:
    stage = await stage_of(wallet, kept["operation"])
    settled = await wallet.owned.outcome(kept["operation"], principal="local")
    assert isinstance(settled, Done)
    assert settled.outcome == "replaced"
    assert (await wallet.row(kept["operation"])).signed_bytes is not None
    return stage


async def after_burn(wallet: Wallet, kept: Kept) -> str:
    assert await stage_of(wallet, kept["operation"]) == "burned"
    return await after_spend(wallet, kept)


SPENDS: dict[str, Flow] = {
    "burn when the signer raises": Flow(
        stages=("approved", "burned"), prepare=approved, act=pays, misbehave=unplugged, after=after_spend
    ),
    "burn at an unlock": Flow(
        stages=("burned",), prepare=approved, dies=dies_at_the_signer, from_unlock=True, after=after_burn
    ),
    "lose an invalid signature": Flow(
        stages=("approved", "burned", "signed_but_invalid"),
        prepare=approved, act=pays, misbehave=wrong_parity, after=after_invalid,
    ),
    "a broadcast that nobody answers": Flow(
        stages=("approved", "burned", "signed", "unknown"),
        prepare=approved, arrange=busy, act=pays, after=after_spend,
    ),
    "send what was signed before a crash": Flow(
        stages=("signed", "sent", "mined"), prepare=approved, dies=dies_at_the_broadcast, act=outcome,
        after=after_spend,
    ),
    "send an unknown one again": Flow(
        stages=("unknown", "sent", "mined"), prepare=unknown, act=outcome, after=after_spend
    ),
    "settle": Flow(stages=("sent", "mined"), prepare=sent, act=outcome, after=after_spend),
    "find one replaced": Flow(
        stages=("unknown", "replaced"), prepare=unknown_then_overtaken, act=outcome_later, after=after_replaced,
        seconds=RESEND_SECONDS,
    ),
}  # fmt: skip
