"""secp256k1 on private keys, for derivation: public points and sums of scalars.

libsecp256k1 where it is installed, OpenSSL otherwise; both are constant-time where they multiply. Signing has its own
room, `signers`.
"""

from __future__ import annotations

from typing import Protocol, final

from cryptography.hazmat.primitives.asymmetric.ec import SECP256K1, derive_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mcp_wallet_guard.errors import Misconfigured
from mcp_wallet_guard.secp256k1 import ORDER, libsecp256k1
from mcp_wallet_guard.secret import Secret


class Curve(Protocol):
    """Both raise ValueError when a scalar is not in 1..n-1, a chance below 2^-127 that nobody has met."""

    def public_key(self, secret: Secret, /) -> bytes:
        """The uncompressed point, 65 bytes beginning with 4."""
        ...

    def add(self, secret: Secret, tweak: Secret, /) -> Secret:
        """(secret + tweak) mod n."""
        ...


@final
class LibSecp256k1:
    """Through coincurve's binding, on the secret's own buffer. Raises ImportError without coincurve."""

    def __init__(self) -> None:
        self._ffi, self._lib, self._context = libsecp256k1()

    def public_key(self, secret: Secret, /) -> bytes:
        point, size = self._ffi.new("secp256k1_pubkey *"), self._ffi.new("size_t *", 65)
        with secret.reveal() as view, self._ffi.from_buffer("unsigned char[32]", view) as key:
            made = self._lib.secp256k1_ec_pubkey_create(self._context, point, key)
        if not made:
            raise ValueError("the scalar is out of range")
        out = self._ffi.new("unsigned char[65]")
        self._lib.secp256k1_ec_pubkey_serialize(self._context, out, size, point, self._lib.SECP256K1_EC_UNCOMPRESSED)
        return bytes(self._ffi.buffer(out))

    def add(self, secret: Secret, tweak: Secret, /) -> Secret:
        with secret.reveal() as summand, tweak.reveal() as view:
            return Secret.written(32, lambda out: self._write_sum(summand, view, out))

    def _write_sum(self, secret: memoryview, tweak: memoryview, out: memoryview) -> None:
        out[:] = secret
        with (
            self._ffi.from_buffer("unsigned char[32]", tweak) as amount,
            self._ffi.from_buffer("unsigned char[32]", out, require_writable=True) as key,
        ):
            made = self._lib.secp256k1_ec_seckey_tweak_add(self._context, key, amount)
        if not made:
            raise ValueError("the scalar is out of range")


@final
class OpenSsl:
    """Through `cryptography`. Scalars pass through Python integers, which cannot be wiped and whose sums are not
    constant-time; they are summed only while a key is derived."""

    def public_key(self, secret: Secret, /) -> bytes:
        key = derive_private_key(_number(secret), SECP256K1())
        return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def add(self, secret: Secret, tweak: Secret, /) -> Secret:
        first, second = _number(secret), _number(tweak)
        total = (first + second) % ORDER
        if first >= ORDER or second >= ORDER or total == 0:
            raise ValueError("the scalar is out of range")
        return Secret(bytearray(total.to_bytes(32, "big")))


def installed() -> tuple[Curve, ...]:
    """Every library at hand, the best one first."""
    try:
        return LibSecp256k1(), OpenSsl()
    except (ImportError, AttributeError):
        return (OpenSsl(),)


def checked_public_key(secret: Secret, /, *, curves: tuple[Curve, ...]) -> bytes:
    """The public key that all of `curves` compute.

    Raises Misconfigured("misconfigured.backend") when they differ: one of them is broken. Threat: T-078.
    """
    keys = {curve.public_key(secret) for curve in curves}
    if len(keys) != 1:
        raise Misconfigured("misconfigured.backend", detail="two libraries derive different public keys")
    return keys.pop()


def _number(secret: Secret) -> int:
    with secret.reveal() as view:
        return int.from_bytes(view, "big")
