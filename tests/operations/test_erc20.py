"""ERC-20 calldata has one form, and everything else is not read."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode as abi_encode
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.operations import erc20
from mcp_wallet_guard.operations.erc20 import Call, Function
from mcp_wallet_guard.operations.values import UINT256_MAX, Address, BaseUnits, keccak256

PARTY = Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
SIGNATURES = {Function.TRANSFER: b"transfer(address,uint256)", Function.APPROVE: b"approve(address,uint256)"}
calls = st.builds(
    Call,
    function=st.sampled_from(Function),
    party=st.binary(min_size=20, max_size=20).map(Address.from_bytes),
    amount=st.integers(0, UINT256_MAX).map(BaseUnits),
)
ONE = erc20.encode(Call(function=Function.TRANSFER, party=PARTY, amount=BaseUnits(5)))


@given(calls)
def test_a_call_is_what_another_encoder_makes_of_it_and_comes_back(call: Call) -> None:
    words = abi_encode(["address", "uint256"], [call.party.value, int(call.amount)])
    data = keccak256(SIGNATURES[call.function])[:4] + words
    assert erc20.encode(call) == data
    assert erc20.decode(data) == call


@given(call=calls, at=st.integers(0, 67), xor=st.integers(1, 255))
def test_an_edited_byte_is_another_call_or_none(call: Call, at: int, xor: int) -> None:
    edited = bytearray(erc20.encode(call))
    edited[at] ^= xor
    read = erc20.decode(bytes(edited))
    assert read != call
    assert read is None or erc20.encode(read) == bytes(edited)


@pytest.mark.parametrize(
    "data",
    [
        b"", ONE[:4], ONE[:-1], ONE + b"\0", ONE + bytes(32), b"\xa9\x05\x9c" + ONE[4:], bytes(4) + ONE[4:],
        ONE[:4] + b"\x01" + ONE[5:], ONE[:15] + b"\x01" + ONE[16:],
        keccak256(b"transferFrom(address,address,uint256)")[:4] + ONE[4:],
        keccak256(b"increaseAllowance(address,uint256)")[:4] + ONE[4:],
    ],
)  # fmt: skip
def test_everything_else_is_not_read(data: bytes) -> None:
    """Threat: T-028. Dirty padding, a tail, a neighbour's selector."""
    assert erc20.decode(data) is None


@pytest.mark.parametrize("amount", [2**255, UINT256_MAX, UINT256_MAX - 1, 2**96 - 1, 2**160 - 1])
def test_what_no_supply_reaches_has_no_limit(amount: int) -> None:
    """Threat: T-028."""
    assert erc20.is_unlimited(amount)


@pytest.mark.parametrize("amount", [0, 1, 2**96, 2**96 - 2, 2**160, 2**255 - 1, 10**30])
def test_what_is_a_limit_is_one(amount: int) -> None:
    assert not erc20.is_unlimited(amount)


def test_the_questions_are_those_of_the_standard() -> None:
    assert keccak256(b"decimals()")[:4] == erc20.DECIMALS
    assert erc20.balance_of(PARTY) == keccak256(b"balanceOf(address)")[:4] + abi_encode(["address"], [PARTY.value])
