"""``mcp-wallet-guard``: the owner's own command.

Importing this is cheap: each command's module, and what it needs, is loaded when that command runs. Exit status 0 is
done; a refusal or failure has the status of its error (`errors.GuardError.exit_status`), 70 is a bug of ours.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from typing import TYPE_CHECKING, cast

from mcp_wallet_guard.cli.next_steps import next_command
from mcp_wallet_guard.cli.output import EXIT_INTERRUPTED, EXIT_UNEXPECTED, show, show_error, show_unexpected
from mcp_wallet_guard.cli.parser import parse
from mcp_wallet_guard.errors import GuardError

if TYPE_CHECKING:
    from argparse import Namespace

    from mcp_wallet_guard.cli.invocation import Run
    from mcp_wallet_guard.evidence import Clock


def main(argv: list[str] | None = None, /, *, clock: Clock | None = None) -> int:
    """Run one command and return its exit status. `clock` is the computer's unless a test scripts another."""
    words = sys.argv[1:] if argv is None else argv
    as_json, debug = "--json" in words, "--debug" in words
    options: Namespace | None = None
    try:
        options = parse(words)
        return _run(options, clock)
    except GuardError as error:
        show_error(error, as_json=as_json, next_command=next_command(error.code, options))
        return error.exit_status
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except Exception:  # noqa: BLE001 - the last line: a traceback may hold anything
        if debug:
            traceback.print_exc()
        show_unexpected(as_json=as_json)
        return EXIT_UNEXPECTED


def _run(options: Namespace, clock: Clock | None) -> int:
    from mcp_wallet_guard.cli.invocation import Invocation

    module, _, name = str(options.run).partition(":")
    run = cast("Run", getattr(importlib.import_module(f"mcp_wallet_guard.cli.{module}"), name))
    report = run(Invocation(options, clock))
    if report is None:
        return 0
    show(report, as_json=options.json)
    return report.exit_status


if __name__ == "__main__":
    sys.exit(main())
