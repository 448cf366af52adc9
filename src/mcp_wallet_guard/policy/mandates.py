"""Mandates: small payments that need no question, within bounds that their owner approved once. Pure values.

A mandate names everything that it covers: tools, asset, payees, amount and fee of one payment, amount and number of all
within a window, and how long it is good for. What it does not name is asked. It never covers approvals of tokens. That
it stands in the settings gives it no force: only a person's approval with a second factor does (`MandateRow`).
Threat: T-018, T-019, T-028.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, final

from mcp_wallet_guard.canonical import canonical_bytes
from mcp_wallet_guard.clearsign.decode import Payment
from mcp_wallet_guard.errors import Misconfigured
from mcp_wallet_guard.operations.intents import EffectKind
from mcp_wallet_guard.operations.names import is_entry_name, is_tool_name
from mcp_wallet_guard.operations.values import UINT256_MAX, Address, Asset, BaseUnits
from mcp_wallet_guard.policy.limits import MAX_SECONDS, Limit

MAX_MANDATES: Final = 16
MAX_TOOLS: Final = 16
HARMLESS: Final = frozenset({"payee.new", "payee.first_time", "fee.high", "fee.low"})
"""Findings beside which a mandate still covers a payment; it names its payees, and its fee has a bound
of its own. Any other one is asked."""

_TAG: Final = "mcp-wallet-guard/mandate/v1"
_BUDGET_TAG: Final = "mcp-wallet-guard/mandate-budget/v1"
_COVERED: Final = frozenset({EffectKind.TRANSFER, EffectKind.TOKEN_TRANSFER})


@final
@dataclass(frozen=True)
class Mandate:
    """What may be paid without a question. `cap` and `budget.amount` are in the smallest unit of `asset`, `max_fee` is
    wei; `seconds` is how long an approval of it lasts. Raises Misconfigured("misconfigured.settings")."""

    name: str
    tools: frozenset[str]
    asset: Asset
    payees: frozenset[Address]
    cap: BaseUnits
    max_fee: BaseUnits
    budget: Limit
    seconds: int

    def __post_init__(self) -> None:
        if not is_entry_name(self.name):
            raise _invalid("name: 1 to 40 letters, digits, spaces, dots, underscores, hyphens")
        if not 1 <= len(self.tools) <= MAX_TOOLS or not all(is_tool_name(tool) for tool in self.tools):
            raise _invalid(f"tools: 1 to {MAX_TOOLS} names of tools")
        if not self.payees:
            raise _invalid("group: has no payees")
        if any(type(units) is not int or not 1 <= units <= UINT256_MAX for units in (self.cap, self.max_fee)):
            raise _invalid("max_per_transaction, max_fee: is not a positive amount")
        if self.budget.amount is None or self.budget.count is None or self.budget.asset != self.asset:
            raise _invalid("amount, count: both bound what is paid within the window")
        if self.cap > self.budget.amount:
            raise _invalid("max_per_transaction: is above amount")
        if not 1 <= self.seconds <= MAX_SECONDS:
            raise _invalid("valid_days: is from 1 to 366")

    @cached_property
    def id(self) -> str:
        """Names every bound of it: with another bound it is another mandate, which nobody has approved."""
        body = [
            *(_TAG, self.name, sorted(self.tools), self.asset.id, sorted(payee.value for payee in self.payees)),
            *(str(self.cap), str(self.max_fee), str(self.budget.amount), self.budget.count, self.budget.seconds),
            self.seconds,
        ]
        return _hash(body)

    @cached_property
    def budget_id(self) -> str:
        """Names what its budget has counted. Another amount, payee or tool forgives nothing of it."""
        return _hash([_BUDGET_TAG, self.name, self.asset.id, self.budget.seconds])

    def covers(self, payment: Payment, findings: frozenset[str], /) -> bool:
        """Whether a decoded payment, shown with these findings, is within the bounds of one payment."""
        is_native = self.asset.address is None
        return (
            payment.kind in _COVERED
            and findings <= HARMLESS
            and (payment.token is None if is_native else payment.token == self.asset)
            and payment.payee in self.payees
            and payment.amount <= self.cap
            and payment.counted_fee <= self.max_fee
        )


def _hash(body: Sequence[object]) -> str:
    return hashlib.sha256(canonical_bytes(body)).hexdigest()[:32]


def _invalid(detail: str) -> Misconfigured:
    return Misconfigured("misconfigured.settings", detail=f"mandates: {detail}")
