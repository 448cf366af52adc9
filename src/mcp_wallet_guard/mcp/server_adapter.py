"""Everything that touches the inside of the SDK's `MCPServer`, in one file: middleware, lifespan, registration.

The SDK calls its middleware provisional and has no hook for registration or outgoing messages. What is used here is
tested when a server is protected and again when it starts; a different SDK is an error, never a gap.
Threat: T-056, T-060, T-107.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, final

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ToolError
from mcp.server.mcpserver.prompts.base import Prompt
from mcp.server.mcpserver.resources import Resource
from mcp.server.mcpserver.tools import Tool
from mcp.server.request_state import RequestStateBoundary
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, ToolAnnotations
from pydantic import BaseModel

from mcp_wallet_guard.errors import CATALOGUE, Misconfigured, Refused
from mcp_wallet_guard.mcp.arguments import Call, GuardedMetadata, guarded
from mcp_wallet_guard.mcp.classification import Classification
from mcp_wallet_guard.mcp.contents import Content, Contents
from mcp_wallet_guard.mcp.handlers import CALL, CONTEXT, Handler, inspect_handler, refuse
from mcp_wallet_guard.mcp.labels import kept_private
from mcp_wallet_guard.mcp.link import GuardLink
from mcp_wallet_guard.mcp.listed import Plain, listed
from mcp_wallet_guard.mcp.parameters import check_parameters
from mcp_wallet_guard.mcp.records import clean_records
from mcp_wallet_guard.mcp.releasing import Noting, Releaser
from mcp_wallet_guard.mcp.settlements import Settlements
from mcp_wallet_guard.mcp.tools import Wrapper

logger: Final = logging.getLogger(__name__)
PROMPT_PREFIX: Final = "prompt:"


@final
class ServerAdapter:
    """Installs the guard in one `MCPServer`, and proves that it is still there."""

    def __init__(self, mcp: MCPServer[Any], /, *, link: GuardLink, settlements: Settlements) -> None:
        self._mcp = mcp
        self._link = link
        self._settlements = settlements
        self._contents = Contents(link)
        self._classification = Classification(self._contents)
        self._listed: dict[str, Plain] = {}
        self._releaser = Releaser(link)
        self._registered: dict[str, tuple[Tool, Wrapper, GuardedMetadata]] = {}
        self._lifespan = self._low_level().lifespan
        self._guarded_lifespan = self._composed
        self._installed: dict[str, Any] = {}

    def install(self) -> None:
        """Put middleware, lifespan and the three call doors in place. Raises Misconfigured for an SDK that differs."""
        if any(isinstance(each, GuardMiddleware) for each in self._mcp.middleware):
            raise Misconfigured(detail="this server is protected already")
        self._middleware = GuardMiddleware(self, self._releaser, self._classification, self._contents)
        self._mcp.middleware.insert(self._boundary() + 1, self._middleware)
        self._low_level().lifespan = self._guarded_lifespan
        for name, door in (
            ("call_tool", self._tool_door(self._mcp.call_tool)),
            ("read_resource", self._resource_door),
            ("get_prompt", self._prompt_door),
        ):
            # A nested call of the author's code runs no middleware, so the door itself asks (T-056).
            setattr(self._mcp, name, door)
            self._installed[name] = door
        self.verify()

    def register(
        self,
        handler: Handler,
        wrapper: Wrapper,
        /,
        *,
        spends: bool,
        output_schema: dict[str, Any] | None,
        like: Tool | None = None,
    ) -> None:
        """Register `wrapper` under the handler's name with the plain function's schema. `like` keeps the texts of a
        tool that it replaces. Raises Misconfigured for parameters that a guarded tool may not have."""
        annotations = _hints(spends=spends) if like is None or like.annotations is None else like.annotations
        try:
            self._mcp.add_tool(
                wrapper,
                name=handler.name,
                title=None if like is None else like.title,
                description=None if like is None else like.description,
                annotations=annotations,
                icons=None if like is None else like.icons,
                meta=None if like is None else like.meta,
                structured_output=False if spends else None,
            )
        except Exception as error:  # noqa: BLE001  # whatever the SDK dislikes, the tool is not guarded then
            refuse(f"the SDK does not take {handler.name!r} ({type(error).__name__})")
        try:
            tool = self.tool(handler.name)
            if tool is None or tool.fn is not wrapper or tool.context_kwarg != CONTEXT or not tool.is_async:
                refuse(f"the SDK did not register {handler.name!r} as given")
            check_parameters(tool.parameters, tool=handler.name, spends=spends)
            shape = tool.fn_metadata
            schema = output_schema if spends else shape.output_schema
            tool.fn_metadata = metadata = guarded(shape, strict=spends, output_schema=schema)
            if tool.output_schema != schema:
                refuse("the SDK keeps output schemas elsewhere")
        except BaseException:
            self._mcp.remove_tool(handler.name)
            raise
        self._registered[handler.name] = (tool, wrapper, metadata)
        self._classification.add_tool(handler.name)

    def serve(self, content: Content, plain: Plain, /) -> None:
        """Serve a resource or prompt, and list it with the texts of `plain`. Raises Misconfigured for a taken name."""
        if self.plain(content.record) is not None:
            refuse(f"{content.record!r} is registered already")
        shown = listed(plain, content.label)
        if isinstance(shown, Prompt):
            self._mcp.add_prompt(shown)
        elif isinstance(shown, Resource):
            self._mcp.add_resource(shown)
        else:
            self._mcp._resource_manager._templates[content.key] = shown  # noqa: SLF001  # no public way to it
        if self.plain(content.record) is not shown:
            refuse(f"the SDK did not register {content.record!r} as given")
        self._listed[content.record] = shown
        self._contents.add(content)

    def plain(self, record: str, /) -> Plain | None:
        """The SDK's record of a resource, a template or, as ``prompt:name``, a prompt."""
        if record.startswith(PROMPT_PREFIX):
            return self._mcp._prompt_manager.get_prompt(record.removeprefix(PROMPT_PREFIX))  # noqa: SLF001  # the same
        manager = self._mcp._resource_manager  # noqa: SLF001  # the same
        return manager._resources.get(record) or manager._templates.get(record)  # noqa: SLF001  # the same

    def withdraw_plain(self, record: str, /) -> Plain:
        """Take what is plainly registered out, to be served through the guard. Raises Misconfigured."""
        plain = self.plain(record)
        if plain is None or record in self._listed:
            refuse(f"there is no resource or prompt {record!r} to classify; register it first")
        if isinstance(plain, Prompt):
            self._mcp.remove_prompt(plain.name)
        else:
            manager = self._mcp._resource_manager  # noqa: SLF001  # no public way to it
            registered: dict[str, Any] = manager._resources if isinstance(plain, Resource) else manager._templates  # noqa: SLF001
            del registered[record]
        return plain

    def prompt_names(self) -> list[str]:
        """All prompts that the server has, served or not."""
        return [prompt.name for prompt in self._mcp._prompt_manager.list_prompts()]  # noqa: SLF001  # no public way

    def shape(self, name: str, /) -> GuardedMetadata:
        """The metadata of a registered tool."""
        return self._registered[name][2]

    def withdraw(self, name: str, /) -> Tool:
        """Take a plainly registered tool out, to be registered again through the guard."""
        tool = self.tool(name)
        if tool is None:
            refuse(f"there is no tool {name!r} to classify")
        self._mcp.remove_tool(name)
        return tool

    def tool(self, name: str, /) -> Tool | None:
        """The SDK's record of a tool."""
        return self._mcp._tool_manager.get_tool(name)  # noqa: SLF001  # no public way to it

    def names(self) -> list[str]:
        """All tools that the server has, classified or not."""
        return [tool.name for tool in self._mcp._tool_manager.list_tools()]  # noqa: SLF001  # the public one is async

    def is_ours(self, name: str, /) -> bool:
        """Whether the tool of this name is still the one that was registered through the guard (T-107)."""
        entry = self._registered.get(name)
        if entry is None:
            return False
        tool, wrapper, metadata = entry
        return self.tool(name) is tool and tool.fn is wrapper and tool.fn_metadata is metadata

    def verify(self) -> None:
        """Raises Misconfigured unless every part of the guard is where it was put."""
        boundary = self._boundary()
        ours = [place for place, each in enumerate(self._mcp.middleware) if isinstance(each, GuardMiddleware)]
        if ours != [boundary + 1] or self._mcp.middleware[ours[0]] is not self._middleware:
            raise Misconfigured(detail="the guard's middleware is not the outermost of this server's")
        if self._low_level().lifespan is not self._guarded_lifespan:
            raise Misconfigured(detail="the server's lifespan was replaced")
        if any(vars(self._mcp).get(name) is not door for name, door in self._installed.items()):
            raise Misconfigured(detail="a call door of the server was replaced")
        for name in self._registered:
            if not self.is_ours(name):
                raise Misconfigured("misconfigured.tool", detail=f"the guarded tool {name!r} was replaced")
        for record, shown in self._listed.items():
            if self.plain(record) is not shown:
                raise Misconfigured("misconfigured.tool", detail=f"what is listed as {record!r} was replaced")

    def handles(self, method: str, /) -> bool:
        """Whether the server has a handler for `method`."""
        return self._low_level().get_request_handler(method) is not None

    @asynccontextmanager
    async def _composed(self, server: Any) -> AsyncIterator[Any]:
        self.verify()
        await probe()
        for name in self.names():
            if not self._classification.knows_tool(name):
                logger.warning("the tool %r is not classified, so it is not served", name)
        for record in self._records():
            if record not in self._listed:
                logger.warning("%r is not classified, so it is not served", record)
        with clean_records(lambda: self._link.known):
            async with self._link.in_use(), self._lifespan(server) as state, self._settlements.watching():
                yield state

    def _low_level(self) -> Any:
        server = getattr(self._mcp, "_lowlevel_server", None)
        if not callable(getattr(server, "lifespan", None)) or getattr(server, "middleware", None) is None:
            raise Misconfigured(detail="this version of the mcp package is not known to the guard")
        return server

    def _boundary(self) -> int:
        places = [i for i, each in enumerate(self._mcp.middleware) if isinstance(each, RequestStateBoundary)]
        if len(places) != 1 or self._mcp.middleware is not self._low_level().middleware:
            raise Misconfigured(detail="the mcp package does not seal request states as the guard expects")
        return places[0]

    def _records(self) -> list[str]:
        manager = self._mcp._resource_manager  # noqa: SLF001  # the public lists are async
        prompts = [f"{PROMPT_PREFIX}{name}" for name in self.prompt_names()]
        return [*manager._resources, *manager._templates, *prompts]  # noqa: SLF001  # the same

    def _tool_door(self, inner: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def door(name: Any, *args: Any, **kwargs: Any) -> Any:
            if not self._classification.knows_tool(str(name)) or not self.is_ours(str(name)):
                raise ToolError(CATALOGUE["unclassified"])
            return await inner(name, *args, **kwargs)

        return door

    async def _resource_door(self, uri: Any, context: Context[Any, Any] | None = None) -> Any:
        if self._contents.resource_at(str(uri)) is None:
            raise ResourceError(CATALOGUE["unclassified"])
        return await self._contents.read(str(uri), context or Context(mcp_server=self._mcp))

    async def _prompt_door(
        self, name: str, arguments: dict[str, Any] | None = None, context: Context[Any, Any] | None = None
    ) -> Any:
        if name not in self._contents.prompts:
            raise ValueError(CATALOGUE["unclassified"])
        return await self._contents.render(name, arguments, context or Context(mcp_server=self._mcp))


@final
class GuardMiddleware:
    """Around every message: default deny, filter, errors in fixed words. Raises nothing but MCPError."""

    def __init__(
        self, adapter: ServerAdapter, releaser: Releaser, classification: Classification, contents: Contents, /
    ) -> None:
        self._adapter = adapter
        self._releaser = releaser
        self._classification = classification
        self._contents = contents

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        failure: MCPError
        with Noting() as noted:
            try:
                self._releaser.guard_session(ctx.session)
                if ctx.request_id is None:
                    return await call_next(ctx)
                about = self._admit(ctx)
                if about is not None and ctx.method == "completion/complete":
                    await self._contents.admit(about)
                wire = _wire(await call_next(ctx))
                wire = self._classification.listed(wire, method=ctx.method)
                wire = kept_private(wire, method=ctx.method, label=about and about.label)
                return await self._releaser.result(wire, noted, method=ctx.method, version=ctx.protocol_version)
            except Exception as error:  # noqa: BLE001  # everything is turned into fixed words
                failure = self._releaser.error(error, method=ctx.method)
                await self._releaser.unreleased(noted.take_reads(), "failed")
        # Outside the except block: no traceback or trace of the original error travels with this one.
        raise failure

    def _admit(self, ctx: ServerRequestContext[Any, Any]) -> Content | None:
        """The resource or prompt that the request is about. Raises Refused for what is not served."""
        if ctx.request is not None:
            # Over HTTP anybody who reaches the port would be the local owner: principals and roles come first (T-111).
            raise Refused("not_authorized")
        params = ctx.params or {}
        if ctx.method.endswith("/list"):
            self._adapter.verify()
        if ctx.method == "tools/call":
            name = str(params.get("name"))
            allowed = self._classification.knows_tool(name) and self._adapter.is_ours(name)
        else:
            allowed = self._classification.admits(ctx.method, params, handled=self._adapter.handles(ctx.method))
        if not allowed:
            raise Refused("unclassified")
        return self._classification.content_of(ctx.method, params)


async def probe() -> None:
    """Register and call a tool of our own on the SDK's classes, without a server.

    Raises Misconfigured when the SDK does not call a tool the way that the guard depends on.
    """
    seen: list[Call] = []

    async def echo(**keywords: Any) -> CallToolResult:
        seen.append(keywords[CALL])
        return CallToolResult(content=[], structured_content={"ok": True})

    def plain(text: str) -> str:
        return text

    handler = inspect_handler(plain, name="probe")
    echo.__name__ = "probe"
    echo.__annotations__ = {"text": str, CONTEXT: Context}
    echo.__signature__ = _probe_signature(handler)  # type: ignore[attr-defined]
    tool = Tool.from_function(echo, name="probe", structured_output=False)
    tool.fn_metadata = guarded(tool.fn_metadata, strict=True, output_schema={"type": "object"})
    good = await tool.run({"text": "a"}, Context(), convert_result=True)
    await tool.run({"text": "a", "more": 1}, Context(), convert_result=True)
    answered = isinstance(good, CallToolResult) and good.structured_content == {"ok": True}
    if not answered or len(seen) != 2 or seen[0].arguments != {"text": "a"} or seen[1].refusal is None:
        raise Misconfigured(detail="the mcp package calls tools in a way that the guard does not know")


def _probe_signature(handler: Handler) -> Any:
    context = inspect.Parameter(CONTEXT, inspect.Parameter.KEYWORD_ONLY, annotation=Context)
    return inspect.Signature([*handler.parameters, context])


def _wire(result: HandlerResult) -> dict[str, Any]:
    if type(result) is dict:
        return result
    if result is None:
        return {}
    if isinstance(result, BaseModel):
        return result.model_dump(by_alias=True, mode="json", exclude_none=True)
    return dict(result)


def _hints(*, spends: bool) -> ToolAnnotations:
    if spends:
        return ToolAnnotations(read_only_hint=False, destructive_hint=True, open_world_hint=True)
    return ToolAnnotations(read_only_hint=True)
