"""The view: what a person reads before saying yes, decoded from the bytes that will be signed.

`render_view` is a pure function of (frozen bytes, facts): the same two give the same view and the same hash, on every
machine and at every time. No text of the model, the host or the node is in it; the sentences are ours, and names from
the address book are quoted and escaped. Specified in docs/formats/confirmation-view-v1.md.
Threat: T-006, T-007, T-008, T-021.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, Final, Literal

from mcp_wallet_guard.canonical import canonical_bytes
from mcp_wallet_guard.clearsign import text
from mcp_wallet_guard.clearsign.actions import render_action
from mcp_wallet_guard.clearsign.contract_calls import render_call
from mcp_wallet_guard.clearsign.decode import Payment, decode
from mcp_wallet_guard.clearsign.frozen_statements import check_stated, render_statement
from mcp_wallet_guard.clearsign.knowledge import Names
from mcp_wallet_guard.clearsign.payments import judged, read_payment
from mcp_wallet_guard.clearsign.risks.known import Known
from mcp_wallet_guard.clearsign.rollups import DataFee
from mcp_wallet_guard.clearsign.withdrawals import render_withdrawal
from mcp_wallet_guard.confirmation import (
    ConfirmationView,
    Digests,
    FieldType,
    ViewEffect,
    ViewField,
    ViewParty,
    spelled,
)
from mcp_wallet_guard.errors import InvalidInput, Tampered
from mcp_wallet_guard.evidence import Facts, FrozenFacts, StatementFacts, VenueFacts
from mcp_wallet_guard.operations import frozen, requests
from mcp_wallet_guard.operations.actions import Action, action_hash, action_of
from mcp_wallet_guard.operations.erc20 import is_unlimited
from mcp_wallet_guard.operations.frozen import FrozenOperation
from mcp_wallet_guard.operations.intents import Effect, EffectKind
from mcp_wallet_guard.operations.statements import StatementEffect
from mcp_wallet_guard.operations.values import Address, Amount, Asset, BaseUnits, ChainId
from mcp_wallet_guard.operations.withdrawals import ExchangeWithdrawal, withdrawal_hash
from mcp_wallet_guard.proofs import Decoded, mint

LABELS: Final = {
    EffectKind.TRANSFER: ("Amount", "Payee", "Account", "Chain", "Maximum fee", "Total at most", "Nonce"),
    EffectKind.TOKEN_TRANSFER: ("Amount", "Payee", "Token", "Account", "Chain", "Maximum fee", "Nonce"),
    EffectKind.TOKEN_APPROVAL: (
        "May take at most",
        "Who may take",
        "Token",
        "Account",
        "Chain",
        "Maximum fee",
        "Nonce",
    ),
}
"""The fields of each kind, in their fixed order."""

_VIEW_KINDS: Final[dict[EffectKind, Literal["transfer", "token_transfer", "token_approval"]]] = {
    EffectKind.TRANSFER: "transfer",
    EffectKind.TOKEN_TRANSFER: "token_transfer",
    EffectKind.TOKEN_APPROVAL: "token_approval",
}
_PAYMENT_DIGESTS: Final = frozenset({"signing", "calldata"})
SCHEMA_ID: Final = "urn:mcp-wallet-guard:confirmation-view:v1"
_TAG: Final = b"mcp-wallet-guard/view/v1"


def render_view(operation: FrozenOperation, facts: Facts, /) -> ConfirmationView:
    """What the bytes do, for a person.

    Raises PolicyDenied("policy.undecodable") for bytes that cannot be shown in full, and
    Tampered("tampered.operation") for facts about another chain.
    """
    if facts.names is not None and facts.known is not None:
        names, known = Names.from_json(facts.names), Known.from_json(facts.known)
        _check_chain(operation, facts)
        return render_call(operation, names=names, known=known, descriptors=facts.descriptors, data_fee=facts.data_fee)
    for_data = DataFee(operation.account.chain, facts.data_fee)
    decoded = decode(operation, token=_token(facts, operation.account.chain))
    _check_chain(operation, facts)
    payment = replace(decoded, data_fee=for_data.counted)
    known = Known() if facts.known is None else Known.from_json(facts.known)
    reading = read_payment(operation, token=payment.token)
    raised, unchecked = judged(reading, known)
    native = Asset(operation.account.chain, facts.symbol, facts.decimals)
    return ConfirmationView(
        kind=_VIEW_KINDS[payment.kind],
        chain=str(operation.account.chain),
        account=operation.account.id,
        intent=_intent(payment, native),
        effects=(_effect(payment, facts, native),),
        fields=_fields(payment, facts, native, for_data),
        fee=for_data.fee(_money(payment.max_fee, native), payment.max_fee, native.id),
        nonce=spelled(payment.nonce),
        findings=raised,
        not_checked=unchecked,
        operation_digest=operation.digest.hex(),
        digests=Digests(**{name: value for name, value in reading.digests if name in _PAYMENT_DIGESTS}),
        expires_at=operation.expires_at,
    )


def _check_chain(operation: FrozenOperation, facts: Facts) -> None:
    if facts.chain != str(operation.account.chain):
        raise Tampered("tampered.operation", detail="the facts are about another chain")


def view_hash(view: ConfirmationView, /) -> bytes:
    """SHA-256 over a tag, a zero byte and the RFC 8785 JSON of the view: 32 bytes. No rendering is part of it."""
    return hashlib.sha256(_TAG + b"\x00" + canonical_bytes(view.model_dump(mode="json"))).digest()


def check_decoded(
    operation: FrozenOperation,
    facts: FrozenFacts | None,
    /,
    *,
    effect: Effect | StatementEffect | Action | ExchangeWithdrawal,
) -> Decoded:
    """Step 3: decode the bytes, check that they do what was asked, and render the view. An action has no facts, a
    statement and a withdrawal have their own.

    Raises Tampered("tampered.operation") when bytes, account or effect differ from `effect`, and PolicyDenied
    ("policy.undecodable") when what was asked cannot be shown in full. Threat: T-006, T-007, T-008.
    """
    if isinstance(effect, Action):
        _check_action(operation, effect)
        view = render_action(operation)
    elif isinstance(effect, StatementEffect):
        check_stated(operation, effect)
        if not isinstance(facts, StatementFacts):
            raise Tampered("tampered.operation", detail="a statement without its facts")
        view = render_statement(operation, facts)
    elif isinstance(effect, ExchangeWithdrawal):
        _check_withdrawal(operation, effect)
        if not isinstance(facts, VenueFacts):
            raise Tampered("tampered.operation", detail="a withdrawal without facts")
        view = render_withdrawal(operation, facts)
    else:
        _check_transaction(operation, effect)
        if not isinstance(facts, Facts):
            raise Tampered("tampered.operation", detail="a transaction without facts")
        view = _rendered(operation, facts)
    return mint(Decoded, operation=operation, view=view, view_hash=view_hash(view))


@lru_cache(maxsize=8)
def _rendered(operation: FrozenOperation, facts: Facts) -> ConfirmationView:
    """The same bytes and facts are rendered when they are shown, and again when they are signed. Both are values: what
    differs in anything is another key."""
    return render_view(operation, facts)


def view_schema() -> dict[str, Any]:
    """The JSON Schema of the view, also kept as docs/formats/confirmation-view-v1.schema.json."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID}
    return schema | ConfirmationView.model_json_schema(mode="serialization")


