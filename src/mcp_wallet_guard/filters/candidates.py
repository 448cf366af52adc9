"""Does a text hold a protected secret, however it is written? Decode-side: find runs, decode, look up.

Not the secret's encodings are listed but the text's decodings: hex, base64 (both alphabets), base32, base58, decimal,
arrays of small integers, raw bytes; each in every view of `views.py`, with separators squeezed out, read backwards,
and again inside what was decoded, three levels deep. A run is searched at every offset, so surroundings do not hide a
secret. What is found is confirmed by digest: there are no false alarms, only misses. Pure; the work is linear in the
size of the text, and a text that asks for more is refused. Source: research in docs/adr/0301. Threat: T-061, T-062.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final, NamedTuple, final

from mcp_wallet_guard.bip39 import LIST_SHA256, word_list
from mcp_wallet_guard.filters.decodings import decimals, decodings, int_lists, joined
from mcp_wallet_guard.filters.fingerprints import (
    PREFIX_LETTERS,
    WINDOW_WORDS,
    FingerprintSet,
    plain_word,
)
from mcp_wallet_guard.filters.places import places, places_of_digits
from mcp_wallet_guard.filters.runs import Run
from mcp_wallet_guard.filters.views import views

MAX_DEPTH: Final = 3
WORK_PER_CHARACTER: Final = 96
WORK_FLOOR: Final = 3 << 17


_INTS: Final = Run(r"0-9\s,;:|\"'\[\](){}\x1c-\x1f\x80-\xff-", 2 * WINDOW_WORDS - 1)
_ASCII: Final = Run(r"\x09\x0a\x0d\x20-\x7e", 22)
_UTF8: Final = Run(r"\x09\x0a\x0d\x20-\x7e\x80-\xf4", 22)
_LONG_UTF8: Final = Run(r"\x09\x0a\x0d\x20-\x7e\x80-\xf4", 66)
_READABLE: Final = re.compile(rb"[\x09\x0a\x0d\x20-\x7e]{22,}+|[\x09\x0a\x0d\x20-\x7e\x80-\xf4]{66,}+")
_DECIMAL_PAIRS: Final = Run("".join(rf"\x{tens}0-\x{tens}9" for tens in range(10)), 15)
_PADDING: Final = b"\0" * 11
_LESS_PADDING: Final = bytes(6) + b"\xaa" + bytes(6)
_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WORD: Final = re.compile(r"[^\W\d_]+")
_ASCII_WORD: Final = re.compile(r"[A-Z]*[a-z]+|[A-Z]+")
_RAW: Final = re.compile(r"[^\n\t\r -~]")

_SHORTEST_PHRASE: Final = 4 * WINDOW_WORDS - 1
_SAME: Final = b"\0" * 32
_REPETITIONS: Final = [re.compile(rf"(.{{{n}}})\1{{{-(-40 // n) - 1},}}", re.DOTALL) for n in range(1, 9)]
_KEPT: Final = 16
_WINDOW: Final = b"\1" * WINDOW_WORDS


class TooMuchWork(Exception):
    """The text would cost more than its size allows. The caller refuses it."""


def holds_secret(text: str, /, *, fingerprints: FingerprintSet) -> bool:
    """Whether `text` holds a protected secret. Raises TooMuchWork or `views.TooDeep` for a text made to exhaust."""
    if fingerprints.empty:
        return False
    return _Scan(fingerprints, len(text)).text(text, depth=0)


def hex_holds_secret(hexadecimal: Hexadecimal, texts: list[str], /, *, fingerprints: FingerprintSet) -> bool:
    """The part of `holds_secret` for `texts` that are hex. A decimal number may look like hex; any other encoding has
    letters beyond f. Raises as `holds_secret`."""
    if fingerprints.empty:
        return False
    scan = _Scan(fingerprints, 2 * len(hexadecimal.readings[0]))
    if scan.digits(hexadecimal):
        return True
    if hexadecimal.inside and scan.text(hexadecimal.text, depth=1):
        return True
    # A few decimal digits beside padding are no number; the zeros that one ends in are kept.
    if not _DECIMAL_PAIRS.stands_in(_LESS_PADDING.join(hexadecimal.readings[0].split(_PADDING))):
        return False
    together = "\n".join(texts).encode("utf-8", "surrogatepass")
    return any(scan.raw(blob) for blob in joined(decimals(together)))


class Hexadecimal(NamedTuple):
    """What digits stand for, at both alignments and as a number, and what reads as text in it."""

    readings: tuple[bytes, bytes]
    number: int
    inside: list[bytes]

    @property
    def text(self) -> str:
        """All that reads as text, each run on a line."""
        return b"\n".join(self.inside).decode("utf-8", "ignore")


def read_hex(digits: bytes, /) -> Hexadecimal:
    """Read digits, given as bytes that begin and end with padding."""
    number = int.from_bytes(digits, "big")
    readings = digits, (number << 4).to_bytes(len(digits) + 1, "big")
    return Hexadecimal(readings, number, [run for blob in readings for run in _readable(blob)])


@final
class _Scan:
    """One search, with its budget of characters and bytes to look at."""

    __slots__ = ("_budget", "_prints", "_seen", "_sizes")

    def __init__(self, fingerprints: FingerprintSet, size: int) -> None:
        self._prints = fingerprints
        self._budget = WORK_FLOOR + WORK_PER_CHARACTER * size
        self._seen: set[str] = set()
        self._sizes = sorted(fingerprints.lengths)

    def text(self, text: str, *, depth: int) -> bool:
        """Search `text` and, below `MAX_DEPTH`, what its runs decode to."""
        for view in views(_without_repetition(text)):
            if view in self._seen:
                continue
            self._seen.add(view)
            self._spend(len(view))
            if self._words(view) or self._runs(view, depth=depth):
                return True
        return False

    def _runs(self, view: str, *, depth: int) -> bool:
        if _RAW.search(view) is not None and self.raw(view.encode("latin-1", "replace")):
            return True
        raw = view.encode("utf-8", "surrogatepass")
        lists = int_lists(view) if _INTS.stands_in(raw) else []
        if any(self._indices(numbers) for numbers in lists):
            return True
        return any(self._decoded(blob, depth=depth) for blob in joined(decodings(view, raw, lists)))

    def _decoded(self, blob: bytes, *, depth: int) -> bool:
        if self.raw(blob):
            return True
        # Only what reads as text can hold another encoding, and noise does not read as text for 22 characters.
        if depth == MAX_DEPTH:
            return False
        texts = _readable(blob)
        return bool(texts) and self.text(b"\n".join(texts).decode("utf-8", "ignore"), depth=depth + 1)

    def raw(self, data: bytes) -> bool:
        """Whether a protected byte string stands anywhere in `data`."""
        self._spend(len(data))
        smallest = self._sizes[0] if self._sizes else len(data) + 1
        if len(data) < smallest:
            return False
        marks = self._prints.marks
        starts = places(data, marks=marks) if marks else range(len(data) - smallest + 1)
        return any(self._stands_at(data, start) for start in starts)

    def digits(self, hexadecimal: Hexadecimal) -> bool:
        """`raw` for both readings."""
        if not self._prints.marks:
            return any(self.raw(blob) for blob in hexadecimal.readings)
        data = hexadecimal.readings
        size = len(data[0])
        self._spend(2 * size)
        found = places_of_digits(hexadecimal.number, size, marks=self._prints.marks)
        return any(self._stands_at(data[which], start) for which, start in found)

    def _stands_at(self, data: bytes, start: int) -> bool:
        for size in self._sizes:
            self._spend(1)
            if self._prints.contains(data[start : start + size]):
                return True
        return False

    def _words(self, view: str) -> bool:
        if len(view) < _SHORTEST_PHRASE:
            return False
        if view.isascii():
            tokens = [token.lower() for token in _ASCII_WORD.findall(view)]
        else:
            tokens = [plain_word(token) for token in _WORD.findall(_CAMEL.sub(" ", view))]
        if any(len(token) >= 36 and self._prints.contains_words([token]) for token in tokens):
            return True
        if len(tokens) < WINDOW_WORDS:
            return False
        self._spend(4 * len(tokens))
        known = _known_prefixes()
        return self._phrase(tokens, bytes([token[:PREFIX_LETTERS] in known or not token.isascii() for token in tokens]))

    def _indices(self, numbers: list[int]) -> bool:
        """Whether these are places of a protected phrase's words in their list, counted from 0 or from 1."""
        if max(numbers) <= 255:
            return False  # bytes: that eight words are all of the first 256 is a chance of 2^-24
        self._spend(8 * len(numbers))
        words = word_list("english")
        for base in (0, 1):
            listed = bytes([0 <= number - base < len(words) for number in numbers])
            tokens = [words[number - base] if known else "" for number, known in zip(numbers, listed, strict=True)]
            if self._phrase(tokens, listed):
                return True
        return False

    def _phrase(self, tokens: list[str], listed: bytes) -> bool:
        """Whether eight listed tokens in a row, or every second to fourth one, are words of a protected phrase."""
        if listed.count(1) < WINDOW_WORDS:
            return False
        for stride in range(1, 5):
            for first in range(stride):
                flags = listed[first::stride]
                place = flags.find(_WINDOW)
                while place >= 0:
                    start = first + stride * place
                    if self._prints.contains_words(tokens[start : start + stride * WINDOW_WORDS : stride]):
                        return True
                    place = flags.find(_WINDOW, place + 1)
        return False

    def _spend(self, work: int) -> None:
        self._budget -= work
        if self._budget < 0:
            raise TooMuchWork


