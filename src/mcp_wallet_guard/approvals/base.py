"""How a person says yes: what a channel may ask of the guard, and what it may not.

A channel (page, terminal) shows an `ApprovalRequest` and submits what the person typed. It never writes "approved":
the guard, which holds the unlocked vault, verifies match code and factor and writes the evidence. The model's own
channel is not a channel. Threat: T-001, T-004, T-109.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from mcp_wallet_guard.evidence import Channel
from mcp_wallet_guard.exchange import ApprovalRequest


class Continuation(StrEnum):
    """What happens after an answer was accepted, so that a channel can say it plainly. Never a timer."""

    NOW = "now"
    """A call is waiting: it signs at once."""

    NEXT_CALL = "next_call"
    """The next identical call signs, if it comes within `ceremony.SIGN_WITHIN_SECONDS`."""


class ApprovalDesk(Protocol):
    """The guard as seen by an approval channel. Every method raises Locked while the vault is locked."""

    async def requests(self) -> tuple[ApprovalRequest, ...]:
        """All open requests, oldest first. For paired browsers and the terminal only."""
        ...

    async def request(self, operation: str, /) -> ApprovalRequest:
        """One open request. Raises InvalidInput("invalid_input.id"), Expired or AlreadyUsed."""
        ...

    async def approve(
        self, operation: str, /, *, view_hash: str, match_code: str, code: str | None, channel: Channel
    ) -> Continuation:
        """Verify what the person typed after reading the view with `view_hash`, and store it as evidence.

        Another view than the operation's present one is refused. Raises FactorRejected, LockedOut, Expired,
        AlreadyUsed, Tampered, InvalidInput. A wrong code is counted before it is compared; a wrong match code uses up
        no one-time code.
        """
        ...

    async def decline(self, operation: str, /, *, channel: Channel) -> None:
        """The person says no. The same effect is answered `declined` for ten minutes."""
        ...

    async def pair_by_link(self, operation: str, link_secret: str, /) -> str:
        """Exchange the single-use secret of the owner's link file for a pairing token (the cookie's value).

        Raises FactorRejected("pairing.required") for a guessed, spent or expired link.
        """
        ...

    async def pair_by_code(self, code: str, /) -> str:
        """Pair an unpaired browser by a one-time code, which it uses up.

        Wrong codes count apart from the owner's: 5 per hour close only this door (`factor.door_closed`).
        """
        ...

    async def is_paired(self, token: str, /) -> bool:
        """Whether the cookie's token belongs to a pairing that has not ended."""
        ...

    @property
    def store_id(self) -> str:
        """Names the pairing cookie, so that two wallets on one host do not share it."""
        ...
