"""What an author's unit test asks of a spending tool: the intent, as a call would get it, without guard or client."""

from __future__ import annotations

import functools
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from mcp.server.mcpserver import Context, MCPServer
from pydantic import BaseModel, ConfigDict, Field

from mcp_wallet_guard.errors import InvalidInput, Misconfigured
from mcp_wallet_guard.mcp.base import GuardPort
from mcp_wallet_guard.mcp.protection import GuardedTool, Protection, protect
from mcp_wallet_guard.operations.intents import ContractCall, TokenTransfer, Transfer
from mcp_wallet_guard.operations.values import Address, Amount
from tests.mcp.ports import OTHER, PAYEE, MemoryGuard

pytestmark = pytest.mark.anyio

TO, ONE = Address.parse(PAYEE), Amount.parse("1")
KEY = "0x" + "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Speed(Enum):
    SLOW = "slow"
    FAST = "fast"


class Invoice(BaseModel):
    model_config = ConfigDict(extra="forbid")
    payee: Address
    number: int


async def _no_guard() -> GuardPort:
    raise AssertionError("an intent needs no guard")


def _wallet() -> Protection:
    return protect(MCPServer("treasury"), _no_guard)


async def test_the_intent_is_what_the_handler_returns() -> None:
    wallet = _wallet()

    @wallet.spends
    async def pay(to: Address, amount: Amount) -> Transfer:
        return Transfer(to=to, amount=amount)

    @wallet.spends
    def pay_at_once(to: Address, amount: Amount = ONE) -> Transfer:
        return Transfer(to=to, amount=amount)

    expected = Transfer(to=TO, amount=ONE)
    assert await wallet.intent_of(pay, TO, ONE) == expected
    assert await wallet.intent_of(pay, to=TO, amount=ONE) == expected
    assert await wallet.intent_of("pay", to=PAYEE, amount="1.0") == expected
    assert await wallet.intent_of(pay_at_once, TO) == expected


async def test_rich_arguments_arrive_as_a_call_brings_them() -> None:
    wallet = _wallet()

    @wallet.spends
    def pay(
        invoice: Invoice, payees: list[Address], speed: Speed, kind: Literal["a", "b"] = "a", note: str | None = None
    ) -> Transfer | TokenTransfer:
        assert (type(invoice), type(payees[0]), speed) == (Invoice, Address, Speed.FAST)
        return Transfer(to=payees[0], amount=ONE, reference=f"{invoice.number}.{kind}.{note}")

    invoice = Invoice(payee=TO, number=7)
    values = await wallet.intent_of(pay, invoice, [TO], speed=Speed.FAST)
    texts = await wallet.intent_of("pay", invoice={"payee": PAYEE, "number": 7}, payees=[PAYEE], speed="fast")
    assert values == texts == Transfer(to=TO, amount=ONE, reference="7.a.None")


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"to": PAYEE.lower()}, "invalid_input.address"),
        ({"amount": 0.1}, "invalid_input.amount"),
        ({"amount": 1}, "invalid_input.amount"),
        ({"amount": "1e3"}, "invalid_input.amount"),
        ({"confirmed": True}, "invalid_input.unknown_argument"),
        ({"times": "3"}, "invalid_input"),
        ({"times": 4}, "invalid_input"),
        ({"to": f"private_key={KEY}"}, "invalid_input.secret"),
        ({"to": "0x" + "a" * 200_000}, "invalid_input.size"),
    ],
)
async def test_what_a_call_is_refused_for_is_refused(changed: dict[str, Any], code: str) -> None:
    wallet = _wallet()
    ran: list[Address] = []

    @wallet.spends
    def pay(to: Address, amount: Amount, times: Annotated[int, Field(le=3)] = 1) -> Transfer:
        ran.append(to)
        return Transfer(to=to, amount=amount)

    with pytest.raises(InvalidInput) as caught:
        await wallet.intent_of("pay", **{"to": PAYEE, "amount": "1", **changed})
    assert (caught.value.code, ran) == (code, [])
    assert await wallet.intent_of("pay", to=PAYEE, amount="1", times=3) == Transfer(to=TO, amount=ONE)


async def test_a_missing_and_a_repeated_argument_are_told_apart() -> None:
    wallet = _wallet()

    @wallet.spends
    def pay(to: Address, amount: Amount) -> Transfer:
        return Transfer(to=to, amount=amount)

    with pytest.raises(InvalidInput):
        await wallet.intent_of("pay", to=PAYEE)
    with pytest.raises(TypeError, match="given twice: to"):
        await functools.partial(wallet.intent_of, pay)(TO, to=TO, amount=ONE)


async def test_a_result_that_is_not_the_annotated_intent_is_refused() -> None:
    wallet = _wallet()
    results: list[Any] = []

    @wallet.spends
    def pay(to: Address) -> Transfer | ContractCall:
        return results.pop()  # type: ignore[no-any-return]

    for wrong in (None, "0x00", TokenTransfer(token="USDC", to=TO, amount=ONE)):
        results.append(wrong)
        with pytest.raises(Misconfigured) as caught:
            await wallet.intent_of(pay, TO)
        assert "annotated" in caught.value.detail
    results.append(right := ContractCall(to=TO, data=b"\x01"))
    assert await wallet.intent_of(pay, TO) is right


async def test_a_handler_that_raises_raises_to_its_test() -> None:
    wallet = _wallet()

    @wallet.spends
    def pay(to: Address) -> Transfer:
        raise LookupError("no such invoice")

    with pytest.raises(LookupError, match="no such invoice"):
        await wallet.intent_of(pay, TO)


async def test_a_context_has_no_client_unless_one_is_given() -> None:
    wallet = _wallet()
    seen: list[Context] = []

    @wallet.spends
    def pay(to: Address, ctx: Context) -> Transfer:
        seen.append(ctx)
        return Transfer(to=to, amount=ONE)

    own: Context = Context()
    await wallet.intent_of("pay", to=PAYEE)
    await wallet.intent_of(pay, TO, own)
    assert seen[1] is own
    with pytest.raises(ValueError, match="outside of a request"):
        _ = seen[0].request_context


async def test_only_a_spending_tool_of_this_server_has_an_intent() -> None:
    wallet, other = _wallet(), _wallet()

    @wallet.reads
    def balance(address: Address) -> str:
        return "1"

    @other.spends
    def pay(to: Address) -> Transfer:
        return Transfer(to=to, amount=ONE)

    wallet.spends(name="pay")(_pay)
    for foreign in (balance, pay, GuardedTool(name="pay", role=None)):
        with pytest.raises(Misconfigured):
            await wallet.intent_of(foreign, TO)
    for name in ("balance", "nothing"):
        with pytest.raises(Misconfigured):
            await wallet.intent_of(name, to=PAYEE)


def _pay(to: Address) -> Transfer:
    return Transfer(to=to, amount=ONE)


async def test_nothing_is_proposed_recorded_or_signed() -> None:
    guard = MemoryGuard()
    wallet = protect(MCPServer("treasury"), guard)
    wallet.spends(name="pay")(_pay)
    await wallet.intent_of("pay", to=OTHER)
    assert (guard.proposals, guard.reads, guard.paid) == ([], [], [])
