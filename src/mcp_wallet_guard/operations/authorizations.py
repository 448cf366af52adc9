"""EIP-7702 authorizations: an account lets a contract's code be its own. Canonical bytes <-> fields, and the hash.

Whoever holds a signed authorization may put it into a transaction of theirs. Source: EIP-7702.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations import rlp
from mcp_wallet_guard.operations.evm import SECP256K1_N, UINT64_MAX
from mcp_wallet_guard.operations.values import Address, keccak256

MAGIC: Final = b"\x05"
"""What stands before the fields in the signed bytes, so that they are no transaction."""
_NOBODY: Final = bytes(20)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """The account's code becomes that of `delegate`, on the chain `chain_number` (0: on every chain), as long as the
    account's nonce is `nonce`. A `delegate` of zeros takes the code away."""

    chain_number: int
    delegate: Address
    nonce: int

    def __post_init__(self) -> None:
        limits = ((self.chain_number, UINT64_MAX), (self.nonce, UINT64_MAX - 1))
        if any(type(value) is not int or not 0 <= value <= limit for value, limit in limits):
            raise InvalidInput("invalid_input.transaction")
        if type(self.delegate) is not Address:
            raise InvalidInput("invalid_input.transaction")

    @property
    def is_for_every_chain(self) -> bool:
        """Whether it is valid on chains that were not named, and on those to come."""
        return self.chain_number == 0

    @property
    def is_revocation(self) -> bool:
        """Whether it takes the code away."""
        return self.delegate.raw == _NOBODY


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SignedAuthorization:
    """An authorization as transactions carry it. Who signed it is not in it, but recovered from the signature.

    `r` and `s` are within the group order. The chain skips one that is not low-s; that is the caller's check.
    """

    authorization: Authorization
    y_parity: int
    r: int
    s: int

    def __post_init__(self) -> None:
        if type(self.authorization) is not Authorization:
            raise InvalidInput("invalid_input.transaction")
        check_signature(self.y_parity, self.r, self.s)

    @property
    def is_low_s(self) -> bool:
        """Whether `s` is in the lower half of the group order. Source: EIP-2."""
        return is_low_s(self.s)


def encode_authorization(authorization: Authorization, /) -> bytes:
    """The exact bytes whose Keccak-256 is signed."""
    return MAGIC + rlp.encode(_fields(authorization))


def parse_authorization(data: bytes, /) -> Authorization:
    """Strict inverse of `encode_authorization`. Raises InvalidInput("invalid_input.transaction")."""
    if type(data) is not bytes or data[:1] != MAGIC:
        raise InvalidInput("invalid_input.transaction")
    return _authorization(rlp.decode_list(rlp.decode(data[1:]), least=3, most=3))


def authorization_hash(authorization: Authorization, /) -> bytes:
    """The 32 bytes that the account signs."""
    return keccak256(encode_authorization(authorization))


def to_item(signed: SignedAuthorization, /) -> rlp.Item:
    """As it stands in the list of a transaction."""
    return [*_fields(signed.authorization), *(rlp.encode_int(each) for each in (signed.y_parity, signed.r, signed.s))]


def from_item(item: rlp.Item, /) -> SignedAuthorization:
    """Strict inverse of `to_item`. One that the chain would skip, as its signature is no signature, is refused: it
    would be shown as if it had an effect. Raises InvalidInput("invalid_input.transaction")."""
    items = rlp.decode_list(item, least=6, most=6)
    y_parity, r, s = decode_signature(items[3:])
    return SignedAuthorization(authorization=_authorization(items[:3]), y_parity=y_parity, r=r, s=s)


def decode_signature(items: list[rlp.Item], /) -> tuple[int, int, int]:
    """y parity, r and s. Raises InvalidInput("invalid_input.transaction")."""
    y_parity, r, s = (rlp.decode_int(item, limit=SECP256K1_N - 1) for item in items)
    check_signature(y_parity, r, s)
    return y_parity, r, s


def check_signature(y_parity: int, r: int, s: int, /) -> None:
    """Raises InvalidInput("invalid_input.transaction") unless these can be a signature at all."""
    if type(y_parity) is not int or y_parity not in {0, 1}:
        raise InvalidInput("invalid_input.transaction")
    if any(type(each) is not int or not 0 < each < SECP256K1_N for each in (r, s)):
        raise InvalidInput("invalid_input.transaction")


def is_low_s(s: int, /) -> bool:
    """Whether `s` is in the lower half of the group order, as chains demand. Source: EIP-2."""
    return s <= SECP256K1_N // 2


def _fields(authorization: Authorization) -> list[rlp.Item]:
    chain, nonce = (rlp.encode_int(each) for each in (authorization.chain_number, authorization.nonce))
    return [chain, authorization.delegate.raw, nonce]


def _authorization(items: list[rlp.Item]) -> Authorization:
    return Authorization(
        chain_number=rlp.decode_int(items[0], limit=UINT64_MAX),
        delegate=Address.from_bytes(rlp.decode_bytes(items[1], size=20)),
        nonce=rlp.decode_int(items[2], limit=UINT64_MAX - 1),
    )
