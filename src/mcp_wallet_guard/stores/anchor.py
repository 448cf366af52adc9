"""The anchor: a small file beside the vault that names the store and the journal's head.

A store alone cannot tell that all of it was put back to an earlier day; the anchor can. It is replaced after the commit
of each consume and before the signature. Whoever puts back vault, anchor and store together is not found out.
Functions here block: call them in a worker thread. Specified in docs/formats/state-store.md. Threat: T-070, T-071.
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
    from mcp_wallet_guard.stores.base import StateStore

VERSION: Final = 1
MAX_BYTES: Final = 1024
_TAG: Final = b"mcp-wallet-guard/anchor/v1\x00"
_KEYS: Final = {"v", "store_id", "index", "hash", "mac"}
_ID: Final = re.compile(r"[0-9a-f]{32}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """Which store, and the journal's head when it was written."""

    store_id: str
    journal: Head


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


def read_anchor(path: Path, key: Secret, /) -> Anchor | None:
    """The anchor at `path`, None when there is none, FORGED when it is not one that `key` made.

    Raises Misconfigured("misconfigured.permissions") for a file that is not private, Unavailable for one that
    the disk does not give.
    """
    data = files.read_file(path, limit=MAX_BYTES)
    if data is None:
        return None
    fields = _parse(data)
    if fields is None or not hmac.compare_digest(_mac(fields, key), bytes.fromhex(fields["mac"])):
        return FORGED
    return Anchor(store_id=fields["store_id"], journal=Head(fields["index"], bytes.fromhex(fields["hash"])))


def write_anchor(path: Path, anchor: Anchor, key: Secret, /) -> None:
    """Replace the file, durably, all or nothing. Raises as `files.replace_file` does; ValueError for FORGED."""
    fields: dict[str, Any] = {
        "v": VERSION,
        "store_id": anchor.store_id,
        "index": anchor.journal.index,
        "hash": anchor.journal.hash.hex(),
    }
    data = _render({**fields, "mac": _mac(fields, key).hex()})
    if _parse(data) is None:
        raise ValueError("not an anchor")
    files.replace_file(path, data)


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


def _parse(data: bytes) -> dict[str, Any] | None:
    """The fields of a well-formed file: exactly the bytes that `write_anchor` writes for them."""
    try:
        fields = strict_json.loads(data)
        valid = (
            len(data) <= MAX_BYTES
            and type(fields) is dict
            and fields.keys() == _KEYS
            and type(fields["v"]) is int
            and fields["v"] == VERSION
            and type(fields["index"]) is int
            and fields["index"] >= 0
            and _ID.fullmatch(fields["store_id"]) is not None
            and _HASH.fullmatch(fields["hash"]) is not None
            and _HASH.fullmatch(fields["mac"]) is not None
            and _render(fields) == data
        )
    except (ValueError, TypeError, RecursionError):
        return None
    return fields if valid else None


def _render(fields: dict[str, Any]) -> bytes:
    return canonical_bytes(fields) + b"\n"


def _mac(fields: dict[str, Any], key: Secret) -> bytes:
    body = canonical_bytes({name: fields[name] for name in ("v", "store_id", "index", "hash")})
    with key.reveal() as view:
        return hmac.digest(view, _TAG + body, "sha256")
