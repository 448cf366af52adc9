"""What a rollup takes for data: asked of the chain's own oracle, and never believed to be nothing because it is silent.

Threat: T-042.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

import pytest
from eth_abi.abi import encode as abi_encode

from mcp_wallet_guard.chains import data_fees
from mcp_wallet_guard.chains.web3 import Web3Chain
from mcp_wallet_guard.egress import Egress
from mcp_wallet_guard.errors import Unavailable
from mcp_wallet_guard.operations.evm import encode_unsigned
from mcp_wallet_guard.operations.values import ChainId
from mcp_wallet_guard.pinned_url import PinnedUrl
from mcp_wallet_guard.testing.chain import SimulatedChain
from mcp_wallet_guard.testing.evm import RpcError
from tests.chains.transfers import ETHER, LIMITS, SENDER, signed, transaction

pytestmark = pytest.mark.anyio
OPTIMISM: Final = ChainId(10)
MANTLE: Final = ChainId(5000)
SCROLL: Final = ChainId(534352)
PRICE: Final = 10**12
TX: Final = replace(transaction(), chain=OPTIMISM)
SIZE: Final = len(encode_unsigned(TX))


@asynccontextmanager
async def connected(chain_id: ChainId) -> AsyncIterator[tuple[SimulatedChain, Web3Chain]]:
    async with SimulatedChain.serve(chain_id=chain_id) as node:
        egress = Egress(timeout_seconds=2, max_response_bytes=1_000_000)
        chain = Web3Chain(chain_id=chain_id, node=PinnedUrl.parse(node.url), egress=egress, limits=LIMITS)
        try:
            yield node, chain
        finally:
            await chain.aclose()


def answers(**by_name: object) -> Any:
    """A node that answers `eth_call` by the function that is called."""
    selectors = {
        "0x" + getattr(data_fees, name.upper()).hex(): value if isinstance(value, str) else f"0x{value:064x}"
        for name, value in by_name.items()
    }
    return lambda params, _honest: selectors[params[0]["data"][:10]]


def test_the_selectors_are_those_of_the_published_contracts() -> None:
    """As in viem's `gasPriceOracleAbi`, and Optimism's Go bindings."""
    assert (data_fees.DATA_FEE.hex(), data_fees.OPERATOR_FEE.hex()) == ("49948e0e", "275aedd2")


def test_what_is_asked_is_the_abi_encoding_of_the_transaction_as_it_would_be_signed() -> None:
    oracle = data_fees.oracle_of(OPTIMISM)
    assert oracle is not None
    assert oracle.data_call(TX) == data_fees.DATA_FEE + abi_encode(["bytes"], [encode_unsigned(TX)])
    assert oracle.operator_call(TX) == data_fees.OPERATOR_FEE + abi_encode(["uint256"], [TX.gas])


async def test_the_fee_is_what_the_oracle_says_of_these_bytes_and_of_all_their_gas() -> None:
    async with connected(OPTIMISM) as (node, chain):
        assert await chain.data_fee(TX) == 0
        node.price_data(per_byte=PRICE)
        assert await chain.data_fee(TX) == SIZE * PRICE
        assert await chain.data_fee(replace(TX, data=bytes(1_000))) == (SIZE + 1_000 + 4) * PRICE
        node.price_data(per_byte=PRICE, per_gas=7)
        assert await chain.data_fee(TX) == SIZE * PRICE + 7 * TX.gas


async def test_a_chain_that_takes_nothing_for_data_is_not_asked(chain: Web3Chain, node: SimulatedChain) -> None:
    assert await chain.data_fee(transaction()) is None
    assert node.asked["eth_call"] == 0


async def test_an_oracle_of_before_operator_fees_has_none() -> None:
    async with connected(OPTIMISM) as (node, chain):
        node.lie("eth_call", answers(data_fee=5, operator_fee="0x"))
        with pytest.raises(Unavailable):
            await chain.data_fee(TX)

        def reverts(params: list[Any], _honest: object) -> str:
            if params[0]["data"].startswith("0x" + data_fees.OPERATOR_FEE.hex()):
                raise RpcError(3, "execution reverted")
            return f"0x{5:064x}"

        node.lie("eth_call", reverts)
        assert await chain.data_fee(TX) == 5


@pytest.mark.parametrize("name", ["data_fee", "operator_fee"])
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("0x", "unavailable.node"),
        ("0x05", "unavailable.node"),
        ("0x" + "00" * 33, "unavailable.node"),
        ("0x" + "ff" * 32, "unavailable.node_lied"),
        (f"0x{2**96:064x}", "unavailable.node_lied"),
        ("0x" + "00" * 100_000, "unavailable.node_lied"),
        ("free", "unavailable.node_lied"),
    ],
)
async def test_an_answer_that_is_no_fee_is_no_fee_of_nothing(name: str, answer: str, code: str) -> None:
    async with connected(OPTIMISM) as (node, chain):
        node.lie("eth_call", answers(**({"data_fee": 5, "operator_fee": 6} | {name: answer})))
        with pytest.raises(Unavailable) as caught:
            await chain.data_fee(TX)
        assert caught.value.code == code
        node.lie("eth_call", answers(data_fee=5, operator_fee=6))
        assert await chain.data_fee(TX) == 11, "the honest twin"


@pytest.mark.parametrize(("code", "message"), [(3, "execution reverted"), (-32005, "limit exceeded")])
async def test_an_oracle_that_fails_is_unavailable(code: int, message: str) -> None:
    async with connected(OPTIMISM) as (node, chain):
        node.fail("eth_call", code=code, message=message)
        with pytest.raises(Unavailable):
            await chain.data_fee(TX)


async def test_a_node_that_refuses_only_the_operators_fee_is_unavailable() -> None:
    async with connected(OPTIMISM) as (node, chain):

        def limited(params: list[Any], _honest: object) -> str:
            if params[0]["data"].startswith("0x" + data_fees.OPERATOR_FEE.hex()):
                raise RpcError(-32005, "limit exceeded")
            return f"0x{5:064x}"

        node.lie("eth_call", limited)
        with pytest.raises(Unavailable):
            await chain.data_fee(TX)


async def test_mantles_fee_is_in_its_own_currency() -> None:
    async with connected(MANTLE) as (node, chain):
        node.lie("eth_call", answers(data_fee=5, operator_fee=6, token_ratio=3_000))
        assert await chain.data_fee(replace(TX, chain=MANTLE)) == 15_006
        node.lie("eth_call", answers(data_fee=2**60, operator_fee=6, token_ratio=2**60))
        with pytest.raises(Unavailable) as caught:
            await chain.data_fee(replace(TX, chain=MANTLE))
        assert caught.value.code == "unavailable.node_lied"


async def test_scrolls_oracle_is_another_and_gets_the_size_of_the_signature_too() -> None:
    async with connected(SCROLL) as (node, chain):
        tx, seen = replace(TX, chain=SCROLL), list[dict[str, str]]()

        def listen(params: list[Any], _honest: object) -> str:
            seen.append(params[0])
            return f"0x{9:064x}"

        node.lie("eth_call", listen)
        assert await chain.data_fee(tx) == 9
        assert [call["to"] for call in seen] == ["0x5300000000000000000000000000000000000002"]
        size = int(seen[0]["data"][10 + 64 : 10 + 128], 16)
        assert size == len(encode_unsigned(tx)) + 68


async def test_a_receipt_says_what_the_data_cost_where_it_costs_something() -> None:
    async with connected(OPTIMISM) as (node, chain):
        node.fund(SENDER, ETHER)
        ticket = signed(TX)
        await chain.broadcast(ticket)
        plain = await chain.settlement(ticket.transaction_hash)
        assert plain is not None
        node.lie("eth_getTransactionReceipt", lambda _, honest: honest | {"l1Fee": "0x5"})
        told = await chain.settlement(ticket.transaction_hash)
        assert told is not None
        assert told.fee == plain.fee + 5
        for lie in ("5", 5, hex(2**96), "-0x5"):
            node.lie("eth_getTransactionReceipt", lambda _, honest, lie=lie: honest | {"l1Fee": lie})
            with pytest.raises(Unavailable):
                await chain.settlement(ticket.transaction_hash)


async def test_a_receipt_of_another_chain_adds_nothing(chain: Web3Chain, node: SimulatedChain) -> None:
    ticket = signed(transaction())
    await chain.broadcast(ticket)
    plain = await chain.settlement(ticket.transaction_hash)
    node.lie("eth_getTransactionReceipt", lambda _, honest: honest | {"l1Fee": "0x5"})
    assert await chain.settlement(ticket.transaction_hash) == plain
