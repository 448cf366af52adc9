"""The ABI codec on honest calls: what the specification, ethers and eth-abi write. Threat: T-020."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from eth_abi import abi as eth_abi
from hypothesis import given

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations import erc20
from mcp_wallet_guard.operations.abi import (
    Budget,
    Decoded,
    Function,
    Parameter,
    Value,
    decode,
    encode,
    parse_function,
    parse_type,
)
from mcp_wallet_guard.operations.envelopes import parse_signed_envelope, parse_unsigned_envelope
from mcp_wallet_guard.operations.values import UINT256_MAX, Address, BaseUnits
from tests.operations.abi_cases import calls, for_eth_abi, names, of_json
from tests.operations.strategies import PAYEE

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "vectors" / "evm" / "abi.json").read_text("utf-8")
)["cases"]
SHARED = Path(__file__).parents[2].parent / "shared" / "vectors" / "evm" / "ethers-abi.json.gz"
REGISTRY = SHARED.parents[1] / "erc7730" / "registry-2026-08-20.json.gz"

Call = tuple[tuple[Parameter, ...], tuple[Value, ...]]


@pytest.mark.parametrize("case", VECTORS, ids=[case["name"] for case in VECTORS])
def test_the_examples_of_the_specification_are_read_and_written(case: dict[str, Any]) -> None:
    function = parse_function(case["function"])
    values = tuple(of_json(each.type, item) for each, item in zip(function.inputs, case["values"], strict=True))
    data = bytes.fromhex("".join(case["data"]))
    assert encode(function.inputs, values) == data
    assert decode(function.inputs, data) == Decoded(values=values, trailing=b"")
    if case["selector"] is not None:
        assert function.selector.hex() == case["selector"]


@pytest.mark.skipif(not SHARED.exists(), reason="the public vectors are not beside this repository")
def test_all_that_ethers_took_from_the_solidity_compiler_is_read_and_written() -> None:
    cases = json.loads(gzip.decompress(SHARED.read_bytes()))["cases"]
    for case in cases:
        inputs = (Parameter(type=parse_type(case["type"])),)
        data = bytes.fromhex(case["encoded"][2:])
        values = (of_json(inputs[0].type, case["value"]),)
        assert decode(inputs, data) == Decoded(values=values, trailing=b""), case["name"]
        assert encode(inputs, values) == data, case["name"]
    assert len(cases) == 1024


@pytest.mark.skipif(not REGISTRY.exists(), reason="the public vectors are not beside this repository")
def test_every_call_of_the_public_registry_is_canonical_but_for_a_tag_behind_it() -> None:
    """What strictness costs honest users: nothing. Of 374 calls 27 have bytes behind their arguments."""
    registry = json.loads(gzip.decompress(REGISTRY.read_bytes()))
    functions: dict[bytes, Function] = {}
    for name, descriptor in registry["descriptors"].items():
        if "eip712" not in name:
            for text in descriptor.get("display", {}).get("formats", {}):
                function = parse_function(text)
                functions[function.selector] = function
    assert len(functions) > 400
    read: Counter[bool] = Counter()
    for file in registry["testsv2"].values():
        for case in file["tests"]:
            if "rawTx" not in case:
                continue
            data = call_in(bytes.fromhex(case["rawTx"].removeprefix("0x")))
            inputs = functions[data[:4]].inputs
            decoded = decode(inputs, data[4:])
            assert encode(inputs, decoded.values) + decoded.trailing == data[4:]
            read[decoded.trailing == b""] += 1
    assert read == {True: 347, False: 27}


def call_in(transaction: bytes) -> bytes:
    """Seven of the registry's are signed."""
    try:
        return parse_unsigned_envelope(transaction).data
    except InvalidInput:
        return parse_signed_envelope(transaction).envelope.data


@given(calls())
def test_it_writes_what_eth_abi_writes_and_each_reads_the_other(call: Call) -> None:
    inputs, values = call
    data = encode(inputs, values)
    assert data == eth_abi.encode(names(inputs), [for_eth_abi(each) for each in values])
    assert decode(inputs, data) == Decoded(values=values, trailing=b"")
    assert eth_abi.decode(names(inputs), data) == tuple(for_eth_abi(each) for each in values)


def test_a_token_call_is_what_the_guard_itself_writes() -> None:
    call = erc20.Call(function=erc20.Function.TRANSFER, party=PAYEE, amount=BaseUnits(5))
    function = parse_function("transfer(address to,uint256 value)")
    data = erc20.encode(call)
    assert function.selector == data[:4]
    assert decode(function.inputs, data[4:]).values == (PAYEE, 5)
    assert function.selector + encode(function.inputs, (PAYEE, 5)) == data


