"""Frozen operations: two identities, and no way to freeze something else than what was asked.

Threat: T-006, T-007, T-008, T-097.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from mcp_wallet_guard.errors import Tampered
from mcp_wallet_guard.operations import evm
from mcp_wallet_guard.operations.frozen import effect_hash, freeze, matches
from mcp_wallet_guard.operations.intents import Effect
from mcp_wallet_guard.operations.values import Account, ChainId, keccak256
from tests.operations.strategies import ACCOUNT, CHAIN, EFFECT, STRANGER, TRANSACTION, transactions

FROZEN = freeze(EFFECT, TRANSACTION, expires_at=1_800_000_600)


def test_what_is_frozen_is_what_was_asked() -> None:
    assert FROZEN.transaction == TRANSACTION
    assert FROZEN.unsigned_bytes == evm.encode_unsigned(TRANSACTION)
    assert FROZEN.signing_hashes == (keccak256(FROZEN.unsigned_bytes),)
    assert FROZEN.effect_hash == effect_hash(EFFECT)


@pytest.mark.parametrize(
    "change",
    [{"to": STRANGER}, {"value": 10**17 + 1}, {"data": b"\x00"}, {"chain": ChainId(1)}],
    ids=["payee", "amount", "calldata", "chain"],
)
def test_another_payee_amount_calldata_or_chain_cannot_be_frozen(change: dict[str, Any]) -> None:
    with pytest.raises(Tampered) as caught:
        freeze(EFFECT, replace(TRANSACTION, **change), expires_at=1)
    assert caught.value.code == "tampered.operation"


@given(transactions())
def test_freezing_and_matching_agree(tx: evm.Eip1559) -> None:
    account = Account("main", tx.chain, ACCOUNT.address)
    effect = Effect(kind="transfer", account=account, to=tx.to, value=tx.value, data=tx.data, reference=None)
    assert matches(effect, tx)
    operation = freeze(effect, tx, expires_at=1)
    assert operation.transaction == tx
    assert not matches(replace(effect, value=tx.value ^ 1), tx)


@pytest.mark.parametrize(
    "change", [{"nonce": 8}, {"gas": 21_001}, {"max_fee_per_gas": 10**10}], ids=["nonce", "gas", "fee"]
)
def test_nonce_and_fees_change_the_digest_and_not_the_effect(change: dict[str, Any]) -> None:
    other = freeze(EFFECT, replace(TRANSACTION, **change), expires_at=1_800_000_600)
    assert other.digest != FROZEN.digest
    assert other.signing_hashes != FROZEN.signing_hashes
    assert other.effect_hash == FROZEN.effect_hash


@pytest.mark.parametrize(
    "effect",
    [
        replace(EFFECT, kind="call"),
        replace(EFFECT, to=STRANGER),
        replace(EFFECT, value=10**17 + 1),
        replace(EFFECT, data=b"\x00"),
        replace(EFFECT, reference="second"),
        replace(EFFECT, account=Account("main", ChainId(1), ACCOUNT.address)),
        replace(EFFECT, account=Account("main", CHAIN, STRANGER)),
    ],
)
def test_everything_that_a_payment_is_changes_the_effect_hash(effect: Effect) -> None:
    assert effect_hash(effect) != effect_hash(EFFECT)


def test_the_accounts_name_is_no_part_of_what_happens() -> None:
    renamed = replace(EFFECT, account=Account("renamed", CHAIN, ACCOUNT.address))
    assert effect_hash(renamed) == effect_hash(EFFECT)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "message"},
        {"account": Account("main", ChainId(1), ACCOUNT.address)},
        {"account": Account("main", CHAIN, STRANGER)},
        {"unsigned_bytes": FROZEN.unsigned_bytes + b"\x00"},
    ],
    ids=["kind", "chain", "account", "bytes"],
)
def test_kind_chain_account_and_bytes_all_enter_the_digest(change: dict[str, Any]) -> None:
    assert replace(FROZEN, **change).digest != FROZEN.digest


def test_the_digest_is_the_one_that_its_docstring_describes() -> None:
    parts = [b"mcp-wallet-guard/operation/v1", b"eip1559", b"eip155:31337", ACCOUNT.address.raw, FROZEN.unsigned_bytes]
    body = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    assert FROZEN.digest == hashlib.sha256(body).digest()


def test_bytes_cannot_be_moved_between_parts_of_the_digest() -> None:
    moved = replace(FROZEN, kind="eip1559e", unsigned_bytes=FROZEN.unsigned_bytes)
    assert moved.digest != FROZEN.digest


def test_the_effect_hash_is_the_one_that_its_docstring_describes() -> None:
    body = (
        '{"account":"eip155:31337:0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266","data":"","kind":"transfer",'
        '"reference":null,"to":"0x70997970C51812dc3A010C7d01b50e0d17dc79C8","value":"100000000000000000"}'
    )
    assert effect_hash(EFFECT) == hashlib.sha256(b"mcp-wallet-guard/effect/v1\x00" + body.encode()).digest()
