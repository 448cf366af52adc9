"""The embedded guard is a port like the daemon's: every call reaches the guard, and its end locks the vault."""

from __future__ import annotations

import anyio
import pytest

from mcp_wallet_guard.embedded import EmbeddedGuard
from mcp_wallet_guard.errors import Misconfigured
from mcp_wallet_guard.evidence import Channel
from mcp_wallet_guard.exchange import Pending, Proposal, ReadRecord
from mcp_wallet_guard.testing.wallet import FUNDS, passphrase
from tests.guard.rig import Rig

pytestmark = pytest.mark.anyio


async def test_every_call_of_the_port_reaches_the_guard(rig: Rig) -> None:
    guard = await EmbeddedGuard.start(rig.made.loaded, clock=rig.clock)
    try:
        assert (await guard.info()).locked
        assert await guard.balance(None) == str(FUNDS)
        assert await guard.history(5) == ()
        assert (await guard.fingerprints()).empty
        await guard.owned.unlock(passphrase())
        assert not (await guard.fingerprints()).empty
        await guard.record_read(ReadRecord(tool="balance", principal="local", outcome="released"))
        intent = {"kind": "transfer", "to": rig.payee.value, "amount": "0.1"}
        proposal = Proposal(principal="local", tool="pay", intent=intent)
        asked = await guard.propose(proposal, wait_seconds=0)
        assert isinstance(asked, Pending)
        assert isinstance(await guard.status(asked.operation, principal="local"), Pending)
        assert (await guard.status(asked.operation, principal="mallory")).status == "refused"
        request = await guard.owned.request(asked.operation)
        rig.clock.advance(30)
        await guard.owned.approve(
            asked.operation,
            view_hash=request.view_hash,
            match_code=request.match_code,
            code=rig.made.authenticator.code(),
            channel=Channel.TERMINAL,
        )
        assert (await guard.propose(proposal, wait_seconds=0)).status == "done"
        assert (await guard.outcome(asked.operation, principal="local")).status == "done"
        await anyio.sleep(1.1)  # the ticker's turn: the read is in the journal
        kinds = [entry.fields["kind"] for entry in await guard.owned.custody.store.journal()]
        assert "tool.read" in kinds
    finally:
        await guard.aclose()
    assert guard.owned.custody.is_locked


async def test_a_second_guard_of_the_vault_does_not_start(rig: Rig) -> None:
    """Threat: T-110."""
    first = await EmbeddedGuard.start(rig.made.loaded, clock=rig.clock)
    with pytest.raises(Misconfigured) as refused:
        await EmbeddedGuard.start(rig.made.loaded, clock=rig.clock)
    await first.aclose()
    assert refused.value.code == "misconfigured.already_running"
    await (await EmbeddedGuard.start(rig.made.loaded, clock=rig.clock)).aclose()
