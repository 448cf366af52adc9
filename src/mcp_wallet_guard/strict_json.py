"""Reading JSON that somebody else wrote: bounded depth, no duplicate keys, no NaN or Infinity.

CPython's parser recurses in C. Where some library raised the recursion limit (py-evm does), deep nesting ends the
process instead of raising, so the depth is measured before the parser sees the bytes. Threat: T-033, T-106.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NoReturn

MAX_DEPTH: Final = 64
_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NOT_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"[]{}")


def loads(raw: bytes, /, *, max_depth: int = MAX_DEPTH) -> Any:
    """The one document that `raw` is, in UTF-8. Raises ValueError with a text of ours, free of the input."""
    check_depth(raw, max_depth=max_depth)
    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise ValueError("not strict JSON") from None


def check_depth(raw: bytes, /, *, max_depth: int = MAX_DEPTH) -> None:
    """Raise ValueError when lists and objects are nested deeper than `max_depth`. Linear; strings are skipped."""
    if raw.count(b"[") + raw.count(b"{") <= max_depth:
        return
    depth = 0
    for sign in _STRING.sub(b"", raw).translate(None, _NOT_BRACKETS):
        depth += 1 if sign in b"[{" else -1
        if depth > max_depth:
            raise ValueError(f"nested deeper than {max_depth}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("duplicate key")
    return document


def _no_constant(_: str) -> NoReturn:
    raise ValueError("no such number in JSON")
