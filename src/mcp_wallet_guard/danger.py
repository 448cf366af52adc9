"""Every way to lower protection, in one room.

A waiver is a sealed value with a required reason. Functions that weaken something take a waiver and nothing else,
so ``grep danger.`` finds every place of a program that runs with less than the default, and the guard journals
each waiver, with its reason, when it starts.
"""

from __future__ import annotations

import re
from typing import Final, Never, NoReturn, TypeVar, final

_REASON: Final = re.compile(r"[\x20-\x7e]{8,200}")


class Waiver:
    """Base of the sealed waivers: read-only, not copied, not pickled, made only by this module's functions."""

    __slots__ = ("reason",)
    reason: str

    def __init__(self, sealed: Never, /) -> None:  # noqa: ARG002  # `Never` is the point: no value can be passed
        raise TypeError("waivers are made by the functions of mcp_wallet_guard.danger")

    def __init_subclass__(cls) -> None:
        if cls.__module__ != __name__:
            raise TypeError("waivers are sealed")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("waivers are read-only")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a waiver cannot be copied or pickled")

    @property
    def code(self) -> str:
        """The name under which the journal records this waiver."""
        return type(self).__name__

    def __repr__(self) -> str:
        return f"<danger.{self.code}: {self.reason}>"


@final
class CheapKdf(Waiver):
    """Vault slots may use a scrypt cost below the floor of N=2^17. For tests and demonstrations."""

    __slots__ = ()


@final
class LowerLevel(Waiver):
    """Policy may ask for less than `FACTOR` for a spend that is asked."""

    __slots__ = ()


@final
class PublicPhrase(Waiver):
    """A recovery phrase that everybody knows may be taken over. For test chains."""

    __slots__ = ()


W = TypeVar("W", bound=Waiver)


def _make(kind: type[W], reason: str) -> W:
    if type(reason) is not str or _REASON.fullmatch(reason) is None:
        raise ValueError("a waiver needs a reason: 8 to 200 printable ASCII characters")
    waiver = object.__new__(kind)
    object.__setattr__(waiver, "reason", reason)
    return waiver


def cheap_kdf(*, reason: str) -> CheapKdf:
    """Allow a scrypt cost below the floor. Anyone who reads the vault file can then guess its passphrase faster."""
    return _make(CheapKdf, reason)


def lower_level(*, reason: str) -> LowerLevel:
    """Allow spends below `FACTOR`. A same-user program with a browser or a shell can then approve by itself."""
    return _make(LowerLevel, reason)


def public_phrase(*, reason: str) -> PublicPhrase:
    """Take over a phrase that everybody knows. Whatever is paid to its accounts on a real chain is taken at once."""
    return _make(PublicPhrase, reason)
