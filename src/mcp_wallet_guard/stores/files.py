"""Private files: what a store and its anchor accept on the disk, and how one small file is replaced.

Only a regular file of mode 0600 with one name, owned by us, in a folder of mode 0700 that is ours too (Threat: T-071),
and on a local disk: locks and fsync of network file systems do not hold what a store promises.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from mcp_wallet_guard.errors import Misconfigured, Unavailable
from mcp_wallet_guard.private_files import CREATE, READ, WRITE, check_private, flush, sync_data

_NETWORK: Final = frozenset(
    {"afs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "lustre", "ncpfs", "nfs", "nfs4", "smb3", "smbfs"}
)
_MOUNTS: Final = Path("/proc/self/mountinfo")


def check_folder(folder: Path, /) -> None:
    """Raises Misconfigured("misconfigured.permissions") unless `folder` is ours alone."""
    try:
        status = folder.stat()
    except OSError as error:
        raise Misconfigured("misconfigured.permissions", detail=f"{folder}: {error.strerror}") from None
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise Misconfigured("misconfigured.permissions", detail=f"{folder}: not a folder of mode 0700 that is ours")


def check_local(folder: Path, /) -> None:
    """Raises Misconfigured for a folder on a network file system. Known on Linux only."""
    try:
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    kind = filesystem(folder.resolve(), mounts)
    if kind in _NETWORK:
        raise Misconfigured("misconfigured", detail=f"{folder}: {kind} is a network file system")


def filesystem(folder: Path, mounts: str, /) -> str:
    """The type of the file system that holds `folder`, by the text of a mountinfo file; empty when it does not say."""
    best, kind = -1, ""
    for line in mounts.splitlines():
        left, separator, right = line.partition(" - ")
        words = left.split()
        if not separator or len(words) < 5 or not right.split():
            continue
        point = Path(words[4].replace("\\040", " "))
        if (point == folder or point in folder.parents) and len(point.parts) >= best:
            best, kind = len(point.parts), right.split()[0]
    return kind


def check_file(path: Path, /) -> os.stat_result | None:
    """The status of a private file, None when there is none. Raises Misconfigured("misconfigured.permissions").

    The file is not opened: closing a second descriptor of a database would drop the locks of this process.
    """
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Misconfigured("misconfigured.permissions", detail=f"{path}: {error.strerror}") from None
    check_private(path, status)
    return status


def create_file(path: Path, /) -> None:
    """Make an empty private file. Raises Misconfigured when the name is taken, Unavailable when the disk refuses."""
    try:
        os.close(os.open(path, CREATE, 0o600))
    except FileExistsError:
        raise Misconfigured("misconfigured.permissions", detail=f"{path}: appeared meanwhile") from None
    except OSError as error:
        raise Unavailable("unavailable.store", detail=f"{path}: {error.strerror}") from None


def read_file(path: Path, /, *, limit: int) -> bytes | None:
    """At most `limit` + 1 bytes of a private file, None when there is none.

    Raises Misconfigured("misconfigured.permissions") for a file that is not private, Unavailable for one that the
    disk does not give.
    """
    if check_file(path) is None:
        return None
    try:
        fd = os.open(path, READ)
        with os.fdopen(fd, "rb") as opened:
            check_private(path, os.fstat(fd))
            return opened.read(limit + 1)
    except OSError as error:
        raise Unavailable("unavailable.store", detail=f"{path}: {error.strerror}") from None


def replace_file(path: Path, data: bytes, /) -> None:
    """Put `data` in the file's place: after a crash the old or the new bytes are there, whole, and on the disk.

    Raises Misconfigured("misconfigured.permissions") for a place that is not private, Unavailable("unavailable.store")
    when the disk is full or fails; the old file is then untouched, unless only the last fsync, of the folder, failed.
    """
    check_folder(path.parent)
    check_file(path)
    new = path.with_name(path.name + ".new")
    try:
        try:
            with suppress(FileNotFoundError):  # left by a crash
                new.unlink()
            _write(new, data)
            new.rename(path)
        except BaseException:
            with suppress(OSError):
                new.unlink()
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise Unavailable("unavailable.store", detail=f"{path}: {error.strerror}") from None


def overwrite(path: Path, parts: tuple[tuple[int, bytes], tuple[int, bytes]], /, *, size: int) -> bool:
    """Write two parts, each with its place, into a private file of `size` bytes: the second only when the first is on
    the disk, and without waiting for itself. False, and nothing is written, when there is no file of that size.

    Raises Misconfigured("misconfigured.permissions") for a place that is not private, Unavailable("unavailable.store")
    when the disk fails.
    """
    check_folder(path.parent)
    try:
        fd = os.open(path, WRITE)
        try:
            status = os.fstat(fd)
            check_private(path, status)
            if status.st_size != size:
                return False
            first, second = parts
            _write_at(fd, *first)
            flush(fd, sync_data)
            _write_at(fd, *second)
        finally:
            os.close(fd)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise Unavailable("unavailable.store", detail=f"{path}: {error.strerror}") from None
    return True


def sync_folder(folder: Path, /) -> None:
    """Make the folder's names durable. Raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _write_at(fd: int, at: int, data: bytes) -> None:
    while data:
        count = os.pwrite(fd, data, at)
        data, at = data[count:], at + count


def _write(path: Path, data: bytes) -> None:
    fd = os.open(path, CREATE, 0o600)
    try:
        _write_at(fd, 0, data)
        flush(fd)
    finally:
        os.close(fd)
