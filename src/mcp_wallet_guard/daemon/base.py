"""`GuardControl`: what the owner's own command line may ask of a running guard, over `control.sock`.

Together with `approvals.base.ApprovalDesk` (answers) and `mcp.base.GuardPort` (proposals) this is the whole surface of
a guard. The three are separate on purpose: an MCP server's socket offers `GuardPort` and nothing else.
"""

from __future__ import annotations

from typing import Protocol, final

from mcp_wallet_guard.evidence import Model
from mcp_wallet_guard.secret import Secret


@final
class GuardStatus(Model):
    """How the guard stands. No secret, no link, no balance."""

    version: str
    locked: bool
    store_id: str | None
    blocked: str | None
    account: str | None
    policy_revision: int | None
    settings_differ: tuple[str, ...]
    factor_locked: bool
    open_operations: int
    page_url: str | None
    waivers: tuple[str, ...]


@final
class LogReport(Model):
    """The result of verifying the journal. `keyed` says whether MACs were checked too (the vault was unlocked)."""

    entries: int
    head: str
    keyed: bool
    message: str


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

    async def shut_down(self) -> None:
        """Lock and stop serving. For `mcp-wallet-guard stop` and service managers."""
        ...
