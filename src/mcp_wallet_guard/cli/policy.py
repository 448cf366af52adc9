"""``policy apply``: guard.toml comes into force. Threat: T-086, T-099."""

from __future__ import annotations

from mcp_wallet_guard import mandates, setup
from mcp_wallet_guard.cli import telling
from mcp_wallet_guard.cli.invocation import Invocation, run_async
from mcp_wallet_guard.cli.output import Report, note
from mcp_wallet_guard.cli.running import status_report
from mcp_wallet_guard.config.difference import difference
from mcp_wallet_guard.config.file import LoadedSettings
from mcp_wallet_guard.config.settings import Settings, canonical, from_canonical
from mcp_wallet_guard.errors import Locked
from mcp_wallet_guard.keys.vault import read_public
from mcp_wallet_guard.policy.mandates import Mandate


def apply(invocation: Invocation, /) -> Report:
    """Show the difference and every mandate that the code would approve, ask for the code, and seal. The very first
    time it takes the passphrase too, and a program may leave the code out: mandates wait then.

    The difference is read from the vault file without its key; the guard checks the file itself. Raises
    Locked("not_running", "locked"), FactorRejected, Misconfigured("misconfigured.settings"), VaultError.
    """
    loaded = invocation.load()
    sealed = read_public(loaded.vault_path).settings
    if sealed is None:
        return _put_in_force(invocation, loaded)
    changes = difference(from_canonical(sealed.canonical), loaded.settings)
    if not changes and not mandates.of(loaded.settings):
        return _unchanged(sealed.revision)
    status = invocation.control(lambda client: client.control_status())
    if status.locked:
        raise Locked
    good = {mandate.id for mandate in status.mandates if mandate.expires_at is not None}
    waiting = tuple(mandate for mandate in mandates.of(loaded.settings) if mandate.id not in good)
    if not changes and not waiting:
        return _unchanged(sealed.revision)
    _show(changes, waiting, loaded.settings)
    code = invocation.code()
    text = canonical(loaded.settings)
    status = invocation.control(lambda client: client.apply_policy(text, code=code))
    report = status_report(status)
    return Report(
        fields={"changes": list(changes), **report.fields},
        lines=(f"In force now, as revision {status.policy_revision}.", *report.lines),
    )


def _unchanged(revision: int) -> Report:
    return Report(
        fields={"changes": [], "policy_revision": revision},
        lines=("guard.toml is what is in force. Nothing was changed.",),
    )


def _show(changes: tuple[str, ...], waiting: tuple[Mandate, ...], settings: Settings) -> None:
    if changes:
        note("This would change:")
        for change in changes:
            note(f"   {change}")
    if waiting:
        note("This would be paid without a question from then on:")
        for mandate in waiting:
            for line in telling.bounds(mandate, settings):
                note(f"   {line}")


def _put_in_force(invocation: Invocation, loaded: LoadedSettings) -> Report:
    is_a_program = invocation.options.passphrase_fd is not None and invocation.options.code_fd is None
    with invocation.passphrase() as passphrase:
        if not is_a_program:
            _show((), mandates.of(loaded.settings), loaded.settings)
        code = None if is_a_program else invocation.code()
        run_async(lambda: setup.put_in_force(loaded, passphrase, clock=invocation.clock, code=code))
    return Report(
        fields={"changes": [], "policy_revision": 1},
        lines=("guard.toml is in force, for the first time.",),
    )
