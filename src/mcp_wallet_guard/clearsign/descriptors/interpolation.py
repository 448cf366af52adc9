"""Sentences with values in them: ``Send {value} to {to}``. Whole, or not at all.

A sentence is used only when every value in it belongs to a field that is always shown, and is the very text of that
field. What a value contains is never read again, so braces in it stay braces. Source: ERC-7730, "Value interpolation".
Threat: T-021.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from mcp_wallet_guard.clearsign.descriptors.limits import SENTENCE_LIMIT
from mcp_wallet_guard.clearsign.descriptors.paths import Path, parse_path
from mcp_wallet_guard.clearsign.descriptors.text import safe
from mcp_wallet_guard.errors import InvalidInput

_PIECE: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")


def parse(template: str, /) -> tuple[str | Path, ...] | None:
    """Texts and paths in their order; None for braces without partner and for what is no path."""
    found: list[str | Path] = []
    for piece in _PIECE.finditer(template):
        match piece[0]:
            case "{" | "}":
                return None
            case "{{" | "}}" as brace:
                found.append(brace[0])
            case text if piece[1] is None:
                found.append(text)
            case _:
                try:
                    found.append(parse_path(piece[1]))
                except InvalidInput:
                    return None
    return tuple(found)


def fill(sentence: tuple[str | Path, ...], /, texts: Callable[[Path], Sequence[str] | None]) -> str | None:
    """The sentence with the texts of its fields, those of an array joined by "and"; None when one is missing or the
    whole is too long to be read at a glance."""
    found: list[str] = []
    for piece in sentence:
        if isinstance(piece, str):
            found.append(safe(piece))
            continue
        values = texts(piece)
        if not values:
            return None
        found.append(" and ".join(values))
    whole = "".join(found)
    return whole if len(whole) <= SENTENCE_LIMIT else None
