"""What holds for every test: the event loop, the curve library, and no command-line state of the machine."""

from __future__ import annotations

import os
import sys
import threading
import time
from itertools import groupby
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

# A busy machine takes its time: what an example costs is for benchmarks/ to say.
settings.register_profile("without-deadlines", deadline=None)
settings.load_profile("without-deadlines")


def pytest_configure(config: pytest.Config) -> None:
    """Fail at once where eth-keys would sign in pure Python: too slow to test with, and not what ships."""
    if sys.version_info >= (3, 14):
        return  # coincurve has no wheels there yet; the guard signs with OpenSSL, only the test chain is slow
    from eth_keys.backends.coincurve import CoinCurveECCBackend
    from eth_keys.main import KeyAPI

    if not isinstance(KeyAPI().backend, CoinCurveECCBackend):
        raise pytest.UsageError("eth-keys does not use coincurve: install requirements/test.txt (`make test`)")


_LONG: Final = frozenset({"cli", "docs", "e2e"})
"""Folders whose tests take seconds each."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What forks comes first: a copy of the process takes milliseconds then, and seconds after ten thousand tests.
    Files of long tests stand evenly between the others, so that each worker has its share and they end together."""
    forking = [item for item in items if item.get_closest_marker("forks") is not None]
    others = [item for item in items if item.get_closest_marker("forks") is None]
    files = [list(file) for _, file in groupby(others, key=lambda item: item.path)]
    long = [file for file in files if file[0].path.parent.name in _LONG]
    short = [file for file in files if file[0].path.parent.name not in _LONG]
    mixed: list[pytest.Item] = []
    for number, file in enumerate(short, start=1):
        mixed += file
        for other in long[(number - 1) * len(long) // len(short) : number * len(long) // len(short)]:
            mixed += other
    items[:] = [*forking, *(mixed or others)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


_WORKERS: Final = ("AnyIO worker thread", "mcp-wallet-guard store")


def _end_workers() -> None:
    """A thread that is ending may hold a lock of OpenSSL's, which a forked child would then wait for without end.

    Python forgets a thread before its last steps, in which OpenSSL cleans up: the system knows when it is gone.
    """
    for thread in threading.enumerate():
        if thread.name.startswith(_WORKERS) and thread is not threading.current_thread():
            thread.join(timeout=2)
    deadline = time.monotonic() + 2
    while (strangers := _unknown_threads() - _STRANGERS) and time.monotonic() < deadline:
        time.sleep(0.001)
    _STRANGERS.update(strangers)  # a thread of no Python, such as the test runner's: it is waited for once


def _unknown_threads() -> set[int]:
    """System threads of this process that Python does not list."""
    try:
        tasks = {int(task.name) for task in Path("/proc/self/task").iterdir()}
    except OSError:  # not Linux
        return set()
    return tasks - {thread.native_id for thread in threading.enumerate()}


_STRANGERS: Final = _unknown_threads()
os.register_at_fork(before=_end_workers)
