"""The built-in decoders: a call of a known function as a part with all its arguments and consequences.

Anything but the one canonical form of the arguments is not read: a contract may read it in another way than we do.
Threat: T-020, T-028.
"""

from __future__ import annotations

from typing import Final, final

from mcp_wallet_guard.clearsign.decoders import table
from mcp_wallet_guard.clearsign.decoders.base import Call
from mcp_wallet_guard.clearsign.decoders.draft import Draft
from mcp_wallet_guard.clearsign.decoders.functions import Known
from mcp_wallet_guard.clearsign.decoders.showing import show
from mcp_wallet_guard.clearsign.tree import Clarity, Oddity, Part, Shown, ShownKind
from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations import abi

MALFORMED: Final = "calldata.malformed"
OVER_BUDGET: Final = "calldata.budget"
TRAILING: Final = "calldata.trailing"
UNEXPECTED_VALUE: Final = "value.unexpected"
_HEX_BYTES: Final = 32


@final
class BuiltIn:
    """The `Decoder` of all functions in `table`."""

    __slots__ = ()

    def read(self, call: Call, /) -> Part | None:
        known = table.find(call.data[:4])
        if known is None:
            return None
        try:
            decoded = abi.decode(known.function.inputs, call.data[4:], budget=call.budget)
        except InvalidInput:
            return unread(call, _refusal(call), signature=known.function.signature)
        draft = Draft(call, title=known.title, standard=known.standard)
        try:
            known.reader(draft, *decoded.values)
        except InvalidInput:
            draft.lower(Clarity.BLIND)
            draft.odd(_refusal(call))
        if call.value and not known.payable:
            draft.odd(UNEXPECTED_VALUE, wei=call.value)
        return _part(draft, known, decoded)


def unread(call: Call, code: str, /, *, signature: str | None = None, title: str = "Call something unknown") -> Part:
    """A part that nobody can read, with all its bytes."""
    facts: tuple[tuple[str, str | int], ...] = (("bytes", len(call.data)),)
    if len(call.data) >= 4:
        facts = (("selector", f"0x{call.data[:4].hex()}"), *facts)
    return call.part(
        clarity=Clarity.BLIND,
        signature=signature,
        title=title,
        shown=(Shown(path="#", label="Data", kind=ShownKind.BYTES, raw=call.data),),
        oddities=(Oddity(code=code, facts=facts),),
    )


def _refusal(call: Call) -> str:
    return OVER_BUDGET if call.budget.nodes < 0 or call.budget.size < 0 else MALFORMED


def _part(draft: Draft, known: Known, decoded: abi.Decoded) -> Part:
    call, function = draft.call, known.function
    shown = show(function.inputs, decoded.values, draft.notes)
    if decoded.trailing:
        tag = decoded.trailing
        draft.odd(TRAILING, bytes=len(tag), hex=f"0x{tag[:_HEX_BYTES].hex()}")
        shown += (Shown(path="#.trailing", label="Bytes after the arguments", kind=ShownKind.BYTES, raw=tag),)
    for part in draft.parts:
        draft.lower(Clarity.PARTIAL if part.clarity is Clarity.BLIND else part.clarity)
    return call.part(
        clarity=draft.clarity,
        signature=function.signature,
        standard=draft.standard,
        title=draft.title,
        shown=shown,
        consequences=tuple(draft.consequences),
        parts=tuple(draft.parts),
        oddities=tuple(draft.oddities),
    )
