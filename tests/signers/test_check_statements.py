"""Of a statement the signature itself is given out: the account's own, over exactly the frozen bytes.

Threat: T-092, T-093.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any, Final

import pytest
from eth_account import Account as EthAccount
from eth_account.messages import encode_defunct

from mcp_wallet_guard.errors import Tampered
from mcp_wallet_guard.operations.frozen import FrozenOperation, freeze_statement
from mcp_wallet_guard.operations.statements import Authorize7702, SignMessage, SignTypedData, resolve_statement
from mcp_wallet_guard.operations.values import Account
from mcp_wallet_guard.secp256k1 import ORDER
from mcp_wallet_guard.secret import Secret
from mcp_wallet_guard.signers.backend import LibSecp256k1, public_key_to_address
from mcp_wallet_guard.signers.check import PUBLIC_NONCES, check_signature, check_stored
from tests.signers.operations import CHAIN, PAYEE, signable

CURVE: Final = LibSecp256k1()
KEY: Final = hashlib.sha256(b"a key of a test").digest()
OTHER_KEY: Final = hashlib.sha256(b"another key").digest()
SENDER: Final = public_key_to_address(CURVE.recover(bytes(32), CURVE.sign(Secret(KEY), bytes(32))))
TYPED: Final = json.dumps(
    {
        "types": {"Any": [{"name": "value", "type": "uint256"}]},
        "primaryType": "Any",
        "domain": {"chainId": CHAIN.number, "verifyingContract": PAYEE.value},
        "message": {"value": 1},
    }
)
ACCOUNT: Final = Account(name="main", chain=CHAIN, address=SENDER)
ASKED: Final[dict[str, Any]] = {
    "message": SignMessage(message="Hello"),
    "typed data": SignTypedData(typed_data=TYPED),
    "authorization": Authorize7702(delegate=PAYEE),
}
STATEMENTS: Final = {
    name: freeze_statement(resolve_statement(intent, account=ACCOUNT), nonce=5, expires_at=1_790_000_600)
    for name, intent in ASKED.items()
}
every = pytest.mark.parametrize("operation", STATEMENTS.values(), ids=STATEMENTS)


def sign(operation: FrozenOperation, key: bytes = KEY) -> bytes:
    return CURVE.sign(Secret(key), operation.signing_hashes[0])


def refused(operation: FrozenOperation, signature: Any, **forged: Any) -> None:
    address = forged.pop("address", SENDER)
    with pytest.raises(Tampered) as caught:
        check_signature(signable(operation, **forged), signature, address=address)
    assert caught.value.code == "tampered.signature"


@every
def test_the_right_signature_is_r_s_and_v_over_the_hash_of_the_bytes(operation: FrozenOperation) -> None:
    signature = sign(operation)
    signed = check_signature(signable(operation), signature, address=SENDER)
    assert signed.transaction_hash == operation.signing_hashes[0]
    assert (len(signed.signed_bytes), signed.signed_bytes[:64]) == (65, signature[:64])
    offset = 0 if operation.kind == "authorization" else 27
    assert signed.signed_bytes[64] == signature[64] + offset


def test_another_library_reads_the_signature_of_a_message_alike() -> None:
    operation = STATEMENTS["message"]
    signed = check_signature(signable(operation), sign(operation), address=SENDER)
    assert EthAccount.recover_message(encode_defunct(text="Hello"), signature=signed.signed_bytes) == SENDER.value
    expected = EthAccount.sign_message(encode_defunct(text="Hello"), KEY)
    assert signed.signed_bytes == bytes(expected.signature)


@every
def test_every_other_signature_is_refused(operation: FrozenOperation) -> None:
    right = sign(operation)
    s = int.from_bytes(right[32:64], "big")
    high = right[:32] + (ORDER - s).to_bytes(32, "big") + bytes([right[64] ^ 1])
    for wrong in (
        sign(operation, OTHER_KEY),
        sign(replace(operation, unsigned_bytes=b"Hullo", kind="message")),
        high,
        right[:64] + bytes([right[64] ^ 1]),
        right[:64] + bytes([right[64] + 27]),
        right[:64],
        right + b"\x00",
        bytes(65),
        bytearray(right),
        None,
        next(iter(PUBLIC_NONCES)).to_bytes(32, "big") + right[32:],
    ):
        refused(operation, wrong)
    refused(operation, right, address=PAYEE)
    refused(operation, right, hashes=(bytes(32),))
    refused(operation, right, hashes=operation.signing_hashes * 2)


@every
def test_a_statement_is_never_taken_for_stored_bytes_to_broadcast(operation: FrozenOperation) -> None:
    signed = check_signature(signable(operation), sign(operation), address=SENDER)
    with pytest.raises(Tampered):
        check_stored(operation, signed.signed_bytes, address=SENDER)


def test_what_is_never_signed_has_no_signature() -> None:
    message = STATEMENTS["message"]
    right = sign(message)
    for kind in ("action", "eth_sign"):
        refused(replace(message, kind=kind), right, hashes=message.signing_hashes)
