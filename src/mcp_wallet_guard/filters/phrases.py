"""Recovery phrases of anybody: runs of BIP-39 words whose checksum is right, in English and Chinese.

A fifth of the words of English prose are in the list, yet twelve in a row are not; so English needs no context. The
Chinese lists are the commonest characters: there only characters that stand apart count, or an unbroken run of legal
length right behind a word such as "mnemonic:". Every second to fourth word is read as well, which covers numbering,
JSON, HTML and tables. Pure and linear. Source: BIP-39; docs/adr/0304. Threat: T-061, T-062.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import Final

from mcp_wallet_guard.bip39 import has_checksum, word_list
from mcp_wallet_guard.filters.leaves import BARRIER
from mcp_wallet_guard.filters.names import PHRASE_WORDS

LEAST_WORDS: Final = min(PHRASE_WORDS)
MOST_WORDS: Final = max(PHRASE_WORDS)
LANGUAGES: Final = ("english", "chinese_simplified", "chinese_traditional")

_ENOUGH: Final = b"\1" * LEAST_WORDS
_STRIDES: Final = (1, 2, 3, 4)
_LONGEST_RUN: Final = 30
"""A phrase with a few listed words around it. A longer run is a list of words: only its fields and ends are read."""

_REPEATED: Final = 4
_EXAMPLES: Final = frozenset((0, 2047))
"""The first word of the list eleven times and a twelfth, or the last one: test vectors of BIP-39."""

_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_TOKEN: Final = re.compile(r"[\u3400-\u9fff]+|[^\W\d_]+")
_FIELD: Final = re.compile(r"[^\n\"'<>{}\[\]|;:=]{36,400}")
_AFTER_HINT: Final = re.compile(
    r"(?:助记词|助記詞|密语|密語|短语|短語|种子|種子|mnemonic|phrase|seed|words?)[\s\"'“「『]{0,4}[:\uff1a=][\s\"'“「『]{0,4}"
    r"([\u3400-\u9fff]{12,24})(?![\u3400-\u9fff])",
    re.IGNORECASE,
)


def holds_phrase(text: str, /) -> bool:
    """Whether a phrase of 12, 15, 18, 21 or 24 words with the right checksum stands in `text`.

    After the last line `leaves.BARRIER` are names of fields, which are listed words more often than prose: there only
    names in a row count that are a whole phrase.
    """
    values, barrier, names = text.rpartition(f"\n{BARRIER}\n")
    if not barrier:
        values = names
    tokens = _tokens(values if values.islower() else _CAMEL.sub(" ", values))
    fields = [_tokens(field) for field in _FIELD.findall(text)] if len(tokens) >= LEAST_WORDS else []
    for language in LANGUAGES:
        index = _index(language)
        if _holds(_places(tokens, index), longest=None if language == "english" else _LONGEST_RUN):
            return True
        if any(len(field) in PHRASE_WORDS and _is_phrase(_places(field, index)) for field in fields):
            return True
        if barrier and any(_is_phrase(run) for run in _runs(_places(names.lower().split("\n"), index))):
            return True
        if text.isascii():
            return False
        found: list[str] = _AFTER_HINT.findall(text)
        if any(len(run) in PHRASE_WORDS and _is_phrase(_places(run, index)) for run in found):
            return True
    return False


def _tokens(text: str) -> list[str]:
    return [token.lower() for token in _TOKEN.findall(text)]


def _places(words: Iterable[str], index: dict[str, int]) -> list[int]:
    return [index.get(word, -1) for word in words]


def _holds(places: Sequence[int], *, longest: int | None) -> bool:
    """Whether a phrase stands among `places`, -1 being a word that is not in the list. Runs above `longest` are
    tables of characters."""
    for stride in _STRIDES:
        for first in range(stride):
            for run in _runs(places[first::stride]):
                if (longest is None or len(run) <= longest) and any(map(_is_phrase, _windows(run))):
                    return True
    return False


def _runs(places: Sequence[int]) -> Iterator[Sequence[int]]:
    listed = bytes([place >= 0 for place in places])
    start = listed.find(_ENOUGH)
    while start >= 0:
        end = listed.find(0, start)
        end = len(listed) if end < 0 else end
        yield places[start:end]
        start = listed.find(_ENOUGH, end)


def _windows(run: Sequence[int]) -> Iterator[Sequence[int]]:
    pieces = [run] if len(run) <= _LONGEST_RUN else [run[:_LONGEST_RUN], run[-_LONGEST_RUN:]]
    for piece in pieces:
        for size in PHRASE_WORDS:
            for start in range(len(piece) - size + 1):
                yield piece[start : start + size]


def _is_phrase(places: Sequence[int]) -> bool:
    different = len(set(places))
    if -1 in places or different < len(places) - _REPEATED:
        # Field names repeat themselves, and twelve random words hardly do; but two examples are known to everybody.
        return set(places[:-1]) <= _EXAMPLES and len(set(places[:-1])) == 1 and has_checksum(places)
    # Words in their alphabetical order are a part of the list, not a phrase: by chance twelve are so once in 4e8.
    return not all(before < after for before, after in pairwise(places)) and has_checksum(places)


@cache
def _index(language: str) -> dict[str, int]:
    return {word: place for place, word in enumerate(word_list(language))}
