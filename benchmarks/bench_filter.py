"""What the detectors of other people's secrets cost on a clean JSON-RPC body of 64 KiB, against parsing the same body.

Paired, interleaved, medians. The body is a batch of receipts: hashes, addresses, topics and Bloom filters. The search
runs with no fingerprints, so copying, joining and detecting are measured, and the search for the vault's own secrets,
which decodes every run at every alignment, is not: it costs far more, and is bounded by its own work limit.
"""

from __future__ import annotations

import json
import random
import statistics
import time
from collections.abc import Callable
from typing import Any, Final

from figure import Figure

from mcp_wallet_guard.filters.fingerprints import FingerprintSet
from mcp_wallet_guard.filters.outbound import search

NAME: Final = "filter"
SIZE: Final = 64 * 1024
ROUNDS: Final = 400
WARM_UP: Final = 20


def run(*, once: bool) -> list[Figure]:
    source = random.Random(64)  # noqa: S311  # made-up receipts
    small, large = body(SIZE, source), body(2 * SIZE, source)
    text = json.dumps(small)
    jobs: tuple[Callable[[], Any], ...] = (
        lambda: json.loads(text),
        lambda: search(small, fingerprints=FingerprintSet()),
        lambda: search(large, fingerprints=FingerprintSet()),
    )
    for _ in range(1 if once else WARM_UP):
        for job in jobs:
            job()
    rounds = [[timed(job) for job in jobs] for _ in range(1 if once else ROUNDS)]
    parsed, filtered, doubled = (statistics.median(column) for column in zip(*rounds, strict=True))
    growth = (doubled / len(json.dumps(large))) / (filtered / len(text)) * 2
    return [
        Figure(name="detectors on 64 KiB of JSON-RPC, to parsing it", value=filtered / parsed, unit="x", limit=4),
        Figure(name="the same, growth when the body doubles", value=growth, unit="x", limit=2.2),
    ]


def timed(job: Callable[[], Any]) -> float:
    """Seconds of CPU for one run."""
    before = time.process_time()
    job()
    return time.process_time() - before


def body(size: int, source: random.Random) -> dict[str, Any]:
    """A JSON-RPC answer of about `size` characters."""
    receipts: list[dict[str, Any]] = []
    characters = 0
    while characters < size:
        receipts.append(receipt(source))
        characters += len(json.dumps(receipts[-1]))
    return {"jsonrpc": "2.0", "id": 1, "result": receipts}


def receipt(source: random.Random) -> dict[str, Any]:
    """As eth_getTransactionReceipt answers: a few Transfer events."""
    block, transaction = _hex(source, 32), _hex(source, 32)
    place = {"blockHash": block, "blockNumber": _number(source, 25), "transactionHash": transaction}
    padded = "0x" + "00" * 12
    return {
        **place,
        "contractAddress": None,
        "cumulativeGasUsed": _number(source, 25),
        "effectiveGasPrice": _number(source, 36),
        "from": _hex(source, 20),
        "gasUsed": _number(source, 20),
        "logs": [
            {
                **place,
                "address": _hex(source, 20),
                "topics": [_hex(source, 32), padded + source.randbytes(20).hex(), padded + source.randbytes(20).hex()],
                "data": "0x" + source.randrange(1 << 70).to_bytes(32, "big").hex(),
                "transactionIndex": "0x1",
                "logIndex": hex(index),
                "removed": False,
            }
            for index in range(source.randrange(4))
        ],
        "logsBloom": "0x" + "00" * 256,
        "status": "0x1",
        "to": _hex(source, 20),
        "transactionIndex": "0x1",
        "type": "0x2",
    }


def _hex(source: random.Random, size: int) -> str:
    return "0x" + source.randbytes(size).hex()


def _number(source: random.Random, bits: int) -> str:
    return hex(source.randrange(1 << bits))
