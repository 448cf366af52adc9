"""Names that a server or an owner gives, and that people read and compare: short, ASCII, no sign or blank in front."""

from __future__ import annotations

import re
from typing import Final

_TOOL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_ENTRY: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._-]{0,38}[A-Za-z0-9])?")


def is_tool_name(name: str, /) -> bool:
    """Whether a tool may have this name: 1 to 64 letters, digits, ``.``, ``_``, ``-``; it begins with no sign."""
    return _TOOL.fullmatch(name) is not None


def is_entry_name(name: str, /) -> bool:
    """Whether a payee or a mandate may have it: 1 to 40 letters, digits, spaces, ``.``, ``_``, ``-``; a letter or a
    digit at both ends."""
    return _ENTRY.fullmatch(name) is not None
