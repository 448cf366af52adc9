"""The byte forms in which other programs take a passphrase.

geth and eth-account take what was typed as UTF-8, ethers NFKC, EIP-2335 NFKD without control characters: the same
text on another keyboard, or in another program, is other bytes (Threat: T-075). Text beyond ASCII passes through a
`str`, which Python cannot wipe.
"""

from __future__ import annotations

import unicodedata
from typing import Final, Literal

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.keys.keystores.opened import PassphraseForm
from mcp_wallet_guard.keys.passphrases import MAX_BYTES, passphrase_from_bytes
from mcp_wallet_guard.secret import Secret

Forms = tuple[tuple[PassphraseForm, Secret], ...]
_CONTROLS: Final = frozenset([*range(0x20), *range(0x7F, 0xA0)])


def as_given_then_nfkc(passphrase: Secret, /) -> Forms:
    """The bytes as they are, then their NFKC form where it differs. Raises InvalidInput("invalid_input.passphrase")
    for more than 4096 bytes. Whoever gets the forms wipes them; `passphrase` stays as it is."""
    _check_size(passphrase)
    with passphrase.reveal() as view:
        given = (PassphraseForm.AS_GIVEN, Secret(view))
        if all(byte < 0x80 for byte in view):
            return (given,)
        normal = _normal(view, "NFKC")
    if normal is None:
        return (given,)
    second = Secret(bytearray(normal, "utf-8"))
    if second.equals(given[1]):
        second.wipe()
        return (given,)
    return given, (PassphraseForm.NFKC, second)


def nfkd_without_controls(passphrase: Secret, /) -> Forms:
    """NFKD, then without C0, C1 and DEL. Source: EIP-2335, "Password requirements".

    Raises InvalidInput("invalid_input.passphrase") for what is not UTF-8, too long, or control characters alone.
    """
    _check_size(passphrase)
    with passphrase.reveal() as view:
        if all(byte < 0x80 for byte in view):
            made = bytearray(byte for byte in view if byte not in _CONTROLS)
        else:
            normal = _normal(view, "NFKD") or ""
            made = bytearray("".join([sign for sign in normal if ord(sign) not in _CONTROLS]), "utf-8")
    if not made:
        raise InvalidInput("invalid_input.passphrase")
    return ((PassphraseForm.NFKD_NO_CONTROLS, Secret(made)),)


def check_writable(passphrase: Secret, /) -> None:
    """Raises InvalidInput("invalid_input.passphrase") unless `passphrase_from_text` could have made it: long enough,
    and NFKC, so that readers that normalise and readers that do not open the file alike (Threat: T-075, T-077)."""
    with passphrase.reveal() as view:
        again = passphrase_from_bytes(bytearray(view))
    try:
        if not again.equals(passphrase):
            raise InvalidInput("invalid_input.passphrase")
    finally:
        again.wipe()


def _normal(view: memoryview, form: Literal["NFKC", "NFKD"]) -> str | None:
    try:
        return unicodedata.normalize(form, str(view, "utf-8"))
    except UnicodeDecodeError:
        return None


def _check_size(passphrase: Secret) -> None:
    if len(passphrase) > MAX_BYTES:
        raise InvalidInput("invalid_input.passphrase")
