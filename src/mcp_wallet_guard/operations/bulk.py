"""Immutable values of which thousands are made at a time.

The `__init__` of a frozen dataclass sets each field by a call of `object.__setattr__`, so that ten fields take three
times as long as they need. One that is made `in_bulk` is open while its own `__init__` fills it, and frozen before
anybody else has seen it.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any, TypeVar

_T = TypeVar("_T")


def in_bulk(frozen: type[_T], /) -> type[_T]:
    """The same class with a faster `__init__`: a frozen, slotted, keyword-only dataclass.

    Raises TypeError for any other class, which cannot be opened or would not be closed again.
    """
    declared: Any = frozen.__init__
    names: dict[str, Any] = {
        "turn": object.__setattr__,
        "frozen": frozen,
        # Instances of two classes with the same slots may change places: this one sets a field without asking.
        "opened": type(frozen.__name__, (), {"__slots__": _slots(frozen)}),
    }
    parameters, lines = ["self"], ["turn(self, '__class__', opened)"]
    for each in fields(frozen):  # type: ignore[arg-type]  # `_slots` has seen that it is one
        given = f"given_{each.name}"
        if each.default is not MISSING:
            names[given] = each.default
        elif each.default_factory is not MISSING:
            names[given] = each.default_factory
        if each.init:
            parameters += ["*"] * (len(parameters) == 1)
            parameters.append(f"{each.name}={given}" if given in names else each.name)
            lines.append(f"self.{each.name} = {each.name}")
        elif given in names:
            call = "" if each.default_factory is MISSING else "()"
            lines.append(f"self.{each.name} = {given}{call}")
    lines.append("self.__class__ = frozen")
    if hasattr(frozen, "__post_init__"):
        lines.append("self.__post_init__()")
    source = f"def __init__({', '.join(parameters)}):\n  " + "\n  ".join(lines)
    made: dict[str, Any] = {}
    exec(source, names, made)  # noqa: S102  # as `dataclasses` itself does, of nothing but the names of fields
    for name in ("__qualname__", "__annotations__", "__module__"):
        setattr(made["__init__"], name, getattr(declared, name))
    frozen.__init__ = made["__init__"]  # type: ignore[method-assign]
    return frozen


def _slots(frozen: type) -> tuple[str, ...]:
    """Its slots. Raises TypeError unless it is a class that can be made in bulk."""
    declared: Any = getattr(frozen, "__dataclass_params__", None)
    slots: Any = frozen.__dict__.get("__slots__")
    if declared is None or not declared.frozen or slots is None or frozen.__mro__ != (frozen, object):
        raise TypeError("not a frozen dataclass with slots and without a base")
    for each in fields(frozen):
        if each.init and (not each.kw_only or each.default_factory is not MISSING):
            raise TypeError("a field that is not given by name, or made anew for each")
    return tuple(slots)
