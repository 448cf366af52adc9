"""`Secret`: bytes that do not show themselves.

What it promises: `repr`, `str`, formatting, pickling, copying, hashing, comparison, iteration and JSON never
show the value; the one buffer that it owns is overwritten by `wipe`. What Python cannot promise: copies that
other libraries make while the value is revealed, and passphrases that arrived as `str`. See
docs/limitations.md. Threat: T-064.
"""

from __future__ import annotations

import hmac
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

    def reveal(self) -> Revealed:
        """A read-only view of the bytes, valid inside the block only. Raises ValueError after `wipe`."""
        return Revealed(self)

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


@final
class Revealed:
    """The block in which a secret is in sight. Made by `Secret.reveal`, for one ``with``."""

    __slots__ = ("_secret", "_view")

    def __init__(self, secret: Secret, /) -> None:
        self._secret: Final = secret
        self._view: memoryview | None = None

    def __enter__(self) -> memoryview:
        if self._secret._wiped:  # noqa: SLF001  # one thing in two classes
            raise ValueError("this secret was wiped")
        if self._view is not None:
            raise ValueError("this secret is in sight already")
        # The view of a view keeps no other: releasing it lets go of the buffer.
        with memoryview(self._secret._buffer) as view:  # noqa: SLF001  # the same
            self._view = view.toreadonly()
        return self._view

    def __exit__(self, *_: object) -> None:
        view, self._view = self._view, None
        if view is not None:
            view.release()
