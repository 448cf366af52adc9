"""Several calls in one: Multicall 1 to 3, and contracts that call themselves. Threat: T-020."""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard.clearsign.decoders import places
from mcp_wallet_guard.clearsign.decoders.draft import Draft
from mcp_wallet_guard.clearsign.decoders.functions import Functions
from mcp_wallet_guard.operations.values import Address

MULTICALL: Final = Functions("Multicall")
SELF: Final = Functions("multicall(bytes[])")
_CALLS: Final = "(address target,bytes callData)[] calls"


@MULTICALL.reads(
    f"aggregate({_CALLS})", f"blockAndAggregate({_CALLS})", title="Several calls of contracts", payable=True
)
def aggregate(draft: Draft, calls: tuple[tuple[Address, bytes], ...]) -> None:
    sender = _batcher(draft)
    for number, (target, data) in enumerate(calls):
        draft.calls(f"#.calls.[{number}].callData", data, target=target, sender=sender, value=0)


@MULTICALL.reads(
    f"tryAggregate(bool requireSuccess,{_CALLS})",
    f"tryBlockAndAggregate(bool requireSuccess,{_CALLS})",
    title="Several calls of contracts",
    payable=True,
)
def try_aggregate(draft: Draft, require_success: bool, calls: tuple[tuple[Address, bytes], ...]) -> None:
    del require_success
    aggregate(draft, calls)


@MULTICALL.reads(
    "aggregate3((address target,bool allowFailure,bytes callData)[] calls)",
    title="Several calls of contracts",
    payable=True,
)
def aggregate3(draft: Draft, calls: tuple[tuple[Address, bool, bytes], ...]) -> None:
    aggregate(draft, tuple((target, data) for target, _, data in calls))


@MULTICALL.reads(
    "aggregate3Value((address target,bool allowFailure,uint256 value,bytes callData)[] calls)",
    title="Several calls of contracts",
    payable=True,
)
def aggregate3_value(draft: Draft, calls: tuple[tuple[Address, bool, int, bytes], ...]) -> None:
    sender = _batcher(draft)
    for number, (target, _, value, data) in enumerate(calls):
        draft.amount(f"#.calls.[{number}].value", draft.native)
        draft.calls(f"#.calls.[{number}].callData", data, target=target, sender=sender, value=value)


@SELF.reads("multicall(bytes[] data)", title="Several functions of one contract", payable=True)
def multicall(draft: Draft, datas: tuple[bytes, ...]) -> None:
    """Each function runs as if it had been called by itself, by the same caller and with the same native currency."""
    for number, data in enumerate(datas):
        draft.calls(
            f"#.data.[{number}]", data, kind=draft.call.kind, target=draft.call.target, sender=draft.me, value=0,
            purse=draft.call.purse,
        )  # fmt: skip


@SELF.reads(
    "multicall(uint256 deadline,bytes[] data)",
    "multicall(bytes32 previousBlockhash,bytes[] data)",
    title="Several functions of one contract",
    payable=True,
)
def multicall_until(draft: Draft, _condition: int | bytes, datas: tuple[bytes, ...]) -> None:
    multicall(draft, datas)


def _batcher(draft: Draft) -> Address | None:
    """Who calls: the contract itself where its code is known. Elsewhere it may as well run them as its caller."""
    return draft.this if draft.is_at(places.MULTICALL) else None
