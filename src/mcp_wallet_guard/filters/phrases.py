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
from mcp_wallet_guard.filters.names import PHRASE_WORDS

LEAST_WORDS: Final = min(PHRASE_WORDS)
MOST_WORDS: Final = max(PHRASE_WORDS)
LANGUAGES: Final = ("english", "chinese_simplified", "chinese_traditional")

_ENOUGH: Final = b"\1" * LEAST_WORDS
_STRIDES: Final = (1, 2, 3, 4)
_LONGEST_RUN: Final = 30
"""A phrase with a few listed words around it. A longer run is a list of words: only its fields and ends are read."""

_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_TOKEN: Final = re.compile(r"[\u3400-\u9fff]+|[^\W\d_]+")
_FIELD: Final = re.compile(r"[^\n\"'<>{}\[\]|;:=]{36,400}")
_AFTER_HINT: Final = re.compile(
    r"(?:助记词|助記詞|密语|密語|短语|短語|种子|種子|mnemonic|phrase|seed|words?)[\s\"'“「『]{0,4}[:\uff1a=][\s\"'“「『]{0,4}"
    r"([\u3400-\u9fff]{12,24})(?![\u3400-\u9fff])",
    re.IGNORECASE,
)


def holds_phrase(text: str, /) -> bool:
    """Whether a phrase of 12, 15, 18, 21 or 24 words with the right checksum stands in `text`."""
    tokens = [token.lower() for token in _TOKEN.findall(text if text.islower() else _CAMEL.sub(" ", text))]
    for language in LANGUAGES:
        index = _index(language)
        places = [index.get(token, -1) for token in tokens]
        if sum(place >= 0 for place in places) >= LEAST_WORDS and _holds(places):
            return True
        if language == "english":
            if _in_a_field(text, index):
                return True
            if text.isascii():
                return False
        elif _behind_a_hint(text, index):
            return True
    return False


def _holds(places: Sequence[int]) -> bool:
    """Whether a phrase stands among `places`, -1 being a word that is not in the list."""
    for stride in _STRIDES:
        for first in range(stride):
            for run in _runs(places[first::stride]):
                if any(_is_phrase(window) for window in _windows(run)):
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


def _in_a_field(text: str, index: dict[str, int]) -> bool:
    """Whether a line or a quoted text is a phrase and nothing else: a list of many phrases has long runs."""
    for field in _FIELD.findall(text):
        tokens = [token.lower() for token in _TOKEN.findall(field)]
        if len(tokens) in PHRASE_WORDS and _is_phrase([index.get(token, -1) for token in tokens]):
            return True
    return False


def _behind_a_hint(text: str, index: dict[str, int]) -> bool:
    found: Iterable[str] = _AFTER_HINT.findall(text)
    return any(len(run) in PHRASE_WORDS and _is_phrase([index.get(c, -1) for c in run]) for run in found)


def _is_phrase(places: Sequence[int]) -> bool:
    # Words in their alphabetical order are a part of the list, not a phrase: by chance twelve are so once in 4e8.
    if -1 in places or all(before < after for before, after in pairwise(places)):
        return False
    return has_checksum(places)


@cache
def _index(language: str) -> dict[str, int]:
    return {word: place for place, word in enumerate(word_list(language))}
