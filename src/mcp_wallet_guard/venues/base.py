"""`Venue`: what the guard needs of a trading venue that it withdraws from. Adapters beside this file implement it.

A venue is asked by string and API key. The key is handed in for each call and is kept by nobody here; a withdrawal is
signed for a `Sendable` alone, and sent once. What became of it is asked by the order id, never by sending again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol, final

from mcp_wallet_guard.operations.requests import VenueRequest
from mcp_wallet_guard.operations.values import Amount
from mcp_wallet_guard.operations.withdrawals import ExchangeWithdrawal
from mcp_wallet_guard.policy.withdrawals import VenueRule
from mcp_wallet_guard.proofs import Sendable
from mcp_wallet_guard.secret import Secret


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A venue's API key: its id, which alone reads an account's stream at some venues, and the secret. Both are wiped
    by whoever opened them."""

    key_id: Secret
    secret: Secret

    def wipe(self) -> None:
        """Wipe both. Idempotent."""
        self.key_id.wipe()
        self.secret.wipe()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class VenueClaims:
    """What the venue says of an asset on a network: its fee, the least that it sends out, whether the address is in its
    own address book. `open` is false while it sends nothing out there."""

    fee: Amount
    least: Amount
    open: bool
    needs_memo: bool
    listed: bool


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """A request ready to be sent: `text` is what was signed, `signature` hex."""

    request: VenueRequest
    text: str
    signature: str = field(repr=False)


Standing = Literal["taken", "completed", "failed"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A withdrawal as the venue tells of it. `id` is its own name for it, `transaction` the chain's, once there is one:
    both are the venue's words, checked for their alphabet only."""

    standing: Standing
    id: str | None = None
    transaction: str | None = None


class Venue(Protocol):
    """One account at one venue. Every method but `prepare` and `sign` speaks to the network and raises
    Unavailable("unavailable.venue") when nobody knows what the venue did or says."""

    def prepare(
        self, withdrawal: ExchangeWithdrawal, rule: VenueRule, /, *, order_id: str, opens_at: int, closes_at: int
    ) -> VenueRequest:
        """The request, its time left open. Nothing is asked."""
        ...

    async def claims(self, withdrawal: ExchangeWithdrawal, credential: Credential, /, *, now: int) -> VenueClaims:
        """What the venue says of this asset on this network, and of the address."""
        ...

    def sign(self, sendable: Sendable, credential: Credential, /) -> SignedRequest:
        """Sign the approved string. Raises TypeError without the exact proof."""
        ...

    async def send(self, signed: SignedRequest, credential: Credential, /) -> Found:
        """Send it, once. ``failed`` is the venue's own word that it refused; anything unclear raises Unavailable."""
        ...

    async def find(self, request: VenueRequest, credential: Credential, /, *, now: int) -> Found | None:
        """What the venue has under the request's order id, None when it says that it has nothing.

        Raises Unavailable also when what it has there is not what was asked.
        """
        ...

    async def aclose(self) -> None:
        """Close connections. Idempotent."""
        ...
