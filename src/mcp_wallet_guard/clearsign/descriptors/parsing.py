"""The strict parser of a descriptor's parts: every key known, every value of its type, every count below its ceiling.

In a file of a later minor version, unknown keys are passed over and unknown formats shown raw, as the standard wants;
in one of ours they are errors. Keys that start with ``$`` say nothing. Source: ERC-7730 schema 2.0.0. Threat: T-033.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from mcp_wallet_guard.clearsign.descriptors import interpolation
from mcp_wallet_guard.clearsign.descriptors.includes import params as overlaid_params
from mcp_wallet_guard.clearsign.descriptors.limits import (
    MAX_ALIASES,
    MAX_ENTRIES,
    MAX_FIELDS,
    MAX_GROUPS,
    MAX_TEXT,
    refuse,
)
from mcp_wallet_guard.clearsign.descriptors.model import (
    ALWAYS,
    Encryption,
    Field,
    Format,
    FormatName,
    Group,
    Literals,
    MapReference,
    Param,
    Reference,
    Visible,
)
from mcp_wallet_guard.clearsign.descriptors.paths import Path, parse_path

_FORMAT_KEYS: Final = frozenset({"intent", "interpolatedIntent", "fields", "required", "excluded"})
"""The last two are of version 1; the standard's own examples still show them, and they say nothing."""
_FIELD_KEYS: Final = frozenset({"path", "value", "label", "format", "params", "visible", "separator", "encryption"})
_GROUP_KEYS: Final = frozenset({"path", "label", "iteration", "fields"})

_ADDRESS: Final = re.compile(r"0[xX][0-9a-fA-F]{40}")
_DIGIT: Final = re.compile(r"[0-9]")
_CHAIN: Final = {"chainId": "constant", "chainIdPath": "path"}
_NAMES: Final = {"types": "types", "sources": "texts", "senderAddress": "constants"}
_PARAMS: Final[dict[FormatName, dict[str, str]]] = {
    FormatName.TOKEN_AMOUNT: {
        "token": "constant", "tokenPath": "path", "nativeCurrencyAddress": "constants", "threshold": "constant",
        "message": "message", **_CHAIN,
    },
    FormatName.NFT_NAME: {"collection": "constant", "collectionPath": "path"},
    FormatName.DATE: {"encoding": "encoding"},
    FormatName.UNIT: {"base": "constant", "decimals": "constant", "prefix": "flag"},
    FormatName.ENUM: {"$ref": "path"},
    FormatName.CALLDATA: {
        "callee": "constant", "calleePath": "path", "selector": "constant", "selectorPath": "path",
        "amount": "constant", "amountPath": "path", "spender": "constant", "spenderPath": "path", **_CHAIN,
    },
    FormatName.ADDRESS_NAME: _NAMES,
    FormatName.INTEROPERABLE: _NAMES,
    FormatName.TOKEN_TICKER: _CHAIN,
}  # fmt: skip
_REQUIRED: Final = {
    FormatName.NFT_NAME: ("collection", "collectionPath"),
    FormatName.UNIT: ("base",),
    FormatName.ENUM: ("$ref",),
    FormatName.CALLDATA: ("callee", "calleePath"),
}
"""Of each, one must be there."""
TYPES: Final = frozenset({"wallet", "eoa", "contract", "token", "collection"})


