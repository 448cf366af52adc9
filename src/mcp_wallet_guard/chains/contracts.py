"""What a node says of a contract: whether it is there, which code a proxy runs, and whether a factory made it.

All of it is a claim. A node that cannot say is none that says no: the answer stays open, and nothing passes by it.
Source: EIP-1967 (storage slots, `implementation()` of a beacon); ERC-7730, `context.contract.factory`.
Threat: T-021, T-042.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from mcp_wallet_guard.clearsign.descriptors.contexts import Creation
from mcp_wallet_guard.clearsign.risks.known import AccountClaim, Maker
from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations.abi import AbiKind
from mcp_wallet_guard.operations.abi_types import parse_function
from mcp_wallet_guard.operations.values import Address, keccak256

Ask = Callable[[str, list[Any]], Awaitable[Any]]
"""Asks the node; None where it does not manage or does not have the method."""

MAX_MAKERS: Final = 4
IMPLEMENTATION: Final = "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"
BEACON: Final = "0xa3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6cb3582b35133d50"
_IMPLEMENTATION_OF_BEACON: Final = "0x5c60da1b"
_TOPICS: Final = 3


async def claim_of(address: Address, /, *, makers: tuple[Creation, ...], ask: Ask) -> AccountClaim:
    """See `Chain.account_claim`."""
    code = await ask("eth_getCode", [address.value, "latest"])
    if code is None or code == "0x":
        return AccountClaim(address=address, has_code=None if code is None else False)
    direct = await ask("eth_getStorageAt", [address.value, IMPLEMENTATION, "latest"])
    beacon = await ask("eth_getStorageAt", [address.value, BEACON, "latest"])
    implementation, through = _address(direct), _address(beacon)
    if implementation is None and through is not None:
        call = {"to": through.value, "data": _IMPLEMENTATION_OF_BEACON}
        implementation = _address(await ask("eth_call", [call, "latest"]))
    is_proxy = implementation is not None or through is not None
    named = [each for each in makers[:MAX_MAKERS] if await _is_named(address, each, ask)]
    return AccountClaim(
        address=address,
        has_code=True,
        upgradeable=True if is_proxy else None if None in (direct, beacon) else False,
        implementation=implementation,
        makers=tuple(Maker(event=each.event, factory=each.factory) for each in named),
    )


def topic_of(event: str, /) -> bytes | None:
    """The first topic of the event with this signature; None unless exactly one of its arguments is an address: where
    there are more, anybody can have a factory name a contract that it did not make."""
    try:
        found = parse_function(event.replace(" indexed ", " "))
    except InvalidInput:
        return None
    if sum(each.type.kind is AbiKind.ADDRESS for each in found.inputs) != 1:
        return None
    return keccak256(found.signature.encode("ascii"))


async def _is_named(address: Address, maker: Creation, ask: Ask) -> bool:
    """Whether the event names `address` in an indexed argument. Which one that is, a signature does not say."""
    topic = topic_of(maker.event)
    if topic is None:
        return False
    word = "0x" + (bytes(12) + address.raw).hex()
    for place in range(_TOPICS):
        topics = ["0x" + topic.hex(), *[None] * place, word]
        wanted = {"address": maker.factory.value, "topics": topics, "fromBlock": "earliest", "toBlock": "latest"}
        logs = await ask("eth_getLogs", [wanted]) or ()
        if any(_is_wanted(log, maker.factory, topics) for log in logs):
            return True
    return False


def _is_wanted(log: dict[str, Any], emitter: Address, topics: list[str | None]) -> bool:
    """Whether a log is one that was asked for: a node may answer with others."""
    found = [each.lower() for each in log["topics"]]
    same = all(want in {None, each} for want, each in zip(topics, found, strict=False))
    return log["address"].lower() == emitter.value.lower() and len(found) >= len(topics) and same


def _address(word: str | None) -> Address | None:
    """The address in a word of 32 bytes; None for nothing, zero and anything else."""
    raw = b"" if word is None else bytes.fromhex(word[2:])
    if len(raw) != 32 or any(raw[:12]) or not any(raw):
        return None
    return Address.from_bytes(raw[12:])
