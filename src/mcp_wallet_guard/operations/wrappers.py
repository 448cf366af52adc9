"""Signatures that hold other things than a signature: what they are made of, so that it can be shown.

An ERC-6492 wrapper carries a call that deploys or prepares the signing contract before it is asked; a Safe's signatures
are those of several owners, contracts among them. Both are read in their one canonical layout.
Source: ERC-6492; ERC-1271; Safe contracts 1.4.1, `checkNSignatures`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, final

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations import abi
from mcp_wallet_guard.operations.values import Address

MAGIC: Final = bytes.fromhex("6492" * 16)
"""The 32 bytes that end a wrapper."""
MAX_BYTES: Final = 131_072

_WRAPPED: Final = abi.parse_function("wrapped(address factory,bytes call,bytes signature)").inputs
_SLOT: Final = 65


class SignatureForm(StrEnum):
    """What a signature looks like."""

    ECDSA = "ecdsa"
    """65 bytes: r, s, v."""
    COMPACT = "compact"
    """64 bytes. Source: EIP-2098."""
    WRAPPED = "wrapped"
    """An ERC-6492 wrapper."""
    CONTRACT = "contract"
    """Anything else: what a contract takes for one."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class WrappedSignature:
    """An ERC-6492 wrapper: whoever verifies calls `factory` with `call` first, then asks the contract about
    `signature`, which may be a wrapper again in name only: one is opened, not two."""

    factory: Address
    call: bytes
    signature: bytes


class OwnerKind(StrEnum):
    """How an owner of a Safe agrees."""

    ECDSA = "ecdsa"
    PERSONAL = "personal"
    """Over the hash as a message of 32 bytes: v is 31 or more."""
    APPROVED = "approved"
    """The owner sends the transaction, or approved its hash on chain: v is 1."""
    CONTRACT = "contract"
    """The owner is a contract, which is asked about `data`: v is 0."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerSignature:
    """One owner's part of a Safe's signatures. `owner` is known for the kinds that name it. `data` are r, s and v of
    an ECDSA signature as 65 bytes, what the contract is handed, or nothing."""

    kind: OwnerKind
    owner: Address | None
    data: bytes


def form_of(signature: bytes, /) -> SignatureForm:
    """By its length and its end."""
    if signature.endswith(MAGIC):
        return SignatureForm.WRAPPED
    return {65: SignatureForm.ECDSA, 64: SignatureForm.COMPACT}.get(len(signature), SignatureForm.CONTRACT)


def encode_wrapper(wrapped: WrappedSignature, /) -> bytes:
    """The wrapper's bytes."""
    return abi.encode(_WRAPPED, (wrapped.factory, wrapped.call, wrapped.signature)) + MAGIC


def parse_wrapper(signature: bytes, /) -> WrappedSignature:
    """Strict inverse of `encode_wrapper`. Raises InvalidInput("invalid_input.message")."""
    if type(signature) is not bytes or len(signature) > MAX_BYTES or not signature.endswith(MAGIC):
        raise _invalid()
    try:
        decoded = abi.decode(_WRAPPED, signature.removesuffix(MAGIC))
    except InvalidInput:
        raise _invalid() from None
    match decoded.values:
        case (Address() as factory, bytes() as call, bytes() as inner) if not decoded.trailing:
            return WrappedSignature(factory=factory, call=call, signature=inner)
        case _:
            raise _invalid()


def encode_owner_signatures(signatures: tuple[OwnerSignature, ...], /) -> bytes:
    """The owners' parts, then what is handed to contracts, each in the order of the owners.

    Raises InvalidInput("invalid_input.message") for a part without what its kind needs.
    """
    slots, tails = [], b""
    for each in signatures:
        if each.kind is OwnerKind.CONTRACT and each.owner is not None:
            offset = len(signatures) * _SLOT + len(tails)
            slots.append(bytes(12) + each.owner.raw + offset.to_bytes(32) + b"\0")
            tails += len(each.data).to_bytes(32) + each.data
        elif each.kind is OwnerKind.APPROVED and each.owner is not None:
            slots.append(bytes(12) + each.owner.raw + bytes(32) + b"\1")
        elif len(each.data) == _SLOT:
            slots.append(each.data)
        else:
            raise _invalid()
    return b"".join(slots) + tails


def parse_owner_signatures(raw: bytes, /) -> tuple[OwnerSignature, ...]:
    """Strict inverse of `encode_owner_signatures`. Raises InvalidInput("invalid_input.message")."""
    if type(raw) is not bytes or not 0 < len(raw) <= MAX_BYTES:
        raise _invalid()
    found: list[OwnerSignature] = []
    at, end = 0, len(raw)  # the slots end where the first contract's bytes begin
    while at < end:
        slot = raw[at : at + _SLOT]
        if len(slot) != _SLOT:
            raise _invalid()
        signature, start = _owner(raw, slot)
        if start is not None and end == len(raw):
            end = start
        found.append(signature)
        at += _SLOT
    if encode_owner_signatures(tuple(found)) != raw:
        raise _invalid()
    return tuple(found)


def _owner(raw: bytes, slot: bytes) -> tuple[OwnerSignature, int | None]:
    """One owner's part, and where a contract's bytes begin."""
    v = slot[64]
    if v > 1:
        kind = OwnerKind.PERSONAL if v > 30 else OwnerKind.ECDSA
        return OwnerSignature(kind=kind, owner=None, data=slot), None
    owner = Address.from_bytes(slot[12:32])
    if v == 1:
        return OwnerSignature(kind=OwnerKind.APPROVED, owner=owner, data=b""), None
    start = int.from_bytes(slot[32:64])
    length = int.from_bytes(raw[start : start + 32]) if start + 32 <= len(raw) else len(raw)
    if start + 32 + length > len(raw):
        raise _invalid()
    data = raw[start + 32 : start + 32 + length]
    return OwnerSignature(kind=OwnerKind.CONTRACT, owner=owner, data=data), start


def _invalid() -> InvalidInput:
    return InvalidInput("invalid_input.message", detail="not signatures in their canonical form")
