"""Arguments of a call: validated here, by our model, instead of by the SDK.

The SDK drops unknown arguments, parses JSON out of strings, converts freely, and repeats a rejected value to the
caller. A `GuardedMetadata` takes the place of a tool's metadata: unknown arguments are refused, spending tools get
strict JSON, and a rejection travels to the wrapper as a value, so that no text of the SDK leaves. The published schema
stays the plain function's. Threat: T-002, T-058.
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple, final

from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from mcp_types import CallToolResult, InputRequiredResult
from pydantic import ConfigDict, ValidationError

from mcp_wallet_guard.errors import CATALOGUE, InvalidInput
from mcp_wallet_guard.filters.inbound import check_size
from mcp_wallet_guard.mcp.handlers import CALL

_CODES: Final = {public: code for code, public in CATALOGUE.items() if code.startswith("invalid_input")}


@final
class Call(NamedTuple):
    """The arguments of one call as they came, and what they mean or why they are refused: their size was checked."""

    raw: dict[str, Any]
    arguments: dict[str, Any]
    refusal: InvalidInput | None = None

    def __repr__(self) -> str:
        return "<Call>"

    @property
    def text(self) -> str:
        """The arguments in one order, for comparing calls."""
        return json.dumps(self.raw, sort_keys=True, separators=(",", ":"))


@final
class GuardedMetadata(FuncMetadata):
    """`shape` is the SDK's own metadata of the tool, `known` its parameters' names. `strict` is for spending tools."""

    shape: FuncMetadata
    known: frozenset[str]
    strict: bool

    def validate_arguments(self, arguments_to_validate: dict[str, Any]) -> dict[str, Any]:
        """One keyword for the wrapper: a `Call`. Never raises, so that the SDK has nothing to report."""
        raw = arguments_to_validate
        try:
            return {CALL: Call(raw=raw, arguments=self._validated(raw))}
        except InvalidInput as error:
            return {CALL: Call(raw=raw, arguments={}, refusal=error)}
        except ValidationError as error:
            return {CALL: Call(raw=raw, arguments={}, refusal=_rejection(error))}
        except Exception as error:  # noqa: BLE001  # a validator of the author's failed; its text may hold the input
            refusal = InvalidInput(detail=f"a validator raised {type(error).__name__}")
            return {CALL: Call(raw=raw, arguments={}, refusal=refusal)}

    def convert_result(self, result: Any) -> CallToolResult | InputRequiredResult:
        """What the wrapper returns is final."""
        if type(result) is CallToolResult or isinstance(result, CallToolResult | InputRequiredResult):
            return result
        raise TypeError("a guarded tool returns results only")

    def _validated(self, raw: dict[str, Any]) -> dict[str, Any]:
        check_size(raw)
        if not raw.keys() <= self.known:
            raise InvalidInput("invalid_input.unknown_argument")
        if self.strict:
            model = self.arg_model.model_validate_json(json.dumps(raw, allow_nan=False), strict=True)
        else:
            model = self.arg_model.model_validate(raw)
        return model.model_dump_one_level()


def guarded(shape: FuncMetadata, /, *, strict: bool, output_schema: dict[str, Any] | None) -> GuardedMetadata:
    """The metadata that replaces `shape`."""

    class GuardedArguments(shape.arg_model):  # type: ignore[misc,name-defined]  # a model made at run time
        model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, cache_strings="keys")

    arg_model: type[ArgModelBase] = GuardedArguments
    known = frozenset(field.alias or name for name, field in arg_model.model_fields.items())
    return GuardedMetadata(arg_model=arg_model, output_schema=output_schema, shape=shape, known=known, strict=strict)


def _rejection(error: ValidationError) -> InvalidInput:
    first = error.errors(include_input=False, include_url=False)[0]
    if first["type"] == "extra_forbidden":
        return InvalidInput("invalid_input.unknown_argument")
    public = first.get("ctx", {}).get("public")
    code = _CODES.get(public, "invalid_input") if isinstance(public, str) else "invalid_input"
    return InvalidInput(code, detail=f"{error.error_count()} invalid")
