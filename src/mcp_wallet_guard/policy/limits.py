"""Limits over time: how much, or how often, within a window that slides. Pure: rows in, rows out.

What was spent is kept in buckets, a sixtieth of the window each, and a bucket counts until all of it has left the
window. So a window is up to a sixtieth longer than it says, never shorter, and what is kept does not grow with what is
paid. There is no hour at which a limit begins anew, and nothing that was counted is given back. Threat: T-018, T-019.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final, final

from mcp_wallet_guard.canonical import canonical_bytes
from mcp_wallet_guard.errors import Misconfigured, OverBudget, Tampered
from mcp_wallet_guard.operations.values import UINT256_MAX, Address, Asset, BaseUnits

BUCKETS: Final = 60
MAX_LIMITS: Final = 32
MAX_COUNT: Final = 100_000
MAX_SECONDS: Final = 366 * 86_400
"""A year, whichever: no window is longer, and no approval in advance lasts longer."""
_TAG: Final = "mcp-wallet-guard/limit/v1"
_Bucket = tuple[int, int, int]


@final
@dataclass(frozen=True)
class Limit:
    """At most `amount` of `asset`, or at most `count` payments, or both, within `seconds`.

    Without an asset it counts payments of every asset; with `payees` only those to them. Raises Misconfigured.
    """

    seconds: int
    asset: Asset | None = None
    amount: BaseUnits | None = None
    count: int | None = None
    payees: frozenset[Address] | None = None

    def __post_init__(self) -> None:
        if not BUCKETS <= self.seconds <= MAX_SECONDS or self.seconds % BUCKETS:
            raise _invalid("a window is of whole minutes, from one to those of a year")
        if self.amount is None and self.count is None:
            raise _invalid("limits neither an amount nor a count")
        if self.amount is not None and (self.asset is None or not 1 <= self.amount <= UINT256_MAX):
            raise _invalid("an amount is positive, and of one asset")
        if self.count is not None and not 1 <= self.count <= MAX_COUNT:
            raise _invalid(f"a count is from 1 to {MAX_COUNT}")
        if self.payees is not None and not self.payees:
            raise _invalid("a group without payees")

    @cached_property
    def id(self) -> str:
        """Names what is counted: asset, window and payees. Another amount or count starts nothing anew."""
        payees = None if self.payees is None else sorted(payee.value for payee in self.payees)
        asset = None if self.asset is None else self.asset.id
        return hashlib.sha256(canonical_bytes([_TAG, asset, self.seconds, payees])).hexdigest()[:32]

    def covers(self, asset: Asset, payee: Address, /) -> bool:
        """Whether a payment of `asset` to `payee` counts."""
        is_asset = self.asset is None or self.asset.id == asset.id
        return is_asset and (self.payees is None or payee in self.payees)

    def bucket(self, at: int, /) -> int:
        """The bucket of a unix second."""
        return at // (self.seconds // BUCKETS)


@final
@dataclass(frozen=True, slots=True)
class Spent:
    """What one limit has seen: (bucket, units, payments), oldest first."""

    buckets: tuple[_Bucket, ...] = ()

    @classmethod
    def parse(cls, text: str, /) -> Spent:
        """Strict inverse of `text`. Raises Tampered("tampered.row")."""
        try:
            spent = cls(tuple((int(at), int(units), int(count)) for at, units, count in json.loads(text)))
        except (ValueError, TypeError):
            spent = None
        if spent is None or spent.text != text:
            raise Tampered("tampered.row", detail="limits: not what a limit counts")
        return spent

    @property
    def text(self) -> str:
        """For the store: units are decimal text, since JSON's numbers are not exact."""
        return canonical_bytes([[at, str(units), count] for at, units, count in self.buckets]).decode()

    def within(self, limit: Limit, now: int, /) -> Spent:
        """Without the buckets that have left the window."""
        oldest = limit.bucket(now - limit.seconds)
        return Spent(tuple(bucket for bucket in self.buckets if bucket[0] >= oldest))

    @property
    def units(self) -> int:
        """The sum of all amounts."""
        return sum(units for _, units, _ in self.buckets)

    @property
    def count(self) -> int:
        """How many payments."""
        return sum(count for _, _, count in self.buckets)

    def plus(self, bucket: int, units: int, /) -> Spent:
        """With one more payment."""
        found = {at: (held, times) for at, held, times in self.buckets}
        held, times = found.get(bucket, (0, 0))
        found[bucket] = (held + units, times + 1)
        return Spent(tuple((at, *found[at]) for at in sorted(found)))


def check_limit(limit: Limit, spent: Spent, /, *, units: int) -> None:
    """Raises OverBudget("over_budget") when one more payment of `units` does not fit."""
    if limit.amount is not None and spent.units + units > limit.amount:
        raise OverBudget("over_budget", detail=f"{spent.units} and {units} units are above {limit.amount}")
    if limit.count is not None and spent.count + 1 > limit.count:
        raise OverBudget("over_budget", detail=f"{spent.count} payments are as many as are allowed")


def covering(limits: tuple[Limit, ...], asset: Asset, payee: Address, /) -> Iterator[Limit]:
    """The limits that a payment counts for."""
    return (limit for limit in limits if limit.covers(asset, payee))


def _invalid(detail: str) -> Misconfigured:
    return Misconfigured("misconfigured.settings", detail=f"limits: {detail}")
