"""What an author of a wallet server uses: `protect(mcp, port)`, then ``@wallet.spends``, ``@wallet.acts`` and
``@wallet.reads``.

Each verb wraps *and* registers, so that the order of decorators cannot expose a naked function. Nothing here approves.
Threat: T-001, T-005, T-056, T-107.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Generic, ParamSpec, TypeVar, final, overload

from mcp.server.mcpserver import Context, MCPServer

from mcp_wallet_guard.exchange import HistoryEntry, WalletInfo
from mcp_wallet_guard.mcp.acts import Acts
from mcp_wallet_guard.mcp.answers import act_schema, output_schema
from mcp_wallet_guard.mcp.base import GuardPort
from mcp_wallet_guard.mcp.ceremonies import Ceremonies
from mcp_wallet_guard.mcp.contents import DEFAULT_MAX_BYTES
from mcp_wallet_guard.mcp.handlers import (
    Handler,
    check_distinct,
    check_returns_intent,
    check_returns_no_intent,
    inspect_handler,
    refuse,
)
from mcp_wallet_guard.mcp.labels import Label
from mcp_wallet_guard.mcp.link import GuardLink
from mcp_wallet_guard.mcp.listed import Plain, content_of, function_of, plain_prompt, plain_resource
from mcp_wallet_guard.mcp.rehearsal import rehearse
from mcp_wallet_guard.mcp.server_adapter import ServerAdapter
from mcp_wallet_guard.mcp.settlements import LoopTimer, OnSettled, Settlements, Timer, check_on_settled
from mcp_wallet_guard.mcp.tools import Tools
from mcp_wallet_guard.operations.intents import Intent
from mcp_wallet_guard.operations.values import Address

DEFAULT_WAIT_SECONDS: Final = 45.0

P = ParamSpec("P")
R = TypeVar("R")


@final
class GuardedTool(Generic[P]):
    """What a decorated name stands for. It is not callable: a guarded tool is called through MCP only."""

    __slots__ = ("name", "role")

    def __init__(self, *, name: str, role: str | None) -> None:
        self.name: Final = name
        self.role: Final = role

    def __repr__(self) -> str:
        return f"<GuardedTool {self.name}>"


@final
class GuardedContent:
    """What a decorated resource or prompt stands for. It is read through MCP only. `name` is its URI, template or
    prompt name."""

    __slots__ = ("label", "name")

    def __init__(self, *, name: str, label: Label) -> None:
        self.name: Final = name
        self.label: Final = label

    def __repr__(self) -> str:
        return f"<GuardedContent {self.name}>"


def protect(
    mcp: MCPServer[Any],
    port: GuardPort | Callable[[], Awaitable[GuardPort]],
    /,
    *,
    reads: Sequence[str] = (),
    wait_seconds: float = DEFAULT_WAIT_SECONDS,
    timer: Timer | None = None,
) -> Protection:
    """Put `mcp` behind the guard that `port` is, or that calling it connects to.

    From here on every result, error and message of the server is filtered, and whatever is not classified is not
    served. `reads` classifies what is registered already and only reads: tools by name, resources by URI or URI
    template, prompts as ``prompt:name``. These resources and prompts are private. `wait_seconds` (at most 50) is how
    long a call waits for a person who opened the page. A factory that raises leaves the server up; its tools then
    answer with the reason. `timer` is the clock by which `on_settled` handlers wait.
    Raises Misconfigured for a server that is protected already, an unknown name, or an SDK that differs.
    """
    return Protection(mcp, port, reads=reads, wait_seconds=wait_seconds, timer=timer)


@final
class Protection:
    """The guard of one server. Made by `protect`."""

    def __init__(
        self,
        mcp: MCPServer[Any],
        port: GuardPort | Callable[[], Awaitable[GuardPort]],
        /,
        *,
        reads: Sequence[str],
        wait_seconds: float,
        timer: Timer | None,
    ) -> None:
        self._mcp: Final = mcp
        self._link: Final = GuardLink(port)
        self._spending: Final[dict[str, tuple[GuardedTool[Any], Handler]]] = {}
        self._settlements: Final = Settlements(self._link, timer or LoopTimer())
        ceremonies = Ceremonies(self._link, self._settlements, wait_seconds=wait_seconds)
        self._tools: Final = Tools(self._link, ceremonies, Acts(self._link, wait_seconds=wait_seconds))
        self._adapter: Final = ServerAdapter(mcp, link=self._link, settlements=self._settlements)
        self._adapter.install()
        for name in reads:
            if ":" in name:
                self._classify_content(name)
            else:
                self._classify_read(name)

    @overload
    def spends(self, handler: Callable[P, Intent | Awaitable[Intent]], /) -> GuardedTool[P]: ...

    @overload
    def spends(
        self, /, *, role: str | None = None, name: str | None = None, on_settled: OnSettled | None = None
    ) -> Callable[[Callable[P, Intent | Awaitable[Intent]]], GuardedTool[P]]: ...

    def spends(
        self,
        handler: Callable[..., Any] | None = None,
        /,
        *,
        role: str | None = None,
        name: str | None = None,
        on_settled: OnSettled | None = None,
    ) -> Any:
        """Register a tool that returns an intent; the guard freezes it, asks its owner and signs.

        The tool's answer is `Done`, `Pending` or `RefusedAnswer`. `role` is recorded; over stdio the one principal is
        the local owner, who has every role.

        `on_settled` is called with a `Settled`, once for each operation that this process proposed through the tool and
        that has an end: mined, reverted, replaced, burned, or refused (declined and expired too). It runs while the
        server does, in a task beside all calls (a plain function in a thread), and alters nothing: what it returns is
        dropped, what it raises is logged. Nothing of it is stored: after a restart it is not called for operations of
        before, and at most 256 are watched at a time.

        Raises Misconfigured("misconfigured.tool"); the detail says why.
        """

        def register(function: Callable[..., Any]) -> GuardedTool[Any]:
            inspected = inspect_handler(function, name=name)
            check_returns_intent(inspected)
            check_distinct(inspected.name, taken=self._adapter.names())
            wrapper = self._tools.spending(inspected)
            if on_settled is not None:
                check_on_settled(on_settled, tool=inspected.name)
            self._adapter.register(inspected, wrapper, spends=True, output_schema=output_schema())
            tool: GuardedTool[Any] = GuardedTool(name=inspected.name, role=role)
            self._spending[inspected.name] = (tool, inspected)
            if on_settled is not None:
                self._settlements.add(inspected.name, on_settled)
            return tool

        return register if handler is None else register(handler)

    @overload
    def acts(self, handler: Callable[P, R], /) -> GuardedTool[P]: ...

    @overload
    def acts(
        self, /, *, role: str | None = None, name: str | None = None
    ) -> Callable[[Callable[P, R]], GuardedTool[P]]: ...

    def acts(
        self, handler: Callable[..., Any] | None = None, /, *, role: str | None = None, name: str | None = None
    ) -> Any:
        """Register a tool that does something itself which the guard does not sign: an order at an exchange, say.

        The guard sees the request, not its effect. The tool's name and its validated arguments, in canonical form, are
        what the owner reads and approves; then the body runs with exactly these, at most once. Policy must name the
        tool (`[[policy.actions]]`). The answer is `Acted`, `Pending` or `RefusedAnswer`; what the body returns is
        filtered and stands in `Acted.result`. A call equal to one that ran within ten minutes gets its outcome again
        and runs nothing: for a deliberate second one, give the tool a parameter such as a reference.

        A body that raises is `failed`, one that was cancelled or lost is `unknown`: it may have had its effect.
        Raises Misconfigured("misconfigured.tool"); the detail says why.
        """

        def register(function: Callable[..., Any]) -> GuardedTool[Any]:
            inspected = inspect_handler(function, name=name)
            check_returns_no_intent(inspected)
            check_distinct(inspected.name, taken=self._adapter.names())
            wrapper = self._tools.acting(inspected)
            self._adapter.register(inspected, wrapper, spends=True, output_schema=act_schema())
            return GuardedTool(name=inspected.name, role=role)

        return register if handler is None else register(handler)

    @overload
    def reads(self, handler: Callable[P, R], /) -> GuardedTool[P]: ...

    @overload
    def reads(self, /, *, name: str | None = None) -> Callable[[Callable[P, R]], GuardedTool[P]]: ...

    def reads(self, handler: Callable[..., Any] | None = None, /, *, name: str | None = None) -> Any:
        """Register a tool that changes nothing. Its results are filtered and each call is journalled."""

        def register(function: Callable[..., Any]) -> GuardedTool[Any]:
            return self._register_read(function, name=name, like=None)

        return register if handler is None else register(handler)

    @overload
    async def intent_of(self, tool: GuardedTool[P], /, *args: P.args, **arguments: P.kwargs) -> Intent: ...

    @overload
    async def intent_of(self, tool: str, /, **arguments: Any) -> Intent: ...

    async def intent_of(self, tool: GuardedTool[Any] | str, /, *args: Any, **arguments: Any) -> Intent:
        """The intent that a call of the spending tool proposes, for the unit tests of its author.

        `tool` is the decorated name, whose arguments type checkers know, or the tool's name, for arguments as JSON
        has them. Either way both are taken: ``to=Address(...)`` and ``to="0x..."``. They are validated as a call's
        are and the handler's body runs; a handler with a Context gets one that has no client, unless one is given.
        Nothing else happens: no guard and no client is needed, nothing is asked, recorded or signed.

        Raises InvalidInput as a call is refused, Misconfigured for a tool that does not spend or that returns another
        intent than it is annotated with, and whatever the handler raises.
        """
        registered, handler = self._spending.get(tool if isinstance(tool, str) else tool.name, (None, None))
        if handler is None or (registered is not tool and not isinstance(tool, str)):
            refuse("that is no tool of this server that spends")
        context: Context[Any, Any] = Context(mcp_server=self._mcp)
        return await rehearse(handler, self._adapter.shape(handler.name), args, arguments, context=context)

    def resource(
        self,
        uri: str,
        /,
        *,
        label: Label,
        max_bytes: int = DEFAULT_MAX_BYTES,
        name: str | None = None,
        title: str | None = None,
        description: str | None = None,
        mime_type: str | None = None,
    ) -> Callable[[Callable[P, R]], GuardedContent]:
        """Register a resource, or with variables in `uri` a template, whose handler changes nothing.

        A "private" one is refused while the vault is locked and the settings refuse reads then; a "public" one is
        served. The handler's parameters are the variables of the template: each arrives as text, once decoded, and is
        what its annotation says (an address, a hash, an integer, a Literal, a text), or the read is refused. More than
        `max_bytes` are not served. Each read is filtered and journalled, under `uri` and without its values.
        Raises Misconfigured("misconfigured.tool"); the detail says why.
        """

        def register(function: Callable[..., Any]) -> GuardedContent:
            shown = plain_resource(uri, function, name=name, title=title, description=description, mime_type=mime_type)
            return self._serve(shown, function, label=label, max_bytes=max_bytes)

        return register

    def prompt(
        self,
        *,
        label: Label,
        max_bytes: int = DEFAULT_MAX_BYTES,
        name: str | None = None,
        title: str | None = None,
        description: str | None = None,
    ) -> Callable[[Callable[P, R]], GuardedContent]:
        """Register a prompt, whose handler changes nothing. Its arguments are what their annotations say, as those of
        `resource`, and so are `label`, `max_bytes` (of the messages as JSON) and what is raised."""

        def register(function: Callable[..., Any]) -> GuardedContent:
            shown = plain_prompt(function, name=name, title=title, description=description)
            check_distinct(shown.name, taken=self._adapter.prompt_names())
            return self._serve(shown, function, label=label, max_bytes=max_bytes)

        return register

    def verify(self) -> None:
        """Raises Misconfigured unless every part of the guard is in place. Runs at start and at each tools/list."""
        self._adapter.verify()

    async def info(self) -> WalletInfo:
        """Public facts about the wallet. Raises GuardError when the guard cannot be reached."""
        async with self._link.port() as port:
            return await port.info()

    async def balance(self, address: Address | None = None, *, token: str | None = None) -> str:
        """What `address`, or the wallet's account, holds, as decimal text: wei, or with `token` the smallest units of
        the pinned token with this symbol or address. Raises GuardError."""
        async with self._link.port() as port:
            return await port.balance(None if address is None else address.value, token=token)

    async def history(self, last: int = 20) -> tuple[HistoryEntry, ...]:
        """What the wallet paid lately, the newest first: at most `last` (1 to 100) payments that the guard signed and
        sent. Raises GuardError."""
        async with self._link.port() as port:
            return await port.history(last)

    def _classify_read(self, name: str) -> None:
        tool = self._adapter.tool(name)
        if tool is None:
            refuse(f"there is no tool {name!r} to classify; register it first, or use @wallet.reads")
        self._register_read(tool.fn, name=name, like=self._adapter.withdraw(name))

    def _classify_content(self, record: str) -> None:
        plain = self._adapter.withdraw_plain(record)
        self._serve(plain, function_of(plain), label="private", max_bytes=DEFAULT_MAX_BYTES)

    def _serve(self, plain: Plain, function: Callable[..., Any], *, label: str, max_bytes: int) -> GuardedContent:
        content = content_of(plain, function, label=label, max_bytes=max_bytes)
        self._adapter.serve(content, plain)
        return GuardedContent(name=content.key, label=content.label)

    def _register_read(self, function: Callable[..., Any], *, name: str | None, like: Any) -> GuardedTool[Any]:
        inspected = inspect_handler(function, name=name)
        check_distinct(inspected.name, taken=self._adapter.names())
        wrapper = self._tools.reading(inspected, lambda: self._adapter.shape(inspected.name).shape)
        self._adapter.register(inspected, wrapper, spends=False, output_schema=None, like=like)
        return GuardedTool(name=inspected.name, role=None)
