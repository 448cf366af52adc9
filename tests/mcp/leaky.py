"""A server all of whose handlers leak what is planted, each at another place of the protocol."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

from mcp import MCPError
from mcp.server.extension import Extension
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ToolError
from mcp_types import CallToolResult, Completion, TextContent
from pydantic import BaseModel, field_validator

from mcp_wallet_guard import Address, Amount, Transfer
from mcp_wallet_guard.mcp.protection import Protection, protect
from tests.mcp.ports import MemoryGuard

RESULTS = ("structured", "text", "notifies", "asks", "logs")
ERRORS = ("crash", "chained", "group", "tool_error", "mcp_error", "invalid_params", "bad_return", "own_validation")
RESOURCES = ("content", "raw", "crash", "refused", "t/a")
PROMPTS = ("content_prompt", "crash_prompt")
GUARDED_RESOURCES = ("guarded", "guarded_raw", "guarded_crash", "guarded_refused", "guarded_of/a", "guarded_number/a")
GUARDED_PROMPTS = ("guarded_prompt", "guarded_crash_prompt", "guarded_missing_prompt")
"""The same, registered through the guard."""
DETOURS = ("middleware crash", "interceptor crash", "interceptor result")
"""Where a tool call leaks before or instead of its tool."""


class Strict(BaseModel):
    text: str

    @field_validator("text")
    @classmethod
    def never(cls, value: str) -> str:
        raise ValueError(f"bad value {value}")


def leaky(guard: MemoryGuard) -> LeakyServer:
    """The server behind a guard in memory."""
    return LeakyServer(lambda mcp, reads: protect(mcp, guard, reads=reads, wait_seconds=0.1))


class Intercepting(Extension):
    """An extension that leaks what `server` has planted, when it is told to."""

    identifier = "io.example/intercepting"

    def __init__(self, server: LeakyServer) -> None:
        self._server = server

    async def intercept_tool_call(self, params: Any, ctx: Any, call_next: Any) -> Any:
        if self._server.takes("interceptor crash"):
            raise RuntimeError(self._server.text)
        if self._server.takes("interceptor result"):
            text = self._server.text
            return CallToolResult(content=[TextContent(text=text)], structured_content={"result": text})
        return await call_next(ctx)


class LeakyServer:
    """All handlers of `mcp` leak `planted`, and so does the way to the next tool call when it is told a `detour`.

    `protected` puts a server behind some guard, with what only reads among what is registered already.
    """

    def __init__(self, protected: Callable[[MCPServer[Any], list[str]], Protection], /) -> None:
        self.planted: Any = ""
        self.detour = ""
        self.mcp: MCPServer[Any] = MCPServer(
            "leaky", middleware=[self._middleware], extensions=[Intercepting(self)], instructions="Pay with care."
        )
        self._resources_and_prompts()
        reads = [f"wallet://{name}" for name in RESOURCES if name != "t/a"] + ["wallet://t/{name}"]
        self.wallet = protected(self.mcp, reads + [f"prompt:{name}" for name in PROMPTS])
        self._results()
        self._errors()
        self._aside()
        self._guarded()

    @property
    def text(self) -> str:
        return self.planted if isinstance(self.planted, str) else json.dumps(self.planted)

    def takes(self, detour: str) -> bool:
        """Whether it is this one's turn, once."""
        turn = self.detour == detour
        self.detour = "" if turn else self.detour
        return turn

    async def _middleware(self, ctx: Any, call_next: Any) -> Any:
        if ctx.method == "tools/call" and self.takes("middleware crash"):
            raise RuntimeError(self.text)
        return await call_next(ctx)

    def _results(self) -> None:
        @self.wallet.reads
        def structured() -> dict[str, Any]:
            return {"note": "ok", "x": self.planted}

        @self.wallet.reads
        async def text() -> str:
            return f"Here: {self.text}"

        @self.wallet.spends
        async def pay_crash(to: Address, amount: Amount) -> Transfer:
            raise RuntimeError(self.text)

        @self.wallet.spends
        def pay(to: Address, amount: Amount) -> Transfer:
            return Transfer(to=to, amount=amount)

    def _errors(self) -> None:
        @self.wallet.reads
        def crash() -> str:
            raise RuntimeError(self.text)

        @self.wallet.reads
        async def chained() -> str:
            try:
                raise RuntimeError(self.text)
            except RuntimeError as error:
                raise ValueError("outer") from error

        @self.wallet.reads
        def group() -> str:
            raise ExceptionGroup(self.text, [ValueError(self.text)])

        @self.wallet.reads
        def tool_error() -> str:
            raise ToolError(self.text)

        @self.wallet.reads
        def mcp_error() -> str:
            raise MCPError(code=-32000, message=self.text, data={"x": self.planted})

        @self.wallet.reads
        async def invalid_params() -> str:
            raise MCPError(code=-32602, message=self.text, data={"x": self.planted})

        @self.wallet.reads
        def bad_return() -> int:
            return self.text  # type: ignore[return-value]

        @self.wallet.reads
        def own_validation() -> str:
            return Strict(text=self.text).text

        @self.wallet.reads
        def echo(argument: Strict, number: int = 0) -> str:
            return "never"

    def _aside(self) -> None:
        @self.wallet.reads
        async def notifies(ctx: Context) -> str:
            await ctx.report_progress(1, 2, self.text)
            await ctx.info(self.planted)  # type: ignore[deprecated]
            await ctx.session.send_log_message("info", self.planted)
            await ctx.session.send_resource_updated("wallet://x?" + self.text)
            return "ok"

        @self.wallet.reads
        async def asks(ctx: Context) -> str:
            await ctx.session.elicit_url(self.text, "http://127.0.0.1/" + self.text, "id", related_request_id="1")
            return "ok"

        @self.wallet.reads
        def logs() -> str:
            log = logging.getLogger("author.wallet")
            log.warning("plain %s", self.text)
            log.warning(self.text)
            log.warning("extra", extra={"leak": self.planted})
            log.warning("args %r", {"deep": [self.planted]})
            try:
                raise RuntimeError(self.text)
            except RuntimeError:
                log.exception("traceback")
            return "ok"

    def _guarded(self) -> None:
        resource, prompt = self.wallet.resource, self.wallet.prompt

        def content() -> str:
            return self.text

        def raw(name: str = "") -> bytes:
            return json.dumps([name, self.planted]).encode()

        def crash() -> str:
            raise RuntimeError(self.text)

        def refused() -> str:
            raise ResourceError(self.text)

        def number(number: int) -> str:
            return f"{number}"

        resource("wallet://guarded", label="public", description="Leaks.")(content)
        resource("wallet://guarded_raw{?name}", label="public")(raw)
        resource("wallet://guarded_crash", label="private")(crash)
        resource("wallet://guarded_refused", label="private")(refused)
        resource("wallet://guarded_of/{name}", label="private")(raw)
        resource("wallet://guarded_number/{number}", label="public")(number)
        prompt(name="guarded_prompt", label="public")(content)
        prompt(name="guarded_crash_prompt", label="private")(crash)
        prompt(name="guarded_missing_prompt", label="private")(number)

    def _resources_and_prompts(self) -> None:
        @self.mcp.resource("wallet://content")
        def content() -> str:
            return json.dumps(self.planted)

        @self.mcp.resource("wallet://raw", mime_type="application/octet-stream")
        def raw() -> bytes:
            return json.dumps(self.planted).encode()

        @self.mcp.resource("wallet://crash")
        def resource_crash() -> str:
            raise RuntimeError(self.text)

        @self.mcp.resource("wallet://refused")
        def resource_refused() -> str:
            raise ResourceError(self.text)

        @self.mcp.resource("wallet://t/{name}")
        def template(name: str) -> str:
            raise RuntimeError(self.text)

        @self.mcp.prompt()
        def content_prompt() -> str:
            return self.text

        @self.mcp.prompt()
        def crash_prompt() -> str:
            raise RuntimeError(self.text)

        @self.mcp.completion()  # type: ignore[no-untyped-call,untyped-decorator]
        async def complete(ref: Any, argument: Any, context: Any) -> Completion:
            if argument.value == "crash":
                raise RuntimeError(self.text)
            return Completion(values=[self.text])
