"""Runs of characters of one alphabet in a text, found without a regular expression. Pure and linear."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import final


@final
class Run:
    """At least `least` characters of an alphabet in a row, found by a table and searches for constants: ordinary text
    has few such runs, and a regular expression takes many times as long to say so."""

    __slots__ = ("_row", "_table")

    def __init__(self, alphabet: str, least: int) -> None:
        member = re.compile(rb"[%b]" % alphabet.encode())
        self._table = bytes(member.match(bytes((n,))) is not None for n in range(256))
        self._row = b"\1" * least

    def stands_in(self, text: bytes) -> bool:
        return self._row in text.translate(self._table)

    def all_in(self, text: bytes) -> list[bytes]:
        return [text[start:end] for start, end in self.spans_in(text)]

    def spans_in(self, text: bytes) -> Iterator[tuple[int, int]]:
        members = text.translate(self._table)
        start = members.find(self._row)
        while start >= 0:
            end = members.find(b"\0", start)
            end = len(text) if end < 0 else end
            yield start, end
            start = members.find(self._row, end)
