"""The string that Binance's withdrawal request signs: fields to text, and exactly such text back to fields.

`POST /sapi/v1/capital/withdraw/apply`, its parameters as one form-encoded string in a fixed order, the time last. All
that the venue would otherwise choose by itself is written out: the network, the wallet that it leaves, who bears the
fee of an internal transfer. Source: developers.binance.com, Wallet, Withdraw (USER_DATA), and its request security.
Threat: T-006, T-007.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, final

from mcp_wallet_guard.errors import InvalidInput, Tampered
from mcp_wallet_guard.operations.values import Amount

PATH: Final = "/sapi/v1/capital/withdraw/apply"
MAX_WINDOW_MS: Final = 60_000
"""The longest that Binance takes a request for, in milliseconds after the time that stands in it."""
WALLETS: Final[dict[Literal["spot", "funding"], str]] = {"spot": "0", "funding": "1"}

_PLAIN: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
_PART: Final = re.compile(r"(?:[A-Za-z0-9._-]|%[0-9A-F]{2})+")
_NAMES: Final = (
    "coin", "withdrawOrderId", "network", "address", "addressTag", "amount", "transactionFeeFlag", "walletType",
    "recvWindow", "timestamp",
)  # fmt: skip
_TAG: Final = "addressTag"
_TIME: Final = "{timestamp}"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """What the string asks for. `window_ms` is how long after its time the venue takes it."""

    asset: str
    network: str
    address: str
    memo: str | None
    amount: Amount
    order_id: str
    wallet: Literal["spot", "funding"]
    window_ms: int


def write(fields: Fields, /) -> str:
    """The template: everything that is signed, ``{timestamp}`` in the place of the time."""
    values = {
        "coin": fields.asset,
        "withdrawOrderId": fields.order_id,
        "network": fields.network,
        "address": fields.address,
        _TAG: fields.memo,
        "amount": fields.amount.text,
        "transactionFeeFlag": "false",
        "walletType": WALLETS[fields.wallet],
        "recvWindow": str(fields.window_ms),
    }
    parts = [f"{name}={_quoted(values[name] or '')}" for name in _NAMES[:-1] if values[name] is not None]
    return "&".join([*parts, f"timestamp={_TIME}"])


def read(template: str, /) -> Fields:
    """Strict inverse of `write`: names, order, encoding and all. Raises Tampered("tampered.operation")."""
    pairs = [part.partition("=") for part in template.split("&")]
    names = tuple(name for name, _, _ in pairs)
    texts = {name: text for name, _, text in pairs}
    wallet: Literal["spot", "funding"] = "spot" if texts.get("walletType") == WALLETS["spot"] else "funding"
    try:
        if names in {_NAMES, tuple(name for name in _NAMES if name != _TAG)}:
            memo = texts.get(_TAG)
            fields = Fields(
                asset=_plain(texts["coin"]),
                network=_plain(texts["network"]),
                address=_plain(texts["address"]),
                memo=None if memo is None else _plain(memo),
                amount=Amount.parse(texts["amount"]),
                order_id=_plain(texts["withdrawOrderId"]),
                wallet=wallet,
                window_ms=int(texts["recvWindow"]),
            )
            if write(fields) == template and 1 <= fields.window_ms <= MAX_WINDOW_MS:
                return fields
    except (ValueError, InvalidInput):
        pass
    raise Tampered("tampered.operation", detail="not a withdrawal request in its one spelling")


def _quoted(text: str) -> str:
    return "".join(c if c in _PLAIN else "".join(f"%{byte:02X}" for byte in c.encode()) for c in text)


def _plain(text: str) -> str:
    if _PART.fullmatch(text) is None:
        raise ValueError
    raw = re.sub(rb"%([0-9A-F]{2})", lambda found: bytes.fromhex(found[1].decode()), text.encode("ascii"))
    return raw.decode("ascii")
