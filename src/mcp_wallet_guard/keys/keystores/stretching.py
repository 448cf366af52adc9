"""A passphrase made into a key at the cost that a foreign file asks for, within bounds that are checked before.

At most 1 GiB of memory, N*r*p <= 2^25, 10^7 rounds of PBKDF2, for each form of the passphrase (Threat: T-068). What is
cheaper than our own floor is done, and said (Threat: T-067). Source: RFC 7914, RFC 8018; Web3 Secret Storage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar, final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from mcp_wallet_guard.errors import KeystoreError, Unavailable
from mcp_wallet_guard.keys import kdf
from mcp_wallet_guard.keys.keystores import members
from mcp_wallet_guard.keys.keystores.opened import PassphraseForm, Weakness
from mcp_wallet_guard.keys.sealing import wiped
from mcp_wallet_guard.secret import Secret

MAX_MEMORY: Final = 2**30
MAX_WORK: Final = 2**25
MAX_LANES: Final = 2**13
MAX_ITERATIONS: Final = 10**7
FAIR_ITERATIONS: Final = 600_000
SALT_SIZES: Final = range(8, 65)
_FAIR_SALT: Final = 16
_SCRYPT: Final = frozenset({"dklen", "n", "p", "r", "salt"})
_PBKDF2: Final = frozenset({"c", "dklen", "prf", "salt"})
_Found = TypeVar("_Found")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ScryptCost:
    """scrypt as a file asks for it. Raises KeystoreError: "keystore.format" for what scrypt cannot be asked,
    "keystore.cost" above a bound. `r * p` has one of its own: with a small N it is what the memory goes to."""

    n: int
    r: int
    p: int
    salt: bytes

    def __post_init__(self) -> None:
        if any(type(value) is not int or value < 1 for value in (self.n, self.r, self.p)):
            members.refuse("scrypt's n, r and p are positive integers")
        if self.n < 2 or self.n & (self.n - 1):
            members.refuse("scrypt's n is a power of two")
        if 128 * self.n * self.r > MAX_MEMORY or self.n * self.r * self.p > MAX_WORK or self.r * self.p > MAX_LANES:
            raise KeystoreError("keystore.cost", detail="scrypt's cost is above the ceiling")

    @property
    def is_outside_rfc(self) -> bool:
        """Whether N is not below 2^(16 r), where RFC 7914 ends. Most libraries refuse; pycryptodome does not."""
        return self.n.bit_length() > 16 * self.r

    def weaknesses(self) -> Iterator[Weakness]:
        """What is below our own files, in order."""
        if self.n < kdf.FLOOR_N or self.r < kdf.FLOOR_R:
            yield Weakness.CHEAP_SCRYPT
        if self.is_outside_rfc:
            yield Weakness.SCRYPT_OUTSIDE_RFC
        if len(self.salt) < _FAIR_SALT:
            yield Weakness.SHORT_SALT

    def stretch(self, passphrase: memoryview, /) -> bytearray:
        """32 bytes. pycryptodome, where it has to step in, leaves copies of the passphrase and of the key in memory."""
        if self.is_outside_rfc:
            from Crypto.Protocol.KDF import scrypt

            made = scrypt(bytes(passphrase), self.salt, 32, self.n, self.r, self.p)  # type: ignore[arg-type]
            return bytearray(made)  # type: ignore[arg-type]  # its stubs say `str` for bytes
        key = bytearray(32)
        Scrypt(salt=self.salt, length=32, n=self.n, r=self.r, p=self.p).derive_into(passphrase, key)
        return key


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Pbkdf2Cost:
    """PBKDF2-HMAC-SHA256 as a file asks for it. Raises KeystoreError as `ScryptCost` does."""

    iterations: int
    salt: bytes

    def __post_init__(self) -> None:
        if type(self.iterations) is not int or self.iterations < 1:
            members.refuse("PBKDF2's c is a positive integer")
        if self.iterations > MAX_ITERATIONS:
            raise KeystoreError("keystore.cost", detail="PBKDF2's rounds are above the ceiling")

    def weaknesses(self) -> Iterator[Weakness]:
        """What is below our own files, in order."""
        yield Weakness.NOT_MEMORY_HARD
        if self.iterations < FAIR_ITERATIONS:
            yield Weakness.CHEAP_PBKDF2
        if len(self.salt) < _FAIR_SALT:
            yield Weakness.SHORT_SALT

    def stretch(self, passphrase: memoryview, /) -> bytearray:
        """32 bytes."""
        key = bytearray(32)
        PBKDF2HMAC(algorithm=SHA256(), length=32, salt=self.salt, iterations=self.iterations).derive_into(
            passphrase, key
        )
        return key


Cost = ScryptCost | Pbkdf2Cost


def read_cost(name: str, params: dict[str, Any], /) -> Cost:
    """The cost that a file's `kdf` and `kdfparams` ask for: every member known, a key of 32 bytes, within bounds."""
    wanted = {"scrypt": _SCRYPT, "pbkdf2": _PBKDF2}.get(name)
    if wanted is None or params.keys() != wanted:
        members.refuse("a key derivation that this reader does not know")
    members.constant(params, "dklen", 32)
    salt = members.hexadecimal(params, "salt", sizes=SALT_SIZES)
    if wanted is _PBKDF2:
        members.constant(params, "prf", "hmac-sha256")
        return Pbkdf2Cost(iterations=members.integer(params, "c"), salt=salt)
    n, r, p = (members.integer(params, each) for each in "nrp")
    return ScryptCost(n=n, r=r, p=p, salt=salt)


def open_by_passphrase(
    forms: tuple[tuple[PassphraseForm, Secret], ...], cost: Cost, attempt: Callable[[memoryview], _Found | None], /
) -> tuple[PassphraseForm, _Found]:
    """What `attempt` makes of the 32 bytes that a form of the passphrase is stretched to, for the first form that it
    makes anything of. Wipes all forms.

    Raises KeystoreError("keystore.cannot_open") after one derivation for each form, whatever the reason was: neither
    the error nor the number of derivations tells a wrong passphrase from an edited file.
    """
    try:
        for form, passphrase in forms:
            with wiped(_stretch(cost, passphrase)) as key:
                found = attempt(key)
            if found is not None:
                return form, found
    finally:
        for _, passphrase in forms:
            passphrase.wipe()
    raise KeystoreError


def _stretch(cost: Cost, passphrase: Secret) -> Secret:
    try:
        with kdf.derivation(), passphrase.reveal() as view:
            return Secret(cost.stretch(view))
    except MemoryError:
        raise Unavailable(detail="not enough memory for the key derivation that the file asks for") from None
