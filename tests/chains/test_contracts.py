"""What a node says of contracts, on a real chain: proxies, factories, and answers that are none.

Threat: T-021, T-042.
"""

from __future__ import annotations

from typing import Any, Final

import pytest

from mcp_wallet_guard.chains.contracts import BEACON, IMPLEMENTATION, claim_of, topic_of
from mcp_wallet_guard.chains.web3 import Web3Chain
from mcp_wallet_guard.clearsign.descriptors.contexts import Creation
from mcp_wallet_guard.clearsign.risks.known import AccountClaim, Maker
from mcp_wallet_guard.errors import Unavailable
from mcp_wallet_guard.operations.values import Address, keccak256
from mcp_wallet_guard.testing.chain import SimulatedChain
from tests.chains.transfers import PAYEE

pytestmark = pytest.mark.anyio
EVENT: Final = "Created(address indexed pool,uint256 fee)"
TOPIC: Final = keccak256(b"Created(address,uint256)")
OTHER: Final = Address.from_bytes(b"\x44" * 20)


def stored(slot: str, value: Address) -> bytes:
    """Creation code of a contract without functions that keeps `value` in a slot."""
    kept = b"\x73" + value.raw + b"\x7f" + bytes.fromhex(slot[2:]) + b"\x55"
    return kept + bytes.fromhex("600160") + bytes([len(kept) + 12]) + bytes.fromhex("60003960016000f300")


def deployed(node: SimulatedChain, runtime: bytes) -> Address:
    head = bytes([0x60, len(runtime)]) + bytes.fromhex("600c600039") + bytes([0x60, len(runtime)])
    return Address.from_bytes(node._evm.deploy(head + bytes.fromhex("6000f3") + runtime))


def factory(node: SimulatedChain) -> Address:
    """A contract whose every call emits the event, with the first word of the call as the contract that it made."""
    return deployed(node, bytes.fromhex("6000357f") + TOPIC + bytes.fromhex("60006000a200"))


def answering(address: Address) -> bytes:
    """A contract that answers every call with `address`."""
    return b"\x73" + address.raw + bytes.fromhex("60005260206000f3")


async def test_of_what_has_no_code_nothing_more_is_asked(chain: Web3Chain, node: SimulatedChain) -> None:
    assert await chain.account_claim(PAYEE) == AccountClaim(address=PAYEE, has_code=False)
    assert node.asked["eth_getStorageAt"] == 0


async def test_a_proxy_is_told_with_the_code_that_it_runs(chain: Web3Chain, node: SimulatedChain) -> None:
    plain = deployed(node, b"\x00")
    proxy = Address.from_bytes(node._evm.deploy(stored(IMPLEMENTATION, plain)))
    beacon = deployed(node, answering(plain))
    through = Address.from_bytes(node._evm.deploy(stored(BEACON, beacon)))
    broken = Address.from_bytes(node._evm.deploy(stored(BEACON, PAYEE)))
    assert await chain.account_claim(plain) == AccountClaim(address=plain, has_code=True, upgradeable=False)
    for found, code in ((proxy, plain), (through, plain), (broken, None)):
        claim = await chain.account_claim(found)
        assert (claim.has_code, claim.upgradeable, claim.implementation) == (True, True, code)


async def test_a_factory_made_what_its_event_named_and_nothing_else(chain: Web3Chain, node: SimulatedChain) -> None:
    made, stranger, maker = deployed(node, b"\x00"), deployed(node, b"\x00"), factory(node)
    node._evm.send(maker.raw, bytes(12) + made.raw)
    honest = Creation(event=EVENT, factory=maker)
    assert (await chain.account_claim(made, makers=(honest,))).makers == (Maker(event=EVENT, factory=maker),)
    assert (await chain.account_claim(stranger, makers=(honest,))).makers == ()
    for wrong in (
        Creation(event="Made(address indexed pool,uint256 fee)", factory=maker),
        Creation(event=EVENT, factory=stranger),
        Creation(event="nonsense", factory=maker),
    ):
        assert (await chain.account_claim(made, makers=(wrong,))).makers == ()


def test_an_event_that_names_two_addresses_proves_nothing() -> None:
    """Anybody can have a factory name a contract of theirs as one of a pair."""
    assert topic_of(EVENT) == TOPIC
    assert topic_of("Created(address,uint256)") == TOPIC
    assert topic_of("Created(address indexed token,address indexed pool)") is None
    assert topic_of("Created(uint256 fee)") is None
    assert topic_of("Created(address[] pools)") is None


async def test_a_node_that_does_not_answer_says_neither_yes_nor_no() -> None:
    async def ask(method: str, _: list[Any]) -> Any:
        return "0x00" if method == "eth_getCode" else None

    async def silent(_: str, __: list[Any]) -> Any:
        return None

    claim = await claim_of(OTHER, makers=(Creation(event=EVENT, factory=PAYEE),), ask=ask)
    assert claim == AccountClaim(address=OTHER, has_code=True, upgradeable=None)
    assert await claim_of(OTHER, makers=(), ask=silent) == AccountClaim(address=OTHER)


@pytest.mark.parametrize(
    "log",
    [
        {"address": OTHER.value, "topics": ["0x" + TOPIC.hex(), "0x" + (bytes(12) + OTHER.raw).hex()]},
        {"address": PAYEE.value, "topics": ["0x" + TOPIC.hex()]},
        {"address": PAYEE.value, "topics": ["0x" + TOPIC.hex(), "0x" + (bytes(12) + PAYEE.raw).hex()]},
        {"address": PAYEE.value, "topics": ["0x" + bytes(32).hex(), "0x" + (bytes(12) + OTHER.raw).hex()]},
    ],
)
async def test_logs_that_nobody_asked_for_prove_nothing(log: dict[str, Any]) -> None:
    async def ask(method: str, _: list[Any]) -> Any:
        return {"eth_getCode": "0x00", "eth_getLogs": [log]}.get(method)

    claim = await claim_of(OTHER, makers=(Creation(event=EVENT, factory=PAYEE),), ask=ask)
    assert claim.makers == ()


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("eth_getStorageAt", "0x00"),
        ("eth_getStorageAt", 1),
        ("eth_getLogs", {}),
        ("eth_getLogs", [{"address": PAYEE.value, "topics": []}]),
        ("eth_getLogs", [{"address": PAYEE.value, "topics": ["0x00"]}]),
        ("eth_getLogs", [{"address": "0x00", "topics": ["0x" + bytes(32).hex()]}]),
        ("eth_getLogs", [None]),
    ],
)
async def test_answers_of_another_form_are_lies(
    chain: Web3Chain, node: SimulatedChain, method: str, answer: object
) -> None:
    found = deployed(node, b"\x00")
    node.lie(method, answer)
    with pytest.raises(Unavailable) as lie:
        await chain.account_claim(found, makers=(Creation(event=EVENT, factory=PAYEE),))
    assert lie.value.code == "unavailable.node_lied"
