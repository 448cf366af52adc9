"""ECDSA on secp256k1: libsecp256k1 where it is installed, OpenSSL otherwise, never pure Python on a key.

The pure-Python arithmetic that wallets fall back to leaks its nonces by timing, and a few biased nonces are a key.
What is computed in Python here, the recovery in `OpenSsl`, works on public numbers only, and OpenSSL verifies its
result. Both sign deterministically (RFC 6979) with low s, so both give the same bytes.
Source: SEC 1 v2 sections 4.1.3 and 4.1.6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256K1,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
    derive_private_key,
)
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mcp_wallet_guard.errors import Misconfigured
from mcp_wallet_guard.operations.values import Address, keccak256
from mcp_wallet_guard.secp256k1 import ORDER, libsecp256k1

if TYPE_CHECKING:
    from mcp_wallet_guard.secret import Secret

FIELD: Final = 2**256 - 2**32 - 977
GENERATOR: Final = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)
Point = tuple[int, int] | None
"""Affine, or None for the point at infinity."""


class Backend(Protocol):
    """One library. Digests are 32 bytes; signatures are r, s and the y parity: 65 bytes."""

    def sign(self, key: Secret, digest: bytes, /) -> bytes:
        """A deterministic, low-s signature. Raises ValueError when `key` is not in 1..n-1."""
        ...

    def recover(self, digest: bytes, signature: bytes, /) -> bytes:
        """The public key that made `signature`, 65 bytes beginning with 4. Raises ValueError when none did."""
        ...


@final
class LibSecp256k1:
    """Through coincurve's binding, signing from the secret's own buffer: no copy of the key is made."""

    def __init__(self) -> None:
        self._ffi, self._lib, self._context = libsecp256k1()

    def sign(self, key: Secret, digest: bytes, /) -> bytes:
        signature = self._ffi.new("secp256k1_ecdsa_recoverable_signature *")
        message = self._ffi.new("unsigned char[32]", digest)
        null = self._ffi.NULL
        with key.reveal() as view, self._ffi.from_buffer("unsigned char[32]", view) as own:
            made = self._lib.secp256k1_ecdsa_sign_recoverable(self._context, signature, message, own, null, null)
        if not made:
            raise ValueError("the key is out of range")
        compact, parity = self._ffi.new("unsigned char[64]"), self._ffi.new("int *")
        self._lib.secp256k1_ecdsa_recoverable_signature_serialize_compact(self._context, compact, parity, signature)
        return bytes(self._ffi.buffer(compact)) + bytes([parity[0]])

    def recover(self, digest: bytes, signature: bytes, /) -> bytes:
        _split(signature)
        parsed = self._ffi.new("secp256k1_ecdsa_recoverable_signature *")
        message = self._ffi.new("unsigned char[32]", digest)
        point, size = self._ffi.new("secp256k1_pubkey *"), self._ffi.new("size_t *", 65)
        if not self._lib.secp256k1_ecdsa_recoverable_signature_parse_compact(
            self._context, parsed, signature[:64], signature[64]
        ) or not self._lib.secp256k1_ecdsa_recover(self._context, point, parsed, message):
            raise ValueError("no key made this signature")
        out, form = self._ffi.new("unsigned char[65]"), self._lib.SECP256K1_EC_UNCOMPRESSED
        self._lib.secp256k1_ec_pubkey_serialize(self._context, out, size, point, form)
        return bytes(self._ffi.buffer(out))


@final
class OpenSsl:
    """Through `cryptography`. The key passes through one Python integer, which cannot be wiped.

    Raises Misconfigured("misconfigured.backend") when this OpenSSL cannot sign deterministically.
    """

    def __init__(self) -> None:
        try:
            self._algorithm: Final = ECDSA(Prehashed(SHA256()), deterministic_signing=True)
        except UnsupportedAlgorithm:
            raise Misconfigured("misconfigured.backend") from None

    def sign(self, key: Secret, digest: bytes, /) -> bytes:
        with key.reveal() as view:
            private = derive_private_key(int.from_bytes(view, "big"), SECP256K1())
        public = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        r, s = decode_dss_signature(private.sign(digest, self._algorithm))
        compact = r.to_bytes(32, "big") + min(s, ORDER - s).to_bytes(32, "big")
        for parity in (b"\x00", b"\x01"):
            if self.recover(digest, compact + parity) == public:
                return compact + parity
        raise ValueError("the signature does not verify")

    def recover(self, digest: bytes, signature: bytes, /) -> bytes:
        r, s, parity = _split(signature)
        prefix = bytes([2 + parity])
        nonce = EllipticCurvePublicKey.from_encoded_point(SECP256K1(), prefix + r.to_bytes(32, "big"))
        inverse = pow(r, -1, ORDER)
        z = int.from_bytes(digest, "big")
        numbers = nonce.public_numbers()
        found = _sum(-z * inverse % ORDER, GENERATOR, s * inverse % ORDER, (numbers.x, numbers.y))
        if found is None:
            raise ValueError("no key made this signature")
        public = EllipticCurvePublicNumbers(*found, SECP256K1()).public_key()
        try:
            public.verify(encode_dss_signature(r, s), digest, self._algorithm)
        except InvalidSignature:
            raise ValueError("no key made this signature") from None
        return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def load_backend() -> Backend:
    """libsecp256k1, else OpenSSL. Raises Misconfigured("misconfigured.backend") when neither is fit."""
    try:
        return LibSecp256k1()
    except (ImportError, AttributeError):
        return OpenSsl()


def public_key_to_address(public_key: bytes, /) -> Address:
    """The account of an uncompressed public key (65 bytes). Raises ValueError for another form."""
    if len(public_key) != 65 or public_key[0] != 4:
        raise ValueError("not an uncompressed public key")
    return Address.from_bytes(keccak256(public_key[1:])[12:])


def _split(signature: bytes) -> tuple[int, int, int]:
    if type(signature) is not bytes or len(signature) != 65 or signature[64] > 1:
        raise ValueError("not r, s and a y parity")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    if not 0 < r < ORDER or not 0 < s < ORDER:
        raise ValueError("r or s is out of range")
    return r, s, signature[64]


def _sum(first: int, a: Point, second: int, b: Point) -> Point:
    """first*a + second*b, bit by bit from the highest. For public numbers only: not constant-time."""
    both = _add(a, b)
    total: Point = None
    for bit in range(max(first.bit_length(), second.bit_length()) - 1, -1, -1):
        total = _add(total, total)
        take_first, take_second = first >> bit & 1, second >> bit & 1
        if take_first and take_second:
            total = _add(total, both)
        elif take_first or take_second:
            total = _add(total, a if take_first else b)
    return total


def _add(a: Point, b: Point) -> Point:
    if a is None or b is None:
        return b if a is None else a
    (x1, y1), (x2, y2) = a, b
    if x1 == x2:
        if (y1 + y2) % FIELD == 0:
            return None
        slope = 3 * x1 * x1 * pow(2 * y1, -1, FIELD) % FIELD
    else:
        slope = (y2 - y1) * pow(x2 - x1, -1, FIELD) % FIELD
    x3 = (slope * slope - x1 - x2) % FIELD
    return x3, (slope * (x1 - x3) - y1) % FIELD
