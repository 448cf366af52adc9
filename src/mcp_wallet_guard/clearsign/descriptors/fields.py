"""The fields of one format, in their order: groups, iteration, visibility, and the texts that sentences take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, final

from mcp_wallet_guard.clearsign.descriptors import formats, visibility
from mcp_wallet_guard.clearsign.descriptors.formats import Formatted, Formatter
from mcp_wallet_guard.clearsign.descriptors.interpolation import parse as parse_sentence
from mcp_wallet_guard.clearsign.descriptors.limits import FIELD_VISITS, LABEL_LIMIT, refuse
from mcp_wallet_guard.clearsign.descriptors.model import Field, FormatName, Group
from mcp_wallet_guard.clearsign.descriptors.paths import Found, Node, Path, Place, spread
from mcp_wallet_guard.clearsign.descriptors.rendered import Line, Nested, NestedCall
from mcp_wallet_guard.clearsign.descriptors.scope import Arguments, Scope, as_address, as_int
from mcp_wallet_guard.clearsign.descriptors.text import safe
from mcp_wallet_guard.clearsign.descriptors.work import Work
from mcp_wallet_guard.clearsign.tree import Oddity, Shown, ShownKind, Source

_CONSTANT: Final = Path("$", ())
_INDEX: Final = Path("", ("index",))


@final
@dataclass(frozen=True, slots=True)
class Entry:
    """One value or group as it is shown, and its lines."""

    shown: Shown
    lines: tuple[Line, ...]


@final
@dataclass(frozen=True, slots=True)
class Rows:
    """What one field or group shows: a row for each item of an array, else a single one. `many` tells which."""

    many: bool
    rows: tuple[tuple[Entry, ...], ...]


class Fields:
    """Shows the fields of one format. Afterwards `notes`, `covered` and `texts` say what happened.

    `covered` holds the steps to all values of the data that were shown in full, `texts` the texts of always visible
    fields by the paths that the descriptor gives them.
    """

    __slots__ = ("_formatter", "_nested", "_owners", "_work", "covered", "hidden", "notes", "texts")

    def __init__(self, formatter: Formatter, /, *, nested: Nested | None, work: Work) -> None:
        self._formatter = formatter
        self._nested = nested
        self._work = work
        self._owners: dict[str, Field] = {}
        self.covered: set[Path] = set()
        self.texts: dict[str, list[str | None]] = {}
        self.notes: list[Oddity] = []
        self.hidden: list[Shown] = []

    def show(self, fields: Sequence[Field | Group], scope: Scope, /) -> tuple[Entry, ...]:
        """All of them in their order. Raises InvalidInput("invalid_input.descriptor")."""
        return _combined([self._rows(each, scope, Path("", ())) for each in fields], bundled=False)

    def spoken(self, path: Path, /) -> Sequence[str] | None:
        """The texts that stand for `path` in a sentence, None for a path that may not stand in one."""
        found = self.texts.get(path.text)
        if found is None:
            found = self.texts.get(f"{path.text}.[]")
        if found is None or None in found:
            return None
        return [text for text in found if text is not None]

    def _rows(self, each: Field | Group, scope: Scope, prefix: Path) -> Rows:
        self._work.visit(FIELD_VISITS)
        if isinstance(each, Field):
            return self._field(each, scope, prefix)
        return self._group(each, scope, prefix)

    def _group(self, group: Group, scope: Scope, prefix: Path) -> Rows:
        bundled = group.iteration == "bundled"
        if group.path is None:
            rows = [self._rows(each, scope, prefix) for each in group.fields]
            return Rows(False, (_labelled(group, _combined(rows, bundled=bundled)),))
        inner = group.path.under(prefix)
        found = spread(scope.resolve(group.path), scope.work)
        scopes = [scope.at(place) for place in found.places]
        if found.many and group.iteration == "sequential":
            columns = [_flat(self._rows(each, item, inner).rows for item in scopes) for each in group.fields]
            return Rows(False, (_labelled(group, tuple(entry for column in columns for entry in column)),))
        rows_of = [[self._rows(each, item, inner) for each in group.fields] for item in scopes]
        bundled = bundled and not found.many
        return Rows(found.many, tuple(_labelled(group, _combined(rows, bundled=bundled)) for rows in rows_of))

    def _field(self, field: Field, scope: Scope, prefix: Path) -> Rows:
        if field.visible.rule == "never":
            return Rows(False, ((),))
        found = self._found(field, scope)
        arguments = Arguments(field.params, scope=scope, count=len(found.places) if found.many else None)
        texts = self._texts(field, prefix)
        rows: list[tuple[Entry, ...]] = []
        for index, place in enumerate(found.places):
            arguments.index = index
            if not visibility.is_shown(field.visible, place.node, scope):
                rows.append(())
                continue
            entry, text = self._entry(field, place, arguments, scope)
            texts.append(text)
            rows.append((_separated(field, entry, index) if found.many else entry,))
        return Rows(found.many, tuple(rows))

    def _found(self, field: Field, scope: Scope) -> Found:
        if field.path is not None:
            return spread(scope.resolve(field.path), scope.work)
        if field.value is None:
            refuse("a field has a path or a value")
        constant = Arguments({}, scope=scope, count=None).value(field.value)
        return Found(many=False, places=(Place(_CONSTANT, constant),))

    def _texts(self, field: Field, prefix: Path) -> list[str | None]:
        """Where the texts of a field go: the first field of a path is the one that sentences mean."""
        if field.path is None:
            return []
        key = field.path.under(prefix).text
        if self._owners.setdefault(key, field) is not field:
            return []
        texts = self.texts.setdefault(key, [])
        if field.visible.rule != "always":
            texts.append(None)
        return texts

    def _entry(self, field: Field, place: Place, arguments: Arguments, scope: Scope) -> tuple[Entry, str | None]:
        if field.format is FormatName.CALLDATA and field.encryption is None:
            return self._call(field, place, arguments), None
        if field.encryption is not None:
            shown = formats.encrypted(place.node, field.encryption.label)
        else:
            shown = self._formatter.format(field.format, place.node, arguments, scope)
        entry = self._plain(field, place, shown)
        return entry, shown.text if formats.is_speakable(place.node, shown) else None

    def _plain(self, field: Field, place: Place, shown: Formatted) -> Entry:
        self._work.show(shown.text)
        self._cover(place)
        if shown.note is not None:
            self._note(shown.note, place)
        label = _label(field, place)
        leaf = Shown(
            path=place.path.text,
            label=label,
            kind=shown.kind,
            raw=shown.raw,
            source=Source.DESCRIPTOR,
            asset=shown.asset,
            unlimited=shown.unlimited,
            text=shown.text,
        )
        return Entry(leaf, (Line(label=label, text=shown.text),))

    def _call(self, field: Field, place: Place, arguments: Arguments) -> Entry:
        """A call inside, told by another descriptor, or its bytes."""
        call = self._nested_call(place, arguments)
        told = None if call is None or self._nested is None or not call.data else self._nested(call)
        if call is None or told is None:
            note = None if place.node == b"" else "descriptor.call_unknown"
            return self._plain(field, place, formats.raw(place.node, note=note))
        self._cover(place)
        label = _label(field, place)
        text = told.interpolated or told.intent
        self.notes.extend(_inside(note, call.path) for note in told.notes)
        self.hidden.extend(_moved(each, call.path) for each in told.hidden)
        shown = Shown(
            path=call.path,
            label=label,
            kind=ShownKind.CALL,
            raw=call.data,
            source=Source.DESCRIPTOR,
            text=text,
            children=tuple(_moved(each, call.path) for each in told.fields),
        )
        return Entry(shown, (Line(label=label, text=text, call=told),))

    def _nested_call(self, place: Place, arguments: Arguments) -> NestedCall | None:
        data, to = place.node, as_address(arguments.get("callee", "calleePath"))
        if not isinstance(data, bytes) or to is None:
            return None
        selector = arguments.get("selector", "selectorPath")
        if selector is not None:
            head = _selector(selector)
            if head is None:
                return None
            data = head + data
        amount = arguments.get("amount", "amountPath")
        spender = arguments.get("spender", "spenderPath")
        return NestedCall(
            path=place.path.text,
            chain=self._formatter.chain(arguments),
            to=to,
            data=bytes(data),
            value=as_int(amount),
            sender=as_address(spender),
        )

    def _cover(self, place: Place) -> None:
        if place.path.root == "#":
            self.covered.add(place.path)

    def _note(self, code: str, place: Place) -> None:
        self.notes.append(Oddity(code=code, facts=(("path", place.path.text),)))


def _combined(children: Sequence[Rows], *, bundled: bool) -> tuple[Entry, ...]:
    """The rows of several, one child after the other, or those of one index together."""
    lengths = {len(child.rows) for child in children if child.many}
    if not bundled or not lengths:
        return tuple(entry for child in children for row in child.rows for entry in row)
    if len(lengths) > 1:
        refuse("arrays that belong together are of different lengths")
    found: list[Entry] = []
    for index in range(lengths.pop()):
        for child in children:
            if child.many or index == 0:
                found.extend(child.rows[index])
    return tuple(found)


def _flat(rows: Iterable[tuple[tuple[Entry, ...], ...]]) -> list[Entry]:
    return [entry for each in rows for row in each for entry in row]


def _labelled(group: Group, entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """The entries of a group under its label, where it has one."""
    if not group.label or not entries:
        return entries
    label = safe(group.label, limit=LABEL_LIMIT)
    path = entries[0].shown.path if group.path is None else group.path.text
    children = tuple(entry.shown for entry in entries)
    shown = Shown(path=path, label=label, kind=ShownKind.GROUP, source=Source.DESCRIPTOR, children=children)
    return (Entry(shown, tuple(line for entry in entries for line in entry.lines)),)


def _separated(field: Field, entry: Entry, index: int) -> Entry:
    """An item of an array behind the words that separate it from the others."""
    if field.separator is None:
        return entry
    pieces = parse_sentence(field.separator)
    if pieces is None or any(not isinstance(piece, str) and piece != _INDEX for piece in pieces):
        refuse("a separator has {index} alone")
    text = "".join(safe(piece) if isinstance(piece, str) else str(index) for piece in pieces)
    label = safe(text, limit=LABEL_LIMIT) if len(text) > LABEL_LIMIT else text
    shown = Shown(
        path=entry.shown.path, label=label, kind=ShownKind.GROUP, source=Source.DESCRIPTOR, children=(entry.shown,)
    )
    return Entry(shown, tuple(replace(line, text=f"{label} {line.text}") for line in entry.lines))


def _label(field: Field, place: Place) -> str:
    """The descriptor's label, or the path where it has none."""
    return safe(field.label or place.path.text, limit=LABEL_LIMIT)


def _selector(node: Node) -> bytes | None:
    """Four bytes: those of the data, or hex digits of the descriptor."""
    if isinstance(node, bytes):
        return bytes(node) if len(node) == 4 else None
    number = as_int(node) if isinstance(node, str) and len(node) == 10 and node[:2] == "0x" else None
    return None if number is None else number.to_bytes(4)


def _moved(shown: Shown, path: str) -> Shown:
    """A value of a call inside, as seen from outside."""
    return replace(shown, path=f"{path}>{shown.path}", children=tuple(_moved(each, path) for each in shown.children))


def _inside(note: Oddity, path: str) -> Oddity:
    return Oddity(
        code=note.code, facts=tuple((key, f"{path}>{value}" if key == "path" else value) for key, value in note.facts)
    )
