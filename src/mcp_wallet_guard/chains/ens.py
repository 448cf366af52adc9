"""The name that an address gives itself in ENS, and what that name stands for: two questions to a node, and no more.

Only what contracts on this chain answer is asked. A resolver that points outside (EIP-3668) is one without an answer:
nobody else is asked, so no contract chooses whom this guard talks to. A wrong answer of any kind is no name.
Source: EIP-137, EIP-181, ENSIP-3. Threat: T-022, T-023, T-046.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from anyio import to_thread

from mcp_wallet_guard.chains.ens_names import MAX_BYTES, is_normal
from mcp_wallet_guard.evidence import NameClaim
from mcp_wallet_guard.operations.values import Address, keccak256

Call = Callable[[Address, bytes], Awaitable[bytes | None]]
"""Asks a contract; None where it fails, or gives no proper answer."""


async def claim_of(address: Address, /, *, registry: Address, call: Call) -> NameClaim | None:
    """What `address` calls itself, and whether the name is normal and whose it is; None where it has no name."""
    name = await _name(namehash(f"{address.value[2:].lower()}.addr.reverse"), registry, call)
    if name is None:
        return None
    normal = await to_thread.run_sync(is_normal, name)
    forward = await _address(namehash(name), registry, call) if normal else None
    stands_for = None if forward is None else forward.value
    return NameClaim(address=address.value, name=name, normal=normal, stands_for=stands_for)


def namehash(name: str, /) -> bytes:
    """32 bytes for a name in normal form. Source: EIP-137."""
    node = bytes(32)
    for label in reversed(name.split(".")):
        node = keccak256(node + keccak256(label.encode("utf-8")))
    return node


async def _name(node: bytes, registry: Address, call: Call) -> str | None:
    resolver = await _resolver(node, registry, call)
    return None if resolver is None else _text(await call(resolver, NAME + node))


async def _address(node: bytes, registry: Address, call: Call) -> Address | None:
    resolver = await _resolver(node, registry, call)
    return None if resolver is None else _word(await call(resolver, ADDRESS + node))


async def _resolver(node: bytes, registry: Address, call: Call) -> Address | None:
    return _word(await call(registry, RESOLVER + node))


def _word(answer: bytes | None) -> Address | None:
    if answer is None or len(answer) != 32 or any(answer[:12]) or not any(answer):
        return None
    return Address.from_bytes(answer[12:])


def _text(answer: bytes | None) -> str | None:
    """One canonical ABI string, neither empty nor longer than a name may be."""
    if answer is None or len(answer) < 64 or int.from_bytes(answer[:32]) != 32:
        return None
    size = int.from_bytes(answer[32:64])
    if not 1 <= size <= MAX_BYTES or answer[64:] != answer[64 : 64 + size] + bytes(-size % 32):
        return None
    try:
        return answer[64 : 64 + size].decode("utf-8")
    except UnicodeDecodeError:
        return None


def _selector(signature: str) -> bytes:
    return keccak256(signature.encode("ascii"))[:4]


RESOLVER: Final = _selector("resolver(bytes32)")
NAME: Final = _selector("name(bytes32)")
ADDRESS: Final = _selector("addr(bytes32)")
