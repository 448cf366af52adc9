"""A handler that spends proposes an intent and nothing else; what a handler takes is known to the checkers."""

from typing import ParamSpec

from mcp.server import MCPServer

from mcp_wallet_guard import Address, Amount, Intent, Settled, Transfer, UnsignedTransaction, WalletGuard
from mcp_wallet_guard.mcp.protection import GuardedTool

P = ParamSpec("P")
wallet = WalletGuard.from_file("guard.toml").protect(MCPServer("treasury"))


def with_arguments(tool: GuardedTool[P], *args: P.args, **kwargs: P.kwargs) -> None: ...


@wallet.spends
async def pay(to: Address, amount: Amount) -> Transfer:
    return Transfer(to=to, amount=amount)


@wallet.spends(name="pay_quickly", role="treasurer")
def pay_at_once(to: Address, amount: Amount, *, reference: str = "invoice") -> Transfer:
    return Transfer(to=to, amount=amount, reference=reference)


@wallet.spends
def either(to: Address, unsigned: bytes | None) -> Transfer | UnsignedTransaction:
    return UnsignedTransaction(unsigned_bytes=unsigned) if unsigned else Transfer(to=to, amount=Amount("1"))


@wallet.spends  # E: mypy=arg-type pyright=reportArgumentType
async def returns_signed_bytes(to: Address) -> bytes:
    return to.value.encode()


@wallet.spends  # E: mypy=arg-type pyright=reportArgumentType
def returns_nothing(to: Address, amount: Amount) -> None: ...


@wallet.spends  # E: mypy=arg-type pyright=reportArgumentType
def perhaps_an_intent(to: Address, amount: Amount) -> Transfer | None: ...


@wallet.spends(role="treasurer")  # E: mypy=arg-type pyright=reportArgumentType
async def returns_a_receipt(to: Address) -> dict[str, str]:
    return {"transaction_hash": to.value}


@wallet.reads
async def balance(address: Address, block: int = 0) -> int:
    return block + len(address.value)


@wallet.reads(name="prices")
def price(asset: str) -> str:
    return asset


def parameters_are_known(address: Address, amount: Amount) -> None:
    with_arguments(pay, address, amount)
    with_arguments(pay_at_once, address, amount, reference="rent")
    with_arguments(either, address, None)
    with_arguments(balance, address, block=7)
    with_arguments(price, "ETH")

    with_arguments(pay, address, 0.1)  # E: mypy=arg-type pyright=reportArgumentType
    with_arguments(pay, to=address, amount=amount, confirmed=True)  # E: mypy=call-arg pyright=reportCallIssue
    with_arguments(pay_at_once, address, amount, "rent")  # E: mypy=call-arg pyright=reportCallIssue
    with_arguments(balance, "0x70997970C51812dc3A010C7d01b50e0d17dc79C8")  # E: mypy=arg-type pyright=reportArgumentType
    with_arguments(balance, address, block="latest")  # E: mypy=arg-type pyright=reportArgumentType
    with_arguments(price)  # E: mypy=call-arg pyright=reportCallIssue


def a_guarded_tool_is_called_through_mcp_alone(address: Address, amount: Amount) -> None:
    pay(address, amount)  # E: mypy=operator pyright=reportCallIssue
    balance(address)  # E: mypy=operator pyright=reportCallIssue


async def an_intent_takes_what_its_tool_takes(address: Address, amount: Amount) -> Intent:
    await wallet.intent_of(pay, address, amount)
    await wallet.intent_of(pay_at_once, to=address, amount=amount, reference="rent")
    await wallet.intent_of("pay", to=str(address), amount="0.1")

    await wallet.intent_of(pay, address, 0.1)  # E: mypy=call-overload pyright=reportArgumentType
    await wallet.intent_of(pay, to=str(address), amount=amount)  # E: mypy=call-overload pyright=reportCallIssue,reportArgumentType
    await wallet.intent_of(pay_at_once, address, amount, refrence="rent")  # E: mypy=call-arg pyright=reportCallIssue
    await wallet.intent_of(pay, address)  # E: mypy=call-overload pyright=reportCallIssue
    await wallet.intent_of("pay", str(address))  # E: mypy=call-overload pyright=reportArgumentType,reportCallIssue
    return await wallet.intent_of(pay, to=address, amount=amount)


async def note(settled: Settled) -> None: ...


def note_at_once(settled: Settled) -> None: ...


def note_wrongly(settled: str) -> None: ...


def pay_and_note_plainly(to: Address, amount: Amount) -> Transfer:
    return Transfer(to=to, amount=amount)


def explain_plainly() -> str:
    return "fees"


@wallet.spends(on_settled=note)
def pay_and_note(to: Address, amount: Amount) -> Transfer:
    return Transfer(to=to, amount=amount)


wallet.spends(on_settled=note_at_once)(pay_and_note_plainly)
wallet.spends(on_settled=note_wrongly)(pay_and_note_plainly)  # E: mypy=arg-type pyright=reportArgumentType


@wallet.resource("wallet://balances/{address}", label="private", max_bytes=1_000)
def balances(address: Address) -> str:
    return str(address)


@wallet.prompt(label="public", name="explain")
async def explain(topic: str = "fees") -> list[str]:
    return [topic]


wallet.resource("wallet://x", label="secret")(explain_plainly)  # E: mypy=arg-type pyright=reportArgumentType
wallet.resource("wallet://x")(explain_plainly)  # E: mypy=call-arg pyright=reportCallIssue
wallet.prompt()(explain_plainly)  # E: mypy=call-arg pyright=reportCallIssue
wallet.prompt(label="public", max_bytes="1 KiB")(explain_plainly)  # E: mypy=arg-type pyright=reportArgumentType
balances(Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8"))  # E: mypy=operator pyright=reportCallIssue
