"""Calldata that is made to cost much: one budget bounds the tree, and reading ends with a part that says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest

from mcp_wallet_guard.clearsign.decoders import permit2
from mcp_wallet_guard.clearsign.decoders.base import PART_NODES
from mcp_wallet_guard.clearsign.tree import Clarity, Part, Shown
from mcp_wallet_guard.operations.abi import MAX_CALLS, MAX_NODES, Budget
from mcp_wallet_guard.operations.values import Address
from tests.clearsign.decoders.cast import (
    FRIEND,
    ME,
    SAFE,
    USDC,
    WHO,
    approve,
    calldata,
    multi_send,
    multicall,
    read,
    safe_exec,
    transfer,
)

SIZE: Final = 128 * 1024


def twins(size: int) -> bytes:
    """A multicall of two multicalls, of two multicalls each, and so on: as deep as it goes, and as wide."""
    data = b""
    while len(data) < size // 2:
        data = multicall(data, data)
    return data


def deep(size: int) -> bytes:
    data = bytes(size)
    for _ in range(64):
        data = multicall(data)
    return data


def wide(size: int) -> bytes:
    return multicall(*[b""] * (size // 64))


def lined(size: int) -> bytes:
    return multicall(*[transfer()] * (size // 160))


def packed(size: int) -> bytes:
    return safe_exec(multi_send(*[(0, FRIEND, 1, b"")] * (size // 85)), to=WHO["MULTISEND"], operation=1)


def ids(size: int) -> bytes:
    numbers = tuple(range(size // 64))
    text = "safeBatchTransferFrom(address from,address to,uint256[] ids,uint256[] amounts,bytes data)"
    return calldata(text, ME, FRIEND, numbers, numbers, b"")


def addresses(size: int) -> bytes:
    route = tuple(Address.from_bytes(number.to_bytes(20)) for number in range(size // 32))
    text = "swapExactETHForTokens(uint256 amountOutMin,address[] path,address to,uint256 deadline)"
    return calldata(text, 1, route, ME, 1)


def hops(size: int) -> bytes:
    path = bytes(20) + b"".join(number.to_bytes(23) for number in range(size // 23))
    text = (
        "exactInput((bytes path,address recipient,uint256 deadline,uint256 amountIn,uint256 amountOutMinimum) params)"
    )
    return calldata(text, (path, ME, 1, 1, 1))


def commands(size: int) -> bytes:
    sub = calldata("f(bytes commands,bytes[] inputs)", b"", ())[4:]
    for _ in range(40):
        sub = calldata("f(bytes commands,bytes[] inputs)", b"\x21", (sub,))[4:]
    count = size // (len(sub) + 64)
    return calldata("execute(bytes commands,bytes[] inputs)", b"\x21" * count, (sub,) * count)


def details(size: int) -> bytes:
    text = f"permit(address owner,{permit2.BATCH} permitBatch,bytes signature)"
    return calldata(text, ME, (((USDC, 5, 1, 1),) * (size // 128), FRIEND, 1), b"")


BOMBS: Final = {
    build.__name__: build for build in (twins, deep, wide, lined, packed, ids, addresses, hops, commands, details)
}


def weight(part: Part) -> int:
    """How many things were made: parts, shown values, consequences."""
    return sum(1 + sizes(each.shown) + len(each.consequences) for each in part.walk())


def sizes(shown: tuple[Shown, ...]) -> int:
    return sum(1 + sizes(each.children) for each in shown)


@pytest.mark.parametrize("build", BOMBS.values(), ids=BOMBS.keys())
def test_what_is_made_of_hostile_calldata_is_bounded(build: Callable[[int], bytes]) -> None:
    """Work follows what is made and what is read, so both are bounded whatever the size: time is for benchmarks."""
    budget = Budget.default()
    part = read(build(SIZE), to=SAFE, budget=budget)

    assert sum(1 for _ in part.walk()) <= MAX_NODES // PART_NODES + MAX_CALLS
    assert weight(part) <= 12_000
    assert budget.depth == MAX_CALLS


@pytest.mark.parametrize("build", BOMBS.values(), ids=BOMBS.keys())
def test_twice_the_calldata_makes_at_most_twice_as_much(build: Callable[[int], bytes]) -> None:
    small, large = (weight(read(build(size), to=SAFE)) for size in (SIZE // 32, SIZE // 16))

    assert large <= 3 * small


@pytest.mark.parametrize("build", [wide, lined, packed, addresses, hops, details], ids=lambda build: build.__name__)
def test_what_is_beyond_the_budget_is_said_to_be(build: Callable[[int], bytes]) -> None:
    part = read(build(SIZE), to=SAFE)
    codes = {odd.code for each in part.walk() for odd in each.oddities}

    assert "calldata.budget" in codes
    assert part.clarity in {Clarity.BLIND, Clarity.PARTIAL}


def test_calls_are_read_as_deep_as_the_budget_says() -> None:
    inner = approve()
    for _ in range(MAX_CALLS - 1):
        inner = multicall(inner)

    assert read(inner).clarity is Clarity.CLEAR
    too_deep = read(multicall(inner))
    assert too_deep.clarity is Clarity.PARTIAL
    *_, last = too_deep.walk()
    assert (last.clarity, last.oddities[0].code) == (Clarity.BLIND, "calldata.budget")


def test_a_batch_of_two_hundred_payments_is_read() -> None:
    """The honest twin: nobody's limits."""
    people = [Address.from_bytes((7 << 80 | number).to_bytes(20)) for number in range(200)]
    data = safe_exec(multi_send(*[(0, to, 1, b"") for to in people]), to=WHO["MULTISEND"], operation=1)
    part = read(data, to=SAFE)

    assert part.clarity is Clarity.CLEAR
    assert [each.target for each in part.parts[0].parts] == people


def test_one_budget_serves_several_calls() -> None:
    budget = Budget.default()
    first = read(transfer(), budget=budget)
    left = budget.nodes
    budget.nodes = 10

    assert first.clarity is Clarity.CLEAR
    assert left < MAX_NODES
    spent = read(transfer(), budget=budget)
    assert (spent.clarity, spent.oddities[0].code) == (Clarity.BLIND, "calldata.budget")
