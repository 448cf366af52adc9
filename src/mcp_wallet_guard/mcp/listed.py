"""Resources and prompts as the SDK lists them: with an author's texts and our label, and nothing behind them.

The SDK's own objects are made and kept for its lists alone. A read that reached one would have gone around the guard.
Threat: T-056.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NoReturn, final

from mcp.server.mcpserver.prompts.base import Prompt
from mcp.server.mcpserver.resources import FunctionResource, Resource, ResourceTemplate

from mcp_wallet_guard.errors import Misconfigured
from mcp_wallet_guard.mcp.contents import MOST_BYTES, Content
from mcp_wallet_guard.mcp.handlers import inspect_function, inspect_handler, refuse
from mcp_wallet_guard.mcp.labels import Label, check_label, labelled
from mcp_wallet_guard.mcp.texts import Texts
from mcp_wallet_guard.mcp.uris import check_name, parse_template

Plain = Resource | ResourceTemplate | Prompt
_FIELDS: Final = ("uri", "name", "title", "description", "mime_type", "icons", "annotations")


def plain_resource(
    uri: str,
    function: Callable[..., Any],
    /,
    *,
    name: str | None,
    title: str | None,
    description: str | None,
    mime_type: str | None,
) -> Plain:
    """The SDK's object of a resource, or of a template when `uri` has variables. Raises Misconfigured."""
    template = parse_template(uri)
    inspect_function(function, name=uri)
    texts: dict[str, Any] = {
        "name": name or function.__name__,
        "title": title,
        "description": description or function.__doc__ or "",
        "mime_type": mime_type or "text/plain",
    }
    try:
        if not template.variables:
            return _Listed(uri=uri, **texts)
        return ResourceTemplate.from_function(function, uri_template=uri, **texts)
    except Exception as error:  # noqa: BLE001  # whatever the SDK dislikes, the handler is not guarded then
        refuse(f"the SDK does not take {uri!r} ({type(error).__name__})")


def plain_prompt(
    function: Callable[..., Any], /, *, name: str | None, title: str | None, description: str | None
) -> Prompt:
    """The SDK's object of a prompt. Raises Misconfigured."""
    inspect_handler(function, name=name)
    try:
        return Prompt.from_function(function, name=name, title=title, description=description)
    except Exception as error:  # noqa: BLE001  # the same
        refuse(f"the SDK does not take the prompt {function.__name__!r} ({type(error).__name__})")


def function_of(plain: Plain, /) -> Callable[..., Any]:
    """The author's own function behind an object of the SDK, without the SDK's lenient validation around it."""
    if isinstance(plain, Resource) and not isinstance(plain, FunctionResource):
        return plain.read
    function: Callable[..., Any] = getattr(plain.fn, "raw_function", plain.fn)
    return function


def content_of(plain: Plain, function: Callable[..., Any], /, *, label: str, max_bytes: int) -> Content:
    """What is served under the name of `plain`. Raises Misconfigured("misconfigured.tool"); the detail says why."""
    if type(max_bytes) is not int or not 1 <= max_bytes <= MOST_BYTES:
        refuse(f"max_bytes is 1 to {MOST_BYTES}")
    if isinstance(plain, Prompt):
        check_name(plain.name)
        key, uri, mime_type, meta = plain.name, None, None, None
    else:
        key = plain.uri if isinstance(plain, Resource) else plain.uri_template
        uri, mime_type, meta = parse_template(key), plain.mime_type, plain.meta
    handler = inspect_function(function, name=key)
    content = Content(
        key=key,
        uri=uri,
        label=check_label(label),
        max_bytes=max_bytes,
        handler=handler,
        texts=Texts(handler),
        mime_type=mime_type,
        description=plain.description,
        meta=meta,
    )
    _check_variables(content)
    return content


def listed(plain: Plain, label: Label, /) -> Plain:
    """A copy of `plain` for the SDK's lists."""
    if isinstance(plain, Prompt):
        return plain.model_copy(update={"fn": _refuse_call})
    if isinstance(plain, ResourceTemplate):
        return plain.model_copy(update={"fn": _refuse_call, "meta": labelled(plain.meta, label)})
    return _Listed(**{name: getattr(plain, name) for name in _FIELDS}, meta=labelled(plain.meta, label))


@final
class _Listed(Resource):
    """A resource in the list."""

    async def read(self) -> str | bytes:
        """Raises Misconfigured: the guard's door was not taken."""
        _refuse_call()


def _refuse_call(**_: Any) -> NoReturn:
    raise Misconfigured("misconfigured.tool", detail="a resource or prompt was read around the guard")


def _check_variables(content: Content) -> None:
    """A template's variables are the handler's parameters, one for one."""
    kinds, handler = content.texts.kinds, content.handler
    if content.uri is None:
        if "texts" in kinds.values():
            refuse(f"the arguments of the prompt {handler.name!r} are texts, not lists")
        return
    if set(content.uri.variable_names) != kinds.keys():
        refuse(f"the variables of {handler.name!r} are not the parameters of its handler")
    if missing := content.uri.query_variable_names & content.texts.required:
        refuse(f"a caller may leave out {sorted(missing)} of {handler.name!r}: the parameters need defaults")
    for variable in content.uri.variables:
        if variable.explode is not (kinds[variable.name] == "texts"):
            refuse(f"the variable {variable.name!r} of {handler.name!r} is a list exactly when its parameter is one")
