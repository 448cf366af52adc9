"""Step 8: what a signer returned, checked as if a stranger had sent it.

From the signature on, everything is computed again from the frozen bytes: who signed, what the broadcast bytes say,
that they say the same. Of a statement nothing is broadcast: the signature itself is what is given out, 65 bytes of r, s
and v, where v is 27 or 28 as wallets write it, and of an EIP-7702 authorization the y parity that transactions carry.
Source: EIP-2 (low s), EIP-1559, EIP-7702. Threat: T-092, T-093.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mcp_wallet_guard.errors import InvalidInput, Tampered
from mcp_wallet_guard.operations import evm
from mcp_wallet_guard.operations.frozen import KIND_EIP1559
from mcp_wallet_guard.operations.statements import KIND_AUTHORIZATION, STATEMENT_KINDS
from mcp_wallet_guard.proofs import Signable, Signed, exactly, mint
from mcp_wallet_guard.signers.backend import load_backend, public_key_to_address

if TYPE_CHECKING:
    from mcp_wallet_guard.operations.frozen import FrozenOperation
    from mcp_wallet_guard.operations.values import Address

HALF_ORDER: Final = evm.SECP256K1_N // 2
V_OFFSET: Final = 27
"""What is added to the y parity in signatures of messages and typed data. Source: the Yellow Paper, appendix F."""
SIGNED_KINDS: Final = STATEMENT_KINDS | {KIND_EIP1559}
PUBLIC_NONCES: Final = frozenset(
    {
        0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
        0x00000000000000000000003B78CE563F89A0ED9414F5AA28AD0D96D6795F9C63,
    }
)
"""The r of the nonces 1 and 1/2, as broken signers use them. Whoever sees such a signature computes the key."""


def check_signature(signable: Signable, signature: bytes, /, *, address: Address) -> Signed:
    """The proof that `signature` (r, s, y parity: 65 bytes) is `address`'s over exactly the frozen bytes.

    Raises Tampered("tampered.signature") for anything else, TypeError when `signable` is not a Signable.
    """
    exactly(Signable, signable)
    return _prove(signable.operation, signable.signing_hashes, signature, address)


def check_stored(operation: FrozenOperation, signed_bytes: bytes, /, *, address: Address) -> Signed:
    """The same proof for bytes that were verified and stored before, checked again from the beginning.

    Raises Tampered("tampered.signature") when they are not exactly `address`'s signature over `operation`.
    """
    try:
        parts = evm.parse_signed(signed_bytes)
    except InvalidInput:
        raise Tampered("tampered.signature") from None
    signature = parts.r.to_bytes(32, "big") + parts.s.to_bytes(32, "big") + bytes([parts.y_parity])
    signed = _prove(operation, operation.signing_hashes, signature, address)
    if signed.signed_bytes != signed_bytes:
        raise Tampered("tampered.signature")
    return signed


def _prove(operation: FrozenOperation, hashes: tuple[bytes, ...], signature: bytes, address: Address) -> Signed:
    try:
        _check(operation, hashes, signature, address)
        if operation.kind in STATEMENT_KINDS:
            signed_bytes, identity = _with_v(operation.kind, signature), hashes[0]
        else:
            signed_bytes = _transaction(operation, signature)
            identity = evm.transaction_hash(signed_bytes)
    except (InvalidInput, ValueError):
        raise Tampered("tampered.signature") from None
    return mint(Signed, operation=operation, signed_bytes=signed_bytes, transaction_hash=identity)


def _check(operation: FrozenOperation, hashes: tuple[bytes, ...], signature: bytes, address: Address) -> None:
    """Raises ValueError unless it is `address`'s own signature over the frozen bytes, and nobody could change it."""
    if operation.kind not in SIGNED_KINDS or operation.account.address != address:
        raise ValueError("another kind or account than the signer's")
    if len(hashes) != 1 or hashes != operation.signing_hashes:
        raise ValueError("the hashes are not those of the frozen bytes")
    _numbers(signature)
    if public_key_to_address(load_backend().recover(hashes[0], signature)) != address:
        raise ValueError("another key signed")


def _with_v(kind: str, signature: bytes) -> bytes:
    """The signature of a statement as others read it."""
    return signature if kind == KIND_AUTHORIZATION else signature[:64] + bytes([V_OFFSET + signature[64]])


def _transaction(operation: FrozenOperation, signature: bytes) -> bytes:
    """The bytes to broadcast. Raises ValueError or InvalidInput."""
    r, s, y_parity = _numbers(signature)
    unsigned = evm.parse_unsigned(operation.unsigned_bytes)
    signed_bytes = evm.encode_signed(unsigned, y_parity=y_parity, r=r, s=s)
    again = evm.parse_signed(signed_bytes)
    if (again.y_parity, again.r, again.s) != (y_parity, r, s):
        raise ValueError("the encoding changed the signature")
    if evm.encode_unsigned(again.transaction) != operation.unsigned_bytes:
        raise ValueError("the encoding changed the transaction")
    if again.transaction.chain != operation.account.chain:
        raise ValueError("another chain than the account's")
    return signed_bytes


def _numbers(signature: bytes) -> tuple[int, int, int]:
    if type(signature) is not bytes or len(signature) != 65 or signature[64] > 1:
        raise ValueError("not r, s and a y parity")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    if not 0 < r < evm.SECP256K1_N or not 0 < s <= HALF_ORDER or r in PUBLIC_NONCES:
        raise ValueError("malleable or degenerate")
    return r, s, signature[64]
