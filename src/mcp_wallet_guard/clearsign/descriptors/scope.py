"""What the paths and parameters of one field lead to: signed data, container, constants, maps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, final

from mcp_wallet_guard.clearsign.descriptors import contexts
from mcp_wallet_guard.clearsign.descriptors.contexts import Container
from mcp_wallet_guard.clearsign.descriptors.limits import MAX_ENTRIES, refuse
from mcp_wallet_guard.clearsign.descriptors.model import MapReference, Param, Reference
from mcp_wallet_guard.clearsign.descriptors.parsing import literal
from mcp_wallet_guard.clearsign.descriptors.paths import (
    Constant,
    Cut,
    Found,
    Node,
    Path,
    Place,
    follow,
    spread,
)
from mcp_wallet_guard.clearsign.descriptors.work import Work
from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations.abi import AbiKind, AbiType, Function, Parameter, Value
from mcp_wallet_guard.operations.values import Address

DATA: Final = Path("#", ())
"""The signed data as a whole."""


def arguments(function: Function, values: tuple[Value, ...], /) -> Mapping[str, Node]:
    """The arguments of a call by their names; one without a name has its number. Raises InvalidInput when they are not
    those of the function."""
    if len(values) != len(function.inputs):
        refuse("the arguments are not those of the function")
    return _members(function.inputs, values)


def _members(parameters: tuple[Parameter, ...], values: tuple[Value, ...]) -> Mapping[str, Node]:
    pairs = zip(parameters, values, strict=True)
    return {each.name or str(number): _node(each.type, value) for number, (each, value) in enumerate(pairs)}


def _node(kind: AbiType, value: Value) -> Node:
    if not isinstance(value, tuple):
        return value
    if kind.kind is AbiKind.TUPLE:
        return _members(kind.components, value)
    item = kind.item
    if item is None:
        refuse("the arguments are not those of the function")
    if item.kind in {AbiKind.TUPLE, AbiKind.ARRAY}:
        return tuple(_node(item, each) for each in value)
    return tuple(each for each in value if not isinstance(each, tuple))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Where paths start: `data` is all of it, `here` the group. `document` is the descriptor."""

    data: Place
    here: Place
    container: Container
    document: Mapping[str, Any]
    work: Work

    def at(self, place: Place, /) -> Scope:
        """The same, inside of a group."""
        return replace(self, here=place)

    def resolve(self, path: Path, /) -> Found:
        """Raises InvalidInput("invalid_input.descriptor") for a path that leads nowhere."""
        match path.root:
            case "":
                return follow(self.here, path.steps, self.work)
            case "#":
                return follow(self.data, path.steps, self.work)
            case "@":
                return follow(Place(Path("@", ()), self._carried()), path.steps, self.work)
            case _:
                return Found(many=False, places=(Place(path, self._constant(path)),))

    def _carried(self) -> Mapping[str, Node]:
        chain = None if self.container.chain is None else self.container.chain.number
        values = {
            "from": self.container.sender,
            "to": self.container.to,
            "value": self.container.value,
            "chainId": chain,
        }
        return {name: value for name, value in values.items() if value is not None}

    def _constant(self, path: Path) -> Node:
        found = literal(self.section(path))
        return Constant(found) if isinstance(found, str) else found

    def section(self, path: Path, /) -> Any:
        """The part of the descriptor that a path with the root ``$`` names."""
        if path.root != "$":
            refuse("a path into the descriptor starts with $")
        found: Any = self.document
        for step in path.steps:
            named = isinstance(step, str) and type(found) is dict and step in found
            counted = isinstance(step, int) and type(found) is list and -len(found) <= step < len(found)
            if not named and not counted:
                refuse("a constant is not there")
            found = found[step]
        return found

    def mapped(self, reference: MapReference, key: Node, /) -> Node:
        """The value of a map for `key`. Without one, the descriptor is not valid for what is signed."""
        section = self.section(reference.map)
        values = section.get("values") if type(section) is dict else None
        if type(values) is not dict or len(values) > MAX_ENTRIES:
            refuse("a map has values")
        found = entry(values, key, self.work)
        if found is None:
            refuse("a map has no value for this")
        value = literal(found)
        return Constant(value) if isinstance(value, str) else value


