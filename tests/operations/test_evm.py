"""EIP-1559 transactions: these bytes, those fields, no third reading. Threat: T-036, T-037."""

from __future__ import annotations

import gzip
import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account as EthAccount
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_keys.datatypes import PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations import evm, rlp
from mcp_wallet_guard.operations.values import UINT256_MAX, Address, ChainId
from tests.operations.strategies import PAYEE, TRANSACTION, transactions

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "vectors" / "evm" / "eip1559.json").read_text()
)["cases"]
SHARED = Path(__file__).parents[2].parent / "shared" / "vectors" / "evm" / "ethers-transactions-sample.json.gz"
KEY = PrivateKey(b"\x42" * 32)


def of_vector(case: dict[str, Any]) -> evm.Eip1559:
    named = dict(case["fields"])
    named |= {"chain": ChainId(named["chain"]), "to": Address.parse(named["to"]), "value": int(named["value"])}
    return evm.Eip1559(**named | {"data": bytes.fromhex(named["data"][2:])})


def for_eth_account(tx: evm.Eip1559) -> dict[str, Any]:
    return {
        "type": 2, "chainId": tx.chain.number, "nonce": tx.nonce, "maxPriorityFeePerGas": tx.max_priority_fee_per_gas,
        "maxFeePerGas": tx.max_fee_per_gas, "gas": tx.gas, "to": tx.to.value, "value": tx.value, "data": tx.data,
    }  # fmt: skip


def sign(tx: evm.Eip1559) -> bytes:
    signature = KEY.sign_msg_hash(evm.signing_hash(evm.encode_unsigned(tx)))
    return evm.encode_signed(tx, y_parity=signature.v, r=signature.r, s=signature.s)


@pytest.mark.parametrize("case", VECTORS, ids=[case["name"] for case in VECTORS])
def test_published_transactions_have_their_published_bytes(case: dict[str, Any]) -> None:
    tx = of_vector(case)
    unsigned, signed = (bytes.fromhex(case[name][2:]) for name in ("unsigned", "signed"))
    assert evm.encode_unsigned(tx) == unsigned
    assert evm.parse_unsigned(unsigned) == tx
    signature = PrivateKey(bytes.fromhex(case["key"][2:])).sign_msg_hash(evm.signing_hash(unsigned))
    assert evm.encode_signed(tx, y_parity=signature.v, r=signature.r, s=signature.s) == signed
    assert evm.parse_signed(signed).transaction == tx


@given(transactions())
def test_bytes_and_fields_are_one(tx: evm.Eip1559) -> None:
    data = evm.encode_unsigned(tx)
    assert evm.parse_unsigned(data) == tx
    assert evm.encode_unsigned(evm.parse_unsigned(data)) == data


@given(transactions().filter(lambda tx: tx.max_fee_per_gas < 2**128))
def test_eth_account_writes_and_signs_the_same_bytes(tx: evm.Eip1559) -> None:
    theirs = TypedTransaction.from_dict(for_eth_account(tx))
    assert evm.signing_hash(evm.encode_unsigned(tx)) == bytes(theirs.hash())
    signed = EthAccount.from_key(KEY).sign_transaction(for_eth_account(tx))
    ours = sign(tx)
    assert ours == bytes(signed.raw_transaction)
    assert evm.transaction_hash(ours) == bytes(signed.hash)


@given(transactions())
def test_signed_bytes_are_read_back_whole(tx: evm.Eip1559) -> None:
    data = sign(tx)
    parsed = evm.parse_signed(data)
    assert parsed.transaction == tx
    assert evm.encode_signed(parsed.transaction, y_parity=parsed.y_parity, r=parsed.r, s=parsed.s) == data
    assert EthAccount.recover_transaction(data) == EthAccount.from_key(KEY).address


@given(transactions(), st.data())
def test_a_changed_byte_is_refused_or_another_transaction(tx: evm.Eip1559, data: st.DataObject) -> None:
    good = evm.encode_unsigned(tx)
    at = data.draw(st.integers(0, len(good) - 1))
    bad = good[:at] + bytes([good[at] ^ data.draw(st.integers(1, 255))]) + good[at + 1 :]
    try:
        parsed = evm.parse_unsigned(bad)
    except InvalidInput:
        return
    assert parsed != tx
    assert evm.encode_unsigned(parsed) == bad


