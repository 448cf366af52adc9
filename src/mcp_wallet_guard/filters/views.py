"""Views of a text: the forms in which it may mean the same, so that a secret cannot hide behind an escape.

Unescaping (``\\x41``, ``\\u0041``, ``\\101``, ``%41``, ``&#65;``), bytes read as UTF-8, and Unicode look-alikes
(NFKC, digits of other scripts, a few Cyrillic and Greek letters, invisible characters) are repeated until nothing new
appears. Pure and linear in the size of the text. Threat: T-061.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

MAX_VIEWS: Final = 24
"""A text with more views than this was made to hide something: nobody escapes honestly that deep."""

_ESCAPE: Final = re.compile(
    r"\\x([0-9a-fA-F]{2})|\\u([0-9a-fA-F]{4})|\\u\{([0-9a-fA-F]{1,6})\}|\\U([0-9a-fA-F]{8})|\\([0-3]?[0-7]{1,2})"
    r"|\\([abfnrtv\\'\"/])|%([0-9a-fA-F]{2})|&#([0-9]{1,7});|&#[xX]([0-9a-fA-F]{1,6});"
)
_PAIR: Final = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_CONTROL: Final = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
}  # fmt: skip
_LOOK_ALIKES: Final = str.maketrans(
    "АВЕКМНОРСТУХаеорсухіјѕԁһαβεοικρτυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",  # look-alikes are the subject
    "ABEKMHOPCTYXaeopcyxijsdhabeoikptuxABEZHIKMNOPTYX",
)


class TooDeep(Exception):
    """The text has more views than `MAX_VIEWS`."""


def views(text: str, /) -> list[str]:
    """`text` and its other readings, without repetition, the text itself first. Raises TooDeep."""
    found = [text]
    for view in found:
        for other in (_unescaped(view), _utf8(view), _normalised(view)):
            if other not in found:
                found.append(other)
        if len(found) > MAX_VIEWS:
            raise TooDeep
    return found


def _unescaped(text: str) -> str:
    if "\\" not in text and "%" not in text and "&#" not in text:
        return text
    return _PAIR.sub(_join_pair, _ESCAPE.sub(_unescape_one, text))


def _join_pair(match: re.Match[str]) -> str:
    """JSON writes what is beyond U+FFFF as two escapes."""
    return match[0].encode("utf-16-be", "surrogatepass").decode("utf-16-be")


def _unescape_one(match: re.Match[str]) -> str:
    byte, short, braced, long, octal, control, percent, decimal, entity = match.groups()
    if control is not None:
        return _CONTROL.get(control, control)
    if octal is not None:
        return chr(int(octal, 8))
    code = int(decimal) if decimal is not None else int(byte or short or braced or long or percent or entity, 16)
    return chr(code) if code <= 0x10FFFF else match[0]


def _utf8(text: str) -> str:
    if text.isascii():
        return text
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _normalised(text: str) -> str:
    if text.isascii():
        return text
    plain = unicodedata.normalize("NFKC", text).translate(_LOOK_ALIKES)
    return "".join(_visible(c) for c in plain)


def _visible(character: str) -> str:
    if character.isascii():
        return character
    if unicodedata.category(character) in {"Cf", "Cc", "Mn", "Zs"}:
        return " " if unicodedata.category(character) == "Zs" else ""
    digit = unicodedata.decimal(character, None)
    return character if digit is None else str(digit)
