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
from mcp_wallet_guard.stores import files
from mcp_wallet_guard.stores.anchor import FORGED, Anchor, AnchorFile, AnchorState, anchor_of, compare
from mcp_wallet_guard.stores.sqlite import SqliteStore
from tests.database import execute
from tests.processes import fill_disk, in_child
from tests.stores.samples import NOW, account, copy_of, event, filled, opened, remove, replace, writing

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


def anchor_at(store: SqliteStore) -> Anchor:
    assert store.head is not None
    return anchor_of(store.head)


def anchor(index: int) -> Anchor:
    return Anchor(store_id="ab" * 16, journal=Head(index, bytes([index]) * 32))


def read(path: Path) -> Anchor | None:
    """As the next unlock reads it."""
    return AnchorFile(path, key()).read()


def slots(path: Path) -> list[bytes]:
    data = path.read_bytes()
    assert len(data) == 8192
    return [data[:4096].rstrip(b"\0"), data[4096:].rstrip(b"\0")]


def put(path: Path, *each: bytes) -> None:
    path.write_bytes(b"".join(line.ljust(4096, b"\0") for line in each))


# --- the file -----------------------------------------------------------------------------------------------------


def test_what_was_written_is_read(path: Path) -> None:
    assert read(path) is None
    file = AnchorFile(path, key())
    for index in (0, 7, 8, 3):
        file.write(anchor(index))
        assert read(path) == anchor(index)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["vault.anchor"]


def test_each_unlock_goes_on_from_what_is_there(path: Path) -> None:
    for index in range(5):
        AnchorFile(path, key()).write(anchor(index))
        assert read(path) == anchor(index)
        line = next(line for line in slots(path) if line)
        assert json.loads(line)["seq"] == index


def test_the_file_is_as_the_format_page_says(path: Path) -> None:
    file = AnchorFile(path, key())
    file.write(ANCHOR)
    first, second = slots(path)
    fields = json.loads(first)
    assert (first, second) == (rfc8785.dumps(fields) + b"\n", b"")
    assert {name: fields[name] for name in fields if name != "mac"} == {
        "v": 1, "seq": 0, "store_id": "ab" * 16, "index": 7, "hash": bytes(range(32)).hex(),
    }  # fmt: skip
    file.write(anchor(8))
    first, second = slots(path)
    assert (first, json.loads(second)["seq"]) == (b"", 1)


def test_an_older_anchor_does_not_stay_in_the_file(path: Path) -> None:
    """T-070: who has an older store finds no anchor for it beside the newer one."""
    file = AnchorFile(path, key())
    for index in range(4):
        file.write(anchor(index))
        free, used = sorted(slots(path))
        assert (free, json.loads(used)["seq"]) == (b"", index)
        assert slots(path).index(used) == index % 2, "a slot that is in use is not written over"


def test_the_older_one_is_freed_when_the_newer_one_is_on_the_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = list[tuple[str, int]]()
    real = os.pwrite

    def pwrite(fd: int, data: bytes, at: int) -> int:
        calls.append(("write" if any(data) else "free", at))
        return real(fd, data[:3000], at)  # a disk may take a part

    file = AnchorFile(path, key())
    file.write(anchor(0))
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", pwrite)
        patch.setattr(files, "sync_data", lambda _: calls.append(("wait", 0)))
        file.write(anchor(1))
    assert calls == [("write", 4096), ("free", 7096), ("wait", 0), ("free", 0), ("free", 3000)]
    assert read(path) == anchor(1)


def test_a_crash_before_the_older_one_was_freed_leaves_the_newer_one(path: Path) -> None:
    file = AnchorFile(path, key())
    file.write(anchor(0))
    older, _ = slots(path)
    file.write(anchor(1))
    _, newer = slots(path)
    for both in ((older, newer), (newer, older)):
        put(path, *both)
        assert read(path) == anchor(1)
        AnchorFile(path, key()).write(anchor(2))
        assert read(path) == anchor(2)
        assert sorted(map(bool, slots(path))) == [False, True]


