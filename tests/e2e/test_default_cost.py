"""Once with the cost that ships: a vault whose slot takes scrypt with N=2^18."""

from __future__ import annotations

from pathlib import Path

import anyio.to_thread
import pytest

from mcp_wallet_guard.keys.kdf import DEFAULT
from mcp_wallet_guard.testing.chain import SimulatedChain
from tests.e2e.rig import WEI, Daemon, connected, done_once, make_home

pytestmark = pytest.mark.anyio


@pytest.mark.slow
async def test_a_wallet_without_any_waiver_pays(base: Path, chain: SimulatedChain) -> None:
    """T-067: the vault's file names the default cost, and no waiver is in force."""
    home = await anyio.to_thread.run_sync(lambda: make_home(base, chain, cheap=False))
    assert f'"n":{2**18}' in home.loaded.vault_path.read_text("utf-8").replace(" ", "")
    assert DEFAULT.n == 2**18
    daemon = Daemon(home)
    try:
        await anyio.to_thread.run_sync(daemon.start)
        await home.unlock()
        async with home.control() as control:
            assert (await control.control_status()).waivers == ()
        async with connected(home, "2026-07-28") as client:
            payee = home.payee()
            done = await done_once(client, home, payee)
        assert home.sent() == {done["receipt"]["transaction_hash"]}
        assert home.paid(payee) == WEI
    finally:
        daemon.kill()
