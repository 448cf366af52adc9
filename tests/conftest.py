"""What holds for every test: the event loop, the curve library, and no command-line state of the machine."""

from __future__ import annotations

import sys

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Fail at once where eth-keys would sign in pure Python: too slow to test with, and not what ships."""
    if sys.version_info >= (3, 14):
        return  # coincurve has no wheels there yet; the guard signs with OpenSSL, only the test chain is slow
    from eth_keys.backends.coincurve import CoinCurveECCBackend
    from eth_keys.main import KeyAPI

    if not isinstance(KeyAPI().backend, CoinCurveECCBackend):
        raise pytest.UsageError("eth-keys does not use coincurve: install requirements/test.txt (`make test`)")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
