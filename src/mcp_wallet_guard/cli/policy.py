"""``policy apply``: guard.toml comes into force. Threat: T-086, T-099."""

from __future__ import annotations

from mcp_wallet_guard import setup
from mcp_wallet_guard.cli.invocation import Invocation, run_async
from mcp_wallet_guard.cli.output import Report, note
from mcp_wallet_guard.cli.running import status_report
from mcp_wallet_guard.config.file import LoadedSettings
from mcp_wallet_guard.config.settings import canonical, difference, from_canonical
from mcp_wallet_guard.errors import Locked
from mcp_wallet_guard.keys.vault import read_public


def apply(invocation: Invocation, /) -> Report:
    """Show the difference, ask for a code, and seal. The very first time it takes the passphrase, and no code.

    The difference is read from the vault file without its key; the guard checks the file itself. Raises
    Locked("not_running", "locked"), FactorRejected, Misconfigured("misconfigured.settings"), VaultError.
    """
    loaded = invocation.load()
    sealed = read_public(loaded.vault_path).settings
    if sealed is None:
        return _put_in_force(invocation, loaded)
    changes = difference(from_canonical(sealed.canonical), loaded.settings)
    if not changes:
        return Report(
            fields={"changes": [], "policy_revision": sealed.revision},
            lines=("guard.toml is what is in force. Nothing was changed.",),
        )
    if invocation.control(lambda client: client.control_status()).locked:
        raise Locked
    note("This would change:")
    for change in changes:
        note(f"   {change}")
    code = invocation.code()
    text = canonical(loaded.settings)
    status = invocation.control(lambda client: client.apply_policy(text, code=code))
    report = status_report(status)
    return Report(
        fields={"changes": list(changes), **report.fields},
        lines=(f"In force now, as revision {status.policy_revision}.", *report.lines),
    )


def _put_in_force(invocation: Invocation, loaded: LoadedSettings) -> Report:
    with invocation.passphrase() as passphrase:
        run_async(lambda: setup.put_in_force(loaded, passphrase, clock=invocation.clock))
    return Report(
        fields={"changes": [], "policy_revision": 1},
        lines=("guard.toml is in force, for the first time.",),
    )
