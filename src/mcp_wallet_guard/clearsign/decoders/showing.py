"""Every argument of a function as something to be shown, by its type, its name, and what its reader says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, final

from mcp_wallet_guard.clearsign.decoders.words import KINDS, LABELS
from mcp_wallet_guard.clearsign.tree import AssetRef, Part, Shown, ShownKind
from mcp_wallet_guard.operations.abi import AbiKind, AbiType, Parameter, Value

_BY_TYPE: Final = {
    AbiKind.UINT: ShownKind.INTEGER,
    AbiKind.INT: ShownKind.INTEGER,
    AbiKind.BOOL: ShownKind.FLAG,
    AbiKind.ADDRESS: ShownKind.ADDRESS,
    AbiKind.FIXED_BYTES: ShownKind.BYTES,
    AbiKind.BYTES: ShownKind.BYTES,
    AbiKind.STRING: ShownKind.TEXT,
}


@final
@dataclass(slots=True, kw_only=True)  # not frozen, as freezing doubles the cost of making thousands
class Note:
    """What a reader says of one argument. `inputs` and `values` are what bytes were opened to, `children` what is shown
    in place of them otherwise."""

    kind: ShownKind | None = None
    label: str | None = None
    asset: AssetRef | None = None
    unlimited: bool = False
    text: str | None = None
    part: Part | None = None
    children: tuple[Shown, ...] = ()
    inputs: tuple[Parameter, ...] | None = None
    values: tuple[Value, ...] = ()


_NO_NOTE: Final = Note()
_GROUP: Final = ShownKind.GROUP


def show(
    inputs: tuple[Parameter, ...], values: tuple[Value, ...], notes: Mapping[str, Note], /, *, path: str = "#"
) -> tuple[Shown, ...]:
    """One shown value for each of `inputs`, in order."""
    return tuple(
        [
            _shown(each.type, value, notes, f"{path}.{each.name}", LABELS[each.name], each.name)
            for each, value in zip(inputs, values, strict=True)
        ]
    )


def _shown(type_: AbiType, value: Value, notes: Mapping[str, Note], path: str, label: str, name: str, /) -> Shown:
    note = notes.get(path, _NO_NOTE)
    label = note.label or label
    if isinstance(value, tuple):
        children = _children(type_, value, notes, path, label=label, name=name)
        return Shown(path=path, label=label, kind=ShownKind.GROUP, text=note.text, children=children)
    if note.inputs is not None:
        opened = show(note.inputs, note.values, notes, path=path)
        return Shown(path=path, label=label, kind=ShownKind.GROUP, text=note.text, children=opened)
    return Shown(
        path=path,
        label=label,
        kind=note.kind or KINDS.get(name) or _BY_TYPE[type_.kind],
        raw=None if note.kind is _GROUP else value,
        asset=note.asset,
        unlimited=note.unlimited,
        text=note.text,
        part=note.part,
        children=note.children,
    )


def _children(
    type_: AbiType, values: tuple[Value, ...], notes: Mapping[str, Note], path: str, *, label: str, name: str
) -> tuple[Shown, ...]:
    if type_.item is None:
        return show(type_.components, values, notes, path=path)
    item = type_.item
    return tuple(
        [
            _shown(item, value, notes, f"{path}.[{number}]", f"{label} {number + 1}", name)
            for number, value in enumerate(values)
        ]
    )
