"""Randomness for a new wallet: from the operating system and from OpenSSL, and from dice when a person throws them.

Either of the two sources alone would do; together they have to fail at the same time, unseen. Both are checked before
they are mixed, since afterwards every fault looks random. Sources: getrandom(2), RAND_bytes(3), RFC 5869.
"""

from __future__ import annotations

import hashlib
import os
import ssl
import sys
import threading
from typing import Final, Protocol, final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mcp_wallet_guard.errors import Unavailable
from mcp_wallet_guard.keys.dice import Dice
from mcp_wallet_guard.keys.sealing import wiped
from mcp_wallet_guard.keys.weakness import has_pattern, is_weak
from mcp_wallet_guard.secret import Secret

ENTROPY_BYTES: Final = 32
_BLOCK: Final = 32
_INFO: Final = b"mcp-wallet-guard/entropy/v1"


class Source(Protocol):
    """Where random bytes come from."""

    @property
    def name(self) -> str:
        """For the operator's log."""
        ...

    def read(self, count: int, /) -> bytes:
        """So many random bytes. Raises any OSError, NotImplementedError or ssl.SSLError when it cannot."""
        ...


@final
class OperatingSystem:
    """The kernel's generator, which waits until it was seeded once after a boot."""

    name: Final = "the operating system"

    def read(self, count: int, /) -> bytes:
        """Linux: getrandom, never a file that a container may lack or replace. Elsewhere the system's own call."""
        if sys.platform != "linux":
            return os.urandom(count)
        return os.getrandom(count)


@final
class OpenSsl:
    """The DRBG of the OpenSSL that Python's `ssl` is linked to."""

    name: Final = "OpenSSL"

    def read(self, count: int, /) -> bytes:
        return ssl.RAND_bytes(count)


@final
class Past:
    """What was drawn before, as digests: enough to recognise a block, not to know it."""

    __slots__ = ("_digests", "_turn")

    def __init__(self) -> None:
        self._digests: Final[set[bytes]] = set()
        self._turn: Final = threading.Lock()

    def check_new(self, block: bytes | memoryview, /) -> None:
        """Raises Unavailable when this block was here before; remembers it otherwise. Threat: T-078."""
        digest = hashlib.sha256(_INFO + block).digest()
        with self._turn:
            if digest in self._digests:
                raise Unavailable("unavailable.entropy", detail="the random source repeats what it gave before")
            self._digests.add(digest)


_PROCESS: Final = Past()


def new_entropy(
    *,
    dice: Dice | None = None,
    system: Source = OperatingSystem(),  # noqa: B008  # stateless
    library: Source = OpenSsl(),  # noqa: B008  # the same
    past: Past = _PROCESS,
) -> Secret:
    """32 fresh bytes for a new wallet, of two blocks from each source. Wipes `dice`. The caller wipes the result.

    Raises Unavailable("unavailable.entropy") when a source is missing, fails, gives another number of bytes, gives a
    block with a pattern, or one that it gave before in this process; also when the result has one of these faults.
    Passing proves nothing more: no test on 32 bytes can. Threat: T-076, T-078.
    """
    try:
        parts = [_checked_block(source, past) for source in (system, library) for _ in range(2)]
        if dice is not None:
            with dice.rolls.reveal() as view:
                parts.append(bytes(view))
    finally:
        if dice is not None:
            dice.rolls.wipe()
    derivation = HKDF(algorithm=SHA256(), length=ENTROPY_BYTES, salt=None, info=_INFO)
    with wiped(Secret(bytearray().join(len(part).to_bytes(2, "big") + part for part in parts))) as material:
        entropy = Secret.written(ENTROPY_BYTES, lambda out: derivation.derive_into(material, out))
    return _checked_result(entropy, past)


def _checked_block(source: Source, past: Past) -> bytes:
    try:
        block = source.read(_BLOCK)
    except (OSError, NotImplementedError, AttributeError, ssl.SSLError):
        block = b""
    if type(block) is not bytes or len(block) != _BLOCK:
        raise Unavailable("unavailable.entropy", detail=f"{source.name} gives no randomness")
    if has_pattern(block):
        raise Unavailable("unavailable.entropy", detail=f"{source.name} gives blocks with a pattern")
    past.check_new(block)
    return block


def _checked_result(entropy: Secret, past: Past) -> Secret:
    try:
        with entropy.reveal() as view:
            past.check_new(view)
            if is_weak(bytes(view)):
                raise Unavailable("unavailable.entropy", detail="the mixed randomness has a pattern")
    except BaseException:
        entropy.wipe()
        raise
    return entropy
