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
from typing import ClassVar, Final, NoReturn, final


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
        if isinstance(other, Secret):
            with self.reveal() as ours, other.reveal() as theirs:
                return hmac.compare_digest(ours, theirs)
        with self.reveal() as ours:
            return hmac.compare_digest(ours, other)

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

    def __eq__(self, other: object, /) -> NoReturn:
        raise TypeError("a Secret is compared by `equals` alone, in constant time")

    __hash__: ClassVar[None]  # type: ignore[assignment]  # unhashable on purpose: `__eq__` makes it so

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be copied or pickled")

    def __copy__(self) -> NoReturn:
        self.__reduce__()

    def __deepcopy__(self, memo: object, /) -> NoReturn:
        self.__reduce__()

    def __init_subclass__(cls, **_: object) -> NoReturn:
        raise TypeError("Secret is final")
