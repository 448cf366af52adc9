"""A value that is made in bulk is the frozen dataclass that it was, in all but the time that it takes."""

from __future__ import annotations

import copy
import inspect
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace
from typing import Any

import pytest

from mcp_wallet_guard.clearsign.reading import Effect, Reading
from mcp_wallet_guard.clearsign.tree import Consequence, Oddity, Part, PartKind, Shown, ShownKind
from mcp_wallet_guard.operations.bulk import in_bulk


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """Words."""

    name: str
    count: int = 3
    items: tuple[int, ...] = ()
    doubled: int = field(init=False, compare=False)
    found: dict[str, int] = field(init=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError("less than nothing")
        object.__setattr__(self, "doubled", 2 * self.count)


@in_bulk
@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """Words."""

    name: str
    count: int = 3
    items: tuple[int, ...] = ()
    doubled: int = field(init=False, compare=False)
    found: dict[str, int] = field(init=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError("less than nothing")
        object.__setattr__(self, "doubled", 2 * self.count)


@pytest.mark.parametrize("given", [{"name": "a"}, {"name": "b", "count": 7}, {"name": "c", "items": (1,), "count": 0}])
def test_it_has_the_same_members_hash_and_words_as_the_dataclass_that_it_was(given: dict[str, Any]) -> None:
    plain, made = Declared(**given), Made(**given)
    assert [getattr(made, each.name) for each in fields(made)] == [getattr(plain, each.name) for each in fields(plain)]
    assert repr(made) == repr(plain).replace("Declared", "Made")
    assert hash(made) == hash(plain)
    assert made == Made(**given) != Made(name="another")
    assert type(made) is Made
    assert made.found is not Made(**given).found
    assert replace(made, count=1).doubled == 2
    assert copy.copy(made) == pickle.loads(pickle.dumps(made)) == made  # its own bytes
    assert inspect.signature(Made).parameters.keys() == inspect.signature(Declared).parameters.keys()


@pytest.mark.parametrize(
    "value",
    [
        Made(name="a"),
        Shown(path="#", label="L", kind=ShownKind.TEXT),
        Oddity(code="c"),
        Part(path="", kind=PartKind.CALL, chain=None, target=None, sender=None),
    ],
)
def test_nobody_can_change_it_once_it_is_made(value: Any) -> None:
    name = fields(value)[0].name
    for other in (name, "other"):
        with pytest.raises((FrozenInstanceError, TypeError)):
            setattr(value, other, "x")
    with pytest.raises((FrozenInstanceError, TypeError)):
        delattr(value, name)
    with pytest.raises((FrozenInstanceError, TypeError)):
        value.__class__ = Consequence


def test_what_its_own_check_refuses_is_not_made() -> None:
    with pytest.raises(ValueError, match="less than nothing"):
        Made(name="a", count=-1)
    with pytest.raises(TypeError):
        Made()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Made("a")  # type: ignore[call-arg]


def test_a_class_that_could_not_be_closed_again_is_refused() -> None:
    @dataclass(slots=True, kw_only=True)
    class Open:
        name: str

    @dataclass(frozen=True, kw_only=True)
    class Loose:
        name: str

    @dataclass(frozen=True, slots=True)
    class ByPlace:
        name: str

    class Ordinary:
        name: str

    for wrong in (Open, Loose, ByPlace, Ordinary):
        with pytest.raises(TypeError):
            in_bulk(wrong)


def test_the_values_of_a_reading_are_made_in_bulk() -> None:
    assert all(hasattr(each.__init__, "__wrapped__") for each in (Shown, Part, Consequence, Effect, Reading))
