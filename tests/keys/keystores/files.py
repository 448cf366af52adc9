"""Key files for tests, written by other libraries than the readers use: hashlib and pycryptodome."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable
from typing import Any, Final

from Crypto.Cipher import AES
from Crypto.Hash import keccak
from Crypto.Util import Counter

from mcp_wallet_guard.keys.passphrases import passphrase_from_text
from mcp_wallet_guard.secret import Secret

KEY: Final = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
ADDRESS: Final = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
STRANGER: Final = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
TYPED: Final = "correct horse battery staple"
SALT: Final = bytes(range(32))
IV: Final = bytes(range(16, 32))

Document = dict[str, Any]
Edit = Callable[[Document], None]


def typed(text: str = TYPED) -> Secret:
    return passphrase_from_text(text)


def shown(secret: Secret) -> bytes:
    with secret.reveal() as view:
        return bytes(view)


def v3_document(
    key: bytes = KEY, *, passphrase: bytes = TYPED.encode(), n: int = 2, r: int = 8, p: int = 1, salt: bytes = SALT
) -> Document:
    derived = hashlib.scrypt(passphrase, salt=salt, n=n, r=r, p=p, dklen=32)
    ciphertext = ctr(derived[:16], key)
    return {
        "address": ADDRESS[2:].lower(),
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": {"iv": IV.hex()},
            "ciphertext": ciphertext.hex(),
            "kdf": "scrypt",
            "kdfparams": {"dklen": 32, "n": n, "p": p, "r": r, "salt": salt.hex()},
            "mac": keccak.new(data=derived[16:] + ciphertext, digest_bits=256).hexdigest(),
        },
        "id": "3198bc9c-6672-4ab3-9995-4942343ae5b6",
        "version": 3,
    }


def eip2335_document(secret: bytes = KEY, *, passphrase: bytes = TYPED.encode()) -> Document:
    derived = hashlib.scrypt(passphrase, salt=SALT, n=2, r=8, p=1, dklen=32)
    ciphertext = ctr(derived[:16], secret)
    return {
        "crypto": {
            "kdf": {
                "function": "scrypt",
                "params": {"dklen": 32, "n": 2, "p": 1, "r": 8, "salt": SALT.hex()},
                "message": "",
            },
            "checksum": {
                "function": "sha256",
                "params": {},
                "message": hashlib.sha256(derived[16:] + ciphertext).hexdigest(),
            },
            "cipher": {"function": "aes-128-ctr", "params": {"iv": IV.hex()}, "message": ciphertext.hex()},
        },
        "path": "",
        "uuid": "1d85ae20-35c5-4611-98e8-aa14a633906f",
        "version": 4,
    }


def ows_document(
    sealed: bytes, *, key_type: str = "private_key", accounts: list[tuple[str, str]] | None = None
) -> Document:
    derived = hashlib.scrypt(TYPED.encode(), salt=SALT, n=2, r=8, p=1, dklen=32)
    cipher = AES.new(derived, AES.MODE_GCM, nonce=IV[:12])
    text, tag = cipher.encrypt_and_digest(sealed)
    listed = [(f"eip155:1:{ADDRESS}", "" if key_type == "private_key" else "m/44'/60'/0'/0/0")]
    return {
        "ows_version": 2,
        "id": "3198bc9c-6672-4ab3-9995-4942343ae5b6",
        "name": "agent",
        "created_at": "2026-02-27T10:30:00Z",
        "accounts": [
            {"account_id": account, "address": account.rsplit(":", 1)[1], "derivation_path": path}
            for account, path in (listed if accounts is None else accounts)
        ],
        "crypto": {
            "auth_tag": tag.hex(),
            "cipher": "aes-256-gcm",
            "cipherparams": {"iv": IV[:12].hex()},
            "ciphertext": text.hex(),
            "kdf": "scrypt",
            "kdfparams": {"dklen": 32, "n": 2, "p": 1, "r": 8, "salt": SALT.hex()},
        },
        "key_type": key_type,
    }


def ctr(key: bytes, text: bytes, iv: bytes = IV) -> bytes:
    counter = Counter.new(128, initial_value=int.from_bytes(iv, "big"))
    return AES.new(key, AES.MODE_CTR, counter=counter).encrypt(text)


def raw(document: Document) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def edited(document: Document, edit: Edit) -> Document:
    changed = copy.deepcopy(document)
    edit(changed)
    return changed


def put(path: str, value: Any) -> Edit:
    """Set the member at a dotted `path`."""

    def edit(document: Document) -> None:
        *above, last = path.split(".")
        for name in above:
            document = document[name]
        document[last] = value

    return edit


def drop(path: str) -> Edit:
    def edit(document: Document) -> None:
        *above, last = path.split(".")
        for name in above:
            document = document[name]
        del document[last]

    return edit


def flip(hex_digits: str) -> str:
    """The same digits with the lowest bit of the first byte turned over."""
    return f"{int(hex_digits[:2], 16) ^ 1:02x}{hex_digits[2:]}"
