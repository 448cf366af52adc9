"""WalletGuard: what a server's author writes.

    wallet = WalletGuard.from_file("guard.toml").protect(mcp)

`from_file` reads settings and connects to nothing; the guard is reached when the server first needs it. In daemon mode
(the default) this process holds no key, no factor and no store. Threat: T-001, T-056.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

from mcp_wallet_guard.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from os import PathLike

    from mcp.server import MCPServer

    from mcp_wallet_guard.evidence import Clock
    from mcp_wallet_guard.mcp.base import GuardPort
    from mcp_wallet_guard.mcp.protection import Protection


@final
class WalletGuard:
    """A way to a guard. Made by `from_file`, or by `connect` with a port of one's own."""

    def __init__(self, port: GuardPort | Callable[[], Awaitable[GuardPort]], /, *, wait_seconds: float) -> None:
        self._port: Final = port
        self._wait_seconds: Final = wait_seconds

    @classmethod
    def from_file(cls, path: str | PathLike[str], /, *, clock: Clock | None = None) -> WalletGuard:
        """The guard of the vault that this guard.toml names: its daemon, or an embedded one when `mode` says so.

        `clock` is for tests of the embedded mode. Raises Misconfigured("misconfigured.settings").
        """
        from mcp_wallet_guard.config.file import load_settings  # each door loads its own rooms when it is opened

        loaded = load_settings(Path(path))
        wait_seconds = float(loaded.settings.approval.wait_seconds)

        async def embedded() -> GuardPort:
            from mcp_wallet_guard.assembly import SystemClock
            from mcp_wallet_guard.embedded import EmbeddedGuard

            return await EmbeddedGuard.start(loaded, clock=clock or SystemClock())

        async def daemon() -> GuardPort:
            from mcp_wallet_guard.daemon.client import DaemonClient

            return DaemonClient(loaded.vault_path.parent)

        if loaded.settings.mode == "embedded":
            return cls(embedded, wait_seconds=wait_seconds)
        if clock is not None:
            raise Misconfigured("misconfigured", detail="a clock is for the embedded mode; the daemon has its own")
        return cls(daemon, wait_seconds=wait_seconds)

    @classmethod
    def connect(cls, port: GuardPort, /, *, wait_seconds: float = 0.0) -> WalletGuard:
        """A guard behind a port that the caller made, and closes."""
        return cls(port, wait_seconds=wait_seconds)

    def protect(self, mcp: MCPServer[Any], /, *, reads: Sequence[str] = ()) -> Protection:
        """Guard `mcp`: filter every result, deny what is not classified, and give the verbs `spends`, `reads`,
        `resource` and `prompt`.

        `reads` classifies what is registered already and only reads: tools by name, resources by URI or URI template,
        prompts as ``prompt:name``; these resources and prompts are private. Raises Misconfigured, with
        "misconfigured.tool" for what is not there or cannot be guarded.
        """
        from mcp_wallet_guard.mcp.protection import protect

        return protect(mcp, self._port, reads=reads, wait_seconds=self._wait_seconds)
