"""The anchor: a small file beside the vault that names the store and the journal's head.

A store alone cannot tell that all of it was put back to an earlier day; the anchor can. It moves on after the commit
of each consume and before the signature. Whoever puts back vault, anchor and store together is not found out.

It is written in place, in the slot that is free, and then frees the other: a crash leaves one whole anchor, and an
older one does not stay where it could be chosen. Functions here block: call them in a worker thread. Specified in
docs/formats/state-store.md. Source: ADR 0202. Threat: T-070, T-071.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, final

from mcp_wallet_guard import strict_json
from mcp_wallet_guard.canonical import canonical_bytes
from mcp_wallet_guard.errors import Locked, Tampered
from mcp_wallet_guard.journal import chain
from mcp_wallet_guard.journal.chain import Head
from mcp_wallet_guard.journal.events import GENESIS
from mcp_wallet_guard.stores import files

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_wallet_guard.secret import Secret
    from mcp_wallet_guard.stores.base import SealedHead, StateStore

VERSION: Final = 1
SLOT_BYTES: Final = 4096
"""One slot: a disk writes what is in one sector of it whole, and what is in the other slot not at all."""
FILE_BYTES: Final = 2 * SLOT_BYTES
_TAG: Final = b"mcp-wallet-guard/anchor/v1\x00"
_BODY: Final = ("v", "seq", "store_id", "index", "hash")
_FREE: Final = bytes(SLOT_BYTES)
_ID: Final = re.compile(r"[0-9a-f]{32}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """Which store, and the journal's head when it was written."""

    store_id: str
    journal: Head


def anchor_of(head: SealedHead, /) -> Anchor:
    """The anchor of a store whose sealed head is `head`."""
    return Anchor(store_id=head.store_id, journal=head.journal)


FORGED: Final = Anchor(store_id="", journal=Head(-1, GENESIS))
"""What a file that does not verify is read as: it names no store, so every store is foreign to it."""


class AnchorState(StrEnum):
    """How a store stands to its anchor. `MATCHES` and `AHEAD` let spending go on; all others block it."""

    MATCHES = "matches"
    AHEAD = "ahead"
    MISSING = "missing"
    FOREIGN = "foreign"
    BEHIND = "behind"
    FORKED = "forked"

    @property
    def blocks(self) -> bool:
        """Whether the owner must acknowledge the store first. An `AHEAD` anchor is repaired by writing it anew."""
        return self not in {AnchorState.MATCHES, AnchorState.AHEAD}


@final
class AnchorFile:
    """The anchor at `path`, for as long as the vault is unlocked. Owns `key`; `close` wipes it."""

    def __init__(self, path: Path, key: Secret, /) -> None:
        self._path: Final = path
        self._key: Final = key
        self._newest: tuple[int, int] | None = None

    def read(self) -> Anchor | None:
        """The anchor, None when there is none, FORGED when it is not one that `key` made.

        Raises Misconfigured("misconfigured.permissions") for a file that is not private, Unavailable for one that
        the disk does not give.
        """
        data = files.read_file(self._path, limit=FILE_BYTES)
        found = [] if data is None else self._verified(data)
        if not found:
            return None if data is None else FORGED
        fields, place = max(found, key=lambda each: int(each[0]["seq"]))
        self._newest = fields["seq"], place
        return Anchor(store_id=fields["store_id"], journal=Head(fields["index"], bytes.fromhex(fields["hash"])))

    def write(self, anchor: Anchor, /) -> None:
        """Put `anchor` in the file's place, durably, all or nothing; what it replaces is gone. ValueError for FORGED.

        Raises Misconfigured("misconfigured.permissions") for a place that is not private, Unavailable when the disk is
        full or fails.
        """
        if self._newest is None:
            self.read()
        seq, old = (-1, SLOT_BYTES) if self._newest is None else self._newest
        slot, place = self._slot(anchor, seq + 1), SLOT_BYTES - old
        # The older one is freed, not kept: beside an older store it would be a choice.
        if self._newest is None or not files.overwrite(self._path, ((place, slot), (old, _FREE)), size=FILE_BYTES):
            files.replace_file(self._path, slot + _FREE)
            place = 0
        self._newest = seq + 1, place

    def close(self) -> None:
        """Wipe the key. Idempotent."""
        self._key.wipe()

    def _slot(self, anchor: Anchor, seq: int) -> bytes:
        body: dict[str, Any] = {
            "v": VERSION,
            "seq": seq,
            "store_id": anchor.store_id,
            "index": anchor.journal.index,
            "hash": anchor.journal.hash.hex(),
        }
        if not _has_shape(body):
            raise ValueError("not an anchor")
        return _render({**body, "mac": self._mac(body).hex()}).ljust(SLOT_BYTES, b"\x00")

    def _verified(self, data: bytes) -> list[tuple[dict[str, Any], int]]:
        """The fields of each slot that holds what `key` made, and its place. Any other is one that a crash left half
        written, or somebody else's."""
        found: list[tuple[dict[str, Any], int]] = []
        for place in (0, SLOT_BYTES) if len(data) == FILE_BYTES else ():
            fields = _parse(data[place : place + SLOT_BYTES])
            if fields is not None and hmac.compare_digest(self._mac(fields), bytes.fromhex(fields["mac"])):
                found.append((fields, place))
        return found

    def _mac(self, fields: dict[str, Any]) -> bytes:
        body = canonical_bytes({name: fields[name] for name in _BODY})
        with self._key.reveal() as view:
            return hmac.digest(view, _TAG + body, "sha256")


async def compare(anchor: Anchor | None, store: StateStore, /) -> AnchorState:
    """How the unsealed `store` stands to `anchor`. Raises Locked while it is sealed.

    AHEAD says that the anchor's entry is in the journal and that the chain from there to the sealed head verifies.
    """
    if anchor is None:
        return AnchorState.MISSING
    head = store.head
    if head is None:
        raise Locked
    if anchor.store_id != head.store_id:
        return AnchorState.FOREIGN
    if anchor.journal == head.journal:
        return AnchorState.MATCHES
    if anchor.journal.index > head.journal.index:
        return AnchorState.BEHIND
    entries = await store.journal(since=anchor.journal.index + 1)
    try:
        reached = chain.verify(entries[: head.journal.index - anchor.journal.index], start=anchor.journal)
    except Tampered:
        return AnchorState.FORKED
    return AnchorState.AHEAD if reached == head.journal else AnchorState.FORKED


def _parse(slot: bytes) -> dict[str, Any] | None:
    """The fields of a well-formed slot: exactly the bytes that `AnchorFile.write` writes for them."""
    line = slot.rstrip(b"\x00")
    try:
        fields = strict_json.loads(line)
        valid = (
            type(fields) is dict
            and fields.keys() == {*_BODY, "mac"}
            and _has_shape(fields)
            and _HASH.fullmatch(fields["mac"]) is not None
            and _render(fields) == line
        )
    except (ValueError, TypeError, RecursionError):
        return None
    return fields if valid else None


def _has_shape(fields: dict[str, Any]) -> bool:
    return (
        type(fields["v"]) is int
        and fields["v"] == VERSION
        and all(type(fields[name]) is int and fields[name] >= 0 for name in ("seq", "index"))
        and _ID.fullmatch(fields["store_id"]) is not None
        and _HASH.fullmatch(fields["hash"]) is not None
    )


def _render(fields: dict[str, Any]) -> bytes:
    return canonical_bytes(fields) + b"\n"
