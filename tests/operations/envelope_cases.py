"""Transactions of every kind at random, and the same as eth-account takes them."""

from __future__ import annotations

from typing import Any, Final

import pytest
from eth_keys.datatypes import PrivateKey
from hypothesis import strategies as st

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations import rlp
from mcp_wallet_guard.operations.authorizations import Authorization, SignedAuthorization
from mcp_wallet_guard.operations.envelopes import (
    AccessEntry,
    Envelope,
    EnvelopeType,
    SignedEnvelope,
    encode_signed_envelope,
    encode_unsigned_envelope,
    parse_signed_envelope,
    parse_unsigned_envelope,
    signing_hash,
)
from mcp_wallet_guard.operations.evm import SECP256K1_N, UINT64_MAX
from mcp_wallet_guard.operations.values import UINT256_MAX, Address
from tests.operations.strategies import CHAIN, PAYEE, STRANGER, addresses, chains, up_to

LEGACY, EIP2930, EIP1559, EIP4844, EIP7702 = EnvelopeType
scalars: Final = st.sampled_from([1, SECP256K1_N // 2, SECP256K1_N // 2 + 1, SECP256K1_N - 1]) | st.integers(
    1, SECP256K1_N - 1
)
words: Final = st.binary(min_size=32, max_size=32)
entries: Final = st.builds(AccessEntry, address=addresses, storage_keys=st.lists(words, max_size=2).map(tuple))
authorizations: Final = st.builds(
    Authorization, chain_number=up_to(UINT64_MAX), delegate=addresses, nonce=up_to(UINT64_MAX - 1)
)
signed_authorizations: Final = st.builds(
    SignedAuthorization, authorization=authorizations, y_parity=st.integers(0, 1), r=scalars, s=scalars
)
blob_hashes: Final = st.binary(min_size=31, max_size=31).map(lambda rest: b"\x01" + rest)


def signed_authorization(*, chain_number: int = 1, delegate: Address = STRANGER) -> SignedAuthorization:
    authorization = Authorization(chain_number=chain_number, delegate=delegate, nonce=3)
    return SignedAuthorization(authorization=authorization, y_parity=1, r=5, s=6)


def example(type_: EnvelopeType, **changed: Any) -> Envelope:
    """An honest transaction of that type, with something in each of its parts."""
    fields: dict[str, Any] = {
        "type": type_, "chain": CHAIN, "nonce": 7, "max_priority_fee_per_gas": 10**9, "max_fee_per_gas": 3 * 10**9,
        "gas": 21_000, "to": PAYEE, "value": 10**17, "data": b"\xd0\x9d\xe0\x8a",
    }  # fmt: skip
    if type_ in {LEGACY, EIP2930}:
        fields["max_priority_fee_per_gas"] = fields["max_fee_per_gas"]
    if type_ is not LEGACY:
        fields["access_list"] = (AccessEntry(address=STRANGER, storage_keys=(bytes(32),)), AccessEntry(address=PAYEE))
    if type_ is EIP4844:
        fields |= {"max_fee_per_blob_gas": 10**8, "blob_hashes": (b"\x01" + bytes(31), b"\x01" * 32)}
    if type_ is EIP7702:
        fields["authorizations"] = (signed_authorization(), signed_authorization(chain_number=0))
    return Envelope(**fields | changed)


@st.composite
def envelopes(draw: st.DrawFn) -> Envelope:
    type_ = draw(st.sampled_from(EnvelopeType))
    fee = draw(up_to(UINT256_MAX))
    one_price, no_creation = type_ in {LEGACY, EIP2930}, type_ in {EIP4844, EIP7702}
    return Envelope(
        type=type_,
        chain=draw(chains),
        nonce=draw(up_to(UINT64_MAX - 1)),
        max_priority_fee_per_gas=draw(st.integers(0, fee)) if not one_price else fee,
        max_fee_per_gas=fee,
        gas=draw(up_to(UINT64_MAX)),
        to=draw(addresses if no_creation else addresses | st.none()),
        value=draw(up_to(UINT256_MAX)),
        data=draw(st.binary(max_size=80) | st.sampled_from([bytes(55), bytes(56), bytes(255), bytes(70_000)])),
        access_list=() if type_ is LEGACY else draw(st.lists(entries, max_size=2).map(tuple)),
        max_fee_per_blob_gas=draw(up_to(UINT256_MAX)) if type_ is EIP4844 else 0,
        blob_hashes=draw(st.lists(blob_hashes, min_size=1, max_size=3).map(tuple)) if type_ is EIP4844 else (),
        authorizations=draw(st.lists(signed_authorizations, min_size=1, max_size=2).map(tuple))
        if type_ is EIP7702
        else (),
    )


def for_eth_account(envelope: Envelope) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "chainId": envelope.chain.number, "nonce": envelope.nonce, "gas": envelope.gas, "value": envelope.value,
        "to": b"" if envelope.to is None else envelope.to.value, "data": envelope.data,
    }  # fmt: skip
    if envelope.type in {LEGACY, EIP2930}:
        fields["gasPrice"] = envelope.max_fee_per_gas
    else:
        fields["maxFeePerGas"] = envelope.max_fee_per_gas
        fields["maxPriorityFeePerGas"] = envelope.max_priority_fee_per_gas
    if envelope.type is LEGACY:
        return fields
    fields["type"] = {EIP2930: 1, EIP1559: 2, EIP4844: 3, EIP7702: 4}[envelope.type]
    fields["accessList"] = [
        {"address": each.address.value, "storageKeys": ["0x" + key.hex() for key in each.storage_keys]}
        for each in envelope.access_list
    ]
    if envelope.type is EIP4844:
        fields["maxFeePerBlobGas"] = envelope.max_fee_per_blob_gas
        fields["blobVersionedHashes"] = ["0x" + each.hex() for each in envelope.blob_hashes]
    if envelope.type is EIP7702:
        fields["authorizationList"] = [
            {
                "chainId": each.authorization.chain_number, "address": each.authorization.delegate.raw,
                "nonce": each.authorization.nonce, "yParity": each.y_parity, "r": each.r, "s": each.s,
            }
            for each in envelope.authorizations
        ]  # fmt: skip
    return fields


KEY: Final = PrivateKey(b"\x42" * 32)
EXAMPLES: Final = [example(type_) for type_ in EnvelopeType]
CREATING: Final = [example(type_, to=None) for type_ in (LEGACY, EIP2930, EIP1559)]


def sign(envelope: Envelope, key: PrivateKey = KEY) -> bytes:
    signature = key.sign_msg_hash(signing_hash(encode_unsigned_envelope(envelope)))
    return encode_signed_envelope(SignedEnvelope(envelope=envelope, y_parity=signature.v, r=signature.r, s=signature.s))


def refused(data: Any, *, signed: bool | None = None) -> None:
    parsers = (parse_unsigned_envelope, parse_signed_envelope)
    for parse in parsers if signed is None else parsers[signed : signed + 1]:
        with pytest.raises(InvalidInput) as caught:
            parse(data)
        assert caught.value.code == "invalid_input.transaction"


def edited(envelope: Envelope, at: int, item: rlp.Item) -> bytes:
    """The unsigned bytes with another item in one place, encoded as our encoder would not."""
    data = encode_unsigned_envelope(envelope)
    start = 0 if envelope.type is LEGACY else 1
    items = rlp.decode(data[start:])
    assert isinstance(items, list)
    items[at] = item
    return data[:start] + rlp.encode(items)
