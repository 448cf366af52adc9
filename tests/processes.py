"""Work in a process of its own, for tests that kill it or take its disk away."""

from __future__ import annotations

import faulthandler
import os
import resource
import signal
from collections.abc import Callable
from typing import NoReturn


def die() -> NoReturn:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("a killed process goes on")


def in_child(work: Callable[[], object]) -> bool:
    """Run `work` in a process of its own; whether it was killed. Fails the test when it failed in another way."""
    child = os.fork()
    if child == 0:
        status = 1
        faulthandler.dump_traceback_later(120, exit=True)  # a child that hangs says where
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def fill_disk(size: int) -> None:
    """From here on the kernel refuses this process every write beyond `size` bytes of a file."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
