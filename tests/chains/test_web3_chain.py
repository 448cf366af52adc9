"""The guard's view of one chain, against a real EVM."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mcp_wallet_guard.chains.web3 import Web3Chain
from mcp_wallet_guard.egress import Egress
from mcp_wallet_guard.errors import InvalidInput, PolicyDenied, Unavailable
from mcp_wallet_guard.operations import evm
from mcp_wallet_guard.operations.values import Address, ChainId
from mcp_wallet_guard.pinned_url import PinnedUrl
from mcp_wallet_guard.testing.evm import FAUCET, contract_address
from tests.chains.transfers import CHAIN, ETHER, GWEI, LIMITS, PAYEE, SENDER, effect, signed, transaction

if TYPE_CHECKING:
    from mcp_wallet_guard.chains.base import Chain
    from mcp_wallet_guard.testing.chain import SimulatedChain

# Deploys a contract whose code is one byte: STOP. It takes coins and any calldata.
STOP_CONTRACT = bytes.fromhex("6001600c60003960016000f300")
# Deploys a contract that reverts every call: PUSH1 0 PUSH1 0 REVERT.
REVERT_CONTRACT = bytes.fromhex("6005600c60003960056000f360006000fd")


def deploy(node: SimulatedChain, code: bytes) -> Address:
    """Put a contract on the chain, from the faucet."""
    faucet = Address.from_bytes(FAUCET.public_key.to_canonical_address())
    nonce = node.nonce(faucet)
    node._evm._backend.send_transaction(
        {
            "from": faucet.raw, "to": b"", "value": 0, "gas": 200_000, "data": code,
            "max_fee_per_gas": 100 * GWEI, "max_priority_fee_per_gas": 1,
        }
    )  # fmt: skip
    node.mine()
    return Address.from_bytes(contract_address(faucet.raw, nonce))


async def test_it_implements_the_protocol(chain: Web3Chain) -> None:
    implemented: Chain = chain
    assert implemented.chain_id == CHAIN


async def test_a_payment_arrives_with_the_fee_that_the_receipt_names(chain: Web3Chain, node: SimulatedChain) -> None:
    facts = await chain.facts(account=SENDER, payee=PAYEE)
    assert (facts.nonce, facts.pending_nonce, facts.balance, facts.payee_has_code) == (0, 0, ETHER, False)
    tx = await chain.prepare(effect(), nonce=facts.nonce, facts=facts)
    chain.check_fees(tx)
    assert tx.gas == 21_000
    assert tx.max_priority_fee_per_gas == GWEI
    assert tx.max_fee_per_gas == 2 * facts.base_fee + GWEI
    ticket = signed(tx)
    assert await chain.settlement(ticket.transaction_hash) is None
    await chain.broadcast(ticket)
    settled = await chain.settlement(ticket.transaction_hash)
    assert settled is not None
    assert (settled.outcome, settled.block_number) == ("mined", 1)
    assert await chain.balance(PAYEE) == node.balance(PAYEE) == ETHER // 10
    assert await chain.balance(SENDER) == ETHER - ETHER // 10 - settled.fee
    assert await chain.transaction_count(SENDER) == node.nonce(SENDER) == 1


async def test_the_nonce_is_the_callers_whatever_the_node_counts(chain: Web3Chain, node: SimulatedChain) -> None:
    """Threat: T-039."""
    node.lie("eth_getTransactionCount", "0x5")
    facts = await chain.facts(account=SENDER, payee=PAYEE)
    tx = await chain.prepare(effect(), nonce=9, facts=facts)
    assert (facts.nonce, tx.nonce) == (5, 9)


async def test_waiting_transactions_are_counted_apart_from_mined_ones(chain: Web3Chain, node: SimulatedChain) -> None:
    node.auto_mine = False
    await chain.broadcast(signed(transaction()))
    facts = await chain.facts(account=SENDER, payee=PAYEE)
    assert (facts.nonce, facts.pending_nonce) == (0, 1)
    node.mine()
    facts = await chain.facts(account=SENDER, payee=PAYEE)
    assert (facts.nonce, facts.pending_nonce) == (1, 1)


async def test_a_call_is_estimated_with_a_margin_below_the_ceiling(chain: Web3Chain, node: SimulatedChain) -> None:
    contract = deploy(node, STOP_CONTRACT)
    facts = await chain.facts(account=SENDER, payee=contract)
    assert facts.payee_has_code
    tx = await chain.prepare(effect(to=contract, data=b"\x01" * 64), nonce=0, facts=facts)
    assert 21_000 < tx.gas < 40_000
    ticket = signed(tx)
    await chain.broadcast(ticket)
    settled = await chain.settlement(ticket.transaction_hash)
    assert settled is not None
    assert settled.outcome == "mined"


async def test_a_call_that_needs_more_gas_than_the_ceiling_is_refused(chain: Web3Chain, node: SimulatedChain) -> None:
    contract = deploy(node, STOP_CONTRACT)
    facts = await chain.facts(account=SENDER, payee=contract)
    node.lie("eth_estimateGas", hex(LIMITS.max_gas + 1))
    with pytest.raises(PolicyDenied) as caught:
        await chain.prepare(effect(to=contract), nonce=0, facts=facts)
    assert caught.value.code == "policy.cap"
    node.lie("eth_estimateGas", hex(LIMITS.max_gas))
    assert (await chain.prepare(effect(to=contract), nonce=0, facts=facts)).gas == LIMITS.max_gas


async def test_a_call_that_reverts_cannot_be_prepared_and_settles_as_failed(
    chain: Web3Chain, node: SimulatedChain
) -> None:
    contract = deploy(node, REVERT_CONTRACT)
    facts = await chain.facts(account=SENDER, payee=contract)
    with pytest.raises(Unavailable) as caught:
        await chain.prepare(effect(to=contract), nonce=0, facts=facts)
    assert caught.value.detail == "the node answered with error 3"
    ticket = signed(replace(transaction(gas=60_000), to=contract))
    await chain.broadcast(ticket)
    settled = await chain.settlement(ticket.transaction_hash)
    assert settled is not None
    assert settled.outcome == "failed"
    assert node.balance(contract) == 0


@pytest.mark.parametrize(("base_fee", "cap"), [(GWEI, 3 * GWEI), (49 * GWEI, 99 * GWEI), (99 * GWEI, 100 * GWEI)])
async def test_fees_stay_under_the_ceiling(chain: Web3Chain, node: SimulatedChain, base_fee: int, cap: int) -> None:
    facts = await chain.facts(account=SENDER, payee=PAYEE)
    tx = await chain.prepare(effect(), nonce=0, facts=replace(facts, base_fee=base_fee))
    assert tx.max_fee_per_gas == cap
    chain.check_fees(tx)


async def test_a_base_fee_above_the_ceiling_means_later(chain: Web3Chain, node: SimulatedChain) -> None:
    node.lie("eth_getBlockByNumber", {"baseFeePerGas": hex(LIMITS.max_fee_per_gas + 1)})
    facts = await chain.facts(account=SENDER, payee=PAYEE)
    with pytest.raises(Unavailable) as caught:
        await chain.prepare(effect(), nonce=0, facts=facts)
    assert caught.value.code == "unavailable"
    node.lie("eth_getBlockByNumber", {"baseFeePerGas": hex(LIMITS.max_fee_per_gas)})
    facts = await chain.facts(account=SENDER, payee=PAYEE)
    assert (await chain.prepare(effect(), nonce=0, facts=facts)).max_fee_per_gas == LIMITS.max_fee_per_gas


async def test_a_greedy_tip_is_cut_to_the_ceiling(chain: Web3Chain, node: SimulatedChain) -> None:
    facts = await chain.facts(account=SENDER, payee=PAYEE)
    node.lie("eth_maxPriorityFeePerGas", hex(500 * GWEI))
    tx = await chain.prepare(effect(), nonce=0, facts=facts)
    assert tx.max_priority_fee_per_gas == LIMITS.max_priority_fee_per_gas


async def test_a_node_without_tips_gets_the_usual_one(chain: Web3Chain, node: SimulatedChain) -> None:
    facts = await chain.facts(account=SENDER, payee=PAYEE)
    node.fail("eth_maxPriorityFeePerGas", code=-32601, message="no such method")
    assert (await chain.prepare(effect(), nonce=0, facts=facts)).max_priority_fee_per_gas == GWEI


@pytest.mark.parametrize(
    "change",
    [
        {"max_fee_per_gas": LIMITS.max_fee_per_gas + 1},
        {"max_priority_fee_per_gas": LIMITS.max_priority_fee_per_gas + 1},
        {"gas": LIMITS.max_gas + 1},
    ],
    ids=["fee", "tip", "gas"],
)
async def test_bytes_of_others_obey_the_ceilings_too(chain: Web3Chain, change: dict[str, Any]) -> None:
    most = evm.Eip1559(
        chain=CHAIN, nonce=0, max_priority_fee_per_gas=LIMITS.max_priority_fee_per_gas, gas=LIMITS.max_gas,
        max_fee_per_gas=LIMITS.max_fee_per_gas, to=PAYEE, value=1,
    )  # fmt: skip
    chain.check_fees(most)
    with pytest.raises(PolicyDenied) as caught:
        chain.check_fees(replace(most, **change))
    assert caught.value.code == "policy.cap"


async def test_an_effect_for_another_chain_is_neither_prepared_nor_sent(chain: Web3Chain, node: SimulatedChain) -> None:
    facts = await chain.facts(account=SENDER, payee=PAYEE)
    with pytest.raises(InvalidInput):
        await chain.prepare(effect(chain=ChainId(1)), nonce=0, facts=facts)
    with pytest.raises(InvalidInput):
        await chain.broadcast(signed(replace(transaction(), chain=ChainId(1))))
    with pytest.raises(TypeError):
        await chain.broadcast(transaction())  # type: ignore[arg-type]
    assert node.asked["eth_sendRawTransaction"] == 0


async def test_the_same_bytes_sent_again_pay_once(chain: Web3Chain, node: SimulatedChain) -> None:
    node.auto_mine = False
    ticket = signed(transaction())
    await chain.broadcast(ticket)
    await chain.broadcast(ticket)  # "already known"
    node.mine()
    await chain.broadcast(ticket)  # "nonce too low", and the node knows our hash
    assert node.sent["0x" + ticket.transaction_hash.hex()] == 3
    assert node.balance(PAYEE) == ETHER // 10
    assert node.nonce(SENDER) == 1


async def test_a_nonce_that_another_transaction_took_is_no_success(chain: Web3Chain, node: SimulatedChain) -> None:
    await chain.broadcast(signed(transaction(value=1)))
    with pytest.raises(Unavailable) as caught:
        await chain.broadcast(signed(transaction(value=2)))
    assert caught.value.code == "unavailable.node"
    assert node.balance(PAYEE) == 1


async def test_a_lost_answer_is_an_error_and_repeating_it_succeeds(chain: Web3Chain, node: SimulatedChain) -> None:
    node.lose_broadcasts()
    ticket = signed(transaction())
    with pytest.raises(Unavailable):
        await chain.broadcast(ticket)
    assert node.nonce(SENDER) == 1  # it was taken all the same
    await chain.broadcast(ticket)
    assert node.balance(PAYEE) == ETHER // 10


async def test_a_node_that_is_gone_is_unavailable() -> None:
    egress = Egress(timeout_seconds=2, max_response_bytes=1000)
    chain = Web3Chain(chain_id=CHAIN, node=PinnedUrl.parse("http://127.0.0.1:1/"), egress=egress, limits=LIMITS)
    for question in (chain.balance(SENDER), chain.transaction_count(SENDER), chain.settlement(bytes(32))):
        with pytest.raises(Unavailable) as caught:
            await question
        assert caught.value.code == "unavailable.node"
    await chain.aclose()
    await chain.aclose()


async def test_the_gas_limit_of_the_block_is_a_fact_where_the_node_says_it(
    chain: Web3Chain, node: SimulatedChain
) -> None:
    honest = (await chain.facts(account=SENDER, payee=PAYEE)).block_gas_limit
    assert honest is None or honest >= 21_000
    node.lie("eth_getBlockByNumber", lambda _, block: block | {"gasLimit": "0x1c9c380"})
    assert (await chain.facts(account=SENDER, payee=PAYEE)).block_gas_limit == 30_000_000
    node.lie("eth_getBlockByNumber", lambda _, block: {"baseFeePerGas": block["baseFeePerGas"]})
    assert (await chain.facts(account=SENDER, payee=PAYEE)).block_gas_limit is None


@pytest.mark.parametrize("lie", [hex(2**53), hex(2**60), hex(2**64 - 2)])
async def test_a_number_that_could_not_be_frozen_exactly_is_a_lie(
    chain: Web3Chain, node: SimulatedChain, lie: str
) -> None:
    """Threat: T-042."""
    node.lie("eth_getTransactionCount", lie)
    with pytest.raises(Unavailable) as caught:
        await chain.facts(account=SENDER, payee=PAYEE)
    assert caught.value.code == "unavailable.node_lied"
    node.lie("eth_getTransactionCount", hex(2**53 - 1))
    assert (await chain.facts(account=SENDER, payee=PAYEE)).nonce == 2**53 - 1
