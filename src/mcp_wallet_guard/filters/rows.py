"""Names repeat from object to object and from message to message: what is new in those of a message.

Names are cut into rows where objects begin and end. A secret may be spelled over several rows, so what is remembered as
clean are the rows that follow on one. Pure and linear. Threat: T-061, T-062.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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


class Letters(NamedTuple):
    """A letter for each row, and back."""

    of: dict[Row, str]
    rows: dict[str, Row]


class Unread(NamedTuple):
    """What of a message's names is not known to be clean."""

    texts: list[str]
    different: list[Row]
    size: int
    """Characters of all names, each on a line."""

    sequences: set[str]
    letters: Letters


@final
class CleanRows:
    """Sequences of rows without a secret. A row is a letter here, a sequence a text of up to `_FOLLOWING` of them."""

    __slots__ = ("_clean", "_letters", "_next")

    def __init__(self) -> None:
        self._letters = Letters({}, {})
        self._clean: set[str] = set()
        self._next: Final = count(1)

    def unread(self, rows: Sequence[Row], /) -> Unread:
        """The texts to search. Whatever begins in a row and is not longer than `REACH` stands in one of these in one
        piece, or in a sequence that was clean before."""
        letters = self._letters
        try:
            message = "".join(map(letters.of.__getitem__, rows))
        except KeyError:
            letters = self._learned(rows)
            message = "".join([letters.of.get(row, "") for row in rows])
        if len(message) != len(rows):
            return Unread([_text(rows)], list(dict.fromkeys(rows)), _size(rows), set(), self._letters)
        different = {letter: letters.rows[letter] for letter in dict.fromkeys(message)}
        sizes = {letter: _size([row]) for letter, row in different.items()}
        size = sum(map(sizes.__getitem__, message))
        found = {message[start : start + _FOLLOWING] for start in range(len(message))} - self._clean
        texts = {_reached([letters.rows[letter] for letter in sequence]) for sequence in found}
        if "" in texts or sum(map(len, texts)) > _MOST_READ * size:
            return Unread([_text(rows)], list(different.values()), size, set(), letters)
        return Unread(sorted(texts), list(different.values()), size, found, letters)

    def keep(self, unread: Unread, /) -> None:
        """Remember what was searched in vain, and nothing that was not."""
        self._letters = unread.letters
        if unread.sequences:
            self._clean = unread.sequences | (self._clean if len(self._clean) <= _MOST_SEQUENCES else set())

    def _learned(self, rows: Sequence[Row]) -> Letters:
        """Letters for these rows as well, when they are few and plain."""
        known = self._letters
        if len(known.of) > _MOST_ROWS:
            known = Letters({}, {})
        new = [row for row in dict.fromkeys(rows) if row not in known.of]
        if len(new) > _MOST_ROWS or not _are_plain(new):
            return self._letters
        # A letter is never given twice, so that a sequence of old ones never comes to mean other rows.
        codes = [next(self._next) for _ in new]
        if codes and codes[-1] > _LAST_LETTER:
            return self._letters
        of = {**known.of, **dict(zip(new, map(chr, codes), strict=True))}
        return Letters(of, {letter: row for row, letter in of.items()})


@lru_cache(maxsize=8)
def clean_rows(fingerprints: FingerprintSet) -> CleanRows:  # noqa: ARG001  # what is clean depends on it
    """What is remembered for a set of fingerprints."""
    return CleanRows()


def _reached(rows: list[Row]) -> str:
    """The first row with at least `REACH` characters of those that follow, "" when there are not as many."""
    missing = REACH
    for place, row in enumerate(rows[1:], 2):
        missing -= sum(map(len, row))
        if missing <= 0:
            return _text(rows[:place])
    return _text(rows) if len(rows) < _FOLLOWING else ""


def _text(rows: Iterable[Row]) -> str:
    return "\n".join(chain.from_iterable(rows))


def _size(rows: Iterable[Row]) -> int:
    return sum([sum(map(len, row)) + len(row) for row in rows])


def _are_plain(rows: Iterable[Row]) -> bool:
    """Whether these are letters and digits. An escaped secret is longer than `REACH`."""
    names: Iterator[str] = chain.from_iterable(rows)
    together = "".join(dict.fromkeys(names)).replace("_", "").replace("-", "")
    return together.isascii() and (together.isalnum() or not together)
