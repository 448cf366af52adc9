"""Resources and prompts through the guard: served as labelled, measured, journalled; the rest is not served."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError
from mcp_types import ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequiredResult

from mcp_wallet_guard.errors import GuardError
from mcp_wallet_guard.mcp.labels import KEY
from mcp_wallet_guard.mcp.protection import protect
from tests.mcp.ledger import Ledger, refusal
from tests.mcp.ports import PAYEE, MemoryGuard

pytestmark = pytest.mark.anyio
ERAS = ("auto", "legacy")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("mode", ERAS)
async def test_what_is_registered_through_the_guard_is_served_and_journalled(mode: str) -> None:
    ledger = Ledger()
    async with Client(ledger.mcp, mode=mode) as client:
        (holdings,) = (await client.read_resource("wallet://holdings")).contents
        (of,) = (await client.read_resource(f"wallet://of/{PAYEE}")).contents
        (chain,) = (await client.read_resource("wallet://chain")).contents
        (manual,) = (await client.read_resource("wallet://help/gas%20fees")).contents
        review = await client.get_prompt("review", {"address": PAYEE, "days": "30"})
        told = await client.get_prompt("explain", {"topic": "fees"})
    assert json.loads(holdings.model_dump()["text"]) == [{"symbol": "ETH", "wei": "42"}]
    assert of.model_dump()["text"] == f"{PAYEE} holds 42"
    assert (chain.model_dump()["blob"], chain.mime_type) == ("eyJjaGFpbiI6IDF9", "application/json")
    assert manual.model_dump()["text"] == "gas fees"
    assert [m.model_dump()["content"]["text"] for m in review.messages] == [f"Review {PAYEE} of 30 days.", "Yes."]
    assert [m.role for m in review.messages] == ["user", "assistant"]
    assert (review.description, told.messages[0].model_dump()["content"]["text"]) == (
        "Review what an address holds.",
        "Explain fees.",
    )
    records = [(each.tool, each.outcome) for each in ledger.guard.reads]
    assert records == [
        ("wallet://holdings", "released"),
        ("wallet://of/{address}", "released"),
        ("wallet://chain", "released"),
        ("wallet://help/{topic}", "released"),
        ("prompt:review", "released"),
        ("prompt:explain", "released"),
    ]


@pytest.mark.parametrize("mode", ERAS)
async def test_the_label_reaches_the_client_and_nothing_else_of_the_guard(mode: str) -> None:
    ledger = Ledger()

    @ledger.mcp.resource("plain://x", meta={KEY: "public", "own": 1})
    def lying() -> str:
        return "x"

    async with Client(ledger.mcp, mode=mode) as client:
        resources = (await client.list_resources()).resources
        templates = (await client.list_resource_templates()).resource_templates
        prompts = (await client.list_prompts()).prompts
        (read,) = (await client.read_resource("wallet://holdings")).contents
        prompt = await client.get_prompt("explain", {"topic": "fees"})
    assert {r.uri: r.meta for r in resources} == {
        "wallet://holdings": {KEY: "private"},
        "wallet://chain": {KEY: "public"},
    }
    assert (resources[0].title, resources[0].description) == ("Holdings", "What the wallet holds.")
    assert {t.uri_template: (t.name, t.meta) for t in templates} == {
        "wallet://of/{address}": ("holdings_of", {KEY: "private"}),
        "wallet://help/{topic}": ("manual", {KEY: "public"}),
    }
    assert {p.name: p.meta for p in prompts} == {"review": {KEY: "private"}, "explain": {KEY: "public"}}
    arguments = prompts[0].arguments
    assert arguments is not None
    assert [(a.name, a.required) for a in arguments] == [("address", True), ("days", False)]
    assert read.meta == {KEY: "private"}
    assert prompt.meta is not None
    assert prompt.meta[KEY] == "public"


@pytest.mark.parametrize("mode", ERAS)
async def test_while_the_vault_is_locked_private_data_is_refused_and_public_data_served(mode: str) -> None:
    ledger = Ledger()
    async with Client(ledger.mcp, mode=mode) as client:
        ledger.guard.locked = True
        private = (
            lambda: client.read_resource("wallet://holdings"),
            lambda: client.read_resource(f"wallet://of/{PAYEE}"),
            lambda: client.get_prompt("review", {"address": PAYEE}),
        )
        assert [await refusal(read()) for read in private] == ["locked"] * 3
        assert ledger.ran == []
        assert {(each.outcome, each.code) for each in ledger.guard.reads} == {("refused", "locked")}
        assert all(each.incident for each in ledger.guard.reads)
        assert (await client.read_resource("wallet://chain")).contents
        assert (await client.get_prompt("explain", {"topic": "fees"})).messages
        ledger.guard.locked_reads = True
        for read in private:
            await read()
        ledger.guard.locked, ledger.guard.locked_reads = False, False
        await private[0]()
    assert ledger.ran == ["holdings", "holdings_of", "review", "holdings"]


@pytest.mark.parametrize("mode", ERAS)
async def test_completions_of_private_arguments_follow_the_lock_as_well(mode: str) -> None:
    """What a completion offers for a private template is private data."""
    ledger = Ledger()

    @ledger.mcp.completion()  # type: ignore[no-untyped-call,untyped-decorator]
    async def complete(ref: Any, argument: Any, context: Any) -> Any:
        from mcp_types import Completion

        return Completion(values=[PAYEE])

    references: list[Any] = [
        {"type": "ref/resource", "uri": "wallet://of/{address}"},
        {"type": "ref/prompt", "name": "review"},
        {"type": "ref/resource", "uri": "wallet://help/{topic}"},
        {"type": "ref/prompt", "name": "explain"},
    ]
    async with Client(ledger.mcp, mode=mode) as client:
        for reference in references:
            assert (await client.complete(reference, {"name": "address", "value": ""})).completion.values == [PAYEE]
        ledger.guard.locked = True
        for reference in references[:2]:
            assert await refusal(client.complete(reference, {"name": "address", "value": ""})) == "locked"
        for reference in references[2:]:
            assert (await client.complete(reference, {"name": "topic", "value": ""})).completion.values == [PAYEE]
        unknown: Any = {"type": "ref/resource", "uri": "wallet://of/x"}
        assert await refusal(client.complete(unknown, {"name": "address", "value": ""})) == "unclassified"


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize("make", [lambda size: "é" * (size // 2), lambda size: b"x" * size])
async def test_a_resource_at_its_cap_is_served_and_one_above_is_not(make: Any, mode: str) -> None:
    """T-106."""
    ledger = Ledger()
    async with Client(ledger.mcp, mode=mode) as client:
        ledger.answer = make(100)
        assert (await client.read_resource("wallet://help/x")).contents
        ledger.answer = make(102)
        assert await refusal(client.read_resource("wallet://help/x")) == "too_large"
    assert [(each.outcome, each.code) for each in ledger.guard.reads] == [("released", None), ("blocked", "too_large")]


@pytest.mark.parametrize("mode", ERAS)
async def test_a_prompt_is_measured_as_json(mode: str) -> None:
    """T-106."""
    ledger = Ledger()
    empty = len('{"messages": [{"role": "user", "content": {"type": "text", "text": ""}}]}')
    async with Client(ledger.mcp, mode=mode) as client:
        ledger.answer = "x" * (200 - empty)
        assert (await client.get_prompt("explain", {"topic": "fees"})).messages
        ledger.answer += "x"
        assert await refusal(client.get_prompt("explain", {"topic": "fees"})) == "too_large"


@pytest.mark.parametrize("mode", ERAS)
async def test_a_crash_has_one_incident_in_answer_log_and_journal(mode: str, caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger()
    ledger.answer = {"key": float("nan"), b"\xff": object()}
    async with Client(ledger.mcp, mode=mode) as client:
        told = await refusal(client.read_resource("wallet://help/x"))
    (record,) = ledger.guard.reads
    assert (record.tool, record.outcome, record.code) == ("wallet://help/{topic}", "failed", None)
    assert record.incident is not None
    assert told == f"The server failed (incident {record.incident})."
    assert record.incident in caplog.text


@pytest.mark.parametrize("mode", ERAS)
async def test_a_handler_may_say_that_there_is_none(mode: str) -> None:
    wallet = protect(mcp := MCPServer("ledger"), MemoryGuard())

    @wallet.resource("wallet://invoices/{number}", label="private")
    def invoice(number: int) -> str:
        raise ResourceNotFoundError(f"no invoice {number}")

    async with Client(mcp, mode=mode) as client:
        with pytest.raises(MCPError) as caught:
            await client.read_resource("wallet://invoices/7")
    assert (caught.value.error.code, caught.value.error.message) == (-32602, "Invalid request parameters")


@pytest.mark.parametrize("mode", ERAS)
async def test_tools_that_read_resources_get_what_clients_get(mode: str) -> None:
    """T-056: a nested read runs no middleware, and obeys the same rules."""
    ledger = Ledger()

    @ledger.wallet.reads
    async def nested(ctx: Context, uri: str) -> str:
        try:
            (found,) = await ctx.read_resource(uri)
        except GuardError as error:
            return error.code
        return str(found.content)

    async with Client(ledger.mcp, mode=mode) as client:

        async def read(uri: str) -> Any:
            return (await client.call_tool("nested", {"uri": uri})).structured_content

        assert await read(f"wallet://of/{PAYEE}") == {"result": f"{PAYEE} holds 42"}
        assert await read("wallet://of/0x12") == {"result": "invalid_input.address"}
        ledger.guard.locked = True
        assert await read("wallet://holdings") == {"result": "locked"}
    assert ("wallet://of/{address}", "released") in [(each.tool, each.outcome) for each in ledger.guard.reads]


async def test_a_read_around_the_middleware_is_searched_and_journalled() -> None:
    secret = bytes(range(7, 39))
    ledger = Ledger(MemoryGuard(secrets_=(secret,)))
    chain = ledger.mcp.read_resource(f"wallet://of/{PAYEE}")
    assert [each.content for each in await chain] == [f"{PAYEE} holds 42"]  # type: ignore[union-attr]
    ledger.answer = secret.hex()
    for refused in (ledger.mcp.get_prompt("explain", {"topic": "fees"}),):
        with pytest.raises(GuardError) as caught:
            await refused
        assert caught.value.code == "tampered.result"
    assert [(each.tool, each.outcome) for each in ledger.guard.reads] == [
        ("wallet://of/{address}", "released"),
        ("prompt:explain", "blocked"),
    ]


async def test_a_template_and_a_prompt_may_ask_in_rounds() -> None:
    mcp = MCPServer("ledger")
    wallet = protect(mcp, MemoryGuard())
    schema = {"type": "object", "properties": {"period": {"type": "string"}}}

    def asked(ctx: Context) -> InputRequiredResult | str:
        if ctx.input_responses:
            return "answered"
        params = ElicitRequestFormParams(message="Which period?", requested_schema=schema)
        return InputRequiredResult(input_requests={"q": ElicitRequest(params=params)}, request_state="x")

    wallet.resource("wallet://period", label="private")(asked)
    wallet.prompt(label="private", name="period")(asked)

    async def answer(context: Any, params: Any) -> ElicitResult:
        return ElicitResult(action="accept", content={"period": "May"})

    async with Client(mcp, mode="auto", elicitation_callback=answer) as client:
        (content,) = (await client.read_resource("wallet://period")).contents
        assert content.model_dump()["text"] == "answered"
        (message,) = (await client.get_prompt("period")).messages
        assert message.model_dump()["content"]["text"] == "answered"
