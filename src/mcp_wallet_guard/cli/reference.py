"""docs/cli.md, made from the parser: ``python -m mcp_wallet_guard.cli.reference > docs/cli.md``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Final

from mcp_wallet_guard.cli.parser import PROGRAM, make_parser

_HEAD: Final = """\
# Command line

The owner's own command. It is made from the parser by `python -m mcp_wallet_guard.cli.reference`, and a test compares.

A passphrase, a code, recovery words or an API key are never an option and never on standard output: they go over the
controlling terminal, or over a descriptor that you name, such as `--passphrase-fd 3 3< file`. Results are on standard
output (`--json`: one object), everything else on standard error.

| exit status | meaning |
| --- | --- |
| 0 | done |
| 1 | it ran, and did not come to what it is for: nothing was decided, or an expectation of the demonstration failed |
| 2 | invalid input |
| 3 | refused: by a person, a policy, a lock, or because no guard runs |
| 4 | a verification failed: something was changed from outside |
| 5 | something that is needed did not answer, or there is no terminal |
| 6 | set-up: settings, files, or another guard |
| 7 | the vault, or a key file, cannot be opened |
| 70 | a bug of ours |
| 130 | interrupted |

An error with `--json` is `{"error": {"code": ..., "message": ..., "detail": ..., "next": ...}}`, without `detail` and
`next` where there is none. `next` is the command to run after it; it stands on standard error as well.
"""


def render() -> str:
    """The page."""
    return _HEAD + "".join(_section(name, parser) for name, parser in commands(make_parser()))


def commands(parser: argparse.ArgumentParser, /, prefix: str = "") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command with its parser, groups left out."""
    for action in parser._actions:  # noqa: SLF001 - argparse offers no other way to look at a parser
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - the same
            for name, child in action.choices.items():
                yield from commands(child, f"{prefix}{name} ")
            return
    yield prefix.strip(), parser


def _section(name: str, parser: argparse.ArgumentParser) -> str:
    rows = [
        f"| `{_spelling(action)}` | {action.help}{' (required)' if action.required and action.option_strings else ''} |"
        for action in parser._actions  # noqa: SLF001 - the same
        if not isinstance(action, argparse._HelpAction)  # noqa: SLF001 - the same
    ]
    table = "\n".join(["| option | meaning |", "| --- | --- |", *rows])
    return f"\n## {PROGRAM} {name}\n{parser.description}\n\n{table}\n"


def _spelling(action: argparse.Action) -> str:
    value = "" if action.nargs == 0 else str(action.metavar or "{" + ",".join(action.choices or ()) + "}")
    return " ".join(part for part in (*action.option_strings[:1], value) if part)


if __name__ == "__main__":
    sys.stdout.write(render())
