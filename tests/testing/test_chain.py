"""The simulated chain behaves as a node does, so that what is tested against it holds against one."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from eth_account import Account as EthAccount
from eth_keys.datatypes import PrivateKey

from mcp_wallet_guard.operations import evm
from mcp_wallet_guard.operations.values import Address, ChainId
from mcp_wallet_guard.testing.chain import SimulatedChain
from mcp_wallet_guard.testing.clock import ScriptedClock
from tests.chains.transfers import CHAIN, ETHER, GWEI, PAYEE, SENDER, signed, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

OTHER_KEY = PrivateKey(b"\x43" * 32)
OTHER = Address(EthAccount.from_key(OTHER_KEY).address)


class RpcFailure(Exception):
    pass


def ask(chain: SimulatedChain, method: str, *params: Any) -> Any:
    """One request, by a client that knows nothing of this library."""
    body = json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}).encode()
    request = urllib.request.Request(chain.url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as response:
        answer = json.load(response)
    assert answer["id"] == 7
    if "error" in answer:
        raise RpcFailure(answer["error"]["code"], answer["error"]["message"])
    return answer["result"]


def send(chain: SimulatedChain, tx: evm.Eip1559, *, key: PrivateKey | None = None) -> str:
    ticket = signed(tx) if key is None else signed(tx, key=key)
    result = ask(chain, "eth_sendRawTransaction", "0x" + ticket.signed_bytes.hex())
    assert result == "0x" + ticket.transaction_hash.hex()
    return str(result)


@pytest.fixture
def clock() -> ScriptedClock:
    return ScriptedClock(1_800_000_000)


@pytest.fixture
def chain(clock: ScriptedClock) -> Iterator[SimulatedChain]:
    with SimulatedChain.in_thread(clock=clock, funded=[(SENDER, ETHER), (OTHER, ETHER)]) as served:
        yield served


def test_a_payment_moves_coins_and_takes_its_fee(chain: SimulatedChain) -> None:
    digest = send(chain, transaction())
    receipt = ask(chain, "eth_getTransactionReceipt", digest)
    fee = int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
    assert (receipt["status"], receipt["transactionHash"], receipt["logs"]) == ("0x1", digest, [])
    assert chain.balance(PAYEE) == ETHER // 10
    assert chain.balance(SENDER) == ETHER - ETHER // 10 - fee
    assert (chain.nonce(SENDER), chain.height()) == (1, 1)
    assert chain.sent == {digest: 1}


def test_every_method_speaks_the_language_of_nodes(chain: SimulatedChain) -> None:
    digest = send(chain, transaction())
    block = ask(chain, "eth_getBlockByNumber", "latest", True)
    assert ask(chain, "eth_chainId") == "0x7a69"
    assert ask(chain, "net_version") == "31337"
    assert ask(chain, "eth_blockNumber") == block["number"] == "0x1"
    assert ask(chain, "eth_getBalance", PAYEE.value, "latest") == hex(ETHER // 10)
    assert ask(chain, "eth_getBalance", PAYEE.value, "0x0") == "0x0"
    assert ask(chain, "eth_getTransactionCount", SENDER.value, "pending") == "0x1"
    assert ask(chain, "eth_getCode", PAYEE.value, "latest") == "0x"
    assert ask(chain, "eth_maxPriorityFeePerGas") == hex(GWEI)
    assert ask(chain, "eth_gasPrice") == hex(chain.base_fee() + GWEI)
    assert ask(chain, "eth_call", {"to": PAYEE.value, "data": "0x"}, "latest") == "0x"
    assert ask(chain, "eth_estimateGas", {"from": SENDER.value, "to": PAYEE.value, "value": "0x1"}) == "0x5208"
    history = ask(chain, "eth_feeHistory", "0x2", "latest", [])
    assert history["baseFeePerGas"][1:] == [block["baseFeePerGas"], hex(chain.base_fee())]
    assert [item["hash"] for item in block["transactions"]] == [digest]
    found = ask(chain, "eth_getTransactionByHash", digest)
    assert (found["from"], found["nonce"], found["input"]) == (SENDER.value.lower(), "0x0", "0x")
    assert ask(chain, "eth_getBlockByNumber", "0x5", False) is None
    assert ask(chain, "eth_getTransactionByHash", "0x" + "11" * 32) is None
    assert ask(chain, "eth_getTransactionReceipt", "0x" + "11" * 32) is None
    assert len(block["logsBloom"]) == 514


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("eth_sign", [], -32601),
        ("eth_sendTransaction", [{}], -32000),
        ("evm_mine", [], -32601),
        ("eth_getBalance", [], -32602),
        ("eth_getBalance", ["0x12"], -32602),
        ("eth_getBalance", [PAYEE.value, "soon"], -32602),
        ("eth_sendRawTransaction", ["0x02c0"], -32000),
        ("eth_sendRawTransaction", ["zz"], -32602),
    ],
)
def test_what_it_does_not_know_or_understand_is_an_error(
    chain: SimulatedChain, method: str, params: list[Any], code: int
) -> None:
    with pytest.raises(RpcFailure) as caught:
        ask(chain, method, *params)
    assert caught.value.args[0] == code


@pytest.mark.parametrize(
    ("tx", "message"),
    [
        (replace(transaction(), chain=ChainId(1)), "invalid chain id"),
        (transaction(value=ETHER), "insufficient funds"),
        (transaction(gas=20_999), "intrinsic gas too low"),
    ],
    ids=["chain", "funds", "gas"],
)
def test_a_transaction_that_cannot_be_is_refused(chain: SimulatedChain, tx: evm.Eip1559, message: str) -> None:
    with pytest.raises(RpcFailure, match=message):
        send(chain, tx)
    assert chain.nonce(SENDER) == 0


def test_a_used_nonce_is_too_low_and_known_bytes_are_known(chain: SimulatedChain) -> None:
    chain.auto_mine = False
    digest = send(chain, transaction())
    with pytest.raises(RpcFailure, match="already known"):
        send(chain, transaction())
    chain.mine()
    for value in (ETHER // 10, 1):
        with pytest.raises(RpcFailure, match="nonce too low"):
            send(chain, transaction(value=value))
    assert chain.sent[digest] == 3
    assert chain.balance(PAYEE) == ETHER // 10


def test_the_pool_waits_for_the_missing_nonce_and_mines_in_order(chain: SimulatedChain) -> None:
    later = send(chain, transaction(nonce=1, value=2))
    assert (chain.nonce(SENDER), chain.nonce(SENDER, pending=True)) == (0, 0)
    assert ask(chain, "eth_getTransactionByHash", later)["blockNumber"] is None
    assert ask(chain, "eth_getTransactionReceipt", later) is None
    send(chain, transaction(nonce=0, value=1))
    assert chain.nonce(SENDER) == 2
    assert chain.balance(PAYEE) == 3
    assert ask(chain, "eth_getTransactionByHash", later)["transactionIndex"] == "0x1"


def test_a_waiting_transaction_is_replaced_only_by_one_that_pays_a_tenth_more(chain: SimulatedChain) -> None:
    chain.auto_mine = False
    first = send(chain, transaction(value=1, max_fee=30 * GWEI))
    with pytest.raises(RpcFailure, match="underpriced"):
        send(chain, transaction(value=2, max_fee=32 * GWEI))
    second = send(chain, transaction(value=3, max_fee=33 * GWEI))
    chain.mine()
    assert ask(chain, "eth_getTransactionByHash", first) is None
    assert ask(chain, "eth_getTransactionReceipt", second)["status"] == "0x1"
    assert chain.balance(PAYEE) == 3


def test_block_times_are_the_clocks_and_always_later(chain: SimulatedChain, clock: ScriptedClock) -> None:
    times = []
    for seconds in (60, 0, -500, 1000):
        clock.advance(seconds)
        chain.mine()
        times.append(int(ask(chain, "eth_getBlockByNumber", "latest", False)["timestamp"], 16))
    start = 1_800_000_000
    assert times == [start + 60, start + 61, start + 62, start + 560]


def test_money_can_be_given_to_anybody(chain: SimulatedChain) -> None:
    chain.fund(PAYEE, 5 * ETHER)
    chain.fund(PAYEE, 1)
    assert chain.balance(PAYEE) == 5 * ETHER + 1


def test_its_unlocked_account_pays_anybody_and_no_other_account_does(chain: SimulatedChain) -> None:
    (payer,) = ask(chain, "eth_accounts")
    nobody = Address.from_bytes(b"\x21" * 20)
    paid = ask(chain, "eth_sendTransaction", {"from": payer, "to": nobody.value, "value": hex(7 * GWEI)})

    assert ask(chain, "eth_getTransactionReceipt", paid)["status"] == "0x1"
    assert chain.balance(nobody) == 7 * GWEI
    for stranger in ({"from": SENDER.value, "to": nobody.value}, {"from": payer}, {"to": nobody.value}):
        with pytest.raises(RpcFailure, match="unknown account"):
            ask(chain, "eth_sendTransaction", {**stranger, "value": "0x1"})
    assert chain.balance(nobody) == 7 * GWEI


def test_it_listens_on_the_port_that_it_is_told_and_says_when_that_is_taken(clock: ScriptedClock) -> None:
    with SimulatedChain.in_thread(clock=clock) as first:
        port = int(first.url.rstrip("/").rpartition(":")[2])
        with pytest.raises(OSError, match="in use"), SimulatedChain.in_thread(clock=clock, port=port):
            pass
    with SimulatedChain.in_thread(clock=clock, port=port) as second:
        assert ask(second, "eth_chainId") == hex(31337)


def test_a_lost_broadcast_is_on_the_chain_all_the_same(chain: SimulatedChain) -> None:
    chain.lose_broadcasts(1)
    with pytest.raises(urllib.error.HTTPError) as caught:
        send(chain, transaction())
    caught.value.close()
    assert (chain.nonce(SENDER), chain.balance(PAYEE)) == (1, ETHER // 10)
    send(chain, transaction(nonce=1))


def test_lies_and_failures_last_until_it_is_honest_again(chain: SimulatedChain) -> None:
    chain.lie("eth_chainId", "0x1")
    chain.lie("eth_getBalance", lambda params, result: [params, result])
    chain.lie("eth_getCode", None)
    chain.fail("eth_blockNumber", code=-5, message="tired")
    chain.reply("eth_gasPrice", b'{"id": 7, "result": "raw"}')
    assert ask(chain, "eth_chainId") == "0x1"
    assert ask(chain, "eth_getBalance", PAYEE.value) == [[PAYEE.value], "0x0"]
    assert ask(chain, "eth_getCode", PAYEE.value) is None
    assert ask(chain, "eth_gasPrice") == "raw"
    with pytest.raises(RpcFailure, match="tired"):
        ask(chain, "eth_blockNumber")
    chain.honest()
    assert ask(chain, "eth_chainId") == "0x7a69"
    assert ask(chain, "eth_blockNumber") == "0x0"


def test_a_failing_broadcast_executes_nothing(chain: SimulatedChain) -> None:
    chain.fail("eth_sendRawTransaction")
    with pytest.raises(RpcFailure):
        send(chain, transaction())
    assert chain.nonce(SENDER, pending=True) == 0


def test_while_it_is_paused_requests_hang_and_then_are_answered(chain: SimulatedChain) -> None:
    chain.pause()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask, chain, "eth_chainId")
        time.sleep(0.1)
        assert not waiting.done()
        chain.resume()
        assert waiting.result(timeout=5) == "0x7a69"


def test_a_delay_is_waited_for(chain: SimulatedChain) -> None:
    chain.delay(0.2)
    begin = time.monotonic()
    ask(chain, "eth_chainId")
    assert time.monotonic() - begin >= 0.2


def test_racing_clients_are_served_one_at_a_time(chain: SimulatedChain) -> None:
    with ThreadPoolExecutor(8) as pool:
        ours = [pool.submit(send, chain, transaction(nonce=nonce, value=1)) for nonce in range(8)]
        same = [pool.submit(send, chain, transaction(value=1), key=OTHER_KEY) for _ in range(8)]
        for job in ours:
            job.result(timeout=20)
        outcomes = [job.exception(timeout=20) for job in same]
    assert outcomes.count(None) == 1
    assert chain.nonce(SENDER) == 8
    assert chain.nonce(OTHER) == 1
    assert chain.balance(PAYEE) == 9


async def test_it_answers_while_the_callers_loop_is_busy() -> None:
    async with SimulatedChain.serve(funded=[(SENDER, ETHER)], chain_id=ChainId(5)) as chain:
        assert ask(chain, "eth_chainId") == "0x5"  # a blocking call on this very loop
        assert chain.balance(SENDER) == ETHER
        assert chain.chain_id != CHAIN


async def test_an_error_in_the_callers_block_comes_out_as_it_is() -> None:
    with pytest.raises(KeyError):
        async with SimulatedChain.serve():
            raise KeyError


async def test_it_ends_with_its_block_even_with_a_request_under_way() -> None:
    before = set(threading.enumerate())  # another test's chain may run in this process
    async with SimulatedChain.serve() as chain:
        chain.pause()
        stream = await anyio.connect_tcp("127.0.0.1", int(chain.url.rsplit(":", 1)[1].strip("/")))
        body = b'{"jsonrpc": "2.0", "id": 1, "method": "eth_chainId"}'
        await stream.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await anyio.sleep(0.05)
    await stream.aclose()
    left = set(threading.enumerate()) - before
    assert not [thread for thread in left if thread.name == "simulated-chain"]
    assert len(left) <= 1  # a worker thread of anyio may idle
    with pytest.raises(OSError, match=r".*"):
        ask(chain, "eth_chainId")


def test_one_starts_after_another() -> None:
    for _ in range(3):
        with SimulatedChain.in_thread(funded=[(SENDER, ETHER)]) as chain:
            assert ask(chain, "eth_blockNumber") == "0x0"
