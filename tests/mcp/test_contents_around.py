"""Resources and prompts that were registered around the guard, before it or after it. Threat: T-056, T-107."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ResourceError
from mcp.server.mcpserver.prompts.base import Prompt
from mcp.server.mcpserver.resources import FileResource, ResourceManager, TextResource

from mcp_wallet_guard.errors import Misconfigured
from mcp_wallet_guard.mcp.labels import KEY
from mcp_wallet_guard.mcp.protection import protect
from mcp_wallet_guard.operations.values import Address
from tests.mcp.ledger import Ledger, refusal
from tests.mcp.ports import PAYEE, MemoryGuard

pytestmark = pytest.mark.anyio
ERAS = ("auto", "legacy")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("mode", ERAS)
async def test_what_was_registered_plainly_is_private_once_it_is_named(mode: str, tmp_path: Path) -> None:
    mcp, guard = MCPServer("ledger"), MemoryGuard()
    (tmp_path / "notes").write_text("a note", encoding="utf-8")
    mcp.add_resource(TextResource(uri="wallet://text", text="a text", title="Text", meta={KEY: "public", "own": 1}))
    mcp.add_resource(FileResource(uri="wallet://file", path=tmp_path / "notes"))

    @mcp.resource("wallet://of/{address}{?days}")
    def of(address: Address, days: int = 1) -> str:
        return f"{type(address).__name__} {days}"

    @mcp.prompt(title="Review")
    def review(days: int) -> str:
        return f"{days + 1}"

    protect(mcp, guard, reads=["wallet://text", "wallet://file", "wallet://of/{address}{?days}", "prompt:review"])
    async with Client(mcp, mode=mode) as client:
        (text, file) = (await client.list_resources()).resources
        assert (text.title, text.meta, file.meta) == ("Text", {KEY: "private", "own": 1}, {KEY: "private"})
        for uri, said in (
            ("wallet://text", "a text"),
            ("wallet://file", "a note"),
            (f"wallet://of/{PAYEE}?days=3", "Address 3"),
        ):
            (content,) = (await client.read_resource(uri)).contents
            assert content.model_dump()["text"] == said
        assert (await client.get_prompt("review", {"days": "6"})).messages[0].model_dump()["content"]["text"] == "7"
        assert await refusal(client.read_resource("wallet://of/0x12")) == "invalid_input.address"
        guard.locked = True
        for refused in (client.read_resource("wallet://text"), client.get_prompt("review", {"days": "6"})):
            assert await refusal(refused) == "locked"


@pytest.mark.parametrize("mode", ERAS)
async def test_what_was_registered_around_the_guard_answers_for_no_guarded_uri(mode: str) -> None:
    """T-056, T-107: the SDK looks templates up in the order of their registration; the guard has its own."""
    mcp = MCPServer("ledger")
    ran: list[str] = []

    @mcp.resource("wallet://{+everything}")
    def everything(everything: str) -> str:
        ran.append(everything)
        return "around"

    async with Client(mcp, mode=mode) as client:
        assert (await client.read_resource("wallet://help/fees")).contents
    assert ran.pop() == "help/fees"

    wallet = protect(mcp, MemoryGuard())
    wallet.resource("wallet://help/{topic}", label="public")(topical)
    wallet.resource("wallet://static", label="private")(constant)
    async with Client(mcp, mode=mode) as client:
        mcp.add_resource(TextResource(uri="wallet://help/late", text="around"))
        for uri, said in (("help/fees", "fees"), ("help/late", "late"), ("static", "x")):
            (content,) = (await client.read_resource(f"wallet://{uri}")).contents
            assert content.model_dump()["text"] == said
        assert await refusal(client.read_resource("wallet://other")) == "unclassified"
        assert [each.uri for each in (await client.list_resources()).resources] == ["wallet://static"]
        mcp._resource_manager._resources["wallet://static"] = TextResource(uri="wallet://static", text="around")
        (content,) = (await client.read_resource("wallet://static")).contents
        assert content.model_dump()["text"] == "x"
        assert await refusal(client.list_resources()) == "misconfigured.tool"
    assert ran == []
    with pytest.raises(Misconfigured):
        wallet.verify()


async def test_a_server_says_at_its_start_what_it_does_not_serve(caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger()
    ledger.mcp.add_resource(TextResource(uri="wallet://plain", text="x"))
    ledger.mcp.resource("wallet://late/{topic}")(topical)
    ledger.mcp.add_prompt(Prompt.from_function(constant, name="plain"))
    async with Client(ledger.mcp):
        pass
    for name in ("wallet://plain", "wallet://late/{topic}", "prompt:plain"):
        assert f"{name!r} is not classified" in caplog.text
    assert "wallet://holdings" not in caplog.text


async def test_the_objects_that_the_sdk_lists_read_nothing() -> None:
    ledger = Ledger()
    manager = ledger.mcp._resource_manager
    for uri in ("wallet://holdings", f"wallet://of/{PAYEE}"):
        with pytest.raises((Misconfigured, ResourceError)):
            await _read_listed(manager, uri)
    prompt = ledger.mcp._prompt_manager.get_prompt("review")
    assert prompt is not None
    with pytest.raises(ValueError, match="Error rendering"):
        await prompt.render({"address": PAYEE}, Context())
    assert ledger.ran == []


def test_a_name_is_taken_once() -> None:
    mcp = MCPServer("ledger")
    mcp.add_resource(TextResource(uri="wallet://text", text="a text"))
    mcp.add_prompt(Prompt.from_function(constant, name="Review"))
    wallet = protect(mcp, MemoryGuard())
    wallet.resource("wallet://{topic}", label="public")(topical)
    takers: tuple[Callable[[], object], ...] = (
        lambda: wallet.resource("wallet://text", label="public")(constant),
        lambda: wallet.resource("wallet://{topic}", label="public")(topical),
        lambda: wallet.prompt(label="public", name="Review")(constant),
        lambda: wallet.prompt(label="public", name="review")(constant),
    )
    for taken in takers:
        with pytest.raises(Misconfigured):
            taken()


def constant() -> str:
    return "x"


def topical(topic: str) -> str:
    return topic


@pytest.mark.parametrize("name", ["wallet://nowhere", "prompt:nobody", "wallet://{", "wallet://twice"])
def test_a_classification_of_what_is_not_there_is_refused(name: str) -> None:
    mcp = MCPServer("ledger")
    mcp.add_resource(TextResource(uri="wallet://twice", text="a text"))
    with pytest.raises(Misconfigured):
        protect(mcp, MemoryGuard(), reads=[name, name])


async def _read_listed(manager: ResourceManager, uri: str) -> object:
    found: Any = await manager.get_resource(uri, Context())
    return await found.read()
