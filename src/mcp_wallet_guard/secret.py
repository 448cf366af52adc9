"""`Secret`: bytes that do not show themselves.

What it promises: `repr`, `str`, formatting, pickling, copying, hashing, comparison, iteration and JSON never
show the value; the one buffer that it owns is overwritten by `wipe`, and when it is forgotten unwiped. Where
the buffer lies is the process's choice (`keep_secrets_in`). What Python cannot promise: copies that other
libraries make while the value is revealed, and passphrases that arrived as `str`. See docs/limitations.md.
Threat: T-064, T-065.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import ClassVar, Final, NoReturn, Protocol, final

Block = bytearray | memoryview


class Memory(Protocol):
    """Where the bytes of secrets lie. Called by any thread."""

    def take(self, size: int, /) -> Block:
        """A writable block of so many zero bytes, for one owner."""
        ...

    def clear(self, block: Block, /) -> None:
        """Overwrite a block with zeros."""
        ...

    def give_back(self, block: Block, /) -> None:
        """End the ownership of a block that is clear and that nobody looks at any more."""
        ...


@final
class Heap:
    """The interpreter's own memory, which may be swapped out, written to a core file, and read by a debugger."""

    def take(self, size: int, /) -> Block:
        return bytearray(size)

    def clear(self, block: Block, /) -> None:
        block[:] = bytes(len(block))

    def give_back(self, block: Block, /) -> None:
        """Nothing to do: it goes with its last reference."""


_memory: Memory = Heap()


def keep_secrets_in(memory: Memory, /) -> Memory:
    """Let every secret that is made from now on lie in `memory`; what it was before. Others stay where they are."""
    global _memory
    before, _memory = _memory, memory
    return before


@final
class Secret:
    """A secret held in one buffer; use it inside ``with secret.reveal() as view:``."""

    __slots__ = ("_buffer", "_memory", "_size", "_views", "_wiped")

    def __init__(self, value: bytes | bytearray | memoryview, /) -> None:
        """Copy `value` (1 byte or more) into an owned buffer. A `bytearray` argument is wiped after the copy."""
        if len(value) == 0:
            raise ValueError("a secret has at least one byte")
        self._size: Final = len(value)
        self._views = 0
        self._wiped = False
        self._memory: Final = _memory
        self._buffer = self._memory.take(self._size)
        self._buffer[:] = value
        if isinstance(value, bytearray):
            value[:] = bytes(len(value))

    @classmethod
    def written(cls, size: int, write: Callable[[memoryview], object], /) -> Secret:
        """A secret of `size` bytes that `write` writes where it will lie: no second copy. Raises what `write` raises,
        the buffer wiped."""
        secret = cls(bytes(size))
        try:
            with memoryview(secret._buffer) as view:
                write(view)
        except BaseException:
            secret.wipe()
            raise
        return secret

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
        if not self._wiped:
            self._wiped = True
            self._memory.clear(self._buffer)
            self._let_go()

    def _let_go(self) -> None:
        """Give the buffer back, once it is clear and no view of it is left that would show its next owner's secret."""
        if self._wiped and self._views == 0 and len(self._buffer):
            buffer, self._buffer = self._buffer, bytearray()
            self._memory.give_back(buffer)

    def __del__(self) -> None:
        if getattr(self, "_buffer", b""):
            self.wipe()

    def __len__(self) -> int:
        return self._size

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
        self._secret._views += 1  # noqa: SLF001  # the same
        return self._view

    def __exit__(self, *_: object) -> None:
        view, self._view = self._view, None
        if view is not None:
            view.release()
            self._secret._views -= 1  # noqa: SLF001  # the same
            self._secret._let_go()  # noqa: SLF001  # the same
