"""The approver on the controlling terminal: the same view and the same two codes, without a browser.

It talks to ``/dev/tty`` and never to standard input or output, which belong to whoever started the process: a host that
pipes "yes" into a command, or reads its output, takes no part here. Without a controlling terminal there is no
approval. What is printed was escaped when the view was made, and is escaped again here. Threat: T-004, T-021, T-089.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TextIO, TypeVar, final

import anyio
import anyio.to_thread

from mcp_wallet_guard.approvals.base import ApprovalDesk, Continuation
from mcp_wallet_guard.ceremony import SIGN_WITHIN_SECONDS
from mcp_wallet_guard.clearsign import text
from mcp_wallet_guard.errors import Expired, FactorRejected, Unavailable
from mcp_wallet_guard.evidence import Channel, Clock
from mcp_wallet_guard.exchange import ApprovalRequest

TTY: Final = "/dev/tty"
MAX_TRIES: Final = 3
MAX_LINE: Final = 64
_RULE: Final = "-" * 76
_T = TypeVar("_T")


class Outcome(StrEnum):
    """How the conversation ended."""

    APPROVED = "approved"
    DECLINED = "declined"
    LEFT = "left"
    """Nothing was decided: an empty line, the end of input, or too many mistyped codes."""


@final
@dataclass(frozen=True, slots=True)
class Terminal:
    """Two text streams that a person is behind. Tests pass their own; `controlling_terminal` opens the real one."""

    reader: TextIO
    writer: TextIO

    def say(self, *lines: str) -> None:
        """Print lines. Bytes outside printable ASCII are spelled out, so nothing here moves a cursor."""
        for line in lines:
            self.writer.write(_plain(line) + "\n")
        self.writer.flush()

    def draw(self, picture: Sequence[str], /) -> None:
        """Print a picture of our own making as it stands, its colours included: never what came from elsewhere."""
        for line in picture:
            self.writer.write(line + "\n")
        self.writer.flush()

    @property
    def columns(self) -> int | None:
        """How wide the screen is, None where nobody says."""
        try:
            return os.get_terminal_size(self.reader.fileno()).columns or None
        except OSError:
            return None

    def ask(self, prompt: str, /, *, most: int = MAX_LINE) -> str:
        """One line that the person typed, without its ends' blanks. Empty when input ended or the line has more than
        `most` characters."""
        self.prompt(prompt)
        return self.line(most=most)

    def prompt(self, prompt: str, /) -> None:
        """Print without ending the line."""
        self.writer.write(_plain(prompt))
        self.writer.flush()

    def line(self, *, most: int = MAX_LINE) -> str:
        """What `ask` gives, without a prompt."""
        line = self.reader.readline(most + 1)
        return line.strip() if len(line) <= most else ""

    def is_ready(self, *, seconds: float) -> bool:
        """Whether a line can be read without blocking, within `seconds`. Always true for streams without a file."""
        try:
            descriptor = self.reader.fileno()
        except OSError:
            return True
        return bool(select.select([descriptor], [], [], seconds)[0])


@contextmanager
def controlling_terminal(path: str = TTY, /) -> Iterator[Terminal]:
    """The process's controlling terminal. Raises Unavailable("unavailable.terminal") when it has none."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        raise Unavailable("unavailable.terminal", detail=str(error.strerror)) from None
    if not os.isatty(descriptor):
        os.close(descriptor)
        raise Unavailable("unavailable.terminal", detail=f"{path} is no terminal")
    with (
        os.fdopen(os.dup(descriptor), "w", encoding="utf-8", errors="backslashreplace") as writer,
        os.fdopen(descriptor, "r", encoding="utf-8", errors="replace") as reader,
    ):
        yield Terminal(reader, writer)


async def ask_on_terminal(desk: ApprovalDesk, operation: str, /, *, terminal: Terminal, clock: Clock) -> Outcome:
    """Show one request, take the person's answer, and hand it to the desk.

    A mistyped match code or a refused code may be tried again, at most three times in all, each with the request read
    anew. Raises what the desk raises (LockedOut, Expired, AlreadyUsed, Tampered, InvalidInput, Locked).
    """
    shown = ""
    for _ in range(MAX_TRIES):
        request = await desk.request(operation)
        if request.expires_at <= clock.now():
            raise Expired
        if request.view_hash != shown:
            await _off_loop(terminal.say, *_lines(request, now=clock.now(), again=bool(shown)))
            shown = request.view_hash
        typed = await _ask(terminal, "Match code (or: decline): ")
        if typed.lower() == "decline":
            await desk.decline(operation, channel=Channel.TERMINAL)
            await _off_loop(terminal.say, "Declined. Nothing was signed.")
            return Outcome.DECLINED
        if not typed:
            break
        code = await _ask(terminal, "Code from your authenticator app: ") if request.needs_code else None
        if code == "":
            break
        try:
            continuation = await desk.approve(
                operation, view_hash=shown, match_code=typed, code=code, channel=Channel.TERMINAL
            )
        except FactorRejected as error:
            await _off_loop(terminal.say, error.public)
        else:
            await _off_loop(terminal.say, _what_next(continuation))
            return Outcome.APPROVED
    await _off_loop(terminal.say, "Nothing was decided.")
    return Outcome.LEFT


def _lines(request: ApprovalRequest, *, now: int, again: bool) -> list[str]:
    minutes = (request.expires_at - now) // 60
    tool, principal = text.quoted(request.tool, limit=32), text.quoted(request.principal, limit=32)
    changed = ["What is asked changed after you read it. Read it again before you answer."] if again else []
    return [
        _RULE,
        *changed,
        *request.text.split("\n"),
        "",
        f"Asked through the tool {tool} by {principal}.",
        f"Open for {minutes} min." if minutes else "Open for less than a minute.",
        _RULE,
        f"If all of this is right, type this match code: {request.match_code}",
    ]


def _what_next(continuation: Continuation) -> str:
    if continuation is Continuation.NOW:
        return "Approved. It is being signed now, because the call that asked for it is waiting."
    return (
        "Approved. Nothing is signed yet: the next identical call within "
        f"{SIGN_WITHIN_SECONDS // 60} minutes signs it, once. Without such a call it lapses."
    )


def _plain(line: str) -> str:
    return "".join(c if " " <= c <= "~" else f"\\u{{{ord(c):x}}}" for c in line)


async def _ask(terminal: Terminal, prompt: str) -> str:
    await _off_loop(terminal.prompt, prompt)
    while not await _off_loop(lambda: terminal.is_ready(seconds=0.2)):
        pass  # back to the loop between looks, so that Ctrl-C needs no Enter
    return await _off_loop(terminal.line)


async def _off_loop(work: Callable[..., _T], /, *arguments: str) -> _T:
    return await anyio.to_thread.run_sync(lambda: work(*arguments))
