"""Who takes part in the scenarios, calldata from text, and parts as lines that a person can compare."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from mcp_wallet_guard.clearsign.calls import read_call
from mcp_wallet_guard.clearsign.tree import (
    AssetKind,
    AssetRef,
    Bound,
    Consequence,
    Direction,
    Part,
    PartKind,
    Raw,
    Shown,
    ShownKind,
)
from mcp_wallet_guard.operations import abi
from mcp_wallet_guard.operations.abi import AbiKind, AbiType, Budget, Value
from mcp_wallet_guard.operations.values import Address, ChainId

CHAIN: Final = ChainId(1)
PEOPLE: Final = {
    "me": "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
    "friend": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    "stranger": "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
    "SAFE": "0x90F79bf6EB2c4f870365E785982E1f101E93b906",
    "ACCOUNT": "0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65",
    "MODULE": "0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc",
    "USDC": "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
    "DAI": "0x6B175474E89094C44Da98b954EedeAC495271d0F",
    "WETH": "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2",
    "UNKNOWN": "0x976EA74026E726554dB657fA54763abd0C3a0aa9",
    "PUNKS": "0x14dC79964da2C08b23698B3D3cc7Ca32193d9955",
    "GAMES": "0x23618e81E3f5cdF7f54C3d65f7FBc0aBf5B21E8f",
    "VAULT": "0xa0Ee7A142d267C1f36714E4a8F75612F20a79720",
    "PERMIT2": "0x000000000022D473030F116dDEE9F6B43aC78BA3",
    "MULTICALL3": "0xcA11bde05977b3631167028862bE2a173976CA11",
    "MULTISEND": "0x40A2aCCbd92BCA938b02010E17A5b8929b49130D",
    "SIGN_LIB": "0xA65387F16B013cf2Af4605Ad8aA5ec25a2cbA3a2",
    "V2": "0x7a250d5630B4cF539739dF2C5dAcb4c659F2488D",
    "V3": "0xE592427A0AEce92De3Edee1F18E0157C05861564",
    "ROUTER02": "0x68b3465833fb72A70ecDF485E0e4C7bD8665Fc45",
    "UNIVERSAL": "0x66a9893cC07D91D95644AEDD05D03f95e1dBA8Af",
    "ENTRY6": "0x5FF137D4b0FDCD49DcA30c7CF57E578a026d2789",
    "ENTRY7": "0x0000000071727De22E5E9d8BAf0edAc6f37da032",
    "DEPOSIT": "0x00000000219ab540356cBB839Cbe05303d7705Fa",
    "ZERO": "0x0000000000000000000000000000000000000000",
    "ONE": "0x0000000000000000000000000000000000000001",
    "TWO": "0x0000000000000000000000000000000000000002",
}
WHO: Final = {name: Address(text) for name, text in PEOPLE.items()}
_NAMES: Final = {address: name for name, address in WHO.items()}
ME, FRIEND, STRANGER, USDC, SAFE = (WHO[name] for name in ("me", "friend", "stranger", "USDC", "SAFE"))
UNLIMITED: Final = 2**256 - 1
NUMBERS: Final = {"2**96-1": 2**96 - 1, "2**160-1": 2**160 - 1, "2**255": 2**255, "2**256-1": UNLIMITED}


class Known:
    """The tokens of the cast, as an owner's settings would know them."""

    def kind_of(self, contract: Address, /) -> AssetKind | None:
        kinds = {"PUNKS": AssetKind.ERC721, "GAMES": AssetKind.ERC1155}
        kinds |= dict.fromkeys(("USDC", "DAI", "WETH"), AssetKind.ERC20)
        return kinds.get(_NAMES.get(contract, ""))

    def underlying_of(self, vault: Address, /) -> Address | None:
        return USDC if vault == WHO["VAULT"] else None


def calldata(text: str, *values: Value) -> bytes:
    """A call of the function `text`."""
    function = abi.parse_function(text)
    return function.selector + abi.encode(function.inputs, values)


def read(
    data: bytes, *, to: Address | None = USDC, value: int | None = 0, sender: Address | None = ME, **more: Any
) -> Part:
    """What `data` does when it is sent to `to`."""
    settings: dict[str, Any] = {"chain": CHAIN, "knows": Known(), "budget": Budget.default()} | more
    return read_call(data, target=to, sender=sender, value=value, **settings)


def transfer(to: Address = FRIEND, amount: int = 5) -> bytes:
    return calldata("transfer(address to,uint256 value)", to, amount)


def approve(spender: Address = STRANGER, amount: int = UNLIMITED) -> bytes:
    return calldata("approve(address spender,uint256 value)", spender, amount)


def multicall(*datas: bytes) -> bytes:
    return calldata("multicall(bytes[] data)", datas)


def safe_exec(data: bytes, *, to: Address, operation: int = 0, value: int = 0, gas_price: int = 0) -> bytes:
    text = (
        "execTransaction(address to,uint256 value,bytes data,uint8 operation,uint256 safeTxGas,uint256 baseGas,"
        "uint256 gasPrice,address gasToken,address refundReceiver,bytes signatures)"
    )
    nobody = WHO["ZERO"]
    return calldata(text, to, value, data, operation, 0, 0, gas_price, nobody, nobody, b"\1" * 65)


