"""Is a 32-byte value the key of an address beside it? Derived and compared: certain, whatever the field is called.

Pure. Threat: T-061, T-062.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache
from typing import Final

from mcp_wallet_guard.operations.values import keccak256
from mcp_wallet_guard.secp256k1 import ORDER

MAX_CANDIDATES: Final = 8192
"""A message with more different values that may be keys, beside addresses, is refused: some would go unseen."""

_SMALLEST: Final = 1 << 192
"""Smaller numbers are amounts, padded addresses and counters; a key is one by a chance of 2^-64."""


class TooManyCandidates(Exception):
    """More than `MAX_CANDIDATES` values to derive from."""


def derives_one_of(candidates: Collection[str], addresses: Collection[str], /) -> bool:
    """Whether one of `candidates`, 64 hex digits each, is the private key of one of `addresses`, 40 lower-case hex
    digits each. Raises TooManyCandidates."""
    numbers = {int(candidate, 16) for candidate in candidates}
    keys = [number for number in numbers if _SMALLEST <= number < ORDER]
    if len(keys) > MAX_CANDIDATES:
        raise TooManyCandidates
    public_key = _public_key()
    return any(keccak256(public_key(key))[-20:].hex() in addresses for key in keys)


@cache
def _public_key() -> Callable[[int], bytes]:
    """From a scalar to its point, 64 bytes; loaded on first use. libsecp256k1 where it is installed, else OpenSSL."""
    try:
        from coincurve import PublicKey
    except ImportError:
        return _openssl_public_key
    return lambda key: bytes(PublicKey.from_valid_secret(key.to_bytes(32, "big")).format(compressed=False)[1:])


def _openssl_public_key(key: int) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256K1, derive_private_key

    point = derive_private_key(key, SECP256K1()).public_key().public_numbers()
    return point.x.to_bytes(32, "big") + point.y.to_bytes(32, "big")
