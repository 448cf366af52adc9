"""`GuardPort`: all that the MCP side knows of the guard. The daemon's client and the guard itself both fit it."""

from __future__ import annotations

from typing import Protocol

from mcp_wallet_guard.exchange import (
    Acted,
    ActionProposal,
    ActOutcome,
    Done,
    HistoryEntry,
    MayAct,
    Pending,
    Proposal,
    ReadRecord,
    RefusedAnswer,
    WalletInfo,
)
from mcp_wallet_guard.filters.fingerprints import FingerprintSet


class GuardPort(Protocol):
    """What an MCP server may ask. There is nothing here that approves, unlocks or exports."""

    async def propose(self, proposal: Proposal, /, *, wait_seconds: float) -> Done | Pending | RefusedAnswer:
        """Ask for a spend, or join or repeat an equal one. Waits up to `wait_seconds` for the person's answer.

        Never raises a GuardError for a decision: refusals are answers. Raises Unavailable when the guard cannot be
        reached, InvalidInput for an intent that does not parse.
        """
        ...

    async def act(
        self, proposal: ActionProposal, /, *, wait_seconds: float
    ) -> MayAct | Acted | Pending | RefusedAnswer:
        """Ask for an action, or join, begin or repeat an equal one, as `propose` does for a payment.

        `MayAct` comes once: its caller runs the tool now, and tells how it ended with `acted`. Whoever gets it and goes
        away has used the approval up.
        """
        ...

    async def acted(
        self, operation: str, /, *, principal: str, outcome: ActOutcome, result: str | None
    ) -> Acted | RefusedAnswer:
        """Tell, once, how a begun action ended. `result` is JSON, at most 16,384 characters, kept for equal calls."""
        ...

    async def status(self, operation: str, /, *, principal: str) -> Done | Pending | RefusedAnswer:
        """How an operation of this principal stands. An unknown id and a foreign one read alike (T-015)."""
        ...

    async def outcome(self, operation: str, /, *, principal: str) -> Done | Pending | RefusedAnswer:
        """Like `status`, after asking the chain about a sent transaction."""
        ...

    async def info(self) -> WalletInfo:
        """Public facts; available while locked."""
        ...

    async def balance(self, address: str | None, /, *, token: str | None = None) -> str:
        """What `address`, or the wallet's account, holds, as decimal text: wei, or smallest units of a pinned token."""
        ...

    async def history(self, last: int, /) -> tuple[HistoryEntry, ...]:
        """The newest `last` payments (1 to 100) that were signed and sent, the newest first, as `balance` is read."""
        ...

    async def fingerprints(self) -> FingerprintSet:
        """Keyed digests of the vault's secrets, for the outbound filter; empty before the first unlock."""
        ...

    async def record_read(self, record: ReadRecord, /) -> None:
        """Queue a journal entry for a read. Raises Unavailable when the bounded queue is full or broken."""
        ...

    async def aclose(self) -> None:
        """Close. Idempotent."""
        ...
