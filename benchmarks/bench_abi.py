"""What 128 kB of hostile calldata cost to decode, whether that grows with their size alone, and eth-abi beside ours.

Each shape is the most of something that so many bytes hold: numbers, empty strings, tuples in tuples, addresses (whose
checksum is a hash), and bombs, whose offsets all lead to the same bytes. The worst shape is judged. Time is given at
the pace of a core at rest (see `speed`). The token call is paired and interleaved with eth-abi's decode of it.
"""

from __future__ import annotations

import gc
import math
import random
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from eth_abi.abi import decode as eth_abi_decode
from figure import Figure
from speed import QUIET_SECONDS, pace

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations.abi import Parameter, Value, decode, encode, parse_function, parse_type
from mcp_wallet_guard.operations.values import Address

NAME: Final = "abi"
SIZE: Final = 128 * 1024
ROUNDS: Final = 40
CALLS: Final = 200


def run(*, once: bool) -> list[Figure]:
    rounds = 1 if once else ROUNDS
    worst, growth = 0.0, 0.0
    for name, make in SHAPES.items():
        seconds, grown = measured(make, rounds=rounds)
        print(f"  {name}: {seconds * 1000:.2f} ms, x{grown:.2f} when the data double")
        worst = max(worst, seconds)
        if make not in REFUSED:
            growth = max(growth, grown)
    return [
        Figure(name="128 kB of hostile calldata, the worst shape", value=worst * 1000, unit="ms CPU", limit=50),
        Figure(name="the same, growth when the data double", value=growth, unit="x", limit=2.2),
        Figure(name="arguments of a token call, to eth-abi", value=against_eth_abi(rounds), unit="x", limit=0.5),
        Figure(name="the same, by itself", value=of_a_token_call(rounds) * 1e6, unit="us CPU", limit=math.inf),
    ]


def numbers(size: int, source: random.Random) -> tuple[str, bytes]:
    count = size // 32 - 2
    return "uint256[]", call("uint256[]", tuple(source.randrange(1 << 256) for _ in range(count)))


def empty_strings(size: int, _source: random.Random) -> tuple[str, bytes]:
    return "bytes[]", call("bytes[]", (b"",) * (size // 64 - 1))


def tuples(size: int, _source: random.Random) -> tuple[str, bytes]:
    text = "(" * 6 + "bool" + ")" * 6 + "[]"
    value: Value = True
    for _ in range(6):
        value = (value,)
    return text, call(text, (value,) * (size // 32 - 2))


def orders(size: int, source: random.Random) -> tuple[str, bytes]:
    text = "(address,uint256,bytes)[]"
    count = size // 160 - 1
    return text, call(text, tuple((Address.from_bytes(source.randbytes(20)), 1, b"") for _ in range(count)))


def shared_rows(size: int, _source: random.Random) -> tuple[str, bytes]:
    """A million numbers for who follows every offset."""
    half = size // 64 - 2
    return "uint256[][]", words(32, half, *[half * 32] * half, half, *range(half))


def shared_strings(size: int, _source: random.Random) -> tuple[str, bytes]:
    """A hundred megabytes for who copies at every offset."""
    count = size // 64 - 2
    return "bytes[]", words(32, count, *[count * 32] * count, count * 32) + bytes(count * 32)


SHAPES: Final[dict[str, Callable[[int, random.Random], tuple[str, bytes]]]] = {
    "numbers": numbers,
    "empty strings": empty_strings,
    "tuples in tuples": tuples,
    "orders with an address": orders,
    "rows that are one row": shared_rows,
    "strings that are one string": shared_strings,
}
REFUSED: Final = frozenset({shared_rows, shared_strings})


def measured(make: Callable[[int, random.Random], tuple[str, bytes]], *, rounds: int) -> tuple[float, float]:
    """Seconds at rest for SIZE, and how often those of half of it they are. Medians."""
    source = random.Random(128)  # noqa: S311  # made-up calls
    (text, large), (_, small) = make(SIZE, source), make(SIZE // 2, source)
    assert SIZE - 256 <= len(large) <= SIZE
    inputs = (Parameter(type=parse_type(text)),)
    if make not in REFUSED:
        assert encode(inputs, decode(inputs, large).values) == large
    costs, growths = [], []
    for _ in range(rounds):
        before = pace()
        cost = timed(partial(attempt, inputs, large))
        costs.append(cost / (before + pace()) * 2)
        gc.disable()  # it runs now and then, for all that was made before as well
        one, two = timed(partial(attempt, inputs, small)), timed(partial(attempt, inputs, large))
        gc.enable()
        growths.append(two / one * 2 * len(small) / len(large))
    return statistics.median(costs) * QUIET_SECONDS, statistics.median(growths)


def against_eth_abi(rounds: int) -> float:
    function = parse_function("transfer(address,uint256)")
    names = [each.type.name for each in function.inputs]
    data = token_call()
    ratios = []
    for _ in range(rounds):
        ours = timed(partial(repeated, partial(decode, function.inputs, data)))
        ratios.append(ours / timed(partial(repeated, partial(eth_abi_decode, names, data))))
    return statistics.median(ratios)


def of_a_token_call(rounds: int) -> float:
    job = partial(decode, parse_function("transfer(address,uint256)").inputs, token_call())
    costs = []
    for _ in range(rounds):
        before = pace()
        cost = timed(partial(repeated, job))
        costs.append(cost / CALLS / (before + pace()) * 2)
    return statistics.median(costs) * QUIET_SECONDS


def token_call() -> bytes:
    return encode(parse_function("transfer(address,uint256)").inputs, (Address.from_bytes(b"\x42" * 20), 10**18))


def attempt(inputs: tuple[Parameter, ...], data: bytes) -> None:
    try:
        decode(inputs, data)
    except InvalidInput:
        return


def repeated(job: Callable[[], Any]) -> None:
    for _ in range(CALLS):
        job()


def timed(job: Callable[[], Any]) -> float:
    """Seconds of CPU for one run."""
    before = time.process_time()
    job()
    return time.process_time() - before


def call(text: str, value: Value) -> bytes:
    return encode((Parameter(type=parse_type(text)),), (value,))


def words(*numbers: int) -> bytes:
    return b"".join(each.to_bytes(32) for each in numbers)
