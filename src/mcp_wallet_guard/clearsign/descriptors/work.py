"""What one rendering may cost, nested calls included: one object that all of them draw on. Threat: T-033."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

from mcp_wallet_guard.clearsign.descriptors.limits import MAX_CHARACTERS, MAX_SHOWN, MAX_VISITS, refuse


@final
class Work:
    """Counts down; when nothing is left, everything that draws on it is refused.

    `visit` counts values that paths and lists touch, so that no descriptor multiplies the data, `show` values and
    characters that come out.
    """

    __slots__ = ("_characters", "_folded", "_shown", "_visits")

    def __init__(self) -> None:
        self._visits = MAX_VISITS
        self._shown = MAX_SHOWN
        self._characters = MAX_CHARACTERS
        self._folded: dict[int, tuple[Mapping[str, Any], dict[str, Any]]] = {}

    def visit(self, number: int = 1, /) -> None:
        """Raises InvalidInput("invalid_input.descriptor") when it was enough."""
        self._visits -= number
        if self._visits < 0:
            refuse("the descriptor touches too many values")

    def show(self, text: str, /) -> None:
        """Raises InvalidInput("invalid_input.descriptor") when it was enough."""
        self._shown -= 1
        self._characters -= len(text)
        if self._shown < 0 or self._characters < 0:
            refuse("there is too much to show")

    def folded(self, table: Mapping[str, Any], /) -> dict[str, Any]:
        """`table` with its keys in lower case, the first of equal ones; made once."""
        known = self._folded.get(id(table))
        if known is None:
            self.visit(len(table))
            lower = {key.lower(): value for key, value in reversed(list(table.items()))}
            known = self._folded[id(table)] = table, lower  # held, so that no other table gets its id
        return known[1]
