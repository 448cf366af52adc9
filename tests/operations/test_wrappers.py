"""Signatures that hold other things: ERC-6492 wrappers and the signatures of a Safe's owners."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode as eth_abi_encode
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations import wrappers
from mcp_wallet_guard.operations.wrappers import (
    MAGIC,
    OwnerKind,
    OwnerSignature,
    SignatureForm,
    WrappedSignature,
    encode_owner_signatures,
    encode_wrapper,
    form_of,
    parse_owner_signatures,
    parse_wrapper,
)
from tests.operations.strategies import PAYEE, STRANGER, addresses

ECDSA = bytes(range(64)) + b"\x1b"


@given(st.builds(WrappedSignature, factory=addresses, call=st.binary(max_size=80), signature=st.binary(max_size=80)))
def test_a_wrapper_is_the_abi_encoding_and_the_magic_bytes(wrapped: WrappedSignature) -> None:
    theirs = eth_abi_encode(["address", "bytes", "bytes"], [wrapped.factory.value, wrapped.call, wrapped.signature])
    assert encode_wrapper(wrapped) == theirs + MAGIC
    assert parse_wrapper(theirs + MAGIC) == wrapped
    assert form_of(theirs + MAGIC) is SignatureForm.WRAPPED


def test_a_wrapper_with_hidden_bytes_is_refused() -> None:
    honest = encode_wrapper(WrappedSignature(factory=PAYEE, call=b"abc", signature=ECDSA))
    assert parse_wrapper(honest).signature == ECDSA
    body = honest.removesuffix(MAGIC)
    dirty = bytearray(body)
    dirty[0] = 1
    for data in (body, body + bytes(32) + MAGIC, bytes(dirty) + MAGIC, MAGIC, body[:-32] + MAGIC, b""):
        with pytest.raises(InvalidInput) as caught:
            parse_wrapper(data)
        assert caught.value.code == "invalid_input.message"


@pytest.mark.parametrize(
    ("signature", "form"),
    [(bytes(65), SignatureForm.ECDSA), (bytes(64), SignatureForm.COMPACT), (b"", SignatureForm.CONTRACT),
     (bytes(130), SignatureForm.CONTRACT), (bytes(33) + MAGIC, SignatureForm.WRAPPED)],
)  # fmt: skip
def test_a_signature_is_told_by_length_and_end(signature: bytes, form: SignatureForm) -> None:
    assert form_of(signature) is form


def test_an_approved_hash_of_a_real_safe_is_read() -> None:
    # Source: safe-eth-py, safe_eth/safe/tests/mocks/mock_transactions.py.
    raw = bytes.fromhex("c6b82ba149cfa113f8f48d5e3b1f78e933e16dfd".rjust(64, "0") + "00" * 32 + "01")
    (found,) = parse_owner_signatures(raw)
    assert found.kind is OwnerKind.APPROVED
    assert found.owner is not None
    assert found.owner.value == "0xc6b82bA149CFA113f8f48d5E3b1F78e933e16DfD"


_owners = st.one_of(
    st.builds(
        lambda v: OwnerSignature(kind=OwnerKind.ECDSA, owner=None, data=ECDSA[:64] + v), st.sampled_from([b"\x1b"])
    ),
    st.just(OwnerSignature(kind=OwnerKind.PERSONAL, owner=None, data=ECDSA[:64] + b"\x1f")),
    st.builds(OwnerSignature, kind=st.just(OwnerKind.APPROVED), owner=addresses, data=st.just(b"")),
    st.builds(OwnerSignature, kind=st.just(OwnerKind.CONTRACT), owner=addresses, data=st.binary(max_size=140)),
)


@given(st.lists(_owners, min_size=1, max_size=4).map(tuple))
@settings(max_examples=60)
def test_owners_signatures_and_bytes_are_one(signatures: tuple[OwnerSignature, ...]) -> None:
    assert parse_owner_signatures(encode_owner_signatures(signatures)) == signatures


def test_owners_signatures_with_hidden_or_shared_bytes_are_refused() -> None:
    contract = OwnerSignature(kind=OwnerKind.CONTRACT, owner=STRANGER, data=b"abc")
    honest = encode_owner_signatures((contract, contract))
    assert parse_owner_signatures(honest) == (contract, contract)
    shared = honest[:65] + honest[:65] + honest[130:]  # both point at the bytes of the first
    for raw in (honest + b"\0", shared, honest[:-1], honest[:64], b"", ECDSA + ECDSA[:10]):
        with pytest.raises(InvalidInput):
            parse_owner_signatures(raw)


@pytest.mark.parametrize("kind", OwnerKind)
def test_a_part_without_what_its_kind_needs_is_not_written(kind: OwnerKind) -> None:
    with pytest.raises(InvalidInput):
        encode_owner_signatures((OwnerSignature(kind=kind, owner=None, data=b"short"),))


@given(st.binary(max_size=200))
def test_random_signatures_raise_one_exception_type(raw: bytes) -> None:
    for parse in (wrappers.parse_wrapper, wrappers.parse_owner_signatures):
        try:
            parse(raw)
        except InvalidInput:
            continue
        assert parse is wrappers.parse_owner_signatures
        assert encode_owner_signatures(parse_owner_signatures(raw)) == raw
