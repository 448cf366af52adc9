"""A view as lines of printable ASCII, for terminals and small screens. Threat: T-021, T-022."""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard.clearsign import text
from mcp_wallet_guard.clearsign.layout import Line, Role, lines
from mcp_wallet_guard.confirmation import ConfirmationView

NARROW: Final = 60
"""Below this many columns a label stands on a line of its own."""
MIN_WIDTH: Final = 20
_INDENT: Final = 2
_COLUMN: Final = 20
"""Where values begin at most: an address in groups has 52 columns and stands in one line."""
_BLANK_BEFORE: Final = (Role.DANGER, Role.EFFECT, Role.FIELD, Role.UNCHECKED, Role.DIGEST)
_GROUPS: Final = {Role.WARNING: Role.DANGER, Role.NOTICE: Role.DANGER, Role.LEVEL: Role.DANGER}


def plain_text(view: ConfirmationView, /, *, width: int = text.LINE_WIDTH) -> str:
    """The view in lines of at most `width` columns. Raises ValueError below 20.

    Nothing is cut short: what does not fit goes on in the next line.
    """
    if width < MIN_WIDTH:
        raise ValueError("a line has at least 20 columns")
    laid = lines(view)
    widest = max(_label_width(line) for line in laid) + 2
    column = 0 if width < NARROW else min(widest, _COLUMN)
    shown: list[str] = []
    group = Role.INTENT
    for line in laid:
        this = _GROUPS.get(line.role, line.role)
        if this is not group and this in _BLANK_BEFORE:
            shown.append("")
        group = this
        shown.append(_line(line, column, width))
    return "\n".join(shown)


def _label_width(line: Line) -> int:
    return len(_label(line)) + line.depth * _INDENT


def _label(line: Line) -> str:
    return f"{line.label}:" if line.role in {Role.DANGER, Role.WARNING, Role.NOTICE, Role.LEVEL} else line.label


def _line(line: Line, column: int, width: int) -> str:
    if line.role is Role.INTENT:
        return text.terminal(line.value, width=width)
    margin = " " * (line.depth * _INDENT)
    label = margin + text.terminal(_label(line), indent=len(margin), width=width)
    if not line.value:
        return label
    if column < _label_width(line) + _INDENT:
        indent = column or len(margin) + _INDENT
        return f"{label}\n{' ' * indent}{text.terminal(line.value, indent=indent, width=width)}"
    return label.ljust(column) + text.terminal(line.value, indent=column, width=width)
