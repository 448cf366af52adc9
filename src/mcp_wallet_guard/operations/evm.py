"""EIP-1559 transactions: canonical bytes <-> fields, the signing hash, the signed form.

Every function is strict both ways: `parse_unsigned(encode_unsigned(tx)) == tx` and, for bytes that parse,
``encode_unsigned(parse_unsigned(data)) == data``. Other envelopes are refused. Source: EIP-1559, EIP-2718.
Threat: T-036, T-037.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, final

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations import rlp
from mcp_wallet_guard.operations.values import UINT256_MAX, Address, ChainId, keccak256

TYPE_1559: Final = b"\x02"
GAS_MAX: Final = 2**32 - 1
DATA_MAX: Final = rlp.MAX_BYTES - 1024  # so that whatever encodes, signature included, also parses
UINT64_MAX: Final = 2**64 - 1
SECP256K1_N: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Eip1559:
    """The fields of an unsigned type-2 transaction. Fees are wei per gas, `value` is wei, `data` raw calldata.

    `to` is required: a contract creation is not a payment. The access list must be empty.
    """

    chain: ChainId
    nonce: int
    max_priority_fee_per_gas: int
    max_fee_per_gas: int
    gas: int
    to: Address
    value: int
    data: bytes = b""

    def __post_init__(self) -> None:
        limits = (
            (self.nonce, UINT64_MAX - 1),
            (self.max_priority_fee_per_gas, UINT256_MAX),
            (self.max_fee_per_gas, UINT256_MAX),
            (self.gas, GAS_MAX),
            (self.value, UINT256_MAX),
        )
        if any(type(value) is not int or not 0 <= value <= limit for value, limit in limits):
            raise InvalidInput("invalid_input.transaction")
        kinds = ((self.chain, ChainId), (self.to, Address), (self.data, bytes))
        if any(type(value) is not kind for value, kind in kinds):
            raise InvalidInput("invalid_input.transaction")
        if self.max_priority_fee_per_gas > self.max_fee_per_gas or len(self.data) > DATA_MAX:
            raise InvalidInput("invalid_input.transaction")

    @property
    def max_fee(self) -> int:
        """The most that the fee can be, in wei: gas limit times the fee cap."""
        return self.gas * self.max_fee_per_gas


def encode_unsigned(tx: Eip1559, /) -> bytes:
    """The exact bytes whose Keccak-256 is signed."""
    return TYPE_1559 + rlp.encode(_fields(tx))


def parse_unsigned(data: bytes, /) -> Eip1559:
    """Raises InvalidInput("invalid_input.transaction") unless `data` is canonical and has nothing unknown in it."""
    if type(data) is not bytes:
        raise InvalidInput("invalid_input.transaction")
    return _parsed(data)


def signing_hash(data: bytes, /) -> bytes:
    """The 32 bytes that a signer signs for the unsigned transaction `data`."""
    return keccak256(data)


def encode_signed(tx: Eip1559, /, *, y_parity: int, r: int, s: int) -> bytes:
    """The bytes that are broadcast."""
    signature: list[rlp.Item] = [rlp.encode_int(y_parity), rlp.encode_int(r), rlp.encode_int(s)]
    return TYPE_1559 + rlp.encode([*_fields(tx), *signature])


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SignedEip1559:
    """A parsed signed transaction. `r` and `s` are within the group order; low-s is the caller's check."""

    transaction: Eip1559
    y_parity: int
    r: int
    s: int


def parse_signed(data: bytes, /) -> SignedEip1559:
    """Strict inverse of `encode_signed`. Raises InvalidInput("invalid_input.transaction")."""
    items = _payload(data, 12)
    r = rlp.decode_int(items[10], limit=SECP256K1_N - 1)
    s = rlp.decode_int(items[11], limit=SECP256K1_N - 1)
    if r == 0 or s == 0:
        raise InvalidInput("invalid_input.transaction")
    return SignedEip1559(transaction=_transaction(items[:9]), y_parity=rlp.decode_int(items[9], limit=1), r=r, s=s)


def transaction_hash(signed: bytes, /) -> bytes:
    """The hash under which the chain knows the signed bytes."""
    return keccak256(signed)


@lru_cache(maxsize=16)
def _parsed(unsigned: bytes) -> Eip1559:
    # One payment parses the same bytes a dozen times. The value is immutable, and the bytes are its whole input.
    return _transaction(_payload(unsigned, 9))


def _fields(tx: Eip1559) -> list[rlp.Item]:
    numbers = (tx.chain.number, tx.nonce, tx.max_priority_fee_per_gas, tx.max_fee_per_gas, tx.gas)
    return [*(rlp.encode_int(n) for n in numbers), tx.to.raw, rlp.encode_int(tx.value), tx.data, []]


def _payload(data: bytes, count: int) -> list[rlp.Item]:
    if type(data) is not bytes or data[:1] != TYPE_1559:
        raise InvalidInput("invalid_input.transaction")
    items = rlp.decode(data[1:])
    if not isinstance(items, list) or len(items) != count:
        raise InvalidInput("invalid_input.transaction")
    return items


def _transaction(items: list[rlp.Item]) -> Eip1559:
    to, data, access_list = items[5], items[7], items[8]
    if not isinstance(to, bytes) or len(to) != 20 or not isinstance(data, bytes) or access_list != []:
        raise InvalidInput("invalid_input.transaction")
    chain = rlp.decode_int(items[0], limit=UINT64_MAX)
    if chain == 0:
        raise InvalidInput("invalid_input.transaction")
    return Eip1559(
        chain=ChainId(chain),
        nonce=rlp.decode_int(items[1], limit=UINT64_MAX - 1),
        max_priority_fee_per_gas=rlp.decode_int(items[2], limit=UINT256_MAX),
        max_fee_per_gas=rlp.decode_int(items[3], limit=UINT256_MAX),
        gas=rlp.decode_int(items[4], limit=GAS_MAX),
        to=Address.from_bytes(to),
        value=rlp.decode_int(items[6], limit=UINT256_MAX),
        data=data,
    )
