"""The anchor finds a store that was put back, replaced, deleted or forked, and repairs nothing but a late write.

Threat: T-070, T-071, T-072.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
import rfc8785

from mcp_wallet_guard.errors import Locked, Misconfigured, Unavailable
from mcp_wallet_guard.journal.chain import Head
from mcp_wallet_guard.secret import Secret
from mcp_wallet_guard.stores.anchor import FORGED, Anchor, AnchorState, compare, read_anchor, write_anchor
from mcp_wallet_guard.stores.sqlite import SqliteStore
from tests.processes import fill_disk, in_child
from tests.stores.samples import NOW, account, attack, copy_of, event, filled, opened, remove, replace, writing

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

ANCHOR = Anchor(store_id="ab" * 16, journal=Head(7, bytes(range(32))))


def key() -> Secret:
    return Secret(bytes(range(1, 33)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vault.anchor"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def anchor_of(store: SqliteStore) -> Anchor:
    assert store.head is not None
    return Anchor(store_id=store.head.store_id, journal=store.head.journal)


# --- the file -----------------------------------------------------------------------------------------------------


def test_what_was_written_is_read(path: Path) -> None:
    assert read_anchor(path, key()) is None
    for index in (0, 7, 8):
        anchor = Anchor(store_id="ab" * 16, journal=Head(index, bytes([index]) * 32))
        write_anchor(path, anchor, key())
        assert read_anchor(path, key()) == anchor
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["vault.anchor"]


def test_the_file_is_as_the_format_page_says(path: Path) -> None:
    write_anchor(path, ANCHOR, key())
    fields = json.loads(path.read_bytes())
    assert path.read_bytes() == rfc8785.dumps(fields) + b"\n"
    assert {name: fields[name] for name in fields if name != "mac"} == {
        "v": 1, "store_id": "ab" * 16, "index": 7, "hash": bytes(range(32)).hex(),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("v", 2), ("v", True), ("v", "1"), ("store_id", "cd" * 16), ("store_id", ""), ("store_id", None),
        ("index", 8), ("index", -1), ("index", True), ("index", "7"), ("hash", "00" * 32), ("hash", "00"),
        ("hash", None), ("mac", "00" * 32), ("mac", ""), ("mac", None), ("more", 1),
    ],
)  # fmt: skip
def test_an_edited_anchor_reads_as_forged(path: Path, name: str, value: Any) -> None:
    write_anchor(path, ANCHOR, key())
    honest = path.read_bytes()
    path.write_bytes(rfc8785.dumps({**json.loads(honest), name: value}) + b"\n")
    assert read_anchor(path, key()) is FORGED
    path.write_bytes(honest)
    assert read_anchor(path, key()) == ANCHOR


@pytest.mark.parametrize("data", [b"", b"{}", b"null", b"[]", b"{", b"\xff", b"[" * 1000, b" " * 5000, b"9" * 1000])
def test_bytes_that_are_no_anchor_read_as_forged(path: Path, data: bytes) -> None:
    path.touch(0o600)
    path.write_bytes(data)
    assert read_anchor(path, key()) is FORGED


def test_another_spelling_of_an_anchor_reads_as_forged(path: Path) -> None:
    write_anchor(path, ANCHOR, key())
    honest = path.read_bytes()
    for data in (honest.rstrip(), honest + b"\n", json.dumps(json.loads(honest)).encode(), b" " + honest):
        path.write_bytes(data)
        assert read_anchor(path, key()) is FORGED


def test_an_anchor_made_with_another_key_reads_as_forged(path: Path) -> None:
    write_anchor(path, ANCHOR, Secret(bytes(32)))
    assert read_anchor(path, key()) is FORGED


def test_a_forged_anchor_is_not_written(path: Path) -> None:
    with pytest.raises(ValueError, match="not an anchor"):
        write_anchor(path, FORGED, key())
    assert not path.exists()


def test_an_anchor_in_a_place_that_is_not_private_is_refused(path: Path) -> None:
    write_anchor(path, ANCHOR, key())
    path.chmod(0o640)
    with pytest.raises(Misconfigured):
        read_anchor(path, key())
    with pytest.raises(Misconfigured):
        write_anchor(path, ANCHOR, key())
    path.chmod(0o600)
    path.parent.chmod(0o750)
    with pytest.raises(Misconfigured):
        write_anchor(path, ANCHOR, key())
    path.parent.chmod(0o700)
    path.rename(path.with_name("other"))
    path.symlink_to("other")
    with pytest.raises(Misconfigured):
        read_anchor(path, key())
    path.unlink()
    os.link(path.with_name("other"), path)
    with pytest.raises(Misconfigured):
        read_anchor(path, key())
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(Misconfigured):
        read_anchor(path, key())


def test_what_a_crash_left_behind_is_in_nobodys_way(path: Path) -> None:
    path.with_name("vault.anchor.new").write_bytes(b"half")
    write_anchor(path, ANCHOR, key())
    assert [each.name for each in path.parent.iterdir()] == ["vault.anchor"]


def test_a_full_disk_leaves_the_old_anchor(path: Path) -> None:
    write_anchor(path, ANCHOR, key())

    def write() -> None:
        fill_disk(10)
        with pytest.raises(Unavailable):
            write_anchor(path, Anchor(store_id="ab" * 16, journal=Head(8, bytes(32))), key())

    assert not in_child(write)
    assert read_anchor(path, key()) == ANCHOR
    assert [each.name for each in path.parent.iterdir()] == ["vault.anchor"]


# --- the comparison -----------------------------------------------------------------------------------------------


async def test_a_store_at_its_anchor_matches(database: Path) -> None:
    store = await filled(database)
    state = await compare(anchor_of(store), store)
    assert (state, state.blocks) == (AnchorState.MATCHES, False)
    await store.close()


async def test_a_store_that_went_on_is_ahead(database: Path) -> None:
    """The guard died between the commit and the anchor: that alone is repaired."""
    store = await filled(database)
    anchor = anchor_of(store)
    for number in range(3):
        await store.transact(writing(account("a", number)), now=NOW)
        state = await compare(anchor, store)
        assert (state, state.blocks) == (AnchorState.AHEAD, False)
    await store.seal()
    await store.append_unsealed(event("locked"))
    await store.close()
    again = await opened(database)
    assert await compare(anchor, again) is AnchorState.AHEAD
    await again.close()


async def test_a_store_without_an_anchor_or_with_a_forged_one_is_blocked(database: Path) -> None:
    store = await filled(database)
    for anchor, expected in ((None, AnchorState.MISSING), (FORGED, AnchorState.FOREIGN)):
        state = await compare(anchor, store)
        assert (state, state.blocks) == (expected, True)
    await store.close()


async def test_a_store_that_was_put_back_is_behind(database: Path) -> None:
    store = await filled(database)
    await store.close()
    copy = copy_of(database)
    store = await opened(database)
    await store.transact(writing(account()), now=NOW)
    anchor = anchor_of(store)
    await store.close()
    replace(database, copy)
    old = await opened(database)
    state = await compare(anchor, old)
    assert (state, state.blocks) == (AnchorState.BEHIND, True)
    for expected in (AnchorState.FORKED, AnchorState.FORKED):  # as long as the anchor, then longer
        await old.transact(writing(account("other")), now=NOW)
        state = await compare(anchor, old)
        assert (state, state.blocks) == (expected, True)
    await old.close()


@pytest.mark.parametrize("how", ["deleted", "replaced"])
async def test_a_store_that_was_deleted_or_replaced_is_foreign(database: Path, how: str) -> None:
    store = await filled(database)
    anchor = anchor_of(store)
    await store.close()
    remove(database)
    if how == "replaced":
        await (await filled(database.with_name("theirs.db"))).close()
        replace(database, database.with_name("theirs.db"))
    fresh = await opened(database)
    state = await compare(anchor, fresh)
    assert (state, state.blocks) == (AnchorState.FOREIGN, True)
    await fresh.close()


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM journal WHERE entry = 7",
        "UPDATE journal SET body = X'7B7D' WHERE entry = 7",
        "DELETE FROM journal WHERE entry > 5",
    ],
)
async def test_a_journal_with_a_hole_behind_the_anchor_is_not_ahead(database: Path, sql: str) -> None:
    store = await filled(database)
    assert store.head is not None
    entry = (await store.journal(since=5))[0]
    anchor = Anchor(store_id=store.head.store_id, journal=entry.head)
    assert await compare(anchor, store) is AnchorState.AHEAD
    attack(database, sql)
    assert await compare(anchor, store) is AnchorState.FORKED
    await store.close()


async def test_a_sealed_store_cannot_be_compared(database: Path) -> None:
    store = await filled(database)
    anchor = anchor_of(store)
    await store.seal()
    with pytest.raises(Locked):
        await compare(anchor, store)
    await store.close()
