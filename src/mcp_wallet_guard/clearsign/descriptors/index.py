"""Which descriptors apply to a contract: a table by chain and address, made without reading more than contexts.

The table only narrows the search. A descriptor is read strictly, and its constraints are checked, when it is asked for;
one that cannot be read is passed over and named in `refused`. Source: ERC-7730, "Context section"; CAIP-10 keys as in
the public registry's own index. Threat: T-021.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, final

from mcp_wallet_guard import strict_json
from mcp_wallet_guard.clearsign.descriptors import contexts, includes
from mcp_wallet_guard.clearsign.descriptors.contexts import Container, Creation
from mcp_wallet_guard.clearsign.descriptors.descriptor import Descriptor, load
from mcp_wallet_guard.clearsign.descriptors.limits import MAX_BYTES, MAX_DEPTH, MAX_INCLUDES
from mcp_wallet_guard.clearsign.descriptors.model import Deployment
from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations.abi import Function
from mcp_wallet_guard.operations.typed_data import TypedData, domain_separator, encode_type
from mcp_wallet_guard.operations.values import ChainId

_ANYWHERE: Final = ("factory", "")
"""The key of descriptors that apply to what a factory deployed."""
_SEPARATOR: Final = "separator"
_Key = tuple[int | str, str]
"""Chain number and lower-case address; or a word of ours, and a separator."""


@final
class Index:
    """Descriptors by where they apply, in the order of their files: of two that tell the same call, the first does.

    `documents` are all files of one root by their relative names, `bindings` what the owner applies files to beyond
    what they say, by file. `refused` says, for each file that was asked for and could not be read, why.
    """

    __slots__ = ("_bindings", "_documents", "_has_separators", "_loaded", "_names", "_pins", "refused")

    def __init__(
        self,
        documents: Mapping[str, bytes],
        /,
        *,
        bindings: Mapping[str, tuple[Deployment, ...]] | None = None,
        pins: Mapping[str, tuple[bytes, ...]] | None = None,
    ) -> None:
        self._documents = documents
        self._pins = pins
        self._bindings = bindings or {}
        self._has_separators = False
        self._loaded: dict[str, Descriptor | None] = {}
        self._names: dict[_Key, list[str]] = {}
        self.refused: dict[str, str] = {}
        heads = {name: head for name, raw in documents.items() if (head := _head(raw)) is not None}
        for name in heads:
            self._add(name, _context(heads, name))

    @classmethod
    def of(cls, descriptors: Iterable[Descriptor], /) -> Index:
        """An index of descriptors that are read already."""
        found = cls({})
        for descriptor in descriptors:
            found._loaded[descriptor.name] = descriptor
            found._bindings = {**found._bindings, descriptor.name: descriptor.bound}
            found._add(descriptor.name, descriptor.document.get("context"))
        return found

    def calls(self, container: Container, selector: bytes, /) -> tuple[tuple[Descriptor, Function], ...]:
        """The descriptors that apply to a call of `selector`, each with the function as it spells it."""
        found = []
        for descriptor in self._descriptors(_contract_keys(container)):
            try:
                contexts.check_contract(descriptor.context, container, bound=descriptor.bound)
                known = descriptor.function(selector)
            except InvalidInput as error:
                self.refused[descriptor.name] = error.detail or error.code
                continue
            if known is not None:
                found.append((descriptor, known[1]))
        return tuple(found)

    def messages(self, typed: TypedData, container: Container, /) -> tuple[Descriptor, ...]:
        """The descriptors that apply to a message and know its type."""
        key = encode_type(typed, typed.primary_type)
        keys = _contract_keys(container)
        if self._has_separators:
            keys.append((_SEPARATOR, domain_separator(typed).hex()))
        found = []
        for descriptor in self._descriptors(keys):
            try:
                contexts.check_typed_data(descriptor.context, typed, container, bound=descriptor.bound)
                if descriptor.message(key) is not None:
                    found.append(descriptor)
            except InvalidInput as error:
                self.refused[descriptor.name] = error.detail or error.code
        return tuple(found)

    def makers(self, chain: ChainId, selector: bytes, /) -> tuple[Creation, ...]:
        """The factories on `chain` whose contracts some descriptor tells a call of `selector` of, in order."""
        found: list[Creation] = []
        for descriptor in self._descriptors([_ANYWHERE]):
            factory = descriptor.context.factory
            if factory is not None and self._knows(descriptor, selector):
                here = (each.address for each in factory.deployments if each.chain == chain)
                found += (Creation(event=factory.event, factory=address) for address in here)
        return tuple(dict.fromkeys(found))

    def _knows(self, descriptor: Descriptor, selector: bytes) -> bool:
        try:
            return descriptor.function(selector) is not None
        except InvalidInput as error:
            self.refused[descriptor.name] = error.detail or error.code
            return False

    def get(self, name: str, /) -> Descriptor | None:
        """The descriptor in the file `name`, None when it cannot be read."""
        if name not in self._loaded:
            try:
                self._loaded[name] = self._load(name)
            except InvalidInput as error:
                self._loaded[name] = None
                self.refused[name] = error.detail or error.code
        return self._loaded[name]

    def _load(self, name: str) -> Descriptor:
        hashes = None if self._pins is None else self._pins.get(name, ())
        return load(self._documents, name, bound=self._bindings.get(name, ()), hashes=hashes)

    def _descriptors(self, keys: Iterable[_Key]) -> Iterator[Descriptor]:
        for name in dict.fromkeys(name for key in keys for name in self._names.get(key, ())):
            descriptor = self.get(name)
            if descriptor is not None:
                yield descriptor

    def _add(self, name: str, context: object) -> None:
        owners = ((each.chain.number, each.address.value.lower()) for each in self._bindings.get(name, ()))
        for key in dict.fromkeys([*owners, *_keys(context)]):
            self._has_separators |= key[0] == _SEPARATOR
            self._names.setdefault(key, []).append(name)


def _contract_keys(container: Container) -> list[_Key]:
    if container.chain is None:
        return []
    number = container.chain.number
    keys: list[_Key] = [(number, each.value.lower()) for each in (container.to, container.implementation) if each]
    return [*keys, _ANYWHERE] if container.creations else keys


def _head(raw: bytes) -> dict[str, Any] | None:
    """A file as lenient JSON, for its context alone; what it says is believed only after a strict reading."""
    if type(raw) is not bytes or len(raw) > MAX_BYTES:
        return None
    try:
        strict_json.check_depth(raw, max_depth=MAX_DEPTH)
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if type(found) is not dict:
        return None
    return {key: found[key] for key in ("context", "includes") if key in found}


def _context(heads: Mapping[str, dict[str, Any]], name: str) -> object:
    """The context of a file and of those that it includes, merged."""
    found: object = None
    for _ in range(MAX_INCLUDES):
        head = heads.get(name, {})
        below = head.get("context")
        if isinstance(found, dict) and isinstance(below, dict):
            found = includes.overlaid(below, found)
        elif found is None:
            found = below
        if "includes" not in head:
            break
        try:
            name = includes.resolve(head["includes"], base=name)
        except InvalidInput:
            break
    return found


def _keys(context: object) -> Iterator[_Key]:
    """Where a context may apply."""
    inner = _object(context, "contract") or _object(context, "eip712")
    yield from _deployed(inner.get("deployments"))
    if "factory" in inner:
        yield _ANYWHERE
    separator = inner.get("domainSeparator")
    if isinstance(separator, str):
        yield (_SEPARATOR, separator.lower().removeprefix("0x"))
    domain = _object(inner, "domain")
    yield from _deployed([{"chainId": domain.get("chainId"), "address": domain.get("verifyingContract")}])


def _object(parent: object, key: str) -> dict[str, Any]:
    found = parent.get(key) if isinstance(parent, dict) else None
    return found if isinstance(found, dict) else {}


def _deployed(raw: object) -> Iterator[_Key]:
    for each in raw if isinstance(raw, list) else ():
        chain, address = (each.get("chainId"), each.get("address")) if isinstance(each, dict) else (None, None)
        if isinstance(chain, int) and isinstance(address, str):
            yield chain, address.lower()
