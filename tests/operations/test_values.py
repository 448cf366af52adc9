"""Addresses, amounts, chains, assets, accounts: one spelling each, and no number that is not exact.

Threat: T-025, T-026, T-027, T-040.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations.values import (
    UINT256_MAX,
    Account,
    Address,
    Amount,
    Asset,
    BaseUnits,
    ChainId,
    check_reference,
    keccak256,
)
from tests.operations.strategies import CHAIN, ETH, PAYEE, addresses, up_to

VECTORS = Path(__file__).parent.parent / "vectors" / "evm"
EIP55: list[str] = json.loads((VECTORS / "eip55.json").read_text())["addresses"]
UNITS: list[dict[str, str]] = json.loads((VECTORS / "units.json").read_text())["cases"]


class Text(str):
    """A string that is not exactly one."""

    __slots__ = ()


@pytest.mark.parametrize("text", EIP55)
def test_the_addresses_of_the_standard_are_accepted_in_their_spelling_alone(text: str) -> None:
    assert Address.parse(text).value == text
    for index, sign in enumerate(text[2:], 2):
        if sign.isalpha():
            with pytest.raises(InvalidInput):
                Address.parse(text[:index] + sign.swapcase() + text[index + 1 :])


@given(st.binary(min_size=20, max_size=20))
def test_checksums_are_those_of_eth_utils(raw: bytes) -> None:
    address = Address.from_bytes(raw)
    assert address.value == to_checksum_address(raw)
    assert address.raw == raw
    assert Address.parse(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "", "0x", PAYEE.value[:-1], PAYEE.value + "0", PAYEE.value[2:], " " + PAYEE.value, PAYEE.value + "\n",
        PAYEE.value.replace("0x", "0X"), PAYEE.value.lower(), PAYEE.value.upper(), "0x" + "g" * 40, "vitalik.eth",
        PAYEE.value.replace("0x7", "0x\uff17"), PAYEE.value.replace("9", "\u0669"), PAYEE.value.replace("C", "\u0421"),
        PAYEE.value + "\u200b", "eip155:31337:" + PAYEE.value, Text(PAYEE.value), PAYEE.raw, 0, None, [PAYEE.value],
    ],
)  # fmt: skip
def test_anything_else_is_no_address_and_is_not_repeated(text: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        Address.parse(text)
    assert caught.value.code == "invalid_input.address"
    assert caught.value.detail == ""


@pytest.mark.parametrize("raw", [bytes(19), bytes(21), bytearray(20), "0" * 20, None])
def test_an_address_has_twenty_bytes(raw: Any) -> None:
    assert Address.from_bytes(bytes(20)).value == "0x" + "0" * 40
    with pytest.raises(InvalidInput):
        Address.from_bytes(raw)


@given(st.binary(max_size=300))
def test_the_hash_is_that_of_eth_utils(data: bytes) -> None:
    assert keccak256(data) == keccak(data)


@pytest.mark.parametrize("case", UNITS, ids=[case["ether"] for case in UNITS])
def test_canonical_decimals_convert_exactly_and_others_are_refused(case: dict[str, str]) -> None:
    text = case["ether"]
    whole = text.split(".")[0]
    if whole == "" or whole.startswith(("-", "00", "01")):
        with pytest.raises(InvalidInput):
            Amount.parse(text)
        return
    assert Amount.parse(text).base_units(ETH) == int(case["wei"])
    assert Amount.parse(text) == Amount.parse(case["shortest"])


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "1.", ".1", "-1", "+1", "01", "00", "1e18", "1E1", "0x10", "1,5", "1.000,5", "1'000", "1_000", "1 000",
        " 1", "1 ", "1\n", "1.5.0", "NaN", "inf", "Infinity", "\u0661", "\uff11", "1\u00b2", "\u00bd", "1/2", "1 ETH",
        "all", "max", "9" * 79, "1." + "0" * 78, Text("1"), 1, 1.0, True, None, Decimal(1), b"1", ["1"],
    ],
)  # fmt: skip
def test_anything_but_a_plain_decimal_string_is_no_amount(text: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        Amount.parse(text)
    assert caught.value.code == "invalid_input.amount"


@given(up_to(UINT256_MAX), st.integers(0, 77))
def test_base_units_and_decimals_are_two_spellings_of_one_number(units: int, decimals: int) -> None:
    asset = Asset(CHAIN, "T", decimals)
    amount = Amount.from_base_units(BaseUnits(units), asset)
    assert amount.base_units(asset) == units
    assert Decimal(amount.text).as_tuple().sign == 0
    assert Amount.parse(amount.text) == amount
    assert not amount.text.endswith(".")
    assert "." not in amount.text or not amount.text.endswith("0")


@given(st.from_regex(r"(?:0|[1-9][0-9]{0,20})(?:\.[0-9]{1,25})?", fullmatch=True))
def test_an_amount_with_more_decimals_than_its_asset_is_refused_never_rounded(text: str) -> None:
    amount = Amount.parse(text)
    exact = Decimal(text) * 10**18 if len(text) < 27 else None
    decimals = len(amount.text.partition(".")[2])
    if decimals > 18:
        with pytest.raises(InvalidInput) as caught:
            amount.base_units(ETH)
        assert caught.value.code == "invalid_input.precision"
    elif exact is not None:
        assert amount.base_units(ETH) == exact


def test_an_amount_beyond_256_bits_is_refused() -> None:
    units = Asset(CHAIN, "T", 0)
    assert Amount.parse(str(UINT256_MAX)).base_units(units) == UINT256_MAX
    with pytest.raises(InvalidInput):
        Amount.parse(str(UINT256_MAX + 1)).base_units(units)
    with pytest.raises(InvalidInput):
        Amount.from_base_units(BaseUnits(-1), ETH)


@given(st.integers(1, 2**64 - 1))
def test_a_chain_is_read_as_it_is_written(number: int) -> None:
    assert ChainId.parse(str(ChainId(number))) == ChainId(number)


@pytest.mark.parametrize(
    "text",
    ["", "1", "eip155:", "eip155:0", "eip155:01", "eip155:-1", "eip155:0x1", "EIP155:1", "eip155:1 ", "eip155:\u0661",
     "eip155:18446744073709551616", "bip122:1", "solana:1", 1, None],
)  # fmt: skip
def test_anything_but_a_caip2_name_is_no_chain(text: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        ChainId.parse(text)
    assert caught.value.code == "invalid_input.chain"


@pytest.mark.parametrize("number", [0, -1, 2**64, True, 1.0, "1", None])
def test_a_chain_id_is_a_positive_64_bit_int(number: Any) -> None:
    with pytest.raises(InvalidInput):
        ChainId(number)


@pytest.mark.parametrize(("symbol", "decimals"), [("", 18), ("E\u0422H", 18), ("A" * 13, 18), ("ETH", -1), ("ETH", 78)])
def test_an_asset_has_a_plain_symbol_and_sane_decimals(symbol: str, decimals: int) -> None:
    with pytest.raises(InvalidInput):
        Asset(CHAIN, symbol, decimals)


@pytest.mark.parametrize("decimals", [True, 18.0, "18", None])
def test_decimals_are_an_int_and_nothing_that_looks_like_one(decimals: Any) -> None:
    with pytest.raises(InvalidInput):
        Asset(CHAIN, "ETH", decimals)


def test_ids_name_the_chain_too() -> None:
    assert ETH.id == "eip155:31337/slip44:60"
    assert Asset(CHAIN, "USDC", 6, PAYEE).id == f"eip155:31337/erc20:{PAYEE.value.lower()}"
    assert Account("main", CHAIN, PAYEE).id == f"eip155:31337:{PAYEE}"


@pytest.mark.parametrize("name", ["", "Main", "a b", "-a", "a" * 33, "a\n", "\u00e4"])
def test_an_account_name_is_a_plain_label(name: str) -> None:
    with pytest.raises(InvalidInput):
        Account(name, CHAIN, PAYEE)


@pytest.mark.parametrize("text", ["", "a b", "a\n", "\u00e4", "a" * 65, "a/b", Text("a"), 1, None])
def test_a_reference_is_short_and_plain(text: object) -> None:
    assert check_reference("2026-11_rent.A") == "2026-11_rent.A"
    with pytest.raises(InvalidInput):
        check_reference(text)


class Arguments(BaseModel):
    to: Address
    amount: Amount


def test_in_a_tools_arguments_they_are_strings_with_a_pattern() -> None:
    parsed = Arguments.model_validate({"to": PAYEE.value, "amount": "0.10"})
    assert (parsed.to, parsed.amount) == (PAYEE, Amount("0.1"))
    assert json.loads(parsed.model_dump_json()) == {"to": PAYEE.value, "amount": "0.1"}
    schema = Arguments.model_json_schema()["properties"]
    assert {schema["to"]["type"], schema["amount"]["type"]} == {"string"}
    assert schema["to"]["pattern"] == "^0x[0-9a-fA-F]{40}$"


@pytest.mark.parametrize("bad", [{"amount": 0.1}, {"amount": 1}, {"amount": "1e3"}, {"to": "0xDEADBEEF"}, {"to": None}])
def test_a_validation_error_speaks_from_the_catalogue(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        Arguments.model_validate({"to": PAYEE.value, "amount": "0.1"} | bad)
    (problem,) = caught.value.errors(include_input=False, include_url=False)
    assert problem["msg"].endswith(".")
    assert "DEADBEEF" not in problem["msg"]


@given(addresses)
def test_values_cannot_be_changed_in_place(address: Address) -> None:
    with pytest.raises(AttributeError):
        address.value = PAYEE.value  # type: ignore[misc]
