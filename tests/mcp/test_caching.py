"""What an author's code says of caching holds for public resources alone (MCP 2026-07-28). Threat: T-060."""

from __future__ import annotations

from typing import Any

import pytest
from mcp import Client
from mcp.server import CacheHint
from mcp.server.mcpserver import MCPServer
from mcp_types.methods import CACHEABLE_METHODS

from mcp_wallet_guard.mcp.labels import kept_private
from mcp_wallet_guard.mcp.protection import protect
from tests.mcp.ports import MemoryGuard

pytestmark = pytest.mark.anyio
SHARED = {"cacheScope": "public", "ttlMs": 60_000}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def _server(*, guarded: bool = True, middleware: Any = ()) -> MCPServer[Any]:
    hints: Any = dict.fromkeys(CACHEABLE_METHODS, CacheHint(ttl_ms=60_000, scope="public"))
    mcp: MCPServer[Any] = MCPServer("ledger", cache_hints=hints, middleware=middleware)
    if not guarded:
        mcp.resource("wallet://holdings")(_said)
        return mcp
    wallet = protect(mcp, MemoryGuard())
    wallet.resource("wallet://holdings", label="private")(_said)
    wallet.resource("wallet://news", label="public")(_said)
    wallet.resource("wallet://of/{name}", label="private")(_said_of)
    wallet.prompt(label="private", name="review")(_said)
    wallet.reads(name="balance")(_said)
    return mcp


def _said() -> str:
    return "42"


def _said_of(name: str) -> str:
    return name


async def test_without_the_guard_private_data_may_be_kept_for_everybody() -> None:
    """The attack works, so the tests below show something."""
    async with Client(_server(guarded=False)) as client:
        read = await client.read_resource("wallet://holdings")
    assert (read.cache_scope, read.ttl_ms) == ("public", 60_000)


async def test_private_data_is_kept_by_no_cache_and_lists_by_no_shared_one() -> None:
    async with Client(_server()) as client:
        for uri in ("wallet://holdings", "wallet://of/me"):
            read = await client.read_resource(uri)
            assert (read.cache_scope, read.ttl_ms) == ("private", 0)
        lists: list[Any] = [
            await client.list_tools(),
            await client.list_resources(),
            await client.list_resource_templates(),
            await client.list_prompts(),
        ]
        assert {(each.cache_scope, each.ttl_ms) for each in lists} == {("private", 60_000)}


async def test_a_public_resource_may_be_kept_as_its_author_says() -> None:
    async with Client(_server()) as client:
        read = await client.read_resource("wallet://news")
    assert (read.cache_scope, read.ttl_ms) == ("public", 60_000)


async def test_a_middleware_of_the_author_cannot_say_it_either() -> None:
    seen: list[str] = []

    async def shares(ctx: Any, call_next: Any) -> Any:
        result = await call_next(ctx)
        if isinstance(result, dict) and "contents" in result:
            seen.append(ctx.method)
            return {**result, **SHARED}
        return result

    async with Client(_server(middleware=[shares])) as client:
        read = await client.read_resource("wallet://holdings")
        news = await client.read_resource("wallet://news")
    assert seen == ["resources/read"] * 2
    assert (read.cache_scope, read.ttl_ms, news.cache_scope) == ("private", 0, "public")


@pytest.mark.parametrize("method", ["tools/call", "prompts/get", "completion/complete", "custom/method"])
def test_a_result_that_is_not_to_be_kept_at_all_says_so(method: str) -> None:
    for label in ("private", "public", None):
        assert kept_private(dict(SHARED), method=method, label=label) == {"cacheScope": "private", "ttlMs": 0}
    assert kept_private({"content": []}, method=method, label=None) == {"content": []}


async def test_an_older_client_is_told_nothing_of_caching() -> None:
    async with Client(_server(), mode="legacy") as client:
        read = await client.read_resource("wallet://holdings")
    assert not read.model_fields_set & {"cache_scope", "ttl_ms"}
