"""`FrozenOperation`: the exact bytes that a person is asked about, and their identities.

Two identities. `effect_hash` names what happens to whom and leaves out nonce, fee and time; it
serves joining, denial memory and duplicates. `digest` names these bytes and serves approval and signature. What is
signed, `signing_hashes`, is a third thing. Threat: T-006, T-007, T-008, T-097.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, final

from mcp_wallet_guard.canonical import canonical_bytes
from mcp_wallet_guard.errors import InvalidInput, Tampered
from mcp_wallet_guard.operations import evm
from mcp_wallet_guard.operations.intents import Effect
from mcp_wallet_guard.operations.statements import (
    STATEMENT_KINDS,
    StatementEffect,
    statement_bytes,
    statement_hash,
    statement_signing_hash,
)
from mcp_wallet_guard.operations.values import Account, Address

KIND_EIP1559: Final = "eip1559"
KIND_ACTION: Final = "action"
KIND_WITHDRAWAL: Final = "exchange_withdrawal"
_DIGEST_TAG: Final = b"mcp-wallet-guard/operation/v1"
_EFFECT_TAG: Final = b"mcp-wallet-guard/effect/v1"


def effect_hash(effect: Effect, /) -> bytes:
    """SHA-256 over a tag and the RFC 8785 form of the effect, 32 bytes."""
    body = {
        "account": effect.account.id,
        "data": effect.data.hex(),
        "kind": effect.kind,
        "reference": effect.reference,
        "to": effect.to.value,
        "value": str(effect.value),
    }
    return hashlib.sha256(_EFFECT_TAG + b"\x00" + canonical_bytes(body)).digest()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenOperation:
    """Bytes to sign, with the account they are signed for. `expires_at` is absolute, in unix seconds."""

    kind: str
    account: Account
    unsigned_bytes: bytes
    effect_hash: bytes
    expires_at: int

    @property
    def digest(self) -> bytes:
        """SHA-256 over (tag, kind, CAIP-2 chain, account, bytes), each length-prefixed: 32 bytes."""
        parts = (
            _DIGEST_TAG,
            self.kind.encode(),
            str(self.account.chain).encode(),
            self.account.address.raw,
            self.unsigned_bytes,
        )
        return hashlib.sha256(b"".join(len(p).to_bytes(8, "big") + p for p in parts)).digest()

    @property
    def signing_hashes(self) -> tuple[bytes, ...]:
        """What the signer signs, in order: one Keccak-256 hash of 32 bytes. Raises Tampered for a kind that is not
        signed, and for a statement whose bytes are not one."""
        if self.kind == KIND_EIP1559:
            return (evm.signing_hash(self.unsigned_bytes),)
        if self.kind not in STATEMENT_KINDS:
            raise Tampered("tampered.operation", detail="nothing of this kind is ever signed")
        try:
            return (statement_signing_hash(self.kind, self.unsigned_bytes),)
        except InvalidInput:
            raise Tampered("tampered.operation", detail="the frozen bytes do not parse") from None

    @property
    def transaction(self) -> evm.Eip1559:
        """The fields, parsed from the bytes each time: there is no second copy to disagree with them."""
        return evm.parse_unsigned(self.unsigned_bytes)


def freeze(effect: Effect, tx: evm.Eip1559, /, *, expires_at: int) -> FrozenOperation:
    """Fix `tx` as what is asked. Raises Tampered when `tx` does not do exactly what `effect` says."""
    if not matches(effect, tx):
        raise Tampered("tampered.operation")
    return FrozenOperation(
        kind=KIND_EIP1559,
        account=effect.account,
        unsigned_bytes=evm.encode_unsigned(tx),
        effect_hash=effect_hash(effect),
        expires_at=expires_at,
    )


def freeze_statement(effect: StatementEffect, /, *, nonce: int, expires_at: int) -> FrozenOperation:
    """Fix what is stated as what is asked. `nonce` is the account's next one, which only an authorization is about."""
    return FrozenOperation(
        kind=effect.kind,
        account=effect.account,
        unsigned_bytes=statement_bytes(effect, nonce=nonce),
        effect_hash=statement_hash(effect),
        expires_at=expires_at,
    )


def matches(effect: Effect, tx: evm.Eip1559, /) -> bool:
    """Whether `tx` has exactly the chain, payee, value and data of `effect`."""
    asked: tuple[object, Address, int, bytes] = (effect.account.chain, effect.to, effect.value, effect.data)
    return asked == (tx.chain, tx.to, tx.value, tx.data)
