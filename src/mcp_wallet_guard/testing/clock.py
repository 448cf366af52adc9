"""Clocks for tests and demonstrations: time moves when it is told to.

Both are real clocks in the sense of `evidence.Clock`. `SharedClock` keeps its second in a file, so that several
processes that were each given its path live in one scripted time.
"""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path
from typing import Final, final

from mcp_wallet_guard.errors import Unavailable

_SECONDS: Final = re.compile(r"[0-9]{1,12}\n")


@final
class ScriptedClock:
    """A clock in memory. `start` is unix seconds."""

    def __init__(self, start: int, /) -> None:
        self._now = start

    def now(self) -> int:
        """Whole unix seconds."""
        return self._now

    def advance(self, seconds: int, /) -> None:
        """Move by `seconds`; a negative number turns the clock back, as an attacker or an NTP server may."""
        self._now += seconds

    def set(self, seconds: int, /) -> None:
        """Jump to `seconds`."""
        self._now = seconds


@final
class SharedClock:
    """A clock in a file of mode 0600. One process sets it, all of them read it."""

    def __init__(self, path: Path, /) -> None:
        self.path: Final = path

    @classmethod
    def create(cls, path: Path, /, *, start: int) -> SharedClock:
        """A clock at `path` that stands at `start` unix seconds."""
        clock = cls(path)
        clock.set(start)
        return clock

    def now(self) -> int:
        """Whole unix seconds. Raises Unavailable("unavailable.clock") when the file is missing or unreadable."""
        try:
            text = self.path.read_text(encoding="ascii")
        except (OSError, ValueError):
            text = ""
        if _SECONDS.fullmatch(text) is None:
            raise Unavailable("unavailable.clock", detail="the shared clock's file cannot be read")
        return int(text)

    def advance(self, seconds: int, /) -> None:
        """Move by `seconds`. Only one process may move the clock."""
        self.set(self.now() + seconds)

    def set(self, seconds: int, /) -> None:
        """Jump to `seconds`: readers see the old second or the new one, never a part."""
        if not 0 <= seconds < 10**12:
            raise ValueError("not a time in unix seconds")
        draft = self.path.with_name(f"{self.path.name}.{secrets.token_hex(4)}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(f"{seconds}\n")
        draft.replace(self.path)
