"""scrypt with a floor and a ceiling.

A `KdfProfile` that exists is within both, so nothing is derived at a cost that a file's author chose to be cheap
(Threat: T-067) or ruinous (Threat: T-068). Source: RFC 7914; OWASP Password Storage (N=2^17, r=8, p=1 at least).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, final

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from mcp_wallet_guard.danger import CheapKdf
from mcp_wallet_guard.errors import Misconfigured
from mcp_wallet_guard.secret import Secret

FLOOR_N: Final = 2**17
FLOOR_R: Final = 8
MAX_N: Final = 2**20
MAX_MEMORY: Final = 2**30
MAX_WORK: Final = 2**24
KEY_BYTES: Final = 32


@final
@dataclass(frozen=True, slots=True)
class KdfProfile:
    """scrypt's cost: `n` (a power of two), `r`, `p`; memory is 128*n*r bytes.

    Raises Misconfigured when the cost is malformed or above the ceiling, or below the floor without a `waiver`.
    """

    n: int
    r: int
    p: int
    waiver: CheapKdf | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        cost = (self.n, self.r, self.p)
        if any(type(value) is not int or value < 1 for value in cost):
            raise Misconfigured(detail="scrypt parameters are positive integers")
        if self.n > MAX_N or 128 * self.n * self.r > MAX_MEMORY or self.n * self.r * self.p > MAX_WORK:
            raise Misconfigured(detail="scrypt cost is above the ceiling")
        if self.n < 2 or self.n & (self.n - 1) or self.n.bit_length() > 16 * self.r:
            raise Misconfigured(detail="scrypt N is not a power of two below 2^(16 r)")
        if (self.n < FLOOR_N or self.r < FLOOR_R) and type(self.waiver) is not CheapKdf:
            raise Misconfigured(detail="scrypt cost is below the floor")


DEFAULT: Final = KdfProfile(n=2**18, r=8, p=1)
"""About one second and 256 MiB on a present-day machine."""


def cheap_profile(waiver: CheapKdf, /) -> KdfProfile:
    """About three milliseconds: for tests and demonstrations."""
    return KdfProfile(n=2**10, r=8, p=1, waiver=waiver)


def derive(passphrase: Secret, /, *, salt: bytes, profile: KdfProfile) -> Secret:
    """32 bytes. Blocks for about a second: call it in a worker thread."""
    stretching = Scrypt(salt=salt, length=KEY_BYTES, n=profile.n, r=profile.r, p=profile.p)
    with derivation(), passphrase.reveal() as view:
        return Secret.written(KEY_BYTES, lambda key: stretching.derive_into(view, key))


@contextmanager
def derivation() -> Iterator[None]:
    """The block in which a passphrase is stretched, here or for a file of another format: counted, and one at a time
    in a process, so that a burst of them costs the memory of one (Threat: T-068)."""
    with _turn:
        _count[0] += 1
        yield


def derivations() -> int:
    """How many derivations this process has started."""
    return _count[0]


_turn: Final = threading.Lock()
_count: Final = [0]
