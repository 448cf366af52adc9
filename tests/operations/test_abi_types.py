"""The text of ABI types and functions: one grammar, ceilings on everything."""

from __future__ import annotations

from typing import Any

import eth_abi.grammar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations import abi_types
from mcp_wallet_guard.operations.abi import AbiKind, AbiType, Function, Parameter, parse_function, parse_type
from mcp_wallet_guard.operations.values import keccak256
from tests.operations.abi_cases import types

UINT = AbiType(kind=AbiKind.UINT, size=256)


def refused(text: str) -> None:
    for parse in (parse_type, parse_function):
        with pytest.raises(InvalidInput) as caught:
            parse(text)
        assert caught.value.code == "invalid_input.calldata"


@given(types)
def test_a_type_is_what_its_name_says(type_: AbiType) -> None:
    nameless = parse_type(type_.name)
    assert (nameless.name, nameless) == (type_.name, type_)
    theirs = eth_abi.grammar.parse(eth_abi.grammar.normalize(type_.name))  # type: ignore[no-untyped-call]
    assert theirs.is_dynamic == type_.is_dynamic
    assert theirs.to_type_str() == type_.name.replace("function", "bytes24")


def test_names_of_values_are_kept_and_are_no_part_of_the_canonical_name() -> None:
    function = parse_function("f((address a, uint256 b)[] orders,bytes data, bool)")
    assert function.signature == "f((address,uint256)[],bytes,bool)"
    assert [each.name for each in function.inputs] == ["orders", "data", ""]
    item = function.inputs[0].type.item
    assert item is not None
    assert [each.name for each in item.components] == ["a", "b"]


@pytest.mark.parametrize(
    "text",
    [
        "transfer(address,uint256)",
        "transfer(address to,uint256 value)",
        "transfer(address to, uint value)",
        "transfer( address to , uint256 value )",
    ],
)
def test_a_function_has_one_selector_however_it_is_written(text: str) -> None:
    function = parse_function(text)
    assert function.signature == "transfer(address,uint256)"
    assert function.selector == bytes.fromhex("a9059cbb")  # EIP-20's, on every block explorer
    assert function.selector == keccak256(b"transfer(address,uint256)")[:4]


def test_the_word_tuple_in_front_of_a_tuple_is_read_and_not_repeated() -> None:
    assert parse_function("f(tuple(address a, uint256 b)[2] x)").signature == "f((address,uint256)[2])"
    assert parse_type("tuple(bool)") == parse_type("(bool)")


def test_a_function_type_is_24_bytes_and_keeps_its_name_in_the_selector() -> None:
    type_ = parse_type("function")
    assert (type_.kind, type_.size, type_.name) == (AbiKind.FIXED_BYTES, 24, "function")
    assert parse_function("f(function)").selector == keccak256(b"f(function)")[:4]
    assert type_ != parse_type("bytes24")


@pytest.mark.parametrize(("text", "dynamic", "head"), [
    ("uint8", False, 32), ("bytes", True, 32), ("string", True, 32), ("uint8[]", True, 32), ("uint8[3]", False, 96),
    ("string[3]", True, 32), ("(uint8,bool[2])", False, 96), ("(uint8,bytes)", True, 32),
    ("(uint8[2],bool)[2]", False, 192),
])  # fmt: skip
def test_what_is_dynamic_and_how_wide_a_head_is(text: str, dynamic: bool, head: int) -> None:
    assert (parse_type(text).is_dynamic, parse_type(text).head) == (dynamic, head)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "()", "(,)", "(uint256,)", "(,uint256)", "(uint256", "uint256)", "f(uint256))", "f(uint256) ",
        " f(uint256)", "uint0", "uint7", "uint264", "uint08", "uint0256", "int512", "bytes0", "bytes33", "bytes01",
        "Uint256", "UINT256", "fixed", "ufixed", "fixed128x18", "ufixed128x18", "byte", "address payable", "var",
        "uint256[0]", "uint256[01]", "uint256[-1]", "uint256[ ]", "uint256[1 ]", "uint256 []", "uint256[65536]",
        "uint256[99999]", "uint256[1", "uint256]", "uint256[+1]", "uint256[\u0661]", "uint256[1_0]", "[1]", "tuple",
        "tuple (bool)", "f(uint256 calldata)", "f(bytes memory data)", "f(bytes calldata)",
        "f(address indexed a)",        "f(uint256 a b)", "f(uint256\ta)", "f(uint256\u00a0a)", "f(uint256 \u0430)",
        "f(uint256 a,bool a)",
        "f((uint256 a,bool a) x)", "f(uint256 1a)", "f(uint256)a", "f(bool) returns (bool)", "function f(bool)",
        "f (bool)", "\u0192(bool)", "1f(bool)", "f(bool);", "f(bool)\n", "f(bool\n)", "f((bool)[0])", "f(()[])",
        "f(tuple)", "f(tuple())", "f(struct S)", "f(MyEnum)", "f(uint256;bool)", "f(uint256,,bool)",
        "f(address payable to)",
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    refused(text)


