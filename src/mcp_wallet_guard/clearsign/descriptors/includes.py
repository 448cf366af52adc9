"""Files that include files, merged into one document within one root.

A descriptor is read from a set of files that the owner installed; nothing is ever fetched. An include is a relative
path from its own file, and must end inside the set: absolute paths, URLs, paths that leave the root and cycles are
refused. The including file wins, fields of one path are merged, others appended. Source: ERC-7730, "Organizing files".
Threat: T-021.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from mcp_wallet_guard import strict_json
from mcp_wallet_guard.clearsign.descriptors.limits import MAX_BYTES, MAX_DEPTH, MAX_INCLUDES, refuse
from mcp_wallet_guard.clearsign.descriptors.paths import parse_path
from mcp_wallet_guard.errors import InvalidInput

Document = dict[str, Any]

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+ -]{0,254}")
_EXCLUSIVE: Final = tuple(
    {name, f"{name}Path"} for name in ("token", "collection", "callee", "selector", "amount", "spender", "chainId")
)
"""Parameters of which a format takes one: who overrides either overrides both."""


def read(documents: Mapping[str, bytes], name: str, /) -> Document:
    """The JSON object in the file `name`. Raises InvalidInput("invalid_input.descriptor")."""
    check_name(name)
    raw = documents.get(name)
    if type(raw) is not bytes or len(raw) > MAX_BYTES:
        refuse("no such file, or a file that is too large")
    try:
        document = strict_json.loads(raw, max_depth=MAX_DEPTH)
    except ValueError:
        refuse("a file is not strict JSON")
    if type(document) is not dict:
        refuse("a descriptor is an object")
    return document


def chain_of(documents: Mapping[str, bytes], name: str, /) -> tuple[tuple[str, Document], ...]:
    """The file `name`, the one that it includes, and so on; the last includes none."""
    found: dict[str, Document] = {}
    while True:
        if name in found or len(found) == MAX_INCLUDES:
            refuse("includes go round in a circle, or too far")
        found[name] = document = read(documents, name)
        target = document.get("includes")
        if target is None:
            return tuple(found.items())
        name = resolve(target, base=name)


def check_name(name: object, /) -> None:
    """Raises InvalidInput unless `name` is the relative path of a file inside a root, spelled plainly."""
    if type(name) is not str or len(name) > 1024 or not all(_NAME.fullmatch(part) for part in name.split("/")):
        refuse("a file's name is a relative path of letters, digits, dots, dashes and underscores")


def resolve(target: object, /, *, base: str) -> str:
    """The file in the root that `target`, an include of the file `base`, names. Raises InvalidInput."""
    if type(target) is not str:
        refuse("an include is a relative path")
    folder = base.split("/")[:-1]
    for part in target.split("/"):
        if part == "..":
            if not folder:
                refuse("an include leaves the root")
            folder.pop()
        elif part != ".":
            folder.append(part)
    found = "/".join(folder)
    check_name(found)
    return found


def merged(files: tuple[tuple[str, Document], ...], /) -> Document:
    """One document of a `chain_of` files, in which each file wins over those that it includes."""
    document: Document = {}
    for _, each in reversed(files):
        document = overlaid(document, {key: value for key, value in each.items() if key != "includes"})
    return document


def overlaid(below: Document, above: Document, /) -> Document:
    """Both, with `above` winning: objects merged key by key, ``fields`` by their paths, all else replaced."""
    found = dict(below)
    for key, value in above.items():
        old = found.get(key)
        if key == "fields" and type(old) is list and type(value) is list:
            found[key] = _fields(old, value)
        elif key == "params" and type(old) is dict and type(value) is dict:
            found[key] = params(old, value)
        elif key != "visible" and type(old) is dict and type(value) is dict:
            found[key] = overlaid(old, value)
        else:
            found[key] = value
    return found


def params(below: Document, above: Document, /) -> Document:
    """Parameters, of which those `above` win, also over their alternatives."""
    ousted = {name for pair in _EXCLUSIVE if not pair.isdisjoint(above) for name in pair}
    return {key: value for key, value in below.items() if key not in ousted} | above


def _fields(below: list[Any], above: list[Any]) -> list[Any]:
    found = list(below)
    places = {_place(field): number for number, field in reversed(list(enumerate(found)))}
    for field in above:
        place = _place(field)
        if place is None or place not in places:
            found.append(field)
        else:
            number = places[place]
            found[number] = overlaid(found[number], field)
    return found


def _place(field: object) -> str | None:
    """The one spelling of a field's path, None without one."""
    path = field.get("path") if type(field) is dict else None
    if path is None:
        return None
    try:
        return parse_path(path).text
    except InvalidInput:
        return None
