"""About once a second a guard looks after itself, in the daemon and in the embedded mode alike."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import anyio

from mcp_wallet_guard.errors import GuardError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

TICK_SECONDS: Final = 1.0
WATCH_SECONDS: Final = 5.0
_log: Final = logging.getLogger(__name__)


async def keep_ticking(tick: Callable[[], Awaitable[None]], /, *, seconds: float = TICK_SECONDS) -> None:
    """Call `tick` every so many `seconds` until cancelled. One that fails with a GuardError is logged by its code and
    tried again: what must not be lost is kept until it succeeds. Anything else that it raises ends this, and is the
    caller's to end with."""
    while True:
        try:
            await tick()
        except GuardError as error:
            _log.warning("tick: %s", error.code)
        await anyio.sleep(seconds)
