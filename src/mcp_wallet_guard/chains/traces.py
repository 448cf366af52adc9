"""What a node answers when it is asked to try a transaction, reduced to numbers, addresses and bytes.

Sizes are capped and forms are strict; texts of the node are dropped, but for what a contract itself returned. Source:
Ethereum execution APIs (eth_simulateV1), go-ethereum's callTracer. Threat: T-042, T-057.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, final

from mcp_wallet_guard.chains.shapes import MAX_DATA_BYTES, data, hash_of_32, lied, quantity
from mcp_wallet_guard.errors import Unavailable
from mcp_wallet_guard.operations.values import Address

MAX_LOGS: Final = 1024
MAX_FRAMES: Final = 4096
_GAS: Final = quantity(2**32 - 1)
_VALUE: Final = quantity(2**128 - 1)
_NUMBER: Final = quantity(2**53 - 1)
_STATUS: Final = quantity(1)
_CREATES: Final = frozenset({"CREATE", "CREATE2"})
_MOVES: Final = frozenset({"CALL", "SELFDESTRUCT"}) | _CREATES
"""Frames whose value changes hands. A DELEGATECALL repeats its caller's, a CALLCODE pays itself."""
_KINDS: Final = _MOVES | {"DELEGATECALL", "CALLCODE", "STATICCALL"}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """An event. Each topic has 32 bytes."""

    address: Address
    topics: tuple[bytes, ...]
    data: bytes


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """Wei that change hands."""

    sender: Address
    to: Address
    value: int


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One tried transaction. `returned` is what it returned, also when it failed. `payments` is None where native
    currency shows as events instead, `created` where the method does not tell."""

    ok: bool
    gas_used: int
    returned: bytes
    logs: tuple[Log, ...]
    payments: tuple[Payment, ...] | None
    created: tuple[Address, ...] | None
    block: int | None = None


def simulated(value: object, /) -> Trace:
    """The result of eth_simulateV1 for one block with one call. Raises Unavailable("unavailable.node_lied")."""
    block = _only(value, "blocks")
    call = _only(block.get("calls"), "calls")
    ok = _STATUS(call.get("status")) == "0x1"
    error = call.get("error")
    failed = returned(error.get("data")) if isinstance(error, dict) and not ok else b""
    return Trace(
        ok=ok,
        gas_used=int(_GAS(call.get("gasUsed")), 16),
        returned=failed or _bytes(call.get("returnData")),
        logs=tuple(_log(log) for log in _listed(call.get("logs"), MAX_LOGS)) if ok else (),
        payments=None,
        created=None,
        block=int(_NUMBER(block.get("number")), 16),
    )


def traced(value: object, /) -> Trace:
    """The result of debug_traceCall with the callTracer and its logs. Raises Unavailable("unavailable.node_lied")."""
    top = _object(value)
    frames = list(_frames(top))
    logs = [log for frame in frames for log in _listed(frame.get("logs", []), MAX_LOGS)]
    if len(logs) > MAX_LOGS:
        raise lied("more events than any transaction has")
    return Trace(
        ok="error" not in top,
        gas_used=int(_GAS(top.get("gasUsed")), 16),
        returned=_bytes(top.get("output", "0x")),
        logs=tuple(_log(log) for log in logs),
        payments=tuple(_payments(frames)),
        created=tuple(_address(frame.get("to")) for frame in frames if frame["type"] in _CREATES),
    )


def returned(value: object, /) -> bytes:
    """What a failed call returned, empty for anything that is no data: nodes differ in how they say it."""
    try:
        return _bytes(value)
    except Unavailable:
        return b""


def _frames(top: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All frames that took effect: one that failed undoes all within it. In no order, and without recursion."""
    waiting, seen = [top], 0
    while waiting:
        frame = waiting.pop()
        seen += 1
        if seen > MAX_FRAMES or frame.get("type") not in _KINDS:
            raise lied("calls that cannot be")
        if "error" in frame:
            continue
        yield frame
        waiting.extend(_object(inner) for inner in _listed(frame.get("calls", []), MAX_FRAMES))


def _payments(frames: list[dict[str, Any]]) -> Iterator[Payment]:
    for frame in frames:
        wei = int(_VALUE(frame.get("value", "0x0")), 16) if frame["type"] in _MOVES else 0
        if wei:
            yield Payment(sender=_address(frame.get("from")), to=_address(frame.get("to")), value=wei)


def _log(value: object) -> Log:
    log = _object(value)
    topics = tuple(bytes.fromhex(hash_of_32(topic)[2:]) for topic in _listed(log.get("topics"), 4))
    return Log(address=_address(log.get("address")), topics=topics, data=_bytes(log.get("data")))


def _address(value: object) -> Address:
    raw = _bytes(value)
    if len(raw) != 20:
        raise lied("an address that is none")
    return Address.from_bytes(raw)


def _bytes(value: object) -> bytes:
    return bytes.fromhex(data(value)[2:])


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise lied("not an object")
    return value


def _only(value: object, what: str) -> dict[str, Any]:
    entries = _listed(value, 1)
    if len(entries) != 1:
        raise lied(f"not one of {what}")
    return _object(entries[0])


def _listed(value: object, most: int) -> list[object]:
    if not isinstance(value, list) or len(value) > most:
        raise lied("not a list, or too long a one")
    return value


__all__ = ["MAX_DATA_BYTES", "MAX_FRAMES", "MAX_LOGS", "Log", "Payment", "Trace", "returned", "simulated", "traced"]
