"""``store acknowledge``: the owner accepts records that are not the ones the vault knows. Threat: T-070, T-079."""

from __future__ import annotations

from mcp_wallet_guard import setup
from mcp_wallet_guard.cli.invocation import Invocation, run_async
from mcp_wallet_guard.cli.output import Report
from mcp_wallet_guard.keys.vault import read_public


def acknowledge(invocation: Invocation, /) -> Report:
    """Passphrase and a fresh code; no code of a time up to now counts afterwards.

    Raises Misconfigured("misconfigured.already_running") beside a guard, VaultError, FactorRejected.
    """
    loaded = invocation.load()
    read_public(loaded.vault_path)
    with invocation.passphrase() as passphrase:
        code = invocation.code()
        run_async(lambda: setup.acknowledge_store(loaded, passphrase, code=code, clock=invocation.clock))
    return Report(
        fields={"acknowledged": True},
        lines=("The records are accepted as they are. No code of a time before now counts any more.",),
    )
