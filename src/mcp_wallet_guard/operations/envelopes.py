"""Every kind of Ethereum transaction, for reading what somebody asks to have signed: canonical bytes <-> fields.

Strict both ways, as `evm` is for the one kind that the guard builds: bytes that parse are the bytes that the fields
encode to. A transaction that is valid on every chain is refused. Source: EIP-155, EIP-2718, EIP-2930,
EIP-1559, EIP-4844, EIP-7702. Threat: T-036, T-037.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final, final

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations import rlp
from mcp_wallet_guard.operations.authorizations import (
    SignedAuthorization,
    check_signature,
    decode_signature,
    from_item,
    is_low_s,
    to_item,
)
from mcp_wallet_guard.operations.bulk import in_bulk
from mcp_wallet_guard.operations.evm import UINT64_MAX
from mcp_wallet_guard.operations.values import UINT256_MAX, Address, ChainId, keccak256

GAS_PER_BLOB: Final = 131_072
KZG_VERSION: Final = 1
"""First byte of every blob's hash: the one way to commit to a blob that there is."""
MAX_ENTRIES: Final = 512
"""Of an access list. Each address costs a hash, and honest lists are a tenth as long."""
MAX_AUTHORIZATIONS: Final = 256
MAX_UNSIGNED: Final = rlp.MAX_BYTES - 80
"""Bytes, so that whatever encodes also parses with its signature."""


class EnvelopeType(StrEnum):
    """How a transaction is laid out. Source: EIP-2718."""

    LEGACY = "legacy"
    EIP2930 = "eip2930"
    EIP1559 = "eip1559"
    EIP4844 = "eip4844"
    EIP7702 = "eip7702"


_PREFIXES: Final = {
    EnvelopeType.EIP2930: b"\x01",
    EnvelopeType.EIP1559: b"\x02",
    EnvelopeType.EIP4844: b"\x03",
    EnvelopeType.EIP7702: b"\x04",
}
_TYPES: Final = {prefix: type_ for type_, prefix in _PREFIXES.items()}
_FIELDS: Final = dict(zip(EnvelopeType, (6, 7, 8, 10, 9), strict=True))  # behind the chain id
_ONE_PRICE: Final = frozenset({EnvelopeType.LEGACY, EnvelopeType.EIP2930})
_NO_CREATION: Final = frozenset({EnvelopeType.EIP4844, EnvelopeType.EIP7702})


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AccessEntry:
    """A contract that the transaction says it will touch, and the 32-byte slots of it. Source: EIP-2930."""

    address: Address
    storage_keys: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if not _all_are(Address, (self.address,)) or not _are_words(self.storage_keys):
            raise InvalidInput("invalid_input.transaction")


@final
@in_bulk
@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """The fields of an unsigned transaction. Fees are wei per gas, `value` is wei, `data` raw calldata or, where `to`
    is None, the code that creates a contract.

    LEGACY and EIP2930 have one gas price, which is both fees here. `max_fee_per_blob_gas` and `blob_hashes` are those
    of EIP4844, `authorizations` those of EIP7702, and empty elsewhere. That no chain takes one of these types without
    them is the chain's to say: they do what they look like.
    """

    type: EnvelopeType
    chain: ChainId
    nonce: int
    max_priority_fee_per_gas: int
    max_fee_per_gas: int
    gas: int
    to: Address | None
    value: int
    data: bytes = b""
    access_list: tuple[AccessEntry, ...] = ()
    max_fee_per_blob_gas: int = 0
    blob_hashes: tuple[bytes, ...] = ()
    authorizations: tuple[SignedAuthorization, ...] = ()

    def __post_init__(self) -> None:
        if not (_has_numbers(self) and _has_kinds(self) and _has_parts_of_its_type(self)):
            raise InvalidInput("invalid_input.transaction")

    @property
    def max_fee(self) -> int:
        """The most that the fee can be, in wei, with that for blobs. A rollup takes its data fee besides."""
        return self.gas * self.max_fee_per_gas + GAS_PER_BLOB * len(self.blob_hashes) * self.max_fee_per_blob_gas


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SignedEnvelope:
    """A signed transaction. `r` and `s` are within the group order; low-s is the caller's check."""

    envelope: Envelope
    y_parity: int
    r: int
    s: int

    def __post_init__(self) -> None:
        if type(self.envelope) is not Envelope:
            raise InvalidInput("invalid_input.transaction")
        check_signature(self.y_parity, self.r, self.s)

    @property
    def is_low_s(self) -> bool:
        """Whether `s` is in the lower half of the group order, as chains demand. Source: EIP-2."""
        return is_low_s(self.s)


