"""What a process can do for itself against readers of the same user: no core file, no debugger, private files.

Best effort: each step that the system does not have is reported, none fails the start. A reader with root's rights, or
one that was attached before, is not kept out; docs/limitations.md says so. Threat: T-065.
Sources: prctl(2) PR_SET_DUMPABLE, setrlimit(2) RLIMIT_CORE, umask(2).
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from collections.abc import Callable

_PR_GET_DUMPABLE: Final = 3
_PR_SET_DUMPABLE: Final = 4


@final
@dataclass(frozen=True, slots=True)
class Hardening:
    """Names of the steps that took effect, and of those that did not."""

    applied: tuple[str, ...]
    missing: tuple[str, ...]


def harden() -> Hardening:
    """Apply every step to this process, for good. Never raises."""
    steps: dict[str, Callable[[], bool]] = {
        "no_core_file": _forbid_core_file,
        "not_dumpable": _forbid_attaching,
        "private_files": _keep_files_private,
    }
    results = {name: _attempt(step) for name, step in steps.items()}
    return Hardening(
        applied=tuple(name for name, worked in results.items() if worked),
        missing=tuple(name for name, worked in results.items() if not worked),
    )


def _attempt(step: Callable[[], bool]) -> bool:
    try:
        return step()
    except (OSError, ValueError, AttributeError):
        return False


def _forbid_core_file() -> bool:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)


def _forbid_attaching() -> bool:
    """Linux: /proc/PID/mem and ptrace are closed to the same user's other processes."""
    if sys.platform != "linux":
        return False
    prctl = ctypes.CDLL(None).prctl
    prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    return bool(prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) == 0)


def _keep_files_private() -> bool:
    os.umask(0o077)
    return True
