"""Every kind of transaction: these bytes, those fields, no third reading. Threat: T-036, T-037."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account as EthAccount
from eth_keys.datatypes import PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations import evm
from mcp_wallet_guard.operations.envelopes import (
    MAX_UNSIGNED,
    Envelope,
    EnvelopeType,
    SignedEnvelope,
    encode_signed_envelope,
    encode_unsigned_envelope,
    parse_signed_envelope,
    parse_unsigned_envelope,
    signing_hash,
)
from mcp_wallet_guard.operations.evm import SECP256K1_N
from mcp_wallet_guard.operations.values import UINT256_MAX, Address, keccak256
from tests.operations.envelope_cases import (
    CREATING,
    EIP1559,
    EIP2930,
    EIP4844,
    EXAMPLES,
    KEY,
    LEGACY,
    edited,
    envelopes,
    example,
    for_eth_account,
    refused,
    scalars,
    sign,
)
from tests.operations.strategies import transactions

VECTORS: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parent.parent / "vectors" / "evm" / "envelopes.json").read_text()
)
SHARED = Path(__file__).parents[2].parent / "shared" / "vectors" / "evm" / "ethers-transactions-sample.json.gz"


# ------------------------------------------------------------------------------------------- published bytes


@pytest.mark.parametrize("case", VECTORS["cases"], ids=[case["name"] for case in VECTORS["cases"]])
def test_published_transactions_have_their_published_bytes(case: dict[str, Any]) -> None:
    unsigned, digest, key, signed = (bytes.fromhex(case[name][2:]) for name in ("unsigned", "hash", "key", "signed"))
    envelope = parse_unsigned_envelope(unsigned)
    assert envelope.type.value == case["type"]
    assert encode_unsigned_envelope(envelope) == unsigned
    assert signing_hash(unsigned) == digest
    assert sign(envelope, PrivateKey(key)) == signed
    assert parse_signed_envelope(signed).envelope == envelope


@pytest.mark.parametrize("case", VECTORS["refused"], ids=[case["name"] for case in VECTORS["refused"]])
def test_published_transactions_that_are_refused_say_why(case: dict[str, Any]) -> None:
    assert case["why"]
    refused(bytes.fromhex(case["data"][2:]))


@pytest.mark.skipif(not SHARED.exists(), reason="the public vectors are not beside this repository")
def test_all_transactions_of_ethers_are_read_but_those_that_name_no_chain() -> None:
    cases = json.loads(gzip.decompress(SHARED.read_bytes()))["cases"]
    read = dict.fromkeys(("Eip155", "Berlin", "London", "Cancun"), 0)
    for case in cases:
        for name in ("unsignedLegacy", "signedLegacy"):  # valid on every chain
            refused(bytes.fromhex(case[name][2:]))
        for name in read:
            if len(case[f"unsigned{name}"]) <= 2:
                continue
            unsigned, signed = (bytes.fromhex(case[form + name][2:]) for form in ("unsigned", "signed"))
            if not case["transaction"].get("chainId"):  # ethers writes chain 0, which does not exist
                refused(unsigned)
                refused(signed)
                continue
            envelope, with_signature = parse_unsigned_envelope(unsigned), parse_signed_envelope(signed)
            assert with_signature.envelope == envelope
            assert encode_unsigned_envelope(envelope) == unsigned
            assert encode_signed_envelope(with_signature) == signed
            assert_fields(envelope, case["transaction"])
            signature = case[f"signature{name}"]
            assert (with_signature.r, with_signature.s) == (int(signature["r"], 16), int(signature["s"], 16))
            read[name] += 1
    assert (read, len(cases)) == ({"Eip155": 416, "Berlin": 416, "London": 416, "Cancun": 32}, 800)


def assert_fields(envelope: Envelope, asked: dict[str, Any]) -> None:
    def number(name: str) -> int:
        value = asked.get(name) or 0
        return int(value, 0) if isinstance(value, str) else int(value)

    assert envelope.chain.number == number("chainId")
    assert (envelope.nonce, envelope.gas, envelope.value) == (number("nonce"), number("gasLimit"), number("value"))
    assert envelope.to == (Address.parse(asked["to"]) if asked.get("to") else None)
    assert envelope.data.hex() == asked.get("data", "0x")[2:]
    one_price = envelope.type in {LEGACY, EIP2930}
    assert envelope.max_fee_per_gas == number("gasPrice" if one_price else "maxFeePerGas")
    assert envelope.max_priority_fee_per_gas == number("gasPrice" if one_price else "maxPriorityFeePerGas")
    if envelope.type is not LEGACY:
        listed = [(each["address"].lower(), each["storageKeys"]) for each in asked.get("accessList") or []]
        assert [(each.address.value.lower(), ["0x" + key.hex() for key in each.storage_keys])
                for each in envelope.access_list] == listed  # fmt: skip
    if envelope.type is EIP4844:
        assert envelope.max_fee_per_blob_gas == number("maxFeePerBlobGas")
        assert ["0x" + each.hex() for each in envelope.blob_hashes] == asked["blobVersionedHashes"]


# ----------------------------------------------------------------------------------------------- differential


@given(envelopes())
@settings(max_examples=60)
def test_bytes_and_fields_are_one(envelope: Envelope) -> None:
    data = encode_unsigned_envelope(envelope)
    parsed = parse_unsigned_envelope(data)
    assert parsed == envelope
    assert encode_unsigned_envelope(parsed) == data


@given(envelopes(), st.integers(0, 1), scalars, scalars)
@settings(max_examples=60)
def test_signed_bytes_and_fields_are_one(envelope: Envelope, y_parity: int, r: int, s: int) -> None:
    signed = SignedEnvelope(envelope=envelope, y_parity=y_parity, r=r, s=s)
    data = encode_signed_envelope(signed)
    assert parse_signed_envelope(data) == signed
    assert signed.is_low_s == (s <= SECP256K1_N // 2)
    refused(data, signed=False)
    refused(encode_unsigned_envelope(envelope), signed=True)


@pytest.mark.parametrize("envelope", EXAMPLES + CREATING, ids=lambda each: f"{each.type} to {each.to}")
def test_eth_account_signs_the_same_bytes_of_an_example(envelope: Envelope) -> None:
    assert EthAccount.sign_transaction(for_eth_account(envelope), KEY).raw_transaction == sign(envelope)


@given(envelopes())
@settings(max_examples=50)
def test_eth_account_signs_the_same_bytes_and_finds_the_signer(envelope: Envelope) -> None:
    theirs = EthAccount.sign_transaction(for_eth_account(envelope), KEY)
    data = bytes(theirs.raw_transaction)
    assert data == sign(envelope)
    assert keccak256(data) == bytes(theirs.hash)
    assert EthAccount.recover_transaction(data) == KEY.public_key.to_checksum_address()
    signed = parse_signed_envelope(data)
    assert (signed.envelope, signed.r, signed.s) == (envelope, theirs.r, theirs.s)
    assert signed.is_low_s


@given(transactions())
@settings(max_examples=60)
def test_what_the_guard_builds_is_read_as_what_it_is(tx: evm.Eip1559) -> None:
    data = evm.encode_unsigned(tx)
    envelope = parse_unsigned_envelope(data)
    assert encode_unsigned_envelope(envelope) == data
    assert (envelope.type, envelope.to, envelope.value, envelope.max_fee) == (EIP1559, tx.to, tx.value, tx.max_fee)
    assert signing_hash(data) == evm.signing_hash(data)


# ----------------------------------------------------------------------------------------------- fee and size


def test_the_fee_that_a_person_reads_is_the_most_that_can_be_taken() -> None:
    for envelope in EXAMPLES:
        blobs = 2 * 131_072 * 10**8 if envelope.type is EIP4844 else 0  # EIP-4844: GAS_PER_BLOB = 2**17
        assert envelope.max_fee == 21_000 * 3 * 10**9 + blobs


def test_whatever_encodes_also_parses_with_its_signature() -> None:
    largest = {"max_fee_per_gas": UINT256_MAX, "max_priority_fee_per_gas": UINT256_MAX, "value": UINT256_MAX}
    for type_ in EnvelopeType:
        room = MAX_UNSIGNED - len(encode_unsigned_envelope(example(type_, **largest, data=bytes(100_000)))) + 100_000
        envelope = example(type_, **largest, data=bytes(room))
        assert len(encode_unsigned_envelope(envelope)) == MAX_UNSIGNED
        assert parse_unsigned_envelope(encode_unsigned_envelope(envelope)) == envelope
        assert parse_signed_envelope(sign(envelope)).envelope == envelope
        with pytest.raises(InvalidInput):
            encode_unsigned_envelope(example(type_, **largest, data=bytes(room + 1)))
        refused(
            edited(example(type_, **largest), 5 if type_ is LEGACY else 6 + (type_ is not EIP2930), bytes(room + 1))
        )
