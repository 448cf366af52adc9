"""age files under a passphrase: the sealed backup that stock ``age -d`` opens without us.

Only a header with one scrypt stanza and nothing else is read, its body exactly 32 bytes: with more, one file would
answer for many passphrases at once (Threat: T-069). Source: C2SP age v1, "The scrypt recipient type".
Format: docs/formats/keystores.md.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Final, final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mcp_wallet_guard.errors import InvalidInput, KeystoreError, Misconfigured
from mcp_wallet_guard.keys import kdf
from mcp_wallet_guard.keys.keystores import age_armor, age_payload, members
from mcp_wallet_guard.keys.keystores.opened import PassphraseForm, Weakness
from mcp_wallet_guard.keys.keystores.passphrase_forms import as_given_then_nfkc, check_writable
from mcp_wallet_guard.keys.keystores.stretching import ScryptCost, open_by_passphrase
from mcp_wallet_guard.keys.sealing import Draw, draw_exactly, wiped
from mcp_wallet_guard.secret import Secret

MAX_TEXT_BYTES: Final = 2**20
_MAX_FILE_BYTES: Final = 3 * 2**19
_HEADER: Final = re.compile(
    rb"(age-encryption\.org/v1\n-> scrypt ([A-Za-z0-9+/]{22}) ([1-9][0-9]?)\n([A-Za-z0-9+/]{43})\n---)"
    rb" ([A-Za-z0-9+/]{43})\n"
)
_LABEL: Final = b"age-encryption.org/v1/scrypt"
_FILE_KEY_BYTES: Final = 16
_NONCE_BYTES: Final = 16
_ZERO_NONCE: Final = bytes(12)


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpenedAge:
    """What an age file held; whoever holds this wipes `text`."""

    text: Secret
    passphrase_form: PassphraseForm
    weaknesses: tuple[Weakness, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    cost: ScryptCost
    wrapped: bytes
    covered: bytes
    mac: bytes
    nonce: bytes
    payload: bytes


def read_age(raw: bytes, /, *, passphrase: Secret) -> OpenedAge:
    """The content of an age file, binary or armored, of 1 byte to 1 MiB. Blocks as long as its cost takes.

    `passphrase` as in `v3.read_v3`. Raises KeystoreError: before any derivation "keystore.format", and
    "keystore.cost" above a work factor of 20, which is 1 GiB; after it only "keystore.cannot_open".
    """
    if len(raw) > _MAX_FILE_BYTES:
        members.refuse("larger than 1.5 MiB")
    file = _parse(age_armor.remove(raw) if age_armor.is_armored(raw) else raw)
    form, text = open_by_passphrase(as_given_then_nfkc(passphrase), file.cost, lambda key: _attempt(key, file))
    return OpenedAge(text=text, passphrase_form=form, weaknesses=tuple(file.cost.weaknesses()))


def write_age(
    text: Secret,
    /,
    *,
    passphrase: Secret,
    armored: bool,
    profile: kdf.KdfProfile = kdf.DEFAULT,
    draw: Draw = secrets.token_bytes,
) -> bytes:
    """An age file of `text`, 1 byte to 1 MiB, opened again before it is returned: two derivations, about two seconds.
    A backup that was never tried is none (Threat: T-077).

    Raises InvalidInput("invalid_input.passphrase") as `v3_writing.write_v3`, InvalidInput("invalid_input.size");
    Misconfigured when `profile` has another r than 8 or p than 1, which the format has no place for.
    """
    check_writable(passphrase)
    if len(text) > MAX_TEXT_BYTES:
        raise InvalidInput("invalid_input.size", detail="a sealed file holds at most 1 MiB")
    if (profile.r, profile.p) != (8, 1):
        raise Misconfigured(detail="an age file has r=8 and p=1")
    salt, nonce, file_key = draw_exactly(draw, 16), draw_exactly(draw, _NONCE_BYTES), _draw_key(draw)
    with wiped(file_key) as key, text.reveal() as plain:
        with wiped(kdf.derive(passphrase, salt=_LABEL + salt, profile=profile)) as wrap:
            body = ChaCha20Poly1305(wrap).encrypt(_ZERO_NONCE, key, None)
        factor = profile.n.bit_length() - 1
        covered = b"age-encryption.org/v1\n-> scrypt %s %d\n%s\n---" % (_to_base64(salt), factor, _to_base64(body))
        header = covered + b" " + _to_base64(_mac(key, covered)) + b"\n"
        with wiped(_hkdf(key, salt=nonce, info=b"payload")) as payload_key:
            binary = header + nonce + age_payload.seal(payload_key, plain)
    raw = age_armor.add(binary) if armored else binary
    _check_opens(raw, text, passphrase)
    return raw


def _parse(binary: bytes) -> _File:
    found = _HEADER.match(binary)
    if found is None:
        members.refuse("not an age file under one passphrase")
    covered, salt, factor, wrapped, mac = found.groups()
    nonce, payload = binary[found.end() :][:_NONCE_BYTES], binary[found.end() + _NONCE_BYTES :]
    if len(nonce) != _NONCE_BYTES or not 0 < age_payload.text_size(len(payload)) <= MAX_TEXT_BYTES:
        members.refuse("the payload has a length that no payload has, or is empty or too large")
    return _File(
        cost=ScryptCost(n=2 ** int(factor), r=8, p=1, salt=_LABEL + _from_base64(salt)),
        wrapped=_from_base64(wrapped),
        covered=covered,
        mac=_from_base64(mac),
        nonce=nonce,
        payload=payload,
    )


def _attempt(wrap: memoryview, file: _File) -> Secret | None:
    out = bytearray(_FILE_KEY_BYTES)
    try:
        ChaCha20Poly1305(wrap).decrypt_into(_ZERO_NONCE, file.wrapped, None, out)
    except InvalidTag:
        return None
    with wiped(Secret(out)) as key:
        if not hmac.compare_digest(_mac(key, file.covered), file.mac):
            return None
        with wiped(_hkdf(key, salt=file.nonce, info=b"payload")) as payload_key:
            text = age_payload.unseal(payload_key, file.payload)
    return None if text is None else Secret(text)


def _check_opens(raw: bytes, text: Secret, passphrase: Secret) -> None:
    opened = read_age(raw, passphrase=passphrase)
    try:
        if not opened.text.equals(text):
            raise KeystoreError(detail="the file that was written holds something else")
    finally:
        opened.text.wipe()


def _mac(file_key: memoryview, covered: bytes) -> bytes:
    with wiped(_hkdf(file_key, salt=b"", info=b"header")) as key:
        return hmac.digest(key, covered, "sha256")


def _hkdf(key: memoryview, *, salt: bytes, info: bytes) -> Secret:
    out = bytearray(32)
    HKDF(algorithm=SHA256(), length=32, salt=salt, info=info).derive_into(key, out)
    return Secret(out)


def _draw_key(draw: Draw) -> Secret:
    return Secret(draw_exactly(draw, _FILE_KEY_BYTES))


def _to_base64(raw: bytes) -> bytes:
    return base64.b64encode(raw).rstrip(b"=")


def _from_base64(text: bytes) -> bytes:
    raw = base64.b64decode(text + b"=" * (-len(text) % 4))
    if _to_base64(raw) != text:
        members.refuse("base64 that is not canonical")
    return raw