@given(calls())
def test_bytes_after_the_last_tail_are_handed_back(call: Call) -> None:
    inputs, values = call
    data = encode(inputs, values)
    for trailing in (b"\0", b"\xff" * 31, bytes(64), bytes.fromhex("62633030")):
        assert decode(inputs, data + trailing) == Decoded(values=values, trailing=trailing)


def test_a_budget_is_shared_by_calls_within_calls() -> None:
    inner, outer = parse_function("inner(uint256[])"), parse_function("multicall(bytes[])")
    call = inner.selector + encode(inner.inputs, ((1, 2, 3),))
    data = encode(outer.inputs, ((call, call),))
    budget = Budget.default()
    before = budget.nodes
    (calls_inside,) = decode(outer.inputs, data, budget=budget).values
    assert before - budget.nodes == 3  # the array and two byte strings
    assert isinstance(calls_inside, tuple)
    with budget.inside():
        assert budget.depth == Budget.default().depth - 1
        for each in calls_inside:
            assert isinstance(each, bytes)
            assert decode(inner.inputs, each[4:], budget=budget).values == ((1, 2, 3),)
    assert before - budget.nodes == 3 + 2 * 4
    assert Budget.default().size - budget.size == len(data) + 2 * (len(call) - 4)
    assert budget.depth == Budget.default().depth


def test_a_spent_budget_refuses_and_a_sufficient_one_does_not() -> None:
    inputs = parse_function("f(uint256[])").inputs
    data = encode(inputs, (tuple(range(9)),))
    assert decode(inputs, data, budget=Budget(nodes=10, size=len(data), depth=0)).values == (tuple(range(9)),)
    for budget in (Budget(nodes=9, size=len(data), depth=0), Budget(nodes=10, size=len(data) - 1, depth=0)):
        with pytest.raises(InvalidInput):
            decode(inputs, data, budget=budget)
    with pytest.raises(InvalidInput), Budget(nodes=1, size=1, depth=0).inside():
        pass


def test_a_call_within_a_call_that_fails_gives_its_depth_back() -> None:
    budget = Budget.default()
    with pytest.raises(InvalidInput), budget.inside():
        decode(parse_function("f(bool)").inputs, b"", budget=budget)
    assert budget.depth == Budget.default().depth


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("uint8", 256), ("uint8", -1), ("uint256", 2**256), ("int8", 128), ("int8", -129), ("uint256", True),
        ("uint256", 1.0), ("uint256", "1"), ("uint256", b"\x01"), ("bool", 1), ("bool", 2), ("bool", None),
        ("address", "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"), ("address", bytes(20)), ("address", 1),
        ("bytes4", b"\0\0\0"), ("bytes4", bytes(5)), ("bytes4", "abcd"), ("bytes", "abc"), ("bytes", bytearray(3)),
        ("string", b"abc"), ("string", "\ud800"), ("string", 5), ("uint8[2]", (1,)), ("uint8[2]", (1, 2, 3)),
        ("uint8[2]", [1, 2]), ("uint8[]", [1]), ("uint8[]", 1), ("uint8[]", (1, 256)), ("(bool,bool)", (True,)),
        ("(bool,bool)", (True, True, True)), ("(bool,bool)", [True, True]), ("(bool)", True), ("bytes[]", b"ab"),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_not_converted(text: str, value: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        encode((Parameter(type=parse_type(text)),), (value,))
    assert caught.value.code == "invalid_input.calldata"


@pytest.mark.parametrize("values", [(), (1, 2), [1], None, 1])
def test_there_is_one_value_for_each_parameter(values: Any) -> None:
    with pytest.raises(InvalidInput):
        encode((Parameter(type=parse_type("uint256")),), values)


@pytest.mark.parametrize("data", [None, "00" * 32, bytearray(32), memoryview(bytes(32)), 32])
def test_only_bytes_are_read(data: Any) -> None:
    with pytest.raises(InvalidInput):
        decode((Parameter(type=parse_type("uint256")),), data)


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [("uint8", 0, 255), ("uint256", 0, UINT256_MAX), ("int8", -128, 127), ("int248", -(2**247), 2**247 - 1)],
)
def test_the_edges_of_a_number_are_read_and_written(text: str, least: int, most: int) -> None:
    inputs = (Parameter(type=parse_type(text)),)
    for value in (least, most):
        assert decode(inputs, encode(inputs, (value,))).values == (value,)


def test_the_longest_list_of_addresses_is_read_and_a_longer_one_is_not() -> None:
    inputs = parse_function("airdrop(address[])").inputs
    honest = 1023  # the array itself is counted too
    data = encode(inputs, ((PAYEE,) * honest,))
    assert decode(inputs, data).values == ((PAYEE,) * honest,)
    with pytest.raises(InvalidInput):
        decode(inputs, encode(inputs, ((Address.from_bytes(bytes(20)),) * (honest + 1),)))
