"""Calldata as a tree of parts: what a call does, and each call inside it, however deep.

Every form of batch is entered, so that an approval inside a batch inside a multisignature wallet's transaction has the
same consequences as one at the top. One budget bounds the whole tree. Reading never raises for what is in the bytes:
what cannot be read is a part that says so. Threat: T-020, T-028, T-036.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from mcp_wallet_guard.clearsign.decoders.base import Call, Decoder, Knowledge, Nothing, Purse
from mcp_wallet_guard.clearsign.decoders.built_in import OVER_BUDGET, BuiltIn, unread
from mcp_wallet_guard.clearsign.decoders.places import MULTISEND, SIGN_MESSAGE_LIB, is_at
from mcp_wallet_guard.clearsign.tree import (
    AssetRef,
    Clarity,
    Consequence,
    Direction,
    Part,
    PartKind,
    Shown,
    ShownKind,
)
from mcp_wallet_guard.operations.abi import Budget
from mcp_wallet_guard.operations.values import Address, ChainId

UNKNOWN: Final = "calldata.unknown"
_BUILT_IN: Final = BuiltIn()
_NOTHING: Final = Nothing()


def read_call(
    data: bytes, /, *, chain: ChainId, target: Address | None, sender: Address | None, value: int | None,
    budget: Budget, kind: PartKind = PartKind.CALL, path: str = "", knows: Knowledge = _NOTHING,
    others: tuple[Decoder, ...] = (),
) -> Part:  # fmt: skip
    """What `data` does when `sender` calls `target` with it and with `value` wei (None: not known).

    `target` is None for a creation. `others` are asked, in order, about functions that no built-in decoder knows, at
    any depth. `budget` is drawn on by the whole tree: when it is spent, the rest is BLIND with "calldata.budget".
    Raises nothing, whatever the bytes.
    """
    decoders = (_BUILT_IN, *others)

    def read(call: Call) -> Part:
        if call.budget.depth <= 0:
            return _with_envelope(unread(call, OVER_BUDGET), call)
        with call.budget.inside():
            return _with_envelope(_part(call, decoders), call)

    return read(
        Call(
            chain=chain,
            target=target,
            sender=sender,
            value=value,
            data=data,
            budget=budget,
            knows=knows,
            purse=Purse(value or 0),
            read=read,
            kind=kind,
            path=path,
        )
    )


def _part(call: Call, decoders: tuple[Decoder, ...]) -> Part:
    if call.kind is PartKind.CREATE:
        return unread(call, "calldata.creation", title="Create a contract")
    if not call.data and call.kind is PartKind.CALL:
        return _plain(call)
    if len(call.data) >= 4:
        for decoder in decoders:
            part = decoder.read(call)
            if part is not None:
                return part
    return unread(call, UNKNOWN)


def _plain(call: Call) -> Part:
    """Native currency and nothing else."""
    return call.part(
        clarity=Clarity.CLEAR if call.target is not None and call.value is not None else Clarity.BLIND,
        title="Send native currency",
        shown=(Shown(path="@.to", label="To", kind=ShownKind.ADDRESS, raw=call.target), _value(call)),
    )


def _with_envelope(part: Part, call: Call) -> Part:
    """What the call does beside what its data say."""
    if call.kind is PartKind.DELEGATECALL:
        return _delegated(part, call)
    consequences: tuple[Consequence, ...] = ()
    if call.value:
        native = AssetRef(chain=call.chain)
        consequences = (
            Consequence(
                direction=Direction.OUT, owner=call.sender, asset=native, amount=call.value, counterparty=call.target
            ),
        )
    if call.kind is PartKind.CREATE:
        consequences += (Consequence(direction=Direction.CONTROL, owner=call.sender, control="create"),)
    if not consequences:
        return part
    shown = (_value(call), *part.shown) if call.value and call.data else part.shown
    return replace(part, shown=shown, consequences=consequences + part.consequences)


def _delegated(part: Part, call: Call) -> Part:
    """Code that runs as the account may do everything, whatever its function is called. Only of a few libraries do we
    know what they do."""
    if part.clarity is not Clarity.BLIND and any(
        is_at(place, call.chain, call.target) for place in (MULTISEND, SIGN_MESSAGE_LIB)
    ):
        return part
    taken = Consequence(
        direction=Direction.CONTROL, owner=call.sender, counterparty=call.target, control="delegatecall"
    )
    return replace(
        part,
        clarity=Clarity.BLIND,
        title="Run another contract's code as this account",
        consequences=(taken, *part.consequences),
    )


def _value(call: Call) -> Shown:
    native = AssetRef(chain=call.chain)
    return Shown(path="@.value", label="Native currency sent", kind=ShownKind.AMOUNT, raw=call.value, asset=native)
