"""A small name registry for private chains, and resolvers that answer everything with the same bytes. Source: EIP-137.

The registry has `resolver(bytes32)` and `setResolver(bytes32,address)`, which anybody may call: it is for tests.
"""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.testing.bytecode import assembled

_REGISTRY: Final = """
    0 CALLDATALOAD 224 SHR
    DUP1 {resolver(bytes32)} EQ @resolver JUMPI
    DUP1 {setResolver(bytes32,address)} EQ @set JUMPI
    0 0 REVERT

    :resolver 4 CALLDATALOAD SLOAD 0 MSTORE 32 0 RETURN
    :set      36 CALLDATALOAD 4 CALLDATALOAD SSTORE 0 0 RETURN
"""
_CONSTRUCTOR: Final = "SIZE START 0 CODECOPY SIZE 0 RETURN"
_ANSWER: Final = "SIZE START 0 CODECOPY LENGTH 0 RETURN"
_REFUSAL: Final = "SIZE START 0 CODECOPY LENGTH 0 REVERT"


def registry_code() -> bytes:
    """What a deployment of the registry sends."""
    return _creation(assembled(_REGISTRY, {}))


def set_resolver(node: bytes, resolver: Address, /) -> bytes:
    """Calldata that gives a name its resolver."""
    return assembled("{setResolver(bytes32,address)}", {})[1:] + node + bytes(12) + resolver.raw


def answering(data: bytes, /, *, length: int | None = None, reverts: bool = False) -> bytes:
    """What a deployment sends of a contract that answers every call with `data`, with zeros up to `length`; or reverts
    with it."""
    numbers = {"SIZE": len(data), "LENGTH": length or len(data), "START": 0xFF}
    source = _REFUSAL if reverts else _ANSWER
    start = len(assembled(source, numbers))
    return _creation(assembled(source, numbers | {"START": start}) + data)


def text(value: str | bytes, /) -> bytes:
    """The ABI encoding of one string, which may be none."""
    raw = value.encode("utf-8") if isinstance(value, str) else value
    return (32).to_bytes(32) + len(raw).to_bytes(32) + raw + bytes(-len(raw) % 32)


def _creation(runtime: bytes) -> bytes:
    numbers = {"SIZE": len(runtime), "START": 0xFF}
    start = len(assembled(_CONSTRUCTOR, numbers))
    return assembled(_CONSTRUCTOR, numbers | {"START": start}) + runtime
