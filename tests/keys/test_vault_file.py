"""Only a private plain file is a vault's file, and a write that dies leaves the old or the new one whole.

Threat: T-071, T-072.
"""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mcp_wallet_guard.errors import Misconfigured, Unavailable, VaultError
from mcp_wallet_guard.keys.file import System, create_file, read_file, replace_file
from mcp_wallet_guard.keys.format import parse
from tests.keys.vaults import new_vault, put, unlock
from tests.processes import die, fill_disk, in_child

if TYPE_CHECKING:
    from collections.abc import Callable


class Stops:
    """The real disk, until call number `after`: there `stop` happens, having written half if it was a write."""

    def __init__(self, after: int, stop: Callable[[], None]) -> None:
        self._left = after
        self._stop = stop

    def _tick(self) -> None:
        self._left -= 1
        if self._left < 0:
            self._stop()

    def open(self, path: Path, flags: int, mode: int = 0o777, /) -> int:
        self._tick()
        return os.open(path, flags, mode)

    def write(self, fd: int, data: bytes, /) -> int:
        if self._left == 0:
            os.write(fd, data[: len(data) // 2])
        self._tick()
        return os.write(fd, data[:100])

    def fsync(self, fd: int, /) -> None:
        self._tick()
        os.fsync(fd)

    def close(self, fd: int, /) -> None:
        os.close(fd)

    def link(self, src: Path, dst: Path, /) -> None:
        self._tick()
        os.link(src, dst)

    def rename(self, src: Path, dst: Path, /) -> None:
        self._tick()
        src.rename(dst)

    def unlink(self, path: Path, /) -> None:
        self._tick()
        path.unlink()


def killed(write: Callable[[System], None], after: int) -> bool:
    """Run `write` in a child that kills itself at call number `after`. Whether it died before the end."""
    return in_child(lambda: write(Stops(after, die)))


def full_disk() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def check_parses(raw: bytes) -> None:
    parse(raw)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vault.json"


@pytest.fixture
def generations(tmp_path: Path) -> tuple[bytes, bytes]:
    """The bytes of one vault before and after a save."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    vault = new_vault(elsewhere / "vault.json")
    before = (elsewhere / "vault.json").read_bytes()
    vault.save()
    return before, (elsewhere / "vault.json").read_bytes()


@pytest.mark.forks
def test_a_kill_at_any_step_of_a_save_leaves_the_old_or_the_new_vault(
    path: Path, generations: tuple[bytes, bytes]
) -> None:
    old, new = generations
    seen = []
    for step in range(100):
        put(path, old)
        finished = not killed(
            lambda system: replace_file(path, new, expected=old, verify=check_parses, system=system), step
        )
        assert path.read_bytes() in (old, new)
        seen.append(unlock(path).generation)
        unlock(path).save()  # and what it left does not stand in the way of the next write
        if finished:
            break
    assert seen[0] == 2
    assert seen[-1] == 3
    assert seen == sorted(seen)
    assert len(seen) > 12


@pytest.mark.forks
def test_a_kill_at_any_step_of_a_creation_leaves_no_vault_or_a_whole_one(
    path: Path, generations: tuple[bytes, bytes]
) -> None:
    new, _ = generations
    seen = []
    for step in range(100):
        path.unlink(missing_ok=True)
        finished = not killed(lambda system: create_file(path, new, verify=check_parses, system=system), step)
        seen.append(path.exists())
        if path.exists():
            unlock(path).save()
        else:
            create_file(path, new, verify=check_parses)
        if finished:
            break
    assert seen == sorted(seen)
    assert {False, True} == set(seen)


def test_a_full_disk_at_any_step_leaves_the_old_vault_and_no_rubbish(
    path: Path, generations: tuple[bytes, bytes]
) -> None:
    old, new = generations
    last = ""
    for step in range(100):
        put(path, old)
        path.with_name("vault.json.bak").unlink(missing_ok=True)
        try:
            replace_file(path, new, expected=old, verify=check_parses, system=Stops(step, OneFailure(step)))
        except Unavailable as error:
            last = error.code
        left = {entry.name for entry in path.parent.iterdir()} - {"elsewhere", "vault.json", "vault.json.bak"}
        assert left == set()
        if path.read_bytes() == new:
            break
        assert path.read_bytes() == old
        assert last == "unavailable.store"
    else:
        pytest.fail("never finished")


class OneFailure:
    """A disk that is full once: the calls that clean up afterwards work."""

    def __init__(self, step: int) -> None:
        self._failed = False

    def __call__(self) -> None:
        if not self._failed:
            self._failed = True
            full_disk()


def test_a_disk_that_is_really_full_loses_nothing(path: Path) -> None:
    vault = new_vault(path)
    before = path.read_bytes()

    def save() -> None:
        fill_disk(512)
        with pytest.raises(Unavailable) as caught:
            vault.save()
        assert (caught.value.code, vault.generation) == ("unavailable.store", 2)

    assert not in_child(save)
    assert path.read_bytes() == before
    assert {entry.name for entry in path.parent.iterdir()} == {"vault.json", "vault.json.bak"}
    vault.save()
    assert unlock(path).generation == 3


def test_a_disk_that_gives_other_bytes_back_replaces_nothing(path: Path, generations: tuple[bytes, bytes]) -> None:
    class Lies(Stops):
        def write(self, fd: int, data: bytes, /) -> int:
            return os.write(fd, data.replace(b"scrypt", b"script"))

    old, new = generations
    put(path, old)
    with pytest.raises(Unavailable):
        replace_file(path, new, expected=old, verify=check_parses, system=Lies(100, full_disk))
    assert path.read_bytes() == old


def test_bytes_that_do_not_verify_replace_nothing(path: Path, generations: tuple[bytes, bytes]) -> None:
    old, new = generations
    put(path, old)
    with pytest.raises(VaultError):
        replace_file(path, new[:-9], expected=old, verify=check_parses)
    assert path.read_bytes() == old
    assert not path.with_name("vault.json.new").exists()


def test_a_name_taken_while_a_vault_is_made_is_not_overwritten(path: Path) -> None:
    class Taken(Stops):
        def link(self, src: Path, dst: Path, /) -> None:
            put(path, b"somebody else's vault")
            os.link(src, dst)

    with pytest.raises(Misconfigured) as caught:
        create_file(path, b"ours", verify=lambda _: None, system=Taken(100, full_disk))
    assert caught.value.code == "misconfigured.vault_exists"
    assert path.read_bytes() == b"somebody else's vault"


def test_a_new_vault_is_private_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        new_vault(path)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600


def refused(path: Path) -> str:
    with pytest.raises(Misconfigured) as caught:
        unlock(path)
    return caught.value.code


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610, 0o601, 0o666])
def test_a_file_open_to_others_is_refused(path: Path, mode: int) -> None:
    new_vault(path)
    path.chmod(mode)
    assert refused(path) == "misconfigured.permissions"
    path.chmod(0o400)
    assert unlock(path).generation == 2


def test_a_symbolic_link_is_refused(path: Path) -> None:
    new_vault(path)
    link = path.with_name("link.json")
    link.symlink_to(path)
    assert refused(link) == "misconfigured.permissions"


def test_a_second_name_is_refused(path: Path) -> None:
    new_vault(path)
    other = path.with_name("other.json")
    other.hardlink_to(path)
    assert refused(path) == "misconfigured.permissions"
    other.unlink()
    assert unlock(path).generation == 2


def test_a_pipe_a_socket_a_folder_and_a_device_are_refused_without_waiting(path: Path) -> None:
    os.mkfifo(path, 0o600)
    assert refused(path) == "misconfigured.permissions"
    path.unlink()
    path.mkdir(mode=0o700)
    assert refused(path) == "misconfigured.permissions"
    path.rmdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        assert refused(path) == "misconfigured.permissions"
    assert refused(Path("/dev/null")) == "misconfigured.permissions"


def test_a_folder_that_others_write_to_is_refused(path: Path) -> None:
    new_vault(path)
    path.parent.chmod(0o770)
    assert refused(path) == "misconfigured.permissions"
    with pytest.raises(Misconfigured):
        create_file(path.with_name("new.json"), b"x", verify=lambda _: None)
    path.parent.chmod(0o750)
    assert unlock(path).generation == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to give a file away")
def test_a_file_of_another_owner_is_refused(path: Path) -> None:
    new_vault(path)
    os.chown(path, 12345, -1)
    assert refused(path) == "misconfigured.permissions"


def test_a_file_that_is_too_large_is_refused(path: Path) -> None:
    put(path, b"x" * (2**20 + 1))
    assert refused(path) == "misconfigured.permissions"
    put(path, b"x" * 2**20)
    assert len(read_file(path)) == 2**20


def test_a_link_in_the_place_of_the_new_file_is_not_followed(path: Path) -> None:
    vault = new_vault(path)
    victim = path.with_name("victim")
    put(victim, b"precious")
    path.with_name("vault.json.new").symlink_to(victim)
    path.with_name("vault.json.bak").unlink()
    path.with_name("vault.json.bak").symlink_to(victim)
    vault.save()
    assert victim.read_bytes() == b"precious"
    assert unlock(path).generation == 3