def test_text_that_nests_without_end_is_refused_before_the_stack_ends() -> None:
    for opening, closing in (("(", ")"), ("((tuple(", ")))"), ("", "[]"), ("", "[1]"), ("(", "[])")):
        for times in (17, 1_000, 50_000):
            refused(opening * times + "bool" + closing * times)
            refused("f(" + opening * times + "bool" + closing * times + ")")
    for good in ("(" * 16 + "bool" + ")" * 16, "bool" + "[1]" * 16, "tuple(" * 8 + "bool" + "[])" * 8):
        assert parse_type(good).depth == 16


def test_a_signature_has_a_longest_form() -> None:
    room = (abi_types.MAX_TEXT - len("f()")) // len("bool,")
    assert len(parse_function(f"f({','.join(['bool'] * room)})").inputs) == room
    refused(f"f({','.join(['bool'] * (room + 2))})")
    refused("f(uint256 " + "a" * 257 + ")")


def test_a_static_size_beyond_any_data_costs_nothing() -> None:
    type_ = parse_type("uint8" + "[65535]" * 16)
    assert type_.head == 32 * 65535**16


@pytest.mark.parametrize("text", [None, 5, b"bool"])
def test_what_is_no_text_is_refused(text: Any) -> None:
    with pytest.raises(InvalidInput):
        parse_type(text)


def test_a_type_that_does_not_exist_cannot_be_made() -> None:
    made: tuple[dict[str, Any], ...] = (
        {"kind": AbiKind.UINT}, {"kind": AbiKind.UINT, "size": 9}, {"kind": AbiKind.UINT, "size": 8.0},
        {"kind": AbiKind.BOOL, "size": 8}, {"kind": AbiKind.FIXED_BYTES, "size": 33}, {"kind": AbiKind.ARRAY},
        {"kind": AbiKind.ARRAY, "item": UINT, "length": 0}, {"kind": AbiKind.ARRAY, "item": UINT, "length": True},
        {"kind": AbiKind.UINT, "size": 8, "length": 2}, {"kind": AbiKind.UINT, "size": 8, "item": UINT},
        {"kind": AbiKind.TUPLE}, {"kind": AbiKind.BOOL, "components": (Parameter(type=UINT),)},
        {"kind": AbiKind.FIXED_BYTES, "size": 23, "is_function": True}, {"kind": AbiKind.BOOL, "is_function": True},
        {"kind": AbiKind.TUPLE, "components": (Parameter(name="no name", type=UINT),)},
    )  # fmt: skip
    for fields in made:
        with pytest.raises(InvalidInput):
            AbiType(**fields)
    with pytest.raises(InvalidInput):
        Function(name="", inputs=())


def test_sharing_a_part_in_code_does_not_get_round_the_ceilings() -> None:
    def doubled(type_: AbiType, times: int) -> AbiType:
        if times == 0:
            return type_
        return doubled(AbiType(kind=AbiKind.TUPLE, components=(Parameter(type=type_),) * 2), times - 1)

    assert doubled(UINT, 8).head == 256 * 32
    with pytest.raises(InvalidInput):
        doubled(UINT, 16)


@given(st.text(alphabet="fuint8256(),[] boltrcas$_0", max_size=30))
def test_random_text_is_read_or_refused_with_one_error(text: str) -> None:
    try:
        found = parse_function(text)
    except InvalidInput:
        refused_as_type_or_equal(text)
    else:
        assert parse_function(found.signature).signature == found.signature


def refused_as_type_or_equal(text: str) -> None:
    try:
        found = parse_type(text)
    except InvalidInput:
        return
    assert parse_type(found.name).name == found.name
