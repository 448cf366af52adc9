"""The hash chain: each entry names the hash of the one before it. Arithmetic only; stores keep the bytes.

``hash(entry) = SHA-256(tag || RFC 8785(entry without hash))``. Entries written while the vault was locked are marked
``sealed: false``; the next unlock checks that they follow on and adopts them. Threat: T-088, T-091.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, final

from mcp_wallet_guard import strict_json
from mcp_wallet_guard.canonical import canonical_bytes
from mcp_wallet_guard.errors import Tampered
from mcp_wallet_guard.journal.events import GENESIS, MAX_TIME, SUBJECT, VERSION, Event, Kind, RowChange

_TAG: Final = b"mcp-wallet-guard/journal/v1\x00"
_TYPES: Final = {
    "v": int, "index": int, "at": int, "kind": str, "subject": str, "data": dict, "rows": list, "prev": str,
    "sealed": bool,
}  # fmt: skip
_KINDS: Final = frozenset(kind.value for kind in Kind)


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
        parsed: dict[str, Any] = strict_json.loads(self.body)
        return parsed

    @property
    def head(self) -> Head:
        """This entry as the head of the chain that ends with it."""
        return Head(self.index, self.hash)


def append(head: Head, event: Event, /, *, rows: Iterable[RowChange] = (), sealed: bool = True) -> Entry:
    """The entry that follows `head`."""
    # The data is canonical already: around it goes what is canonical of all else, whose first keys are at and data.
    others = canonical_bytes(
        {
            "v": VERSION,
            "index": head.index + 1,
            "kind": event.kind.value,
            "subject": event.subject,
            "rows": [list(row) for row in rows],
            "prev": head.hash.hex(),
            "sealed": sealed,
        }
    )
    body = b'{"at":%d,"data":%b,%b' % (event.at, event.canonical_data, others[1:])
    return Entry(head.index + 1, body, _hash(body))


def follow(head: Head, entries: Iterable[Entry], /) -> Iterator[Entry]:
    """Yield `entries` while each follows on from the one before, starting after `head`.

    Raises Tampered("tampered.journal") at the first that does not: another index, another previous hash, a body that
    is not canonical, an unknown kind, key or version, a hash that does not match.
    """
    for entry in entries:
        head = link(head, entry, check(entry))
        yield entry


def verify(entries: Iterable[Entry], /, *, start: Head | None = None) -> Head:
    """The head after all `entries`. Raises Tampered("tampered.journal"), naming the first bad entry in `detail`."""
    head = Head() if start is None else start
    for entry in follow(head, entries):
        head = entry.head
    return head


def link(head: Head, entry: Entry, fields: Mapping[str, Any], /) -> Head:
    """The head after `entry`, of which the caller verified the `fields`. Raises Tampered when it does not follow on."""
    if entry.index != head.index + 1 or fields["prev"] != head.hash.hex():
        raise Tampered("tampered.journal", detail=f"entry {entry.index} does not follow entry {head.index}")
    return entry.head


def is_intact(entry: Entry, /) -> bool:
    """Whether the body has the entry's hash: enough for an entry whose hash is authenticated otherwise."""
    return _hash(entry.body) == entry.hash


def check(entry: Entry, /) -> dict[str, Any]:
    """The fields of one entry, alone: canonical, of this version, of known kind and shape, with the right hash.

    Says nothing about its place in a chain. Raises Tampered("tampered.journal").
    """
    try:
        fields = strict_json.loads(entry.body)
        valid = _has_shape(fields) and fields["index"] == entry.index and canonical_bytes(fields) == entry.body
    except (ValueError, TypeError, RecursionError):
        valid, fields = False, {}
    if not valid or _hash(entry.body) != entry.hash:
        raise Tampered("tampered.journal", detail=f"entry {entry.index} is not what was written")
    return dict(fields)


def _has_shape(fields: Any) -> bool:
    return (
        type(fields) is dict
        and fields.keys() == _TYPES.keys()
        and all(type(fields[name]) is kind for name, kind in _TYPES.items())
        and fields["v"] == VERSION
        and fields["kind"] in _KINDS
        and 0 <= fields["at"] <= MAX_TIME
        and SUBJECT.fullmatch(fields["subject"]) is not None
        and all(_is_row_change(change) for change in fields["rows"])
    )


def _is_row_change(change: Any) -> bool:
    return (
        type(change) is list
        and len(change) == 3
        and all(type(part) is str for part in change[:2])
        and (change[2] is None or type(change[2]) is str)
    )


def _hash(body: bytes) -> bytes:
    return hashlib.sha256(_TAG + body).digest()
