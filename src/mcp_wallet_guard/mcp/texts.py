"""Parameters that arrive as text: those of a URI template, and the arguments of a prompt.

MCP knows no types there. The handler's annotations say what a text must be, and each text is read one way only: an
integer has no sign but a minus, no zero in front, no space; a truth value is ``true`` or ``false``. Threat: T-005,
T-027, T-058.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal, final

from mcp.server.mcpserver.utilities.func_metadata import func_metadata

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.mcp.arguments import Call, guarded
from mcp_wallet_guard.mcp.handlers import CALL, Handler, refuse
from mcp_wallet_guard.mcp.parameters import check_parameters

Kind = Literal["text", "integer", "truth", "texts"]

_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,76}")
_TRUTH: Final = {"true": True, "false": False}
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_TYPES: Final[dict[str, Kind]] = {"string": "text", "integer": "integer", "boolean": "truth"}


@final
class Texts:
    """How the texts of one handler's parameters are read."""

    def __init__(self, handler: Handler, /) -> None:
        """Raises Misconfigured("misconfigured.tool") for a parameter that a text cannot be, such as a float or a model,
        or that a caller may not give."""
        if untyped := [each.name for each in handler.parameters if each.annotation is each.empty]:
            refuse(f"{handler.name!r} has parameters without annotations: {untyped}")
        skipped = [] if handler.context is None else [handler.context]
        try:
            shape = func_metadata(handler.function, skip_names=skipped, structured_output=False)
            self.schema: Final[dict[str, Any]] = shape.arg_model.model_json_schema()
        except Exception as error:  # noqa: BLE001  # whatever the SDK dislikes, the handler is not guarded then
            refuse(f"the SDK does not take {handler.name!r} ({type(error).__name__})")
        check_parameters(self.schema, tool=handler.name, spends=False)
        properties: dict[str, Any] = self.schema.get("properties", {})
        self.kinds: Final = {name: self._kind(part, of=name) for name, part in properties.items()}
        self._metadata: Final = guarded(shape, strict=True, output_schema=None)

    @property
    def required(self) -> frozenset[str]:
        """The parameters without a default."""
        return frozenset(self.schema.get("required", ()))

    def validated(self, texts: Mapping[str, str | list[str]], /) -> dict[str, Any]:
        """The handler's arguments. Raises InvalidInput; a text of a name that is not known is refused as well."""
        raw = {name: self._value(name, value) for name, value in texts.items()}
        call: Call = self._metadata.validate_arguments(raw)[CALL]
        if call.refusal is not None:
            raise call.refusal
        return call.arguments

    def _value(self, name: str, text: object) -> object:
        kind = self.kinds.get(name)
        if isinstance(text, list):
            return [self._value("", each) for each in text] if kind == "texts" else text
        if not isinstance(text, str) or _CONTROL.search(text):
            raise InvalidInput
        if kind == "integer" and _INTEGER.fullmatch(text):
            return int(text)
        # What is no integer or truth value stays text, and the strict model refuses that.
        return _TRUTH.get(text, text) if kind == "truth" else text

    def _kind(self, part: dict[str, Any], *, of: str) -> Kind:
        found = self._kinds(part)
        kind = found.pop() if len(found) == 1 else None
        if kind is None:
            refuse(f"the parameter {of!r} arrives as text, and cannot be read from one in exactly one way")
        return kind

    def _kinds(self, part: dict[str, Any]) -> set[Kind | None]:
        """The kinds that a schema allows; None for what no text is."""
        if isinstance(reference := part.get("$ref"), str):
            return self._kinds(self.schema["$defs"][reference.rpartition("/")[2]])
        arms = [arm for name in ("anyOf", "oneOf", "allOf") for arm in part.get(name, ())]
        if arms:
            return set[Kind | None]().union(*(self._kinds(arm) for arm in arms if arm.get("type") != "null"))
        if "type" not in part and "const" in part:
            return {_kind_of(part["const"])}
        if "type" not in part and "enum" in part:
            return {_kind_of(each) for each in part["enum"]}
        if part.get("type") == "array" and self._kinds(part.get("items", {})) == {"text"}:
            return {"texts"}
        return {_TYPES.get(str(part.get("type")))}


def _kind_of(value: object) -> Kind | None:
    if isinstance(value, bool):
        return "truth"
    return "text" if isinstance(value, str) else "integer" if isinstance(value, int) else None
