"""What a tool's author declared to be public: values of `TxHash`, `Bytes32` and `Signature` in what a tool returned.

They are looked for only after a hit, since the SDK turns every result into plain JSON before it is searched. Pure.
Threat: T-062.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Final

from pydantic import BaseModel

from mcp_wallet_guard.operations.hashes import PUBLIC_TYPES

MAX_NODES: Final = 100_000
"""Values behind these are not looked at, and so not declared."""

_LISTS: Final = (list, tuple, set, frozenset)


def declared_in(returned: object, /) -> frozenset[str]:
    """The texts of all public values in `returned`: in mappings, lists, models and dataclasses."""
    found: set[str] = set()
    level, seen = [returned], {id(returned)}
    for value in level:
        if type(value) in PUBLIC_TYPES:
            found.add(str(value))
            continue
        for item in _items(value):
            if id(item) not in seen and len(level) < MAX_NODES:
                seen.add(id(item))
                level.append(item)
    return frozenset(found)


def _items(value: object) -> list[object]:
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, _LISTS):
        return list(value)
    if isinstance(value, BaseModel):
        return [item for _, item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, each.name) for each in fields(value)]
    return []
