"""What was counted against limits over time: the inside of store transactions.

A counter is a `LimitRow`, whose id says what is counted; the limit says how much fits, and for how long it counts. What
was counted is never given back. Threat: T-018, T-019.
"""

from __future__ import annotations

from mcp_wallet_guard.evidence import LimitRow
from mcp_wallet_guard.policy.limits import Limit, Spent, check_limit
from mcp_wallet_guard.stores.base import Transaction


def spent(tx: Transaction, counter: str, limit: Limit, /) -> Spent:
    """What was counted within the window of `limit`."""
    row = tx.get(LimitRow, counter)
    return Spent() if row is None else Spent.parse(row.spent).within(limit, tx.now)


def check_room(tx: Transaction, counter: str, limit: Limit, /, *, units: int) -> Spent:
    """What was counted, once more of `units` fits. Raises OverBudget("over_budget")."""
    seen = spent(tx, counter, limit)
    check_limit(limit, seen, units=units)
    return seen


def take(tx: Transaction, counter: str, limit: Limit, /, *, units: int) -> None:
    """Count one more of `units`. Raises OverBudget("over_budget") when it does not fit."""
    add(tx, counter, limit, check_room(tx, counter, limit, units=units), units=units)


def add(tx: Transaction, counter: str, limit: Limit, seen: Spent, /, *, units: int) -> None:
    """Count one more of `units`, for which what was `seen` in this transaction leaves room: the caller checked that."""
    tx.put(LimitRow(id=counter, spent=seen.plus(limit.bucket(tx.now), units).text))
