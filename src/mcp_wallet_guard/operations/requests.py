"""The request to a venue as it is frozen: the exact string that will be signed, with one place left open.

A venue takes a signed request for a minute at most, by the time that stands in it; a person takes longer. So that time
is the one thing that is filled in when the approval is used up, within bounds that are frozen and shown with the rest:
what is approved is the set of strings that differ in nothing else. Why not otherwise: docs/adr/0790.
Threat: T-006, T-007, T-008.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final, final

from mcp_wallet_guard import strict_json
from mcp_wallet_guard.canonical import canonical_bytes
from mcp_wallet_guard.errors import InvalidInput, Tampered
from mcp_wallet_guard.operations import binance
from mcp_wallet_guard.operations.frozen import KIND_WITHDRAWAL, FrozenOperation
from mcp_wallet_guard.operations.values import Account
from mcp_wallet_guard.operations.withdrawals import ExchangeWithdrawal, withdrawal_hash

PLACE: Final = "{timestamp}"
"""Stands once in a template, for milliseconds since 1970 in 13 decimal digits."""
FORMATS: Final[dict[str, Callable[[str], binance.Fields]]] = {"binance": binance.read}
"""Kind of venue -> what reads its template."""
MAX_BYTES: Final = 4_096
_ENDPOINT: Final = re.compile(r"https?://[a-z0-9.:\[\]-]{1,255}/[A-Za-z0-9/_.-]{1,255}")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class VenueRequest:
    """What is frozen. `endpoint` is where it is sent, `label` the owner's name for the account there, `template` the
    string that is signed but for its time, which lies from `opens_at` to `closes_at`, both inclusive, unix seconds."""

    venue: str
    format: str
    endpoint: str
    label: str
    template: str
    opens_at: int
    closes_at: int

    @property
    def body(self) -> bytes:
        """RFC 8785 JSON: the bytes of the frozen operation."""
        return canonical_bytes(asdict(self))

    @property
    def fields(self) -> binance.Fields:
        """What the template asks for, read from it each time: there is no second copy to disagree with it.

        Raises Tampered("tampered.operation") for a string that is not exactly one of this format's.
        """
        read = FORMATS.get(self.format)
        if read is None:
            raise Tampered("tampered.operation", detail="no such format of a request")
        return read(self.template)

    def filled(self, at: int, /) -> str:
        """The string that is signed at unix second `at`. Raises Tampered outside the frozen bounds."""
        if not self.opens_at <= at <= self.closes_at or self.template.count(PLACE) != 1:
            raise Tampered("tampered.operation", detail="the time of the request is not one that was approved")
        return self.template.replace(PLACE, str(at * 1000))


def freeze_withdrawal(withdrawal: ExchangeWithdrawal, request: VenueRequest, account: Account, /) -> FrozenOperation:
    """Fix `request` as what is asked. Raises Tampered when it does not ask for exactly what `withdrawal` says."""
    if not matches(withdrawal, request):
        raise Tampered("tampered.operation", detail="the request is not what was asked")
    return FrozenOperation(
        kind=KIND_WITHDRAWAL,
        account=account,
        unsigned_bytes=request.body,
        effect_hash=withdrawal_hash(withdrawal, account),
        expires_at=request.closes_at,
    )


def matches(withdrawal: ExchangeWithdrawal, request: VenueRequest, /) -> bool:
    """Whether the string asks for exactly what `withdrawal` says. Raises Tampered for one that cannot be read."""
    fields = request.fields
    asked = (withdrawal.venue, withdrawal.asset, withdrawal.network, withdrawal.to, withdrawal.memo, withdrawal.amount)
    return asked == (request.venue, fields.asset, fields.network, fields.address, fields.memo, fields.amount)


def request_of(operation: FrozenOperation, /) -> VenueRequest:
    """The request of a frozen withdrawal, strictly read. Raises Tampered("tampered.operation")."""
    raw = operation.unsigned_bytes
    try:
        if operation.kind == KIND_WITHDRAWAL and len(raw) <= MAX_BYTES:
            request = VenueRequest(**strict_json.loads(raw))
            texts = (request.venue, request.format, request.endpoint, request.label, request.template)
            plain = all(type(text) is str for text in texts) and request.body == raw
            if (
                plain
                and _ENDPOINT.fullmatch(request.endpoint)
                and 0 < request.opens_at <= request.closes_at == operation.expires_at
            ):
                return request
    except (ValueError, TypeError, InvalidInput):
        pass
    raise Tampered("tampered.operation", detail="not a frozen withdrawal")


def sha256(text: str, /) -> str:
    """Hex of SHA-256 over the UTF-8 text, as any tool computes it: for comparing what was signed."""
    return hashlib.sha256(text.encode()).hexdigest()
