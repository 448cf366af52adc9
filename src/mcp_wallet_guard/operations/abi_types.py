"""Types of the contract ABI, and the text of function signatures: one grammar, read strictly.

Everything that the codec needs to know about a type is computed once, when the type is made: its canonical name,
whether it is dynamic, how many bytes it takes in a head, how deep it nests. Ceilings keep a signature, which may come
from a descriptor of somebody's, from costing more than its text. Source: Solidity contract ABI specification.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Final, Never, final

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations.values import keccak256

MAX_DEPTH: Final = 16
"""Arrays and tuples around a value. The deepest public descriptor has 9; each costs two frames of Python's stack."""
MAX_TEXT: Final = 4096
"""Characters of a signature: over four times the longest of the public descriptors."""
MAX_LENGTH: Final = 65_535
"""Elements of ``T[n]``: more than calldata of any network has words."""
ADDRESS_NODES: Final = 32
"""What an address costs of a budget, since its checksum is a hash."""

_WORD: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]{0,255}")
_LENGTH: Final = re.compile(r"\[([1-9][0-9]{0,4})?\]")
_SPACES: Final = re.compile(" *")
_NOT_NAMES: Final = frozenset({"calldata", "memory", "storage", "indexed", "payable"})


class AbiKind(StrEnum):
    """What a type is. The type ``function`` is FIXED_BYTES of 24 bytes."""

    UINT = "uint"
    INT = "int"
    BOOL = "bool"
    ADDRESS = "address"
    FIXED_BYTES = "bytesN"
    BYTES = "bytes"
    STRING = "string"
    ARRAY = "array"
    TUPLE = "tuple"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AbiType:
    """A type. `size` is bits for integers, bytes for FIXED_BYTES, else 0. `item` and `length` are an ARRAY's (None: any
    number of items), `components` a TUPLE's. `is_function` marks the 24 bytes that signatures call ``function``.

    `name` is the canonical text, as in a signature: ``(address,bytes)[2][]``. `head` is the bytes that a value takes
    among its neighbours: its own where it is static, a word with the offset where it is dynamic. `depth` counts the
    arrays and tuples around the innermost value. `nodes` is what a value, without dynamic items, costs of a budget.

    Raises InvalidInput("invalid_input.calldata") for a type that does not exist or is over a ceiling.
    """

    kind: AbiKind
    size: int = 0
    item: AbiType | None = None
    length: int | None = None
    components: tuple[Parameter, ...] = ()
    is_function: bool = False
    name: str = field(init=False, compare=False, repr=False)
    is_dynamic: bool = field(init=False, compare=False, repr=False)
    head: int = field(init=False, compare=False, repr=False)
    depth: int = field(init=False, compare=False, repr=False)
    nodes: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        _check_shape(self)
        if self.item is not None:
            self._derive_array(self.item)
        elif self.components:
            self._derive_tuple()
        else:
            self._derive(
                name=_elementary_name(self),
                is_dynamic=self.kind in {AbiKind.BYTES, AbiKind.STRING},
                head=32,
                depth=0,
                nodes=ADDRESS_NODES if self.kind is AbiKind.ADDRESS else 1,
            )

    def __hash__(self) -> int:
        return hash(self.name)

    def _derive_array(self, item: AbiType) -> None:
        length = self.length
        static = length is not None and not item.is_dynamic
        self._derive(
            name=f"{item.name}[{'' if length is None else length}]",
            is_dynamic=not static,
            head=(length or 0) * item.head if static else 32,
            depth=item.depth + 1,
            nodes=1 + (length or 0) * item.nodes if static else 1,
        )

    def _derive_tuple(self) -> None:
        types = [component.type for component in self.components]
        dynamic = any(each.is_dynamic for each in types)
        self._derive(
            name=f"({','.join(each.name for each in types)})",
            is_dynamic=dynamic,
            head=32 if dynamic else sum(each.head for each in types),
            depth=1 + max(each.depth for each in types),
            nodes=1 if dynamic else 1 + sum(each.nodes for each in types),
        )

    def _derive(self, *, name: str, is_dynamic: bool, head: int, depth: int, nodes: int) -> None:
        if len(name) > MAX_TEXT or depth > MAX_DEPTH:
            _refuse()
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "is_dynamic", is_dynamic)
        object.__setattr__(self, "head", head)
        object.__setattr__(self, "depth", depth)
        object.__setattr__(self, "nodes", nodes)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A type and what its author calls the value; `name` is "" where there is none."""

    name: str = ""
    type: AbiType

    def __hash__(self) -> int:
        return hash((self.name, self.type.name))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function of a contract. `signature` is canonical, without the names: ``transfer(address,uint256)``. `selector`
    is the first four bytes of its Keccak-256."""

    name: str
    inputs: tuple[Parameter, ...]
    signature: str = field(init=False, compare=False)
    selector: bytes = field(init=False, compare=False)

    def __post_init__(self) -> None:
        if _WORD.fullmatch(self.name) is None:
            _refuse()
        _check_names(self.inputs)
        signature = f"{self.name}({','.join(each.type.name for each in self.inputs)})"
        object.__setattr__(self, "signature", signature)
        object.__setattr__(self, "selector", keccak256(signature.encode("ascii"))[:4])