class Parser:
    """Parses the formats of one document. `later` is whether its version is a later one than ours."""

    __slots__ = ("_definitions", "_later", "_left")

    def __init__(self, *, definitions: object, later: bool) -> None:
        if definitions is not None and type(definitions) is not dict:
            refuse("definitions is an object")
        self._definitions: Mapping[str, Any] = definitions or {}
        self._later = later
        self._left = MAX_FIELDS

    def format(self, key: str, raw: object, /) -> Format:
        """One entry of ``display.formats``."""
        document = self._object(raw, _FORMAT_KEYS)
        template = document.get("interpolatedIntent")
        if template is not None:
            check_text(template)
        self._left = MAX_FIELDS
        return Format(
            key=key,
            intent=_intent(document.get("intent")),
            sentence=None if template is None else interpolation.parse(template),
            has_sentence=template is not None,
            fields=self._fields(document.get("fields", []), MAX_GROUPS),
        )

    def _fields(self, raw: object, groups: int) -> tuple[Field | Group, ...]:
        if type(raw) is not list or groups < 0:
            refuse("fields is a list, and groups do not nest without end")
        return tuple(self._either(each, groups) for each in raw)

    def _either(self, raw: object, groups: int) -> Field | Group:
        self._left -= 1
        if self._left < 0:
            refuse("a format has too many fields")
        if type(raw) is dict and "fields" in raw:
            return self._group(raw, groups)
        return self._field(self._referenced(raw))

    def _group(self, raw: object, groups: int) -> Group:
        document = self._object(raw, _GROUP_KEYS)
        iteration = document.get("iteration")
        if iteration not in {None, "sequential", "bundled"}:
            refuse("iteration is sequential or bundled")
        return Group(
            path=_path(document.get("path")),
            label=_text(document, "label"),
            iteration=iteration,
            fields=self._fields(document["fields"], groups - 1),
        )

    def _referenced(self, raw: object) -> object:
        """A field, with the definition under it that its ``$ref`` names."""
        if type(raw) is not dict or "$ref" not in raw:
            return raw
        path = parse_path(raw["$ref"])
        if path.root != "$" or path.steps[:2] != ("display", "definitions") or len(path.steps) != 3:
            refuse("a reference is to a definition")
        below = self._definitions.get(str(path.steps[2]))
        if type(below) is not dict or "$ref" in below:
            refuse("a reference is to a definition that is there")
        above = {key: value for key, value in raw.items() if key != "$ref"}
        both = {**below, **above}
        if type(below.get("params")) is dict and type(above.get("params")) is dict:
            both["params"] = overlaid_params(below["params"], above["params"])
        for one, other in (("path", "value"), ("value", "path")):
            if one in above and other not in above:
                both.pop(other, None)
        return both

    def _field(self, raw: object) -> Field:
        document = self._object(raw, _FIELD_KEYS)
        path, value = _path(document.get("path")), document.get("value")
        if (path is None) == (value is None):
            refuse("a field has either a path or a value")
        name = self._format_name(document.get("format", "raw"))
        separator = document.get("separator")
        if separator is not None:
            check_text(separator)
        return Field(
            path=path,
            value=None if value is None else _constant(value),
            label=_text(document, "label"),
            format=name,
            params=self._params(name, document.get("params", {})),
            visible=_visible(document.get("visible", "always")),
            separator=separator,
            encryption=None if "encryption" not in document else self._encryption(document["encryption"]),
        )

    def _format_name(self, raw: object) -> FormatName:
        if type(raw) is str and raw in set(FormatName):
            return FormatName(raw)
        if not self._later or type(raw) is not str:
            refuse("a format is not known")
        return FormatName.RAW

    def _params(self, name: FormatName, raw: object) -> Mapping[str, Param]:
        kinds = _PARAMS.get(name, {})
        if not kinds:
            return {}
        document = self._object(raw, frozenset(kinds))
        for one, other in (("token", "tokenPath"), ("chainId", "chainIdPath"), *_CALL_PAIRS):
            if one in document and other in document:
                refuse("a parameter is given twice")
        required = _REQUIRED.get(name, ())
        if required and not any(key in document for key in required):
            refuse("a format lacks a parameter")
        return {key: _param(kinds[key], value) for key, value in document.items()}

    def _encryption(self, raw: object) -> Encryption:
        document = self._object(raw, frozenset({"scheme", "plaintextType", "fallbackLabel"}))
        if "scheme" not in document:
            refuse("encryption has a scheme")
        return Encryption(
            scheme=_text(document, "scheme"),
            plaintext_type=_text(document, "plaintextType") or None,
            label=_text(document, "fallbackLabel") or "[Encrypted]",
        )

    def _object(self, raw: object, known: frozenset[str]) -> dict[str, Any]:
        """The keys of an object that say something."""
        if type(raw) is not dict:
            refuse("an object was expected")
        said = {key: value for key, value in raw.items() if key in known or not key.startswith("$")}
        unknown = said.keys() - known
        if unknown and not self._later:
            refuse("a key is not known")
        return {key: value for key, value in said.items() if key in known}


