"""The vault's cryptography: slots, subkeys, entries, the whole-file MAC (docs/formats/vault.md, "Opening").

Every failure here is VaultError("vault.cannot_unlock") without detail, so a wrong passphrase and an edited file read
alike (Threat: T-069). Each encryption key is derived with a fresh salt and used once, hence the constant nonce.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mcp_wallet_guard.errors import Misconfigured, VaultError
from mcp_wallet_guard.keys import kdf
from mcp_wallet_guard.keys.format import FMT, VERSION, Entry, EntryKind, Slot, VaultFile, canonical, mac_body
from mcp_wallet_guard.secret import Secret

if TYPE_CHECKING:
    from mcp_wallet_guard.danger import CheapKdf

Draw = Callable[[int], bytes]
"""A source of that many random bytes."""

_NONCE: Final = bytes(12)
_TAG_BYTES: Final = 16
_SUBKEY: Final = "mcp-wallet-guard/vault/v1/"
_MAC_LABEL: Final = "mac"


def draw_exactly(draw: Draw, count: int, /) -> bytes:
    """`count` random bytes. Raises ValueError when the source gives another number of them."""
    drawn = draw(count)
    if type(drawn) is not bytes or len(drawn) != count:
        raise ValueError("the random source did not give what was asked")
    return drawn


@contextmanager
def wiped(secret: Secret, /) -> Iterator[memoryview]:
    """Reveal `secret` for one block and wipe it afterwards."""
    try:
        with secret.reveal() as view:
            yield view
    finally:
        secret.wipe()


def make_slot(*, vault_id: str, vmk: Secret, passphrase: Secret, profile: kdf.KdfProfile, draw: Draw) -> Slot:
    """Wrap `vmk` under `passphrase` with a fresh salt. One scrypt call."""
    salt = draw_exactly(draw, 32).hex()
    about = _slot_header(vault_id, salt, profile)
    with wiped(kdf.derive(passphrase, salt=bytes.fromhex(salt), profile=profile)) as dk:
        commitment, wrap = _slot_keys(dk, about)
        with wiped(commitment) as shown:
            committed = bytes(shown).hex()
        return Slot(
            kind="scrypt", n=profile.n, r=profile.r, p=profile.p, salt=salt, commitment=committed,
            wrapped=_encrypt(wrap, vmk, canonical(about)).hex(),
        )  # fmt: skip


def open_slot(slot: Slot, /, *, vault_id: str, passphrase: Secret, waiver: CheapKdf | None) -> Secret:
    """The vault master key. One scrypt call, and none when the cost is outside the limits (Threat: T-067, T-068)."""
    try:
        profile = kdf.KdfProfile(n=slot.n, r=slot.r, p=slot.p, waiver=waiver)
    except Misconfigured as error:
        raise VaultError(detail=error.detail) from None
    about = _slot_header(vault_id, slot.salt, profile)
    with wiped(kdf.derive(passphrase, salt=bytes.fromhex(slot.salt), profile=profile)) as dk:
        commitment, wrap = _slot_keys(dk, about)
        if not commitment.equals(bytes.fromhex(slot.commitment)):
            wrap.wipe()
            raise VaultError
        return _decrypt(wrap, bytes.fromhex(slot.wrapped), canonical(about))


def subkey(vmk: Secret, /, *, vault_id: str, label: str) -> Secret:
    """A 32-byte key for one purpose, of this vault only."""
    with vmk.reveal() as view:
        return _hkdf(view, salt=bytes.fromhex(vault_id), info=(_SUBKEY + label).encode("ascii"))


def file_mac(vmk: Secret, file: VaultFile, /) -> str:
    """HMAC-SHA256 over everything but the MAC and the checksum, in hex."""
    with wiped(subkey(vmk, vault_id=file.id, label=_MAC_LABEL)) as key:
        return hmac.digest(key, mac_body(file), "sha256").hex()


def check_file_mac(vmk: Secret, file: VaultFile, /) -> None:
    """Raises VaultError("vault.cannot_unlock") when any member was edited, moved, added or removed."""
    if not hmac.compare_digest(file_mac(vmk, file), file.mac):
        raise VaultError


def seal_entry(
    vmk: Secret,
    secret: Secret,
    /,
    *,
    vault_id: str,
    kind: EntryKind,
    label: str,
    metadata: Mapping[str, str | int],
    created_at: int,
    draw: Draw,
) -> Entry:
    """Encrypt `secret` bound to all that is said about it. Raises pydantic's ValidationError for what may not stand."""
    entry = Entry(
        id=draw_exactly(draw, 16).hex(), kind=kind, label=label, created_at=created_at, metadata=dict(metadata),
        salt=draw_exactly(draw, 32).hex(), sealed="00" * 17,
    )  # fmt: skip
    sealed = _encrypt(_entry_key(vmk, vault_id, entry), secret, _about_entry(vault_id, entry))
    return Entry.model_validate({**dict(entry), "sealed": sealed.hex()})


def open_entry(vmk: Secret, entry: Entry, /, *, vault_id: str) -> Secret:
    """The entry's secret. Raises VaultError when the entry was edited or belongs to another vault."""
    key = _entry_key(vmk, vault_id, entry)
    return _decrypt(key, bytes.fromhex(entry.sealed), _about_entry(vault_id, entry))


def _slot_header(vault_id: str, salt: str, profile: kdf.KdfProfile) -> dict[str, str | int]:
    cost = {"n": profile.n, "p": profile.p, "r": profile.r}
    return {"fmt": FMT, "kind": "scrypt", "salt": salt, "v": VERSION, "vault": vault_id, **cost}


def _slot_keys(dk: memoryview, header: dict[str, str | int]) -> tuple[Secret, Secret]:
    """Commitment and wrapping key. AES-GCM alone would let one file open under many passphrases."""
    commitment = _hkdf(dk, salt=b"", info=canonical({**header, "use": "commitment"}))
    return commitment, _hkdf(dk, salt=b"", info=canonical({**header, "use": "wrap"}))


def _entry_key(vmk: Secret, vault_id: str, entry: Entry) -> Secret:
    with vmk.reveal() as view:
        return _hkdf(view, salt=bytes.fromhex(entry.salt), info=_about_entry(vault_id, entry))


def _about_entry(vault_id: str, entry: Entry) -> bytes:
    said = entry.model_dump(mode="json", exclude={"salt", "sealed"})
    return canonical({"fmt": FMT, "v": VERSION, "vault": vault_id, **said})


def _hkdf(key: memoryview, *, salt: bytes, info: bytes) -> Secret:
    derivation = HKDF(algorithm=SHA256(), length=32, salt=salt, info=info)
    return Secret.written(32, lambda out: derivation.derive_into(key, out))


def _encrypt(key: Secret, text: Secret, aad: bytes) -> bytes:
    with wiped(key) as key_view, text.reveal() as view:
        return AESGCM(key_view).encrypt(_NONCE, view, aad)


def _decrypt(key: Secret, sealed: bytes, aad: bytes) -> Secret:
    try:
        with wiped(key) as view:
            cipher = AESGCM(view)
            return Secret.written(len(sealed) - _TAG_BYTES, lambda out: cipher.decrypt_into(_NONCE, sealed, aad, out))
    except InvalidTag:
        raise VaultError from None
