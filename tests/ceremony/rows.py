"""Every shape that an operation's row can have, and the table of those that a state may have."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cache
from typing import Any

from mcp_wallet_guard.evidence import OperationRow, State

CREATED = 1_790_000_000
CHANGED = CREATED + 60
EXPIRES = CREATED + 600

FILLED: dict[str, Any] = {
    "nonce": 0, "unsigned_bytes": b"", "digest": b"d" * 32, "view": "", "view_hash": b"v" * 32, "facts": "{}",
    "policy_revision": 0, "approved_at": CREATED + 50, "signed_bytes": b"", "transaction_hash": b"t" * 32,
    "outcome": "mined", "code": "declined",
}  # fmt: skip
"""A value for each column that a state has or lacks. Zero and empty are values: only None is none."""

GROUPS = {
    "frozen": ("nonce", "unsigned_bytes", "digest", "view", "view_hash", "facts", "policy_revision"),
    "approved": ("approved_at",),
    "signed": ("signed_bytes", "transaction_hash"),
    "outcome": ("outcome",),
    "code": ("code",),
}

MAY_HAVE = {
    line.split()[0]: dict(zip(GROUPS, line.split()[1:], strict=True))
    # state       frozen  approved  signed  outcome  code      x all of them   - none of them   ? all or none of them
    for line in """
      proposed    -       -         -       -        -
      held        -       -         -       -        -
      frozen      x       -         -       -        -
      approved    x       x         -       -        -
      consumed    x       x         -       -        -
      signed      x       x         x       -        -
      sent        x       x         x       -        -
      settled     x       x         ?       x        -
      unknown     x       x         ?       x        -
      refused     ?       ?         -       -        x
      expired     ?       ?         -       -        x
      superseded  ?       ?         -       -        x
    """.strip().splitlines()
}
"""What `state_of` believes, but for one thing that no table says: nothing is approved that was not frozen."""

Shape = frozenset[str]
"""The names of the columns that are filled."""

SHAPES: tuple[Shape, ...] = tuple(
    frozenset(itertools.compress(FILLED, filled)) for filled in itertools.product((False, True), repeat=len(FILLED))
)
"""Every one there is: 2 to the number of columns."""


def stands(state: State, shape: Shape) -> bool:
    """The oracle: whether a row of this shape may be in this state."""
    for group, columns in GROUPS.items():
        filled = len(shape.intersection(columns))
        allowed = {"x": {len(columns)}, "-": {0}, "?": {0, len(columns)}}[MAY_HAVE[state.value][group]]
        if filled not in allowed:
            return False
    return "approved_at" not in shape or "digest" in shape


@cache
def standing_shapes(state: State) -> tuple[Shape, ...]:
    return tuple(shape for shape in SHAPES if stands(state, shape))


def row(state: State | str, shape: Shape, **changes: Any) -> OperationRow:
    values: dict[str, Any] = {
        "id": "op-1", "state": str(state), "principal": "local", "tool": "pay", "intent": "{}",
        "effect_hash": b"e" * 32, "account": "eip155:1:0x0",
        "created_at": CREATED, "changed_at": CHANGED, "expires_at": EXPIRES,
    }  # fmt: skip
    return OperationRow(**(values | {name: FILLED[name] for name in shape} | changes))


def standing_rows(state: State, **changes: Any) -> Iterator[OperationRow]:
    """A row of each shape that may be in this state. `changes` are to columns that are filled anyway."""
    return (row(state, shape, **changes) for shape in standing_shapes(state))
