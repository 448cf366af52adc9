"""Where the sockets lie, how they come into being, and who may be at the other end.

Both sides check: the server the uid of each peer, the client the owner and modes of what it finds and the uid of
whoever listens, so neither a proposal nor a passphrase goes to another user's process. Nothing that looks wrong is
repaired. Threat: T-110. Sources: unix(7), SO_PEERCRED; getpeereid(3).
"""

from __future__ import annotations

import ctypes
import os
import socket
import stat
import struct
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import anyio

from mcp_wallet_guard.daemon.base import Role
from mcp_wallet_guard.errors import Locked, Misconfigured, Unavailable
from mcp_wallet_guard.private_files import check_folder, check_private

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mcp_wallet_guard.daemon.lock import GuardLock

RUN_NAME: Final = "run"
SUN_PATH: Final = 107 if sys.platform == "linux" else 103
"""Bytes of a socket's path, without the closing NUL."""
_BACKLOG: Final = 64
_UCRED: Final = struct.Struct("iII")


def socket_path(directory: Path, role: Role, /) -> Path:
    """`<directory>/run/<role>.sock`. Raises Misconfigured, with advice, when the system cannot hold such a path."""
    path = directory / RUN_NAME / f"{role.value}.sock"
    length = len(os.fsencode(path))
    if length > SUN_PATH:
        advice = f"a socket's path has at most {SUN_PATH} bytes: keep the vault in a folder with a shorter name"
        raise Misconfigured("misconfigured", detail=f"{path}: {length} bytes; {advice}")
    return path


def listen(directory: Path, role: Role, /, *, lock: GuardLock) -> socket.socket:
    """A listening socket under its final name, mode 0600 from the first moment, in a directory of mode 0700.

    A leftover socket is replaced, which is why the lock must be held. Raises Misconfigured for everything else that
    is found there, for unsafe folders, for a path that is too long, and without the lock.
    """
    lock.check_held()
    path = socket_path(directory, role)
    _make_runtime(directory)
    new = path.with_suffix(".new")
    for leftover in (path, new):
        _check_leftover(leftover)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.setblocking(False)
        with suppress(FileNotFoundError):
            new.unlink()
        listener.bind(os.fsencode(new))
        new.chmod(0o600)  # reached by nobody before: the folder is closed, and the name is not the one that clients use
        listener.listen(_BACKLOG)
        new.rename(path)
    except OSError as error:
        listener.close()
        raise Misconfigured("misconfigured.permissions", detail=f"{path}: {error.strerror}") from None
    return listener


def remove(directory: Path, role: Role, /) -> None:
    """Take a socket's name away. Idempotent; only while the lock is held."""
    with suppress(OSError):
        socket_path(directory, role).unlink()


async def connect(directory: Path, role: Role, /) -> socket.socket:
    """A connection to this user's own guard.

    Raises Locked("not_running") when none listens, Misconfigured("misconfigured.permissions") for folders, sockets or
    a listener that are not this user's alone, Unavailable("unavailable.daemon") when the guard takes no connection.
    """
    path = socket_path(directory, role)
    try:
        _check_private(path.parent, kind=stat.S_ISDIR)
        _check_private(path, kind=stat.S_ISSOCK)
    except FileNotFoundError:
        raise Locked("not_running") from None
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        await _connect(connection, path)
        check_peer(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def check_peer(connection: socket.socket, /, *, expected: int | None = None) -> None:
    """The other end runs as this user (or as `expected`). Raises Misconfigured("misconfigured.permissions")."""
    try:
        uid = peer_uid(connection)
    except OSError as error:
        raise Misconfigured("misconfigured.permissions", detail=f"peer unknown: {error.strerror}") from None
    if uid != (os.geteuid() if expected is None else expected):
        raise Misconfigured("misconfigured.permissions", detail=f"the other end belongs to user {uid}")


def peer_uid(connection: socket.socket, /) -> int:
    """Effective user id of the process that connected, or that listened. Raises OSError."""
    if hasattr(socket, "SO_PEERCRED"):
        _, uid, _ = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
        return int(uid)
    return getpeereid(connection)


def getpeereid(connection: socket.socket, /) -> int:
    """The BSDs' and macOS' way to ask. Raises OSError."""
    function = getattr(ctypes.CDLL(None, use_errno=True), "getpeereid", None)
    if function is None:
        raise OSError(0, "this system does not tell who is at the other end of a socket")
    uid, gid = ctypes.c_uint32(), ctypes.c_uint32()
    if function(connection.fileno(), ctypes.byref(uid), ctypes.byref(gid)) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return uid.value


async def _connect(connection: socket.socket, path: Path) -> None:
    while True:
        try:
            connection.connect(os.fsencode(path))
        except BlockingIOError:  # its queue is full
            await anyio.sleep(0.02)
            continue
        except (FileNotFoundError, ConnectionRefusedError):
            raise Locked("not_running") from None
        except OSError as error:
            raise Unavailable("unavailable.daemon", detail=f"{path}: {error.strerror}") from None
        return


def _make_runtime(directory: Path) -> None:
    check_folder(directory)
    try:
        with suppress(FileExistsError):
            (directory / RUN_NAME).mkdir(mode=0o700)
        _check_private(directory / RUN_NAME, kind=stat.S_ISDIR)
    except OSError as error:
        raise Misconfigured("misconfigured.permissions", detail=f"{directory}: {error.strerror}") from None


def _check_leftover(path: Path) -> None:
    with suppress(FileNotFoundError):
        _check_private(path, kind=stat.S_ISSOCK, loose=path.suffix == ".new")


def _check_private(path: Path, *, kind: Callable[[int], bool], loose: bool = False) -> None:
    """Of this kind, this user's, and closed to others; a link is no kind. Raises FileNotFoundError, Misconfigured."""
    check_private(path, path.lstat(), kind=kind, loose=loose)
