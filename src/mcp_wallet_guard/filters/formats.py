"""Secrets that prove themselves: a checksum, or a form that nothing else has.

Extended private keys (BIP-32 and SLIP-132), WIF, nsec (NIP-19), private keys in PEM, otpauth URIs, and keystore files
(version 3 and EIP-2335) written as JSON or as what Python prints. A keystore is encrypted, and whoever has it may guess
its passphrase at leisure. Pure; every search is linear. Threat: T-061, T-062.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Final

_EXTENDED: Final = re.compile(r"[xyztuvYZUV]prv[1-9A-HJ-NP-Za-km-z]{107,108}(?![1-9A-HJ-NP-Za-km-z])")
_WIF: Final = re.compile(r"(?<![0-9A-Za-z])[5KL9c][1-9A-HJ-NP-Za-km-z]{50,51}(?![0-9A-Za-z])")
_NSEC: Final = re.compile(r"nsec1([02-9ac-hj-np-z]{58})(?![0-9a-z])", re.IGNORECASE)
_PEM: Final = re.compile(r"-----BEGIN (?:[A-Z0-9]{2,12} ){0,2}PRIVATE KEY(?: BLOCK)?-----")
_PEM_BODY: Final = re.compile(
    r"[\s\\nr\"',+]{0,24}(?:(?:Proc-Type|DEK-Info|Version|Comment|Hash|Charset):[^\n]{0,120}\s{1,8}){0,4}[A-Za-z0-9+/]{40}"
)
_OTPAUTH: Final = re.compile(
    r"otpauth://[^\s\"'<>]{0,600}?[?&]secret=[A-Z2-7 =-]{8}|otpauth-migration://[^\s\"'<>]{0,80}?[?&]data=[\w%+/-]{16}",
    re.IGNORECASE,
)
_PARTS_V3: Final = (
    re.compile(r"\bciphertext[\"'\\]{0,8}\s{0,8}[:=]\s{0,8}[\"'\\]{0,8}(?:0x)?[0-9a-f]{32}", re.IGNORECASE),
    re.compile(r"\bkdf(?:params)?[\"'\\]{0,8}\s{0,8}[:=]", re.IGNORECASE),
    re.compile(r"\bmac[\"'\\]{0,8}\s{0,8}[:=]\s{0,8}[\"'\\]{0,8}(?:0x)?[0-9a-f]{64}", re.IGNORECASE),
)
_PARTS_2335: Final = (
    re.compile(r"\bcipher[\"'\\]{0,8}\s{0,8}[:=]", re.IGNORECASE),
    re.compile(r"\bkdf[\"'\\]{0,8}\s{0,8}[:=]", re.IGNORECASE),
    re.compile(r"\bchecksum[\"'\\]{0,8}\s{0,8}[:=]", re.IGNORECASE),
    re.compile(r"\bmessage[\"'\\]{0,8}\s{0,8}[:=]\s{0,8}[\"'\\]{0,8}(?:0x)?[0-9a-f]{64}", re.IGNORECASE),
)
_BASE58: Final = {c: n for n, c in enumerate("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")}
_BECH32: Final = {c: n for n, c in enumerate("qpzry9x8gf2tvdw0s3jn54khce6mua7l")}
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_HRP: Final = [ord(c) >> 5 for c in "nsec"] + [0] + [ord(c) & 31 for c in "nsec"]


def holds_extended_key(text: str, /) -> bool:
    """An extended private key whose base58 checksum is right. Public ones (xpub) pass. Source: BIP-32, SLIP-132."""
    return any(_has_checksum(found, sizes=(78,)) for found in _EXTENDED.findall(text))


def holds_wif(text: str, /) -> bool:
    """A private key in wallet import format, with or without the mark of a compressed public key."""
    return any(_has_checksum(found, sizes=(33, 34)) for found in _WIF.findall(text))


def holds_nsec(text: str, /) -> bool:
    """A Nostr private key. Source: NIP-19, BIP-173."""
    for digits in _NSEC.findall(text):
        check = 1
        for value in _HRP + [_BECH32[c] for c in digits.lower()]:
            top = check >> 25
            check = (check & 0x1FFFFFF) << 5 ^ value
            for bit, generator in enumerate(_GENERATOR):
                check ^= generator if top >> bit & 1 else 0
        if check == 1:
            return True
    return False


def holds_pem(text: str, /) -> bool:
    """A private key in PEM, OpenSSH's or OpenPGP's, encrypted or not; the first line alone is no key."""
    return any(_PEM_BODY.match(text, found.end()) for found in _PEM.finditer(text))


def holds_otpauth(text: str, /) -> bool:
    """An enrolment of an authenticator, or the export of one. Source: Google's Key URI format."""
    return _OTPAUTH.search(text) is not None


def holds_keystore(text: str, /) -> bool:
    """A keystore file in a text: all its parts by name. Source: Web3 secret storage, EIP-2335."""
    return any(all(part.search(text) for part in parts) for parts in (_PARTS_V3, _PARTS_2335))


def is_keystore(value: Mapping[str, object], /) -> bool:
    """Whether this is the `crypto` object of a keystore file."""
    names = " ".join(value).lower()
    if "kdf" not in names:
        return False
    parts = {name.lower(): value[name] for name in value}
    if "ciphertext" in parts and "mac" in parts:
        return isinstance(parts["ciphertext"], str) and len(parts["ciphertext"]) >= 32
    cipher, checksum = parts.get("cipher"), parts.get("checksum")
    return isinstance(cipher, Mapping) and isinstance(checksum, Mapping) and "message" in cipher


def _has_checksum(text: str, *, sizes: tuple[int, ...]) -> bool:
    number = 0
    for character in text:
        number = number * 58 + _BASE58[character]
    raw = number.to_bytes(max(82, (number.bit_length() + 7) // 8), "big")
    for size in sizes:
        body, check = raw[-size - 4 : -4], raw[-4:]
        if not any(raw[: -size - 4]) and hashlib.sha256(hashlib.sha256(body).digest()).digest()[:4] == check:
            return True
    return False