@pytest.mark.parametrize("written", [1, 100, 200, -1])
def test_a_slot_that_a_crash_left_half_written_is_no_anchor(path: Path, written: int) -> None:
    file = AnchorFile(path, key())
    file.write(anchor(0))
    older, _ = slots(path)
    file.write(anchor(1))
    _, newer = slots(path)
    put(path, older, newer[:written])
    assert read(path) == anchor(0)
    AnchorFile(path, key()).write(anchor(2))
    assert read(path) == anchor(2)


def test_what_happens_to_the_file_meanwhile_is_written_over(path: Path) -> None:
    file = AnchorFile(path, key())
    file.write(anchor(0))
    older = path.read_bytes()
    for index, meanwhile in enumerate((b"", b"{}", older, bytes(8192), b" " * 8192, older * 2, None), 1):
        if meanwhile is None:
            path.unlink()
        else:
            path.write_bytes(meanwhile)
        file.write(anchor(index))
        assert read(path) == anchor(index)
        assert len(path.read_bytes()) == 8192


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("v", 2), ("v", True), ("v", "1"), ("store_id", "cd" * 16), ("store_id", ""), ("store_id", None),
        ("index", 8), ("index", -1), ("index", True), ("index", "7"), ("hash", "00" * 32), ("hash", "00"),
        ("hash", None), ("mac", "00" * 32), ("mac", ""), ("mac", None), ("more", 1), ("seq", 1), ("seq", "0"),
        ("seq", -1), ("seq", False),
    ],
)  # fmt: skip
def test_an_edited_anchor_reads_as_forged(path: Path, name: str, value: Any) -> None:
    AnchorFile(path, key()).write(ANCHOR)
    honest, _ = slots(path)
    put(path, rfc8785.dumps({**json.loads(honest), name: value}) + b"\n", b"")
    assert read(path) is FORGED
    put(path, honest, b"")
    assert read(path) == ANCHOR


@pytest.mark.parametrize("data", [b"", b"{}", b"null", b"[]", b"{", b"\xff", b"[" * 1000, b" " * 4096, b"9" * 4096])
def test_bytes_that_are_no_anchor_read_as_forged(path: Path, data: bytes) -> None:
    path.touch(0o600)
    path.write_bytes(data)
    assert read(path) is FORGED
    put(path, data, b"")
    assert read(path) is FORGED


def test_another_spelling_of_an_anchor_reads_as_forged(path: Path) -> None:
    AnchorFile(path, key()).write(ANCHOR)
    honest, _ = slots(path)
    for line in (honest.rstrip(), honest + b"\n", json.dumps(json.loads(honest)).encode(), b" " + honest):
        put(path, line, b"")
        assert read(path) is FORGED
    for data in (honest, honest.ljust(8191, b"\0"), honest.ljust(8193, b"\0"), honest.ljust(4096, b"\0")):
        path.write_bytes(data)
        assert read(path) is FORGED


def test_an_anchor_made_with_another_key_reads_as_forged(path: Path) -> None:
    AnchorFile(path, Secret(bytes(32))).write(ANCHOR)
    assert read(path) is FORGED


def test_a_forged_anchor_is_not_written(path: Path) -> None:
    with pytest.raises(ValueError, match="not an anchor"):
        AnchorFile(path, key()).write(FORGED)
    assert not path.exists()


def test_closing_wipes_the_key(path: Path) -> None:
    own = key()
    file = AnchorFile(path, own)
    file.write(ANCHOR)
    file.close()
    file.close()
    with pytest.raises(ValueError, match="wiped"), own.reveal():
        pass


def test_an_anchor_in_a_place_that_is_not_private_is_refused(path: Path) -> None:
    file = AnchorFile(path, key())
    file.write(ANCHOR)
    path.chmod(0o640)
    with pytest.raises(Misconfigured):
        read(path)
    with pytest.raises(Misconfigured):
        file.write(ANCHOR)
    path.chmod(0o600)
    path.parent.chmod(0o750)
    with pytest.raises(Misconfigured):
        file.write(ANCHOR)
    path.parent.chmod(0o700)
    path.rename(path.with_name("other"))
    path.symlink_to("other")
    with pytest.raises(Misconfigured):
        read(path)
    with pytest.raises(Unavailable):
        file.write(ANCHOR)
    path.unlink()
    os.link(path.with_name("other"), path)
    with pytest.raises(Misconfigured):
        read(path)
    with pytest.raises(Misconfigured):
        file.write(ANCHOR)
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(Misconfigured):
        read(path)
    with pytest.raises(Unavailable):
        file.write(ANCHOR)


