"""``factor enrol`` and ``factor unlock``. Threat: T-081, T-086."""

from __future__ import annotations

from mcp_wallet_guard import setup
from mcp_wallet_guard.approvals.factors import totp
from mcp_wallet_guard.assembly import StateFiles, open_vault
from mcp_wallet_guard.cli.init import factor_lines
from mcp_wallet_guard.cli.invocation import Invocation, run_async
from mcp_wallet_guard.cli.output import Report
from mcp_wallet_guard.cli.running import status_report
from mcp_wallet_guard.config.file import LoadedSettings
from mcp_wallet_guard.daemon.lock import GuardLock
from mcp_wallet_guard.errors import Refused
from mcp_wallet_guard.keys.vault import read_public
from mcp_wallet_guard.secret import Secret


def enrol(invocation: Invocation, /) -> Report:
    """The first factor of a vault that has none.

    Raises Refused("factor.exists"), Misconfigured("misconfigured.already_running"), VaultError, Unavailable.
    """
    loaded = invocation.load()
    read_public(loaded.vault_path)
    invocation.check_secrets_place()
    secret = totp.new_secret()
    uri = totp.provisioning_uri(secret, label=invocation.options.label)
    with invocation.passphrase() as passphrase:
        factor_id = _seal(invocation, loaded, passphrase, secret)
        invocation.show_secrets({"factor_uri": uri}, tuple(factor_lines(uri)))
        run_async(lambda: _bind(invocation, loaded, passphrase))
    return Report(
        fields={"factor": factor_id}, lines=("The factor is enrolled. Its codes count from the next one on.",)
    )


def unlock(invocation: Invocation, /) -> Report:
    """Raises Locked("not_running", "locked"), VaultError, FactorRejected."""
    invocation.control(lambda client: client.control_status())
    with invocation.passphrase() as passphrase:
        code = invocation.code()
        return status_report(invocation.control(lambda client: client.unlock_factor(passphrase, code=code)))


def _seal(invocation: Invocation, loaded: LoadedSettings, passphrase: Secret, secret: bytes) -> str:
    files = StateFiles(loaded.vault_path)
    with GuardLock(files.directory):
        opened = open_vault(files, passphrase, waiver=loaded.settings.cheap_kdf)
        try:
            return setup.add_factor(opened, secret, label=invocation.options.label, now=invocation.clock.now())
        finally:
            opened.lock()


async def _bind(invocation: Invocation, loaded: LoadedSettings, passphrase: Secret) -> None:
    async with setup.unlocked(loaded, passphrase, clock=invocation.clock) as owned:
        custody = owned.custody
        if custody.blocked is not None and custody.vault().sealed_settings is not None:
            # Records of a wallet that was in use: accepting them takes a code, not the passphrase alone.
            raise Refused("blocked.store")
        await setup.bind_factors(owned)
