"""``wallet create``, ``wallet import`` and ``wallet address``. Threat: T-076."""

from __future__ import annotations

from mcp_wallet_guard import setup
from mcp_wallet_guard.assembly import StateFiles, open_vault
from mcp_wallet_guard.cli.init import wallet_secrets
from mcp_wallet_guard.cli.invocation import Invocation
from mcp_wallet_guard.cli.output import Report
from mcp_wallet_guard.daemon.lock import GuardLock
from mcp_wallet_guard.keys.vault import EntryKind, read_public
from mcp_wallet_guard.operations.values import Address


def create(invocation: Invocation, /) -> Report:
    """One more wallet in the vault. It pays nothing until guard.toml names it and `policy apply` was run.

    Raises Misconfigured("misconfigured.already_running") beside a guard, VaultError, Unavailable.
    """
    loaded = invocation.load()
    files = StateFiles(loaded.vault_path)
    read_public(files.vault)
    invocation.check_secrets_place()
    with GuardLock(files.directory), invocation.passphrase() as passphrase:
        opened = open_vault(files, passphrase, waiver=loaded.settings.cheap_kdf)
        try:
            address, words = setup.add_wallet(opened, label=invocation.options.label, now=invocation.clock.now())
        finally:
            opened.lock()
    invocation.show_secrets(*wallet_secrets(address, words, factor_uri=None))
    return Report(
        fields={"address": address, "label": invocation.options.label},
        lines=(
            f"Address: {address}",
            "To pay from it, put this address into guard.toml and run: mcp-wallet-guard policy apply",
        ),
    )


def import_existing(invocation: Invocation, /) -> Report:
    """Take over a wallet that its owner has already, with its recovery phrase. It pays nothing until guard.toml names
    it and `policy apply` was run.

    Raises InvalidInput("invalid_input.mnemonic", "invalid_input.account"), and otherwise as `create`.
    """
    loaded = invocation.load()
    files = StateFiles(loaded.vault_path)
    entries = read_public(files.vault).entries
    pinned = loaded.settings.account.address
    has_pinned = any(entry.metadata.get("address") == pinned.value for entry in entries)
    asked = invocation.options.address
    expected = Address.parse(asked) if asked is not None else None if has_pinned else pinned
    with GuardLock(files.directory), invocation.recovery_phrase() as phrase:
        existing = setup.existing_wallet(phrase, address=expected)
        try:
            with invocation.passphrase() as passphrase:
                opened = open_vault(files, passphrase, waiver=loaded.settings.cheap_kdf)
            try:
                setup.add_existing(opened, existing, label=invocation.options.label, now=invocation.clock.now())
            finally:
                opened.lock()
        finally:
            existing.wipe()
    return Report(
        fields={"address": existing.address, "label": invocation.options.label},
        lines=(
            f"Address: {existing.address}",
            "To pay from it, guard.toml must name this address; then run: mcp-wallet-guard policy apply",
        ),
    )


def address(invocation: Invocation, /) -> Report:
    """Needs no key, so nothing here is authenticated: compare it with your own note before you send money to it.

    Raises Misconfigured("misconfigured.vault_missing"), VaultError("vault.damaged").
    """
    loaded = invocation.load()
    pinned = str(loaded.settings.account.address)
    wallets = [
        {"label": entry.label, "address": str(entry.metadata["address"])}
        for entry in read_public(loaded.vault_path).entries
        if entry.kind is EntryKind.BIP39_ENTROPY
    ]
    return Report(
        fields={"account": loaded.settings.account.id, "address": pinned, "wallets": wallets},
        lines=tuple(
            f"{wallet['address']}  {wallet['label']}{'  (pays)' if wallet['address'] == pinned else ''}"
            for wallet in wallets
        ),
    )
