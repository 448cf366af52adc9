"""``local-chain``: a development chain for a first try. A real EVM in memory; needs the ``testing`` extra.

It has one unlocked account with coins to give away, as development chains do, and forgets everything when it ends.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

import anyio

from mcp_wallet_guard.cli.invocation import Invocation, run_async
from mcp_wallet_guard.cli.output import Report, show
from mcp_wallet_guard.errors import InvalidInput, MissingExtra, Unavailable

if TYPE_CHECKING:
    from mcp_wallet_guard.testing.chain import SimulatedChain


def local_chain(invocation: Invocation, /) -> None:
    """Serve until SIGTERM or SIGINT. Says on standard output, once, that it listens.

    Raises MissingExtra("testing"), InvalidInput for a port that is none, Unavailable for one that is taken.
    """
    try:
        from mcp_wallet_guard.testing.chain import SimulatedChain
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.startswith("mcp_wallet_guard"):
            raise
        raise MissingExtra("testing") from None
    port = invocation.options.port
    if not 0 <= port <= 65_535:
        raise InvalidInput("invalid_input", detail="a port is within 0 and 65535; 0 is any free one")
    try:
        with SimulatedChain.in_thread(clock=invocation.clock, port=port) as chain:
            run_async(lambda: _until_told(lambda: show(_started(chain), as_json=invocation.options.json)))
    except OSError as error:
        raise Unavailable("unavailable", detail=f"port {port} of 127.0.0.1: {error.strerror}") from None


async def _until_told(ready: Callable[[], None]) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        ready()
        async for _ in signals:
            return


def _started(chain: SimulatedChain) -> Report:
    node, number = chain.url.rstrip("/"), chain.chain_id.number
    return Report(
        fields={"node": node, "chain_id": number},
        lines=(
            f"A chain of this machine's own, number {number}, answers at {node} until Ctrl-C. It is gone then.",
            "Set up a wallet on it in another terminal: mcp-wallet-guard init --chain local",
        ),
    )
