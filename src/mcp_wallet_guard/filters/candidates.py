"""Does a text hold a protected secret, however it is written? Decode-side: find runs, decode, look up.

Not the secret's encodings are listed but the text's decodings: hex, base64 (both alphabets), base32, base58, decimal,
arrays of small integers, raw bytes; each in every view of `views.py`, with separators squeezed out, read backwards,
and again inside what was decoded, three levels deep. A run is searched at every offset, so surroundings do not hide a
secret. What is found is confirmed by digest: there are no false alarms, only misses. Pure; the work is linear in the
size of the text, and a text that asks for more is refused. Source: research in docs/adr/0301. Threat: T-061, T-062.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Final, final

from mcp_wallet_guard.bip39 import LIST_SHA256, word_list
from mcp_wallet_guard.filters.fingerprints import (
    MIN_SECRET_BYTES,
    PREFIX_LETTERS,
    WINDOW_WORDS,
    FingerprintSet,
    plain_word,
)
from mcp_wallet_guard.filters.views import views

MAX_DEPTH: Final = 3
WORK_PER_CHARACTER: Final = 64
WORK_FLOOR: Final = 1 << 18

_HEX_RUN: Final = re.compile(r"[0-9a-fA-F]{32,}")
_HEX_ONLY: Final = re.compile(r"(?:0[xX])?[0-9a-fA-F]*")
_BASE64_RUN: Final = re.compile(r"[A-Za-z0-9+/_-]{22,}")
_BASE32_RUN: Final = re.compile(r"[A-Za-z2-7]{26,}")
_BASE58_RUN: Final = re.compile(r"[1-9A-HJ-NP-Za-km-z]{21,}")
_DECIMAL_RUN: Final = re.compile(r"[0-9]{32,}")
_GROUPED_RUN: Final = re.compile(r"(?<![0-9])[0-9]{1,3}+(?:[,._' ][0-9]{3}(?![0-9])){9,}+")
_INTS_RUN: Final = re.compile(r"(?<![\w.])-?[0-9]{1,3}+(?:[\s,;:|\"'\[\](){}]{1,8}+-?[0-9]{1,3}+(?![0-9.]))++")
_INT: Final = re.compile(r"-?[0-9]+")
_QUOTED: Final = re.compile(r"([\"'])([^\"'\n]*+)\1(\s*:)?")
_HEX_PREFIX: Final = re.compile(r"0[xX](?=[0-9a-fA-F])")
_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WORD: Final = re.compile(r"[^\W\d_]+")
_SEPARATORS: Final = str.maketrans("", "", " \t\r\n,;:|.\"'`()[]{}<>=*#~!?@$^&\\")
_NOT_ALPHANUMERIC: Final = re.compile(r"[^0-9A-Za-z]+")

_BASE58: Final = {c: n for n, c in enumerate("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")}
_BASE64: Final = {c: n for n, c in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")}
_TO_OCTAL: Final = str.maketrans({c: f"{n:02o}" for c, n in _BASE64.items()} | {"-": f"{62:02o}", "_": f"{63:02o}"})
_TO_BASE32HEX: Final = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789ABCDEFGHIJKLMNOPQRSTUV")
_RAW: Final = re.compile(r"[^\n\t\r -~]")
_READABLE: Final = re.compile(rb"[\x09\x0a\x0d\x20-\x7e]{22,}+|[\x09\x0a\x0d\x20-\x7e\x80-\xf4]{66,}+")
_SHORTEST_PHRASE: Final = 4 * WINDOW_WORDS - 1
_PIECE: Final = 1 << 20
_MAX_BASE58: Final = 1400
_MAX_DECIMAL: Final = 400


class TooMuchWork(Exception):
    """The text would cost more than its size allows. The caller refuses it."""


def holds_secret(text: str, /, *, fingerprints: FingerprintSet) -> bool:
    """Whether `text` holds a protected secret. Raises TooMuchWork or `views.TooDeep` for a text made to exhaust."""
    if fingerprints.empty:
        return False
    return _Scan(fingerprints, len(text)).text(text, depth=0)


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
        for view in views(text):
            if view in self._seen:
                continue
            self._seen.add(view)
            self._spend(len(view))
            if self._words(view) or self._runs(view, depth=depth):
                return True
        return False

    def _runs(self, view: str, *, depth: int) -> bool:
        if _RAW.search(view) is not None and self._bytes(view.encode("latin-1", "replace")):
            return True
        return any(self._decoded(blob, depth=depth) for blob in _joined(_decodings(view)))

    def _decoded(self, blob: bytes, *, depth: int) -> bool:
        if self._bytes(blob):
            return True
        # Only what reads as text can hold another encoding, and noise does not read as text for 22 characters.
        readable = _READABLE.findall(blob) if depth < MAX_DEPTH else []
        return bool(readable) and self.text(b"\n".join(readable).decode("utf-8", "ignore"), depth=depth + 1)

    def _bytes(self, data: bytes) -> bool:
        """Whether a protected byte string stands anywhere in `data`."""
        self._spend(len(data))
        smallest = self._sizes[0] if self._sizes else len(data) + 1
        if len(data) < smallest:
            return False
        for start in self._places(data, last=len(data) - smallest):
            for size in self._sizes:
                self._spend(1)
                if self._prints.contains(data[start : start + size]):
                    return True
        return False

    def _places(self, data: bytes, *, last: int) -> Iterator[int]:
        """Where a secret may begin."""
        if not self._prints.marks:
            yield from range(last + 1)
            return
        # XOR of neighbours in one operation on a long integer: a regular expression then finds the marks.
        number = int.from_bytes(data, "big")
        mixed = (number ^ number >> 8).to_bytes(len(data), "big")
        starts, seconds = _marks(self._prints.marks)
        for match in starts.finditer(mixed, 1, last + 2):
            start = match.start() - 1
            if mixed[start + 3] in seconds[mixed[start + 1]]:
                yield start

    def _words(self, view: str) -> bool:
        if len(view) < _SHORTEST_PHRASE:
            return False
        tokens = [plain_word(token) for token in _WORD.findall(_CAMEL.sub(" ", view))]
        if any(len(token) >= 36 and self._prints.contains_words([token]) for token in tokens):
            return True
        if len(tokens) < WINDOW_WORDS:
            return False
        self._spend(4 * len(tokens))
        known = _known_prefixes()
        listed = [token[:PREFIX_LETTERS] in known or not token.isascii() for token in tokens]
        for stride in range(1, 5):
            for first in range(stride):
                run = 0
                for place in range(first, len(tokens), stride):
                    run = run + 1 if listed[place] else 0
                    if run >= WINDOW_WORDS:
                        window = tokens[place - stride * (WINDOW_WORDS - 1) : place + 1 : stride]
                        if self._prints.contains_words(window):
                            return True
        return False

    def _spend(self, work: int) -> None:
        self._budget -= work
        if self._budget < 0:
            raise TooMuchWork


def _joined(decodings: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes in few pieces: one search of a long piece is much cheaper than many of short ones."""
    piece: list[bytes] = []
    size = 0
    for decoded in decodings:
        piece.append(decoded)
        size += len(decoded)
        if size >= _PIECE:
            yield b"\0".join(piece)
            piece, size = [], 0
    if piece:
        yield b"\0".join(piece)


