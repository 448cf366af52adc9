"""Asking a node what a transaction would do: eth_simulateV1, else debug_traceCall, else eth_call.

The second of two runs has another block's miner and randomness, or the pending block, so that a contract which looks
for the marks of a simulation has to look for two of them. Source: Ethereum execution APIs; go-ethereum, debug
namespace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from web3.types import RPCEndpoint

from mcp_wallet_guard.chains.movements import allowances, movements
from mcp_wallet_guard.chains.rpc import NodeError
from mcp_wallet_guard.clearsign.simulated import MAX_REASON, SimulationOutcome
from mcp_wallet_guard.errors import Unavailable

if TYPE_CHECKING:
    from mcp_wallet_guard.chains.base import Chain, UnsignedCall
    from mcp_wallet_guard.chains.rpc import EgressProvider
    from mcp_wallet_guard.chains.traces import Trace
    from mcp_wallet_guard.operations.values import ChainId

_OTHER_BLOCK: Final = {"feeRecipient": "0x" + "5a" * 20, "prevRandao": "0x" + "a5" * 32}
_ERROR: Final = bytes.fromhex("08c379a0")  # Error(string)
_PANIC: Final = bytes.fromhex("4e487b71")  # Panic(uint256)


async def runs(chain: Chain, call: UnsignedCall, /) -> tuple[SimulationOutcome, ...] | None:
    """Both runs, or those that the node could do; None for a node that can do none. Raises as `Chain.simulate`."""
    found = [await chain.simulate(call, again=again) for again in (False, True)]
    done = tuple(outcome for outcome in found if outcome is not None)
    return done or None


async def simulate(
    node: EgressProvider, call: UnsignedCall, /, *, chain: ChainId, again: bool
) -> SimulationOutcome | None:
    """One run by the best method that the node has, None when it has none.

    Raises Unavailable("unavailable.node_lied") for an answer that cannot be.
    """
    trace = await _asked(node, "eth_simulateV1", _simulation(call, again=again))
    if trace is not None:
        return _outcome(trace, "eth_simulateV1", chain)
    trace = await _asked(node, "debug_traceCall", _tracing(call, again=again))
    if trace is not None:
        return _outcome(trace, "debug_traceCall", chain)
    return await _called(node, call, again=again)


def reason(returned: bytes, /) -> str | None:
    """Why a contract failed, in its own words or ours, at most 256 characters; None when it gave no reason.

    Source: Solidity, Error(string) and Panic(uint256).
    """
    if returned[:4] == _ERROR and len(returned) >= 68:
        length = int.from_bytes(returned[36:68])
        if int.from_bytes(returned[4:36]) == 32 and length <= len(returned) - 68:
            return returned[68 : 68 + length].decode("utf-8", errors="replace")[:MAX_REASON]
    if returned[:4] == _PANIC and len(returned) == 36:
        return f"panic {int.from_bytes(returned[4:]):#x}"[:MAX_REASON]
    return f"error 0x{returned[:4].hex()}" if len(returned) >= 4 else None


async def _asked(node: EgressProvider, method: str, params: list[Any]) -> Trace | None:
    """The answer, None from a node that does not have the method or does not manage. A lie is no such answer."""
    try:
        answer = await node.make_request(RPCEndpoint(method), params)
    except NodeError:
        return None
    except Unavailable as error:
        if error.code == "unavailable.node_lied":
            raise
        return None
    trace: Trace = answer["result"]
    return trace


async def _called(node: EgressProvider, call: UnsignedCall, *, again: bool) -> SimulationOutcome | None:
    try:
        await node.make_request(RPCEndpoint("eth_call"), [_fields(call), "pending" if again else "latest"])
    except NodeError as error:
        if error.revert is None:
            return None
        return SimulationOutcome(method="eth_call", status="reverted", reason=reason(error.revert))
    return SimulationOutcome(method="eth_call", status="ok")


def _outcome(trace: Trace, method: Literal["eth_simulateV1", "debug_traceCall"], chain: ChainId) -> SimulationOutcome:
    return SimulationOutcome(
        method=method,
        status="ok" if trace.ok else "reverted",
        reason=None if trace.ok else reason(trace.returned),
        block=trace.block,
        gas_used=trace.gas_used,
        movements=movements(trace, chain) if trace.ok else (),
        allowances=allowances(trace, chain) if trace.ok else (),
        code_changes=trace.created,
    )


def _simulation(call: UnsignedCall, *, again: bool) -> list[Any]:
    block: dict[str, Any] = {"calls": [_fields(call)]}
    if again:
        block["blockOverrides"] = _OTHER_BLOCK
    return [{"blockStateCalls": [block], "traceTransfers": True, "validation": False}, "latest"]


def _tracing(call: UnsignedCall, *, again: bool) -> list[Any]:
    options: dict[str, Any] = {"tracer": "callTracer", "tracerConfig": {"withLog": True}}
    if again:
        options["blockOverrides"] = _OTHER_BLOCK
    return [_fields(call), "latest", options]


def _fields(call: UnsignedCall) -> dict[str, str]:
    fields = {
        "from": call.sender.value,
        "value": hex(call.value),
        "input": "0x" + call.data.hex(),
        "gas": hex(call.gas),
        "maxFeePerGas": hex(call.max_fee_per_gas),
        "maxPriorityFeePerGas": hex(call.max_priority_fee_per_gas),
    }
    return fields if call.to is None else fields | {"to": call.to.value}
