"""Safe transactions and messages: fields, typed data, and the hashes that owners compare. Threat: T-032."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_wallet_guard.operations import safe, typed_data
from mcp_wallet_guard.operations.safe import NOBODY, Operation, SafeMessage, SafeTransaction
from mcp_wallet_guard.operations.typed_data import Domain, TypedData, parse_typed_data, to_json
from mcp_wallet_guard.operations.values import Address, ChainId
from tests.operations.strategies import addresses, chains

# Source: safe-eth-py, safe_eth/safe/tests/mocks/mock_transactions.py: a transaction of Gnosis Chain, executed 2024.
SWAP_OWNER = SafeTransaction(
    safe=Address("0xAedF684C1c41B51CbD228116e11484425d2FACB9"),
    chain=ChainId(100),
    to=Address("0xAedF684C1c41B51CbD228116e11484425d2FACB9"),
    value=0,
    data=bytes.fromhex(
        "e318b52b" + "1".rjust(64, "0") + "c6b82ba149cfa113f8f48d5e3b1f78e933e16dfd".rjust(64, "0")
        + "3066786706ff0b6e71044e55074dbae7d01573cb".rjust(64, "0")
    ),
    operation=Operation.CALL,
    nonce=5,
)  # fmt: skip
# Source: the same, safe_eth/safe/tests/test_safe_tx.py, version 1.0.0: a domain without chain.
LEGACY = SafeTransaction(
    safe=Address("0x692a70D2e424a56D2C6C27aA97D1a86395877b3A"),
    chain=None,
    to=Address("0x5AC255889882aaB35A2aa939679E3F3d4Cea221E"),
    value=5_000_000,
    data=b"\0",
    operation=Operation.CALL,
    safe_tx_gas=50_000,
    base_gas=100,
    gas_price=10_000,
    nonce=67,
)
# Source: the same, version 1.3.0 on Rinkeby.
RINKEBY = SafeTransaction(
    safe=Address("0x2B0b9cBDA3D7b0F760187c52A8FFB18C48E5d96A"),
    chain=ChainId(4),
    to=Address("0x79613FD49472C3C7a32188e45ff00e7bdC8a897d"),
    value=2,
    data=b"\x12\x12",
    operation=Operation.CALL,
    gas_token=Address("0xFA995c7a0d32A4e7497508a5C380369BE8dB49Db"),
    refund_receiver=Address("0x6b92f5E5360bfCa8F5d3FcE65D87382967847983"),
    nonce=17,
)
PUBLISHED = {
    "06c88df42a8ab64b2b2c5e2b5c8c4df384c267b39929a8416d1518db23f91783": SWAP_OWNER,
    "7c60341f3e1b4483575f38e84e97d6b332a2dd55b9290f39e6e26eef29a04fe7": LEGACY,
    "01d42a801ac44d3ebd43592be980dea0756d7f7b27d718d3016a42ea7ce85587": RINKEBY,
}


@pytest.mark.parametrize("published", PUBLISHED)
def test_published_transactions_have_their_published_hash(published: str) -> None:
    assert safe.safe_hash(PUBLISHED[published]).hex() == published


def test_the_types_hash_to_the_constants_of_the_contracts() -> None:
    # Source: Safe.sol and CompatibilityFallbackHandler.sol 1.3.0; GnosisSafe.sol 1.2.0 for the domain without chain.
    typed = SWAP_OWNER.typed_data
    assert typed_data.type_hash(typed, "SafeTx").hex() == (
        "bb8310d486368db6bd6f849402fdd73ad53d316b5a4b2644ad6efe0f941286d8"
    )
    assert typed_data.type_hash(typed, "EIP712Domain").hex() == (
        "47e79534a245952e8b16893a336b85a3d9ea9fa8c573f3d803afb92a79469218"
    )
    assert typed_data.type_hash(LEGACY.typed_data, "EIP712Domain").hex() == (
        "035aff83d86937d35b32e04f0ddc6ff469290eef2f1b692d8a815c89404d4749"
    )
    message = SafeMessage(safe=SWAP_OWNER.safe, chain=ChainId(1), message=bytes(32)).typed_data
    assert typed_data.type_hash(message, "SafeMessage").hex() == (
        "60b3cbf8b4a223d68d641b3b6ddf9a298e7f33710cf3d3a9d1146b5a6150fbca"
    )


_transactions = st.builds(
    SafeTransaction,
    safe=addresses,
    chain=st.none() | chains,
    to=addresses,
    value=st.integers(0, 2**256 - 1),
    data=st.binary(max_size=40),
    operation=st.sampled_from(Operation),
    safe_tx_gas=st.integers(0, 2**256 - 1),
    base_gas=st.integers(0, 9),
    gas_price=st.integers(0, 9),
    gas_token=addresses,
    refund_receiver=addresses,
    nonce=st.integers(0, 2**256 - 1),
)
_messages = st.builds(SafeMessage, safe=addresses, chain=st.none() | chains, message=st.binary(max_size=64))


@given(_transactions | _messages)
@settings(max_examples=50)
def test_fields_typed_data_and_text_are_one(statement: SafeTransaction | SafeMessage) -> None:
    typed = parse_typed_data(to_json(statement.typed_data))
    assert typed == statement.typed_data
    assert safe.read_statement(typed) == statement
    assert safe.safe_hash(statement) == typed_data.signing_hash(typed)
    assert safe.domain_hash(statement) == typed_data.domain_separator(typed)
    assert safe.message_hash(statement) == typed_data.message_hash(typed)


OTHER = Address("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC")
CHANGES: list[dict[str, Any]] = [
    {"safe": OTHER}, {"chain": ChainId(1)}, {"chain": None}, {"to": OTHER}, {"value": 1}, {"data": b""},
    {"operation": Operation.DELEGATECALL}, {"safe_tx_gas": 1}, {"base_gas": 1}, {"gas_price": 1}, {"gas_token": OTHER},
    {"refund_receiver": OTHER}, {"nonce": 6},
]  # fmt: skip


def test_every_field_changes_the_hash() -> None:
    hashes = {safe.safe_hash(replace(SWAP_OWNER, **change)) for change in CHANGES}
    assert len(hashes | {safe.safe_hash(SWAP_OWNER)}) == len(CHANGES) + 1


def test_a_refund_is_told_by_its_price_alone() -> None:
    assert LEGACY.has_refund
    assert LEGACY.gas_token == NOBODY
    assert not RINKEBY.has_refund


def _in(domain: Domain) -> TypedData:
    document = {
        "types": {"SafeMessage": [{"name": "message", "type": "bytes"}]},
        "primaryType": "SafeMessage",
        "domain": {
            name: f"0x{value.hex()}" if isinstance(value, bytes) else str(value)
            for name, value in domain.struct.members.items()
        },
        "message": {"message": "0x"},
    }
    return parse_typed_data(document)


def test_a_safes_type_in_a_domain_of_others_is_not_taken_for_a_safes() -> None:
    """Threat: T-032."""
    assert safe.read_statement(_in(Domain(verifying_contract=OTHER, chain_id=1))) is not None
    for domain in (
        Domain(verifying_contract=OTHER, chain_id=1, name="Safe"),
        Domain(verifying_contract=OTHER, chain_id=1, version="1"),
        Domain(verifying_contract=OTHER, chain_id=1, salt=bytes(32)),
        Domain(verifying_contract=OTHER, chain_id=0),
        Domain(verifying_contract=OTHER, chain_id=2**64),
        Domain(chain_id=1),
    ):
        assert safe.read_statement(_in(domain)) is None


def test_a_type_of_a_safes_name_is_not_a_safes() -> None:
    document = {
        "types": {"SafeTx": [{"name": "to", "type": "address"}]},
        "primaryType": "SafeTx",
        "domain": {"chainId": 1, "verifyingContract": OTHER.value},
        "message": {"to": OTHER.value},
    }
    assert safe.read_statement(parse_typed_data(document)) is None


def test_an_operation_that_no_safe_has_is_not_read_as_one() -> None:
    document = {**SWAP_OWNER.typed_data.message.members, "operation": 2}
    typed = replace(SWAP_OWNER.typed_data, message=typed_data.Struct("SafeTx", document))
    assert safe.read_statement(typed) is None
