"""A token payment from its bytes to what a person reads costs at most half a millisecond of CPU, by both ways in; 128
kB of hostile calldata at most 50 ms, and twice as much of it about twice the time.

Time is given at the pace of a core at rest (see `speed`). Every payment is one that was not seen before. Hostile
calldata come in the shapes of `clearsign/scenes.py`, whose worst is judged.
"""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Final

from clearsign import scenes
from figure import Figure
from speed import QUIET_SECONDS, pace

from mcp_wallet_guard.clearsign.contract_calls import render_call
from mcp_wallet_guard.clearsign.view import render_view

NAME: Final = "clearsign"
ROUNDS: Final = 20
EACH: Final = 25
"""Payments between two looks at the pace."""
SHAPE_ROUNDS: Final = 5
SIZE: Final = 128 * 1024 - 256
"""Bytes of calldata in the longest transaction that is read."""


def run(*, once: bool) -> list[Figure]:
    rounds, each = (1, 2) if once else (ROUNDS, EACH)
    figures = [
        Figure(name=name, value=of_payments(way, rounds, each) * 1e3, unit="ms CPU", limit=limit)
        for name, way, limit in WAYS
    ]
    worst, growth = of_hostile(once=once)
    return [
        *figures,
        Figure(name="view of 128 kB of hostile calldata, the worst", value=worst * 1e3, unit="ms CPU", limit=50),
        Figure(name="the same, growth when the data double", value=growth, unit="x", limit=2.6),
    ]


def by_payment(payment: scenes.Payment) -> None:
    render_view(payment.operation, payment.facts)


def by_reading(payment: scenes.Payment) -> None:
    scenes.read(payment.operation.unsigned_bytes, names=payment.names, known=payment.known)


def frozen_call(payment: scenes.Payment) -> None:
    """As a frozen contract call: with descriptors asked, digest and effect."""
    render_call(payment.operation, names=payment.names, known=payment.known)


WAYS: Final = (
    ("token payment, bytes to view", by_payment, 0.5),
    ("the same, as any transaction", by_reading, 0.5),
    ("the same, as a frozen contract call", frozen_call, math.inf),
)


def of_payments(way: Callable[[scenes.Payment], None], rounds: int, each: int) -> float:
    """Seconds at rest for one payment, the median of the rounds."""
    for payment in scenes.payments(each, seed=0):
        way(payment)
    costs = []
    for number in range(1, rounds + 1):
        fresh = scenes.payments(each, seed=number)
        before = pace()
        cost = timed(partial(all_of, way, fresh))
        costs.append(cost / each / (before + pace()) * 2)
    return statistics.median(costs) * QUIET_SECONDS


def all_of(way: Callable[[scenes.Payment], None], payments: list[scenes.Payment]) -> None:
    for payment in payments:
        way(payment)


def of_hostile(*, once: bool) -> tuple[float, float]:
    """Seconds at rest for the worst shape, and the most that the time of one grows when its data double."""
    payment = scenes.payments(1, seed=0)[0]
    show = partial(scenes.read, names=payment.names, known=payment.known)
    rounds = 1 if once else SHAPE_ROUNDS
    found = {name: of_shape(make, show, rounds) for name, make in scenes.SHAPES.items()}
    for name, (seconds, grown) in found.items():
        print(f"  {name}: {seconds * 1e3:.2f} ms, x{grown:.2f} when the data double")
    return max(seconds for seconds, _ in found.values()), max(grown for _, grown in found.values())


def of_shape(make: scenes.Shape, show: Callable[[bytes], object], rounds: int) -> tuple[float, float]:
    """The growth is the worst of the doublings up to SIZE."""
    costs, growths = [], []
    for number in range(rounds):
        unsigned = [scenes.hostile(make, SIZE // part, seed=number) for part in (8, 4, 2, 1)]
        before = pace()
        gc.collect()
        gc.disable()  # it runs now and then, for all that was made before as well
        taken = [timed(partial(show, each)) for each in unsigned]
        gc.enable()
        costs.append(taken[-1] / (before + pace()) * 2)
        growths.append([two / one for one, two in pairwise(taken)])
    return statistics.median(costs) * QUIET_SECONDS, max(statistics.median(each) for each in zip(*growths, strict=True))


def timed(job: Callable[[], object]) -> float:
    """Seconds of CPU."""
    before = time.process_time()
    job()
    return time.process_time() - before
