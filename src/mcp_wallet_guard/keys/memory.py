"""Memory of our own for secrets: a few pages that are never swapped out, left out of core files and, where the kernel
has it, that no other process can read, be it root's.

What the system did is said measure by measure; nothing here is believed because it was asked for. Best effort: the
kernel itself, and code in this process, read what they like. Threat: T-065.
Sources: memfd_secret(2), mlock(2), madvise(2) MADV_DONTDUMP and MADV_WIPEONFORK.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, final

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp_wallet_guard.secret import Block

SIZES: Final = {64: 512, 1024: 16, 4096: 4}
"""Bytes of a slot -> how many there are: 64 KiB together. A larger secret, or one too many, lies in the heap."""

_MEMFD_SECRET: Final = 447
_SAME_NUMBER: Final = frozenset({"x86_64", "aarch64", "riscv64"})
_WIPE_ON_FORK: Final = 18


class State(StrEnum):
    """Whether a measure protects this process now."""

    ACTIVE = "active"
    UNSUPPORTED = "unsupported"
    FAILED = "failed"


@final
@dataclass(frozen=True, slots=True)
class Measure:
    """One thing that the system was asked to do. `reason` is the system's, or ours, and may be
    empty when it was done."""

    name: str
    state: State
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.state}" + (f" ({self.reason})" if self.reason else "")


def measured(name: str, attempt: Callable[[], None], /) -> Measure:
    """Active when `attempt` returns; unsupported when it raises NotImplementedError or AttributeError, as for a call
    that is missing; failed for every OSError and ValueError. The reason is the system's."""
    try:
        attempt()
    except (NotImplementedError, AttributeError) as error:
        return Measure(name, State.UNSUPPORTED, str(error) or "this system has no such call")
    except OSError as error:
        return Measure(name, State.FAILED, error.strerror or "refused")
    except ValueError as error:
        return Measure(name, State.FAILED, str(error))
    return Measure(name, State.ACTIVE)


@final
class OwnMemory:
    """A `Memory` for secrets. Made once for a process; its pages stay until the process ends.

    A process forked from this one sees zeros, or the same pages (memfd_secret): it must not write there, so in it
    `clear` leaves them alone and `take` goes to the heap.
    """

    def __init__(self) -> None:
        size = sum(slot * count for slot, count in SIZES.items())
        pages, measures = _pages(size)
        self._map: Final[mmap.mmap] = pages
        self.measures: Final[tuple[Measure, ...]] = measures
        self._process: Final = os.getpid()
        self._free: Final[dict[int, list[memoryview]]] = {}
        self._taken: Final[dict[int, tuple[int, memoryview]]] = {}
        rest = memoryview(self._map)
        for slot, count in SIZES.items():
            self._free[slot] = [rest[slot * number :][:slot] for number in range(count)]
            rest = rest[slot * count :]

    def take(self, size: int, /) -> Block:
        """From the smallest slots that are large enough and free, else from the heap."""
        # No lock: a secret may be collected, and give back, in the middle of this. Each step on its own is atomic.
        for slot in [slot for slot in SIZES if slot >= size and self._is_home()]:
            try:
                whole = self._free[slot].pop()
            except IndexError:
                continue
            block = whole[:size]
            self._taken[id(block)] = slot, whole
            return block
        return bytearray(size)

    def clear(self, block: Block, /) -> None:
        if isinstance(block, bytearray) or self._is_home():
            block[:] = bytes(len(block))

    def give_back(self, block: Block, /) -> None:
        """The slot becomes free."""
        slot, whole = self._taken.pop(id(block), (0, None))
        if whole is not None:
            self._free[slot].append(whole)

    def _is_home(self) -> bool:
        return os.getpid() == self._process


def _pages(size: int) -> tuple[mmap.mmap, tuple[Measure, ...]]:
    """The best pages that the system gives, all zero, and what it did for them."""
    found: list[mmap.mmap] = []
    secret = measured("secret_memory", lambda: found.append(_secret_pages(size)))
    if found:
        by_nature = "so is all secret memory"  # memfd_secret(2): never swapped out; mlock is refused for it
        locked, pages = Measure("locked_memory", State.ACTIVE, by_nature), found[0]
    else:
        pages = _plain_pages(size)
        locked = measured("locked_memory", lambda: _lock(pages, size))
    return pages, (secret, locked, measured("undumped_memory", lambda: _leave_out_of_core_files(pages)))


def _secret_pages(size: int) -> mmap.mmap:
    """Pages that the kernel takes out of its own map: /proc/PID/mem, ptrace and core files do not reach them."""
    if sys.platform != "linux" or os.uname().machine not in _SAME_NUMBER:
        raise NotImplementedError("no memfd_secret here")
    libc = _libc()
    descriptor = libc.syscall(ctypes.c_long(_MEMFD_SECRET), ctypes.c_uint(os.O_CLOEXEC))
    if descriptor < 0:
        if ctypes.get_errno() == 38:  # ENOSYS: an older kernel, or one with it switched off
            raise NotImplementedError("this kernel has no memfd_secret")
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    try:
        os.ftruncate(descriptor, size)
        return mmap.mmap(descriptor, size)
    finally:
        os.close(descriptor)


def _plain_pages(size: int) -> mmap.mmap:
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if sys.platform == "linux":
        measured("wiped_on_fork", lambda: pages.madvise(_WIPE_ON_FORK))  # a child cannot use what it inherits anyway
    return pages


def _lock(pages: mmap.mmap, size: int) -> None:
    address = ctypes.addressof(ctypes.c_char.from_buffer(pages))
    if _libc().mlock(ctypes.c_void_p(address), ctypes.c_size_t(size)) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _leave_out_of_core_files(pages: mmap.mmap) -> None:
    if not hasattr(mmap, "MADV_DONTDUMP"):
        raise NotImplementedError("no MADV_DONTDUMP here")
    pages.madvise(mmap.MADV_DONTDUMP)


def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)