def parse_unsigned_envelope(data: bytes, /) -> Envelope:
    """Raises InvalidInput("invalid_input.transaction") unless `data` is one canonical unsigned transaction: not
    without a chain id, not with the blobs themselves, not signed."""
    if type(data) is not bytes:
        raise InvalidInput("invalid_input.transaction")
    return _parsed(data)


def encode_unsigned_envelope(envelope: Envelope, /) -> bytes:
    """The exact bytes whose Keccak-256 is signed. Raises InvalidInput when they are over MAX_UNSIGNED."""
    data = _encoded(envelope, _replay_protection(envelope))
    if len(data) > MAX_UNSIGNED:
        raise InvalidInput("invalid_input.transaction")
    return data


def signing_hash(unsigned: bytes, /) -> bytes:
    """The 32 bytes that are signed for the unsigned transaction `unsigned`, of whatever type."""
    return keccak256(unsigned)


def parse_signed_envelope(data: bytes, /) -> SignedEnvelope:
    """Strict inverse of `encode_signed_envelope`. Raises InvalidInput("invalid_input.transaction"), also for a
    signature that holds on every chain (v of 27 or 28)."""
    if type(data) is not bytes:
        raise InvalidInput("invalid_input.transaction")
    type_, items = _payload(data, extra=3)
    if type_ is EnvelopeType.LEGACY:
        v = rlp.decode_int(items[6], limit=2 * UINT64_MAX + 36)
        chain, items[6] = (v - 35) // 2, rlp.encode_int((v - 35) % 2)
        envelope = _envelope(type_, chain, items[:6])
    else:
        envelope = _envelope(type_, rlp.decode_int(items[0], limit=UINT64_MAX), items[1:-3])
    y_parity, r, s = decode_signature(items[-3:])
    return SignedEnvelope(envelope=envelope, y_parity=y_parity, r=r, s=s)


def encode_signed_envelope(signed: SignedEnvelope, /) -> bytes:
    """The bytes that are broadcast."""
    envelope, v = signed.envelope, signed.y_parity
    if envelope.type is EnvelopeType.LEGACY:
        v += 35 + 2 * envelope.chain.number
    return _encoded(envelope, [rlp.encode_int(each) for each in (v, signed.r, signed.s)])


# --------------------------------------------------------------------------------------------------- reading


@lru_cache(maxsize=16)
def _parsed(unsigned: bytes) -> Envelope:
    # One signature parses the same bytes a dozen times. The value is immutable, and the bytes are its whole input.
    if len(unsigned) > MAX_UNSIGNED:
        raise InvalidInput("invalid_input.transaction")
    type_, items = _payload(unsigned, extra=0)
    if type_ is not EnvelopeType.LEGACY:
        return _envelope(type_, rlp.decode_int(items[0], limit=UINT64_MAX), items[1:])
    if items[7:] != [b"", b""]:
        raise InvalidInput("invalid_input.transaction")
    return _envelope(type_, rlp.decode_int(items[6], limit=UINT64_MAX), items[:6])


def _payload(data: bytes, *, extra: int) -> tuple[EnvelopeType, list[rlp.Item]]:
    """The type and its fields. A legacy transaction has three behind its own, unsigned as well as signed."""
    type_ = _TYPES.get(data[:1], EnvelopeType.LEGACY)
    count = _FIELDS[type_] + (3 if type_ is EnvelopeType.LEGACY else 1 + extra)
    item = rlp.decode(data if type_ is EnvelopeType.LEGACY else data[1:])
    return type_, list(rlp.decode_list(item, least=count, most=count))


def _envelope(type_: EnvelopeType, chain: int, items: list[rlp.Item]) -> Envelope:
    prices = 1 if type_ in _ONE_PRICE else 2
    fees = [rlp.decode_int(item, limit=UINT256_MAX) for item in items[1 : 1 + prices]]
    gas, to, value, data, *rest = items[1 + prices :]
    is_blob, is_set_code = type_ is EnvelopeType.EIP4844, type_ is EnvelopeType.EIP7702
    if chain < 1:
        raise InvalidInput("invalid_input.transaction")
    return Envelope(
        type=type_,
        chain=ChainId(chain),
        nonce=rlp.decode_int(items[0], limit=UINT64_MAX - 1),
        max_priority_fee_per_gas=fees[0],
        max_fee_per_gas=fees[-1],
        gas=rlp.decode_int(gas, limit=UINT64_MAX),
        to=None if to == b"" else Address.from_bytes(rlp.decode_bytes(to, size=20)),
        value=rlp.decode_int(value, limit=UINT256_MAX),
        data=rlp.decode_bytes(data),
        access_list=_access_list(rest[0]) if rest else (),
        max_fee_per_blob_gas=rlp.decode_int(rest[1], limit=UINT256_MAX) if is_blob else 0,
        blob_hashes=_words(rest[2]) if is_blob else (),
        authorizations=_authorizations(rest[1]) if is_set_code else (),
    )


