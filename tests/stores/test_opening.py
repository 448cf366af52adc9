"""Which files and folders a store accepts, and how it opens them. Threat: T-071."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import apsw
import pytest

from mcp_wallet_guard.errors import Misconfigured, Unavailable
from mcp_wallet_guard.stores import files
from mcp_wallet_guard.stores.sqlite import SqliteStore
from mcp_wallet_guard.stores.sqlite_file import SqliteFile, check_sqlite
from tests.database import execute
from tests.stores.samples import NOW, allow, contents, filled, make, opened, overwrite

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


async def refuses(path: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        await SqliteStore(path).open()
    assert caught.value.code == "misconfigured.permissions"


async def test_a_new_store_is_private(tmp_path: Path) -> None:
    path = tmp_path / "wallet" / "state.db"
    store = await filled(path)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert {each.stat().st_mode & 0o777 for each in path.parent.iterdir()} == {0o600}
    await store.close()


async def test_a_folder_that_others_can_look_into_is_refused(path: Path) -> None:
    for mode in (0o750, 0o701, 0o777, 0o1777):
        allow(path.parent, mode)
        await refuses(path)
    allow(path.parent, 0o700)
    await (await opened(path)).close()


async def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    await refuses(tmp_path / "no" / "such" / "state.db")
    (tmp_path / "file").touch()
    await refuses(tmp_path / "file" / "state.db")


def symlink(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def hardlink(path: Path) -> None:
    os.link(path, path.with_name("second"))


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir(0o700)


def loose(path: Path) -> None:
    path.chmod(0o640)


def given_away(path: Path) -> None:
    os.chown(path, 1234, -1)


TRICKS = [
    symlink, hardlink, fifo, folder, loose,
    pytest.param(given_away, marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")),
]  # fmt: skip


@pytest.mark.parametrize("name", ["state.db", "state.db-journal", "state.db-wal", "state.db-shm"])
@pytest.mark.parametrize("trick", TRICKS)
async def test_a_file_that_is_not_plainly_ours_is_refused(path: Path, name: str, trick: Callable[[Path], None]) -> None:
    """The database, and the files beside it that SQLite would trust as much."""
    await (await filled(path)).close()
    target = path.with_name(name)
    make(target)
    trick(target)
    await refuses(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives folders away")
async def test_a_folder_of_somebody_else_is_refused(path: Path) -> None:
    os.chown(path.parent, 1234, -1)
    await refuses(path)
    os.chown(path.parent, os.geteuid(), -1)


@pytest.mark.parametrize("damage", [b"not a database at all, but long enough to look" * 100, None])
async def test_a_damaged_file_is_unavailable_and_left_as_it_is(path: Path, damage: bytes | None) -> None:
    await (await filled(path)).close()
    whole = contents(path)
    raw = damage if damage is not None else whole[:8192] + os.urandom(len(whole) - 16384) + whole[-8192:]
    overwrite(path, raw)
    with pytest.raises(Unavailable) as caught:
        await SqliteStore(path).open()
    assert caught.value.code == "unavailable.store"
    assert contents(path) == raw


async def test_the_pragmas_that_protect_are_on(path: Path) -> None:
    file = SqliteFile(path, faults=None)
    expected = {
        "journal_mode": "wal", "synchronous": 2, "secure_delete": 1, "trusted_schema": 0, "foreign_keys": 1,
        "cell_size_check": 1,
    }  # fmt: skip
    assert {name: file.run(name, f"PRAGMA {name}")[0][0] for name in expected} == expected
    file.close()


@pytest.mark.parametrize("version", ["3.40.1", "3.51.2", "3.9.0"])
def test_an_sqlite_whose_write_ahead_log_may_be_damaged_is_refused(version: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        check_sqlite(version)
    assert refused.value.detail == f"SQLite {version} is too old: install apsw from its wheel"


@pytest.mark.parametrize("version", ["3.51.3", "3.53.0", "3.54.1", "4.0.0", apsw.sqlite_lib_version()])
def test_an_sqlite_of_today_is_taken(version: str) -> None:
    check_sqlite(version)


async def test_a_store_that_another_program_left_with_a_rollback_journal_opens(path: Path) -> None:
    await (await filled(path)).close()
    assert execute(path, "PRAGMA journal_mode=PERSIST") == [("persist",)]
    store = await opened(path)
    await store.transact(lambda tx: tx.check_live(), now=NOW)
    await store.close()


async def test_the_tables_are_strict_and_named_as_the_records(path: Path) -> None:
    await (await filled(path)).close()
    tables = execute(path, "SELECT name, strict FROM pragma_table_list WHERE schema = 'main'")
    strict = {name for name, is_strict in tables if is_strict}
    assert strict == {name for name, _ in tables if not name.startswith("sqlite_")}
    with pytest.raises(apsw.ConstraintError):
        execute(path, "UPDATE factors SET failures = 'none'")


async def test_an_empty_file_is_a_new_store(path: Path) -> None:
    make(path)
    store = await opened(path)
    assert store.head is not None
    await store.close()


async def test_what_sqlite_finds_wrong_with_an_index_is_unavailable(path: Path) -> None:
    """An index that leads elsewhere than its table is a way to hide rows."""
    await (await filled(path)).close()
    ((root,),) = execute(path, "SELECT rootpage FROM sqlite_schema WHERE name = 'journal_by_subject'")
    ((size,),) = execute(path, "PRAGMA page_size")
    raw = bytearray(contents(path))
    page = raw[(root - 1) * size : root * size]
    raw[(root - 1) * size : root * size] = page.replace(b"factors.a", b"factors.z")
    overwrite(path, bytes(raw))
    with pytest.raises(Unavailable):
        await SqliteStore(path).open()


MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:26 / /srv rw - nfs4 server:/export rw
31 30 0:27 / /srv/team/local\\040disk rw - xfs /dev/sdb1 rw
broken line
32 22 0:28 / - short
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/", "ext4"), ("/var/lib", "ext4"), ("/srv", "nfs4"), ("/srv/team", "nfs4"), ("/srvs", "ext4"),
        ("/srv/team/local disk/wallet", "xfs"),
    ],
)  # fmt: skip
def test_the_file_system_of_a_folder_is_that_of_its_nearest_mount(folder: str, kind: str) -> None:
    assert files.filesystem(Path(folder), MOUNTS) == kind


def test_an_unreadable_table_of_mounts_says_nothing() -> None:
    assert files.filesystem(Path("/"), "") == ""


def test_a_folder_on_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "mountinfo"
    monkeypatch.setattr(files, "_MOUNTS", table)
    files.check_local(tmp_path)
    table.write_text(MOUNTS)
    files.check_local(tmp_path)
    table.write_text(f"30 22 0:26 / {tmp_path} rw - nfs4 server:/export rw\n")
    with pytest.raises(Misconfigured):
        files.check_local(tmp_path)
