"""A view as Markdown for chat clients: a list in which nothing becomes a link, an image or markup. Threat: T-022."""

from __future__ import annotations

from mcp_wallet_guard.clearsign import text
from mcp_wallet_guard.clearsign.layout import Line, Role, lines
from mcp_wallet_guard.confirmation import ConfirmationView


def markdown(view: ConfirmationView, /) -> str:
    """The view as CommonMark: the sentence, then a nested list of all its lines, in the order of the layout."""
    return "\n".join(_line(line) for line in lines(view))


def _line(line: Line) -> str:
    value = text.markdown(line.value)
    if line.role is Role.INTENT:
        return f"{value}\n"
    label = f"**{text.markdown(line.label)}**"
    return f"{'  ' * line.depth}- {label}: {value}" if value else f"{'  ' * line.depth}- {label}"
