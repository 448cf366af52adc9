"""EIP-2335, version 4: the key files of Ethereum's validators.

A validator's key is of BLS12-381 and signs no transaction. It has 32 bytes as an account's has, so the kind goes with
it. The checksum covers the ciphertext alone, as version 3's MAC does, and there is no library of that curve here to
compare the public key: every key that is read is `Weakness.UNCONFIRMED`. Format: docs/formats/keystores.md.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from mcp_wallet_guard.keys.keystores import aes_ctr, members
from mcp_wallet_guard.keys.keystores.opened import OpenedKeystore, SecretKind, Weakness, is_public_key
from mcp_wallet_guard.keys.keystores.passphrase_forms import nfkd_without_controls
from mcp_wallet_guard.keys.keystores.stretching import open_by_passphrase, read_cost
from mcp_wallet_guard.secret import Secret

_MODULES: Final = frozenset({"kdf", "checksum", "cipher"})
_MODULE: Final = frozenset({"function", "params", "message"})
_IV: Final = frozenset({"iv"})


def read_eip2335(raw: bytes, /, *, passphrase: Secret) -> OpenedKeystore:
    """The 32 bytes of a version 4 file, named for what they are. Blocks as `read_v3` does and raises as it does;
    no address is compared. To use the secret for an account all the same: `opened.take_as_account_key`.

    Source: EIP-2335.
    """
    document = members.read_document(raw)
    members.constant(document, "version", 4)
    crypto = members.section(document, "crypto", members=_MODULES)
    kdf, checksum, cipher = (members.section(crypto, name, members=_MODULE) for name in ("kdf", "checksum", "cipher"))
    members.constant(kdf, "message", "")
    members.constant(checksum, "function", "sha256")
    members.constant(checksum, "params", {})
    members.constant(cipher, "function", "aes-128-ctr")
    iv = members.hexadecimal(members.section(cipher, "params", members=_IV), "iv", sizes=range(16, 17))
    ciphertext = members.hexadecimal(cipher, "message", sizes=range(32, 33))
    digest = members.hexadecimal(checksum, "message", sizes=range(32, 33))
    cost = read_cost(members.text(kdf, "function"), members.section(kdf, "params"))
    form, secret = open_by_passphrase(
        nfkd_without_controls(passphrase), cost, lambda key: _attempt(key, iv, ciphertext, digest)
    )
    return OpenedKeystore(
        kind=SecretKind.BLS12_381_KEY,
        secret=secret,
        address=None,
        passphrase_form=form,
        weaknesses=(
            *cost.weaknesses(),
            Weakness.UNCONFIRMED,
            *((Weakness.PUBLIC,) if is_public_key(secret, None) else ()),
        ),
    )


def _attempt(key: memoryview, iv: bytes, ciphertext: bytes, digest: bytes) -> Secret | None:
    checksum = hashlib.sha256(key[16:32])
    checksum.update(ciphertext)
    if not hmac.compare_digest(checksum.digest(), digest):
        return None
    return Secret(aes_ctr.apply(key[:16], iv, ciphertext))
