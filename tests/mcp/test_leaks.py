"""A planted secret, at every source, in both eras: absent from all that the client receives and from every log.

The client here is a tap on the wire: each result, error and notification is kept as text before the SDK's client reads
it. Threat: T-057, T-058, T-060, T-061.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import quote

import anyio.lowlevel
import pytest
from mcp import Client, MCPError
from mcp_types import CallToolResult, ElicitResult

from mcp_wallet_guard.bip39 import words_for
from mcp_wallet_guard.exchange import Done, Pending, Proposal, RefusedAnswer
from tests.filters.encodings import ENCODINGS
from tests.mcp.leaky import DETOURS, ERRORS, GUARDED_PROMPTS, GUARDED_RESOURCES, RESULTS, LeakyServer, leaky
from tests.mcp.ports import PAYEE, MemoryGuard

pytestmark = [
    pytest.mark.anyio,
    # Deprecated ways to tell a client something are ways all the same.
    pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning"),
]

SECRET = bytes(range(7, 39))
PHRASE = " ".join(words_for(SECRET[::-1], language="english"))
ARGUMENTS = {"to": PAYEE, "amount": "0.1"}
MODES = ("auto", "legacy")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def _each_source(server: LeakyServer, client: Client) -> list[tuple[str, Callable[[], Any]]]:
    leak = server.text
    calls: list[tuple[str, Callable[[], Any]]] = [
        (name, partial(client.call_tool, name, {})) for name in RESULTS + ERRORS
    ]

    async def by_detour(name: str) -> Any:
        server.detour = name
        return await client.call_tool("text", {})

    ref: Any = {"type": "ref/prompt", "name": "content_prompt"}
    return [
        *calls,
        ("notifies", lambda: client.call_tool("notifies", {}, progress_callback=_progress)),
        ("spend crash", lambda: client.call_tool("pay_crash", ARGUMENTS)),
        ("argument echo", lambda: client.call_tool("echo", {"argument": {"text": leak}})),
        ("argument type echo", lambda: client.call_tool("echo", {"argument": {"text": "a"}, "number": leak})),
        ("missing argument echo", lambda: client.call_tool("echo", {"number": leak})),
        ("unknown argument echo", lambda: client.call_tool("pay", {**ARGUMENTS, leak: 1})),
        ("spend argument echo", lambda: client.call_tool("pay", {"to": leak, "amount": leak})),
        ("unknown tool", lambda: client.call_tool(leak, {})),
        ("unknown resource", lambda: client.read_resource("wallet://" + leak)),
        ("unknown prompt", lambda: client.get_prompt(leak)),
        ("resource content", lambda: client.read_resource("wallet://content")),
        ("resource bytes", lambda: client.read_resource("wallet://raw")),
        ("resource crash", lambda: client.read_resource("wallet://crash")),
        ("resource error", lambda: client.read_resource("wallet://refused")),
        ("template crash", lambda: client.read_resource("wallet://t/a")),
        ("prompt content", lambda: client.get_prompt("content_prompt")),
        ("prompt crash", lambda: client.get_prompt("crash_prompt")),
        *((name, partial(client.read_resource, f"wallet://{name}")) for name in GUARDED_RESOURCES),
        *((name, partial(client.get_prompt, name)) for name in GUARDED_PROMPTS),
        ("template echo", lambda: client.read_resource("wallet://guarded_number/" + quote(leak, safe=""))),
        ("query echo", lambda: client.read_resource("wallet://guarded_raw?other=" + quote(leak, safe=""))),
        ("raw URI echo", lambda: client.read_resource("wallet://guarded_of/" + leak)),
        ("prompt argument echo", lambda: client.get_prompt("guarded_missing_prompt", {"number": leak})),
        ("prompt argument name echo", lambda: client.get_prompt("guarded_missing_prompt", {leak: "1"})),
        ("completion", lambda: client.complete(ref, {"name": "a", "value": "b"})),
        ("completion crash", lambda: client.complete(ref, {"name": "a", "value": "crash"})),
        *((name, partial(by_detour, name)) for name in DETOURS),
    ]


_heard: list[str] = []


async def _progress(progress: float, total: float | None, message: str | None) -> None:
    _heard.append(f"progress {message}")


async def _hear(message: Any) -> None:
    _heard.append(repr(message))


async def _question(context: Any, params: Any) -> ElicitResult:
    _heard.append(repr(params))
    return ElicitResult(action="accept")


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    _heard.clear()
    yield
    _heard.clear()


async def collect(guard: MemoryGuard, mode: str, planted: object) -> dict[str, str]:
    """Source -> everything that its call brought to the client."""
    server = leaky(guard)
    server.planted = planted
    received: dict[str, str] = {}
    options: Any = {
        "mode": mode, "logging_callback": _hear, "message_handler": _hear, "elicitation_callback": _question,
        "log_level": "debug",
    }  # fmt: skip
    async with Client(server.mcp, **options) as client:
        await client.list_tools()
        for name, call in await _each_source(server, client):
            _heard.clear()
            try:
                result = await call()
                text = repr(result.model_dump(mode="json"))
            except MCPError as error:
                text = f"{error!r} {error.error.model_dump_json()}"
            await anyio.lowlevel.checkpoint()
            received[name] = received.get(name, "") + text + "\n".join(_heard)
    return received


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_a_planted_secret_reaches_neither_client_nor_log(
    encoding: str, mode: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    # In an exception a vault's secret is text, so each encoding is planted as itself and never repeated by a test id.
    planted = ENCODINGS[encoding](SECRET)
    received = await collect(MemoryGuard(secrets_=(SECRET, PHRASE.encode())), mode, planted)
    out, err = capfd.readouterr()
    records = "\n".join([caplog.text, *(repr(vars(record)) for record in caplog.records), out, err])
    needle = planted if isinstance(planted, str) else json.dumps(planted)
    for source, text in {**received, "log": records}.items():
        for form in (needle, json.dumps(needle)[1:-1], repr(needle)[1:-1], SECRET.hex()):
            assert form not in text, source
    assert out == ""


@pytest.mark.parametrize("mode", MODES)
async def test_honest_twins_pass_at_every_source(mode: str, caplog: pytest.LogCaptureFixture) -> None:
    """T-062: the same server with a transaction hash instead of a secret."""
    caplog.set_level(logging.DEBUG)
    twin = "0x" + "5c" * 32
    received = await collect(MemoryGuard(secrets_=(SECRET, PHRASE.encode())), mode, twin)
    for source in (
        "structured", "text", "resource content", "prompt content", "completion", "interceptor result", "guarded",
        "guarded_prompt",
    ):  # fmt: skip
        assert twin in received[source], source
    assert f"progress {twin}" in received["notifies"]
    assert received["notifies"].count(twin) >= 2
    assert (twin in received["asks"]) == (mode == "legacy")
    assert twin in caplog.text
    # Errors carry fixed words even when they are honest.
    for source in (
        "crash",
        "tool_error",
        "mcp_error",
        "argument echo",
        "resource crash",
        "prompt crash",
        "unknown tool",
        "unknown resource",
        "interceptor crash",
        "guarded_crash",
        "guarded_refused",
        "guarded_crash_prompt",
        "template echo",
        "prompt argument echo",
        "prompt argument name echo",
    ):
        assert twin not in received[source], source


@pytest.mark.parametrize("mode", MODES)
async def test_a_recovery_phrase_in_an_exception_stays_inside(mode: str, caplog: pytest.LogCaptureFixture) -> None:
    """What eth-account does with a mistyped phrase."""
    caplog.set_level(logging.DEBUG)
    words = PHRASE.split()
    planted = "Language not detected for word(s): " + " ".join(words[:11]) + " wrnog " + " ".join(words[11:])
    received = await collect(MemoryGuard(secrets_=(SECRET, PHRASE.encode())), mode, planted)
    for source, text in {**received, "log": caplog.text}.items():
        assert " ".join(words[:3]) not in text, source


@pytest.mark.parametrize("mode", MODES)
async def test_a_blocked_result_is_an_error_with_an_incident_and_without_structure(mode: str) -> None:
    guard = MemoryGuard(secrets_=(SECRET,))
    server = leaky(guard)
    server.planted = SECRET.hex()
    async with Client(server.mcp, mode=mode) as client:
        await client.list_tools()
        result = await client.call_tool("structured", {})
    assert result.is_error
    assert result.structured_content is None
    (record,) = guard.reads
    assert (record.outcome, record.code) == ("blocked", "tampered.result")
    assert record.incident is not None
    assert record.incident in result.model_dump_json()


@pytest.mark.parametrize("planted", [SECRET.hex(), "harmless"])
async def test_a_call_around_the_middleware_is_searched_and_journalled_by_its_wrapper(planted: str) -> None:
    """What another part of the same program calls passes no middleware; its result may leave all the same."""
    guard = MemoryGuard(secrets_=(SECRET,))
    server = leaky(guard)
    server.planted = planted
    result = await server.mcp.call_tool("structured", {})
    assert isinstance(result, CallToolResult)
    (record,) = guard.reads
    if planted == "harmless":
        assert (result.is_error, record.outcome, planted in result.model_dump_json()) == (False, "released", True)
    else:
        assert (result.is_error, record.outcome, record.code) == (True, "blocked", "tampered.result")
        assert planted not in result.model_dump_json()


@pytest.mark.parametrize("mode", MODES)
async def test_a_read_whose_request_fails_afterwards_is_journalled_as_failed(mode: str) -> None:
    guard = MemoryGuard(secrets_=(SECRET,))
    server = leaky(guard)
    server.planted = "harmless"

    async def crashing(ctx: Any, call_next: Any) -> Any:
        result = await call_next(ctx)
        if ctx.method == "tools/call":
            raise RuntimeError("after the tool")
        return result

    server.mcp.middleware.append(crashing)
    async with Client(server.mcp, mode=mode) as client:
        with pytest.raises(MCPError):
            await client.call_tool("structured", {})
    (record,) = guard.reads
    assert (record.tool, record.outcome, record.code) == ("structured", "failed", None)


class Leaky(MemoryGuard):
    """A guard whose receipt holds a secret: the payment happened, so its outcome must stay."""

    async def propose(self, proposal: Proposal, /, *, wait_seconds: float) -> Done | Pending | RefusedAnswer:
        answer = await super().propose(proposal, wait_seconds=wait_seconds)
        return answer.model_copy(update={"message": SECRET.hex()})


@pytest.mark.parametrize("mode", MODES)
async def test_after_a_signature_a_hit_hides_the_receipt_and_not_the_payment(mode: str) -> None:
    guard = Leaky(secrets_=(SECRET,))
    server = leaky(guard)
    server.planted = SECRET.hex()
    async with Client(server.mcp, mode=mode) as client:
        pending = await client.call_tool("pay", ARGUMENTS)
        assert pending.structured_content is not None
        assert pending.structured_content["code"] == "tampered.result"
        guard.approve(guard.only())
        done = await client.call_tool("pay", ARGUMENTS)
    assert done.structured_content is not None
    assert not done.is_error
    assert (done.structured_content["status"], done.structured_content["outcome"]) == ("done", "mined")
    assert done.structured_content["incident"]
    assert done.structured_content["receipt"] is None
    assert SECRET.hex() not in done.model_dump_json()
    assert len(guard.paid) == 1


@pytest.mark.parametrize("mode", MODES)
async def test_a_secret_in_an_argument_is_named_and_not_recorded(mode: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    guard = MemoryGuard(secrets_=(SECRET,))
    async with Client(leaky(guard).mcp, mode=mode) as client:
        result = await client.call_tool("pay", {**ARGUMENTS, "amount": SECRET.hex()})
    assert result.structured_content is not None
    assert result.structured_content["code"] == "invalid_input.secret"
    assert SECRET.hex() not in caplog.text + repr(guard.proposals) + repr(guard.reads)


@pytest.mark.parametrize("mode", MODES)
async def test_a_blocked_resource_names_the_incident_that_the_log_has(
    mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    server = leaky(MemoryGuard(secrets_=(SECRET,)))
    server.planted = SECRET.hex()
    async with Client(server.mcp, mode=mode) as client:
        with pytest.raises(MCPError) as caught:
            await client.read_resource("wallet://content")
    found = re.search(r"incident ([0-9a-f]+)", str(caught.value))
    assert found is not None
    assert len(set(re.findall(r"incident ([0-9a-f]+)", str(caught.value) + caplog.text))) == 1
    assert "resources/read was withheld" in caplog.text


@pytest.mark.parametrize("mode", MODES)
async def test_without_a_guard_content_stays_and_lists_do_not(mode: str) -> None:
    guard = MemoryGuard(secrets_=(SECRET,))
    guard.broken = True
    server = leaky(guard)
    server.planted = "harmless"
    async with Client(server.mcp, mode=mode) as client:
        assert (await client.list_tools()).tools
        for refused in (client.read_resource("wallet://content"), client.get_prompt("content_prompt")):
            with pytest.raises(MCPError):
                await refused


async def test_records_are_left_alone_when_the_server_is_gone() -> None:
    before = logging.getLogRecordFactory()
    async with Client(leaky(MemoryGuard(secrets_=(SECRET,))).mcp):
        assert logging.getLogRecordFactory() is not before
    assert logging.getLogRecordFactory() is before