_CALL_PAIRS: Final = tuple((name, f"{name}Path") for name in ("collection", "callee", "selector", "amount", "spender"))


def check_text(raw: object, /) -> str:
    """A text that is not too long."""
    if type(raw) is not str or len(raw) > MAX_TEXT:
        refuse("a text was expected")
    return raw


def _text(document: Mapping[str, Any], key: str) -> str:
    return check_text(document.get(key, ""))


def _path(raw: object) -> Path | None:
    return None if raw is None else parse_path(raw)


def _intent(raw: object) -> str:
    """The text of an intent; a complex one is its pairs in their order."""
    if raw is None:
        return ""
    if type(raw) is dict and 0 < len(raw) <= 16:
        return ", ".join(f"{check_text(key)}: {check_text(value)}" for key, value in raw.items())
    return check_text(raw)


def _visible(raw: object) -> Visible:
    if raw == "always":
        return ALWAYS
    if raw in {"optional", "never"} if type(raw) is str else False:
        return Visible("never" if raw == "never" else "optional")
    if type(raw) is not dict or len(raw) != 1:
        refuse("visible is always, optional, never, ifNotIn or mustMatch")
    rule: Literal["ifNotIn", "mustMatch"] = "ifNotIn" if "ifNotIn" in raw else "mustMatch"
    values = raw.get(rule)
    if type(values) is not list or not 0 < len(values) <= MAX_ENTRIES:
        refuse("a rule of visibility has a list of values")
    return Visible(rule, tuple(None if value is None else literal(value) for value in values))


def literal(raw: object, /) -> Literals:
    """A constant: a text, an integer or a truth. Raises InvalidInput for a fraction."""
    if type(raw) is int and -(2**256) < raw < 2**256:
        return raw
    return raw if type(raw) is bool else check_text(raw)


def _constant(raw: object) -> Literals | Reference | MapReference:
    if type(raw) is dict:
        if not {"map", "keyPath"} <= raw.keys():
            refuse("a map reference has a map and a keyPath")
        return MapReference(parse_path(raw["map"]), parse_path(raw["keyPath"]))
    if type(raw) is str and raw[:2] in {"$.", "@.", "#."}:
        return Reference(parse_path(raw))
    return literal(raw)


def _param(kind: str, raw: object) -> Param:
    match kind:
        case "path":
            # A constant address stands here in the standard's own examples.
            return raw if type(raw) is str and _ADDRESS.fullmatch(raw) else Reference(parse_path(raw))
        case "constants":
            return _constants(raw)
        case "texts" | "types":
            return _listed(raw, known=TYPES if kind == "types" else None)
        case "flag":
            if type(raw) is not bool:
                refuse("a parameter is true or false")
        case "encoding":
            if raw not in ("timestamp", "blockheight"):
                refuse("an encoding is timestamp or blockheight")
        case "message":
            # It stands in place of the amount, so it must not look like one.
            if _DIGIT.search(check_text(raw)):
                refuse("a message in place of an amount has digits")
    return _constant(raw)


def _constants(raw: object) -> tuple[Literals | Reference, ...]:
    """One text, or a list of them, each a constant or a path to one."""
    values = raw if type(raw) is list else [raw]
    found = tuple(_constant(value) for value in values[: MAX_ALIASES + 1])
    if not 0 < len(found) <= MAX_ALIASES or any(isinstance(each, MapReference) for each in found):
        refuse("a parameter is a text or a list of texts")
    return tuple(each for each in found if not isinstance(each, MapReference))


def _listed(raw: object, *, known: frozenset[str] | None) -> tuple[str, ...]:
    if type(raw) is not list or len(raw) > MAX_ENTRIES:
        refuse("a parameter is a list of texts")
    texts = tuple(check_text(value) for value in raw)
    if known is not None and not known.issuperset(texts):
        refuse("a type of address is not known")
    return texts
