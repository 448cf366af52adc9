"""EIP-7702 authorizations: fields <-> bytes, and the hash. Threat: T-035."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account import Account
from eth_keys.datatypes import PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations.authorizations import Authorization, encode, parse, signing_hash
from tests.operations.strategies import STRANGER, addresses

authorizations = st.builds(
    Authorization,
    chain_number=st.integers(0, 2**256 - 1) | st.sampled_from([0, 1, 127, 128]),
    delegate=addresses,
    nonce=st.integers(0, 2**64 - 2) | st.sampled_from([0, 127, 128]),
)


@given(authorizations)
def test_bytes_and_fields_are_one(authorization: Authorization) -> None:
    data = encode(authorization)
    assert parse(data) == authorization
    assert encode(parse(data)) == data


@given(authorizations)
@settings(max_examples=20)
def test_a_signature_of_eth_account_is_one_over_our_hash(authorization: Authorization) -> None:
    key = PrivateKey(b"\x42" * 32)
    signed = Account.sign_authorization(
        {
            "chainId": authorization.chain_number,
            "address": authorization.delegate.value,
            "nonce": authorization.nonce,
        },
        key.to_bytes(),
    )
    assert bytes(signed.authorization_hash) == signing_hash(authorization)


@pytest.mark.parametrize(
    "change",
    [
        {"chain_number": -1},
        {"chain_number": 2**256},
        {"nonce": -1},
        {"nonce": 2**64 - 1},
        {"nonce": True},
        {"delegate": b""},
    ],
)
def test_numbers_out_of_range_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        Authorization(**{"chain_number": 1, "delegate": STRANGER, "nonce": 0, **change})
    assert caught.value.code == "invalid_input.message"


def test_bytes_with_anything_else_in_them_are_refused() -> None:
    honest = encode(Authorization(chain_number=1, delegate=STRANGER, nonce=0))
    assert parse(honest).delegate == STRANGER
    two_byte_one = honest.replace(b"\xd7\x01\x94", b"\xd8\x81\x01\x94")
    for data in (
        honest + b"\0",
        honest[:-1],
        honest[1:],
        b"\x04" + honest[1:],
        b"",
        two_byte_one,
        b"\x05\xc0",
        b"\x05\x80",
    ):
        assert data != honest
        with pytest.raises(InvalidInput):
            parse(data)


@given(st.binary(max_size=60))
def test_random_bytes_raise_one_exception_type(data: bytes) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(b"\x05" + data)
    assert caught.value.code == "invalid_input.message"
