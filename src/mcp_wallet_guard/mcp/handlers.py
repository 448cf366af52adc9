"""What may be decorated: a handler is looked at once, when it is registered, and refused there if it cannot be guarded.

Every pitfall that would make a tool half-guarded is an error at import time of the server, never a surprise at a call.
Threat: T-005, T-056, T-107.
"""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn, final

import anyio.to_thread
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import InvalidSignature
from mcp.server.mcpserver.resolve import find_resolved_parameters
from mcp.server.mcpserver.utilities.context_injection import find_context_parameter

from mcp_wallet_guard.errors import Misconfigured
from mcp_wallet_guard.operations.intents import INTENTS, Intent
from mcp_wallet_guard.operations.names import is_tool_name

CALL: Final = "wallet_guard_call"
CONTEXT: Final = "wallet_guard_context"
"""Keywords by which the SDK hands a checked call and its context to our wrapper; no handler may use them."""

_LOOK_ALIKES: Final = str.maketrans({"0": "o", "1": "l", "i": "l", "5": "s", "_": "", "-": "", ".": ""})
_REJECTED_KINDS: Final = {
    inspect.Parameter.VAR_POSITIONAL: "*args",
    inspect.Parameter.VAR_KEYWORD: "**kwargs",
    inspect.Parameter.POSITIONAL_ONLY: "a positional-only parameter",
}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """An inspected function: `parameters` are those that a caller gives, with resolved annotations."""

    function: Callable[..., Any]
    name: str
    parameters: tuple[inspect.Parameter, ...]
    context: str | None
    returns: Any
    is_async: bool


def inspect_handler(function: Callable[..., Any], /, *, name: str | None) -> Handler:
    """Read the signature of `function`.

    Raises Misconfigured("misconfigured.tool") for callable objects, partials, lambdas, generators, ``*args`` and
    ``**kwargs``, positional-only and hidden parameters, ``Resolve``, annotations that do not resolve, and bad names.
    """
    _check_plain(function)
    name = function.__name__ if name is None else name
    if not is_tool_name(name):
        refuse("a tool's name is 1 to 64 ASCII letters, digits or . _ - and does not start with a sign")
    return inspect_function(function, name=name)


def inspect_function(function: Callable[..., Any], /, *, name: str) -> Handler:
    """The same for what is no tool: its name may be a URI."""
    _check_plain(function)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        refuse(f"{name!r} is a generator")
    try:
        hints = typing.get_type_hints(function, include_extras=True)
        signature = inspect.signature(function)
        resolved = find_resolved_parameters(function)
    except (NameError, TypeError, ValueError, AttributeError, InvalidSignature) as error:
        refuse(f"the annotations of {name!r} cannot be resolved ({type(error).__name__})")
    if resolved:
        refuse(f"{name!r} has Resolve parameters: they use the channel on which the guard asks")
    context = find_context_parameter(function)
    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        if parameter.kind in _REJECTED_KINDS:
            refuse(f"{name!r} takes {_REJECTED_KINDS[parameter.kind]}")
        if parameter.name.startswith("_") or parameter.name in {CALL, CONTEXT}:
            refuse(f"{name!r} has a parameter with a reserved name")
        if parameter.name != context:
            annotation = hints.get(parameter.name, parameter.annotation)
            parameters.append(parameter.replace(annotation=annotation, kind=inspect.Parameter.KEYWORD_ONLY))
    return Handler(
        function=function,
        name=name,
        parameters=tuple(parameters),
        context=context,
        returns=hints.get("return", inspect.Signature.empty),
        is_async=inspect.iscoroutinefunction(function),
    )


def check_returns_intent(handler: Handler, /) -> None:
    """Raises Misconfigured unless the return annotation is one of our intents, or a union of them. Threat: T-056."""
    arms = _arms(handler.returns)
    if not arms or not all(arm in INTENTS for arm in arms):
        refuse(f"{handler.name!r} must be annotated to return an intent, such as Transfer")


def check_annotated(handler: Handler, returned: object, /) -> Intent:
    """`returned`, which is of exactly a type that the handler is annotated with. Raises Misconfigured otherwise."""
    arms = _arms(handler.returns)
    for kind in INTENTS:
        if kind in arms and type(returned) is kind:
            return returned
    raise Misconfigured("misconfigured.tool", detail=f"{handler.name!r} is annotated to return another intent")


async def run(handler: Handler, arguments: Mapping[str, Any], context: Context[Any, Any], /) -> object:
    """What the handler returns for checked arguments. One that is not async runs in a worker thread."""
    given = dict(arguments)
    if handler.context is not None:
        given[handler.context] = context
    if handler.is_async:
        return await handler.function(**given)
    result = await anyio.to_thread.run_sync(functools.partial(handler.function, **given))
    return await result if inspect.isawaitable(result) else result


def check_returns_no_intent(handler: Handler, /) -> None:
    """Raises Misconfigured for an acting tool that returns something to sign: nobody would sign it."""
    if any(arm in INTENTS for arm in _arms(handler.returns)):
        refuse(f"{handler.name!r} returns an intent: register it with @wallet.spends")


def check_distinct(name: str, /, *, taken: Iterable[str]) -> None:
    """Raises Misconfigured when `name` is taken or reads like a taken one: ``pay`` and ``Pay``, ``pay_1`` and ``payl``.

    Threat: T-107.
    """
    for other in taken:
        if skeleton(other) == skeleton(name):
            refuse(f"the tool name {name!r} is taken or looks like another one")


def skeleton(name: str, /) -> str:
    """What of a name a hurried reader sees."""
    return name.casefold().translate(_LOOK_ALIKES).replace("rn", "m").replace("vv", "w")


def refuse(detail: str, /) -> NoReturn:
    """Raise Misconfigured("misconfigured.tool"); `detail` is for the author of the server."""
    raise Misconfigured("misconfigured.tool", detail=detail)


def _check_plain(function: Callable[..., Any]) -> None:
    if not (inspect.isfunction(function) or inspect.ismethod(function)):
        refuse("only a plain function can be guarded, not a partial or a callable object")


def _arms(annotation: Any) -> tuple[Any, ...]:
    if typing.get_origin(annotation) is typing.Annotated:
        return _arms(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in {typing.Union, types.UnionType}:
        return tuple(arm for part in typing.get_args(annotation) for arm in _arms(part))
    return () if annotation is inspect.Signature.empty else (annotation,)
