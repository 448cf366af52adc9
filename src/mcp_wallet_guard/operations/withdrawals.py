"""`ExchangeWithdrawal`: what a tool asks a trading venue to send out, and the name of its effect.

A venue's keys are not the wallet's: the request is a string that the guard signs with the venue's API secret, and the
venue does the rest. What is asked is an intent like any other. The network is always named, because a venue falls back
to a default of its own; the memo is a value or said to be none. Threat: T-001, T-006, T-025, T-026.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, final

from mcp_wallet_guard.canonical import canonical_bytes
from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations.values import Account, Amount, check_reference

WITHDRAWAL: Final = "exchange_withdrawal"
"""The kind of the intent, of the frozen operation and of the view."""
ACCOUNT_PREFIX: Final = "venue:"
"""What an operation's account begins with where no chain's account pays: the venue's name follows."""

_VENUE: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_ASSET: Final = re.compile(r"[A-Z0-9]{1,16}")
_NETWORK: Final = re.compile(r"[A-Z0-9][A-Z0-9_-]{0,23}")
_ADDRESS: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{3,127}")
_MEMO: Final = re.compile(r"[A-Za-z0-9._:@/+=#-]{1,100}")
_EFFECT_TAG: Final = b"mcp-wallet-guard/withdrawal/v1"
_NOTHING: Final = Amount("0")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeWithdrawal:
    """Send `amount` of `asset` from the owner's account at `venue` to the address `to` on `network`.

    `venue` is the name of one of guard.toml's venues; `asset` and `network` are in the venue's own spelling, and there
    is no default for the network. `memo` (a tag, a payment id) has none either: None says that there shall be none.
    `amount` leaves the account; what arrives is less by the venue's fee. `reference` makes a deliberate second
    withdrawal of the same a different one. Raises InvalidInput("invalid_input.withdrawal", "invalid_input.amount").
    """

    venue: str
    asset: str
    network: str
    to: str
    memo: str | None
    amount: Amount
    reference: str | None = None

    def __post_init__(self) -> None:
        texts = ((self.venue, _VENUE), (self.asset, _ASSET), (self.network, _NETWORK), (self.to, _ADDRESS))
        if not all(type(text) is str and shape.fullmatch(text) is not None for text, shape in texts):
            raise InvalidInput("invalid_input.withdrawal")
        if self.memo is not None and (type(self.memo) is not str or _MEMO.fullmatch(self.memo) is None):
            raise InvalidInput("invalid_input.withdrawal")
        if type(self.amount) is not Amount:
            raise InvalidInput("invalid_input.amount")
        if self.amount == _NOTHING:
            raise InvalidInput("invalid_input.zero")
        if self.reference is not None:
            check_reference(self.reference)


PARSERS: Final[dict[str, Callable[[str], Any]]] = {
    **dict.fromkeys(("venue", "asset", "network", "to", "memo", "reference"), str),
    "amount": Amount.parse,
}
"""Field -> what reads its text."""


def is_venue_address(text: str, /) -> bool:
    """Whether a venue's address may be written so: 4 to 128 letters, digits and ``. _ : -``, no sign in front."""
    return _ADDRESS.fullmatch(text) is not None


def is_memo(text: str, /) -> bool:
    """Whether a memo may be written so: 1 to 100 letters, digits and ``. _ : @ / + = # -``."""
    return _MEMO.fullmatch(text) is not None


def account_of(withdrawal: ExchangeWithdrawal, /) -> str:
    """What stands where a payment has its account: no chain settles it, and no nonce is held."""
    return ACCOUNT_PREFIX + withdrawal.venue


def withdrawal_hash(withdrawal: ExchangeWithdrawal, account: Account, /) -> bytes:
    """Names what is asked of whose guard: SHA-256 over a tag, a zero byte and the RFC 8785 form of both; 32 bytes."""
    body = {
        "account": account.id,
        "amount": withdrawal.amount.text,
        "asset": withdrawal.asset,
        "memo": withdrawal.memo,
        "network": withdrawal.network,
        "reference": withdrawal.reference,
        "to": withdrawal.to,
        "venue": withdrawal.venue,
    }
    return hashlib.sha256(_EFFECT_TAG + b"\x00" + canonical_bytes(body)).digest()


def order_id(operation: str, effect: bytes, /) -> str:
    """The name that the request has at the venue: 32 lower-case hex digits, from the operation's id and its effect.

    An operation is consumed at most once, so a venue sees each of these names at most once: a second request with one
    would be a replay, and the venue is asked by it what became of the first.
    """
    digest = hashlib.sha256(_EFFECT_TAG + b"/order\x00" + operation.encode() + b"\x00" + effect)
    return digest.hexdigest()[:32]
