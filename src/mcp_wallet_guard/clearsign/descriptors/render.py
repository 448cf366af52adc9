"""A call or a message as a descriptor tells it, and all that it leaves out.

The descriptor decides order and words of what it shows. Values that it hides, or does not know of, are listed
separately and never lost; a failed constraint, a path that leads nowhere and a size over a ceiling refuse the whole, so
that a view falls back to the bare arguments. Source: ERC-7730, "Display section". Threat: T-021, T-022.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mcp_wallet_guard.clearsign.descriptors import contexts, formats, interpolation
from mcp_wallet_guard.clearsign.descriptors.contexts import Container
from mcp_wallet_guard.clearsign.descriptors.descriptor import Descriptor
from mcp_wallet_guard.clearsign.descriptors.fields import Fields
from mcp_wallet_guard.clearsign.descriptors.formats import Formatter
from mcp_wallet_guard.clearsign.descriptors.limits import INTENT_LIMIT, LABEL_LIMIT, MAX_HIDDEN, refuse
from mcp_wallet_guard.clearsign.descriptors.paths import Node, Path, Place, members_of
from mcp_wallet_guard.clearsign.descriptors.rendered import Nested, Rendered
from mcp_wallet_guard.clearsign.descriptors.scope import DATA, Scope, arguments
from mcp_wallet_guard.clearsign.descriptors.text import safe
from mcp_wallet_guard.clearsign.descriptors.work import Work
from mcp_wallet_guard.clearsign.lookup import Lookup
from mcp_wallet_guard.clearsign.tree import Oddity, Shown
from mcp_wallet_guard.operations.abi import Function, Value
from mcp_wallet_guard.operations.typed_data import TypedData, encode_type
from mcp_wallet_guard.operations.values import Address


def render_calldata(
    descriptor: Descriptor,
    /,
    *,
    function: Function,
    values: tuple[Value, ...],
    container: Container,
    lookup: Lookup,
    nested: Nested | None = None,
    work: Work | None = None,
) -> Rendered:
    """A call of `function`, which `Descriptor.function` gave, with its decoded arguments. `work` is shared by all that
    is told of one transaction.

    Raises InvalidInput("invalid_input.descriptor") when the descriptor does not apply to it or cannot tell it.
    """
    contexts.check_contract(descriptor.context, container, bound=descriptor.bound)
    found = descriptor.function(function.selector)
    if found is None or found[1] != function:
        refuse("the descriptor does not know the function")
    data = arguments(function, values)
    return _rendered(descriptor, found[0], data, container=container, lookup=lookup, nested=nested, work=work or Work())


def render_typed_data(
    descriptor: Descriptor,
    /,
    *,
    typed: TypedData,
    signer: Address | None,
    lookup: Lookup,
    nested: Nested | None = None,
    implementation: Address | None = None,
    work: Work | None = None,
) -> Rendered:
    """A message. `signer` is who signs it; `implementation` the contract whose code the verifying contract runs, where
    somebody verified that.

    Raises InvalidInput("invalid_input.descriptor") when the descriptor does not apply to it or cannot tell it.
    """
    container = contexts.container_of(typed, signer=signer, implementation=implementation)
    contexts.check_typed_data(descriptor.context, typed, container, bound=descriptor.bound)
    key = descriptor.message(encode_type(typed, typed.primary_type))
    if key is None:
        refuse("the descriptor does not know the type of the message")
    return _rendered(
        descriptor, key, typed.message.members, container=container, lookup=lookup, nested=nested, work=work or Work()
    )


def _rendered(
    descriptor: Descriptor,
    key: str,
    data: Mapping[str, Node],
    *,
    container: Container,
    lookup: Lookup,
    nested: Nested | None,
    work: Work,
) -> Rendered:
    form = descriptor.format(key)
    root = Place(DATA, data)
    scope = Scope(data=root, here=root, container=container, document=descriptor.document, work=work)
    fields = Fields(Formatter(descriptor=descriptor, container=container, lookup=lookup), nested=nested, work=work)
    entries = fields.show(form.fields, scope)
    sentence = None if form.sentence is None else interpolation.fill(form.sentence, fields.spoken)
    if form.has_sentence and sentence is None:
        fields.notes.append(Oddity(code="descriptor.sentence"))
    left_out = list(_left_out(root, fields.covered))
    hidden = [*map(_bare, left_out[:MAX_HIDDEN]), *fields.hidden][:MAX_HIDDEN]
    more = len(left_out) + len(fields.hidden) - len(hidden)
    if more:
        fields.notes.append(Oddity(code="descriptor.hidden_more", facts=(("count", more),)))
    return Rendered(
        intent=safe(form.intent, limit=INTENT_LIMIT),
        interpolated=sentence,
        fields=tuple(entry.shown for entry in entries),
        hidden=tuple(hidden),
        lines=tuple(line for entry in entries for line in entry.lines),
        notes=tuple(fields.notes),
        owner=descriptor.owner,
        contract=descriptor.contract,
        key=key,
        descriptor=descriptor.hash,
        hashes=descriptor.hashes,
    )


def _left_out(place: Place, covered: set[Path]) -> Iterator[Place]:
    """The leaves of the data that no field showed in full."""
    if place.path in covered:
        return
    node = place.node
    members = members_of(node)
    if members is not None:
        for name, inner in members.items():
            yield from _left_out(Place(Path("#", (*place.path.steps, name)), inner), covered)
    elif isinstance(node, tuple):
        for number, each in enumerate(node):
            yield from _left_out(Place(Path("#", (*place.path.steps, number)), each), covered)
    else:
        yield place


def _bare(place: Place) -> Shown:
    """A value that no field showed, as it is signed."""
    shown = formats.raw(place.node)
    label = safe(place.path.text, limit=LABEL_LIMIT)
    return Shown(path=place.path.text, label=label, kind=shown.kind, raw=shown.raw, text=shown.text)
