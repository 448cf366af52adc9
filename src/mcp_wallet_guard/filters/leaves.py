"""A message read by its fields: which value stands under which name, also in JSON inside a text inside a text.

Pure and linear: each level of JSON is shorter than the text it stands in. Threat: T-061.
"""

from __future__ import annotations

import binascii
import json
import re
from typing import Any, Final, NamedTuple, final

from mcp_wallet_guard.filters.formats import is_keystore
from mcp_wallet_guard.filters.names import Says, looks_like_a_key, says

_KEY: Final = re.compile(r"(?:0[xX])?([0-9a-fA-F]{64})")
_KEY_IN_TEXT: Final = re.compile(r"(?<![0-9A-Za-z])(?:0[xX])?([0-9a-fA-F]{64})(?![0-9A-Za-z])")
_WORD: Final = re.compile(r"[A-Za-z_]+")
_BEFORE: Final = 48
_KEY_SIZE: Final = 64
_KEY_SIZES: Final = frozenset((64, 66))
_BRACKETS: Final = frozenset("{[")
_SMALL: Final = "0" * 16
_SHORTEST_JSON: Final = 16


BARRIER: Final = "\t"
"""The line between values and names, so that a phrase does not end in a name."""

LONG: Final = _KEY_SIZE
"""Shorter texts hold no key in hex."""


class Leaves(NamedTuple):
    """The values of a message as texts, in order; those of at least `LONG` characters by the name of the field or list
    that they stand in; the names, in order, in rows that end where an object begins or ends."""

    texts: list[str]
    long: dict[str, list[str]]
    rows: list[tuple[str, ...]]

    @property
    def text(self) -> str:
        """All values, `BARRIER`, then all names, each on a line."""
        lines = [*self.texts, BARRIER]
        for row in self.rows:
            lines += row
        return "\n".join(lines)

    @property
    def size(self) -> int:
        """Characters of the long values."""
        return sum([sum(map(len, texts)) for texts in self.long.values()])


class Fields(NamedTuple):
    """What the fields of a message hold: a key by its name, a keystore, values that may be keys by their size."""

    named: bool
    keystore: bool
    candidates: set[str]


def candidates_in(long: dict[str, list[str]], /, *, declared: frozenset[str] = frozenset()) -> set[str]:
    """`Fields.candidates` of a message with these long values, as `Leaves` has them.

    A hash under a name that says so is none.
    """
    reader = _Reader(declared)
    below: list[_Node] = []
    for name, texts in long.items():
        label = says(name)
        for text in [text for text in texts if len(text) > _KEY_SIZE + 2] if label is Says.PUBLIC else texts:
            if len(text) > _KEY_SIZE + 2:
                if text[:2] != "0x" or not _is_one_token(text):
                    reader.text(label, text, below)
            elif text[2:18] != _SMALL:
                reader.text(label, text, below)
    while below:
        reader.visit(*below.pop(), below)
    return reader.candidates


def _is_one_token(text: str) -> bool:
    try:
        binascii.unhexlify(text[2:])  # many times faster, and nearly always enough
    except ValueError:
        return text.isalnum()
    return True


def read(payload: object, /, *, declared: frozenset[str] = frozenset()) -> Fields:
    """Read a payload of JSON types. Texts in `declared` are public whatever their name."""
    reader = _Reader(declared)
    below: list[_Node] = [(Says.OTHER, payload)]
    while below:
        reader.visit(*below.pop(), below)
    return Fields(reader.named, reader.keystore, reader.candidates)


_Node = tuple[Says, object]


@final
class _Reader:
    """Visits one value after the other; what is below it is left to be visited."""

    __slots__ = ("_declared", "candidates", "keystore", "named")

    def __init__(self, declared: frozenset[str]) -> None:
        self._declared = declared
        self.named = self.keystore = False
        self.candidates: set[str] = set()

    def visit(self, label: Says, value: object, below: list[_Node]) -> None:
        if type(value) is str:
            self.text(label, value, below)
            return
        if label is Says.SECRET and looks_like_a_key(value):
            self.named = True
        if isinstance(value, dict):
            self._object(label, value, below)
        elif isinstance(value, list):
            # A hash under a name that says so is done with here, and so are most other texts.
            least = _KEY_SIZE + 3 if label is Says.PUBLIC else 0
            below.extend([(label, item) for item in value if type(item) is not str or len(item) >= least])

    def _object(self, label: Says, value: dict[str, Any], below: list[_Node]) -> None:
        for name, item in value.items():
            kind = says(name)
            if kind is Says.NOTHING:
                kind = label
            if type(item) is str:
                size = len(item)
                if size >= _KEY_SIZE:
                    if size > _KEY_SIZE + 2 or kind is not Says.PUBLIC:
                        self.text(kind, item, below)
                elif kind is Says.SECRET or item[:1] in _BRACKETS:
                    self.text(kind, item, below)
            elif item is not None and item is not True and item is not False:
                below.append((kind, item))
        if not self.keystore and ("kdf" in value or len(value) > 2) and is_keystore(value):
            self.keystore = True

    def text(self, label: Says, text: str, below: list[_Node]) -> None:
        if text in self._declared:
            return
        if label is Says.SECRET and looks_like_a_key(text):
            self.named = True
        if len(text) in _KEY_SIZES and (found := _KEY.fullmatch(text)) is not None:
            # Smaller numbers are amounts, padded addresses and counters: no key that anybody made.
            if label is not Says.PUBLIC and not found[1].startswith(_SMALL):
                self.candidates.add(found[1])
        elif (inner := _parsed(text)) is not None:
            below.append((label, inner))
        elif len(text) > _KEY_SIZE and not text.isalnum():
            self._candidates_in(text)

    def _candidates_in(self, text: str) -> None:
        for match in _KEY_IN_TEXT.finditer(text):
            words = _WORD.findall(text, max(0, match.start() - _BEFORE), match.start())
            if match[0] in self._declared or match[1].startswith(_SMALL):
                continue
            if not words or says(words[-1]) is not Says.PUBLIC:
                self.candidates.add(match[1])


def _parsed(text: str) -> Any:
    """The object or list that `text` is as JSON, else None."""
    if len(text) < _SHORTEST_JSON or text.lstrip()[:1] not in _BRACKETS:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None  # it is read as text