def _check_transaction(operation: FrozenOperation, effect: Effect) -> None:
    try:
        same = frozen.matches(effect, operation.transaction)
    except InvalidInput:
        raise Tampered("tampered.operation", detail="the frozen bytes do not parse") from None
    same = same and operation.kind == frozen.KIND_EIP1559
    if not same or operation.account != effect.account or operation.effect_hash != frozen.effect_hash(effect):
        raise Tampered("tampered.operation", detail="the frozen bytes are not what was asked")


def _check_action(operation: FrozenOperation, action: Action) -> None:
    same = action_of(operation) == action
    if not same or operation.effect_hash != action_hash(action, operation.account):
        raise Tampered("tampered.operation", detail="the frozen bytes are not what was asked")


def _check_withdrawal(operation: FrozenOperation, asked: ExchangeWithdrawal) -> None:
    same = requests.matches(asked, requests.request_of(operation))
    if not same or operation.effect_hash != withdrawal_hash(asked, operation.account):
        raise Tampered("tampered.operation", detail="the frozen bytes are not what was asked")


def _token(facts: Facts, chain: ChainId) -> Asset | None:
    token = facts.token
    return None if token is None else Asset(chain, token.symbol, token.decimals, Address(token.address))


def _intent(payment: Payment, native: Asset) -> str:
    amount = _money(payment.amount, payment.token or native)
    if payment.kind is not EffectKind.TOKEN_APPROVAL:
        return f"Send {amount} to {payment.payee}"
    if payment.amount == 0:
        return f"Take back what {payment.payee} may take: {amount} from now on"
    return f"Let {payment.payee} take up to {amount} at any time"


