"""Web3 Secret Storage, version 3: writing a file that geth, eth-account, web3.py and ethers open.

Salt, vector and cost are the writer's own: nothing is taken over from a file that was read, so a weak one never gives
a weak one (Threat: T-067). Format: docs/formats/keystores.md.
"""

from __future__ import annotations

import json
import secrets
import uuid
from typing import TYPE_CHECKING

from mcp_wallet_guard.errors import InvalidInput, KeystoreError
from mcp_wallet_guard.keys import kdf
from mcp_wallet_guard.keys.keystores import aes_ctr
from mcp_wallet_guard.keys.keystores.opened import address_of_key
from mcp_wallet_guard.keys.keystores.passphrase_forms import check_writable
from mcp_wallet_guard.keys.keystores.v3 import CIPHER, KEY_BYTES, mac_of, read_v3
from mcp_wallet_guard.keys.sealing import Draw, draw_exactly, wiped

if TYPE_CHECKING:
    from mcp_wallet_guard.operations.values import Address
    from mcp_wallet_guard.secret import Secret


def write_v3(
    key: Secret,
    /,
    *,
    passphrase: Secret,
    profile: kdf.KdfProfile = kdf.DEFAULT,
    draw: Draw = secrets.token_bytes,
) -> bytes:
    """A version 3 file of the private key `key`, opened again before it is returned: two derivations, about two
    seconds. Call it in a worker thread, and give it a passphrase of the file's own, not the vault's.

    Raises InvalidInput("invalid_input.passphrase") unless `passphrase_from_text` could have made `passphrase`, and
    InvalidInput when `key` is no private key; ValueError when `draw` is broken.
    """
    check_writable(passphrase)
    address = address_of_key(key) if len(key) == KEY_BYTES else None
    if address is None:
        raise InvalidInput(detail="not a private key of secp256k1")
    salt, iv = draw_exactly(draw, 32), draw_exactly(draw, 16)
    with wiped(kdf.derive(passphrase, salt=salt, profile=profile)) as derived, key.reveal() as plain:
        ciphertext = aes_ctr.apply(derived[:16], iv, plain)
        mac = mac_of(derived, ciphertext)
    document = {
        "address": address.raw.hex(),
        "crypto": {
            "cipher": CIPHER,
            "cipherparams": {"iv": iv.hex()},
            "ciphertext": ciphertext.hex(),
            "kdf": "scrypt",
            "kdfparams": {"dklen": 32, "n": profile.n, "p": profile.p, "r": profile.r, "salt": salt.hex()},
            "mac": mac.hex(),
        },
        "id": str(uuid.UUID(bytes=draw_exactly(draw, 16), version=4)),
        "version": 3,
    }
    raw = json.dumps(document, separators=(",", ":")).encode("ascii") + b"\n"
    _check_opens(raw, key, address, passphrase)
    return raw


def _check_opens(raw: bytes, key: Secret, address: Address, passphrase: Secret) -> None:
    opened = read_v3(raw, passphrase=passphrase, address=address)
    try:
        if not opened.secret.equals(key):
            raise KeystoreError(detail="the file that was written holds another key")
    finally:
        opened.secret.wipe()
