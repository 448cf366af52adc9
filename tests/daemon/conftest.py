"""A vault directory with a short path, and a guard to serve from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.memory_guard import MemoryGuard, short_directory


@pytest.fixture
def directory() -> Iterator[Path]:
    with short_directory() as path:
        yield path


@pytest.fixture
def guard() -> MemoryGuard:
    return MemoryGuard()
