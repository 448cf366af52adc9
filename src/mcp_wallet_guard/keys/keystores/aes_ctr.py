"""AES-128-CTR on owned buffers, for the two formats that have it."""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_BLOCK: Final = 16


def apply(key: memoryview, iv: bytes, text: bytes | memoryview, /) -> bytearray:
    """`text` encrypted, or decrypted, which is the same: CTR authenticates nothing. The caller wipes the result."""
    out = bytearray(len(text) + _BLOCK - 1)  # the most that an implementation may ask for
    context = Cipher(algorithms.AES(key), modes.CTR(iv)).encryptor()
    context.update_into(text, out)
    context.finalize()
    del out[len(text) :]
    return out
