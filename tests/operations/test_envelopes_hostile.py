"""Bytes that are almost a transaction, of every kind. Threat: T-036, T-037."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations import rlp
from mcp_wallet_guard.operations.envelopes import (
    MAX_AUTHORIZATIONS,
    MAX_ENTRIES,
    AccessEntry,
    Envelope,
    EnvelopeType,
    SignedEnvelope,
    encode_unsigned_envelope,
    parse_signed_envelope,
    parse_unsigned_envelope,
    signing_hash,
)
from mcp_wallet_guard.operations.evm import SECP256K1_N, UINT64_MAX
from mcp_wallet_guard.operations.values import UINT256_MAX, Address, ChainId
from tests.operations.envelope_cases import (
    CREATING,
    EIP1559,
    EIP2930,
    EIP4844,
    EIP7702,
    EXAMPLES,
    LEGACY,
    edited,
    envelopes,
    example,
    refused,
    sign,
    signed_authorization,
)
from tests.operations.strategies import PAYEE, STRANGER


@pytest.mark.parametrize("envelope", EXAMPLES, ids=lambda each: each.type.value)
def test_each_field_and_each_byte_changes_the_digest(envelope: Envelope) -> None:
    others: dict[str, Any] = {
        "type": LEGACY if envelope.type is not LEGACY else EIP2930, "chain": ChainId(1), "nonce": 8,
        "max_priority_fee_per_gas": 1, "max_fee_per_gas": 4 * 10**9, "gas": 21_001, "to": STRANGER, "value": 1,
        "data": b"", "access_list": (AccessEntry(address=PAYEE),), "max_fee_per_blob_gas": 1,
        "blob_hashes": (b"\x01" * 32,), "authorizations": (signed_authorization(chain_number=5),),
    }  # fmt: skip
    assert set(others) == {field.name for field in fields(Envelope)}
    digests = {signing_hash(encode_unsigned_envelope(envelope))}
    made = 1
    for name, value in others.items():
        changes = {name: value}
        if name == "max_fee_per_gas" and envelope.type in {LEGACY, EIP2930}:
            changes["max_priority_fee_per_gas"] = value
        try:
            changed = replace(envelope, **changes)
        except InvalidInput:
            continue  # which this type does not have
        digests.add(signing_hash(encode_unsigned_envelope(changed)))
        made += 1
    assert len(digests) == made >= 8


@pytest.mark.parametrize("envelope", EXAMPLES + CREATING, ids=lambda each: f"{each.type} to {each.to}")
def test_each_changed_byte_is_an_error_or_another_transaction(envelope: Envelope) -> None:
    for data, parse in (
        (encode_unsigned_envelope(envelope), parse_unsigned_envelope),
        (sign(envelope), parse_signed_envelope),
    ):
        honest = parse(data)
        for at in range(len(data)):
            for change in (0x01, 0x80, 0xFF):
                bad = data[:at] + bytes([data[at] ^ change]) + data[at + 1 :]
                try:
                    assert parse(bad) != honest
                except InvalidInput:
                    pass


@pytest.mark.parametrize("envelope", EXAMPLES, ids=lambda each: each.type.value)
def test_bytes_that_are_cut_off_or_go_on_are_refused(envelope: Envelope) -> None:
    unsigned, signed = encode_unsigned_envelope(envelope), sign(envelope)
    for end in range(len(unsigned)):
        refused(unsigned[:end])
    for data in (unsigned, signed):
        for more in (b"\0", b"\x80", b"\xc0", data):
            refused(data + more)
            refused(more + data)


@given(st.binary(max_size=200), st.sampled_from([b"", b"\x01", b"\x02", b"\x03", b"\x04", b"\x05", b"\xf8"]))
def test_random_bytes_are_refused_with_one_error(data: bytes, prefix: bytes) -> None:
    refused(prefix + data)


@given(envelopes(), st.data())
@settings(max_examples=60)
def test_random_edits_are_read_to_the_byte_or_refused(envelope: Envelope, data: st.DataObject) -> None:
    good = encode_unsigned_envelope(replace(envelope, data=envelope.data[:80]))
    at = data.draw(st.integers(0, len(good)))
    cut = data.draw(st.integers(0, 3))
    bad = good[:at] + data.draw(st.binary(max_size=4)) + good[at + cut :]
    try:
        assert encode_unsigned_envelope(parse_unsigned_envelope(bad)) == bad
    except InvalidInput as error:
        if error.code != "invalid_input.transaction":
            raise


@pytest.mark.parametrize("envelope", EXAMPLES, ids=lambda each: each.type.value)
def test_an_item_in_another_form_is_refused(envelope: Envelope) -> None:
    count = {LEGACY: 9, EIP2930: 8, EIP1559: 9, EIP4844: 11, EIP7702: 10}[envelope.type]
    wrong: list[rlp.Item] = [[], [[]], [b""], [b"\x01", b"\x02"], b"\0", b"\0\x01", bytes(33), b"\x01" * 33]
    for at in range(count):
        for item in wrong:
            data = edited(envelope, at, item)
            try:
                parsed = parse_unsigned_envelope(data)
            except InvalidInput:
                continue
            assert item in (parsed.data, [])  # calldata takes any bytes, and a list of contracts may be empty
            assert encode_unsigned_envelope(parsed) == data


@pytest.mark.parametrize("envelope", EXAMPLES, ids=lambda each: each.type.value)
@pytest.mark.parametrize("size", [1, 19, 21, 32])
def test_a_recipient_has_twenty_bytes(envelope: Envelope, size: int) -> None:
    place = {LEGACY: 3, EIP2930: 4}.get(envelope.type, 5)
    refused(edited(envelope, place, b"\x02" * size))
    assert parse_unsigned_envelope(edited(envelope, place, STRANGER.raw)).to == STRANGER


@pytest.mark.parametrize("wrong", [-1, 1])
@pytest.mark.parametrize("envelope", EXAMPLES, ids=lambda each: each.type.value)
def test_a_field_too_few_or_too_many_is_refused(envelope: Envelope, wrong: int) -> None:
    for data in (encode_unsigned_envelope(envelope), sign(envelope)):
        start = 0 if envelope.type is LEGACY else 1
        items = rlp.decode(data[start:])
        assert isinstance(items, list)
        refused(data[:start] + rlp.encode(items[:wrong] if wrong < 0 else [*items, b""]))
        refused(data[:start] + rlp.encode([]))
        refused(data[:start] + rlp.encode(b"text"))


@pytest.mark.parametrize("v", [0, 1, 27, 28, 34, 35, 36])
def test_a_signature_for_every_chain_is_refused(v: int) -> None:
    items = [rlp.encode_int(each) for each in (7, 5, 21_000)] + [PAYEE.raw, b"\x01", b""]
    signature = [rlp.encode_int(each) for each in (v, 5, 6)]
    refused(rlp.encode([*items, *signature]))
    honest = rlp.encode([*items, b"\x25", *signature[1:]])  # 37: chain 1
    assert parse_signed_envelope(honest).envelope.chain == ChainId(1)


def test_the_last_chain_is_read_from_a_legacy_signature_and_the_next_is_none() -> None:
    items = [rlp.encode_int(each) for each in (7, 5, 21_000)] + [PAYEE.raw, b"\x01", b""]
    for y_parity in (0, 1):
        last = 35 + 2 * UINT64_MAX + y_parity
        signed = parse_signed_envelope(rlp.encode([*items, rlp.encode_int(last), b"\x05", b"\x06"]))
        assert (signed.envelope.chain.number, signed.y_parity) == (UINT64_MAX, y_parity)
        refused(rlp.encode([*items, rlp.encode_int(last + 2), b"\x05", b"\x06"]))


def test_a_legacy_transaction_without_a_chain_is_refused_and_one_with_a_chain_is_read() -> None:
    items: list[rlp.Item] = [rlp.encode_int(each) for each in (7, 5, 21_000)]
    items += [PAYEE.raw, b"\x01", b""]
    for behind in (
        [],
        [b"", b"", b""],
        [b"\x01", b"\x01", b""],
        [b"\x01", b"", b"\x01"],
        [b"\x01", b"\0", b""],
        [b"\x01"],
    ):
        refused(rlp.encode([*items, *behind]))
    assert parse_unsigned_envelope(rlp.encode([*items, b"\x01", b"", b""])).chain == ChainId(1)


@pytest.mark.parametrize("type_", [EIP2930, EIP1559, EIP4844, EIP7702])
def test_chain_zero_and_a_chain_of_nine_bytes_are_refused(type_: EnvelopeType) -> None:
    refused(edited(example(type_), 0, b""))
    refused(edited(example(type_), 0, b"\x01" + bytes(8)))
    assert parse_unsigned_envelope(edited(example(type_), 0, b"\xff" * 8)).chain.number == UINT64_MAX


def test_a_blob_transaction_with_the_blobs_themselves_is_refused() -> None:
    signed = sign(example(EIP4844))
    body = rlp.decode(signed[1:])
    refused(b"\x03" + rlp.encode([body, [bytes(100)], [bytes(48)], [bytes(48)]]))
    assert parse_signed_envelope(signed).envelope.type is EIP4844


@pytest.mark.parametrize("prefix", [0, 5, 0x7F, 0x80, 0xBF])
def test_a_type_that_we_do_not_know_is_refused(prefix: int) -> None:
    refused(bytes([prefix]) + encode_unsigned_envelope(example(EIP1559))[1:])


@pytest.mark.parametrize("data", [None, "0x02", bytearray(b"\x02\xc0"), 2, b"", b"\x02", b"\xc0", b"\x04\xc0"])
def test_what_is_no_transaction_at_all_is_refused(data: Any) -> None:
    refused(data)


@pytest.mark.parametrize("type_", EnvelopeType)
def test_only_three_types_can_create_a_contract(type_: EnvelopeType) -> None:
    if type_ in {EIP4844, EIP7702}:
        refused(edited(example(type_), 5, b""))
        with pytest.raises(InvalidInput):
            example(type_, to=None)
        return
    created = parse_unsigned_envelope(encode_unsigned_envelope(example(type_, to=None)))
    assert created.to is None
    zero = parse_unsigned_envelope(encode_unsigned_envelope(example(type_, to=Address.from_bytes(bytes(20)))))
    assert zero.to is not None  # the address of zeros is a recipient, not a creation


@pytest.mark.parametrize(
    ("type_", "changed"),
    [
        (LEGACY, {"max_priority_fee_per_gas": 1}),
        (LEGACY, {"access_list": (AccessEntry(address=PAYEE),)}),
        (EIP2930, {"max_priority_fee_per_gas": 1}),
        (EIP1559, {"max_priority_fee_per_gas": 4 * 10**9}),
        (EIP1559, {"max_fee_per_blob_gas": 1}),
        (EIP1559, {"blob_hashes": (b"\x01" * 32,)}),
        (EIP1559, {"authorizations": (signed_authorization(),)}),
        (EIP7702, {"blob_hashes": (b"\x01" * 32,)}),
        (EIP4844, {"authorizations": (signed_authorization(),)}),
        (EIP4844, {"blob_hashes": (b"\x02" * 32,)}),
        (EIP4844, {"blob_hashes": (b"\x01" * 31,)}),
        (EIP4844, {"blob_hashes": [b"\x01" * 32]}),
        (EIP1559, {"nonce": UINT64_MAX}),
        (EIP1559, {"nonce": -1}),
        (EIP1559, {"nonce": True}),
        (EIP1559, {"gas": UINT64_MAX + 1}),
        (EIP1559, {"value": UINT256_MAX + 1}),
        (EIP1559, {"value": 1.0}),
        (EIP1559, {"chain": 1}),
        (EIP1559, {"to": PAYEE.value}),
        (EIP1559, {"data": "0x"}),
        (EIP1559, {"data": bytearray(2)}),
        (EIP1559, {"type": "eip1559"}),
        (EIP1559, {"access_list": [AccessEntry(address=PAYEE)]}),
        (EIP1559, {"access_list": (PAYEE,)}),
        (EIP1559, {"access_list": (AccessEntry(address=PAYEE),) * (MAX_ENTRIES + 1)}),
        (EIP7702, {"authorizations": (signed_authorization(),) * (MAX_AUTHORIZATIONS + 1)}),
    ],
)
def test_fields_that_the_type_cannot_carry_are_refused(type_: EnvelopeType, changed: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        example(type_, **changed)
    assert caught.value.code == "invalid_input.transaction"


@pytest.mark.parametrize(
    "wrong", [{"address": PAYEE.value}, {"storage_keys": (bytes(31),)}, {"storage_keys": [bytes(32)]}]
)
def test_an_access_entry_is_an_address_and_words(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        AccessEntry(**{"address": PAYEE} | wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"y_parity": 2},
        {"y_parity": True},
        {"r": 0},
        {"s": 0},
        {"r": SECP256K1_N},
        {"s": SECP256K1_N},
        {"envelope": None},
    ],
)
def test_a_signature_that_cannot_be_one_is_refused(wrong: dict[str, Any]) -> None:
    honest: dict[str, Any] = {"envelope": example(EIP1559), "y_parity": 1, "r": 1, "s": SECP256K1_N - 1}
    assert not SignedEnvelope(**honest).is_low_s
    with pytest.raises(InvalidInput):
        SignedEnvelope(**honest | wrong)


@pytest.mark.parametrize(
    "access_list",
    [
        pytest.param([[PAYEE.raw]], id="no list of slots"),
        pytest.param([[PAYEE.raw, [], []]], id="a third part"),
        pytest.param([[PAYEE.raw[1:], []]], id="19 bytes"),
        pytest.param([[b"", []]], id="no address"),
        pytest.param([[PAYEE.raw, [bytes(31)]]], id="a short slot"),
        pytest.param([[PAYEE.raw, [bytes(33)]]], id="a long slot"),
        pytest.param([[PAYEE.raw, bytes(32)]], id="a slot that is no list"),
        pytest.param([[PAYEE.raw, [[bytes(32)]]]], id="a list too many"),
        pytest.param([PAYEE.raw, []], id="a list too few"),
        pytest.param([[[PAYEE.raw], []]], id="an address in a list"),
        pytest.param([[PAYEE.raw, []]] * (MAX_ENTRIES + 1), id="too many"),
        pytest.param(b"", id="a string"),
    ],
)
def test_an_access_list_in_another_form_is_refused(access_list: Any) -> None:
    places = {EIP2930: 7, EIP1559: 8, EIP4844: 8, EIP7702: 8}
    for type_, place in places.items():
        refused(edited(example(type_), place, access_list))
        good: rlp.Item = [[PAYEE.raw, [bytes(32)]]]
        parsed = parse_unsigned_envelope(edited(example(type_), place, good))
        assert parsed.access_list == (AccessEntry(address=PAYEE, storage_keys=(bytes(32),)),)