@given(transactions(), st.data())
def test_bytes_put_in_or_taken_out_are_refused_or_another_transaction(tx: evm.Eip1559, data: st.DataObject) -> None:
    good = evm.encode_unsigned(tx)
    at = data.draw(st.integers(0, len(good)))
    extra = data.draw(st.binary(min_size=1, max_size=3))
    for bad in (good[:at] + extra + good[at:], good[:at] + good[at + len(extra) :]):
        try:
            parsed = evm.parse_unsigned(bad)
        except InvalidInput:
            continue
        assert evm.encode_unsigned(parsed) == bad
        assert bad == good or parsed != tx


@given(st.binary(max_size=200).map(lambda body: b"\x02" + body))
def test_arbitrary_bytes_are_read_in_one_way_or_not_at_all(data: bytes) -> None:
    try:
        parsed = evm.parse_unsigned(data)
    except InvalidInput:
        return
    assert evm.encode_unsigned(parsed) == data


def unsigned(**change: Any) -> bytes:
    """The honest transaction's bytes with raw fields exchanged, by position."""
    items = rlp.decode(evm.encode_unsigned(TRANSACTION)[1:])
    assert isinstance(items, list)
    for position, item in change.items():
        items[int(position[1:])] = item
    return b"\x02" + rlp.encode(items)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x02", id="the type alone"),
        pytest.param(b"\x01" + unsigned()[1:], id="an access-list transaction's type"),
        pytest.param(b"\x03" + unsigned()[1:], id="a blob transaction's type"),
        pytest.param(b"\x04" + unsigned()[1:], id="a set-code transaction's type (EIP-7702)"),
        pytest.param(unsigned()[1:], id="a legacy transaction's form"),
        pytest.param(unsigned() + b"\x00", id="trailing bytes"),
        pytest.param(b"\x02" + rlp.encode(b"x"), id="no list"),
        pytest.param(b"\x02" + rlp.encode([b""] * 8), id="eight fields"),
        pytest.param(sign(TRANSACTION), id="a signed transaction"),
        pytest.param(unsigned(_0=b""), id="no chain id"),
        pytest.param(unsigned(_0=b"\x00\x01"), id="a padded chain id"),
        pytest.param(unsigned(_0=b"\x01" + bytes(8)), id="a chain id of 65 bits"),
        pytest.param(unsigned(_1=b"\x00"), id="zero as a byte"),
        pytest.param(unsigned(_1=b"\xff" * 8), id="the nonce that EIP-2681 forbids"),
        pytest.param(unsigned(_2=rlp.encode_int(4 * 10**9)), id="a tip above the fee cap"),
        pytest.param(unsigned(_3=b"\x01" + bytes(32)), id="a fee of 257 bits"),
        pytest.param(unsigned(_4=b"\x01" + bytes(4)), id="more gas than 32 bits"),
        pytest.param(unsigned(_5=b""), id="no recipient: a contract creation"),
        pytest.param(unsigned(_5=PAYEE.raw[1:]), id="a recipient of 19 bytes"),
        pytest.param(unsigned(_5=bytes(12) + PAYEE.raw), id="a padded recipient"),
        pytest.param(unsigned(_5=[PAYEE.raw]), id="a listed recipient"),
        pytest.param(unsigned(_6=[]), id="a listed value"),
        pytest.param(unsigned(_7=[]), id="listed data"),
        pytest.param(unsigned(_8=b""), id="an access list that is a string"),
        pytest.param(unsigned(_8=[[PAYEE.raw, []]]), id="an access list with an entry"),
    ],
)
def test_what_is_not_a_canonical_plain_transaction_is_refused(data: bytes) -> None:
    assert evm.parse_unsigned(unsigned()) == TRANSACTION
    with pytest.raises(InvalidInput) as caught:
        evm.parse_unsigned(data)
    assert caught.value.code == "invalid_input.transaction"


@pytest.mark.parametrize("data", [bytearray(unsigned()), memoryview(unsigned()), unsigned().hex(), None])
def test_only_bytes_are_bytes(data: Any) -> None:
    with pytest.raises(InvalidInput):
        evm.parse_unsigned(data)


