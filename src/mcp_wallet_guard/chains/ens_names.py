"""Whether a name is in its normal form, by the text of ENSIP-15. Nothing is normalised: what is not normal is refused.

The tables are the ones that the standard publishes, as `ens` of web3 brings them. web3's own normaliser is not used:
it fails for every name beside pyunormalize 18, and a check of what is there already is smaller. They are read on first
use, which takes a second, and only for names outside ASCII, whose rule is short. A character that this Python's Unicode
does not know yet makes a name one that is not normal.
Source: ENSIP-15 (validate, groups, whole confusables). Threat: T-022.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any, Final, final

MAX_BYTES: Final = 255
"""Of a name in UTF-8. Longer ones are nobody's that a person could read."""
_ASCII: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_$")
_UNDERSCORE: Final = ord("_")
_EMOJI_STYLE: Final = 0xFE0F


def is_normal(name: str, /) -> bool:
    """Whether `name` is what ENSIP-15 makes of it. May read the tables: not on an event loop."""
    if not name or len(name.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        return False
    return all(_is_ascii_label(label) if label.isascii() else _is_label(label) for label in name.split("."))


def _is_ascii_label(label: str) -> bool:
    text = label.lstrip("_")
    return bool(label) and set(label) <= _ASCII and "_" not in text and label[2:4] != "--"


@final
@dataclass(frozen=True, slots=True)
class _Group:
    """A script. `valid` are its characters; `marks_listed` says that it lists the marks that may follow them."""

    valid: frozenset[int]
    marks_listed: bool


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Tables:
    """The standard's tables. Groups go by their number; `marks` are combining, `non_spacing` some of them."""

    emoji: frozenset[tuple[int, ...]]
    longest: int
    valid: frozenset[int]
    marks: frozenset[int]
    non_spacing: frozenset[int]
    non_spacing_max: int
    fenced: frozenset[int]
    groups: tuple[_Group, ...]
    confusable: dict[int, frozenset[int]]
    """Character -> the groups that have one which looks like it."""
    unique: frozenset[int]
    """Characters of exactly one group that are confused with nothing."""


def _is_label(label: str) -> bool:
    tables = _tables()
    tokens = list(_tokens(label, tables))
    if any(kind == "" for kind, _ in tokens):
        return False
    texts = [codes for kind, codes in tokens if kind == "text"]
    if not texts:
        return True
    everything = [code for _, codes in tokens for code in codes]
    if _UNDERSCORE in everything[_leading(everything) :] or _has_loose_fence(everything, tables.fenced):
        return False
    if any(codes[0] in tables.marks or not unicodedata.is_normalized("NFC", _text(codes)) for codes in texts):
        return False
    characters = [code for codes in texts for code in codes]
    group = next((each for each in tables.groups if each.valid.issuperset(characters)), None)
    if group is None or not (group.marks_listed or _has_few_marks(characters, tables)):
        return False
    return not _is_confusable(dict.fromkeys(characters), tables)


def _tokens(label: str, tables: _Tables) -> Iterator[tuple[str, Sequence[int]]]:
    """Emoji, the longest first, and the text between them; a token of kind "" for what may not be there."""
    codes, at, text = [ord(character) for character in label], 0, list[int]()
    while at < len(codes):
        sizes = range(min(tables.longest, len(codes) - at), 0, -1)
        size = next((n for n in sizes if tuple(codes[at : at + n]) in tables.emoji), 0)
        if size:
            if text:
                yield "text", text
                text = []
            yield "emoji", codes[at : at + size]
        elif codes[at] in tables.valid:
            text.append(codes[at])
        else:
            yield "", codes[at : at + 1]
            return
        at += size or 1
    if text:
        yield "text", text


def _leading(codes: list[int]) -> int:
    return next((at for at, code in enumerate(codes) if code != _UNDERSCORE), len(codes))


def _has_loose_fence(codes: list[int], fenced: frozenset[int]) -> bool:
    """Whether a character that joins others stands first, last, or beside another one."""
    if codes[0] in fenced or codes[-1] in fenced:
        return True
    return any(one in fenced and other in fenced for one, other in pairwise(codes))


def _has_few_marks(characters: list[int], tables: _Tables) -> bool:
    """Whether no run of non-spacing marks is too long, or has one twice."""
    run: list[int] = []
    for code in map(ord, unicodedata.normalize("NFD", _text(characters))):
        run = [*run, code] if code in tables.non_spacing else []
        if len(run) > tables.non_spacing_max or len(set(run)) != len(run):
            return False
    return True


def _is_confusable(characters: Iterable[int], tables: _Tables) -> bool:
    """Whether all of a label could be another script's."""
    makers: frozenset[int] | None = None
    shared: list[int] = []
    for code in characters:
        others = tables.confusable.get(code)
        if others is not None:
            makers = others if makers is None else makers & others
            if not makers:
                return False
        elif code in tables.unique:
            return False
        else:
            shared.append(code)
    return any(tables.groups[number].valid.issuperset(shared) for number in makers or ())


@cache
def _tables() -> _Tables:
    raw: dict[str, Any] = json.loads(files("ens").joinpath("specs", "normalization_spec.json").read_bytes())
    emoji = frozenset(tuple(code for code in each if code != _EMOJI_STYLE) for each in raw["emoji"])
    groups = tuple(_Group(frozenset(each["primary"] + each["secondary"]), "cm" in each) for each in raw["groups"])
    scripts: dict[int, frozenset[int]] = {}
    for number, group in enumerate(groups):
        for code in group.valid:
            scripts[code] = scripts.get(code, frozenset()) | {number}
    parts = map(ord, unicodedata.normalize("NFD", _text(scripts)))
    confusable = {code: others for whole in raw["wholes"] for code, others in _confusable(whole, scripts)}
    return _Tables(
        emoji=emoji,
        longest=max(len(each) for each in emoji),
        valid=frozenset(code for code in (*scripts, *parts) if unicodedata.category(chr(code)) != "Cn"),
        marks=frozenset(raw["cm"]),
        non_spacing=frozenset(raw["nsm"]),
        non_spacing_max=raw["nsm_max"],
        fenced=frozenset(code for code, _ in raw["fenced"]),
        groups=groups,
        confusable=confusable,
        unique=frozenset(code for code, found in scripts.items() if len(found) == 1) - confusable.keys(),
    )


def _confusable(
    whole: dict[str, list[int]], scripts: dict[int, frozenset[int]]
) -> Iterator[tuple[int, frozenset[int]]]:
    """Each confused character with the groups of what it is confused with, without those of its own extent."""
    extents: list[tuple[list[int], set[int]]] = []
    for code in (*whole["valid"], *whole["confused"]):
        own = scripts.get(code, frozenset())
        extent = next((each for each in extents if each[1] & own), None)
        if extent is None:
            extents.append(([code], set(own)))
        else:
            extent[0].append(code)
            extent[1].update(own)
    everything = frozenset[int]().union(*(groups for _, groups in extents))
    confused = set(whole["confused"])
    yield from ((code, everything - groups) for codes, groups in extents for code in codes if code in confused)


def _text(codes: Iterable[int]) -> str:
    return "".join(map(chr, codes))
