"""What a command says, and how: lines for a person, or one JSON object for a program.

Standard output never carries a secret: recovery words and codes go to the controlling terminal or to a descriptor that
the owner named. Threat: T-065, T-089.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any, Final, TextIO, final

from mcp_wallet_guard.errors import GuardError

EXIT_UNEXPECTED: Final = 70
"""EX_SOFTWARE of sysexits.h: a bug of ours."""
EXIT_INTERRUPTED: Final = 130
UNEXPECTED: Final = "Something unexpected went wrong. Nothing was signed by this command. --debug shows where."


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The result of a command. `fields` are JSON types; `lines` say the same in words. A command that ran without an
    error, but not to the end that it is for, has another `exit_status` than 0."""

    fields: dict[str, Any]
    lines: tuple[str, ...]
    exit_status: int = 0


def show(report: Report, /, *, as_json: bool) -> None:
    """Write the report to standard output, at once: whoever started a long command waits for it."""
    if as_json:
        _put(sys.stdout, json.dumps(report.fields))
    else:
        for line in report.lines:
            _put(sys.stdout, printable(line))


def show_error(error: GuardError, /, *, as_json: bool, next_command: str | None = None) -> None:
    """The catalogue's sentence and, since this is the owner's own command, the operator's detail and what to type
    next."""
    detail, command = printable(error.detail), printable(next_command or "")
    if as_json:
        more = {"detail": detail, "next": command}
        body = {"code": error.code, "message": error.public} | {name: text for name, text in more.items() if text}
        _put(sys.stdout, json.dumps({"error": body}))
    _put(sys.stderr, f"error: {error.public}")
    if detail:
        _put(sys.stderr, f"  {detail}")
    if command:
        _put(sys.stderr, f"  next: {command}")


def show_unexpected(*, as_json: bool) -> None:
    """A bug of ours, without its text: that may hold anything."""
    if as_json:
        _put(sys.stdout, json.dumps({"error": {"code": "unexpected", "message": UNEXPECTED}}))
    _put(sys.stderr, f"error: {UNEXPECTED}")


def note(line: str, /) -> None:
    """Something to know while a command runs, on standard error."""
    _put(sys.stderr, printable(line))


def printable(text: str, /) -> str:
    """Printable ASCII as it stands, everything else spelled out, so that nothing here moves a cursor."""
    return "".join(c if " " <= c <= "~" else f"\\u{{{ord(c):x}}}" for c in text)


def _put(stream: TextIO, line: str) -> None:
    stream.write(line + "\n")
    stream.flush()
