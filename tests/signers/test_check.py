"""Whatever a signer returns, only the account's own signature over exactly the frozen bytes goes on.

Threat: T-092, T-093.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from eth_account import Account as EthAccount
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_wallet_guard.errors import Tampered
from mcp_wallet_guard.operations import evm
from mcp_wallet_guard.operations.values import Account, ChainId, keccak256
from mcp_wallet_guard.proofs import Signed
from mcp_wallet_guard.secp256k1 import ORDER
from mcp_wallet_guard.secret import Secret
from mcp_wallet_guard.signers.backend import LibSecp256k1, public_key_to_address
from mcp_wallet_guard.signers.check import check_signature
from tests.signers.operations import PAYEE, signable, transfer

if TYPE_CHECKING:
    from mcp_wallet_guard.operations.frozen import FrozenOperation

CURVE = LibSecp256k1()
KEY = hashlib.sha256(b"a key of a test").digest()
OTHER_KEY = hashlib.sha256(b"another key").digest()


def address_of(key: bytes) -> Any:
    return public_key_to_address(CURVE.recover(bytes(32), CURVE.sign(Secret(key), bytes(32))))


SENDER = address_of(KEY)
OPERATION = transfer(SENDER)


def sign(operation: FrozenOperation = OPERATION, key: bytes = KEY) -> bytes:
    return CURVE.sign(Secret(key), operation.signing_hashes[0])


def refused(operation: FrozenOperation, signature: Any, **forged: Any) -> None:
    address = forged.pop("address", SENDER)
    with pytest.raises(Tampered) as caught:
        check_signature(signable(operation, **forged), signature, address=address)
    assert caught.value.code == "tampered.signature"
    assert caught.value.__cause__ is None


def test_the_right_signature_makes_bytes_that_another_library_reads_alike() -> None:
    signed = check_signature(signable(OPERATION), sign(), address=SENDER)
    assert type(signed) is Signed
    assert EthAccount.recover_transaction(signed.signed_bytes) == SENDER.value
    parsed = evm.parse_signed(signed.signed_bytes)
    assert evm.encode_unsigned(parsed.transaction) == OPERATION.unsigned_bytes
    assert signed.transaction_hash == keccak256(signed.signed_bytes)
    assert signed.operation is OPERATION


def test_another_key_is_refused() -> None:
    refused(OPERATION, sign(key=OTHER_KEY))


def test_a_signature_over_other_bytes_is_refused() -> None:
    refused(OPERATION, sign(transfer(SENDER, value=10**18)))
    refused(OPERATION, sign(transfer(SENDER, nonce=1)))


def test_a_signature_of_another_account_for_that_account_is_refused_here() -> None:
    """The signer's address and the operation's account must be one."""
    other = address_of(OTHER_KEY)
    refused(OPERATION, sign(key=OTHER_KEY), address=other)
    refused(transfer(other), sign(transfer(other), OTHER_KEY), address=SENDER)


def test_the_mirrored_signature_that_the_network_would_not_relay_is_refused() -> None:
    """Malleability: (r, n - s, other parity) recovers to the same account over the same bytes."""
    signature = sign()
    s = int.from_bytes(signature[32:64], "big")
    mirrored = signature[:32] + (ORDER - s).to_bytes(32, "big") + bytes([1 - signature[64]])
    assert CURVE.recover(OPERATION.signing_hashes[0], mirrored) == CURVE.recover(OPERATION.signing_hashes[0], signature)
    refused(OPERATION, mirrored)


@pytest.mark.parametrize("nonce", [1, pow(2, -1, ORDER), ORDER - 1])
def test_a_signature_from_which_anybody_computes_the_key_is_refused(nonce: int) -> None:
    digest = int.from_bytes(OPERATION.signing_hashes[0], "big")
    key = int.from_bytes(KEY, "big")
    point = CURVE.recover(bytes(32), CURVE.sign(Secret(nonce.to_bytes(32, "big")), bytes(32)))
    r, y = int.from_bytes(point[1:33], "big"), point[64]
    s = pow(nonce, -1, ORDER) * (digest + r * key) % ORDER
    parity = y % 2
    if s > ORDER // 2:
        s, parity = ORDER - s, 1 - parity
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([parity])
    assert public_key_to_address(CURVE.recover(OPERATION.signing_hashes[0], signature)) == SENDER
    refused(OPERATION, signature)


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        bytes(64),
        bytes(65),
        bytes(32) + sign()[32:],
        sign()[:32] + bytes(32) + sign()[64:],
        ORDER.to_bytes(32, "big") + sign()[32:],
        sign()[:32] + ORDER.to_bytes(32, "big") + sign()[64:],
        sign()[:64] + bytes([1 - sign()[64]]),
        sign()[:64] + bytes([27 + sign()[64]]),
        sign() + b"\0",
        sign()[:64],
        bytearray(sign()),
        sign().hex(),
        None,
    ],
)
def test_what_is_no_canonical_signature_is_refused(signature: Any) -> None:
    refused(OPERATION, signature)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 519))
def test_a_flipped_bit_anywhere_is_refused(bit: int) -> None:
    signature = bytearray(sign())
    signature[bit // 8] ^= 1 << bit % 8
    refused(OPERATION, bytes(signature))


def test_hashes_that_are_not_those_of_the_frozen_bytes_are_refused() -> None:
    other = transfer(SENDER, value=10**18)
    refused(OPERATION, sign(other), hashes=other.signing_hashes)
    refused(OPERATION, sign(), hashes=OPERATION.signing_hashes * 2)


def test_frozen_bytes_that_are_no_canonical_transaction_are_refused() -> None:
    for raw in (OPERATION.unsigned_bytes + b"\0", b"\x02\xc0", b"", b"\x01" + OPERATION.unsigned_bytes[1:]):
        broken = replace(OPERATION, unsigned_bytes=raw)
        refused(broken, sign(broken))


def test_an_operation_of_another_kind_or_chain_is_refused() -> None:
    refused(replace(OPERATION, kind="eip712"), sign(), hashes=OPERATION.signing_hashes)
    elsewhere = Account(name="main", chain=ChainId(1), address=SENDER)
    refused(replace(OPERATION, account=elsewhere), sign())


def test_only_a_signable_is_looked_at() -> None:
    class Likeness:
        operation = OPERATION
        signing_hashes = OPERATION.signing_hashes

    for forged in (Likeness(), OPERATION, None):
        with pytest.raises(TypeError):
            check_signature(forged, sign(), address=SENDER)  # type: ignore[arg-type]


@settings(max_examples=20, deadline=None)
@given(st.integers(1, ORDER - 1), st.integers(0, 2**128), st.integers(0, 2**32))
def test_any_key_and_transfer_pass_when_they_belong_together(key: int, value: int, nonce: int) -> None:
    raw = key.to_bytes(32, "big")
    operation = transfer(address_of(raw), value=value, nonce=nonce)
    signed = check_signature(signable(operation), sign(operation, raw), address=operation.account.address)
    assert EthAccount.recover_transaction(signed.signed_bytes) == operation.account.address.value
    assert PAYEE.raw in signed.signed_bytes
