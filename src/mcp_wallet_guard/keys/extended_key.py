"""Extended keys in base58, read strictly. None is ever written (Threat: T-063).

Source: BIP-32, serialization format; test vector 5 lists what must be refused. Base58 makes a big integer of the key,
which Python can neither wipe nor handle in constant time: reading is for imports, not for daily use.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

from cryptography.hazmat.primitives.asymmetric.ec import SECP256K1, EllipticCurvePublicKey

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.secp256k1 import ORDER
from mcp_wallet_guard.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGITS: Final = {character: value for value, character in enumerate(_ALPHABET)}
_CHARACTERS: Final = 111
_BYTES: Final = 78
_PRIVATE: Final = bytes.fromhex("0488ade4")
_PUBLIC: Final = bytes.fromhex("0488b21e")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendedKey:
    """A private key with its chain code and its place in the tree: `child` is the number below its parent."""

    key: Secret
    chain_code: bytes
    depth: int
    parent_fingerprint: bytes
    child: int

    def wipe(self) -> None:
        """Forget the key. Idempotent."""
        self.key.wipe()


def read_private(text: str, /) -> ExtendedKey:
    """The key of an `xprv...` text. The caller wipes it.

    Raises InvalidInput("invalid_input.extended_key"), whose detail says what is wrong and repeats nothing.
    """
    raw = _checked(text)
    if raw[:4] != _PRIVATE:
        raise _refusal("it is not an extended private key of Bitcoin's main network")
    return ExtendedKey(
        key=Secret(raw[46:78]),
        chain_code=raw[13:45],
        depth=raw[4],
        parent_fingerprint=raw[5:9],
        child=int.from_bytes(raw[9:13], "big"),
    )


def check_extended_key(text: str, /) -> None:
    """Raises InvalidInput("invalid_input.extended_key") unless `text` is a valid `xprv...` or `xpub...`."""
    _checked(text)


def _checked(text: str) -> bytes:
    raw = _decoded(text)
    check = _CHECKS.get(raw[:4])
    if check is None:
        raise _refusal("unknown version")
    if raw[4] == 0 and any(raw[5:13]):
        raise _refusal("a master key has neither parent nor number")
    check(raw[45:78])
    return raw


def _decoded(text: str) -> bytes:
    if type(text) is not str or len(text) != _CHARACTERS or not _DIGITS.keys() >= set(text):
        raise _refusal("an extended key is 111 characters of base58")
    number = 0
    for character in text:
        number = number * 58 + _DIGITS[character]
    data = number.to_bytes(_BYTES + 4, "big")  # 111 digits of base 58 are always fewer bits
    raw, checksum = data[:_BYTES], data[_BYTES:]
    if hashlib.sha256(hashlib.sha256(raw).digest()).digest()[:4] != checksum:
        raise _refusal("the checksum is wrong")
    return raw


def _check_private(data: bytes) -> None:
    if data[0] != 0:
        raise _refusal("a private key begins with a zero byte")
    if not 0 < int.from_bytes(data[1:], "big") < ORDER:
        raise _refusal("the private key is out of range")


def _check_public(data: bytes) -> None:
    if data[0] not in {2, 3} or not _is_point(data):
        raise _refusal("the public key is no compressed point of the curve")


def _is_point(data: bytes) -> bool:
    try:
        EllipticCurvePublicKey.from_encoded_point(SECP256K1(), data)
    except ValueError:
        return False
    return True


_CHECKS: Final[dict[bytes, Callable[[bytes], None]]] = {_PRIVATE: _check_private, _PUBLIC: _check_public}


def _refusal(detail: str) -> InvalidInput:
    return InvalidInput("invalid_input.extended_key", detail=detail)
