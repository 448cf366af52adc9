"""Descriptors among the decoders: what no built-in decoder knows is told by a descriptor that is bound to the contract.

A descriptor's words are its author's, so they stand in quotes; its values are those of the bytes. What it hides is
shown all the same, and calls inside are read like every other call, so that an approval in them is found. What was used
is kept, reduced to what it took, so that the same view can be made another day. Threat: T-020, T-021, T-022.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, final

from mcp_wallet_guard.clearsign import text
from mcp_wallet_guard.clearsign.decoders.base import Call
from mcp_wallet_guard.clearsign.descriptors.contexts import Container, Creation, container_of
from mcp_wallet_guard.clearsign.descriptors.descriptor import Descriptor
from mcp_wallet_guard.clearsign.descriptors.freezing import reduced, restored
from mcp_wallet_guard.clearsign.descriptors.index import Index
from mcp_wallet_guard.clearsign.descriptors.limits import INTENT_LIMIT
from mcp_wallet_guard.clearsign.descriptors.render import render_calldata, render_typed_data
from mcp_wallet_guard.clearsign.descriptors.rendered import NestedCall, Rendered
from mcp_wallet_guard.clearsign.descriptors.work import Work
from mcp_wallet_guard.clearsign.lookup import Lookup
from mcp_wallet_guard.clearsign.risks.calldata import CLAIMED
from mcp_wallet_guard.clearsign.risks.known import AccountClaim
from mcp_wallet_guard.clearsign.tree import Clarity, Oddity, Part, PartKind, Shown, ShownKind, Source
from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations.abi import Function, decode
from mcp_wallet_guard.operations.typed_data import TypedData
from mcp_wallet_guard.operations.values import Address

STANDARD: Final = "ERC-7730"
HIDDEN: Final = "Not shown by the descriptor"
TRAILING: Final = "calldata.trailing"


@final
class Described:
    """Reads calls and messages by the descriptors of `index`. See `decoders.base.Decoder`. `used` are the reduced
    descriptors that it took, in order. `claims` are what a node says of contracts: which code a proxy runs, and who
    made it. A call that a descriptor tells on a node's word alone is never clear, and says so. Threat: T-021, T-042."""

    def __init__(
        self, index: Index, lookup: Lookup, /, *, claims: Mapping[Address, AccountClaim] | None = None
    ) -> None:
        self._index: Final = index
        self._lookup: Final = lookup
        self._claims: Final = claims or {}
        self.used: dict[bytes, bytes] = {}

    @classmethod
    def of(
        cls, frozen: tuple[str, ...], lookup: Lookup, /, *, claims: Mapping[Address, AccountClaim] | None = None
    ) -> Described:
        """From what `used` held when an operation was frozen. Raises InvalidInput("invalid_input.descriptor")."""
        return cls(Index.of(restored(each.encode("utf-8")) for each in frozen), lookup, claims=claims)

    @property
    def frozen(self) -> tuple[str, ...]:
        """What was used, as text to keep with an operation."""
        return tuple(sorted(each.decode("utf-8") for each in self.used.values()))

    def read(self, call: Call, /) -> Part | None:
        """The part that a descriptor makes of a call; None when none applies. Code that runs as the account itself is
        not what a descriptor speaks of."""
        if call.kind is not PartKind.CALL or call.target is None:
            return None
        container = Container(chain=call.chain, to=call.target, sender=call.sender, value=call.value)
        told = self._told(call, container)
        claim = None if told is not None else self._claims.get(call.target)
        if claim is None:
            return told
        makers = tuple(Creation(event=each.event, factory=each.factory) for each in claim.makers)
        if claim.implementation is None and not makers:
            return None
        told = self._told(call, replace(container, implementation=claim.implementation, creations=makers))
        if told is None:
            return None
        return replace(told, clarity=Clarity.DECODED, oddities=(*told.oddities, Oddity(code=CLAIMED)))

    def _told(self, call: Call, container: Container) -> Part | None:
        for descriptor, function in self._index.calls(container, call.data[:4]):
            part = self._part(call, descriptor, function, container)
            if part is not None:
                return part
        return None

    def message(self, typed: TypedData, part: Part, /) -> Part:
        """`part`, which is that of `typed`, as a descriptor tells it; the same when none does."""
        container = container_of(typed, signer=part.sender, implementation=None)
        for descriptor in self._index.messages(typed, container):
            try:
                told = render_typed_data(descriptor, typed=typed, signer=part.sender, lookup=self._lookup)
            except InvalidInput as error:
                self._index.refused[descriptor.name] = error.detail or error.code
                continue
            self._use(descriptor, told, container)
            return replace(part, clarity=Clarity.CLEAR, standard=STANDARD, title=_title(told), shown=_shown(told))
        return part

    def _part(self, call: Call, descriptor: Descriptor, function: Function, container: Container) -> Part | None:
        inside: list[NestedCall] = []

        def nested(found: NestedCall) -> Rendered | None:
            inside.append(found)
            return None

        try:
            decoded = decode(function.inputs, call.data[4:], budget=call.budget)
            told = render_calldata(
                descriptor,
                function=function,
                values=decoded.values,
                container=container,
                lookup=self._lookup,
                nested=nested,
                work=Work(),
            )
            parts = tuple(_inner(call, number, found) for number, found in enumerate(inside))
        except InvalidInput as error:
            self._index.refused[descriptor.name] = error.detail or error.code
            return None
        self._use(descriptor, told, container)
        trailing = (Oddity(code=TRAILING, facts=(("bytes", len(decoded.trailing)),)),) if decoded.trailing else ()
        rest = Shown(path="#", label="Bytes after the arguments", kind=ShownKind.BYTES, raw=decoded.trailing)
        return call.part(
            clarity=Clarity.CLEAR,
            signature=function.signature,
            standard=STANDARD,
            title=_title(told),
            shown=(*_shown(told), *((rest,) if decoded.trailing else ())),
            parts=parts,
            oddities=(*told.notes, *trailing),
        )

    def _use(self, descriptor: Descriptor, told: Rendered, container: Container) -> None:
        kept = reduced(descriptor, told.key, container=container)
        self.used[kept] = kept


def _inner(call: Call, number: int, found: NestedCall) -> Part:
    return call.inside(number, found.data, kind=PartKind.CALL, target=found.to, sender=found.sender, value=found.value)


def _title(told: Rendered) -> str:
    return f"{text.requoted(told.intent, limit=INTENT_LIMIT)} (a descriptor's words)"


def _shown(told: Rendered) -> tuple[Shown, ...]:
    if not told.hidden:
        return told.fields
    hidden = Shown(path="", label=HIDDEN, kind=ShownKind.GROUP, source=Source.OURS, children=told.hidden)
    return (*told.fields, hidden)
