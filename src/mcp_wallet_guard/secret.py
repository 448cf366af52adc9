"""`Secret`: bytes that do not show themselves.

What it promises: `repr`, `str`, formatting, pickling, copying, hashing, comparison, iteration and JSON never
show the value; the one buffer that it owns is overwritten by `wipe`. What Python cannot promise: copies that
other libraries make while the value is revealed, and passphrases that arrived as `str`. See
docs/limitations.md. Threat: T-064.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NoReturn, final


@final
class Secret:
    """A secret held in one buffer; use it inside ``with secret.reveal() as view:``."""

    __slots__ = ("_buffer", "_wiped")

    def __init__(self, value: bytes | bytearray | memoryview, /) -> None:
        """Copy `value` (1 byte or more) into an owned buffer. A `bytearray` argument is wiped after the copy."""
        if len(value) == 0:
            raise ValueError("a secret has at least one byte")
        self._buffer: Final[bytearray] = bytearray(value)
        self._wiped = False
        if isinstance(value, bytearray):
            value[:] = bytes(len(value))

    @contextmanager
    def reveal(self) -> Iterator[memoryview]:
        """A read-only view of the bytes, valid inside the block only. Raises ValueError after `wipe`."""
        if self._wiped:
            raise ValueError("this secret was wiped")
        with memoryview(self._buffer) as view, view.toreadonly() as readonly:
            yield readonly

    def equals(self, other: bytes | Secret, /) -> bool:
        """Compare in constant time. Raises ValueError when either was wiped."""
        if self._wiped or (isinstance(other, Secret) and other._wiped):
            raise ValueError("this secret was wiped")
        if isinstance(other, Secret):
            return hmac.compare_digest(self._buffer, other._buffer)
        return hmac.compare_digest(self._buffer, other)

    def wipe(self) -> None:
        """Overwrite the owned buffer. Idempotent."""
        self._buffer[:] = bytes(len(self._buffer))
        self._wiped = True

    def __len__(self) -> int:
        return len(self._buffer)

    def __repr__(self) -> str:
        return "<Secret>"

    __str__ = __repr__

    def __format__(self, spec: str, /) -> str:
        return "<Secret>"

    def _refuse(self, *_: object) -> NoReturn:
        raise TypeError("a Secret cannot be copied, pickled, compared with == or hashed")

    __reduce__ = _refuse
    __reduce_ex__ = _refuse
    __copy__ = _refuse
    __deepcopy__ = _refuse
    __eq__ = _refuse
    __hash__ = None  # type: ignore[assignment]  # unhashable on purpose

    def __init_subclass__(cls, **_: object) -> NoReturn:
        raise TypeError("Secret is final")
