"""Binance: withdrawals by its wallet API, signed with HMAC-SHA256. Source: developers.binance.com (Wallet; General API
information; request security).

The signature is over the form-encoded parameters, appended as the last of them, in hex; the key's id travels in a
header. The venue documents `withdrawOrderId` as a name to look a withdrawal up by, and nowhere that it refuses a second
one with the same: so nothing is ever sent twice, and an unclear end is looked up. Threat: T-009, T-046, T-057, T-061.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, final

from mcp_wallet_guard.egress import Egress, Reply
from mcp_wallet_guard.errors import InvalidInput, Unavailable
from mcp_wallet_guard.operations import binance
from mcp_wallet_guard.operations.requests import VenueRequest, request_of
from mcp_wallet_guard.operations.values import Amount
from mcp_wallet_guard.operations.withdrawals import ExchangeWithdrawal
from mcp_wallet_guard.pinned_url import PinnedUrl
from mcp_wallet_guard.policy.withdrawals import VenueRule
from mcp_wallet_guard.proofs import Sendable, exactly
from mcp_wallet_guard.venues.base import Credential, Found, SignedRequest, Standing, VenueClaims

COINS: Final = "/sapi/v1/capital/config/getall"
ADDRESSES: Final = "/sapi/v1/capital/withdraw/address/list"
HISTORY: Final = "/sapi/v1/capital/withdraw/history"
READ_WINDOW_MS: Final = 10_000
UNCLEAR: Final = frozenset({-1000, -1001, -1006, -1007})
"""Error codes by which the venue says that it does not know whether it carried a request out."""
STANDINGS: Final[dict[int, Standing]] = {
    0: "taken", 1: "failed", 2: "taken", 3: "failed", 4: "taken", 5: "failed", 6: "completed",
}  # fmt: skip
"""Status in the history: email sent, cancelled, awaiting approval, rejected, processing, failure, completed."""
_ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_TRANSACTION: Final = re.compile(r"[A-Za-z0-9:_-]{1,128}")
_AMOUNT: Final = re.compile(r"[0-9]{1,30}(?:\.[0-9]{1,30})?")


@final
class BinanceVenue:
    """Implements `venues.base.Venue`."""

    def __init__(self, *, origin: str, egress: Egress) -> None:
        self._origin: Final = origin
        self._egress: Final = egress

    def prepare(
        self, withdrawal: ExchangeWithdrawal, rule: VenueRule, /, *, order_id: str, opens_at: int, closes_at: int
    ) -> VenueRequest:
        """See `Venue.prepare`."""
        fields = binance.Fields(
            asset=withdrawal.asset,
            network=withdrawal.network,
            address=withdrawal.to,
            memo=withdrawal.memo,
            amount=withdrawal.amount,
            order_id=order_id,
            wallet=rule.wallet,
            window_ms=rule.window_ms,
        )
        return VenueRequest(
            venue=withdrawal.venue,
            format="binance",
            endpoint=rule.endpoint,
            label=rule.label,
            template=binance.write(fields),
            opens_at=opens_at,
            closes_at=closes_at,
        )

    async def claims(self, withdrawal: ExchangeWithdrawal, credential: Credential, /, *, now: int) -> VenueClaims:
        """See `Venue.claims`."""
        coins = await self._read(COINS, {}, credential, now)
        network = _only(
            each
            for coin in _objects(coins)
            if coin.get("coin") == withdrawal.asset
            for each in _objects(coin.get("networkList"))
            if each.get("network") == withdrawal.network
        )
        book = _objects(await self._read(ADDRESSES, {}, credential, now))
        entry = (withdrawal.asset, withdrawal.network, withdrawal.to, withdrawal.memo or "")
        return VenueClaims(
            fee=_amount(network.get("withdrawFee")),
            least=_amount(network.get("withdrawMin")),
            open=network.get("withdrawEnable") is True,
            needs_memo=network.get("withdrawTag") is True,
            listed=any(entry == tuple(each.get(k) for k in _BOOK) and each.get("whiteStatus") is True for each in book),
        )

    def sign(self, sendable: Sendable, credential: Credential, /) -> SignedRequest:
        """See `Venue.sign`."""
        text = exactly(Sendable, sendable).text
        return SignedRequest(request=request_of(sendable.operation), text=text, signature=_signature(text, credential))

    async def send(self, signed: SignedRequest, credential: Credential, /) -> Found:
        """See `Venue.send`."""
        reply = await self._call("POST", binance.PATH, signed.text, signed.signature, credential)
        document = reply.document if isinstance(reply.document, dict) else {}
        if reply.status == 200 and _is(_ID, document.get("id")):
            return Found(standing="taken", id=document["id"])
        code = document.get("code")
        if reply.status >= 400 and type(code) is int and code < 0 and code not in UNCLEAR:
            return Found(standing="failed")
        raise _unclear("an answer to a withdrawal that says neither yes nor no")

    async def find(self, request: VenueRequest, credential: Credential, /, *, now: int) -> Found | None:
        """See `Venue.find`."""
        fields = request.fields
        asked = {"coin": fields.asset, "withdrawOrderId": fields.order_id}
        answer = await self._read(HISTORY, asked, credential, now)
        found = [each for each in _objects(answer) if each.get("withdrawOrderId") == fields.order_id]
        if not found:
            return None
        entry = _only(iter(found))
        if not _is_same(entry, fields):
            raise _unclear("under our order id it has another withdrawal")
        standing = STANDINGS.get(entry["status"]) if type(entry.get("status")) is int else None
        if standing is None:
            raise _unclear("a withdrawal in a state that is not documented")
        identity, transaction = entry.get("id"), entry.get("txId")
        return Found(
            standing=standing,
            id=identity if _is(_ID, identity) else None,
            transaction=transaction if _is(_TRANSACTION, transaction) else None,
        )

    async def aclose(self) -> None:
        """See `Venue.aclose`."""
        await self._egress.aclose()

    async def _read(self, path: str, asked: Mapping[str, str], credential: Credential, now: int) -> Any:
        values = {**asked, "recvWindow": str(READ_WINDOW_MS), "timestamp": str(now * 1000)}
        text = "&".join(f"{name}={value}" for name, value in values.items())
        reply = await self._call("GET", path, text, _signature(text, credential), credential)
        if reply.status != 200:
            raise _unclear(f"status {reply.status} to a question")
        return reply.document

    async def _call(self, method: Any, path: str, text: str, signature: str, credential: Credential) -> Reply:
        url = PinnedUrl.parse(self._origin + path)
        with credential.key_id.reveal() as view:
            headers = {"X-MBX-APIKEY": bytes(view).decode("ascii")}
        return await self._egress.call(method, url, form=f"{text}&signature={signature}", headers=headers)


_BOOK: Final = ("coin", "network", "address", "addressTag")


def _signature(text: str, credential: Credential) -> str:
    with credential.secret.reveal() as view:
        return hmac.new(bytes(view), text.encode("ascii"), hashlib.sha256).hexdigest()


def _is_same(entry: Mapping[str, Any], fields: binance.Fields) -> bool:
    """Whether the history tells of what was asked. It may leave the memo out, write an EVM address in lower case, and
    tell the amount with its fee or without: which of them is not documented."""
    if (entry.get("coin"), entry.get("network")) != (fields.asset, fields.network):
        return False
    if entry.get("addressTag", fields.memo or "") != (fields.memo or ""):
        return False
    told, asked = str(entry.get("address")), fields.address
    if told != asked and not (asked.startswith("0x") and told == asked.lower()):
        return False
    with suppress(Unavailable):
        amount, fee = _units(_amount(entry.get("amount"))), _units(_amount(entry.get("transactionFee")))
        return _units(fields.amount) in {amount, amount + fee}
    return False


def _amount(value: object) -> Amount:
    """A decimal in the venue's spelling, which may have zeros at its end. Raises Unavailable."""
    if type(value) is str and _AMOUNT.fullmatch(value) is not None:
        with suppress(InvalidInput):
            return Amount.parse(value)
    raise _unclear("an amount that is none")


def _units(amount: Amount) -> int:
    whole, _, part = amount.text.partition(".")
    return int(whole + part.ljust(30, "0"))


def _objects(value: object) -> list[dict[str, Any]]:
    if type(value) is not list or not all(type(each) is dict for each in value):
        raise _unclear("a list that is none")
    return value


def _only(found: Any) -> dict[str, Any]:
    entries = list(found)
    if len(entries) != 1:
        raise _unclear("not exactly one entry of what was asked about")
    return dict(entries[0])


def _is(shape: re.Pattern[str], value: object) -> bool:
    return type(value) is str and shape.fullmatch(value) is not None


def _unclear(detail: str) -> Unavailable:
    return Unavailable("unavailable.venue", detail=detail)
