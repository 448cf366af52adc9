"""Link files: how the owner's own browser is let in without a code.

Each open approval has one file ``links/<operation>.url`` (0600 in a 0700 directory of the same user) that holds one
line: the page's address with a single-use secret of 256 bits. The secret is in that file and nowhere else; the store
keeps its hash. It never reaches MCP, a log or a terminal. Threat: T-004, T-071, T-109.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, final

from mcp_wallet_guard.approvals.pairing import urlsafe
from mcp_wallet_guard.errors import FactorRejected, InvalidInput, Misconfigured, Unavailable
from mcp_wallet_guard.private_files import check_private

SPENT: Final = bytes(32)
"""What the store keeps in place of the hash once the link was used: no secret hashes to it."""

OPERATION_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
LINK_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_TAG: Final = b"mcp-wallet-guard/link/v1\x00"


def new_operation_id() -> str:
    """A fresh id of 128 random bits, in hexadecimal: people copy it whole, and no command reads it as an option."""
    return secrets.token_hex(16)


def new_link_secret(entropy: Callable[[int], bytes] = secrets.token_bytes, /) -> tuple[str, bytes]:
    """A fresh secret (256 bits, URL-safe text of 43 characters) for the link file, and its hash for the store."""
    secret = urlsafe(entropy(32))
    return secret, link_hash(secret)


def link_hash(secret: str, /) -> bytes:
    """SHA-256 over a tag and the secret: 32 bytes. A secret of 256 random bits needs no slow hash.

    Raises FactorRejected("pairing.required") for text that cannot be a link's secret.
    """
    if LINK_SECRET.fullmatch(secret) is None:
        raise FactorRejected("pairing.required")
    return hashlib.sha256(_TAG + secret.encode("ascii")).digest()


def check_link(expected: bytes, offered: str, /) -> None:
    """Raises FactorRejected("pairing.required") unless `offered` hashes to `expected`, which `SPENT` never is."""
    if not hmac.compare_digest(expected, link_hash(offered)):
        raise FactorRejected("pairing.required")


def link_url(base: str, /, *, operation: str, secret: str) -> str:
    """The line of the file: `base` is ``http://127.0.0.1:<port>``."""
    return f"{base}/p/{operation}/{secret}"


@final
class LinkFiles:
    """The directory of link files. Blocking, short calls; one guard writes, the owner reads.

    Every method raises Misconfigured("misconfigured.permissions") when the directory is a symbolic link, not a
    directory, another user's, or open to others, and InvalidInput("invalid_input.id") for an id that is no file name.
    Threat: T-071.
    """

    def __init__(self, directory: Path, /) -> None:
        self.directory: Final = directory

    def path(self, operation: str, /) -> Path:
        """Where the link of `operation` is, whether or not there is one."""
        return self.directory / _file_name(operation)

    def write(self, operation: str, url: str, /) -> Path:
        """Put `url` into the operation's file, replacing an earlier one whole. Makes the directory when missing.

        Raises Unavailable("unavailable.store") when the disk takes no more: then there is no file, or the old one.
        """
        name, part = _file_name(operation), f".{_file_name(operation)}.part"
        try:
            self.directory.mkdir(mode=0o700, exist_ok=True)
        except FileExistsError:
            raise _unsafe("the links directory is not a directory") from None
        except OSError as error:
            raise Unavailable("unavailable.store", detail=f"links directory: {error.strerror}") from None
        with self._opened() as directory:
            try:
                _unlink(part, directory)  # what a crash left behind
                _write_new(part, url.encode("ascii") + b"\n", directory)
                os.replace(part, name, src_dir_fd=directory, dst_dir_fd=directory)
                os.fsync(directory)
            except IsADirectoryError:
                raise _unsafe("a link file is a directory") from None
            except OSError as error:
                raise Unavailable("unavailable.store", detail=f"link file: {error.strerror}") from None
        return self.directory / name

    def has(self, operation: str, /) -> bool:
        """Whether something lies where the link of `operation` would. Blocks no longer than a look at the folder."""
        return os.path.lexists(self.path(operation))

    def delete(self, operation: str, /) -> None:
        """Remove the operation's file, at decision or expiry. Nothing happens when there is none."""
        name = _file_name(operation)
        if not os.path.lexists(self.directory):
            return
        with self._opened() as directory:
            _unlink(name, directory)

    def sweep(self, keep: Collection[str] = (), /) -> int:
        """Remove every link but those of the operations in `keep`; how many went. For the guard's start."""
        kept = {_file_name(operation) for operation in keep}
        if not os.path.lexists(self.directory):
            return 0
        with self._opened() as directory:
            with os.scandir(directory) as entries:
                names = [entry.name for entry in entries if entry.name not in kept and _is_ours(entry.name)]
            for name in names:
                _unlink(name, directory)
        return len(names)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        try:
            directory = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise _unsafe(f"links directory: {error.strerror}") from None
        try:
            check_private(self.directory, os.fstat(directory), kind=stat.S_ISDIR)
            yield directory
        finally:
            os.close(directory)


def _write_new(name: str, content: bytes, directory: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, 0o600, dir_fd=directory)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        _unlink(name, directory)
        raise


def _unlink(name: str, directory: int) -> None:
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError):
        raise _unsafe("a link file is not a plain file") from None


def _is_ours(name: str) -> bool:
    return name.removeprefix(".").endswith((".url", ".url.part"))


def _file_name(operation: str) -> str:
    if OPERATION_ID.fullmatch(operation) is None:
        raise InvalidInput("invalid_input.id")
    return f"{operation}.url"


def _unsafe(detail: str) -> Misconfigured:
    return Misconfigured("misconfigured.permissions", detail=detail)
