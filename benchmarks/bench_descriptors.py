"""A call or message told by its descriptor costs at most 3 ms of CPU, and an index of 1,000 descriptors 0.3 s.

The cases are those of the public registry where it lies beside the repository, else our own. Each is told once before,
so that its descriptor is read; decoding is part of it, reading the typed data of a message is not.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from figure import Figure

from mcp_wallet_guard.clearsign.descriptors.index import Index

ROOT: Final = Path(__file__).resolve().parents[1]
NAME: Final = "descriptors"
ROUNDS: Final = 9
INDEXED: Final = 1_000


def run(*, once: bool) -> list[Figure]:
    files, jobs = cases()
    rounds = 1 if once else ROUNDS
    for job in jobs:
        job()
    costs = sorted(statistics.median(cost(job) for _ in range(rounds)) for job in jobs)
    many = {f"{number}/{name}": raw for number in range(INDEXED) for name, raw in files.items()}
    many = dict(list(many.items())[:INDEXED])
    building = statistics.median(cost(partial(Index, many)) for _ in range(rounds))
    return [
        Figure(name="a case told by its descriptor, p99", value=percentile(costs) * 1e3, unit="ms CPU", limit=3),
        Figure(name="the same, median", value=statistics.median(costs) * 1e3, unit="ms CPU", limit=math.inf),
        Figure(name="index of 1,000 descriptors", value=building * 1e3, unit="ms CPU", limit=300),
    ]


def cases() -> tuple[dict[str, bytes], list[Callable[[], object]]]:
    """Files, and something to do for each case."""
    sys.path.insert(0, str(ROOT))
    from tests.clearsign.descriptors import case, registry

    sys.path.pop(0)
    if registry.FILE.exists():
        files = registry.files()
        index = Index(files)
        return files, [one.job(index) for one in registry.cases()]
    own = [json.loads(path.read_text()) for path in case.paths()]
    told = [each for each in own if "refused" not in each["expect"]]
    files = {f"{number}.json": case.files(each)["main.json"] for number, each in enumerate(told)}
    return files, [partial(case.rendered, each, case.main(each)) for each in told]


def percentile(costs: list[float]) -> float:
    """The cost that 99 of 100 do not exceed."""
    return costs[math.ceil(len(costs) * 0.99) - 1]


def cost(job: Callable[[], object]) -> float:
    """Seconds of CPU."""
    before = time.process_time()
    job()
    return time.process_time() - before
