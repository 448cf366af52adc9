"""A second reader of vault files, written from docs/formats/vault.md alone, on other libraries.

It shares no code with the package: hashlib's scrypt, HKDF by hmac, pycryptodome's AES-GCM, its own canonical form
(the values of a vault sort and print alike under `json.dumps`). `authenticate=False` is a careless reader, for tests
that show what the whole-file MAC prevents.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import unicodedata
from typing import Any

from Crypto.Cipher import AES


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def render(file: dict[str, Any]) -> bytes:
    """The file's bytes, with a checksum that fits: what anybody who edits a vault can do."""
    raw = canonical({**file, "checksum": "0" * 64}) + b"\n"
    return fix_checksum(raw)


def fix_checksum(raw: bytes) -> bytes:
    return raw[:13] + hashlib.sha256(raw[:13] + raw[77:]).hexdigest().encode() + raw[77:]


def hkdf(key: bytes, salt: bytes, info: bytes) -> bytes:
    extracted = hmac.digest(salt or bytes(32), key, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")


def gcm_open(key: bytes, sealed: bytes, aad: bytes) -> bytes:
    cipher = AES.new(key, AES.MODE_GCM, nonce=bytes(12))
    cipher.update(aad)
    return cipher.decrypt_and_verify(sealed[:-16], sealed[-16:])


def read(raw: bytes, passphrase: str, *, authenticate: bool = True) -> dict[str, Any]:
    """`id`, `gen`, `vmk`, `secrets` (label -> bytes), `settings` (text). Raises ValueError."""
    file = json.loads(raw)
    if render(file) != raw:
        raise ValueError("checksum or form")
    vmk = _master_key(file, unicodedata.normalize("NFKC", passphrase).encode())
    body = canonical({name: value for name, value in file.items() if name not in {"checksum", "mac"}})
    mac_key = hkdf(vmk, bytes.fromhex(file["id"]), b"mcp-wallet-guard/vault/v1/mac")
    if authenticate and hmac.digest(mac_key, body, "sha256").hex() != file["mac"]:
        raise ValueError("mac")
    return {
        "id": file["id"],
        "gen": file["gen"],
        "vmk": vmk,
        "secrets": {entry["label"]: _secret(file, entry, vmk) for entry in file["entries"]},
        "settings": file["settings"] and file["settings"]["text"],
    }


def _master_key(file: dict[str, Any], passphrase: bytes) -> bytes:
    (slot,) = file["slots"]
    n, r, p = slot["n"], slot["r"], slot["p"]
    salt = bytes.fromhex(slot["salt"])
    dk = hashlib.scrypt(passphrase, salt=salt, n=n, r=r, p=p, dklen=32, maxmem=2**31 - 1)
    header = {name: slot[name] for name in ("kind", "n", "p", "r", "salt")}
    header |= {"fmt": "mcp-wallet-guard/vault", "v": 1, "vault": file["id"]}
    if hkdf(dk, b"", canonical({**header, "use": "commitment"})).hex() != slot["commitment"]:
        raise ValueError("commitment")
    wrap = hkdf(dk, b"", canonical({**header, "use": "wrap"}))
    return gcm_open(wrap, bytes.fromhex(slot["wrapped"]), canonical(header))


def _secret(file: dict[str, Any], entry: dict[str, Any], vmk: bytes) -> bytes:
    about = {name: entry[name] for name in ("created_at", "id", "kind", "label", "metadata")}
    about |= {"fmt": "mcp-wallet-guard/vault", "v": 1, "vault": file["id"]}
    key = hkdf(vmk, bytes.fromhex(entry["salt"]), canonical(about))
    return gcm_open(key, bytes.fromhex(entry["sealed"]), canonical(about))
