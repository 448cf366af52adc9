"""Immutable values of which thousands are made at a time.

The `__init__` of a frozen dataclass sets each field by a call of `object.__setattr__`, so that ten fields take twice as
long as they need. One that is made `in_bulk` is open while its own `__init__` fills it, and frozen before anybody else
has seen it.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, field, fields, make_dataclass
from functools import wraps
from typing import Any, TypeVar

_T = TypeVar("_T")


def in_bulk(frozen: type[_T], /) -> type[_T]:
    """The same class with a faster `__init__`: a frozen, slotted, keyword-only dataclass.

    Raises TypeError for any other class, which cannot be opened or would not be closed again.
    """
    _check(frozen)
    members = [(each.name, Any, _same(each)) for each in fields(frozen)]  # type: ignore[arg-type]  # `_check` saw that
    # Instances of two classes with the same slots may change places: this one sets a field without asking.
    opened: Any = make_dataclass(frozen.__name__, members, slots=True, eq=False, repr=False)
    fill, finish, turn = opened.__init__, getattr(frozen, "__post_init__", None), object.__setattr__
    declared: Any = frozen.__init__

    @wraps(declared)
    def made(self: Any, /, **values: Any) -> None:
        turn(self, "__class__", opened)
        fill(self, **values)
        self.__class__ = frozen
        if finish is not None:
            finish(self)

    replaced: Any = frozen
    replaced.__init__ = made
    return frozen


def _check(frozen: type) -> None:
    """Raises TypeError unless it is a class that can be made in bulk."""
    declared: Any = getattr(frozen, "__dataclass_params__", None)
    slotted = "__slots__" in frozen.__dict__ and frozen.__mro__ == (frozen, object)
    if declared is None or not declared.frozen or not slotted:
        raise TypeError("not a frozen dataclass with slots and without a base")
    if any(each.init and not each.kw_only for each in fields(frozen)):
        raise TypeError("a field that is not given by name")


def _same(declared: Field[Any]) -> Any:
    if declared.default_factory is not MISSING:
        return field(init=declared.init, default_factory=declared.default_factory, kw_only=True)
    if declared.default is not MISSING:
        return field(init=declared.init, default=declared.default, kw_only=True)
    return field(init=declared.init, kw_only=True)
