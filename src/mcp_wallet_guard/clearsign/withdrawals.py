"""What a person reads of a withdrawal from a venue: decoded from the string that will be signed, that string included.

Only the fee, and what arrives, is not in the string: they are facts, and say where they come from.
Threat: T-006, T-021, T-022, T-120.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mcp_wallet_guard.clearsign import text
from mcp_wallet_guard.confirmation import ConfirmationView, FieldType, Finding, ViewEffect, ViewField
from mcp_wallet_guard.errors import PolicyDenied, Tampered
from mcp_wallet_guard.evidence import VenueFacts
from mcp_wallet_guard.operations.binance import Fields
from mcp_wallet_guard.operations.frozen import FrozenOperation
from mcp_wallet_guard.operations.requests import PLACE, VenueRequest, request_of, sha256
from mcp_wallet_guard.operations.values import Amount
from mcp_wallet_guard.operations.withdrawals import WITHDRAWAL

LABELS: Final = (
    "Amount", "Arrives", "Fee", "Address", "Known as", "Network", "Memo", "Venue", "From", "Order id", "Sent to",
    "Signed string", "Left open in it", "SHA-256 of it",
)  # fmt: skip
"""The fields, in their fixed order."""
_TYPES: Final[dict[str, FieldType]] = {
    "Amount": "amount", "Arrives": "amount", "Fee": "fee", "Address": "address", "SHA-256 of it": "bytes",
}  # fmt: skip
"""Of the fields that are no text."""
MAX_SHOWN: Final = 1_200
_SHARED_FORMS: Final = frozenset({"evm"})
_ORDER: Final = ("danger", "warning", "notice")


def render_withdrawal(operation: FrozenOperation, facts: VenueFacts, /) -> ConfirmationView:
    """The view of a frozen withdrawal.

    Raises Tampered("tampered.operation"), PolicyDenied("policy.undecodable") for what cannot be shown in full.
    """
    request = request_of(operation)
    fields = request.fields
    arrives = minus(fields.amount, facts.fee)
    values = (
        f"{fields.amount} {fields.asset}",
        f"{arrives} {fields.asset}",
        f"{facts.fee} {fields.asset}, {_FEE_SOURCES[facts.fee_source]}",
        in_groups(fields.address),
        text.quoted(facts.destination, limit=text.NAME_LIMIT),
        fields.network,
        "none" if fields.memo is None else text.quoted(fields.memo, limit=MAX_SHOWN),
        request.venue,
        f"{text.quoted(request.label, limit=text.NAME_LIMIT)}, {fields.wallet} wallet",
        in_groups(fields.order_id),
        f"POST {request.endpoint}",
        _whole(request.template),
        f"{PLACE}: its time, in milliseconds from {request.opens_at}000 to {request.closes_at}000",
        in_groups(sha256(request.template)),
    )
    return ConfirmationView(
        kind=WITHDRAWAL,
        chain=str(operation.account.chain),
        account=operation.account.id,
        intent=(
            f"Withdraw {fields.amount} {fields.asset} from {request.venue} over {fields.network} to {fields.address}"
        ),
        effects=(
            ViewEffect(
                direction="out",
                text=f"{fields.amount} {fields.asset} to {fields.address}",
                amount=fields.amount.text,
                symbol=fields.asset,
                symbol_source="config",
            ),
        ),
        fields=tuple(
            ViewField(label=label, value=value, type=_TYPES.get(label, "text"), source="bytes")
            for label, value in zip(LABELS, values, strict=True)
        ),
        findings=tuple(sorted(_findings(request, fields, facts), key=lambda each: _ORDER.index(each.severity))),
        operation_digest=operation.digest.hex(),
        expires_at=operation.expires_at,
    )


_FEE_SOURCES: Final = {"venue": "as the venue says", "settings": "as the settings say"}


def minus(amount: Amount, fee: Amount, /) -> Amount:
    """The exact difference. Raises Tampered("tampered.operation") unless it is positive."""
    places = max(len(each.text.partition(".")[2]) for each in (amount, fee))
    left = _scaled(amount, places) - _scaled(fee, places)
    if left <= 0:
        raise Tampered("tampered.operation", detail="the fee takes all of it")
    digits = str(left).rjust(places + 1, "0")
    return Amount(f"{digits[: len(digits) - places]}.{digits[len(digits) - places :]}" if places else digits)


def in_groups(value: str, /) -> str:
    """All of it in groups of four, for a person to compare; a leading ``0x`` stands alone."""
    start, rest = (["0x"], value[2:]) if value.startswith("0x") else ([], value)
    return " ".join([*start, *(rest[at : at + 4] for at in range(0, len(rest), 4))])


def _findings(request: VenueRequest, fields: Fields, facts: VenueFacts) -> Iterator[Finding]:
    amount, fee = (_scaled(each, 77) for each in (fields.amount, facts.fee))
    if facts.listed is False:
        yield _finding("withdrawal.unlisted", "danger", "The venue does not have this address in its address book.")
    if facts.listed is None:
        yield _finding("withdrawal.unlisted", "notice", _NOT_CHECKED)
    if 5 * fee > amount:
        yield _finding(
            "fee.high", "danger" if 2 * fee > amount else "warning", "The fee is more than 20 % of the amount."
        )
    if facts.fee_source == "settings":
        yield _finding("withdrawal.fee_unchecked", "notice", _FEE_UNCHECKED)
    if fields.memo is None and facts.memo_rule != "none":
        yield _finding("withdrawal.no_memo", "warning", _NO_MEMO)
    if facts.form in _SHARED_FORMS:
        yield _finding(
            "withdrawal.shared_form", "warning",
            f"Addresses of this form exist on many networks. What is sent over {fields.network} is lost unless the "
            "payee takes it there.",
        )  # fmt: skip
    if request.endpoint.startswith("http://"):
        yield _finding("withdrawal.plain_http", "warning", "The venue's address is one of this computer.")
    yield _finding("withdrawal.unseen", "warning", _UNSEEN)


_NOT_CHECKED: Final = "Not checked: whether the venue has this address in its own address book."
_FEE_UNCHECKED: Final = "Not checked: whether the venue takes the fee that the settings say."
_NO_MEMO: Final = (
    "There is no memo. A payee that shares its address with others, such as an exchange, cannot tell it is its."
)
_UNSEEN: Final = "The guard signs this request. What the venue does with it, and when, is up to the venue."


def _finding(code: str, severity: str, sentence: str) -> Finding:
    return Finding.model_validate({"code": code, "severity": severity, "text": sentence})


def _whole(template: str) -> str:
    if len(template) > MAX_SHOWN or not text.is_plain(template):
        raise PolicyDenied("policy.undecodable", detail="the request is too long to be shown")
    return template


def _scaled(amount: Amount, places: int) -> int:
    whole, _, part = amount.text.partition(".")
    return int(whole + part.ljust(places, "0"))
