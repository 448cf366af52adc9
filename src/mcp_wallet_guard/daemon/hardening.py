"""What a process can do for itself against readers of the same user: no core file, no debugger, private files, and
secrets in pages of their own.

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
from typing import Final, final

from mcp_wallet_guard.keys.memory import Measure, OwnMemory, State, measured
from mcp_wallet_guard.secret import keep_secrets_in

_PR_GET_DUMPABLE: Final = 3
_PR_SET_DUMPABLE: Final = 4


@final
@dataclass(frozen=True, slots=True)
class Hardening:
    """What was asked of the system, and what came of it: read back from it where it can be asked."""

    measures: tuple[Measure, ...]

    @property
    def applied(self) -> tuple[str, ...]:
        """Names of the measures that are active."""
        return tuple(measure.name for measure in self.measures if measure.state is State.ACTIVE)

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the others."""
        return tuple(measure.name for measure in self.measures if measure.state is not State.ACTIVE)

    def __str__(self) -> str:
        """One line for each measure."""
        return "\n".join(map(str, self.measures))


def harden() -> Hardening:
    """Apply every measure to this process, for good; secrets that are made afterwards lie in memory of their own. Never
    raises."""
    return Hardening(
        (
            measured("no_core_file", _forbid_core_file),
            measured("not_dumpable", _forbid_attaching),
            measured("private_files", _keep_files_private),
            *_own_memory(),
        )
    )


def _own_memory() -> tuple[Measure, ...]:
    try:
        memory = OwnMemory()
    except OSError as error:  # not even plain pages: secrets stay in the heap
        return (Measure("own_memory", State.FAILED, error.strerror or "refused"),)
    keep_secrets_in(memory)
    return memory.measures


def _forbid_core_file() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if resource.getrlimit(resource.RLIMIT_CORE) != (0, 0):
        raise ValueError("the limit did not change")


def _forbid_attaching() -> None:
    """Linux: /proc/PID/mem and ptrace are closed to the same user's other processes."""
    if sys.platform != "linux":
        raise NotImplementedError("only Linux has it")
    prctl = ctypes.CDLL(None).prctl
    prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    if prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise ValueError("the system did not take it")


def _keep_files_private() -> None:
    os.umask(0o077)
