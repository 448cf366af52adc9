"""``venue key``. Threat: T-065."""

from __future__ import annotations

from mcp_wallet_guard import setup
from mcp_wallet_guard.assembly import StateFiles, open_vault
from mcp_wallet_guard.cli.invocation import Invocation
from mcp_wallet_guard.cli.output import Report
from mcp_wallet_guard.cli.telling import when
from mcp_wallet_guard.config.file import LoadedSettings
from mcp_wallet_guard.daemon.lock import GuardLock
from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.keys.vault import read_public


def key(invocation: Invocation, /) -> Report:
    """The API key of a venue. What is sealed is used for withdrawals that guard.toml allows, once that is in force.

    Raises InvalidInput for a venue that guard.toml does not name or what cannot be a key, Misconfigured
    ("misconfigured.already_running") beside a guard, VaultError, Unavailable.
    """
    loaded = invocation.load()
    files = StateFiles(loaded.vault_path)
    read_public(files.vault)
    name, now = _named(invocation.options.name, loaded), invocation.clock.now()
    with GuardLock(files.directory), invocation.api_key() as (key_id, secret):
        with invocation.passphrase() as passphrase:
            opened = open_vault(files, passphrase, waiver=loaded.settings.cheap_kdf)
        try:
            days = invocation.options.days
            expires_at = setup.add_credential(opened, venue=name, key_id=key_id, secret=secret, now=now, days=days)
        finally:
            opened.lock()
    return Report(
        fields={"venue": name, "expires_at": expires_at},
        lines=(
            f"The key of {name} is sealed until {when(expires_at)}.",
            "At the venue, let it withdraw only to addresses that you listed there, from your own internet address.",
        ),
    )


def _named(name: str | None, loaded: LoadedSettings) -> str:
    known = [venue.name for venue in loaded.settings.venues]
    if name is None and len(known) == 1:
        return known[0]
    if name is None or name not in known:
        raise InvalidInput(detail=f"name one of the venues of guard.toml: {', '.join(known) or 'there is none'}")
    return name
