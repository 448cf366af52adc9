"""Statements as intents: what may be asked, one JSON text for each, and exactly the bytes and hashes of the standards.

Threat: T-006, T-034.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

import pytest
from eth_account.messages import _hash_eip191_message, encode_defunct, encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.errors import InvalidInput, Tampered
from mcp_wallet_guard.operations.authorizations import Authorization, authorization_hash, encode_authorization
from mcp_wallet_guard.operations.frozen import FrozenOperation, freeze_statement
from mcp_wallet_guard.operations.intents import Intent, from_json, to_json
from mcp_wallet_guard.operations.messages import MAX_BYTES
from mcp_wallet_guard.operations.statements import (
    STATEMENTS,
    UNSIGNED_FORMS,
    Authorize7702,
    SignMessage,
    SignTypedData,
    Statement,
    StatementEffect,
    is_statement_of,
    resolve_statement,
    statement_bytes,
    statement_hash,
)
from mcp_wallet_guard.operations.values import Address, ChainId
from tests.operations.strategies import ACCOUNT, CHAIN, PAYEE, addresses, chains

MAIL: Final[dict[str, Any]] = {
    "types": {
        "EIP712Domain": [{"name": "name", "type": "string"}, {"name": "chainId", "type": "uint256"}],
        "Mail": [{"name": "to", "type": "address"}, {"name": "contents", "type": "string"}],
    },
    "primaryType": "Mail",
    "domain": {"name": "Ether Mail", "chainId": 1},
    "message": {"to": PAYEE.value, "contents": "Hello, Bob!"},
}
"""After the example of EIP-712."""
TYPED: Final = json.dumps(MAIL)
more = {
    "chain": st.none() | chains,
    "account": st.none() | st.just("main"),
    "reference": st.none() | st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True),
}
statements = (
    st.builds(SignMessage, message=st.binary(min_size=1, max_size=99) | st.text(min_size=1, max_size=99), **more)
    | st.builds(SignTypedData, typed_data=st.just(TYPED), **more)
    | st.builds(Authorize7702, delegate=addresses, nonce=st.none() | st.integers(0, 2**64 - 2), **more)
)


def effect(intent: Statement) -> StatementEffect:
    return resolve_statement(intent, account=ACCOUNT)


def frozen(intent: Statement, nonce: int = 3) -> FrozenOperation:
    return freeze_statement(effect(intent), nonce=nonce, expires_at=1)


@given(statements)
def test_each_statement_has_one_json_text_that_reads_back(intent: Intent) -> None:
    told = to_json(intent)
    assert from_json(json.loads(json.dumps(told))) == intent
    assert to_json(from_json(told)) == told


def test_a_message_is_text_or_the_bytes_that_its_hex_stands_for() -> None:
    assert SignMessage(message="Hi") == SignMessage(message=b"Hi") == SignMessage(message="0x4869")
    assert SignMessage(message="0x486") == SignMessage(message=b"0x486"), "an odd number of digits is text"
    assert SignMessage(message="0xHi").message == b"0xHi"
    assert SignMessage(message="caf\u00e9").message == b"caf\xc3\xa9"


def test_typed_data_is_kept_in_canonical_form_whatever_its_spelling() -> None:
    spelled = json.dumps(MAIL, indent=2, sort_keys=True)
    assert SignTypedData(typed_data=spelled) == SignTypedData(typed_data=TYPED)
    assert statement_hash(effect(SignTypedData(typed_data=spelled))) == statement_hash(
        effect(SignTypedData(typed_data=TYPED))
    )


@pytest.mark.parametrize(
    ("kind", "values", "code"),
    [
        (SignMessage, {"message": ""}, "invalid_input.message"),
        (SignMessage, {"message": "0x"}, "invalid_input.message"),
        (SignMessage, {"message": b"x" * (MAX_BYTES + 1)}, "invalid_input.message"),
        (SignMessage, {"message": bytearray(b"x")}, "invalid_input.message"),
        (SignMessage, {"message": None}, "invalid_input.message"),
        (SignMessage, {"message": "\ud800"}, "invalid_input.message"),
        (SignMessage, {"message": "Hi", "chain": 1}, "invalid_input.chain"),
        (SignMessage, {"message": "Hi", "reference": "a b"}, "invalid_input.reference"),
        (SignTypedData, {"typed_data": MAIL}, "invalid_input.typed_data"),
        (SignTypedData, {"typed_data": "[]"}, "invalid_input.typed_data"),
        (SignTypedData, {"typed_data": TYPED.replace("Hello", "\\ud800")}, "invalid_input.typed_data"),
        (SignTypedData, {"typed_data": TYPED, "account": 1}, "invalid_input.account"),
        (Authorize7702, {"delegate": PAYEE.value}, "invalid_input.address"),
        (Authorize7702, {"delegate": PAYEE, "nonce": -1}, "invalid_input.transaction"),
        (Authorize7702, {"delegate": PAYEE, "nonce": 2**64 - 1}, "invalid_input.transaction"),
        (Authorize7702, {"delegate": PAYEE, "nonce": True}, "invalid_input.transaction"),
        (Authorize7702, {"delegate": PAYEE, "chain": "eip155:1"}, "invalid_input.chain"),
    ],
)
def test_what_is_no_statement_is_refused(kind: type[Any], values: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        kind(**values)
    assert refusal.value.code == code


@pytest.mark.parametrize("kind", UNSIGNED_FORMS)
def test_eth_sign_and_old_typed_data_are_refused_with_the_reason(kind: str) -> None:
    """Threat: T-034."""
    with pytest.raises(InvalidInput) as refusal:
        from_json({"kind": kind, "message": "0x" + "00" * 32})
    assert (refusal.value.code, refusal.value.detail) == ("invalid_input.message", UNSIGNED_FORMS[kind])


@pytest.mark.parametrize(
    "changed",
    [
        {"kind": "sign_message", "message": "Hi"},
        {"kind": "sign_message", "message": "0xAB"},
        {"kind": "sign_message", "message": "0x4869", "nonce": "1"},
        {"kind": "sign_message"},
        {"kind": "authorize_7702", "delegate": PAYEE.value, "nonce": "01"},
        {"kind": "authorize_7702", "delegate": PAYEE.value, "nonce": "-1"},
        {"kind": "authorize_7702", "delegate": PAYEE.value.lower()},
        {"kind": "authorize_7702", "delegate": PAYEE.value, "chain": "eip155:0"},
        {"kind": "sign_typed_data", "typed_data": "{}"},
    ],
)
def test_json_that_no_statement_writes_is_refused(changed: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        from_json(changed)


def test_the_pinned_account_and_chain_alone_may_be_named() -> None:
    assert effect(SignMessage(message="Hi", account="main", chain=CHAIN)).body == b"Hi"
    with pytest.raises(InvalidInput, match="account"):
        effect(SignMessage(message="Hi", account="savings"))
    with pytest.raises(InvalidInput, match="chain"):
        effect(SignMessage(message="Hi", chain=ChainId(CHAIN.number + 1)))


def test_what_differs_in_anything_is_another_effect() -> None:
    told: list[Statement] = [
        SignMessage(message="Hi"),
        SignMessage(message="Ho"),
        SignMessage(message="Hi", reference="1"),
        SignMessage(message=TYPED),
        SignTypedData(typed_data=TYPED),
        SignTypedData(typed_data=TYPED.replace("Bob", "Eve")),
        SignMessage(message=PAYEE.raw),
        Authorize7702(delegate=PAYEE),
        Authorize7702(delegate=PAYEE, nonce=0),
        Authorize7702(delegate=PAYEE, nonce=1),
        Authorize7702(delegate=Address.from_bytes(bytes(20))),
    ]
    assert len({statement_hash(effect(each)) for each in told}) == len(told)
    elsewhere = replace(ACCOUNT, chain=ChainId(CHAIN.number + 1))
    here = effect(told[0])
    assert statement_hash(here) != statement_hash(replace(here, account=elsewhere))
    assert {type(each) for each in told} == set(STATEMENTS)


@given(st.binary(min_size=1, max_size=99))
def test_messages_are_hashed_as_another_library_does(message: bytes) -> None:
    (found,) = frozen(SignMessage(message=message)).signing_hashes
    assert found == _hash_eip191_message(encode_defunct(primitive=message))


def test_typed_data_is_hashed_as_another_library_does() -> None:
    operation = frozen(SignTypedData(typed_data=TYPED))
    assert operation.signing_hashes == (_hash_eip191_message(encode_typed_data(full_message=MAIL)),)


@given(delegate=addresses, given_nonce=st.none() | st.integers(0, 2**64 - 2), next_nonce=st.integers(0, 2**64 - 2))
def test_an_authorization_is_for_the_wallets_chain_and_the_given_or_next_nonce(
    delegate: Address, given_nonce: int | None, next_nonce: int
) -> None:
    operation = frozen(Authorize7702(delegate=delegate, nonce=given_nonce), next_nonce)
    nonce = next_nonce if given_nonce is None else given_nonce
    expected = Authorization(chain_number=CHAIN.number, delegate=delegate, nonce=nonce)
    assert operation.unsigned_bytes == encode_authorization(expected)
    assert operation.signing_hashes == (authorization_hash(expected),)


def test_bytes_that_say_something_else_are_not_of_the_statement() -> None:
    asked = effect(Authorize7702(delegate=PAYEE))
    other = Authorization(chain_number=CHAIN.number, delegate=Address.from_bytes(bytes(20)), nonce=3)
    assert is_statement_of(asked, statement_bytes(asked, nonce=3))
    for changed in (other, Authorization(chain_number=0, delegate=PAYEE, nonce=3)):
        assert not is_statement_of(asked, encode_authorization(changed))
    named = replace(asked, nonce=4)
    assert not is_statement_of(named, statement_bytes(asked, nonce=3))
    assert is_statement_of(named, statement_bytes(asked, nonce=4))
    with pytest.raises(InvalidInput):
        is_statement_of(asked, b"\x05")
    message = effect(SignMessage(message="Hi"))
    assert is_statement_of(message, b"Hi")
    assert not is_statement_of(message, b"hi")


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("typed_data", b"{}"),
        ("typed_data", TYPED.encode()),
        ("authorization", b"\x05"),
        ("message", b"x" * (MAX_BYTES + 1)),
        ("action", b"{}"),
        ("eth_sign", bytes(32)),
    ],
)
def test_frozen_bytes_that_are_no_canonical_statement_have_no_hash_to_sign(kind: str, data: bytes) -> None:
    """Threat: T-006. What a store holds is read as strictly as what a caller sends."""
    operation = replace(frozen(SignMessage(message="Hi")), kind=kind, unsigned_bytes=data)
    with pytest.raises(Tampered):
        _ = operation.signing_hashes


def test_the_digest_tells_equal_bytes_of_two_kinds_apart() -> None:
    message = frozen(SignMessage(message=TYPED))
    assert message.digest != replace(message, kind="typed_data").digest