def _access_list(item: rlp.Item) -> tuple[AccessEntry, ...]:
    entries = [rlp.decode_list(entry, least=2, most=2) for entry in rlp.decode_list(item, most=MAX_ENTRIES)]
    return tuple(
        AccessEntry(address=Address.from_bytes(rlp.decode_bytes(address, size=20)), storage_keys=_words(keys))
        for address, keys in entries
    )


def _words(item: rlp.Item) -> tuple[bytes, ...]:
    return tuple(rlp.decode_bytes(word, size=32) for word in rlp.decode_list(item, most=rlp.MAX_BYTES // 33))


def _authorizations(item: rlp.Item) -> tuple[SignedAuthorization, ...]:
    return tuple(from_item(each) for each in rlp.decode_list(item, most=MAX_AUTHORIZATIONS))


# --------------------------------------------------------------------------------------------------- writing


def _encoded(envelope: Envelope, behind: list[rlp.Item]) -> bytes:
    type_ = envelope.type
    fees = [envelope.max_fee_per_gas]
    if type_ not in _ONE_PRICE:
        fees.insert(0, envelope.max_priority_fee_per_gas)
    items: list[rlp.Item] = [rlp.encode_int(each) for each in (envelope.nonce, *fees, envelope.gas)]
    items += [b"" if envelope.to is None else envelope.to.raw, rlp.encode_int(envelope.value), envelope.data]
    if type_ is EnvelopeType.LEGACY:
        return rlp.encode([*items, *behind])
    items.append([[each.address.raw, list(each.storage_keys)] for each in envelope.access_list])
    if type_ is EnvelopeType.EIP4844:
        items += [rlp.encode_int(envelope.max_fee_per_blob_gas), list(envelope.blob_hashes)]
    if type_ is EnvelopeType.EIP7702:
        items.append([to_item(each) for each in envelope.authorizations])
    return _PREFIXES[type_] + rlp.encode([rlp.encode_int(envelope.chain.number), *items, *behind])


def _replay_protection(envelope: Envelope) -> list[rlp.Item]:
    """What EIP-155 adds to an unsigned legacy transaction."""
    if envelope.type is not EnvelopeType.LEGACY:
        return []
    return [rlp.encode_int(envelope.chain.number), b"", b""]


# -------------------------------------------------------------------------------------------------- checking


def _has_numbers(envelope: Envelope) -> bool:
    limits = (
        (envelope.nonce, UINT64_MAX - 1),  # EIP-2681
        (envelope.max_fee_per_gas, UINT256_MAX),
        (envelope.max_priority_fee_per_gas, UINT256_MAX),
        (envelope.gas, UINT64_MAX),
        (envelope.value, UINT256_MAX),
        (envelope.max_fee_per_blob_gas, UINT256_MAX),
    )
    return all(type(number) is int and 0 <= number <= limit for number, limit in limits)


def _has_kinds(envelope: Envelope) -> bool:
    return (
        _is(EnvelopeType, envelope.type)
        and _is(ChainId, envelope.chain)
        and _is(bytes, envelope.data)
        and (envelope.to is None or _is(Address, envelope.to))
        and _all_are(AccessEntry, envelope.access_list)
        and _all_are(SignedAuthorization, envelope.authorizations)
        and _are_words(envelope.blob_hashes)
    )


def _has_parts_of_its_type(envelope: Envelope) -> bool:
    """That nothing is lost when it is encoded, and nothing in it is of a kind that we do not know."""
    type_, fee, priority = envelope.type, envelope.max_fee_per_gas, envelope.max_priority_fee_per_gas
    if priority > fee or (type_ in _ONE_PRICE and priority != fee):
        return False
    if (envelope.to is None and type_ in _NO_CREATION) or (type_ is EnvelopeType.LEGACY and envelope.access_list):
        return False
    if len(envelope.access_list) > MAX_ENTRIES or len(envelope.authorizations) > MAX_AUTHORIZATIONS:
        return False
    if type_ is not EnvelopeType.EIP7702 and envelope.authorizations:
        return False
    if type_ is not EnvelopeType.EIP4844:
        return not envelope.blob_hashes and not envelope.max_fee_per_blob_gas
    return all(blob_hash[0] == KZG_VERSION for blob_hash in envelope.blob_hashes)


def _are_words(values: tuple[bytes, ...]) -> bool:
    return _all_are(bytes, values) and (not values or all(len(each) == 32 for each in values))


def _is(kind: type, value: object) -> bool:
    """Exactly of that kind: a subclass could encode to other bytes the second time."""
    return type(value) is kind


def _all_are(kind: type, values: tuple[object, ...]) -> bool:
    return type(values) is tuple and (not values or all(type(each) is kind for each in values))
