"""Tables: the stored form of each record in `evidence.ROWS`, one column per field.

Values are exact ``str``, ``int`` (below 2**53, as in RFC 8785), ``bytes`` and, where the field allows it, ``None``.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, final, get_args, get_type_hints

from mcp_wallet_guard.evidence import ROWS, Column, Row

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_INT: Final = 2**53 - 1
_KINDS: Final = (str, int, bytes)
_OWN: Final = ("entry", "mac")


@final
@dataclass(frozen=True)
class Field:
    """One column: its `type` is str, int or bytes."""

    name: str
    type: type[str | int | bytes]
    nullable: bool

    def holds(self, value: object, /) -> bool:
        """Whether `value` is one that this column may have."""
        if value is None:
            return self.nullable
        if type(value) is not self.type:
            return False
        if isinstance(value, int):
            return -MAX_INT <= value <= MAX_INT
        return not isinstance(value, str) or _is_text(value)


@final
@dataclass(frozen=True, eq=False)
class Table:
    """Where the records of one kind are kept. The first field is the key."""

    kind: type[Row]
    fields: tuple[Field, ...]

    @cached_property
    def name(self) -> str:
        """The table's name."""
        return self.kind.table

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in order."""
        return tuple(field.name for field in self.fields)

    @cached_property
    def _columns(self) -> attrgetter[tuple[Column, ...]]:
        return attrgetter(*self.names)

    def holds(self, values: Sequence[object], /) -> bool:
        """Whether these are values of a row of this table."""
        if len(values) != len(self.fields):
            return False
        for field, value in zip(self.fields, values, strict=True):
            if value is None and field.nullable:
                continue
            if not field.holds(value):
                return False
        return True

    def values(self, row: Row, /) -> tuple[Column, ...]:
        """The row's values in column order. Raises ValueError when one is not what its column holds."""
        values: tuple[Column, ...] = self._columns(row)
        if type(row) is not self.kind or not self.holds(values):
            raise ValueError(f"not a valid row of {self.name}")
        return values

    def row(self, values: Sequence[Column], /) -> Row:
        """The record with these values."""
        named: dict[str, Any] = dict(zip(self.names, values, strict=True))
        return self.kind(**named)


def _is_text(value: str) -> bool:
    if value.isascii():
        return True
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _table(kind: type[Row]) -> Table:
    hints = get_type_hints(kind)
    columns: list[Field] = []
    for field in fields(kind):
        options = get_args(hints[field.name]) or (hints[field.name],)
        (base,) = [option for option in options if option is not type(None)]
        if base not in _KINDS or field.name in _OWN:
            raise TypeError(f"{kind.table}.{field.name} cannot be a column")
        columns.append(Field(field.name, base, type(None) in options))
    return Table(kind, tuple(columns))


TABLES: Final[Mapping[type[Row], Table]] = MappingProxyType({kind: _table(kind) for kind in ROWS})
"""Record class -> table, in the order of `evidence.ROWS`."""