def _decodings(view: str) -> Iterator[bytes]:
    """Every byte string that a run of `view` may stand for."""
    yield from _runs_of(view, backwards=True)
    squeezed = view.translate(_SEPARATORS)
    if squeezed != view:
        yield from _runs_of(squeezed, backwards=False)
    bare = _NOT_ALPHANUMERIC.sub("", _HEX_PREFIX.sub("", view))
    if bare not in (view, squeezed):
        yield from _runs_of(bare, backwards=False)
    values = [value for _, value, is_key in _QUOTED.findall(view) if not is_key]
    if len(values) > 1:
        # A secret that is split over the fields of JSON inside a text.
        yield from _runs_of("".join(values), backwards=False)
    for line in view.splitlines():
        if 21 <= len(line) <= _MAX_BASE58 and not line.isalnum():
            run = _NOT_ALPHANUMERIC.sub("", line)
            if _BASE58_RUN.fullmatch(run):
                yield from _base58(run)
    for run in _GROUPED_RUN.findall(view):
        yield from _decimal(re.sub(r"[^0-9]", "", run))
    for run in _INTS_RUN.findall(view):
        yield from _small_integers([int(text) for text in _INT.findall(run)])


def _runs_of(text: str, *, backwards: bool) -> Iterator[bytes]:
    for run in _HEX_RUN.findall(text):
        number = int(run, 16)
        yield number.to_bytes((len(run) + 1) // 2, "big")
        yield (number >> 4).to_bytes((len(run) + 1) // 2, "big")
    for run in _BASE64_RUN.findall(text):
        if _HEX_ONLY.fullmatch(run):
            continue  # a base64 text of 22 characters without g-z is a chance of 2^-25, and hex is everywhere here
        yield from _base64(run)
        if backwards:
            yield from _base64(run[::-1])
    for run in _BASE32_RUN.findall(text):
        yield from _base32(run)
        if backwards:
            yield from _base32(run[::-1])
    if backwards:
        for run in _BASE58_RUN.findall(text):
            if len(run) <= _MAX_BASE58 and not _HEX_ONLY.fullmatch(run):
                yield from _base58(run)
                yield from _base58(run[1:])
                yield from _base58(run[::-1])
    for run in _DECIMAL_RUN.findall(text):
        if len(run) <= _MAX_DECIMAL:
            yield from _decimal(run)
            yield from _decimal(run[::-1])


def _base64(run: str) -> Iterator[bytes]:
    number, bits = int(run.translate(_TO_OCTAL), 8), 6 * len(run)
    for shift in (0, 2, 4, 6):
        yield (number >> shift).to_bytes((bits + 7) // 8, "big")


def _base32(run: str) -> Iterator[bytes]:
    number, bits = int(run.upper().translate(_TO_BASE32HEX), 32), 5 * len(run)
    for shift in range(8):
        yield (number >> shift).to_bytes((bits + 7) // 8, "big")


def _base58(run: str) -> Iterator[bytes]:
    number = 0
    for character in run:
        number = number * 58 + _BASE58[character]
    # Padded in front: leading zero bytes of a secret are ones in base58 or were left out.
    yield number.to_bytes((number.bit_length() + 7) // 8 + 4, "big")


def _decimal(run: str) -> Iterator[bytes]:
    number = int(run)
    yield number.to_bytes((number.bit_length() + 7) // 8 + 4, "big")


def _small_integers(numbers: list[int]) -> Iterator[bytes]:
    # Every second one as well: {"0": 17, "1": 42, ...} lists each byte after its index.
    for step, first in ((1, 0), (2, 0), (2, 1)):
        run = bytearray()
        for number in numbers[first::step]:
            if -128 <= number <= 255:
                run.append(number % 256)
                continue
            if len(run) >= MIN_SECRET_BYTES:
                yield bytes(run)
            run.clear()
        if len(run) >= MIN_SECRET_BYTES:
            yield bytes(run)


@lru_cache(maxsize=8)
def _marks(marks: frozenset[tuple[int, int]]) -> tuple[re.Pattern[bytes], dict[int, frozenset[int]]]:
    seconds: dict[int, set[int]] = defaultdict(set)
    for first, second in marks:
        seconds[first].add(second)
    pattern = b"[" + b"".join(re.escape(bytes((first,))) for first in sorted(seconds)) + b"]"
    return re.compile(pattern, re.DOTALL), {first: frozenset(found) for first, found in seconds.items()}


@cache
def _known_prefixes() -> frozenset[str]:
    return frozenset(word[:PREFIX_LETTERS] for language in sorted(LIST_SHA256) for word in word_list(language))
