"""A wallet server as a host starts it: `python -m tests.e2e.entry_server KIND GUARD_TOML [CLOCK_FILE]`.

`KIND` is ``wallet``, ``leaky``, ``acting`` or ``signing``. The clock is for the embedded mode; in daemon mode the guard
has its own.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from mcp_wallet_guard.testing.clock import SharedClock
from tests.e2e.acting_server import build_acting
from tests.e2e.leaky_server import build_leaky
from tests.e2e.signing_server import build_signing
from tests.e2e.wallet_server import build_wallet

if __name__ == "__main__":
    kind, settings, *clock = sys.argv[1:]
    logging.basicConfig(stream=sys.stderr, level=logging.DEBUG)
    builders = {"wallet": build_wallet, "leaky": build_leaky, "acting": build_acting, "signing": build_signing}
    builders[kind](Path(settings), clock=SharedClock(Path(clock[0])) if clock else None).run()
