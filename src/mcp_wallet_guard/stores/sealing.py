"""What a store seals under the vault's row key: rows, journal entries, the head, and the sum of what is live.

Every key is derived with the store's id as salt, so nothing of another store, or of the same place before it was made
anew, verifies. Specified in docs/formats/state-store.md. Threat: T-070, T-088.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic_core import to_json

from mcp_wallet_guard.errors import Tampered
from mcp_wallet_guard.journal.chain import Entry, Head
from mcp_wallet_guard.secret import Secret
from mcp_wallet_guard.stores.base import SealedHead

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp_wallet_guard.evidence import Column
    from mcp_wallet_guard.stores.tables import Table

STORE_ID_BYTES: Final = 16
_INFO: Final = "mcp-wallet-guard/store/v1/"
_MODULUS: Final = 2**256


@final
class StoredRow(NamedTuple):
    """A row as it lies in a store: unverified until `Ledger.check` compared it."""

    values: tuple[Column, ...]
    entry: int
    mac: bytes


@final
class StoredHead(NamedTuple):
    """The head as it lies in a store. `live_sum` is masked."""

    store_id: str
    journal_index: int
    journal_hash: bytes
    live_sum: bytes
    highest_time: int
    mac: bytes


@final
@dataclass(frozen=True, slots=True)
class StoredEntry:
    """A journal entry as it lies in a store. `mac` is None from a locked vault until the next unlock adopts it."""

    entry: Entry
    subject: str
    mac: bytes | None


@final
class Keys:
    """The keys of one store, derived from the vault's row key. `wipe` them when the vault locks."""

    __slots__ = ("_entry", "_head", "_live", "_mask", "_row", "store_id")

    def __init__(self, key: Secret, /, *, store_id: str) -> None:
        """Derive; `key` stays the caller's. Raises Tampered("tampered.store") for an id of another shape."""
        try:
            salt = bytes.fromhex(store_id)
        except ValueError:
            salt = b""
        if len(salt) != STORE_ID_BYTES or salt.hex() != store_id:
            raise Tampered("tampered.store", detail="the store's id is not one")
        self.store_id: Final = store_id
        self._row: Final = _derive(key, salt, "row")
        self._entry: Final = _derive(key, salt, "entry")
        self._head: Final = _derive(key, salt, "head")
        self._live: Final = _derive(key, salt, "live")
        self._mask: Final = _derive(key, salt, "mask")

    def row_mac(self, table: Table, values: Sequence[Column], entry: int, /) -> bytes:
        """The MAC over table, all columns and the index of the entry that last changed the row."""
        columns = [
            [name, [value.hex()] if isinstance(value, bytes) else value]
            for name, value in zip(table.names, values, strict=True)
        ]
        return _mac(self._row, [table.name, entry, columns])

    def entry_mac(self, entry: Entry, /) -> bytes:
        """The MAC of one journal entry."""
        return _mac(self._entry, [entry.index, entry.hash.hex()])

    def contribution(self, mac: bytes, /) -> int:
        """What a live row adds to the sum. It is kept nowhere: the sum of numbers that an attacker can read could be
        matched by another set of old rows (generalised birthday)."""
        with self._live.reveal() as key:
            return int.from_bytes(hmac.digest(key, mac, "sha256"))

    def seal(self, head: SealedHead, /) -> StoredHead:
        """The form in which a store keeps `head`."""
        masked = add(head.live_sum, self._masking(head.journal))
        return StoredHead(
            head.store_id, head.journal.index, head.journal.hash, masked, head.highest_time,
            self._head_mac(head.store_id, head.journal, masked, head.highest_time),
        )  # fmt: skip

    def open(self, stored: StoredHead, /) -> SealedHead:
        """The head, verified. Raises Tampered("tampered.store")."""
        journal = Head(stored.journal_index, stored.journal_hash)
        expected = self._head_mac(stored.store_id, journal, stored.live_sum, stored.highest_time)
        if stored.store_id != self.store_id or not hmac.compare_digest(expected, stored.mac):
            raise Tampered("tampered.store", detail="the store's head does not verify")
        return SealedHead(
            store_id=stored.store_id,
            journal=journal,
            live_sum=add(stored.live_sum, -self._masking(journal)),
            highest_time=stored.highest_time,
        )

    def wipe(self) -> None:
        """Overwrite all keys. Idempotent."""
        for key in (self._row, self._entry, self._head, self._live, self._mask):
            key.wipe()

    def _masking(self, journal: Head) -> int:
        return int.from_bytes(_mac(self._mask, [journal.index, journal.hash.hex()]))

    def _head_mac(self, store_id: str, journal: Head, masked: bytes, highest_time: int) -> bytes:
        return _mac(self._head, [store_id, journal.index, journal.hash.hex(), masked.hex(), highest_time])


def add(total: bytes, number: int, /) -> bytes:
    """(`total` + `number`) mod 2**256, as 32 bytes."""
    return ((int.from_bytes(total) + number) % _MODULUS).to_bytes(32)


def canonical(value: list[object], /) -> bytes:
    """RFC 8785 of nested arrays of str, int and None, which pydantic's writer already gives, and fast."""
    return to_json(value)


def _mac(key: Secret, value: list[object]) -> bytes:
    with key.reveal() as view:
        return hmac.digest(view, canonical(value), "sha256")


def _derive(key: Secret, salt: bytes, label: str) -> Secret:
    with key.reveal() as view:
        derived = HKDF(SHA256(), 32, salt, (_INFO + label).encode("ascii")).derive(view)
    return Secret(bytearray(derived))
