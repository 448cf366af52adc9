"""What a tool may ask for, and what it comes to. Threat: T-001, T-006, T-007."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations import evm
from mcp_wallet_guard.operations.frozen import effect_hash
from mcp_wallet_guard.operations.intents import (
    Intent,
    Spend,
    Transfer,
    UnsignedTransaction,
    from_json,
    resolve,
    to_json,
)
from mcp_wallet_guard.operations.values import Account, Amount, Asset, ChainId
from tests.operations.strategies import ACCOUNT, CHAIN, EFFECT, ETH, PAYEE, TRANSACTION, addresses, chains, transactions

PAY = Transfer(to=PAYEE, amount=Amount("0.1"))
BYTES = UnsignedTransaction(unsigned_bytes=evm.encode_unsigned(TRANSACTION))

references = st.none() | st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True)
amounts = st.from_regex(r"(?:0|[1-9][0-9]{0,20})(?:\.[0-9]{1,20})?", fullmatch=True).map(Amount)
accounts = st.none() | st.just("main")
transfers = st.builds(
    Transfer, to=addresses, amount=amounts, chain=st.none() | chains, account=accounts, reference=references
)
foreign = st.builds(
    UnsignedTransaction,
    unsigned_bytes=transactions().map(evm.encode_unsigned),
    account=accounts,
    reference=references,
)
intents = transfers | foreign


@given(intents)
def test_an_intent_travels_unchanged(intent: Intent) -> None:
    assert from_json(to_json(intent)) == intent


def test_a_transfer_becomes_the_effect_that_it_names() -> None:
    assert resolve(PAY, account=ACCOUNT, native=ETH) == EFFECT
    named = replace(PAY, chain=CHAIN, account="main", reference="second")
    assert resolve(named, account=ACCOUNT, native=ETH) == replace(EFFECT, reference="second")


def test_bytes_and_intent_for_one_payment_have_one_effect() -> None:
    by_bytes = resolve(BYTES, account=ACCOUNT, native=ETH)
    assert effect_hash(by_bytes) == effect_hash(resolve(PAY, account=ACCOUNT, native=ETH))


@pytest.mark.parametrize(
    ("intent", "code"),
    [
        (replace(PAY, chain=ChainId(1)), "invalid_input.chain"),
        (replace(PAY, account="savings"), "invalid_input.account"),
        (replace(PAY, amount=Amount("0")), "invalid_input.zero"),
        (replace(PAY, amount=Amount("0.0000000000000000001")), "invalid_input.precision"),
        (replace(PAY, amount=Amount("9" * 78)), "invalid_input.amount"),
        (replace(BYTES, account="savings"), "invalid_input.account"),
        (
            UnsignedTransaction(unsigned_bytes=evm.encode_unsigned(replace(TRANSACTION, chain=ChainId(1)))),
            "invalid_input.chain",
        ),
        (
            UnsignedTransaction(unsigned_bytes=evm.encode_unsigned(replace(TRANSACTION, value=0))),
            "invalid_input.zero",
        ),
    ],
)
def test_what_the_pinned_account_cannot_mean_is_refused(intent: Spend, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        resolve(intent, account=ACCOUNT, native=ETH)
    assert caught.value.code == code


def test_decimals_come_from_the_pinned_asset() -> None:
    cents = Asset(CHAIN, "C", 2)
    assert resolve(PAY, account=ACCOUNT, native=cents).value == 10


@pytest.mark.parametrize(
    "change",
    [
        {"to": PAYEE.value}, {"to": None}, {"amount": "0.1"}, {"amount": 1}, {"chain": 31337},
        {"chain": "eip155:31337"},
        {"account": 1}, {"account": Account("main", CHAIN, PAYEE)}, {"reference": ""}, {"reference": "a b"},
        {"reference": 1},
    ],
)  # fmt: skip
def test_fields_of_other_types_make_no_transfer(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        replace(PAY, **change)


@pytest.mark.parametrize(
    "data", [b"", b"\x02", bytearray(BYTES.unsigned_bytes), BYTES.unsigned_bytes + b"\x00", None, "0x02"]
)
def test_bytes_that_are_no_transaction_make_no_intent(data: Any) -> None:
    with pytest.raises(InvalidInput):
        UnsignedTransaction(unsigned_bytes=data)


TRANSFER_JSON = {"kind": "transfer", "to": PAYEE.value, "amount": "0.1"}
BYTES_JSON = {"kind": "unsigned_transaction", "unsigned_bytes": "0x" + BYTES.unsigned_bytes.hex()}


@pytest.mark.parametrize(
    "data",
    [
        None, [], "transfer", {}, {"kind": "transfer"}, {"kind": "mint"}, {**TRANSFER_JSON, "confirmed": "true"},
        {**TRANSFER_JSON, "kind": None}, {**TRANSFER_JSON, "amount": 0.1}, {**TRANSFER_JSON, "amount": None},
        {**TRANSFER_JSON, "to": PAYEE.value.lower()}, {**TRANSFER_JSON, "chain": "1"},
        {**TRANSFER_JSON, "reference": "a b"}, {1: "x"}, {**TRANSFER_JSON, "unsigned_bytes": "0x"},
        {**BYTES_JSON, "to": PAYEE.value}, {**BYTES_JSON, "unsigned_bytes": BYTES.unsigned_bytes.hex()},
        {**BYTES_JSON, "unsigned_bytes": "0x" + BYTES.unsigned_bytes.hex().upper()},
        {**BYTES_JSON, "unsigned_bytes": "0x0" + BYTES.unsigned_bytes.hex()},
        {**BYTES_JSON, "unsigned_bytes": "0x0x" + BYTES.unsigned_bytes.hex()},
        {**BYTES_JSON, "unsigned_bytes": "0x" + BYTES.unsigned_bytes.hex() + " "},
        {**BYTES_JSON, "unsigned_bytes": "0x"}, {**BYTES_JSON, "unsigned_bytes": ""},
    ],
)  # fmt: skip
def test_json_with_anything_more_less_or_other_is_no_intent(data: object) -> None:
    assert from_json(TRANSFER_JSON) == PAY
    assert from_json(BYTES_JSON) == BYTES
    with pytest.raises(InvalidInput):
        from_json(data)


@given(
    st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.dictionaries(st.text(), inner), max_leaves=8)
)
def test_arbitrary_json_is_refused_cleanly(data: object) -> None:
    with pytest.raises(InvalidInput):
        from_json(data)
