"""A descriptor: what the owner installed, merged from its files, identified by its hash, read strictly when asked.

`load` is the only way in. The hash that attestations speak of is that of the file itself; included files have their
own, and all of them are pinned, since who changes an included file changes what is shown. Source: ERC-7730,
"Versioning"; ERC-8176. Threat: T-021.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, final

from mcp_wallet_guard import canonical
from mcp_wallet_guard.clearsign.descriptors import contexts, includes
from mcp_wallet_guard.clearsign.descriptors.limits import MAX_FORMATS, NAME_LIMIT, refuse
from mcp_wallet_guard.clearsign.descriptors.model import Context, Deployment, Format, Token
from mcp_wallet_guard.clearsign.descriptors.parsing import Parser, check_text
from mcp_wallet_guard.clearsign.descriptors.quantities import MAX_DECIMALS
from mcp_wallet_guard.clearsign.descriptors.text import safe
from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations.abi import Function, parse_function
from mcp_wallet_guard.operations.values import keccak256

MAJOR: Final = 2
MINOR: Final = 0
"""Of the schema that is implemented in full."""

_SCHEMA: Final = re.compile(
    r"erc7730-v(0|[1-9][0-9]{0,3})(?:\.(0|[1-9][0-9]{0,3})(?:\.[0-9]{1,4})?)?(?:-next|-rc\.[0-9]{1,4})?\.schema\.json"
)
_TOP_KEYS: Final = frozenset({"includes", "context", "metadata", "display"})
_DISPLAY_KEYS: Final = frozenset({"definitions", "formats"})


def load(
    documents: Mapping[str, bytes],
    name: str,
    /,
    *,
    bound: tuple[Deployment, ...] = (),
    hashes: tuple[bytes, ...] | None = None,
) -> Descriptor:
    """The descriptor in the file `name` of `documents`, which are all files of one root by their relative names.

    `bound` are contracts to which the owner applies it beyond what it says itself. `hashes` are those that it and the
    files that it includes must have, as `Descriptor.hashes` lists them.

    Raises InvalidInput("invalid_input.descriptor").
    """
    found = Descriptor(name=name, files=includes.chain_of(documents, name), bound=bound)
    if hashes is not None and found.hashes != hashes:
        refuse("the files are not those that were pinned")
    return found


def descriptor_hash(raw: bytes, /) -> bytes:
    """Keccak-256 of the canonical form of the descriptor that the JSON text `raw` is, 32 bytes. Source: ERC-8176,
    RFC 8785."""
    return _hash(includes.read({"descriptor": raw}, "descriptor"))


def version_of(schema: object, /) -> tuple[int, int]:
    """Major and minor version that the ``$schema`` of a descriptor names.

    The version is a key of the schema's own file, which nobody fetches: a published file never changes, so the last
    part of its address says the same. Raises InvalidInput for other addresses and other majors.
    """
    match = _SCHEMA.fullmatch(schema.rsplit("/", 1)[-1]) if type(schema) is str else None
    if match is None:
        refuse("the schema is none of ERC-7730's")
    major, minor = int(match[1]), int(match[2] or 0)
    if major != MAJOR:
        refuse("the major version is another")
    return major, minor


@final
class Descriptor:
    """Read-only. `name` is that of its file, `context` where it applies, `bound` where the owner applies it besides.

    `hash` is the file's (ERC-8176), `hashes` are those of it and of the files that it includes, in that order.
    `owner` and `contract` are its names for them, safe to show; "" where it has none.
    """

    __slots__ = ("_cache", "_files", "_hashes", "_later", "_selectors", "bound", "context", "document", "name")

    def __init__(
        self,
        *,
        name: str,
        files: tuple[tuple[str, includes.Document], ...],
        bound: tuple[Deployment, ...],
        hashes: tuple[bytes, ...] | None = None,
    ) -> None:
        minors = [version_of(document["$schema"])[1] for _, document in files if "$schema" in document]
        if "$schema" not in files[0][1]:
            refuse("a descriptor names its schema")
        self._later = max(minors) > MINOR
        self._files = files
        self._hashes = hashes
        self.name: str = name
        self.bound: tuple[Deployment, ...] = bound
        self.document: includes.Document = includes.merged(files)
        self._check_keys(self.document, _TOP_KEYS)
        self.context: Context = contexts.parse(self.document.get("context"))
        self._cache: dict[str, Format] = {}
        self._selectors: dict[bytes, tuple[str, Function]] | None = None

    @property
    def hash(self) -> bytes:
        return self.hashes[0]

    @property
    def hashes(self) -> tuple[bytes, ...]:
        if self._hashes is None:
            self._hashes = tuple(_hash(document) for _, document in self._files)
        return self._hashes

    @property
    def owner(self) -> str:
        return safe(check_text(self.metadata.get("owner", "")), limit=NAME_LIMIT)

    @property
    def contract(self) -> str:
        return safe(check_text(self.metadata.get("contractName", "")), limit=NAME_LIMIT)

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The ``metadata`` section as it is."""
        found = self.document.get("metadata", {})
        if type(found) is not dict:
            refuse("metadata is an object")
        return found

    @property
    def token(self) -> Token | None:
        """What it says of the contract as a token."""
        raw = self.metadata.get("token")
        if raw is None:
            return None
        decimals = raw.get("decimals") if type(raw) is dict else None
        if type(decimals) is not int or not 0 <= decimals <= MAX_DECIMALS:
            refuse("a token has decimals")
        symbol = safe(check_text(raw.get("ticker")), limit=NAME_LIMIT)
        return Token(symbol=symbol, decimals=decimals)

    @property
    def schema(self) -> str:
        """The ``$schema`` of that of its files which is of the latest version."""
        schemas = [document["$schema"] for _, document in self._files if "$schema" in document]
        return str(max(schemas, key=version_of))

    @property
    def keys(self) -> tuple[str, ...]:
        """The functions or message types that it shows."""
        return tuple(self._formats())

    def function(self, selector: bytes, /) -> tuple[str, Function] | None:
        """The key and the function of a selector, None for none. Raises InvalidInput when two keys have one."""
        if self._selectors is None:
            self._selectors = self._functions()
        return self._selectors.get(selector)

    def message(self, encode_type: str, /) -> str | None:
        """The key of a message type, which is its `encodeType`: equal texts have equal hashes, and others do not."""
        return encode_type if encode_type in self._formats() else None

    def format(self, key: str, /) -> Format:
        """How the function or message type `key` is shown. Raises InvalidInput when that cannot be read."""
        if key not in self._cache:
            raw = self._formats().get(key)
            definitions = self._display().get("definitions")
            self._cache[key] = Parser(definitions=definitions, later=self._later).format(key, raw)
        return self._cache[key]

    def check(self) -> None:
        """Read all of it. Raises InvalidInput("invalid_input.descriptor") for what `format` would refuse later."""
        if self.context.kind == "contract":
            self.function(b"")
        for key in self.keys:
            self.format(key)
        _ = self.token, self.owner, self.contract

    def _functions(self) -> dict[bytes, tuple[str, Function]]:
        found: dict[bytes, tuple[str, Function]] = {}
        for key in self._formats():
            try:
                function = parse_function(key.strip())
            except InvalidInput:
                refuse("a key is not a function with its parameters")
            if function.selector in found:
                refuse("two keys are of one function")
            found[function.selector] = key, function
        return found

    def _formats(self) -> Mapping[str, Any]:
        found = self._display().get("formats")
        if type(found) is not dict or len(found) > MAX_FORMATS:
            refuse("display has formats")
        return found

    def _display(self) -> Mapping[str, Any]:
        found = self.document.get("display")
        if type(found) is not dict:
            refuse("a descriptor has a display")
        self._check_keys(found, _DISPLAY_KEYS)
        return found

    def _check_keys(self, found: Mapping[str, Any], known: frozenset[str]) -> None:
        if not self._later and any(key not in known and not key.startswith("$") for key in found):
            refuse("a key is not known")


def _hash(document: includes.Document) -> bytes:
    try:
        return keccak256(canonical.canonical_bytes(document))
    except (ValueError, RecursionError):
        refuse("the descriptor has no canonical form")
