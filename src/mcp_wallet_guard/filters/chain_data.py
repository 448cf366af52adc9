"""Chain data is hex, and hex can be read in one piece: a large message with its hex apart from its other texts.

What stands in hex leaves is looked for in two readings of all their digits together, at the two alignments of nibbles.
Every other encoding of a random secret has letters beyond f, so all other leaves are kept as they are, with `EDGE`
digits of the hex on either side of them, since a piece of a secret may look like hex. Names repeat from object to
object: each row of them that is long enough to hold a secret is read once. What this cannot see, and how likely that
is, is written in docs/adr/0306. Pure and linear. Threat: T-061, T-062.
"""

from __future__ import annotations

import binascii
import re
from bisect import bisect_left
from itertools import accumulate, compress
from operator import eq
from typing import Final, NamedTuple

from mcp_wallet_guard.filters.decodings import bare
from mcp_wallet_guard.filters.fingerprints import WINDOW_WORDS

EDGE: Final = 72
"""Digits that are kept of hex beside another text: that many letters of a secret in bech32 are digits by a chance of
2^-86, in base64 of 2^-110."""

_HEX_LEAF: Final = re.compile(r"(?:0[xX])?([0-9a-fA-F]*+)|([0-9]++)\.([0-9]++)")
_NOT_HEX: Final = re.compile(rb"[^0-9a-fA-F]+")
_ALL_HEX: Final = "0123456789abcdefABCDEF"
_ZEROS: Final = b"\0" * 16
_FEWER_ZEROS: Final = "0" * 12 + "aa" + "0" * 12
"""Padding is half of what a node answers. Zeros that a secret begins or ends with stay; a letter, so that no decimal
number goes on through it."""

_SHORT_DECIMAL: Final = 4


class Sorted(NamedTuple):
    """The texts of a message, sorted."""

    digits: bytes
    """What the digits of all leaves in order stand for, between padding, with long rows of zeros cut short, as is what
    is none in other texts."""

    others: list[str]
    """What is not nothing but hex."""

    unprefixed: list[str]
    """Every text that does not begin with 0x, and every one that is not hex."""

    rest: list[str]
    """The others with what stands beside them."""


def sort(texts: list[str], /) -> Sorted:
    """Sort the values of a message."""
    digits = [text.removeprefix("0x") for text in texts]
    plain = list(compress(range(len(texts)), map(eq, digits, texts)))
    others = _replace(digits, texts, plain)
    try:
        together = _shortened(digits)
    except ValueError:
        wrong = [place for place, each in enumerate(digits) if each.strip(_ALL_HEX)]
        others = sorted({*others, *_replace(digits, texts, wrong)})
        plain = sorted({*plain, *wrong})
        together = _shortened(digits)
    return Sorted(
        together,
        [texts[place] for place in others],
        [texts[place] for place in plain],
        _with_edges(texts, others) if others else [],
    )


def _replace(digits: list[str], texts: list[str], places: list[int]) -> list[int]:
    """Put what is hex in these texts into `digits`; the places of those that are not nothing but hex."""
    others: list[int] = []
    short: list[int] = []
    for place in places:
        text = texts[place]
        found = _HEX_LEAF.fullmatch(text)
        if found is None:
            digits[place] = _hex_in(text)
            others.append(place)
            continue
        digits[place] = "".join(found.groups(""))
        if len(text) <= _SHORT_DECIMAL and text.isdecimal():
            short.append(place)
    return sorted({*others, *_in_a_row(short)})


def _hex_in(text: str) -> str:
    return _NOT_HEX.sub(_FEWER_ZEROS.encode(), bare(text.encode("utf-8", "surrogatepass"))).decode()


def _in_a_row(places: list[int]) -> list[int]:
    """Those of the places that follow on each other at least eight times: small integers, which are read as such."""
    if len(places) < WINDOW_WORDS:
        return []
    found: set[int] = set()
    for first, last in zip(places, places[WINDOW_WORDS - 1 :], strict=False):
        if last - first == WINDOW_WORDS - 1:
            found.update(range(first, last + 1))
    return sorted(found)


def _shortened(digits: list[str]) -> bytes:
    """All digits in one, as bytes. Raises ValueError when there are other characters among them."""
    together = "".join(digits)
    data = binascii.unhexlify(together + "0" * (len(together) & 1))
    pieces = [piece.lstrip(b"\0") for piece in data.split(_ZEROS) if piece]
    return binascii.unhexlify(_FEWER_ZEROS).join([b"", *pieces, b""])


def _with_edges(texts: list[str], others: list[int]) -> list[str]:
    found: list[str] = []
    start = 0
    for place in others:
        found += _edges(texts[start:place], before=start > 0, after=True)
        found.append(texts[place])
        start = place + 1
    return found + _edges(texts[start:], before=start > 0, after=False)


def _edges(leaves: list[str], *, before: bool, after: bool) -> list[str]:
    """How leaves that are hex begin and end, when something else stands `before` or `after` them."""
    if sum(map(len, leaves)) <= 2 * EDGE:
        return leaves
    head = _until_edge([leaf[: EDGE + 2] for leaf in leaves[:EDGE]]) if before else []
    tail = _until_edge([leaf[-EDGE:] for leaf in leaves[: -EDGE - 1 : -1]]) if after else []
    return [*head, *reversed(tail)]


def _until_edge(leaves: list[str]) -> list[str]:
    sizes = accumulate(len(leaf.removeprefix("0x")) for leaf in leaves)
    return leaves[: bisect_left(list(sizes), EDGE) + 1]
