"""Uniswap's Universal Router: a program of commands, each with arguments of its own.

A command that is not in the table, or that a router of another version reads in another way, is shown as bytes, and the
part is PARTIAL. Source: Uniswap universal-router, "Commands" and "Dispatcher". Threat: T-020.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

from mcp_wallet_guard.clearsign.decoders import places
from mcp_wallet_guard.clearsign.decoders.draft import Draft, Reader, malformed
from mcp_wallet_guard.clearsign.decoders.functions import Functions
from mcp_wallet_guard.clearsign.decoders.permit2 import BATCH, SINGLE, TRANSFER, Details, Transfer, allow_one
from mcp_wallet_guard.clearsign.decoders.showing import Note
from mcp_wallet_guard.clearsign.decoders.swaps import (
    CONTRACT_BALANCE,
    Swap,
    comes,
    hops,
    packed_hops,
    percent,
    recipient_of,
    swap,
)
from mcp_wallet_guard.clearsign.tree import AssetRef, Clarity
from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations.values import Address

UNIVERSAL: Final = Functions("Uniswap Universal Router")
UNKNOWN_COMMAND: Final = "command.unknown"
_MAY_FAIL: Final = 0x80
_HEAD: Final = "address recipient,uint256"
_IN: Final = f"({_HEAD} amountIn,uint256 amountOutMin,"
_OUT: Final = f"({_HEAD} amountOut,uint256 amountInMax,"
_BIPS: Final = 100


@UNIVERSAL.reads("execute(bytes commands,bytes[] inputs)", title="Run a program of a router", payable=True)
def execute(draft: Draft, commands: bytes, inputs: tuple[bytes, ...]) -> None:
    draft.is_at(places.UNIVERSAL_ROUTER)
    _run(draft, "#", commands, inputs)


@UNIVERSAL.reads(
    "execute(bytes commands,bytes[] inputs,uint256 deadline)", title="Run a program of a router", payable=True
)
def execute_until(draft: Draft, commands: bytes, inputs: tuple[bytes, ...], _deadline: int) -> None:
    execute(draft, commands, inputs)


def _run(draft: Draft, path: str, commands: bytes, inputs: tuple[bytes, ...]) -> None:
    if len(commands) != len(inputs):
        raise malformed("as many commands as inputs")
    for number, (byte, data) in enumerate(zip(commands, inputs, strict=True)):
        _command(draft, f"{path}.inputs.[{number}]", byte, data)


def _command(draft: Draft, path: str, byte: int, data: bytes) -> None:
    command = _COMMANDS.get(byte & ~_MAY_FAIL)
    may_fail = ", which may fail" if byte & _MAY_FAIL else ""
    if command is None:
        draft.lower(Clarity.PARTIAL)
        draft.odd(UNKNOWN_COMMAND, command=f"0x{byte:02x}", path=path)
        draft.notes[path] = Note(label=f"Command 0x{byte:02x}{may_fail}")
        return
    try:
        draft.opened(path, data, command.text, command.reader, label=f"{command.title}{may_fail}")
    except InvalidInput:
        if draft.call.budget.nodes < 0 or draft.call.budget.size < 0:
            raise
        draft.lower(Clarity.PARTIAL)
        draft.odd("command.malformed", command=f"0x{byte:02x}", path=path)
        draft.notes[path] = Note(label=f"{command.title}{may_fail}, in a form that cannot be read")


def _v3_in(draft: Draft, at: str, named: Address, pay: int, get: int, path: bytes, by_user: bool) -> None:
    give, take = packed_hops(draft, f"{at}.path", path)
    _swap(draft, at, give, take, pay, get, exact_in=True, named=named, by_user=by_user)


def _v3_out(draft: Draft, at: str, named: Address, get: int, pay: int, path: bytes, by_user: bool) -> None:
    take, give = packed_hops(draft, f"{at}.path", path)
    _swap(draft, at, give, take, pay, get, exact_in=False, named=named, by_user=by_user)


def _v2_in(draft: Draft, at: str, named: Address, pay: int, get: int, path: tuple[Address, ...], by_user: bool) -> None:
    give, take = hops(path)
    _swap(draft, at, give, take, pay, get, exact_in=True, named=named, by_user=by_user)


def _v2_out(
    draft: Draft, at: str, named: Address, get: int, pay: int, path: tuple[Address, ...], by_user: bool
) -> None:
    give, take = hops(path)
    _swap(draft, at, give, take, pay, get, exact_in=False, named=named, by_user=by_user)


def _transfer_from(draft: Draft, at: str, token: Address, named: Address, amount: int) -> None:
    asset = draft.erc20(token)
    draft.amount(f"{at}.amount", asset)
    draft.out(asset, amount, owner=draft.me, to=recipient_of(draft, f"{at}.recipient", named))


def _transfer_from_batch(draft: Draft, at: str, transfers: tuple[Transfer, ...]) -> None:
    for number, (owner, to, amount, token) in enumerate(transfers):
        asset = draft.erc20(token)
        draft.amount(f"{at}.transferDetails.[{number}].amount", asset)
        draft.moves(asset, amount, owner=owner, to=to)


def _permit(draft: Draft, at: str, single: tuple[Details, Address, int], _signature: bytes) -> None:
    allow_one(draft, f"{at}.permitSingle.details", single[0], owner=draft.me, spender=single[1])


def _permit_batch(draft: Draft, at: str, batch: tuple[tuple[Details, ...], Address, int], _signature: bytes) -> None:
    for number, details in enumerate(batch[0]):
        allow_one(draft, f"{at}.permitBatch.details.[{number}]", details, owner=draft.me, spender=batch[1])


def _sweep(draft: Draft, at: str, token: Address, named: Address, least: int) -> None:
    asset = _asset(draft, token)
    draft.amount(f"{at}.amountMin", asset)
    comes(draft, asset, least, to=recipient_of(draft, f"{at}.recipient", named), exact=False)


def _transfer(draft: Draft, at: str, token: Address, named: Address, value: int) -> None:
    asset = _asset(draft, token)
    amount = _amount(draft, f"{at}.value", asset, value)
    comes(draft, asset, amount, to=recipient_of(draft, f"{at}.recipient", named), exact=True)


def _pay_portion(draft: Draft, at: str, token: Address, named: Address, bips: int) -> None:
    draft.says(f"{at}.bips", f"{percent(bips * _BIPS)} of what the router holds")
    comes(draft, _asset(draft, token), None, to=recipient_of(draft, f"{at}.recipient", named), exact=True)


def _wrap(draft: Draft, at: str, named: Address, value: int) -> None:
    amount = _amount(draft, f"{at}.amount", draft.native, value)
    comes(draft, draft.wrapped, amount, to=recipient_of(draft, f"{at}.recipient", named), exact=True)


def _unwrap(draft: Draft, at: str, named: Address, least: int) -> None:
    draft.amount(f"{at}.amountMin", draft.native)
    comes(draft, draft.native, least, to=recipient_of(draft, f"{at}.recipient", named), exact=False)


def _balance_check(draft: Draft, at: str, _owner: Address, token: Address, least: int) -> None:
    del least
    draft.amount(f"{at}.minBalance", draft.erc20(token))


def _sub_plan(draft: Draft, at: str, commands: bytes, inputs: tuple[bytes, ...]) -> None:
    with draft.call.budget.inside():
        _run(draft, at, commands, inputs)


@final
@dataclass(frozen=True, slots=True)
class _Command:
    text: str
    title: str
    reader: Reader


_COMMANDS: Final = {
    0x00: _Command(f"v3In{_IN}bytes path,bool payerIsUser)", "Swap in V3 pools", _v3_in),
    0x01: _Command(f"v3Out{_OUT}bytes path,bool payerIsUser)", "Swap in V3 pools", _v3_out),
    0x02: _Command("pull(address token,address recipient,uint160 amount)", "Send tokens by Permit2", _transfer_from),
    0x03: _Command(f"permits({BATCH} permitBatch,bytes signature)", "Allow tokens in Permit2", _permit_batch),
    0x04: _Command("sweep(address token,address recipient,uint256 amountMin)", "Pay all that is left", _sweep),
    0x05: _Command("transfer(address token,address recipient,uint256 value)", "Pay from the router", _transfer),
    0x06: _Command("portion(address token,address recipient,uint256 bips)", "Pay a portion", _pay_portion),
    0x08: _Command(f"v2In{_IN}address[] path,bool payerIsUser)", "Swap in V2 pools", _v2_in),
    0x09: _Command(f"v2Out{_OUT}address[] path,bool payerIsUser)", "Swap in V2 pools", _v2_out),
    0x0A: _Command(f"permit({SINGLE} permitSingle,bytes signature)", "Allow tokens in Permit2", _permit),
    0x0B: _Command("wrap(address recipient,uint256 amount)", "Wrap native currency", _wrap),
    0x0C: _Command("unwrap(address recipient,uint256 amountMin)", "Unwrap native currency", _unwrap),
    0x0D: _Command(f"pulls({TRANSFER}[] transferDetails)", "Send tokens by Permit2", _transfer_from_batch),
    0x0E: _Command("check(address owner,address token,uint256 minBalance)", "Require a balance", _balance_check),
    0x21: _Command("plan(bytes commands,bytes[] inputs)", "Run a program inside this one", _sub_plan),
}


def commands() -> dict[int, str]:
    """The commands that are read: byte -> text of its arguments, after a name of ours."""
    return {byte: command.text for byte, command in _COMMANDS.items()}


def _asset(draft: Draft, token: Address) -> AssetRef:
    """The zero address stands for the native currency."""
    return draft.erc20(token) if any(token.raw) else draft.native


def _amount(draft: Draft, path: str, asset: AssetRef, value: int) -> int | None:
    if value == CONTRACT_BALANCE:
        draft.says(path, "all that the router holds")
        return None
    draft.amount(path, asset)
    return value


def _swap(
    draft: Draft, at: str, give: Address, take: Address, pay: int, get: int, /, *, exact_in: bool, named: Address,
    by_user: bool,
) -> None:  # fmt: skip
    paid, wanted = ("amountIn", "amountOutMin") if exact_in else ("amountInMax", "amountOut")
    most = _amount(draft, f"{at}.{paid}", draft.erc20(give), pay) if exact_in else pay
    if not exact_in:
        draft.amount(f"{at}.{paid}", draft.erc20(give))
    draft.amount(f"{at}.{wanted}", draft.erc20(take))
    swap(
        draft,
        Swap(
            give=give, take=take, pay=most, get=get, exact_in=exact_in, payer=draft.me, by_router=not by_user,
            recipient=recipient_of(draft, f"{at}.recipient", named),
        ),
    )  # fmt: skip
