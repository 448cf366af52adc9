"""One guard per vault: an exclusive lock that the kernel releases when its holder dies.

`flock` on a file that is never removed: a lock that goes with its process leaves nothing stale behind, and a file that
stays cannot be locked twice under one name. A child made by `fork` alone would share the lock; the guard makes none.
Threat: T-110.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING, Final, Self, final

from mcp_wallet_guard.errors import Misconfigured
from mcp_wallet_guard.private_files import check_private

if TYPE_CHECKING:
    from pathlib import Path

LOCK_NAME: Final = "guard.lock"
_OPEN: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


@final
class GuardLock:
    """The lock of one vault directory. `with GuardLock(directory): ...`, or `acquire` and `release`."""

    def __init__(self, directory: Path, /) -> None:
        self.directory: Final = directory
        self._path: Final = directory / LOCK_NAME
        self._fd: int | None = None

    def acquire(self) -> None:
        """Take the lock or raise at once; nothing waits.

        Raises Misconfigured: `misconfigured.already_running` when another guard or set-up command (or this object)
        holds it, `misconfigured.vault_missing` without a directory, `misconfigured.permissions` when the file is a
        link, is somebody else's, or is open to others.
        """
        if self._fd is not None:
            raise Misconfigured("misconfigured.already_running", detail=str(self._path))
        fd = self._opened()
        try:
            self._check(fd)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._check(fd)  # the name may have been given to another file meanwhile
        except BlockingIOError:
            os.close(fd)
            raise Misconfigured("misconfigured.already_running", detail=str(self._path)) from None
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd

    def release(self) -> None:
        """Let go. Idempotent. The file stays."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def check_held(self) -> None:
        """Raise Misconfigured("misconfigured.already_running") unless this object holds the lock now."""
        if self._fd is None:
            raise Misconfigured("misconfigured.already_running", detail=f"{self._path}: not held here")
        self._check(self._fd)

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _opened(self) -> int:
        try:
            return os.open(self._path, _OPEN, 0o600)
        except FileNotFoundError:
            raise Misconfigured("misconfigured.vault_missing", detail=str(self.directory)) from None
        except OSError as error:
            raise Misconfigured("misconfigured.permissions", detail=f"{self._path}: {error.strerror}") from None

    def _check(self, fd: int) -> None:
        """The descriptor is the private file that the name means."""
        status = os.fstat(fd)
        check_private(self._path, status, second_name=True)
        if not _is_named(self._path, status):
            raise Misconfigured("misconfigured.permissions", detail=f"{self._path}: replaced while it was in use")


def _is_named(path: Path, status: os.stat_result) -> bool:
    try:
        return os.path.samestat(status, path.lstat())
    except OSError:
        return False