def multi_send(*transactions: tuple[int, Address, int, bytes]) -> bytes:
    packed = b"".join(
        bytes([operation]) + to.raw + value.to_bytes(32) + len(data).to_bytes(32) + data
        for operation, to, value, data in transactions
    )
    return calldata("multiSend(bytes transactions)", packed)


# --------------------------------------------------------------------------------------------------- from JSON


def spelled(type_: AbiType, value: Any) -> Value:
    """A value of `type_` as the scenarios write it: names for addresses, hex or a function for bytes."""
    if type_.item is not None:
        return tuple(spelled(type_.item, each) for each in value)
    if type_.components:
        return tuple(spelled(part.type, each) for part, each in zip(type_.components, value, strict=True))
    if type_.kind is AbiKind.ADDRESS:
        return WHO[value]
    if type_.kind in {AbiKind.BYTES, AbiKind.FIXED_BYTES}:
        return spelled_bytes(value)
    if type_.kind in {AbiKind.UINT, AbiKind.INT} and isinstance(value, str):
        return NUMBERS[value]
    assert isinstance(value, (bool, int, str))
    return value


def spelled_bytes(value: Any) -> bytes:
    """Hex; a list of pieces, names being the 20 bytes of an address; or {"function": .., "arguments": ..}."""
    if isinstance(value, list):
        return b"".join(
            WHO[each].raw if isinstance(each, str) and each in WHO else spelled_bytes(each) for each in value
        )
    if isinstance(value, dict):
        whole = spelled_call(value["function"], value["arguments"])
        return whole[4:] if value.get("bare") else whole
    return WHO[value].raw if value in WHO else bytes.fromhex(value.removeprefix("0x"))


def spelled_call(text: str, arguments: list[Any]) -> bytes:
    function = abi.parse_function(text)
    values = tuple(spelled(each.type, value) for each, value in zip(function.inputs, arguments, strict=True))
    return function.selector + abi.encode(function.inputs, values)


# ------------------------------------------------------------------------------------------------------ to lines


def who(address: Address | None) -> str:
    return "?" if address is None else _NAMES.get(address, address.value)


def of_what(asset: AssetRef | None) -> str:
    if asset is None:
        return "something"
    if asset.contract is None:
        return "native"
    number = "" if asset.token_id is None else f"#{asset.token_id}"
    return f"{asset.kind.value}:{who(asset.contract)}{number}"


def done(consequence: Consequence) -> str:
    """A consequence as a line."""
    owner, other = who(consequence.owner), who(consequence.counterparty)
    if consequence.direction is Direction.CONTROL:
        return f"control {consequence.control} of {owner} to {other}"
    bound = "" if consequence.bound is Bound.EXACT else f"{consequence.bound.value} "
    amount = "?" if consequence.amount is None else number(consequence.amount)
    unlimited = " unlimited" if consequence.unlimited else ""
    until = "" if consequence.expires_at is None else f" until {consequence.expires_at}"
    arrow = "<-" if consequence.direction is Direction.IN else "->"
    asset = of_what(consequence.asset)
    return f"{consequence.direction.value} {owner} {arrow} {other}: {bound}{amount} of {asset}{unlimited}{until}"


def lines(shown: Shown) -> Iterator[str]:
    """A shown value and all inside it, a line each."""
    said = "" if shown.text is None else f" ({shown.text})"
    unlimited = " unlimited" if shown.unlimited else ""
    unit = f" of {of_what(shown.asset)}" if shown.kind in {ShownKind.AMOUNT, ShownKind.NFT} else ""
    value = f"part {shown.part.path}" if shown.part is not None else plain(shown.raw)
    value = "" if shown.kind is ShownKind.GROUP else f" {value}"
    yield f"{shown.path} [{shown.label}] {shown.kind.value}{value}{unit}{unlimited}{said}"
    for child in shown.children:
        yield from lines(child)


def plain(raw: Raw) -> str:
    if isinstance(raw, Address):
        return who(raw)
    if isinstance(raw, bytes):
        return f"0x{raw.hex()}"
    return number(raw) if type(raw) is int else str(raw)


def number(value: int) -> str:
    """Powers of two that people know by name."""
    return next((name for name, known in NUMBERS.items() if known == value), str(value))


def described(part: Part) -> dict[str, Any]:
    """A part as the scenarios write it."""
    found: dict[str, Any] = {
        "title": part.title,
        "standard": part.standard,
        "clarity": part.clarity.value,
        "shows": [line for shown in part.shown for line in lines(shown)],
        "does": [done(each) for each in part.consequences],
    }
    if part.oddities:
        found["odd"] = [each.code for each in part.oddities]
    if part.parts:
        found["parts"] = [inner(each) for each in part.parts]
    return found


def inner(part: Part) -> dict[str, Any]:
    value = "?" if part.value is None else part.value
    kind = "" if part.kind is PartKind.CALL else f" {part.kind.value}"
    return {"call": f"{part.path} {who(part.sender)} -> {who(part.target)} {value}{kind}"} | described(part)
