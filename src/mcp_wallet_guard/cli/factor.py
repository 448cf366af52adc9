"""``factor enrol`` and ``factor unlock``. Threat: T-081, T-086."""

from __future__ import annotations

from mcp_wallet_guard import setup
from mcp_wallet_guard.approvals.factors import totp
from mcp_wallet_guard.assembly import StateFiles, open_vault
from mcp_wallet_guard.cli.enrolment import factor_lines, finish
from mcp_wallet_guard.cli.invocation import Invocation, run_async
from mcp_wallet_guard.cli.output import Report
from mcp_wallet_guard.cli.running import status_report
from mcp_wallet_guard.config.file import LoadedSettings
from mcp_wallet_guard.daemon.lock import GuardLock
from mcp_wallet_guard.errors import Refused
from mcp_wallet_guard.keys.vault import read_public
from mcp_wallet_guard.secret import Secret


def enrol(invocation: Invocation, /) -> Report:
    """The first factor of a vault that has none. A person shows with a code that the app has it before it is sealed.

    Raises Refused("factor.exists"), FactorRejected, Misconfigured("misconfigured.already_running"), VaultError,
    Unavailable.
    """
    loaded = invocation.load()
    read_public(loaded.vault_path)
    invocation.check_secrets_place()
    with invocation.passphrase() as passphrase:
        factor_id, proven = _seal(invocation, loaded, passphrase)
        run_async(lambda: _bind(invocation, loaded, passphrase))
    return Report(
        fields={"factor": factor_id, "factor_proven": proven},
        lines=("The factor is enrolled. Its codes count from the next one on.",),
    )


def unlock(invocation: Invocation, /) -> Report:
    """Raises Locked("not_running", "locked"), VaultError, FactorRejected."""
    invocation.control(lambda client: client.control_status())
    with invocation.passphrase() as passphrase:
        code = invocation.code()
        return status_report(invocation.control(lambda client: client.unlock_factor(passphrase, code=code)))


def _seal(invocation: Invocation, loaded: LoadedSettings, passphrase: Secret) -> tuple[str, bool]:
    """The new factor's id, and whether a code was proven. A factor that could not be shown, or that nobody's app has,
    is not sealed."""
    files, label = StateFiles(loaded.vault_path), invocation.options.label
    secret = totp.new_secret()
    uri = totp.provisioning_uri(secret, label=label)

    def prove(code: str | None) -> None:
        if code is not None:
            totp.check_code(secret, code, now=invocation.clock.now(), last_step=-1)

    with GuardLock(files.directory):
        opened = open_vault(files, passphrase, waiver=loaded.settings.cheap_kdf)
        try:
            setup.check_no_factor(opened)
            invocation.show_secrets({"factor_uri": uri}, tuple(factor_lines(uri)), qr=uri)
            proven = finish(invocation, prove)
            return setup.add_factor(opened, secret, label=label, now=invocation.clock.now()), proven
        finally:
            opened.lock()


async def _bind(invocation: Invocation, loaded: LoadedSettings, passphrase: Secret) -> None:
    async with setup.unlocked(loaded, passphrase, clock=invocation.clock) as owned:
        custody = owned.custody
        if custody.blocked is not None and custody.vault().sealed_settings is not None:
            # Records of a wallet that was in use: accepting them takes a code, not the passphrase alone.
            raise Refused("blocked.store")
        await setup.bind_factors(owned)