def entry(table: Mapping[str, Any], node: Node, work: Work, /) -> Any:
    """What `table` holds for a value: under its decimal or hex digits, ``true`` or ``false``, its address or bytes in
    any case, its text; None for nothing."""
    for key in _spellings(node):
        if key in table:
            return table[key]
    if isinstance(node, str) and not isinstance(node, Constant):
        return None
    folded = work.folded(table)
    return next((folded[key.lower()] for key in _spellings(node) if key.lower() in folded), None)


def _spellings(node: Node) -> tuple[str, ...]:
    match node:
        case bool():
            return (str(node).lower(),)
        case int():
            return (str(node), hex(node))
        case Address():
            return (node.value,)
        case Cut() if len(node) <= 32:
            return ("0x" + node.hex(), str(int.from_bytes(node)))
        case bytes():
            return ("0x" + node.hex(),)
        case str():
            return (str(node),)
        case _:
            return ()


class Arguments:
    """The parameters of one field. Those that lead to an array have one value for each item that is shown."""

    __slots__ = ("_addresses", "_found", "_params", "_scope", "count", "index")

    def __init__(self, params: Mapping[str, Param], /, *, scope: Scope, count: int | None) -> None:
        self._params = params
        self._scope = scope
        self._found: dict[Path, Found] = {}
        self._addresses: dict[str, frozenset[Address | None]] = {}
        self.count: int | None = count
        self.index: int = 0

    def __contains__(self, name: str) -> bool:
        return name in self._params

    def param(self, name: str) -> Param | None:
        """What the descriptor says for a parameter, unresolved."""
        return self._params.get(name)

    def get(self, *names: str) -> Node | None:
        """The value of the first of `names` that is given, None for none."""
        for name in names:
            if name in self._params:
                param = self._params[name]
                return None if isinstance(param, tuple) else self.value(param)
        return None

    def addresses(self, name: str) -> frozenset[Address | None]:
        """The addresses in a list."""
        listed = self._params.get(name, ())
        if not isinstance(listed, tuple):
            return frozenset()
        if name in self._addresses:
            return self._addresses[name]
        found = frozenset(as_address(self.value(each)) for each in listed) - {None}
        if not any(isinstance(each, Reference) and each.path.root != "$" for each in listed):
            self._addresses[name] = found  # constants are the same for every item
        return found

    def texts(self, name: str) -> tuple[str, ...] | None:
        """A list of constants as it is, None without one."""
        found = self._params.get(name)
        return tuple(str(each) for each in found) if isinstance(found, tuple) else None

    def text(self, name: str, default: str) -> str:
        """A text of the descriptor."""
        found = self.get(name)
        return str(found) if isinstance(found, Constant) else default

    def value(self, param: Param) -> Node:
        """What a constant or a reference stands for."""
        match param:
            case Reference():
                return self._at(param.path)
            case MapReference():
                return self._scope.mapped(param, self._at(param.key))
            case str():
                return Constant(param)
            case bool() | int():
                return param
            case _:
                return refuse("a list in place of a value")

    def _at(self, path: Path) -> Node:
        found = self._found.get(path)
        if found is None:
            found = self._found[path] = spread(self._scope.resolve(path), self._scope.work)
        if not found.many:
            return found.places[0].node
        if self.count != len(found.places):
            refuse("the parameters are not as many as the values")
        return found.places[self.index].node


def as_int(node: Node | None, /) -> int | None:
    """The number that a value is: an integer, bytes out of a value, digits of the descriptor; None for others."""
    if isinstance(node, int) and not isinstance(node, bool):
        return node
    if isinstance(node, Cut):
        return int.from_bytes(node) if len(node) <= 32 else None
    if isinstance(node, Constant):
        digits = node[2:] if node[:2] == "0x" else node
        base = 16 if node[:2] == "0x" else 10
        plain = 0 < len(digits) <= 78 and digits.isascii() and digits.isalnum()
        try:
            return int(digits, base) if plain else None
        except ValueError:
            return None
    return None


def as_address(node: Node | None, /) -> Address | None:
    """The address that a value is: an address, 20 bytes, a word or number with 12 zero bytes before it, an address of
    the descriptor; None for others, and for a number with something in those 12 bytes."""
    if isinstance(node, Constant):
        try:
            return contexts.address(str(node))
        except InvalidInput:
            return None
    if isinstance(node, bytes) and len(node) in {20, 32} and not any(node[:-20]):
        return Address.from_bytes(bytes(node[-20:]))
    if isinstance(node, int) and not isinstance(node, bool) and 0 <= node < 2**160:
        return Address.from_bytes(node.to_bytes(20))
    return node if isinstance(node, Address) else None
