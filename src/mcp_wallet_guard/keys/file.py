"""Reading and replacing one private file so that a crash leaves the old or the new one whole.

Only a regular file of mode 0600 with one name, owned by us, in a folder that nobody else writes to is touched
(Threat: T-071). Each step of a write goes through `System`, so that tests can stop it there (Threat: T-072).
Source: the write order of docs/formats/vault.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

from mcp_wallet_guard.errors import Misconfigured, Unavailable
from mcp_wallet_guard.keys.format import MAX_FILE_BYTES
from mcp_wallet_guard.private_files import CREATE, READ, check_folder, check_private, flush

if TYPE_CHECKING:
    from pathlib import Path

Verify = Callable[[bytes], None]
"""Raises unless the bytes, read back from the disk, are good."""


class System(Protocol):
    """The calls that change the disk. The real one is the module `os`."""

    def open(self, path: Path, flags: int, mode: int = ..., /) -> int: ...
    def write(self, fd: int, data: bytes, /) -> int: ...
    def fsync(self, fd: int, /) -> None: ...
    def close(self, fd: int, /) -> None: ...
    def link(self, src: Path, dst: Path, /) -> None: ...
    def rename(self, src: Path, dst: Path, /) -> None: ...
    def unlink(self, path: Path, /) -> None: ...


def read_file(path: Path, /) -> bytes:
    """The file's bytes. Raises Misconfigured: `misconfigured.vault_missing`, or `misconfigured.permissions`
    for a symbolic link, a second name, a pipe or device, another owner, loose modes, or more than 1 MiB."""
    try:
        fd = os.open(path, READ)
    except FileNotFoundError:
        raise Misconfigured("misconfigured.vault_missing", detail=str(path)) from None
    except OSError as error:
        raise Misconfigured("misconfigured.permissions", detail=f"{path}: {error.strerror}") from None
    try:
        _check_private(path, os.fstat(fd))
        with os.fdopen(fd, "rb", closefd=False) as opened:
            data = opened.read(MAX_FILE_BYTES + 1)
    finally:
        os.close(fd)
    if len(data) > MAX_FILE_BYTES:
        raise Misconfigured("misconfigured.permissions", detail=f"{path}: larger than {MAX_FILE_BYTES} bytes")
    return data


def create_file(path: Path, data: bytes, /, *, verify: Verify, system: System = os) -> None:
    """Write a new file. Raises Misconfigured("misconfigured.vault_exists") rather than replace anything."""
    check_folder(path.parent)
    if os.path.lexists(path):
        raise Misconfigured("misconfigured.vault_exists", detail=str(path))
    new = _beside(path, ".new")
    with _cleaning_up(path, system, new):
        _write(new, data, verify, system)
        system.link(new, path)  # unlike rename, it fails when the name was taken meanwhile
        system.unlink(new)
        _sync_folder(path, system)


def replace_file(path: Path, data: bytes, /, *, expected: bytes, verify: Verify, system: System = os) -> None:
    """Replace the file, whose bytes must still be `expected`, and keep those as ``<name>.bak``.

    Raises Misconfigured("misconfigured.already_running") when somebody else wrote it, Unavailable when the disk
    is full or fails: the old file is then untouched, unless only the last fsync, of the folder, failed.
    """
    check_folder(path.parent)
    if read_file(path) != expected:
        raise Misconfigured("misconfigured.already_running", detail=f"{path}: changed since it was read")
    new, spare = _beside(path, ".new"), _beside(path, ".bak.new")
    with _cleaning_up(path, system, new, spare):
        _write(new, data, verify, system)
        _write(spare, expected, lambda _: None, system)
        system.rename(spare, _beside(path, ".bak"))
        system.rename(new, path)
        _sync_folder(path, system)


@contextmanager
def _cleaning_up(path: Path, system: System, *unfinished: Path) -> Iterator[None]:
    """Remove what a failed write left, and give its cause a code."""
    try:
        yield
    except BaseException as error:
        for leftover in unfinished:
            with suppress(OSError):
                system.unlink(leftover)
        if isinstance(error, FileExistsError):
            raise Misconfigured("misconfigured.vault_exists", detail=str(path)) from None
        if isinstance(error, OSError):
            raise Unavailable("unavailable.store", detail=f"{path}: {error.strerror}") from None
        raise


def _write(path: Path, data: bytes, verify: Verify, system: System) -> None:
    """A new file on the disk, read back. A leftover of an earlier crash at this name is removed first."""
    with suppress(FileNotFoundError):
        system.unlink(path)
    fd = system.open(path, CREATE, 0o600)
    try:
        rest = data
        while rest:
            rest = rest[system.write(fd, rest) :]
        flush(fd, system.fsync)
    finally:
        system.close(fd)
    written = read_file(path)
    if written != data:
        raise OSError(0, "the disk gave other bytes back than were written")
    verify(written)


def _sync_folder(path: Path, system: System) -> None:
    fd = system.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        system.fsync(fd)
    finally:
        system.close(fd)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _check_private(path: Path, status: os.stat_result) -> None:
    check_private(path, status, second_name=_is_half_created(path, status))
    check_folder(path.parent)


def _is_half_created(path: Path, status: os.stat_result) -> bool:
    """Whether the second name is the one that `create_file` had no time to remove."""
    try:
        other = os.lstat(_beside(path, ".new"))
    except OSError:
        return False
    return status.st_nlink == 2 and os.path.samestat(status, other)
