"""Where in a byte string a protected one may begin, by the marks of `fingerprints.py`.

Every place at once, in a few operations on long integers and tables: XOR of neighbours, then two codes of four bits for
what a byte is as the first half of a mark and as the second. A place is worth a look where the first code of a byte
is the second code of the byte two places on. Pure and linear. Threat: T-061.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Final

Marks = frozenset[tuple[int, int]]

_NO_FIRST: Final = 0
_NO_SECOND: Final = 15
_CODES: Final = range(1, 15)
_LOW: Final = bytes(n & 15 == 0 for n in range(256))
_EITHER: Final = bytes(n & 15 == 0 or n >> 4 == 0 for n in range(256))
_SWAPPED: Final = bytes(n >> 4 | (n & 15) << 4 for n in range(256))
_USUAL: Final = 1 << 17


def places(data: bytes, /, *, marks: Marks) -> Iterator[int]:
    """Each place in `data` where four bytes have one of the marks."""
    size = len(data)
    number = int.from_bytes(data, "big")
    mixed = (number ^ number >> 8).to_bytes(size, "big")
    codes = int.from_bytes(mixed.translate(_codes(marks)), "big")
    # The shifted codes stick out in front by two bytes.
    worth = ((codes ^ codes << 12) & _low(size + 2)).to_bytes(size + 2, "big").translate(_LOW)
    place = worth.find(b"\1", 3, size)
    while place >= 0:
        if (mixed[place - 2], mixed[place]) in marks:
            yield place - 3
        place = worth.find(b"\1", place + 1, size)


def places_of_digits(number: int, size: int, /, *, marks: Marks) -> Iterator[tuple[int, int]]:
    """The same for the hex digits of `number`, which are `size` bytes and begin with a byte of padding: each place with
    0 where it is one in these bytes, and with 1 where it is one in those of `number << 4`. The last of these, where no
    secret has room, may be left out.

    Each byte holds the codes of both alignments, so that what is as long as the digits is made once for the two.
    """
    mixed = number ^ number >> 8
    even, odd = mixed.to_bytes(size, "big"), (mixed << 4).to_bytes(size + 1, "big")
    table = _codes(marks)
    codes = int.from_bytes(even.translate(table), "big")
    others = int.from_bytes(odd.translate(table.translate(_SWAPPED)), "big")
    low, high = _low(size + 4), _high(size + 4)
    worth = (codes ^ codes << 12) & low | (others ^ others << 20) & high
    worthy = worth.to_bytes(size + 4, "big").translate(_EITHER)
    place = worthy.find(b"\1", 5, size + 2)
    while place >= 0:
        if (even[place - 4], even[place - 2]) in marks:
            yield 0, place - 5
        if (odd[place - 3], odd[place - 1]) in marks:
            yield 1, place - 4
        place = worthy.find(b"\1", place + 1, size + 2)


def _low(size: int) -> int:
    """The low four bits of each of at least so many bytes."""
    return _every(15, _USUAL) if size <= _USUAL else _every.__wrapped__(15, size)


def _high(size: int) -> int:
    return _every(240, _USUAL) if size <= _USUAL else _every.__wrapped__(240, size)


@cache
def _every(byte: int, size: int) -> int:
    return int.from_bytes(bytes((byte,)) * size, "big")


@lru_cache(maxsize=8)
def _codes(marks: Marks) -> bytes:
    """Byte -> its code as a first half, in the low bits, and as a second half. The halves of a mark have one code.

    So have all marks that share a half, directly or by others between them; the codes are dealt to these groups.
    """
    table = [[_NO_FIRST] * 256, [_NO_SECOND] * 256]
    load = dict.fromkeys(_CODES, 0)
    for group in sorted(_groups(marks), key=len, reverse=True):
        code = min(load, key=load.__getitem__)
        load[code] += len(group)
        for first, second in group:
            table[0][first] = table[1][second] = code
    return bytes([first | second << 4 for first, second in zip(*table, strict=True)])


def _groups(marks: Marks) -> list[list[tuple[int, int]]]:
    """The marks in groups such that two with a common first or second half are in one."""
    groups: list[tuple[set[int], set[int], list[tuple[int, int]]]] = []
    for first, second in sorted(marks):
        firsts, seconds, group = {first}, {second}, [(first, second)]
        apart = []
        for other in groups:
            if first in other[0] or second in other[1]:
                firsts |= other[0]
                seconds |= other[1]
                group += other[2]
            else:
                apart.append(other)
        groups = [*apart, (firsts, seconds, group)]
    return [group for _, _, group in groups]
