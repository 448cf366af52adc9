"""The payload of age files: STREAM over ChaCha20-Poly1305 in chunks of 64 KiB. Source: C2SP age, "Payload".

The last byte of the nonce marks the last chunk, so that a cut file does not open.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

TAG_BYTES: Final = 16
_CHUNK: Final = 2**16


def seal(key: memoryview, text: memoryview, /) -> bytes:
    """`text`, at least one byte, under `key`, which encrypts nothing else."""
    cipher = ChaCha20Poly1305(key)
    pieces = _pieces(len(text), _CHUNK)
    return b"".join([cipher.encrypt(nonce, text[start:end], None) for nonce, start, end in pieces])


def unseal(key: memoryview, sealed: bytes, /) -> bytearray | None:
    """The text, which the caller wipes, or None when a chunk was edited, moved, cut off or put on."""
    cipher, out, place = ChaCha20Poly1305(key), bytearray(text_size(len(sealed))), 0
    with memoryview(out) as view, memoryview(sealed) as read:
        for nonce, start, end in _pieces(len(sealed), _CHUNK + TAG_BYTES):
            size = end - start - TAG_BYTES
            try:
                cipher.decrypt_into(nonce, read[start:end], None, view[place : place + size])
            except InvalidTag:
                view[:] = bytes(len(view))
                return None
            place += size
    return out


def text_size(sealed: int, /) -> int:
    """How many bytes a payload of `sealed` bytes has inside; 0 or less when there is none of this length. A last
    chunk without text is one."""
    whole, rest = divmod(sealed, _CHUNK + TAG_BYTES)
    return 0 if 0 < rest <= TAG_BYTES else whole * _CHUNK + max(rest - TAG_BYTES, 0)


def _pieces(size: int, step: int) -> Iterator[tuple[bytes, int, int]]:
    for number, start in enumerate(range(0, size, step)):
        end = min(start + step, size)
        yield number.to_bytes(11, "big") + bytes([end == size]), start, end
