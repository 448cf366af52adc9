"""What an answer of a node may look like: each of these takes a part of one and gives it back, or says that it lies.

Source: Ethereum execution APIs (quantities and data). Threat: T-042, T-057.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from mcp_wallet_guard.errors import Unavailable

MAX_DATA_BYTES: Final = 65_536
MAX_LOGS: Final = 16
_QUANTITY: Final = re.compile(r"0x(?:0|[1-9a-f][0-9a-f]{0,63})")
_HASH: Final = re.compile(r"0x[0-9a-f]{64}")
_BYTES: Final = re.compile(r"0x(?:[0-9a-fA-F]{2})*")


def lied(what: str, /) -> Unavailable:
    """The error for a claim that cannot be true. `what` is ours, never the node's."""
    return Unavailable("unavailable.node_lied", detail=what)


def garbled(what: str, /) -> Unavailable:
    """The error for an answer that is none. `what` is ours, never the node's."""
    return Unavailable("unavailable.node", detail=what)


def quantity(limit: int, /) -> Callable[[object], str]:
    def accept(value: object) -> str:
        if not isinstance(value, str) or _QUANTITY.fullmatch(value) is None or int(value, 16) > limit:
            raise lied("a quantity that cannot be")
        return value

    return accept


def hash_of_32(value: object) -> str:
    if not isinstance(value, str) or _HASH.fullmatch(value) is None:
        raise lied("a hash that is none")
    return value


def data(value: object) -> str:
    if not isinstance(value, str) or len(value) > 2 * MAX_DATA_BYTES + 2 or _BYTES.fullmatch(value) is None:
        raise lied("bytes that are none")
    return value


def word(value: object) -> str:
    """What stands in one slot of storage."""
    found = data(value)
    if len(found) != 66:
        raise lied("a word that is none")
    return found


def logs(value: object) -> list[dict[str, Any]]:
    """Of the first `MAX_LOGS` logs who wrote them, and their topics."""
    if not isinstance(value, list):
        raise lied("logs that are none")
    return [_log(each) for each in value[:MAX_LOGS]]


def _log(value: object) -> dict[str, Any]:
    topics = value.get("topics") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(topics, list) or not 1 <= len(topics) <= 4:
        raise lied("a log that is none")
    emitter = data(value.get("address"))
    if len(emitter) != 42:
        raise lied("a log of nobody")
    return {"address": emitter, "topics": [word(each) for each in topics]}


def optional(accept: Callable[[object], str], /) -> Callable[[object], str | None]:
    """The same where there is something, None where there is nothing."""
    return lambda value: None if value is None else accept(value)


def fields(**accept: Callable[[object], str | None]) -> Callable[[object], dict[str, str] | None]:
    """An object or null; of the object exactly these fields, all of them required unless they are `optional`."""

    def reduce(value: object) -> dict[str, str] | None:
        if value is None:
            return None
        if not isinstance(value, dict):
            raise lied("not an object")
        found = ((name, check(value.get(name))) for name, check in accept.items())
        return {name: accepted for name, accepted in found if accepted is not None}

    return reduce
