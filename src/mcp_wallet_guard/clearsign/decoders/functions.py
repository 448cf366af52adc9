"""A noun's functions: their text, what they do in our words, and who reads them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, final

from mcp_wallet_guard.clearsign.decoders.draft import Reader
from mcp_wallet_guard.operations.abi import Function, parse_function

_R = TypeVar("_R", bound=Reader)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A function that we read. `text` has the names of its arguments, with no space but before a name. `payable` says
    that native currency may come along."""

    text: str
    standard: str
    title: str
    reader: Reader
    payable: bool

    @property
    def function(self) -> Function:
        """Parsed on first use."""
        return parse_function(self.text)


@final
class Functions:
    """The functions of one standard, in order."""

    __slots__ = ("known", "standard")

    def __init__(self, standard: str, /) -> None:
        self.standard: str = standard
        self.known: list[Known] = []

    def reads(self, *texts: str, title: str, payable: bool = False) -> Callable[[_R], _R]:
        """Makes a function the reader of all `texts`: it is called with a draft, then with their arguments."""

        def register(reader: _R) -> _R:
            self.known += [
                Known(text=text, standard=self.standard, title=title, reader=reader, payable=payable) for text in texts
            ]
            return reader

        return register
