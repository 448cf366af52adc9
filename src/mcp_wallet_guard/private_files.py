"""What counts as private on the disk: one rule for vault, store, anchor, lock, sockets and runtime folder.

Ours, of the kind that should be there, closed to others, and under one name. Threat: T-071, T-110.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from mcp_wallet_guard.errors import Misconfigured

READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""Flags to open a private file for reading: a link is not followed, a pipe does not block."""
WRITE: Final = os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""Flags to write over parts of one that is there."""
CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
"""Flags to make one, with mode 0600."""
sync_data: Final[Callable[[int], None]] = getattr(os, "fdatasync", os.fsync)
"""For `flush`: the bytes of a file whose length does not change. macOS has no call of its own for that."""
_FULL_SYNC: Final[int | None] = getattr(fcntl, "F_FULLFSYNC", None)


def check_private(
    path: Path,
    status: os.stat_result,
    /,
    *,
    kind: Callable[[int], bool] = stat.S_ISREG,
    loose: bool = False,
    second_name: bool = False,
) -> None:
    """Raise Misconfigured("misconfigured.permissions") unless `status` is that of something private.

    `loose` allows modes that others may use, `second_name` another hard link; folders always have several.
    """
    problem = ""
    if not kind(status.st_mode):
        problem = "not a regular file" if kind is stat.S_ISREG else "a link, or not what should be there"
    elif status.st_uid != os.geteuid():
        problem = "owned by another user"
    elif status.st_mode & 0o077 and not loose:
        problem = f"open to other users; chmod {700 if stat.S_ISDIR(status.st_mode) else 600}"
    elif kind is stat.S_ISREG and status.st_nlink != 1 and not second_name:
        problem = "has a second name"
    if problem:
        raise Misconfigured("misconfigured.permissions", detail=f"{path}: {problem}")


def check_folder(folder: Path, /) -> None:
    """Raise Misconfigured("misconfigured.permissions") when other users can put files into `folder`."""
    try:
        status = folder.stat()
    except OSError as error:
        raise Misconfigured("misconfigured.permissions", detail=f"{folder}: {error.strerror}") from None
    others_write = status.st_mode & 0o022 and not status.st_mode & stat.S_ISVTX
    if not stat.S_ISDIR(status.st_mode) or others_write or status.st_uid not in {os.geteuid(), 0}:
        raise Misconfigured("misconfigured.permissions", detail=f"{folder}: other users can change this folder")


def flush(fd: int, fsync: Callable[[int], None] = os.fsync, /) -> None:
    """Put a file's bytes on the disk. Raises OSError."""
    if _FULL_SYNC is not None:  # macOS: fsync alone leaves the data in the drive's cache
        fcntl.fcntl(fd, _FULL_SYNC)
    fsync(fd)
