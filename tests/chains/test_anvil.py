"""A real node, foundry's anvil out of npm: what the adapter asks is what a node answers.

Runs in `make live` alone: it installs one package of a pinned version, and the node talks to nobody but the test.
Threat: T-042, T-043.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import pytest

from mcp_wallet_guard.chains.base import UnsignedCall
from mcp_wallet_guard.chains.simulation import runs
from mcp_wallet_guard.chains.web3 import Web3Chain
from mcp_wallet_guard.egress import Egress
from mcp_wallet_guard.operations import erc20
from mcp_wallet_guard.operations.erc20 import Call, Function
from mcp_wallet_guard.operations.values import Address, BaseUnits
from mcp_wallet_guard.pinned_url import PinnedUrl
from mcp_wallet_guard.testing.token import creation_code
from tests.chains.transfers import CHAIN, GWEI, LIMITS

pytestmark = [pytest.mark.live, pytest.mark.anyio]
PACKAGE: Final = "@foundry-rs/anvil@1.7.1"
SUPPLY: Final = 10**12
SENDER: Final = Address("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266")  # anvil has its key, and gave it ether
PAYEE: Final = Address.from_bytes(b"\x11" * 20)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("npm")
    installing = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), PACKAGE]
    subprocess.run(installing, cwd=folder, check=True, capture_output=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = str(folder / "node_modules" / ".bin" / "anvil")
    running = subprocess.Popen(
        [program, "--silent", "--port", str(port), "--chain-id", str(CHAIN.number)], stdout=subprocess.DEVNULL
    )
    try:
        address = f"http://127.0.0.1:{port}"
        _wait(address)
        yield address
    finally:
        running.terminate()
        running.wait(timeout=10)


@pytest.fixture
def token(url: str) -> Address:
    """A token of which the sender holds everything."""
    creating = {"from": SENDER.value, "data": "0x" + creation_code(decimals=6, supply=SUPPLY).hex(), "gas": "0x200000"}
    receipt = ask(url, "eth_getTransactionReceipt", ask(url, "eth_sendTransaction", creating))
    return Address.from_bytes(bytes.fromhex(receipt["contractAddress"][2:]))


@pytest.fixture
async def chain(url: str) -> AsyncIterator[Web3Chain]:
    egress = Egress(timeout_seconds=10, max_response_bytes=1_000_000)
    connected = Web3Chain(chain_id=CHAIN, node=PinnedUrl.parse(url), egress=egress, limits=LIMITS)
    yield connected
    await connected.aclose()


def ask(url: str, method: str, *params: Any) -> Any:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(url, body, {"content-type": "application/json"})  # our own node
    with urllib.request.urlopen(request, timeout=10) as answer:
        found = json.load(answer)
    assert "error" not in found, found
    return found["result"]


def _wait(url: str) -> None:
    for _ in range(200):
        try:
            ask(url, "eth_chainId")
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("anvil does not answer")


def call(to: Address, *, value: int = 0, data: bytes = b"") -> UnsignedCall:
    return UnsignedCall(
        sender=SENDER, to=to, value=value, data=data, gas=200_000, max_fee_per_gas=3 * GWEI,
        max_priority_fee_per_gas=GWEI,
    )  # fmt: skip


def moving(function: Function, amount: int) -> bytes:
    return erc20.encode(Call(function=function, party=PAYEE, amount=BaseUnits(amount)))


async def test_a_transfer_of_the_chains_currency_moves_it_in_both_runs(chain: Web3Chain) -> None:
    found = await runs(chain, call(PAYEE, value=5))
    assert found is not None
    assert [(outcome.method, outcome.status) for outcome in found] == [("eth_simulateV1", "ok")] * 2
    for outcome in found:
        moved = {(m.account, m.asset): m.amount for m in outcome.movements or ()}
        assert moved == {(SENDER, f"{CHAIN}/slip44:60"): -5, (PAYEE, f"{CHAIN}/slip44:60"): 5}


async def test_a_tokens_transfer_and_approval_are_seen(chain: Web3Chain, token: Address) -> None:
    sent = await chain.simulate(call(token, data=moving(Function.TRANSFER, 7)), again=False)
    allowed = await chain.simulate(call(token, data=moving(Function.APPROVE, 9)), again=False)
    assert sent is not None
    assert allowed is not None
    asset = f"{CHAIN}/erc20:{token.value.lower()}"
    moved = {(m.account, m.asset): m.amount for m in sent.movements or () if m.asset == asset}
    assert moved == {(SENDER, asset): -7, (PAYEE, asset): 7}
    assert [(a.owner, a.spender, a.asset, a.amount) for a in allowed.allowances or ()] == [(SENDER, PAYEE, asset, 9)]


async def test_what_fails_is_said_to_fail(chain: Web3Chain, token: Address) -> None:
    failing = await chain.simulate(call(token, data=moving(Function.TRANSFER, SUPPLY + 1)), again=False)
    assert failing is not None
    assert failing.status == "reverted"


async def test_facts_and_fees_of_a_payment_come_from_it(chain: Web3Chain, token: Address) -> None:
    facts = await chain.facts(account=SENDER, payee=PAYEE, token=None)
    assert int(facts.balance) > 10**18
    assert not facts.payee_has_code
    assert (await chain.facts(account=SENDER, payee=token, token=None)).payee_has_code
