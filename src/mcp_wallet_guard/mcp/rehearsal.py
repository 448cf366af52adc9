"""A spending tool without its guard, for its author's own unit tests: arguments in, intent out, nothing signed."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from mcp.server.mcpserver import Context
from pydantic import TypeAdapter

from mcp_wallet_guard.filters.fingerprints import FingerprintSet
from mcp_wallet_guard.filters.inbound import check_secrets, check_size
from mcp_wallet_guard.mcp.arguments import Call, GuardedMetadata
from mcp_wallet_guard.mcp.handlers import CALL, Handler, check_annotated, run
from mcp_wallet_guard.operations.intents import Intent

_JSON = (str, int, float, bool, type(None))


async def rehearse(
    handler: Handler,
    metadata: GuardedMetadata,
    positional: tuple[Any, ...],
    named: Mapping[str, Any],
    /,
    *,
    context: Context[Any, Any],
) -> Intent:
    """The intent that a call with these arguments proposes.

    Raises InvalidInput for arguments that a call would be refused for (secrets are recognised as far as that needs no
    vault), Misconfigured for a result that the tool is not annotated with, TypeError for arguments that no Python call
    could have, and whatever the handler raises.
    """
    given = _named(handler, positional, named)
    if handler.context is not None:
        context = given.pop(handler.context, context)
    raw = {name: as_json(value) for name, value in given.items()}
    check_size(raw)
    check_secrets(raw, fingerprints=FingerprintSet())
    call: Call = metadata.validate_arguments(raw)[CALL]
    if call.refusal is not None:
        raise call.refusal
    return check_annotated(handler, await run(handler, call.arguments, context))


def _named(handler: Handler, positional: tuple[Any, ...], named: Mapping[str, Any]) -> dict[str, Any]:
    first = inspect.signature(handler.function).bind_partial(*positional).arguments
    if twice := first.keys() & named.keys():
        raise TypeError(f"given twice: {', '.join(sorted(twice))}")
    return {**first, **named}


def as_json(value: Any, /) -> Any:
    """What a client would send for `value`: JSON as it is, our own values and models as they are written."""
    if isinstance(value, _JSON):
        return value
    if isinstance(value, Mapping):
        return {name: as_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    return TypeAdapter(type(value)).dump_python(value, mode="json")
