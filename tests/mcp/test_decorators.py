"""What may be decorated, and that a decorated tool looks to a client like the plain function."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from mcp import Client, MCPError
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.resolve import Resolve
from mcp_types import CallToolResult
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from mcp_wallet_guard.errors import Misconfigured
from mcp_wallet_guard.exchange import ANSWER
from mcp_wallet_guard.mcp.protection import GuardedTool, protect
from mcp_wallet_guard.operations.intents import Transfer
from mcp_wallet_guard.operations.values import Address, Amount
from tests.mcp.ports import PAYEE, MemoryGuard

ADDRESS, AMOUNT = Address.parse(PAYEE), Amount.parse("1")
SENT = Transfer(to=ADDRESS, amount=AMOUNT)

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Speed(Enum):
    SLOW = "slow"
    FAST = "fast"


class Note(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: str


class Loose(BaseModel):
    text: str


class Balance(BaseModel):
    wei: str


def resolved() -> int:
    return 1


async def pay_plain(to: Address, amount: Amount) -> Transfer:
    """Send ETH to an address."""
    return Transfer(to=to, amount=amount)


def pay_richly(
    to: Annotated[Address, Field(description="who")],
    amount: Amount = AMOUNT,
    speed: Speed = Speed.SLOW,
    note: Note | None = None,
    kind: Literal["a", "b"] = "a",
    times: int = 1,
    json: str = "x",
    tags: list[str] = [],  # noqa: B006  # the schema shows the default
    ctx: Context | None = None,
) -> Transfer:
    """Send with everything."""
    assert ctx is not None
    return Transfer(to=to, amount=amount, reference=f"{speed.value}-{kind}-{times}-{json}-{len(tags)}")


async def no_arguments() -> Transfer:
    return SENT


@pytest.mark.parametrize("function", [pay_plain, pay_richly, no_arguments])
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_input_schema_is_the_plain_functions(function: Callable[..., Transfer], mode: str) -> None:
    plain, mcp = MCPServer("plain"), MCPServer("guarded")
    plain.add_tool(function, structured_output=False)
    tool = protect(mcp, MemoryGuard()).spends(function)
    async with Client(plain, mode=mode) as one, Client(mcp, mode=mode) as two:
        (expected,), (guarded,) = (await one.list_tools()).tools, (await two.list_tools()).tools
    assert guarded.input_schema == expected.input_schema
    assert (guarded.name, guarded.description) == (expected.name, expected.description)
    assert guarded.output_schema == {"type": "object", **ANSWER.json_schema()}
    assert guarded.annotations is not None
    assert guarded.annotations.destructive_hint is True
    assert isinstance(tool, GuardedTool)
    assert not callable(tool)


async def test_a_reading_tool_keeps_both_schemas_and_its_result() -> None:
    def balance(address: Address, block: int = 0, ctx: Context | None = None) -> Balance:
        """Read a balance."""
        return Balance(wei=f"{block}:{address}")

    plain, mcp = MCPServer("plain"), MCPServer("guarded")
    plain.add_tool(balance)
    guard = MemoryGuard()
    protect(mcp, guard).reads(balance)
    async with Client(plain) as one, Client(mcp) as two:
        (expected,), (guarded,) = (await one.list_tools()).tools, (await two.list_tools()).tools
        assert guarded.input_schema == expected.input_schema
        assert guarded.output_schema == expected.output_schema
        arguments = {"address": PAYEE, "block": 7}
        ours, theirs = await two.call_tool("balance", arguments), await one.call_tool("balance", arguments)
        assert (ours.content, ours.structured_content) == (theirs.content, theirs.structured_content)
    assert [(r.tool, r.outcome) for r in guard.reads] == [("balance", "released")]


async def test_every_kind_of_argument_arrives_as_declared() -> None:
    mcp, guard = MCPServer("guarded"), MemoryGuard()
    protect(mcp, guard).spends(pay_richly)
    arguments = {
        "to": PAYEE, "amount": "0.5", "speed": "fast", "note": {"text": "hi"}, "kind": "b", "times": 3, "json": "{}1",
        "tags": ["a", "b"],
    }  # fmt: skip
    async with Client(mcp) as client:
        good = await client.call_tool("pay_richly", {**arguments, "json": "y"})
        assert good.structured_content is not None
        assert good.structured_content["status"] == "pending", good
        for wrong in (
            {"times": "3"}, {"times": True}, {"times": 3.0}, {"tags": '["a"]'}, {"note": '{"text": "hi"}'},
            {"note": {"text": "hi", "approved": True}}, {"speed": "FAST"}, {"kind": "c"}, {"to": None},
        ):  # fmt: skip
            bad = await client.call_tool("pay_richly", {**arguments, **wrong})
            assert bad.is_error, wrong
    assert guard.proposals[0].intent["reference"] == "fast-b-3-y-2"
    assert len(guard.proposals) == 1


def test_a_name_and_a_role_may_be_given() -> None:
    mcp = MCPServer("guarded")
    wallet = protect(mcp, MemoryGuard())

    @wallet.spends(name="send_eth", role="owner")
    async def pay(to: Address, amount: Amount) -> Transfer:
        return Transfer(to=to, amount=amount)

    assert (pay.name, pay.role) == ("send_eth", "owner")


class _Callable:
    def __call__(self, to: Address) -> Transfer:
        return Transfer(to=to, amount=AMOUNT)

    def method(self, to: Address) -> Transfer:
        return Transfer(to=to, amount=AMOUNT)


def _generator(to: Address) -> Iterator[Transfer]:
    yield SENT


async def _async_generator(to: Address) -> AsyncIterator[Transfer]:
    yield SENT


def _with_args(*to: Address) -> Transfer:
    return SENT


def _with_kwargs(**to: Address) -> Transfer:
    return SENT


def _positional(to: Address, /) -> Transfer:
    return SENT


def _with_resolve(to: Address, limit: Annotated[int, Resolve(resolved)]) -> Transfer:
    return SENT


def _with_resolve_in_union(to: Address, limit: Annotated[int, Resolve(resolved)] | None) -> Transfer:
    return SENT


def _with_header(to: Annotated[str, Field(json_schema_extra={"x-mcp-header": "To"})]) -> Transfer:
    return SENT


def _with_decimal(amount: Decimal) -> Transfer:
    return SENT


def _with_float(amount: float | None) -> Transfer:
    return SENT


def _with_anything(to) -> Transfer:  # type: ignore[no-untyped-def]
    return SENT


def _with_any(to: Any) -> Transfer:
    return SENT


def _with_dict(to: dict[str, str]) -> Transfer:
    return SENT


def _with_loose_model(note: Loose) -> Transfer:
    return SENT


def _unresolved(to: Nowhere) -> Transfer:  # type: ignore[name-defined]  # noqa: F821
    return SENT


def _returns_text(to: Address) -> str:
    return "done"


def _returns_nothing_said(to: Address):  # type: ignore[no-untyped-def]
    return SENT


def _returns_result(to: Address) -> CallToolResult:
    return CallToolResult(content=[])


def _reserved(wallet_guard_context: str) -> Transfer:
    return SENT


def _underscore(_to: str) -> Transfer:
    return SENT


REFUSED: list[Any] = [
    _Callable(), functools.partial(pay_plain, amount=AMOUNT), print, lambda to: SENT, _generator, _async_generator,
    _with_args, _with_kwargs, _positional, _with_resolve, _with_resolve_in_union, _with_header, _with_decimal,
    _with_float, _with_anything, _with_any, _with_dict, _with_loose_model, _unresolved, _returns_text,
    _returns_nothing_said, _returns_result, _reserved, _underscore,
]  # fmt: skip


@pytest.mark.parametrize("function", REFUSED, ids=lambda f: getattr(f, "__name__", type(f).__name__))
def test_what_cannot_be_guarded_is_refused_when_decorated(function: Any) -> None:
    mcp = MCPServer("guarded")
    wallet = protect(mcp, MemoryGuard())
    with pytest.raises(Misconfigured) as caught:
        wallet.spends(function)
    assert caught.value.code == "misconfigured.tool"
    assert caught.value.detail
    assert mcp._tool_manager.list_tools() == []


def test_a_bound_method_is_a_plain_function() -> None:
    assert protect(MCPServer("guarded"), MemoryGuard()).spends(_Callable().method).name == "method"


SECRET_NAMES = [
    "code", "otp", "totp", "totp_code", "one_time_code", "passphrase", "password", "userPassword", "pin", "private_key",
    "privateKey", "seed", "seed_phrase", "mnemonic", "verification_code", "twoFactorCode", "2fa", "mfa", "secret_key",
    "confirm", "confirmed", "confirmation", "approve", "approved", "is_approved", "userConfirmed", "approvalToken",
    "authorized", "consent", "unlock",
]  # fmt: skip


@pytest.mark.parametrize("name", SECRET_NAMES)
@pytest.mark.parametrize("verb", ["spends", "reads"])
def test_a_parameter_for_a_secret_or_an_approval_is_refused(name: str, verb: str) -> None:
    """T-002, T-005."""
    name = f"x{name}" if name[0].isdigit() else name
    space: dict[str, Any] = {"Transfer": Transfer, "SENT": SENT}
    exec(f"def pay({name}: str) -> Transfer:\n    return SENT", space)
    name_in_model = f"class Model(BaseModel):\n    {name}: str\ndef pay_with(note: Model) -> Transfer:\n    return SENT"
    exec(name_in_model, space | {"BaseModel": BaseModel}, space)
    wallet = protect(MCPServer("guarded"), MemoryGuard())
    for function in (space["pay"], space["pay_with"]):
        function.__globals__.update(space)
        with pytest.raises(Misconfigured):
            getattr(wallet, verb)(function)


@pytest.mark.parametrize(
    "name", ["to", "country_code", "currency", "pinned", "reference", "seeding", "opinion", "keys"]
)
def test_an_ordinary_parameter_name_is_taken(name: str) -> None:
    space: dict[str, Any] = {"Transfer": Transfer, "SENT": SENT}
    exec(f"def pay({name}: str) -> Transfer:\n    return SENT", space)
    protect(MCPServer("guarded"), MemoryGuard()).spends(space["pay"])


@pytest.mark.parametrize("second", ["pay", "Pay", "PAY", "p_ay", "pay_", "\u0440ay", "pay now", "", "_pay", "x" * 65])
def test_a_duplicate_confusable_or_odd_tool_name_is_refused(second: str) -> None:
    """T-107."""
    wallet = protect(MCPServer("guarded"), MemoryGuard())
    wallet.spends(name="pay")(pay_plain)
    with pytest.raises(Misconfigured):
        wallet.spends(name=second)(no_arguments)


def test_look_alike_digits_and_letters_are_refused() -> None:
    wallet = protect(MCPServer("guarded"), MemoryGuard())
    wallet.spends(name="transfer_1nch")(pay_plain)
    for name in ("transfer_lnch", "transfer_Inch", "transfer.inch"):
        with pytest.raises(Misconfigured):
            wallet.spends(name=name)(no_arguments)


async def test_the_naked_function_is_not_reachable() -> None:
    """T-056."""
    mcp = MCPServer("guarded")
    protect(mcp, MemoryGuard()).spends(pay_plain)
    tool = mcp._tool_manager.get_tool("pay_plain")
    assert tool is not None
    assert tool.fn is not pay_plain
    assert not hasattr(tool.fn, "__wrapped__")
    with pytest.raises(Misconfigured):
        await tool.fn(to=ADDRESS, amount=AMOUNT)
    with pytest.raises(Misconfigured):
        await tool.fn(to=ADDRESS, amount=AMOUNT, wallet_guard_context=Context())


async def test_an_existing_tool_is_classified_by_name() -> None:
    mcp, guard = MCPServer("guarded"), MemoryGuard()

    @mcp.tool(title="Price", description="Read a price.")
    def get_price(symbol: str) -> dict[str, str]:
        return {symbol: "1"}

    @mcp.tool()
    def get_other(symbol: str) -> str:
        return symbol

    @mcp.resource("wallet://address")
    def address() -> str:
        return PAYEE

    @mcp.resource("wallet://notes/{name}")
    def notes(name: str) -> str:
        return name

    @mcp.resource("other://notes/{name}")
    def other(name: str) -> str:
        return name

    @mcp.prompt()
    def explain() -> str:
        return "Explain."

    @mcp.prompt()
    def hidden() -> str:
        return "Hidden."

    protect(mcp, guard, reads=["get_price", "wallet://address", "wallet://notes/{name}", "prompt:explain"])
    for mode in ("auto", "legacy"):
        async with Client(mcp, mode=mode) as client:
            (tool,) = (await client.list_tools()).tools
            assert (tool.name, tool.title, tool.description) == ("get_price", "Price", "Read a price.")
            assert (await client.call_tool("get_price", {"symbol": "ETH"})).structured_content == {"ETH": "1"}
            assert [str(r.uri) for r in (await client.list_resources()).resources] == ["wallet://address"]
            templates = (await client.list_resource_templates()).resource_templates
            assert [t.uri_template for t in templates] == ["wallet://notes/{name}"]
            assert [p.name for p in (await client.list_prompts()).prompts] == ["explain"]
            assert (await client.read_resource("wallet://address")).contents
            assert (await client.read_resource("wallet://notes/a")).contents
            assert (await client.get_prompt("explain")).messages
            for refused in (
                client.call_tool("get_other", {"symbol": "ETH"}),
                client.call_tool("nothing", {}),
                client.read_resource("other://notes/a"),
                client.get_prompt("hidden"),
            ):
                with pytest.raises(MCPError) as caught:
                    await refused
                assert caught.value.error.data == {"code": "unclassified"}


@pytest.mark.parametrize("reads", [["missing"], ["bad://{"]])
def test_a_classification_that_names_nothing_is_refused(reads: list[str]) -> None:
    with pytest.raises(Misconfigured):
        protect(MCPServer("guarded"), MemoryGuard(), reads=reads)


def test_an_answer_is_one_of_three() -> None:
    schema = TypeAdapter(dict[str, Any]).validate_python(ANSWER.json_schema())
    assert {arm["$ref"].rsplit("/")[-1] for arm in schema["oneOf"]} == {"Done", "Pending", "RefusedAnswer"}