@pytest.mark.parametrize(
    ("y_parity", "r", "s"),
    [(2, 1, 1), (27, 1, 1), (0, 0, 1), (0, 1, 0), (0, evm.SECP256K1_N, 1), (0, 1, evm.SECP256K1_N), (0, 2**256 - 1, 1)],
)
def test_a_signature_outside_the_group_is_refused(y_parity: int, r: int, s: int) -> None:
    edge = evm.SECP256K1_N - 1
    assert evm.parse_signed(evm.encode_signed(TRANSACTION, y_parity=1, r=edge, s=edge)).r == edge
    with pytest.raises(InvalidInput):
        evm.parse_signed(evm.encode_signed(TRANSACTION, y_parity=y_parity, r=r, s=s))


def test_an_unsigned_transaction_is_not_taken_for_a_signed_one() -> None:
    with pytest.raises(InvalidInput):
        evm.parse_signed(evm.encode_unsigned(TRANSACTION))


BAD: list[dict[str, Any]] = [
    {"nonce": -1}, {"nonce": 2**64 - 1}, {"nonce": True}, {"nonce": 1.0}, {"nonce": "1"},
    {"gas": -1}, {"gas": 2**32}, {"value": -1}, {"value": UINT256_MAX + 1}, {"value": 1.0}, {"value": None},
    {"max_fee_per_gas": 10**9 - 1}, {"max_priority_fee_per_gas": 3 * 10**9 + 1},
    {"to": None}, {"to": PAYEE.value}, {"to": PAYEE.raw}, {"chain": 31337}, {"chain": None},
    {"data": "0x"}, {"data": bytearray()}, {"data": None}, {"data": bytes(evm.DATA_MAX + 1)},
]  # fmt: skip


@pytest.mark.parametrize("change", BAD, ids=[next(iter(change)) for change in BAD])
def test_fields_out_of_range_make_no_transaction(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        replace(TRANSACTION, **change)


def test_the_largest_transaction_still_parses_when_it_is_signed() -> None:
    largest = evm.Eip1559(
        chain=ChainId(2**64 - 1), nonce=2**64 - 2, max_priority_fee_per_gas=UINT256_MAX, max_fee_per_gas=UINT256_MAX,
        gas=evm.GAS_MAX, to=PAYEE, value=UINT256_MAX, data=b"\xff" * evm.DATA_MAX,
    )  # fmt: skip
    edge = evm.SECP256K1_N - 1
    assert evm.parse_unsigned(evm.encode_unsigned(largest)) == largest
    assert evm.parse_signed(evm.encode_signed(largest, y_parity=1, r=edge, s=edge)).transaction == largest


def test_the_fee_that_a_person_reads_is_the_most_that_can_be_taken() -> None:
    assert TRANSACTION.max_fee == 21_000 * 3 * 10**9


def test_every_field_changes_the_bytes() -> None:
    others: dict[str, Any] = {
        "chain": ChainId(1), "nonce": 8, "max_priority_fee_per_gas": 1, "max_fee_per_gas": 4 * 10**9, "gas": 21_001,
        "to": Address.from_bytes(bytes(20)), "value": 1, "data": b"\x00",
    }  # fmt: skip
    assert set(others) == {field.name for field in fields(evm.Eip1559)}
    encodings = {evm.encode_unsigned(replace(TRANSACTION, **{name: value})) for name, value in others.items()}
    assert len(encodings | {evm.encode_unsigned(TRANSACTION)}) == len(others) + 1


@pytest.mark.skipif(not SHARED.exists(), reason="the public vectors are not beside this repository")
def test_transactions_of_ethers_are_read_exactly_or_refused_for_what_we_do_not_show() -> None:
    cases = json.loads(gzip.decompress(SHARED.read_bytes()))["cases"]
    read = 0
    for case in cases:
        data = bytes.fromhex(case["unsignedLondon"][2:])
        asked = case["transaction"]
        if asked.get("to") and not asked.get("accessList") and int(asked["gasLimit"], 16) <= evm.GAS_MAX:
            assert evm.encode_unsigned(evm.parse_unsigned(data)) == data
            read += 1
            continue
        with pytest.raises(InvalidInput):
            evm.parse_unsigned(data)
        for other in ("unsignedLegacy", "unsignedEip155", "unsignedBerlin", "unsignedCancun"):
            if other in case:
                with pytest.raises(InvalidInput):
                    evm.parse_unsigned(bytes.fromhex(case[other][2:]))
    assert (read, len(cases)) == (len(VECTORS), 800)
