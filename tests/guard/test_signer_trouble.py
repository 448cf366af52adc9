"""A signer that raises, lies, or signs something else: nothing is sent, and what is held or freed is as documented.

Threat: T-092, T-093.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mcp_wallet_guard.bookkeeping import account_row
from mcp_wallet_guard.exchange import Done
from mcp_wallet_guard.operations.evm import SECP256K1_N
from mcp_wallet_guard.proofs import Signable
from mcp_wallet_guard.reservations import reserved
from mcp_wallet_guard.signers.base import Signer
from tests.guard.rig import Rig, Wallet
from tests.invariants import check_guard

pytestmark = pytest.mark.anyio
Answers = Callable[[Signable, Signer], Awaitable[Any]]


async def raises(_: Signable, __: Signer) -> bytes:
    raise RuntimeError("unplugged")


async def high_s(signable: Signable, signer: Signer) -> bytes:
    signature = await signer.sign(signable)
    s = SECP256K1_N - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes([signature[64] ^ 1])


async def wrong_parity(signable: Signable, signer: Signer) -> bytes:
    signature = await signer.sign(signable)
    return signature[:64] + bytes([signature[64] ^ 1])


def answers(value: object) -> Answers:
    async def misbehave(_: Signable, __: Signer) -> object:
        return value

    return misbehave


GARBAGE: dict[str, Answers] = {
    "high s": high_s,
    "wrong parity": wrong_parity,
    "zeros": answers(bytes(65)),
    "ones": answers(b"\x01" * 65),
    "short": answers(b"\x01" * 64),
    "long": answers(b"\x01" * 66),
    "nothing": answers(b""),
    "none": answers(None),
    "text": answers("0x" + "01" * 65),
}


async def nonce_and_reserved(wallet: Wallet) -> tuple[str | None, int]:
    settings = wallet.owned.custody.session().settings
    return await wallet.owned.custody.transact(
        lambda tx: (
            account_row(tx, settings.account.id).holder,
            reserved(tx, settings, settings.account.address).native,
        )
    )


@pytest.mark.parametrize("misbehave", GARBAGE.values(), ids=GARBAGE)
async def test_a_signature_that_does_not_verify_is_not_sent_and_holds_nonce_and_budget(
    rig: Rig, misbehave: Answers
) -> None:
    async with rig.opened(misbehave=misbehave) as wallet:
        operation = await wallet.approved()
        done = await wallet.done()
        assert (done.outcome, done.receipt) == ("signed_but_invalid", None)
        assert rig.sent() == set()
        holder, held = await nonce_and_reserved(wallet)
        assert holder == operation
        assert held > 0
        assert await wallet.refused("0.2") == "blocked.unknown"
        assert (await wallet.done()).repeated
    async with rig.opened() as wallet:
        assert (await wallet.done()).outcome == "signed_but_invalid", "a restart does not forget it"
        rig.chain.lie("eth_getTransactionCount", "0x1")
        settled = await wallet.owned.outcome(operation, principal="local")
        assert isinstance(settled, Done)
        assert settled.outcome == "replaced"
        assert await nonce_and_reserved(wallet) == (None, 0), "once the chain has gone past it, the account is free"
        assert not (await wallet.asked("0.2")).queued
        await check_guard(rig, wallet.owned)


async def test_a_signer_that_raises_burns_the_approval_and_frees_nonce_and_budget(rig: Rig) -> None:
    async with rig.opened(misbehave=raises) as wallet:
        operation = await wallet.approved()
        done = await wallet.done()
        assert (done.outcome, done.operation) == ("burned", operation)
        assert "Nothing was paid" in done.message
        assert await nonce_and_reserved(wallet) == (None, 0)
        fresh = await wallet.asked()
        assert fresh.operation != operation
        assert (await check_guard(rig, wallet.owned)).sent == 0
    async with rig.opened() as wallet:
        await wallet.approve(fresh.operation)
        assert (await wallet.done()).outcome == "mined"


async def test_a_signer_that_signs_another_operation_is_found_out(rig: Rig) -> None:
    """Threat: T-092: the signature of the last payment, offered for this one."""
    kept: list[bytes] = []

    async def keeps(signable: Signable, signer: Signer) -> bytes:
        kept.append(await signer.sign(signable))
        return kept[0]

    async with rig.opened(misbehave=keeps) as wallet:
        await wallet.paid()
        await wallet.approved("0.2")
        assert (await wallet.done("0.2")).outcome == "signed_but_invalid"
        assert len(rig.sent()) == 1


async def test_without_the_check_a_malleable_signature_would_be_sent(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The attack, with the guard taken out: the node alone does not refuse every such signature for us."""
    from mcp_wallet_guard.signers import check

    monkeypatch.setattr(check, "HALF_ORDER", SECP256K1_N)
    async with rig.opened(misbehave=high_s) as wallet:
        await wallet.approved()
        assert (await wallet.done()).outcome != "signed_but_invalid"
        assert len(rig.sent()) == 1