@lru_cache(maxsize=512)
def parse_type(text: str, /) -> AbiType:
    """The type that `text` names, such as ``uint256`` or ``(address to,bytes)[2][]``. ``uint`` and ``int`` have 256
    bits; ``fixed`` is refused, as no compiler makes it. Raises InvalidInput("invalid_input.calldata")."""
    reader = _Reader(text)
    found = reader.type(MAX_DEPTH)
    reader.end()
    return found


@lru_cache(maxsize=1024)
def parse_function(text: str, /) -> Function:
    """The function of ``transfer(address to,uint256 value)``. Names are optional, spaces free beside punctuation, and
    ``tuple(...)`` is ``(...)``. Neither ``function``, data locations nor results are part of it.

    Raises InvalidInput("invalid_input.calldata"). Source: ERC-7730, "Format keys"; Solidity contract ABI specification.
    """
    reader = _Reader(text)
    name = reader.word()
    inputs = reader.parameters(MAX_DEPTH, least=0)
    reader.end()
    return Function(name=name, inputs=inputs)


def _refuse() -> Never:
    raise InvalidInput("invalid_input.calldata")


def _check_shape(type_: AbiType) -> None:
    """That the fields are those of the kind."""
    kind, length = type_.kind, type_.length
    sizes = _SIZES.get(kind, _NO_SIZE)
    if type(type_.size) is not int or type_.size not in sizes:
        _refuse()
    if (type_.item is not None) != (kind is AbiKind.ARRAY) or bool(type_.components) != (kind is AbiKind.TUPLE):
        _refuse()
    if length is not None and (kind is not AbiKind.ARRAY or type(length) is not int or not 1 <= length <= MAX_LENGTH):
        _refuse()
    if type_.is_function and (kind, type_.size) != (AbiKind.FIXED_BYTES, 24):
        _refuse()
    _check_names(type_.components)


def _check_names(parameters: tuple[Parameter, ...]) -> None:
    """Two values of one name could not be told apart by a path, nor by the person who reads them."""
    names = [each.name for each in parameters if each.name]
    if len(set(names)) != len(names) or any(_WORD.fullmatch(name) is None or name in _NOT_NAMES for name in names):
        _refuse()


def _elementary_name(type_: AbiType) -> str:
    if type_.is_function:
        return "function"
    if type_.kind is AbiKind.FIXED_BYTES:
        return f"bytes{type_.size}"
    return f"{type_.kind.value}{type_.size or ''}"


_BITS: Final = frozenset(range(8, 257, 8))
_NO_SIZE: Final = frozenset({0})
_SIZES: Final = {AbiKind.UINT: _BITS, AbiKind.INT: _BITS, AbiKind.FIXED_BYTES: frozenset(range(1, 33))}


@lru_cache(maxsize=1)
def _elementary() -> dict[str, AbiType]:
    """Every elementary type by its text."""
    sized = [AbiType(kind=kind, size=size) for kind, sizes in _SIZES.items() for size in sizes]
    plain = [AbiType(kind=kind) for kind in (AbiKind.BOOL, AbiKind.ADDRESS, AbiKind.BYTES, AbiKind.STRING)]
    found = {each.name: each for each in sized + plain}
    found["function"] = AbiType(kind=AbiKind.FIXED_BYTES, size=24, is_function=True)
    return {**found, "uint": found["uint256"], "int": found["int256"]}


class _Reader:
    """Reads a signature from left to right, once."""

    __slots__ = ("_at", "_text")

    def __init__(self, text: str) -> None:
        if type(text) is not str or len(text) > MAX_TEXT:
            _refuse()
        self._text = text
        self._at = 0

    def type(self, depth: int) -> AbiType:
        word = self._take(_WORD)
        if word in {"", "tuple"} and self._text.startswith("(", self._at):
            found = AbiType(kind=AbiKind.TUPLE, components=self.parameters(depth - 1, least=1))
        else:
            found = _elementary().get(word) or _refuse()
        while match := _LENGTH.match(self._text, self._at):
            self._at = match.end()
            found = AbiType(kind=AbiKind.ARRAY, item=found, length=int(match[1]) if match[1] else None)
        return found

    def parameters(self, depth: int, *, least: int) -> tuple[Parameter, ...]:
        if depth < 0:
            _refuse()
        self._expect("(")
        self._take(_SPACES)
        found: list[Parameter] = []
        while not self._text.startswith(")", self._at):
            if found:
                self._expect(",")
                self._take(_SPACES)
            found.append(self._parameter(depth))
        self._expect(")")
        if len(found) < least:
            _refuse()
        return tuple(found)

    def _parameter(self, depth: int) -> Parameter:
        found = self.type(depth)
        name = self._take(_WORD) if self._take(_SPACES) else ""
        self._take(_SPACES)
        return Parameter(name=name, type=found)

    def word(self) -> str:
        return self._take(_WORD) or _refuse()

    def end(self) -> None:
        if self._at != len(self._text):
            _refuse()

    def _expect(self, character: str) -> None:
        if not self._text.startswith(character, self._at):
            _refuse()
        self._at += 1

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            return ""
        self._at = match.end()
        return match[0]
