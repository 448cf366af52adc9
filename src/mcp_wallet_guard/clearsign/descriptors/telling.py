"""Calls and messages told by the descriptors of an index, with the calls inside of them.

A call inside is told by whatever descriptor applies to its own contract and selector, within one budget. Who calls it,
and with how much, is known only where the outer descriptor says so. Source: ERC-7730, "Embedded Calldata".
Threat: T-020.
"""

from __future__ import annotations

from dataclasses import replace

from mcp_wallet_guard.clearsign.descriptors.contexts import Container, container_of
from mcp_wallet_guard.clearsign.descriptors.index import Index
from mcp_wallet_guard.clearsign.descriptors.limits import MAX_NESTED
from mcp_wallet_guard.clearsign.descriptors.render import render_calldata, render_typed_data
from mcp_wallet_guard.clearsign.descriptors.rendered import Nested, NestedCall, Rendered
from mcp_wallet_guard.clearsign.descriptors.work import Work
from mcp_wallet_guard.clearsign.lookup import Lookup
from mcp_wallet_guard.clearsign.tree import Shown, ShownKind
from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations.abi import Budget, decode
from mcp_wallet_guard.operations.typed_data import TypedData
from mcp_wallet_guard.operations.values import Address

TRAILING = "Bytes after the arguments"


def tell_call(
    index: Index, /, *, data: bytes, container: Container, lookup: Lookup, budget: Budget | None = None
) -> Rendered | None:
    """What the first descriptor that applies makes of a call, None when none does. Never raises for what is in `data`
    or in a descriptor."""
    spent, work = Budget.default() if budget is None else budget, Work()
    return _told(index, data=data, container=container, lookup=lookup, budget=spent, work=work, depth=MAX_NESTED)


def tell_message(
    index: Index,
    /,
    *,
    typed: TypedData,
    signer: Address | None,
    lookup: Lookup,
    implementation: Address | None = None,
    budget: Budget | None = None,
) -> Rendered | None:
    """What the first descriptor that applies makes of a message, None when none does."""
    spent, work = Budget.default() if budget is None else budget, Work()
    nested = calls_inside(index, lookup=lookup, budget=spent, work=work, depth=MAX_NESTED)
    container = container_of(typed, signer=signer, implementation=implementation)
    for descriptor in index.messages(typed, container):
        try:
            return render_typed_data(
                descriptor,
                typed=typed,
                signer=signer,
                lookup=lookup,
                nested=nested,
                implementation=implementation,
                work=work,
            )
        except InvalidInput as error:
            index.refused[descriptor.name] = error.detail or error.code
    return None


def _told(
    index: Index, *, data: bytes, container: Container, lookup: Lookup, budget: Budget, work: Work, depth: int
) -> Rendered | None:
    nested = calls_inside(index, lookup=lookup, budget=budget, work=work, depth=depth)
    for descriptor, function in index.calls(container, data[:4]) if len(data) >= 4 else ():
        try:
            decoded = decode(function.inputs, data[4:], budget=budget)
            found = render_calldata(
                descriptor,
                function=function,
                values=decoded.values,
                container=container,
                lookup=lookup,
                nested=nested,
                work=work,
            )
        except InvalidInput as error:
            index.refused[descriptor.name] = error.detail or error.code
            continue
        return _with_trailing(found, decoded.trailing)
    return None


def calls_inside(
    index: Index, /, *, lookup: Lookup, budget: Budget, work: Work, depth: int = MAX_NESTED
) -> Nested | None:
    """Tells calls inside by the descriptors of `index`, at most `depth` within each other; None for a `depth` of 0."""
    if depth == 0:
        return None

    def tell(call: NestedCall) -> Rendered | None:
        container = Container(chain=call.chain, to=call.to, sender=call.sender, value=call.value)
        return _told(
            index, data=call.data, container=container, lookup=lookup, budget=budget, work=work, depth=depth - 1
        )

    return tell


def _with_trailing(found: Rendered, trailing: bytes) -> Rendered:
    """`found`, with the bytes that the function does not read among what is hidden."""
    if not trailing:
        return found
    rest = Shown(path="", label=TRAILING, kind=ShownKind.BYTES, raw=trailing, text="0x" + trailing.hex())
    return replace(found, hidden=(*found.hidden, rest))
