"""EIP-7702 authorizations on their own: the account says whose code it runs from now on.

Fields <-> the bytes whose Keccak-256 is signed, each way canonical. Source: EIP-7702. Threat: T-035.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations import rlp
from mcp_wallet_guard.operations.values import UINT256_MAX, Address, keccak256

MAGIC: Final = b"\x05"
UINT64_MAX: Final = 2**64 - 1


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """`chain_number` 0 holds on every chain. The zero `delegate` takes the account's code away. `nonce` is the
    account's. Raises InvalidInput("invalid_input.message") for numbers out of range."""

    chain_number: int
    delegate: Address
    nonce: int

    def __post_init__(self) -> None:
        limits = ((self.chain_number, UINT256_MAX), (self.nonce, UINT64_MAX - 1))
        if any(type(value) is not int or not 0 <= value <= limit for value, limit in limits):
            raise InvalidInput("invalid_input.message", detail="an authorization has a number out of range")
        if type(self.delegate) is not Address:
            raise InvalidInput("invalid_input.message", detail="an authorization has an address")

    @property
    def revokes(self) -> bool:
        """Whether it takes the account's code away."""
        return not any(self.delegate.raw)


def encode(authorization: Authorization, /) -> bytes:
    """The bytes whose hash is signed: 0x05, then the RLP list of chain, address and nonce."""
    numbers = (rlp.encode_int(authorization.chain_number), rlp.encode_int(authorization.nonce))
    return MAGIC + rlp.encode([numbers[0], authorization.delegate.raw, numbers[1]])


def parse(data: bytes, /) -> Authorization:
    """Strict inverse of `encode`. Raises InvalidInput("invalid_input.message")."""
    try:
        items = rlp.decode(data[1:]) if type(data) is bytes and data[:1] == MAGIC else b""
        if not isinstance(items, list) or len(items) != 3 or not isinstance(items[1], bytes):
            raise InvalidInput("invalid_input.message")
        return Authorization(
            chain_number=rlp.decode_int(items[0], limit=UINT256_MAX),
            delegate=Address.from_bytes(items[1]),
            nonce=rlp.decode_int(items[2], limit=UINT64_MAX - 1),
        )
    except InvalidInput:
        raise InvalidInput("invalid_input.message", detail="not an authorization in its canonical form") from None


def signing_hash(authorization: Authorization, /) -> bytes:
    """The 32 bytes that are signed."""
    return keccak256(encode(authorization))
