"""`GuardControl`: what the owner's own command line may ask of a running guard, over `control.sock`.

Together with `approvals.base.ApprovalDesk` (answers) and `mcp.base.GuardPort` (proposals) this is the whole surface of
a guard. The three are separate on purpose: an MCP server's socket offers `GuardPort` and nothing else.

`Port` says here what `mcp.base.GuardPort` says there: the daemon lies below `mcp` and cannot import it. A test compares
the two, method by method.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol, final

from mcp_wallet_guard.answers import GuardStatus, LogPage, LogReport
from mcp_wallet_guard.approvals.base import ApprovalDesk
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
from mcp_wallet_guard.secret import Secret


class GuardControl(Protocol):
    """Every method raises a `GuardError` from the catalogue."""

    async def unlock(self, passphrase: Secret, /) -> GuardStatus:
        """One scrypt derivation, then the store is verified. Raises VaultError, Tampered."""
        ...

    async def lock(self) -> GuardStatus:
        """Wipe the keys. Open operations stay; nothing can be approved or signed until the next unlock."""
        ...

    async def control_status(self) -> GuardStatus:
        """How it stands; works while locked."""
        ...

    async def apply_policy(self, settings: bytes, /, *, code: str) -> GuardStatus:
        """Seal canonical settings into the vault and put them in force. Takes a fresh factor code."""
        ...

    async def unlock_factor(self, passphrase: Secret, /, *, code: str) -> GuardStatus:
        """Open a locked-out factor: the passphrase again and a fresh code."""
        ...

    async def verify_log(self) -> LogReport:
        """Verify the journal's chain, and its seal when unlocked. Raises Tampered naming the first bad entry."""
        ...

    async def read_log(self, *, last: int, about: str | None) -> LogPage:
        """The newest entries, of everything or about one operation, after verifying as `verify_log`. Raises Tampered,
        InvalidInput("invalid_input.id")."""
        ...

    async def shut_down(self) -> None:
        """Lock and stop serving. For `mcp-wallet-guard stop` and service managers."""
        ...


class Port(Protocol):
    """`mcp.base.GuardPort`, method by method; what each promises is said there."""

    async def propose(self, proposal: Proposal, /, *, wait_seconds: float) -> Done | Pending | RefusedAnswer: ...
    async def act(
        self, proposal: ActionProposal, /, *, wait_seconds: float
    ) -> MayAct | Acted | Pending | RefusedAnswer: ...
    async def acted(
        self, operation: str, /, *, principal: str, outcome: ActOutcome, result: str | None
    ) -> Acted | RefusedAnswer: ...
    async def status(self, operation: str, /, *, principal: str) -> Done | Pending | RefusedAnswer: ...
    async def outcome(self, operation: str, /, *, principal: str) -> Done | Pending | RefusedAnswer: ...
    async def info(self) -> WalletInfo: ...
    async def balance(self, address: str | None, /, *, token: str | None = None) -> str: ...
    async def history(self, last: int, /) -> tuple[HistoryEntry, ...]: ...
    async def fingerprints(self) -> FingerprintSet: ...
    async def record_read(self, record: ReadRecord, /) -> None: ...
    async def aclose(self) -> None: ...


class ServedGuard(Port, ApprovalDesk, GuardControl, Protocol):
    """A whole guard, as the daemon serves it. Which socket offers what is `methods.METHODS`' business."""


@final
class Role(StrEnum):
    """Which of the two sockets, and so which table of methods."""

    MCP = "mcp"
    CONTROL = "control"
