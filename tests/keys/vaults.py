"""Vaults for tests: made at the cheapest scrypt cost, under a waiver that says so."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from mcp_wallet_guard import danger
from mcp_wallet_guard.keys.kdf import KdfProfile
from mcp_wallet_guard.keys.passphrases import passphrase_from_text
from mcp_wallet_guard.keys.vault import EntryKind, UnlockedVault, create_vault, unlock_vault
from mcp_wallet_guard.secret import Secret

if TYPE_CHECKING:
    from pathlib import Path

PASSPHRASE: Final = "correct horse battery staple"
WAIVER: Final = danger.cheap_kdf(reason="vaults of tests hold nothing")
PROFILE: Final = KdfProfile(n=2, r=8, p=1, waiver=WAIVER)
SETTINGS: Final = b'{"payees":[],"v":1}'
ENTROPY: Final = bytes(range(100, 132))
TOTP: Final = bytes(range(20, 40))


def new_vault(path: Path, passphrase: str = PASSPHRASE) -> UnlockedVault:
    """Two entries and settings, saved: generation 2."""
    vault = create_vault(path, passphrase=passphrase_from_text(passphrase), profile=PROFILE)
    metadata: dict[str, str | int] = {"address": "0x0", "index": 0}
    add(vault, EntryKind.BIP39_ENTROPY, "main", ENTROPY, metadata)
    add(vault, EntryKind.TOTP_SECRET, "phone", TOTP, {"period": 30})
    vault.seal_settings(SETTINGS)
    vault.save()
    return vault


def add(vault: UnlockedVault, kind: EntryKind, label: str, secret: bytes, metadata: dict[str, str | int]) -> str:
    return vault.add_entry(
        kind=kind, label=label, metadata=metadata, secret=Secret(secret), created_at=1_790_000_000
    ).id


def unlock(path: Path, passphrase: str = PASSPHRASE) -> UnlockedVault:
    return unlock_vault(path, passphrase=passphrase_from_text(passphrase), waiver=WAIVER)


def secrets_of(vault: UnlockedVault) -> dict[str, bytes]:
    found = {}
    for entry in vault.entries:
        with vault.open_entry(entry.id).reveal() as view:
            found[entry.label] = bytes(view)
    return found


def put(path: Path, raw: bytes) -> None:
    """Replace a file's bytes as somebody with an editor would, keeping it private."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(raw)
