"""Safe text: strings from outside as one quoted line of printable ASCII, and the renderers for each sink.

Nothing is normalised: NFKC turns full-width letters into the plain symbol they imitate, so it hides the attack that
escaping shows. Characters outside U+0020-U+007E become ``\\u{...}``; quote and backslash are escaped too, so no input
can imitate an escape or close the quotes. Escaping for a sink comes last. Threat: T-021, T-022.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Iterable
from typing import Final, Literal

NAME_LIMIT: Final = 40
LINE_WIDTH: Final = 76
_HTML: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}
_QUOTING: Final = frozenset('"\\')
_PIECES: Final = re.compile(r"\\u\{[0-9a-f]+\}|\\\\|.", re.DOTALL)
"""An escape of ours, or a character."""
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def quoted(text: str, /, *, limit: int) -> str:
    """`text` in double quotes, at most `limit` columns between them, then how many characters were left out.

    Raises ValueError unless `limit` is at least 1.
    """
    if limit < 1:
        raise ValueError("a limit is at least one column")
    if len(text) <= limit and text.isascii() and text.isprintable() and _QUOTING.isdisjoint(text):
        return f'"{text}"'
    return _cut(map(_escaped, text), len(text), limit)


def requoted(escaped: str, /, *, limit: int) -> str:
    """`quoted` for text in which all but quotes is escaped already: what is in it stays as it is."""
    pieces = _PIECES.findall(escaped)
    return _cut((piece if len(piece) > 1 else _escaped(piece) for piece in pieces), len(pieces), limit)


def is_plain(text: str, /) -> bool:
    """Whether `text` is one line of printable ASCII."""
    return all(" " <= character <= "~" for character in text)


def suspicion(text: str, /) -> Literal["text.nonascii", "text.invisible"] | None:
    """What is odd about `text`: characters that steer or hide, characters that may imitate others, or nothing."""
    if is_plain(text):
        return None
    hidden = any(unicodedata.category(character) in _INVISIBLE for character in text)
    return "text.invisible" if hidden else "text.nonascii"


def terminal(text: str, /, *, indent: int = 0, width: int = LINE_WIDTH) -> str:
    """Lines of at most `width` columns and no control bytes, broken anywhere, later ones indented by `indent`
    spaces."""
    plain = text.isascii() and text.isprintable()
    safe = text if plain else "".join(c if " " <= c <= "~" else _escaped(c) for c in text)
    width = max(width - indent, 1)
    if len(safe) <= width:
        return safe.rstrip(" ")  # as the wrapper below does
    lines = textwrap.wrap(
        safe,
        width=width,
        break_on_hyphens=False,
        drop_whitespace=True,
        replace_whitespace=False,
    )
    return ("\n" + " " * indent).join(lines)


def html(text: str, /) -> str:
    """For HTML element content and quoted attribute values."""
    return "".join(_HTML.get(c, c) if " " <= c <= "~" else html(_escaped(c)) for c in text)


def markdown(text: str, /) -> str:
    """For Markdown: every ASCII punctuation character escaped, so nothing becomes a link, an image or markup.

    A backslash before ``:``, ``/``, ``@`` and ``.`` also keeps bare addresses from becoming links. Source: CommonMark
    0.31 section 2.4.
    """
    safe = "".join(c if " " <= c <= "~" else _escaped(c) for c in text)
    return "".join(c if c.isalnum() or c == " " else "\\" + c for c in safe)


def grouped(hex_digits: str, /) -> str:
    """``0x`` and hex digits in groups of four, for a person to compare."""
    digits = hex_digits.removeprefix("0x")
    return "0x " + " ".join([digits[at : at + 4] for at in range(0, len(digits), 4)])


def _cut(pieces: Iterable[str], count: int, limit: int) -> str:
    """As many of the `count` characters that `pieces` are as have room."""
    shown: list[str] = []
    width = 0
    for piece in pieces:
        if width + len(piece) > limit:
            break
        shown.append(piece)
        width += len(piece)
    rest = count - len(shown)
    return f'"{"".join(shown)}"' + (f" ... {rest:,} more" if rest else "")


def _escaped(character: str) -> str:
    if character in _QUOTING:
        return "\\" + character
    return character if " " <= character <= "~" else f"\\u{{{ord(character):x}}}"
