"""Paths of descriptors: their one grammar, and the values they lead to.

A path starts at the signed data (``#.`` or nothing), at the descriptor (``$.``) or at what carries the data (``@.``),
and goes on by names, ``[i]``, ``[-1]``, ``[]`` and ``[a:b]``. An index or a range of bytes that is not there is an
error, never another value; a range of items is clipped, as RFC 9535 does. Source: ERC-7730, "Path references".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, final

from mcp_wallet_guard.clearsign.descriptors.limits import MAX_STEPS, MAX_TEXT, refuse
from mcp_wallet_guard.clearsign.descriptors.work import Work
from mcp_wallet_guard.operations.typed_data import Struct
from mcp_wallet_guard.operations.values import Address

Root = Literal["", "#", "$", "@"]
"""Where a path starts; "" is the group that it stands in."""

Node = bool | int | bytes | str | Address | tuple["Node", ...] | Mapping[str, "Node"] | Struct
"""A value in the data: a leaf, a tuple for an array, a mapping or Struct by name for a struct."""

_NAME: Final = re.compile(r"[A-Za-z_$](?:[A-Za-z0-9_$ -]{0,254}[A-Za-z0-9_$-])?")
_INDEX: Final = re.compile(r"\[(-?(?:0|[1-9][0-9]{0,5}))\]")
_SLICE: Final = re.compile(r"\[(-?[0-9]{1,6})?:(-?[0-9]{1,6})?\]")
_BRACKETS: Final = re.compile(r"(?<=[^.])\[")
_WORD: Final = 32


class Cut(bytes):
    """Bytes that a slice took out of a value, which may stand for a number or an address in it."""

    __slots__ = ()


class Constant(str):
    """A text of the descriptor, which may stand for a number or an address, as a text in the data never does."""

    __slots__ = ()


@final
@dataclass(frozen=True, slots=True)
class Slice:
    """From `start` to before `end`; None is the beginning, and the end. Both None: ``[]``, every item."""

    start: int | None
    end: int | None


Step = str | int | Slice


@final
@dataclass(frozen=True, slots=True)
class Path:
    """Where to start, and how to go on."""

    root: Root
    steps: tuple[Step, ...]

    def under(self, group: Path, /) -> Path:
        """This path as seen from outside of the group that it stands in."""
        return self if self.root else Path(group.root, group.steps + self.steps)

    @property
    def is_many(self) -> bool:
        """Whether it leads to several values by its own words."""
        return any(isinstance(step, Slice) for step in self.steps)

    @property
    def text(self) -> str:
        """One spelling per path: no ``#.``, a dot before each bracket."""
        start = [] if self.root in {"", "#"} else [self.root]
        return ".".join([*start, *(_spelled(step) for step in self.steps)])


def _spelled(step: Step) -> str:
    if isinstance(step, str):
        return step
    if isinstance(step, int):
        return f"[{step}]"
    if step == EVERY:
        return "[]"
    return f"[{'' if step.start is None else step.start}:{'' if step.end is None else step.end}]"


EVERY: Final = Slice(None, None)


_ROOTS: Final[dict[str, Root]] = {"#": "#", "$": "$", "@": "@"}


@lru_cache(maxsize=4096)
def parse_path(text: object, /) -> Path:
    """The path that `text` is. Brackets may stand without the dot before them, as in the standard's own examples.

    Raises InvalidInput("invalid_input.descriptor").
    """
    if type(text) is not str or not 0 < len(text) <= MAX_TEXT:
        refuse("a path is text")
    parts = _BRACKETS.sub(".[", text).split(".")
    root = _ROOTS.get(parts[0], "")
    if root:
        parts.pop(0)
    if not 0 < len(parts) <= MAX_STEPS:
        refuse("a path has 1 to 32 steps")
    return Path(root, tuple(_step(part) for part in parts))


def _step(part: str) -> Step:
    if part in {"[]", "[:]"}:
        return EVERY
    match = _INDEX.fullmatch(part)
    if match is not None:
        return int(match[1])
    match = _SLICE.fullmatch(part)
    if match is not None:
        return Slice(*(None if end is None else int(end) for end in match.groups()))
    if _NAME.fullmatch(part) is None:
        refuse("a step of a path is a name, [i], [] or [a:b]")
    return part


@final
@dataclass(frozen=True, slots=True)
class Place:
    """A value, and the path that leads to it and to no other."""

    path: Path
    node: Node


@final
@dataclass(frozen=True, slots=True)
class Found:
    """What a path leads to. `many` says that it is a list, of any length, also of one."""

    many: bool
    places: tuple[Place, ...]


def follow(start: Place, steps: tuple[Step, ...], /, work: Work) -> Found:
    """The values that `steps` lead to from `start`. A slice of bytes gives a `Cut`.

    Raises InvalidInput("invalid_input.descriptor") for a name, an index or bytes that are not there, and for a step
    that the type of the value does not have.
    """
    many = False
    places: tuple[Place, ...] = (start,)
    for step in steps:
        work.visit(len(places) or 1)
        if isinstance(step, Slice) and all(isinstance(place.node, tuple) for place in places):
            many = True
            places = tuple(inner for place in places for inner in _items(place, step, work))
        else:
            places = tuple(_next(place, step) for place in places)
    return Found(many, places)


def spread(found: Found, work: Work, /) -> Found:
    """`found` with arrays replaced by their items, all the way down: a format is one of leaves."""
    while any(isinstance(place.node, tuple) for place in found.places):
        places: list[Place] = []
        for place in found.places:
            if isinstance(place.node, tuple):
                places.extend(_items(place, EVERY, work))
            else:
                places.append(place)
        found = Found(many=True, places=tuple(places))
    return found


def _items(place: Place, step: Slice, work: Work) -> list[Place]:
    node = place.node
    if not isinstance(node, tuple):
        refuse("not an array")
    numbers = range(*slice(step.start, step.end).indices(len(node)))
    work.visit(len(numbers))
    return [Place(Path(place.path.root, (*place.path.steps, number)), node[number]) for number in numbers]


def _next(place: Place, step: Step) -> Place:
    node, steps = place.node, place.path.steps
    if isinstance(step, str):
        members = members_of(node)
        if members is None or step not in members:
            refuse("a path names something that is not there")
        return Place(Path(place.path.root, (*steps, step)), members[step])
    if isinstance(step, int):
        if not isinstance(node, tuple) or not -len(node) <= step < len(node):
            refuse("an index is not there")
        return Place(Path(place.path.root, (*steps, step % len(node))), node[step])
    return Place(Path(place.path.root, (*steps, step)), _cut(node, step))


def members_of(node: Node, /) -> Mapping[str, Node] | None:
    """The members of a struct, None for all else."""
    if isinstance(node, Struct):
        return node.members
    return node if isinstance(node, Mapping) else None


def _cut(node: Node, step: Slice) -> Cut:
    data = _bytes_of(node)
    size = len(data)
    start = 0 if step.start is None else step.start + size * (step.start < 0)
    end = size if step.end is None else step.end + size * (step.end < 0)
    if not 0 <= start < end <= size and not (step == EVERY and not size):
        refuse("a slice of bytes is not there")
    return Cut(data[start:end])


def _bytes_of(node: Node) -> bytes:
    """The bytes of a primitive: those of a number are its word."""
    if isinstance(node, bool | tuple | Mapping | Struct):
        refuse("this type has no slices")
    if isinstance(node, int):
        return (node % 2**256).to_bytes(_WORD)
    if isinstance(node, str):
        return node.encode("utf-8")
    return node.raw if isinstance(node, Address) else node