def _fields(payment: Payment, facts: Facts, native: Asset, for_data: DataFee) -> tuple[ViewField, ...]:
    gwei = Asset(native.chain, "gwei", 9)
    money_of = partial(_money, asset=native)
    fee = (
        f"{_money(payment.max_fee, native)} ({payment.gas} gas at {_money(payment.max_fee_per_gas, gwei)}, "
        f"of it at most {_money(payment.max_priority_fee_per_gas, gwei)} as tip)"
    )
    call = payment.token is not None
    amount = _money(payment.amount, payment.token or native)
    values: list[tuple[str, FieldType, str, str]] = [
        (amount, "amount", "#.amount" if call else "@.value", str(payment.amount)),
        (_payee(payment, facts), "address", "#.party" if call else "@.to", payment.payee.value),
        (_party(payment.account.address, payment.account.name), "address", "@.from", payment.account.address.value),
        (str(payment.account.chain), "chain", "@.chainId", str(payment.account.chain.number)),
        (for_data.beside(fee, money_of), "fee", "@.fee", str(payment.max_fee)),
    ]
    if payment.token is not None and payment.token.address is not None:
        token = payment.token.address
        values.insert(2, (_party(token, payment.token.symbol), "address", "@.to", token.value))
    else:
        signed = payment.total - payment.data_fee
        values.append((for_data.total(signed, money_of), "amount", "", str(payment.total)))
    values.append((str(payment.nonce), "integer", "@.nonce", str(payment.nonce)))
    labels = LABELS[payment.kind]
    return tuple(
        ViewField(label=label, value=value, type=kind, path=path, raw=raw, source="bytes")
        for label, (value, kind, path, raw) in zip(labels, values, strict=True)
    )


def _effect(payment: Payment, facts: Facts, native: Asset) -> ViewEffect:
    asset = payment.token or native
    allows = payment.kind is EffectKind.TOKEN_APPROVAL
    money = _money(payment.amount, asset)
    return ViewEffect(
        direction="allow" if allows else "out",
        text=f"{payment.payee} may take {money}" if allows else f"{money} to {payment.payee}",
        asset=asset.id,
        amount=Amount.from_base_units(payment.amount, asset).text,
        raw=str(payment.amount),
        bound="at_most" if allows else "exact",
        decimals=asset.decimals,
        symbol=asset.symbol,
        symbol_source="config",
        owner=ViewParty(address=payment.account.address.value, relation="self"),
        counterparty=_counterparty(payment, facts),
        unlimited=allows and is_unlimited(payment.amount),
    )


def _counterparty(payment: Payment, facts: Facts) -> ViewParty:
    address = payment.payee.value
    if payment.payee == payment.account.address:
        return ViewParty(address=address, relation="self")
    if facts.payee_name is None:
        claim = _claim(payment, facts)
        if claim is None:
            return ViewParty(address=address)
        return ViewParty(address=address, name=text.quoted(claim, limit=text.NAME_LIMIT), name_source="ens")
    name = text.quoted(facts.payee_name, limit=text.NAME_LIMIT)
    return ViewParty(address=address, name=name, name_source="config", relation="known")


def _payee(payment: Payment, facts: Facts) -> str:
    claim = _claim(payment, facts)
    if facts.payee_name is None and claim is not None:
        return f"{_party(payment.payee, claim)}, says ens"
    return _party(payment.payee, facts.payee_name)


def _claim(payment: Payment, facts: Facts) -> str | None:
    """The payee's own name, if it is one: what was frozen about another address says nothing. Threat: T-023."""
    claim = facts.payee_claim
    return claim.name if claim is not None and claim.holds and claim.address == payment.payee.value else None


def _money(units: BaseUnits, asset: Asset) -> str:
    return f"{Amount.from_base_units(units, asset)} {asset.symbol}"


def _party(address: Address, name: str | None) -> str:
    known = "" if name is None else f" {text.quoted(name, limit=text.NAME_LIMIT)}"
    return text.grouped(address.value) + known
