"""What there is in a reading, as bits: which of the checks could have anything to say about it.

A check names the aspects that it judges by. A reading that has none of them passes it, and nobody has to look: most of
the checks are about what most payments have nothing of.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from mcp_wallet_guard.clearsign.tree import Clarity, Consequence, Direction, Part, PartKind

ANYTHING: Final = 1
"""Every reading has it: the aspect of a check that always looks."""
ALLOWS: Final = 1 << 1
"""Something may be taken."""
GIVES: Final = 1 << 2
"""Something leaves."""
GETS: Final = 1 << 3
"""Something comes in."""
GOVERNS: Final = 1 << 4
"""Who decides over something changes."""
ENDS: Final = 1 << 5
"""Something can be used until a certain time."""
ODD: Final = 1 << 6
"""A decoder saw something unusual."""
UNCLEAR: Final = 1 << 7
"""A part is not clear."""
CARRIES: Final = 1 << 8
"""A part has native currency with it."""
STATES: Final = 1 << 9
"""A part is typed data, or that is how it is asked for."""
WRITES: Final = 1 << 10
"""A part is a message."""
RUNS: Final = 1 << 11
"""A part is a DELEGATECALL."""
CREATES: Final = 1 << 12
"""A part, or the envelope, creates a contract."""
DELEGATES: Final = 1 << 13
"""The envelope has authorizations."""
SIGNS_IN: Final = 1 << 14
"""A message signs in somewhere."""
WITHDRAWS: Final = 1 << 15
"""A venue is asked for something."""
REFUSED: Final = 1 << 16
"""A strict parser refused it, or nobody said how it is asked for, or it is in an outdated way."""

_KINDS: Final = {
    PartKind.CALL: 0,
    PartKind.DELEGATECALL: RUNS,
    PartKind.CREATE: CREATES,
    PartKind.TYPED_DATA: STATES,
    PartKind.MESSAGE: WRITES,
    PartKind.AUTHORIZATION: 0,
}
_DIRECTIONS: Final = {
    Direction.OUT: GIVES,
    Direction.IN: GETS,
    Direction.ALLOW: ALLOWS,
    Direction.CONTROL: GOVERNS,
}
_CLEAR: Final = Clarity.CLEAR


def of_parts(parts: Iterable[Part], /) -> int:
    """The aspects of a tree's parts, each by itself and by what it does."""
    found = ANYTHING
    for part in parts:
        found |= _KINDS[part.kind]
        if part.clarity is not _CLEAR:
            found |= UNCLEAR
        if part.oddities:
            found |= ODD
        if part.value:
            found |= CARRIES
        for consequence in part.consequences:
            found |= _of(consequence)
    return found


def _of(consequence: Consequence) -> int:
    found = _DIRECTIONS[consequence.direction]
    if consequence.expires_at is not None:
        found |= ENDS
    return found if consequence.control is None else found | GOVERNS
