"""From the bytes that would be signed to their `Reading`: transactions of every envelope, typed data, messages,
authorizations.

One way in for each kind of thing, so that a view, the checks and policy all read the same tree. Nothing here takes a
caller's word for what the bytes do. Threat: T-006, T-020, T-036.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from mcp_wallet_guard.clearsign import reading
from mcp_wallet_guard.clearsign.calls import read_call
from mcp_wallet_guard.clearsign.decoders.base import Decoder, Knowledge, Nothing
from mcp_wallet_guard.clearsign.delegations import read_authorization
from mcp_wallet_guard.clearsign.descriptors.reading import Described
from mcp_wallet_guard.clearsign.personal_messages import read_message
from mcp_wallet_guard.clearsign.reading import Delegation, Method, Reading
from mcp_wallet_guard.clearsign.statements import read_typed_data
from mcp_wallet_guard.clearsign.tree import Clarity, Part, PartKind, Shown, ShownKind
from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations import authorizations, envelopes, messages, safe, siwe, typed_data
from mcp_wallet_guard.operations.abi import Budget
from mcp_wallet_guard.operations.authorizations import Authorization
from mcp_wallet_guard.operations.envelopes import Envelope, EnvelopeType
from mcp_wallet_guard.operations.typed_data import TypedData
from mcp_wallet_guard.operations.values import Address, ChainId, keccak256

NOTHING: Final = Nothing()
_TYPES: Final = {
    EnvelopeType.LEGACY: 0,
    EnvelopeType.EIP2930: 1,
    EnvelopeType.EIP1559: 2,
    EnvelopeType.EIP4844: 3,
    EnvelopeType.EIP7702: 4,
}


def read_transaction(
    envelope: Envelope,
    /,
    *,
    signer: Address,
    knows: Knowledge = NOTHING,
    others: tuple[Decoder, ...] = (),
    unsigned: bytes | None = None,
) -> Reading:
    """What the transaction does when `signer` signs it. `others` read calls that no built-in decoder knows. `unsigned`
    is what the envelope was parsed from, where that is at hand: there is one encoding of it."""
    kind = PartKind.CALL if envelope.to is not None else PartKind.CREATE
    root = read_call(
        envelope.data,
        chain=envelope.chain,
        target=envelope.to,
        sender=signer,
        value=envelope.value,
        budget=Budget.default(),
        kind=kind,
        knows=knows,
        others=others,
    )
    unsigned = envelopes.encode_unsigned_envelope(envelope) if unsigned is None else unsigned
    delegations: tuple[Delegation, ...] = ()
    if envelope.access_list or envelope.blob_hashes or envelope.authorizations:
        signed = [(f"authorizations.{place}", each) for place, each in enumerate(envelope.authorizations)]
        delegations = tuple(_delegation(each.authorization, path) for path, each in signed)
        inner = tuple(
            read_authorization(each.authorization, chain=envelope.chain, signer=signer, path=path)
            for path, each in signed
        )
        root = replace(root, shown=(*root.shown, *_envelope_shown(envelope)), parts=(*root.parts, *inner))
    calldata = (("calldata", keccak256(envelope.data).hex()),) if envelope.data else ()
    return Reading(
        signer=signer,
        root=root,
        method=Method.TRANSACTION,
        envelope=reading.Envelope(
            type=_TYPES[envelope.type],
            chain=envelope.chain,
            nonce=envelope.nonce,
            gas=envelope.gas,
            max_fee_per_gas=envelope.max_fee_per_gas,
            max_priority_fee_per_gas=envelope.max_priority_fee_per_gas,
            value=envelope.value,
            max_fee_per_blob_gas=envelope.max_fee_per_blob_gas,
            blobs=len(envelope.blob_hashes),
            creates=envelope.to is None,
        ),
        delegations=delegations,
        digests=(("signing", envelopes.signing_hash(unsigned).hex()), *calldata),
    )


def read_typed(
    typed: TypedData,
    /,
    *,
    chain: ChainId,
    signer: Address,
    knows: Knowledge = NOTHING,
    described: Described | None = None,
) -> Reading:
    """What the EIP-712 message does when `signer` signs it in a wallet of `chain`. `described` tells what no built-in
    reader knows."""
    others = () if described is None else (described,)

    def call(
        data: bytes, /, *, path: str, kind: PartKind, chain: ChainId, target: Address, sender: Address, value: int,
        budget: Budget,
    ) -> Part:  # fmt: skip
        return read_call(
            data, chain=chain, target=target, sender=sender, value=value, budget=budget, kind=kind, path=path,
            knows=knows, others=others,
        )  # fmt: skip

    domain = typed.domain
    statement = safe.read_statement(typed)
    root = read_typed_data(typed, chain=chain, signer=signer, read_call=call)
    if described is not None and root.clarity is Clarity.DECODED:
        root = described.message(typed, root)
    safe_digest = (("safe_tx_hash", safe.safe_hash(statement).hex()),) if statement is not None else ()
    return Reading(
        signer=signer,
        root=root,
        method=Method.TYPED_DATA_V4,
        domain=reading.Domain(
            name=domain.name,
            chain=domain.chain_id,
            contract=domain.verifying_contract,
            types=len(typed.types),
        ),
        digests=(
            ("signing", typed_data.signing_hash(typed).hex()),
            ("eip712_domain", typed_data.domain_separator(typed).hex()),
            ("eip712_message", typed_data.message_hash(typed).hex()),
            *safe_digest,
        ),
    )


def read_personal(message: bytes, /, *, chain: ChainId, signer: Address) -> Reading:
    """What the message says when `signer` signs it with personal_sign. Raises InvalidInput("invalid_input.message")
    beyond 64 KiB."""
    return Reading(
        signer=signer,
        root=read_message(message, chain=chain, signer=signer),
        method=Method.PERSONAL_SIGN,
        sign_in=_sign_in(message),
        digests=(("signing", messages.signing_hash(message).hex()),),
    )


def read_delegation(authorization: Authorization, /, *, chain: ChainId, signer: Address) -> Reading:
    """What the EIP-7702 authorization does when `signer` signs it."""
    return Reading(
        signer=signer,
        root=read_authorization(authorization, chain=chain, signer=signer),
        method=Method.AUTHORIZATION,
        delegations=(_delegation(authorization, ""),),
        digests=(("signing", authorizations.authorization_hash(authorization).hex()),),
    )


def _delegation(authorization: Authorization, path: str) -> Delegation:
    chain = None if authorization.is_for_every_chain else ChainId(authorization.chain_number)
    return Delegation(path=path, delegate=authorization.delegate, chain=chain)


def _sign_in(message: bytes) -> reading.SignIn | None:
    text = messages.text_of(message)
    try:
        found = siwe.parse_sign_in(text or "")
    except InvalidInput:
        return None
    return reading.SignIn(
        domain=found.host,
        uri=found.uri,
        address=found.address,
        chain=found.chain.number,
        expires_at=found.expires_at,
        not_before=found.starts_at,
    )


def _envelope_shown(envelope: Envelope) -> Iterator[Shown]:
    """What is in the envelope beside call, nonce and fees."""
    for place, entry in enumerate(envelope.access_list):
        yield Shown(
            path=f"@.accessList.[{place}]",
            label="Access list",
            kind=ShownKind.ADDRESS,
            raw=entry.address,
            children=tuple(
                Shown(path=f"@.accessList.[{place}].[{number}]", label="Storage slot", kind=ShownKind.BYTES, raw=key)
                for number, key in enumerate(entry.storage_keys)
            ),
        )
    for place, blob in enumerate(envelope.blob_hashes):
        yield Shown(path=f"@.blobVersionedHashes.[{place}]", label="Blob", kind=ShownKind.BYTES, raw=blob)
