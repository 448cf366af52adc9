"""What a run of characters may stand for: hex, base64, base32, bech32, base58, decimal and lists of small integers.

Each run is read at every alignment, some backwards, and with separators squeezed out, so that a value which is joined
over lines or fields is read in one piece. Pure and linear. Source: research in docs/adr/0301. Threat: T-061, T-062.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from typing import Final

from mcp_wallet_guard.filters.fingerprints import MIN_SECRET_BYTES, WINDOW_WORDS
from mcp_wallet_guard.filters.runs import Run

_HEX: Final = Run("0-9a-fA-F", 32)
_MUCH_HEX: Final = Run("0-9a-fA-F", 26)
_BASE64: Final = Run("A-Za-z0-9+/_-", 22)
_BASE32: Final = Run("A-Za-z2-7", 26)
_BECH32: Final = Run("02-9ac-hj-np-zAC-HJ-NP-Z", 26)
_BASE58: Final = Run("1-9A-HJ-NP-Za-km-z", 21)
_DECIMAL: Final = Run("0-9", 32)
_HEX_ONLY: Final = re.compile(rb"(?:0[xX])?[0-9a-fA-F]*")
_GROUPED_RUN: Final = re.compile(r"(?<![0-9])[0-9]{1,3}+(?:[,._' ][0-9]{3}(?![0-9])){9,}+")
_INTS_RUN: Final = re.compile(r"(?<![\w.])-?[0-9]{1,4}+(?:[\s,;:|\"'\[\](){}]{1,8}+-?[0-9]{1,4}+(?![0-9.]))++")
_INT: Final = re.compile(r"-?[0-9]+")
_QUOTED: Final = re.compile(r"([\"'])([^\"'\n]*+)\1(\s*:)?")
_MANY_ZEROS: Final = re.compile(rb"0{40,}")
_HEX_PREFIX: Final = re.compile(rb"0[xX](?=[0-9a-fA-F])")
_SEPARATORS: Final = b" \t\r\n,;:|.\"'`()[]{}<>=*#~!?@$^&\\"
_NOT_ALPHANUMERIC: Final = bytes(n for n in range(256) if not (chr(n).isascii() and chr(n).isalnum()))
_BASE58_DIGITS: Final = {c: n for n, c in enumerate(b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")}
_TO_BASE64: Final = bytes.maketrans(b"-_", b"+/")
_DIGITS32: Final = b"0123456789ABCDEFGHIJKLMNOPQRSTUV"
_FROM_BASE32: Final = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", _DIGITS32)
_FROM_BECH32: Final = bytes.maketrans(b"QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", _DIGITS32)
_GROUP_SHAPE: Final = bytes(1 if chr(n).isdigit() and n < 128 else 2 if n in b",._' " else 0 for n in range(256))
_GROUPS: Final = b"\2\1\1\1" * 9
_PIECE: Final = 1 << 20
_MAX_BASE58: Final = 1400
_MAX_DECIMAL: Final = 400


def joined(decodings: Iterator[bytes]) -> Iterator[bytes]:
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


def decodings(view: str, raw: bytes, lists: list[list[int]]) -> Iterator[bytes]:
    """Every byte string that a run of `view` may stand for. `raw` is `view` in UTF-8, `lists` are its integers."""
    yield from _runs_of(raw, backwards=True)
    squeezed = raw.translate(None, _SEPARATORS)
    if squeezed != raw:
        yield from _runs_of(squeezed, backwards=False)
    plain = bare(raw)
    if plain not in (raw, squeezed):
        yield from _runs_of(plain, backwards=False)
    if '"' in view or "'" in view:
        values = [value for _, value, is_key in _QUOTED.findall(view) if not is_key]
        if len(values) > 1:
            # A secret that is split over the fields of JSON inside a text.
            yield from _runs_of("".join(values).encode("utf-8", "surrogatepass"), backwards=False)
    for line in view.splitlines():
        if 21 <= len(line) <= _MAX_BASE58 and not line.isalnum():
            run = line.encode("utf-8", "surrogatepass").translate(None, _NOT_ALPHANUMERIC)
            if _BASE58.all_in(run) == [run]:
                yield from _base58(run)
    if _GROUPS in raw.translate(_GROUP_SHAPE):
        for grouped in _GROUPED_RUN.findall(view):
            yield from _decimal(re.sub(r"[^0-9]", "", grouped))
    for numbers in lists:
        yield from _small_integers(numbers)


def bare(text: bytes, /) -> bytes:
    """Letters and digits alone, without prefixes of hex."""
    return _HEX_PREFIX.sub(b"", text).translate(None, _NOT_ALPHANUMERIC)


def decimals(text: bytes, /) -> Iterator[bytes]:
    """What the decimal numbers of a text stand for, each by itself and joined."""
    text = _MANY_ZEROS.sub(b"0" * 16, text)
    for form in (text, text.translate(None, _SEPARATORS), bare(text)):
        yield from _decimals_of(form)


def _runs_of(text: bytes, *, backwards: bool) -> Iterator[bytes]:
    for run in _HEX.all_in(text):
        number = int(run, 16)
        yield number.to_bytes((len(run) + 1) // 2, "big")
        yield (number >> 4).to_bytes((len(run) + 1) // 2, "big")
    for run in _ways(_not_hex(_BASE64.all_in(text)), backwards=backwards):
        yield from _base64(run)
    for run in _ways(_BASE32.all_in(text), backwards=backwards):
        yield from _base32(run, _FROM_BASE32)
    for run in _BECH32.all_in(text):
        if not _MUCH_HEX.stands_in(run):  # the same, with what stands around a hex number: x is a letter of bech32
            yield from _base32(run, _FROM_BECH32)
    if backwards:
        for run in _not_hex(_BASE58.all_in(text)):
            if len(run) <= _MAX_BASE58:
                yield from _base58(run)
                yield from _base58(run[1:])
                yield from _base58(run[::-1])
    yield from _decimals_of(text)


def _decimals_of(text: bytes) -> Iterator[bytes]:
    for run in _DECIMAL.all_in(text):
        if len(run) <= _MAX_DECIMAL:
            yield from _decimal(run)
            yield from _decimal(run[::-1])


def _not_hex(runs: list[bytes]) -> list[bytes]:
    # A base64 text of 22 characters without g-z is a chance of 2^-25, and hex is everywhere here.
    return [run for run in runs if not _HEX_ONLY.fullmatch(run)]


def _ways(runs: list[bytes], *, backwards: bool) -> list[bytes]:
    return runs + [run[::-1] for run in runs] if backwards else runs


def _base64(run: bytes) -> Iterator[bytes]:
    run = run.translate(_TO_BASE64)
    for before in range(4):
        # A character in front moves all others by six bits, so four of them are every alignment.
        size = len(run) + before
        yield binascii.a2b_base64(b"A" * before + run + b"A" * (-size % 4))[: size * 3 // 4]


def _base32(run: bytes, digits: bytes) -> Iterator[bytes]:
    number, bits = int(run.upper().translate(digits), 32), 5 * len(run)
    for shift in range(8):
        yield (number >> shift).to_bytes((bits + 7) // 8, "big")


def _base58(run: bytes) -> Iterator[bytes]:
    number = 0
    for character in run:
        number = number * 58 + _BASE58_DIGITS[character]
    # Padded in front: leading zero bytes of a secret are ones in base58 or were left out.
    yield number.to_bytes((number.bit_length() + 7) // 8 + 4, "big")


def _decimal(run: str | bytes) -> Iterator[bytes]:
    number = int(run)
    yield number.to_bytes((number.bit_length() + 7) // 8 + 4, "big")


def int_lists(view: str) -> list[list[int]]:
    found = ([int(text) for text in _INT.findall(run)] for run in _INTS_RUN.findall(view))
    return [numbers for numbers in found if len(numbers) >= WINDOW_WORDS]


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
