"""A copy of a payload, made of JSON types, and its leaves: values and names in the order in which they stand.

Pure and linear; refuses what JSON does not have. Threat: T-061.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any, Final

from mcp_wallet_guard.filters.leaves import LONG, Leaves

MAX_DEPTH: Final = 64
_LISTS: Final = (list, tuple)


def gather(payload: object, /) -> tuple[Any, Leaves]:
    """The copy and its leaves. Takes JSON types, tuples, and what inherits from them.

    Raises TypeError for any other type and for a key that is not text, ValueError beyond `MAX_DEPTH` levels and for a
    number that JSON does not have.
    """
    leaves = Leaves([], defaultdict(list), [])
    copy = _object(payload.copy(), leaves, 0) if type(payload) is dict else _item(payload, leaves, 0, "")
    return copy, leaves


def _item(value: object, leaves: Leaves, depth: int, name: str) -> Any:
    if isinstance(value, dict):
        return _object(dict(value), leaves, depth)
    if isinstance(value, _LISTS):
        return _list(list(value), leaves, depth, name)
    if value is None or type(value) is bool:
        return value
    copy, text = _leaf(value)
    leaves.texts.append(text)
    if len(text) >= LONG:
        leaves.long[name].append(text)
    return copy


# These two run over every node of every result: the exact types first, the commonest before the others.
def _object(copy: dict[str, Any], leaves: Leaves, depth: int) -> dict[str, Any]:
    if depth >= MAX_DEPTH:
        raise ValueError("too deep")
    texts, long, rows = leaves
    names = tuple(copy)
    done = 0
    for key, item in copy.items():
        if type(key) is not str:
            raise TypeError("a JSON key is text")
        kind = type(item)
        if kind is str:
            texts.append(item)
            if len(item) >= LONG:
                long[key].append(item)
        elif item is not None and kind is not bool:
            mark = len(rows)
            if kind is list:
                copy[key] = _list(item.copy(), leaves, depth + 1, key)
            else:
                copy[key] = _item(item, leaves, depth + 1, key)
            if len(rows) != mark:
                end = names.index(key) + 1
                rows.insert(mark, names[done:end])
                done = end
    if done < len(names):
        rows.append(names[done:])
    return copy


def _list(copy: list[Any], leaves: Leaves, depth: int, name: str) -> list[Any]:
    if depth >= MAX_DEPTH:
        raise ValueError("too deep")
    texts, long, _ = leaves
    for place, item in enumerate(copy):
        kind = type(item)
        if kind is str:
            texts.append(item)
            if len(item) >= LONG:
                long[name].append(item)
        elif kind is dict:
            copy[place] = _object(item.copy(), leaves, depth + 1)
        else:
            copy[place] = _item(item, leaves, depth + 1, name)
    return copy


def _leaf(value: object) -> tuple[object, str]:
    """A value that holds no others, and how it reads."""
    if isinstance(value, str):
        return str(value), str(value)
    if isinstance(value, int):
        return int(value), f"{value:d}" if abs(value) < 1 << 4096 else f"{value:x}"
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("not a JSON number")
        return value, repr(value)
    raise TypeError("not a JSON type")
