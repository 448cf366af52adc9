"""What the whole result filter costs on a clean JSON-RPC body of 64 KiB, against parsing the same body.

Copying, the search for the secrets of a vault (a wallet of 24 words, its phrase, seed and keys, an authenticator), and
the detectors of everybody else's. Paired, interleaved, medians. The body is a batch of receipts: hashes, addresses,
topics and Bloom filters, another one in each round. A list of transactions is shown beside it, and not judged.
"""

from __future__ import annotations

import json
import math
import random
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from figure import Figure

from mcp_wallet_guard.filters.fingerprints import FingerprintSet, build
from mcp_wallet_guard.filters.outbound import search
from mcp_wallet_guard.keys import bip32, curve
from mcp_wallet_guard.keys.mnemonic import seed_from_entropy, words_from_entropy
from mcp_wallet_guard.secret import Secret

NAME: Final = "filter"
SIZE: Final = 64 * 1024
ROUNDS: Final = 300
WARM_UP: Final = 20
BODIES: Final = 100
"""More than anything remembers of whole messages."""

PATH: Final = (*[step + bip32.HARDENED for step in (44, 60, 0)], 0, 0)


def run(*, once: bool) -> list[Figure]:
    source = random.Random(64)  # noqa: S311  # made-up answers
    prints = vault(source)
    texts, jobs = [], []
    for _ in range(1 if once else BODIES):
        bodies = body(SIZE, source, receipt), body(2 * SIZE, source, receipt), body(SIZE, source, transaction)
        texts.append([json.dumps(each) for each in bodies])
        jobs.append([partial(search, each, fingerprints=prints) for each in bodies])
    rounds: list[list[float]] = []
    for number in range(1 if once else WARM_UP + ROUNDS):
        small, large, other = texts[number % len(texts)]
        one, two, three = (timed(job) for job in jobs[number % len(jobs)])
        parsed, parsed_other = timed(partial(json.loads, small)), timed(partial(json.loads, other))
        rounds.append([one / parsed, two / one * 2 * len(small) / len(large), three / parsed_other])
    ratio, growth, others = (
        statistics.median(column) for column in zip(*rounds[0 if once else WARM_UP :], strict=True)
    )
    return [
        Figure(name="filter on 64 KiB of receipts, to parsing them", value=ratio, unit="x", limit=4),
        Figure(name="the same, growth when the body doubles", value=growth, unit="x", limit=2.2),
        Figure(name="filter on 64 KiB of transactions, to parsing them", value=others, unit="x", limit=math.inf),
    ]


def vault(source: random.Random) -> FingerprintSet:
    """What the guard makes of a vault with one wallet and one authenticator."""
    entropy = Secret(source.randbytes(32))
    words = words_from_entropy(entropy, language="english")
    seed = seed_from_entropy(entropy, language="english", passphrase="")
    found = [source.randbytes(20), " ".join(words).encode()]
    for each in (entropy, seed, *bip32.lineage(seed, PATH, curve=curve.installed()[0])):
        with each.reveal() as view:
            found.append(bytes(view))
    return build(found, key=source.randbytes(32))


def timed(job: Callable[[], Any]) -> float:
    """Seconds of CPU for one run."""
    before = time.process_time()
    job()
    return time.process_time() - before


def body(size: int, source: random.Random, kind: Callable[[random.Random], dict[str, Any]]) -> dict[str, Any]:
    """A JSON-RPC answer of about `size` characters."""
    items: list[dict[str, Any]] = []
    characters = 0
    while characters < size:
        items.append(kind(source))
        characters += len(json.dumps(items[-1]))
    return {"jsonrpc": "2.0", "id": source.randrange(1 << 20), "result": items}


def transaction(source: random.Random) -> dict[str, Any]:
    """As eth_getBlockByNumber lists them: a call of a token."""
    return {
        **{name: _hex(source, 32) for name in ("blockHash", "hash", "r", "s")},
        **{name: _hex(source, 20) for name in ("from", "to")},
        **{name: _number(source, 25) for name in ("blockNumber", "gas", "nonce", "transactionIndex")},
        "accessList": [],
        "chainId": "0x1",
        "input": "0xa9059cbb" + "00" * 12 + source.randbytes(20).hex() + source.randrange(1 << 70).to_bytes(32).hex(),
        "maxFeePerGas": _number(source, 36),
        "type": "0x2",
        "value": _number(source, 60),
        "yParity": "0x1",
    }


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
