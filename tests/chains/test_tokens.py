"""ERC-20 on a real chain: the test contract, and what the adapter believes of a token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcp_wallet_guard.errors import InvalidInput, Unavailable
from mcp_wallet_guard.operations import erc20
from mcp_wallet_guard.operations.erc20 import Call, Function
from mcp_wallet_guard.operations.values import Address, Asset, BaseUnits
from mcp_wallet_guard.testing.evm import FAUCET
from tests.chains.transfers import CHAIN, PAYEE, SENDER

if TYPE_CHECKING:
    from mcp_wallet_guard.chains.web3 import Web3Chain
    from mcp_wallet_guard.testing.chain import SimulatedChain

pytestmark = pytest.mark.anyio
UNITS = 5_000_000
FAUCETS = Address.from_bytes(FAUCET.public_key.to_canonical_address())


@pytest.fixture
async def usdc(node: SimulatedChain) -> Asset:
    return Asset(CHAIN, "USDC", 6, node.deploy_token(decimals=6, holder=SENDER, units=UNITS))


def contract(token: Asset) -> Address:
    assert token.address is not None
    return token.address


def call(function: Function, party: Address, amount: int) -> bytes:
    return erc20.encode(Call(function=function, party=party, amount=BaseUnits(amount)))


# --- the contract -------------------------------------------------------------------------------------------------


async def test_the_test_contract_moves_what_is_there_and_nothing_else(node: SimulatedChain) -> None:
    token = node.deploy_token(decimals=6, holder=FAUCETS, units=UNITS)
    node._evm.send(token.raw, call(Function.TRANSFER, PAYEE, 7))
    assert (node.token_balance(token, PAYEE), node.token_balance(token, FAUCETS)) == (7, UNITS - 7)
    node._evm.send(token.raw, call(Function.TRANSFER, FAUCETS, 5))
    assert node.token_balance(token, FAUCETS) == UNITS - 7, "also to oneself"
    node._evm.send(token.raw, call(Function.TRANSFER, PAYEE, UNITS))
    assert node.token_balance(token, PAYEE) == 7


async def test_what_was_approved_can_be_taken_without_asking_until_it_is_used_up(node: SimulatedChain) -> None:
    """The attack that T-028 is about, with nobody in its way."""
    token = node.deploy_token(decimals=6, holder=FAUCETS, units=UNITS)
    take = bytes.fromhex("23b872dd") + bytes(12) + FAUCETS.raw + bytes(12) + PAYEE.raw
    node._evm.send(token.raw, take + (1).to_bytes(32))
    assert node.token_balance(token, PAYEE) == 0, "without an approval nothing moves"
    node._evm.send(token.raw, call(Function.APPROVE, FAUCETS, 100))
    for _ in range(3):
        node._evm.send(token.raw, take + (40).to_bytes(32))
    assert node.token_balance(token, PAYEE) == 80


# --- what the adapter believes ------------------------------------------------------------------------------------


async def test_a_pinned_token_has_a_balance(chain: Web3Chain, usdc: Asset) -> None:
    facts = await chain.facts(account=SENDER, payee=PAYEE, token=usdc)
    assert facts.token_balance == UNITS
    assert not facts.payee_has_code
    assert await chain.token_balance(PAYEE, usdc) == 0
    assert (await chain.facts(account=SENDER, payee=PAYEE)).token_balance is None


async def test_a_node_that_contradicts_the_pinned_decimals_is_not_believed(chain: Web3Chain, usdc: Asset) -> None:
    """Threat: T-040. 18 decimals instead of 6 make a payment of 1 one of a billion."""
    with pytest.raises(Unavailable) as caught:
        await chain.facts(account=SENDER, payee=PAYEE, token=Asset(CHAIN, "USDC", 18, usdc.address))
    assert caught.value.code == "unavailable.node_lied"


async def test_where_no_contract_is_no_token_is(chain: Web3Chain) -> None:
    with pytest.raises(Unavailable) as caught:
        await chain.token_balance(SENDER, Asset(CHAIN, "USDC", 6, PAYEE))
    assert caught.value.code == "unavailable.node_lied"


@pytest.mark.parametrize("answer", ["0x", "0x01", "0x" + "00" * 33])
async def test_an_answer_that_is_no_number_confirms_no_decimals_and_is_no_balance(
    chain: Web3Chain, node: SimulatedChain, usdc: Asset, answer: str
) -> None:
    node.lie("eth_call", answer)
    with pytest.raises(Unavailable) as caught:
        await chain.token_balance(SENDER, usdc)
    assert caught.value.code == "unavailable.node"


async def test_a_token_without_decimals_of_its_own_has_the_pinned_ones(
    chain: Web3Chain, node: SimulatedChain, usdc: Asset
) -> None:
    node.lie("eth_call", lambda params, honest: "0x" if params[0]["data"] == "0x313ce567" else honest)
    assert await chain.token_balance(SENDER, usdc) == UNITS


async def test_a_node_that_cannot_say_a_balance_says_none(chain: Web3Chain, node: SimulatedChain, usdc: Asset) -> None:
    node.fail("eth_call", code=3, message="execution reverted")
    with pytest.raises(Unavailable) as caught:
        await chain.token_balance(SENDER, usdc)
    assert caught.value.code == "unavailable.node"


async def test_the_native_currency_is_no_token(chain: Web3Chain) -> None:
    with pytest.raises(InvalidInput):
        await chain.token_balance(SENDER, Asset(CHAIN, "ETH", 18))
