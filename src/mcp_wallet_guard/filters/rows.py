"""Names repeat from object to object and from message to message: what is new in those of a message.

Names are cut into rows where objects begin and end. A secret may be spelled over several rows, so what is remembered as
clean are the rows that follow on one. Pure and linear. Threat: T-061, T-062.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain, count
from typing import Final, NamedTuple, final

from mcp_wallet_guard.filters.fingerprints import FingerprintSet

REACH: Final = 320
"""Characters of names in a row that are read together: 16 bytes of a secret in hex of hex of hex take 128, and eight
words among 24 others about 300."""

Row = tuple[str, ...]
"""Names in the order in which they stand in a message, up to where an object begins or ends."""

_FOLLOWING: Final = 12
_MOST_READ: Final = 4
_MOST_ROWS: Final = 2048
_MOST_SEQUENCES: Final = 8192
_LAST_LETTER: Final = 0x10FFFF


class Unread(NamedTuple):
    """What of a message's names is not known to be clean."""

    texts: list[str]
    different: list[Row]
    size: int
    """Characters of all names, each on a line."""

    sequences: frozenset[str] = frozenset()


@final
class CleanRows:
    """Sequences of rows without a secret. A row is a letter here, a sequence a text of up to `_FOLLOWING` of them."""

    __slots__ = ("_clean", "_letters", "_next", "_rows")

    def __init__(self) -> None:
        self._letters: dict[Row, str] = {}
        self._rows: dict[str, Row] = {}
        self._clean: set[str] = set()
        self._next: Final = count(1)

    def unread(self, rows: list[Row], /) -> Unread:
        """The texts to search. Whatever begins in a row and is not longer than `REACH` stands in one of these in one
        piece, or in a sequence that was clean before."""
        try:
            message = "".join(map(self._letters.__getitem__, rows))
        except KeyError:
            message = self._learned(rows)
        if not message:
            return Unread([_text(rows)], list(dict.fromkeys(rows)), _size(rows))
        different = {letter: self._rows[letter] for letter in dict.fromkeys(message)}
        size = sum([message.count(letter) * _size([row]) for letter, row in different.items()])
        found = {message[start : start + _FOLLOWING] for start in range(len(message))} - self._clean
        texts = {self._reached(sequence) for sequence in found}
        if "" in texts or sum(map(len, texts)) > _MOST_READ * size:
            return Unread([_text(rows)], list(different.values()), size)
        return Unread(list(texts), list(different.values()), size, frozenset(found))

    def keep(self, unread: Unread, /) -> None:
        """Remember what was searched in vain."""
        if unread.sequences:
            if len(self._clean) > _MOST_SEQUENCES:
                self._clean = set()
            self._clean |= unread.sequences

    def _learned(self, rows: list[Row]) -> str:
        different = dict.fromkeys(rows)
        if len(different) > _MOST_ROWS or not _are_plain(different):
            return ""
        if len(self._letters) > _MOST_ROWS:
            # A letter is never given twice: somebody else may be about to keep a sequence of old ones.
            self._letters, self._rows, self._clean = {}, {}, set()
        letters, known = self._letters, self._rows
        for row in different:
            if (code := next(self._next)) > _LAST_LETTER:
                return ""
            known[letters.setdefault(row, chr(code))] = row
        return "".join([letters[row] for row in rows])

    def _reached(self, sequence: str) -> str:
        """The first row with at least `REACH` characters of those that follow, "" when there are not as many."""
        rows = [self._rows[letter] for letter in sequence]
        missing = REACH
        for place, row in enumerate(rows[1:], 2):
            missing -= sum(map(len, row))
            if missing <= 0:
                return _text(rows[:place])
        return _text(rows) if len(rows) < _FOLLOWING else ""


@lru_cache(maxsize=8)
def clean_rows(fingerprints: FingerprintSet) -> CleanRows:  # noqa: ARG001  # what is clean depends on it
    """What is remembered for a set of fingerprints."""
    return CleanRows()


def _text(rows: Iterable[Row]) -> str:
    return "\n".join(chain.from_iterable(rows))


def _size(rows: Iterable[Row]) -> int:
    return sum([sum(map(len, row)) + len(row) for row in rows])


def _are_plain(rows: Iterable[Row]) -> bool:
    """Whether these are letters and digits. An escaped secret is longer than `REACH`."""
    names: Iterator[str] = chain.from_iterable(rows)
    together = "".join(dict.fromkeys(names)).replace("_", "").replace("-", "")
    return together.isascii() and (together.isalnum() or not together)
