"""What the quick start needs to run by itself: its blocks, terminals, and a person who reads screens and types.

The person answers what is asked wherever it is asked, as one does: passphrases, the codes of an app that scanned the
secret from the screen, and the match code that stands below what was shown. A code is used once; instead of waiting for
the next one the time of the reader's environment moves on.
"""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pyotp

BLOCK: Final = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE: Final = re.compile(r"# (\w+\.py)\n")
RUNNING: Final = "  # leave it running"
TIMEOUT: Final = 120.0
PASSPHRASE: Final = "a passphrase of a newcomer"
CLOCK: Final = """\
import time
from pathlib import Path

_real, _ahead = time.time, Path({path!r})
time.time = lambda: _real() + float(_ahead.read_text())
"""


@dataclass(frozen=True, slots=True)
class Line:
    """A command of the page, and what the page shows of its output; ``...`` stands for anything."""

    command: str
    shown: tuple[str, ...]
    stays: bool


def steps(page: str) -> Iterator[Line | tuple[str, str]]:
    """The commands, and the files as (name, text), in the order of the page."""
    for kind, text in BLOCK.findall(page):
        if kind == "python":
            name = FILE.match(text)
            assert name, "a file of the quick start begins with its name"
            yield name[1], text
            continue
        for block in re.split(r"^(?=\$ )", text, flags=re.MULTILINE)[1:]:
            command, *shown = block.rstrip("\n").split("\n")
            yield Line(command[2:].removesuffix(RUNNING), tuple(shown), command.endswith(RUNNING))


@dataclass(slots=True)
class Person:
    """The owner: a passphrase in mind and a phone with one secret. `ahead` is how far the reader's time is moved."""

    ahead: Path
    secret: str = ""
    used: int = -1
    typed: list[str] = field(default_factory=list)

    def answer(self, screen: str, asked: str) -> str:
        """What to type at the prompt `asked`, with all of `screen` in sight."""
        if "assphrase" in asked or "same again" in asked:
            return PASSPHRASE
        if "Match code" in asked:
            return str(re.findall(r"type this match code: (\S+)", screen)[-1])
        if not self.secret:
            self.secret = re.findall(r"secret=([A-Z2-7]+)", screen)[-1]
        self.typed.append(self._code())
        return self.typed[-1]

    def _code(self) -> str:
        if (wait := (self.used + 1) * 30 - self._now()) > 0:
            draft = self.ahead.with_suffix(".new")
            draft.write_text(str(float(self.ahead.read_text()) + wait + 1), encoding="ascii")
            draft.replace(self.ahead)  # others read it all the time, and never half of it
        self.used = int(self._now()) // 30
        return pyotp.TOTP(self.secret).at(int(self._now()))

    def _now(self) -> float:
        return time.time() + float(self.ahead.read_text())


PROMPT: Final = re.compile(
    r"(New passphrase[^\n]*: |The same again: |Passphrase: |Match code \(or: decline\): "
    r"|To finish[^\n]*: |Code from[^\n]*: )\Z"
)


class Terminal:
    """One command in a terminal of its own, with everything that it puts on the screen."""

    def __init__(self, command: str, person: Person, *, folder: Path, environment: Mapping[str, str]) -> None:
        self._keyboard, terminal = pty.openpty()
        self._person: Final = person
        self._decode: Final = codecs.getincrementaldecoder("utf-8")()
        self._answered = 0
        self.screen = ""
        self.process: Final = subprocess.Popen(
            ["/bin/sh", "-ec", command],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            cwd=folder,
            env=dict(environment),
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509  one call of the system
        )
        os.close(terminal)

    @property
    def read(self) -> str:
        """The screen without pictures: what an error of a test shows."""
        return re.sub(r"\x1b\[[0-9;]*m|\u2580| {4,}", "", self.screen)

    def until(self, text: str | None) -> None:
        """Go on until `text`, a regular expression, is on the screen; until the command ended when it is None."""
        end = time.monotonic() + TIMEOUT
        while not (text is not None and re.search(text, self.screen)):
            if time.monotonic() > end:
                raise AssertionError(f"nothing came any more: {self.read[-3000:]!r}")
            if not self._read() and text is not None:
                raise AssertionError(f"it ended: {self.read[-3000:]!r}")
            if self.process.poll() is not None and text is None and not self._read():
                return

    def close(self) -> None:
        """End the command as Ctrl-C does, if it still runs."""
        if self.process.poll() is None:
            os.write(self._keyboard, b"\x03")
            try:
                self.until(None)
            except AssertionError:
                self.process.kill()
        self.process.wait(timeout=TIMEOUT)
        os.close(self._keyboard)

    def _read(self) -> bool:
        """Take what came within a moment, and answer what was asked. False when the terminal is closed."""
        if not select.select([self._keyboard], [], [], 0.1)[0]:
            return self.process.poll() is None
        try:
            read = os.read(self._keyboard, 65_536)
        except OSError:  # Linux says EIO when the last user of the terminal is gone
            return False
        self.screen += self._decode.decode(read).replace("\r", "")
        if len(self.screen) > self._answered and (asked := PROMPT.search(self.screen)):
            self._answered = len(self.screen)
            os.write(self._keyboard, self._person.answer(self.screen, asked[0]).encode() + b"\n")
        return bool(read)
