"""A decision costs at most 100 us of CPU, and what a limit over time costs does not grow with what it has counted.

A limit that has seen a million payments before its window and a thousand in it is compared with one that has seen a
hundred in it. Both are asked in turn.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Final

from figure import Figure

from mcp_wallet_guard.clearsign.view import check_decoded
from mcp_wallet_guard.evidence import Facts, Level
from mcp_wallet_guard.operations import frozen
from mcp_wallet_guard.operations.evm import Eip1559
from mcp_wallet_guard.operations.intents import Effect
from mcp_wallet_guard.operations.values import Account, Address, Asset, BaseUnits, ChainId
from mcp_wallet_guard.policy.engine import Reserved, decide
from mcp_wallet_guard.policy.limits import Limit, Spent, check_limit
from mcp_wallet_guard.policy.rules import ANY, Policy

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp_wallet_guard.proofs import Decoded

NAME: Final = "policy"
DAY: Final = 86_400
NOW: Final = 20_000 * DAY
CHAIN: Final = ChainId(31337)
ETH: Final = Asset(CHAIN, "ETH", 18)
PAYER: Final = Account("main", CHAIN, Address.from_bytes(bytes(range(1, 21))))
PAYEE: Final = Address.from_bytes(bytes(range(21, 41)))


class Claims:
    """What a node says."""

    balance = 10**20
    token_balance = None
    payee_has_code = False


def run(*, once: bool) -> list[Figure]:
    limit = Limit(seconds=DAY, asset=ETH, amount=BaseUnits(10**24), count=100_000)
    policy = Policy(payees=ANY, max_per_transaction=BaseUnits(10**18), level=Level.FACTOR, limits=(limit,))
    decoded = payment()
    rounds = 3 if once else 2_000
    old = counted(limit, before=1_000 if once else 1_000_000, inside=1_000)
    young = counted(limit, before=0, inside=100)
    decisions = [cost(lambda: decide(policy, decoded, facts=Claims(), reserved=Reserved())) for _ in range(rounds)]
    pairs = [(cost(lambda: reserve(limit, old)), cost(lambda: reserve(limit, young))) for _ in range(rounds)]
    flat = statistics.median(old for old, _ in pairs) / statistics.median(young for _, young in pairs)
    return [
        Figure(name="decision about a payment", value=statistics.median(decisions) * 1e6, unit="us CPU", limit=100),
        Figure(name="limit with a long past, against a short one", value=flat, unit="x", limit=1.3),
    ]


def payment() -> Decoded:
    effect = Effect(kind="transfer", account=PAYER, to=PAYEE, value=10**17, data=b"", reference=None)
    tx = Eip1559(
        chain=CHAIN, nonce=0, max_priority_fee_per_gas=10**9, max_fee_per_gas=10**10, gas=21_000, to=PAYEE,
        value=10**17,
    )  # fmt: skip
    facts = Facts(
        collected_at=NOW, chain=str(CHAIN), nonce=0, balance=10**20, base_fee=10**9, payee_has_code=False,
        symbol="ETH", decimals=18,
    )  # fmt: skip
    return check_decoded(frozen.freeze(effect, tx, expires_at=NOW + 600), facts, effect=effect)


def counted(limit: Limit, *, before: int, inside: int) -> str:
    """What the store holds of a limit that saw so many payments, evenly over a year before the window and in it."""
    spent, year = Spent(), 365 * DAY
    for number in range(before):
        spent = _pay(limit, spent, NOW - DAY - year + number * year // before)
    for number in range(inside):
        spent = _pay(limit, spent, NOW - DAY + number * DAY // inside)
    return spent.text


def _pay(limit: Limit, spent: Spent, at: int) -> Spent:
    # A whole `within` for each of a million would take minutes; nothing older than the window is left by the end.
    bucket = limit.bucket(at)
    if spent.buckets and spent.buckets[-1][0] == bucket:
        *others, (_, units, count) = spent.buckets
        return Spent((*others, (bucket, units + 1, count + 1)))
    return spent.within(limit, at).plus(bucket, 1)


def reserve(limit: Limit, text: str) -> None:
    """What a consume does for one limit."""
    spent = Spent.parse(text).within(limit, NOW)
    check_limit(limit, spent, units=1)
    _ = spent.plus(limit.bucket(NOW), 1).text


def cost(work: Callable[[], object]) -> float:
    """Seconds of CPU."""
    before = time.process_time()
    work()
    return time.process_time() - before
