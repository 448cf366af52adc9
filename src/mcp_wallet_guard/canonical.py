"""RFC 8785: the one spelling of a JSON value, as bytes. What is hashed or sealed is spelled here.

json's own writer spells most values the same way, in C, and ten times faster than the library: those whose text is
ASCII in its keys and without lone surrogates elsewhere, and whose numbers are integers below 2**53. All others, floats
among them, go to the library, which also refuses what the RFC does. Tests compare the two. Source: RFC 8785.
"""

from __future__ import annotations

import json
from typing import Any, Final

import rfc8785

_MAX: Final = 2**53 - 1
_LEVELS: Final = 64
_WIDTH: Final = 100_000
_WRITER: Final = json.JSONEncoder(ensure_ascii=False, check_circular=False, sort_keys=True, separators=(",", ":"))
_LISTS: Final = (list, tuple)


def canonical_bytes(value: Any, /) -> bytes:
    """The bytes of `value`, which is made of JSON types.

    Raises ValueError for what RFC 8785 cannot say: an integer beyond 2**53, NaN, a lone surrogate, a key that is not
    text, another type; RecursionError for what is nested too deep.
    """
    if _is_plain(value):
        try:
            return _WRITER.encode(value).encode("utf-8")
        except UnicodeEncodeError:
            pass  # the library has its own words for it
    return rfc8785.dumps(value)


def _is_plain(value: Any) -> bool:
    """Whether json's writer spells `value` as RFC 8785 does."""
    level, depth = [value], 0
    while level:
        below: list[Any] = []
        for each in level:
            kind = type(each)
            if kind is str or each is None or kind is bool:
                continue
            if kind is int:
                if not -_MAX <= each <= _MAX:
                    return False
            elif kind is dict:
                for key in each:
                    if type(key) is not str or not key.isascii():  # beyond it the RFC sorts by UTF-16
                        return False
                below.extend(each.values())
            elif kind in _LISTS:
                below.extend(each)
            else:
                return False
        level, depth = below, depth + 1
        if depth > _LEVELS or len(below) > _WIDTH:
            return False  # what holds itself ends here
    return True