def _without_repetition(text: str) -> str:
    """`text` with what repeats itself for 40 characters cut short.

    An empty Bloom filter is 512 zeros. No secret is in it, but each alphabet reads another monotonous text from it at
    each alignment, and so on in each of those. What stands before and after is found as before: all offsets and
    alignments are looked at anyway.
    """
    if text.isascii():
        raw = text.encode()
        number = int.from_bytes(raw, "big")
        if not any(_SAME in (number ^ number >> 8 * period).to_bytes(len(raw), "big") for period in (8, 7, 6, 5)):
            return text
    for repetition in _REPETITIONS:
        text = repetition.sub(lambda match: match[0][:_KEPT], text)
    return text


def _readable(blob: bytes) -> list[bytes]:
    """The runs of `blob` that read as text: of ASCII 22 characters, of UTF-8 66 bytes. Noise has hardly any."""
    if not _ASCII.stands_in(blob) and not _LONG_UTF8.stands_in(blob):
        return []
    likely = [run for run in _UTF8.all_in(blob) if len(run) >= 66 or _ASCII.stands_in(run)]
    return [text for run in likely for text in _READABLE.findall(run)]


@cache
def _known_prefixes() -> frozenset[str]:
    return frozenset(word[:PREFIX_LETTERS] for language in sorted(LIST_SHA256) for word in word_list(language))
