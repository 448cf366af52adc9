"""A QR code for a terminal: what an authenticator app scans. Threat: T-065.

Each colour is named outright, from the part of the palette that no theme changes, so that dark modules are dark and
their margin is light whether the terminal is light or dark.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby, zip_longest
from operator import itemgetter
from typing import Final

import segno

MARGIN: Final = 4
"""Light modules around the code. Source: ISO/IEC 18004, the quiet zone."""
_DARK, _LIGHT, _RESET = 16, 231, "\x1b[0m"
_UPPER_HALF: Final = "\u2580"


def drawing(text: str, /, *, half_blocks: bool) -> tuple[str, ...]:
    """Lines with colours in them. With `half_blocks` a character is two modules, one above the other, and the terminal
    must show UTF-8; without, a module is two spaces wide."""
    rows = [[bool(module) for module in row] for row in segno.make_qr(text).matrix_iter(border=MARGIN)]
    if not half_blocks:
        return tuple(_line((f"\x1b[48;5;{_colour(dark)}m", "  ") for dark in row) for row in rows)
    pairs = zip_longest(rows[::2], rows[1::2], fillvalue=[False] * len(rows))
    return tuple(
        _line(
            (f"\x1b[38;5;{_colour(upper)};48;5;{_colour(lower)}m", _UPPER_HALF)
            for upper, lower in zip(*pair, strict=True)
        )
        for pair in pairs
    )


def columns(lines: tuple[str, ...], /) -> int:
    """How wide a drawing is on the screen."""
    return max(line.count(_UPPER_HALF) or line.count(" ") for line in lines)


def _line(cells: Iterable[tuple[str, str]]) -> str:
    """Neighbours of one colour name it once."""
    runs = groupby(cells, key=itemgetter(0))
    return "".join(colour + "".join(drawn for _, drawn in run) for colour, run in runs) + _RESET


def _colour(dark: bool) -> int:
    return _DARK if dark else _LIGHT
