"""EIP-7702 authorizations: what they say is in the bytes, and the bytes have one reading."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account as EthAccount
from eth_keys.datatypes import PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations import rlp
from mcp_wallet_guard.operations.authorizations import (
    MAGIC,
    Authorization,
    SignedAuthorization,
    authorization_hash,
    encode_authorization,
    from_item,
    parse_authorization,
    to_item,
)
from mcp_wallet_guard.operations.envelopes import parse_signed_envelope, parse_unsigned_envelope
from mcp_wallet_guard.operations.evm import SECP256K1_N, UINT64_MAX
from mcp_wallet_guard.operations.values import Address
from tests.operations.envelope_cases import authorizations, signed_authorization, signed_authorizations
from tests.operations.strategies import PAYEE

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "vectors" / "evm" / "envelopes.json").read_text()
)["authorizations"]
HONEST = Authorization(chain_number=1, delegate=PAYEE, nonce=3)


def refused(data: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_authorization(data)
    assert caught.value.code == "invalid_input.transaction"


@pytest.mark.parametrize("case", VECTORS, ids=[case["name"] for case in VECTORS])
def test_published_authorizations_have_their_published_hash(case: dict[str, Any]) -> None:
    authorization = Authorization(
        chain_number=case["chain_number"],
        delegate=Address.from_bytes(bytes.fromhex(case["delegate"][2:])),
        nonce=case["nonce"],
    )
    assert authorization_hash(authorization).hex() == case["hash"][2:]
    signature = PrivateKey(bytes.fromhex(case["key"][2:])).sign_msg_hash(authorization_hash(authorization))
    assert (signature.v, signature.r, signature.s) == (case["y_parity"], int(case["r"]), int(case["s"]))


@given(authorizations)
def test_bytes_and_fields_are_one_and_eth_account_signs_the_same_hash(authorization: Authorization) -> None:
    data = encode_authorization(authorization)
    assert data.startswith(MAGIC)
    assert parse_authorization(data) == authorization
    theirs = EthAccount.sign_authorization(
        {
            "chainId": authorization.chain_number, "address": authorization.delegate.raw, "nonce": authorization.nonce,
        },
        "0x" + "42" * 32,
    )  # fmt: skip
    assert bytes(theirs.authorization_hash) == authorization_hash(authorization)


@given(signed_authorizations)
def test_a_signed_one_is_read_from_a_transaction_as_it_was_written(signed: SignedAuthorization) -> None:
    assert from_item(to_item(signed)) == signed
    assert signed.is_low_s == (signed.s <= SECP256K1_N // 2)


def test_one_for_every_chain_and_one_that_takes_the_code_away_say_so() -> None:
    nobody = Address.from_bytes(bytes(20))
    assert (HONEST.is_for_every_chain, HONEST.is_revocation) == (False, False)
    everywhere = parse_authorization(encode_authorization(replace(HONEST, chain_number=0)))
    assert (everywhere.is_for_every_chain, everywhere.is_revocation) == (True, False)
    revoked = parse_authorization(encode_authorization(replace(HONEST, delegate=nobody)))
    assert (revoked.is_for_every_chain, revoked.is_revocation) == (False, True)


def test_every_field_changes_the_hash() -> None:
    others: dict[str, Any] = {"chain_number": 0, "delegate": Address.from_bytes(bytes(20)), "nonce": 4}
    assert set(others) == {field.name for field in fields(Authorization)}
    hashes = {authorization_hash(replace(HONEST, **{name: value})) for name, value in others.items()}
    assert len(hashes | {authorization_hash(HONEST)}) == 4


def test_each_changed_byte_is_an_error_or_another_authorization() -> None:
    data = encode_authorization(HONEST)
    for at in range(len(data)):
        for change in range(1, 256):
            bad = data[:at] + bytes([data[at] ^ change]) + data[at + 1 :]
            try:
                assert parse_authorization(bad) != HONEST
            except InvalidInput:
                pass
    for end in range(len(data)):
        refused(data[:end])
    refused(data + b"\0")


@pytest.mark.parametrize(
    "items",
    [
        [b"\x01", PAYEE.raw], [b"\x01", PAYEE.raw, b"\x03", b""], [b"\0", PAYEE.raw, b"\x03"],
        [b"\x01" + bytes(8), PAYEE.raw, b"\x03"], [b"\x01", PAYEE.raw[1:], b"\x03"], [b"\x01", b"", b"\x03"],
        [b"\x01", bytes(12) + PAYEE.raw, b"\x03"], [b"\x01", PAYEE.raw, b"\xff" * 8], [b"\x01", PAYEE.raw, b"\0\x03"],
        [[], PAYEE.raw, b"\x03"], [b"\x01", [PAYEE.raw], b"\x03"], b"\x01",
    ],
)  # fmt: skip
def test_another_form_is_refused(items: Any) -> None:
    refused(MAGIC + rlp.encode(items))
    good: list[rlp.Item] = [b"\x01", PAYEE.raw, b"\x03"]
    assert parse_authorization(MAGIC + rlp.encode(good)) == HONEST


@given(st.binary(max_size=60))
def test_random_bytes_are_refused(data: bytes) -> None:
    refused(data)
    refused(MAGIC + data)


@pytest.mark.parametrize("data", [None, "0x05", bytearray(MAGIC), b"", MAGIC])
def test_what_is_no_authorization_at_all_is_refused(data: Any) -> None:
    refused(data)


def test_an_authorization_is_no_transaction_and_no_transaction_is_one() -> None:
    for parse in (parse_unsigned_envelope, parse_signed_envelope):
        with pytest.raises(InvalidInput):
            parse(encode_authorization(HONEST))
    refused(b"\x04" + encode_authorization(HONEST)[1:])


@pytest.mark.parametrize(
    "wrong",
    [
        {"chain_number": -1}, {"chain_number": 2**64}, {"chain_number": True}, {"nonce": UINT64_MAX}, {"nonce": -1},
        {"nonce": "1"}, {"delegate": PAYEE.value}, {"delegate": None},
    ],
)  # fmt: skip
def test_fields_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        replace(HONEST, **wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"y_parity": 2}, {"y_parity": 27}, {"r": 0}, {"s": 0}, {"r": SECP256K1_N}, {"s": SECP256K1_N},
        {"authorization": None},
    ],
)  # fmt: skip
def test_a_signature_that_the_chain_would_skip_unread_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        replace(signed_authorization(), **wrong)
