"""A server all of whose handlers leak, each at another place."""

from __future__ import annotations

import json
import logging
from typing import Any

from mcp import MCPError
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ToolError
from mcp_types import Completion
from pydantic import BaseModel, field_validator

from mcp_wallet_guard.mcp.protection import protect
from mcp_wallet_guard.operations.intents import Transfer
from mcp_wallet_guard.operations.values import Address, Amount
from tests.mcp.ports import MemoryGuard


class Strict(BaseModel):
    text: str

    @field_validator("text")
    @classmethod
    def never(cls, value: str) -> str:
        raise ValueError(f"bad value {value}")


class LeakyServer:
    """A server all of whose handlers leak `self.planted`."""

    def __init__(self, guard: MemoryGuard) -> None:
        self.planted: Any = ""
        self.mcp = MCPServer("leaky", middleware=[self.middleware], instructions="Pay with care.")
        self.in_middleware = False

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

        self.wallet = protect(
            self.mcp,
            guard,
            wait_seconds=0.1,
            reads=[
                "wallet://content", "wallet://raw", "wallet://crash", "wallet://refused", "wallet://t/{name}",
                "prompt:content_prompt", "prompt:crash_prompt",
            ],
        )  # fmt: skip
        self._leaking_results()
        self._leaking_errors()
        self._leaking_aside()

    @property
    def text(self) -> str:
        return self.planted if isinstance(self.planted, str) else json.dumps(self.planted)

    async def middleware(self, ctx: Any, call_next: Any) -> Any:
        if self.in_middleware and ctx.method == "tools/call":
            raise RuntimeError(self.text)
        return await call_next(ctx)

    def _leaking_results(self) -> None:
        wallet = self.wallet

        @wallet.reads
        def structured() -> dict[str, Any]:
            return {"note": "ok", "x": self.planted}

        @wallet.reads
        async def text() -> str:
            return f"Here: {self.text}"

        @wallet.reads
        def bad_return() -> int:
            return self.text  # type: ignore[return-value]

        @wallet.spends
        def pay(to: Address, amount: Amount) -> Transfer:
            return Transfer(to=to, amount=amount)

    def _leaking_errors(self) -> None:
        wallet = self.wallet

        @wallet.reads
        def crash() -> str:
            raise RuntimeError(self.text)

        @wallet.reads
        async def crash_chained() -> str:
            try:
                raise RuntimeError(self.text)
            except RuntimeError:
                raise ValueError("outer") from None

        @wallet.reads
        def tool_error() -> str:
            raise ToolError(self.text)

        @wallet.reads
        def mcp_error() -> str:
            raise MCPError(code=-32000, message=self.text, data={"x": self.planted})

        @wallet.reads
        def invalid_params() -> str:
            raise MCPError(code=-32602, message=self.text, data={"x": self.planted})

        @wallet.spends
        async def pay_crash(to: Address, amount: Amount) -> Transfer:
            raise RuntimeError(self.text)

        @wallet.reads
        def group() -> str:
            raise ExceptionGroup(self.text, [ValueError(self.text)])

        @wallet.reads
        def echo(argument: Strict, number: int = 0) -> str:
            return "never"

    def _leaking_aside(self) -> None:
        wallet = self.wallet

        @wallet.reads
        async def notifies(ctx: Context) -> str:
            await ctx.report_progress(1, 2, self.text)
            await ctx.info(self.planted)  # type: ignore[deprecated]
            await ctx.session.send_log_message("info", self.planted)
            await ctx.session.send_resource_updated("wallet://x?" + self.text)
            return "ok"

        @wallet.reads
        async def asks(ctx: Context) -> str:
            await ctx.session.elicit_url(self.text, "http://127.0.0.1/" + self.text, "id", related_request_id="1")
            return "ok"

        @wallet.reads
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
