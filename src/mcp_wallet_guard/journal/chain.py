"""The hash chain: each entry names the hash of the one before it. Arithmetic only; stores keep the bytes.

``hash(entry) = SHA-256(tag || RFC 8785(entry without hash))``. Entries written while the vault was locked are marked
``sealed: false``; the next unlock checks that they follow on and adopts them. Threat: T-088, T-091.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, final

import rfc8785

from mcp_wallet_guard.errors import Tampered
from mcp_wallet_guard.journal.events import GENESIS, VERSION, Event, Kind, RowChange

_TAG: Final = b"mcp-wallet-guard/journal/v1\x00"
_KEYS: Final = frozenset({"v", "index", "at", "kind", "subject", "data", "rows", "prev", "sealed"})


@final
@dataclass(frozen=True, slots=True)
class Head:
    """The last entry: `index` counts from 0, and -1 with `hash` GENESIS is the empty journal."""

    index: int = -1
    hash: bytes = GENESIS


@final
@dataclass(frozen=True, slots=True)
class Entry:
    """One link: the canonical `body` and its hash."""

    index: int
    body: bytes
    hash: bytes

    @property
    def fields(self) -> dict[str, Any]:
        """The parsed body."""
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed

    @property
    def head(self) -> Head:
        """This entry as the head of the chain that ends with it."""
        return Head(self.index, self.hash)


def append(head: Head, event: Event, /, *, rows: Iterable[RowChange] = (), sealed: bool = True) -> Entry:
    """The entry that follows `head`."""
    body = rfc8785.dumps(
        {
            "v": VERSION,
            "index": head.index + 1,
            "at": event.at,
            "kind": event.kind.value,
            "subject": event.subject,
            "data": event.data,
            "rows": [list(row) for row in rows],
            "prev": head.hash.hex(),
            "sealed": sealed,
        }
    )
    return Entry(head.index + 1, body, _hash(body))


def follow(head: Head, entries: Iterable[Entry], /) -> Iterator[Entry]:
    """Yield `entries` while each follows on from the one before, starting after `head`.

    Raises Tampered("tampered.journal") at the first that does not: another index, another previous hash, a body that
    is not canonical, an unknown kind, key or version, a hash that does not match.
    """
    for entry in entries:
        fields = _parse(entry)
        if fields["index"] != entry.index or entry.index != head.index + 1 or fields["prev"] != head.hash.hex():
            raise Tampered("tampered.journal", detail=f"entry {entry.index} does not follow entry {head.index}")
        head = entry.head
        yield entry


def verify(entries: Iterable[Entry], /, *, start: Head | None = None) -> Head:
    """The head after all `entries`. Raises Tampered("tampered.journal"), naming the first bad entry in `detail`."""
    head = Head() if start is None else start
    for entry in follow(head, entries):
        head = entry.head
    return head


def _parse(entry: Entry) -> dict[str, Any]:
    try:
        fields = json.loads(entry.body)
        kinds = {kind.value for kind in Kind}
        valid = (
            isinstance(fields, dict)
            and set(fields) == _KEYS
            and rfc8785.dumps(fields) == entry.body
            and fields["v"] == VERSION
            and fields["kind"] in kinds
            and type(fields["index"]) is int
            and type(fields["sealed"]) is bool
        )
    except (ValueError, TypeError, RecursionError):
        valid, fields = False, {}
    if not valid or _hash(entry.body) != entry.hash:
        raise Tampered("tampered.journal", detail=f"entry {entry.index} is not what was written")
    return dict(fields)


def _hash(body: bytes) -> bytes:
    return hashlib.sha256(_TAG + body).digest()
