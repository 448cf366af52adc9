"""Keyed fingerprints of the vault's own secrets: recognise a secret without holding it.

`FingerprintSet` is a value that may travel to the MCP server: BLAKE2b digests under a random key. For secrets of
128 bits or more a digest and its key tell an attacker nothing. Threat: T-057, T-061.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, final

DIGEST_BYTES: Final = 16
MIN_SECRET_BYTES: Final = 16


@final
@dataclass(frozen=True, slots=True)
class FingerprintSet:
    """`key` (32 bytes) and the digests of all protected byte strings. Empty before the first unlock."""

    key: bytes = b""
    digests: frozenset[bytes] = frozenset()
    lengths: frozenset[int] = frozenset()

    def contains(self, candidate: bytes, /) -> bool:
        """Whether `candidate` is a protected byte string."""
        if len(candidate) not in self.lengths:
            return False
        return fingerprint(candidate, key=self.key) in self.digests


def fingerprint(data: bytes, /, *, key: bytes) -> bytes:
    """The 16-byte keyed digest of `data`."""
    return hashlib.blake2b(data, key=key, digest_size=DIGEST_BYTES).digest()
