"""The local signer signs what a Signable holds, for its own account, while the vault is open."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from mcp_wallet_guard.errors import InvalidInput, Locked, Tampered
from mcp_wallet_guard.keys import mnemonic
from mcp_wallet_guard.keys.passphrases import passphrase_from_text
from mcp_wallet_guard.keys.vault import EntryKind, UnlockedVault, create_vault
from mcp_wallet_guard.secret import Secret
from mcp_wallet_guard.signers.check import check_signature
from mcp_wallet_guard.signers.local import LocalSigner
from tests.keys.vaults import PASSPHRASE, PROFILE, TOTP, add
from tests.signers.operations import signable, transfer

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_wallet_guard.signers.base import Signer

ENTROPY = hashlib.sha256(b"a wallet of a test").digest()


@pytest.fixture
def vault(tmp_path: Path) -> UnlockedVault:
    return create_vault(tmp_path / "vault.json", passphrase=passphrase_from_text(PASSPHRASE), profile=PROFILE)


def account(vault: UnlockedVault, index: int = 0, language: str = "english") -> LocalSigner:
    metadata = mnemonic.describe_account(Secret(ENTROPY), index=index, language=language)
    entry = vault.add_entry(
        kind=EntryKind.BIP39_ENTROPY, label="main", metadata=metadata, secret=Secret(ENTROPY), created_at=0
    )
    return LocalSigner(vault, entry.id)


@pytest.mark.parametrize(("index", "language"), [(0, "english"), (5, "english"), (0, "japanese")])
def test_what_it_signs_passes_the_check(vault: UnlockedVault, index: int, language: str) -> None:
    signer: Signer = account(vault, index, language)
    ticket = signable(transfer(signer.info.address))
    signature = anyio.run(signer.sign, ticket)
    signed = check_signature(ticket, signature, address=signer.info.address)
    assert signed.operation is ticket.operation
    assert (signer.info.kind, signer.info.can_display) == ("local", False)


def test_the_same_operation_is_signed_alike_each_time(vault: UnlockedVault) -> None:
    signer = account(vault)
    ticket = signable(transfer(signer.info.address))
    assert anyio.run(signer.sign, ticket) == anyio.run(signer.sign, ticket)


def test_another_account_s_operation_is_not_signed(vault: UnlockedVault) -> None:
    signer, other = account(vault), account(vault, 1)
    with pytest.raises(Tampered):
        anyio.run(signer.sign, signable(transfer(other.info.address)))


def test_hashes_that_do_not_belong_to_the_operation_are_not_signed(vault: UnlockedVault) -> None:
    signer = account(vault)
    operation = transfer(signer.info.address)
    other = transfer(signer.info.address, value=10**18)
    for hashes in (other.signing_hashes, operation.signing_hashes * 2):
        with pytest.raises(Tampered):
            anyio.run(signer.sign, signable(operation, hashes=hashes))


def test_only_a_signable_is_signed(vault: UnlockedVault) -> None:
    signer = account(vault)
    operation = transfer(signer.info.address)

    class Likeness:
        signing_hashes = operation.signing_hashes

    Likeness.operation = operation  # type: ignore[attr-defined]
    forgeries: list[Any] = [Likeness(), operation, operation.signing_hashes[0], None]
    for forged in forgeries:
        with pytest.raises(TypeError):
            anyio.run(signer.sign, forged)


def test_a_locked_vault_signs_nothing(vault: UnlockedVault) -> None:
    signer = account(vault)
    vault.lock()
    with pytest.raises(Locked):
        anyio.run(signer.sign, signable(transfer(signer.info.address)))


def test_an_entry_that_is_no_account_makes_no_signer(vault: UnlockedVault) -> None:
    code = add(vault, EntryKind.TOTP_SECRET, "phone", TOTP, {})
    bare = add(vault, EntryKind.BIP39_ENTROPY, "bare", ENTROPY, {})
    for entry_id in (code, bare, "0" * 32):
        with pytest.raises(InvalidInput):
            LocalSigner(vault, entry_id)


def test_an_entry_that_names_another_address_than_its_key_s_fails_the_check(vault: UnlockedVault) -> None:
    said = mnemonic.describe_account(Secret(ENTROPY), index=0, language="english")
    other = mnemonic.describe_account(Secret(ENTROPY), index=1, language="english")
    entry = add(vault, EntryKind.BIP39_ENTROPY, "main", ENTROPY, {**said, "address": other["address"]})
    signer = LocalSigner(vault, entry)
    ticket = signable(transfer(signer.info.address))
    with pytest.raises(Tampered):
        check_signature(ticket, anyio.run(signer.sign, ticket), address=signer.info.address)