def test_what_a_crash_left_behind_is_in_nobodys_way(path: Path) -> None:
    path.with_name("vault.anchor.new").write_bytes(b"half")
    AnchorFile(path, key()).write(ANCHOR)
    assert [each.name for each in path.parent.iterdir()] == ["vault.anchor"]


def test_a_disk_that_takes_no_more_leaves_the_old_anchor(path: Path) -> None:
    file = AnchorFile(path, key())
    file.write(ANCHOR)

    def write() -> None:
        fill_disk(10)
        with pytest.raises(Unavailable):
            file.write(anchor(8))

    assert not in_child(write)
    assert read(path) == ANCHOR
    assert [each.name for each in path.parent.iterdir()] == ["vault.anchor"]


def test_the_first_anchor_needs_room_and_leaves_nothing_without(path: Path) -> None:
    def write() -> None:
        fill_disk(10)
        with pytest.raises(Unavailable):
            AnchorFile(path, key()).write(ANCHOR)

    assert not in_child(write)
    assert list(path.parent.iterdir()) == []


# --- the comparison -----------------------------------------------------------------------------------------------


async def test_a_store_at_its_anchor_matches(database: Path) -> None:
    store = await filled(database)
    state = await compare(anchor_at(store), store)
    assert (state, state.blocks) == (AnchorState.MATCHES, False)
    await store.close()


async def test_a_store_that_went_on_is_ahead(database: Path) -> None:
    """The guard died between the commit and the anchor: that alone is repaired."""
    store = await filled(database)
    then = anchor_at(store)
    for number in range(3):
        await store.transact(writing(account("a", number)), now=NOW)
        state = await compare(then, store)
        assert (state, state.blocks) == (AnchorState.AHEAD, False)
    await store.seal()
    await store.append_unsealed(event("locked"))
    await store.close()
    again = await opened(database)
    assert await compare(then, again) is AnchorState.AHEAD
    await again.close()


async def test_a_store_without_an_anchor_or_with_a_forged_one_is_blocked(database: Path) -> None:
    store = await filled(database)
    for then, expected in ((None, AnchorState.MISSING), (FORGED, AnchorState.FOREIGN)):
        state = await compare(then, store)
        assert (state, state.blocks) == (expected, True)
    await store.close()


async def test_a_store_that_was_put_back_is_behind(database: Path) -> None:
    store = await filled(database)
    await store.close()
    copy = copy_of(database)
    store = await opened(database)
    await store.transact(writing(account()), now=NOW)
    then = anchor_at(store)
    await store.close()
    replace(database, copy)
    old = await opened(database)
    state = await compare(then, old)
    assert (state, state.blocks) == (AnchorState.BEHIND, True)
    for expected in (AnchorState.FORKED, AnchorState.FORKED):  # as long as the anchor, then longer
        await old.transact(writing(account("other")), now=NOW)
        state = await compare(then, old)
        assert (state, state.blocks) == (expected, True)
    await old.close()


@pytest.mark.parametrize("how", ["deleted", "replaced"])
async def test_a_store_that_was_deleted_or_replaced_is_foreign(database: Path, how: str) -> None:
    store = await filled(database)
    then = anchor_at(store)
    await store.close()
    remove(database)
    if how == "replaced":
        await (await filled(database.with_name("theirs.db"))).close()
        replace(database, database.with_name("theirs.db"))
    fresh = await opened(database)
    state = await compare(then, fresh)
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
    then = Anchor(store_id=store.head.store_id, journal=entry.head)
    assert await compare(then, store) is AnchorState.AHEAD
    execute(database, sql)
    assert await compare(then, store) is AnchorState.FORKED
    await store.close()


async def test_a_sealed_store_cannot_be_compared(database: Path) -> None:
    store = await filled(database)
    then = anchor_at(store)
    await store.seal()
    with pytest.raises(Locked):
        await compare(then, store)
    await store.close()
