"""Calls inside calls: what is hidden in a batch has the consequences that it has at the top."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mcp_wallet_guard.clearsign.decoders.accounts import EXECUTIONS
from mcp_wallet_guard.clearsign.decoders.permit2 import SINGLE
from mcp_wallet_guard.clearsign.tree import Clarity, Consequence, Direction, Part
from mcp_wallet_guard.operations import abi
from mcp_wallet_guard.operations.abi import parse_function
from mcp_wallet_guard.operations.values import Address
from tests.clearsign.decoders.cast import (
    FRIEND,
    ME,
    SAFE,
    STRANGER,
    UNLIMITED,
    USDC,
    WHO,
    approve,
    calldata,
    done,
    multi_send,
    multicall,
    read,
    safe_exec,
    transfer,
)

MULTISEND = WHO["MULTISEND"]
ACCOUNT = WHO["ACCOUNT"]


def all_of(part: Part) -> list[Consequence]:
    return [each for inner in part.walk() for each in inner.consequences]


def aggregate(data: bytes) -> bytes:
    return calldata("aggregate3((address target,bool allowFailure,bytes callData)[] calls)", ((USDC, True, data),))


def execute(data: bytes) -> bytes:
    return calldata("execute(address dest,uint256 value,bytes func)", USDC, 0, data)


def execute_mode(data: bytes) -> bytes:
    batch = abi.encode(parse_function(f"f({EXECUTIONS})").inputs, (((USDC, 0, data),),))
    return calldata("execute(bytes32 mode,bytes executionCalldata)", b"\1" + bytes(31), batch)


def user_operation(data: bytes) -> bytes:
    text = (
        "handleOps((address sender,uint256 nonce,bytes initCode,bytes callData,bytes32 accountGasLimits,"
        "uint256 preVerificationGas,bytes32 gasFees,bytes paymasterAndData,bytes signature)[] ops,address beneficiary)"
    )
    operation = (ACCOUNT, 0, b"", execute(data), bytes(32), 0, bytes(32), b"", b"")
    return calldata(text, (operation,), STRANGER)


def initializer(data: bytes) -> bytes:
    text = (
        "setup(address[] owners,uint256 threshold,address to,bytes data,address fallbackHandler,address paymentToken,"
        "uint256 payment,address paymentReceiver)"
    )
    nobody = WHO["ZERO"]
    batch = multi_send((0, USDC, 0, data))
    setup = calldata(text, (ME,), 1, MULTISEND, batch, nobody, nobody, 0, nobody)
    return calldata("createProxyWithNonce(address singleton,bytes initializer,uint256 saltNonce)", SAFE, setup, 0)


BATCHES: dict[str, tuple[Callable[[bytes], bytes], Address, Address | None]] = {
    "multicall": (multicall, USDC, ME),
    "multicall in multicall": (lambda data: multicall(multicall(transfer(), data)), USDC, ME),
    "Safe": (lambda data: safe_exec(data, to=USDC), SAFE, SAFE),
    "Safe, MultiSend": (
        lambda data: safe_exec(multi_send((0, FRIEND, 1, b""), (0, USDC, 0, data)), to=MULTISEND, operation=1),
        SAFE,
        SAFE,
    ),
    "multicall, Safe, MultiSend": (
        lambda data: multicall(safe_exec(multi_send((0, USDC, 0, data)), to=MULTISEND, operation=1)),
        SAFE,
        SAFE,
    ),
    "Safe, MultiSend by somebody's code": (
        lambda data: safe_exec(multi_send((0, USDC, 0, data)), to=STRANGER, operation=1),
        SAFE,
        SAFE,
    ),
    "Multicall3": (aggregate, WHO["MULTICALL3"], WHO["MULTICALL3"]),
    "a multicall at another address": (aggregate, STRANGER, None),
    "account": (execute, ACCOUNT, ACCOUNT),
    "ERC-7579": (execute_mode, ACCOUNT, ACCOUNT),
    "EntryPoint, account": (user_operation, WHO["ENTRY7"], ACCOUNT),
    "a new Safe's set-up": (initializer, STRANGER, None),
}


@pytest.mark.parametrize(("wrap", "to", "owner"), BATCHES.values(), ids=BATCHES.keys())
def test_an_approval_inside_a_batch_is_the_one_that_it_is_at_the_top(
    wrap: Callable[[bytes], bytes], to: Address, owner: Address | None
) -> None:
    """Threat: T-020, T-028."""
    (bare,) = read(approve()).consequences
    (hidden,) = [each for each in all_of(read(wrap(approve()), to=to)) if each.direction is Direction.ALLOW]

    assert hidden.owner == owner
    assert (hidden.asset, hidden.amount, hidden.counterparty, hidden.unlimited) == (
        bare.asset, UNLIMITED, STRANGER, True,
    )  # fmt: skip


@pytest.mark.parametrize(("wrap", "to", "owner"), BATCHES.values(), ids=BATCHES.keys())
def test_an_honest_batch_allows_nothing(wrap: Callable[[bytes], bytes], to: Address, owner: Address | None) -> None:
    found = all_of(read(wrap(transfer()), to=to))

    assert not [each for each in found if each.direction is Direction.ALLOW]
    assert [each.counterparty for each in found if each.owner == owner and each.amount == 5]


@pytest.mark.parametrize(("wrap", "to", "owner"), BATCHES.values(), ids=BATCHES.keys())
def test_a_batch_with_something_unreadable_inside_is_partial_at_best(
    wrap: Callable[[bytes], bytes], to: Address, owner: Address | None
) -> None:
    part = read(wrap(b"\x12\x34\x56\x78"), to=to)

    assert part.clarity is Clarity.PARTIAL
    assert Clarity.BLIND in {each.clarity for each in part.walk()}


def test_each_part_knows_its_place() -> None:
    data = safe_exec(multi_send((0, FRIEND, 1, b""), (0, USDC, 0, multicall(approve()))), to=MULTISEND, operation=1)

    assert [each.path for each in read(data, to=SAFE).walk()] == ["", "0", "0.0", "0.1", "0.1.0"]


def test_a_delegate_call_hidden_in_a_multisend_takes_the_safe() -> None:
    """Threat: T-020. What it calls itself does not matter: the code is somebody's."""
    batch = multi_send((0, USDC, 0, transfer()), (1, STRANGER, 0, transfer()))
    part = read(safe_exec(batch, to=MULTISEND, operation=1), to=SAFE)
    honest = read(safe_exec(multi_send((0, USDC, 0, transfer())), to=MULTISEND, operation=1), to=SAFE)

    (taken,) = [each for each in all_of(part) if each.control == "delegatecall"]
    assert (taken.owner, taken.counterparty) == (SAFE, STRANGER)
    assert part.clarity is Clarity.PARTIAL
    assert honest.clarity is Clarity.CLEAR
    assert not [each for each in all_of(honest) if each.direction is Direction.CONTROL]


def test_a_transfer_by_delegate_call_is_no_transfer() -> None:
    """The form of the theft from Bybit: a function named transfer, in code that replaced the Safe's own."""
    part = read(safe_exec(transfer(STRANGER, 0), to=STRANGER, operation=1), to=SAFE)
    (inner,) = part.parts

    assert inner.clarity is Clarity.BLIND
    assert inner.title == "Run another contract's code as this account"
    assert done(inner.consequences[0]) == "control delegatecall of SAFE to stranger"


def test_an_unlimited_permit_in_a_universal_router_program_is_unlimited() -> None:
    """Threat: T-028."""
    permit = abi.encode(
        parse_function(f"f({SINGLE} permitSingle,bytes signature)").inputs,
        (((USDC, 2**160 - 1, 2**48 - 1, 0), STRANGER, 2**256 - 1), b"\1" * 65),
    )
    data = calldata("execute(bytes commands,bytes[] inputs)", b"\x0a", (permit,))
    part = read(data, to=WHO["UNIVERSAL"])

    (allowed,) = part.consequences
    assert (allowed.owner, allowed.counterparty, allowed.unlimited) == (ME, STRANGER, True)
    assert allowed.expires_at == 2**48 - 1


def test_a_permit_that_is_sent_as_a_call_allows_what_its_owner_signed() -> None:
    """Threat: T-028. Whoever sends it, whatever it is wrapped in."""
    text = "permit(address owner,address spender,uint256 value,uint256 deadline,uint8 v,bytes32 r,bytes32 s)"
    data = calldata(text, ME, STRANGER, UNLIMITED, 1, 27, bytes(32), bytes(32))
    part = read(aggregate(data), to=WHO["MULTICALL3"], sender=FRIEND)

    assert [done(each) for each in all_of(part)] == ["allow me -> stranger: 2**256-1 of erc20:USDC unlimited"]


def test_a_command_with_an_unknown_bit_is_unknown() -> None:
    """A router of another version reads the bit 0x40 as part of the command."""
    pull = abi.encode(parse_function("f(address token,address recipient,uint160 amount)").inputs, (USDC, STRANGER, 5))
    known = read(calldata("execute(bytes commands,bytes[] inputs)", b"\x02", (pull,)), to=WHO["UNIVERSAL"])
    other = read(calldata("execute(bytes commands,bytes[] inputs)", b"\x42", (pull,)), to=WHO["UNIVERSAL"])

    assert (known.clarity, other.clarity) == (Clarity.CLEAR, Clarity.PARTIAL)


@pytest.mark.parametrize(
    "data",
    [
        multi_send((2, FRIEND, 1, b"")),
        multi_send((0, FRIEND, 1, b""))[:4] + abi.encode(parse_function("f(bytes b)").inputs, (b"\0" * 84,)),
        calldata("multiSend(bytes transactions)", bytes(21) + bytes(32) + (33).to_bytes(32) + bytes(32)),
        safe_exec(b"", to=FRIEND, operation=2),
        calldata("execute(bytes commands,bytes[] inputs)", b"\x02\x02", (b"",)),
        calldata("execute(bytes32 mode,bytes executionCalldata)", bytes(32), bytes(51)),
        calldata("execute(bytes32 mode,bytes executionCalldata)", b"\1\2" + bytes(30), bytes(64)),
        calldata("executeBatch(address[] dest,bytes[] func)", (USDC,), ()),
        calldata(
            "safeBatchTransferFrom(address from,address to,uint256[] ids,uint256[] amounts,bytes data)",
            ME, FRIEND, (1,), (), b"",
        ),
        calldata(
            "swapExactETHForTokens(uint256 amountOutMin,address[] path,address to,uint256 deadline)", 1, (USDC,), ME, 1
        ),
    ],
    ids=[
        "an operation of MultiSend", "a head that is cut short", "data that is cut short", "an operation of a Safe",
        "commands without inputs", "an execution that is cut short", "an execution type", "targets without calls",
        "ids without amounts", "a path of one token",
    ],
)  # fmt: skip
def test_arguments_that_mean_nothing_are_malformed(data: bytes) -> None:
    part = read(data)

    assert part.clarity is Clarity.BLIND
    assert "calldata.malformed" in {each.code for each in part.oddities}


def test_what_was_found_before_something_malformed_stays_found() -> None:
    data = multi_send((0, USDC, 0, approve()), (9, USDC, 0, approve()))
    part = read(safe_exec(data, to=MULTISEND, operation=1), to=SAFE)

    assert part.parts[0].clarity is Clarity.BLIND
    assert [each.direction for each in all_of(part)].count(Direction.ALLOW) == 1


def test_what_is_sent_to_a_safe_is_not_what_it_sends() -> None:
    part = read(safe_exec(b"", to=FRIEND, value=5), to=SAFE, value=2)

    assert [done(each) for each in all_of(part)] == [
        "out me -> SAFE: 2 of native", "out SAFE -> friend: 5 of native",
    ]  # fmt: skip


def test_a_refund_of_gas_leaves_the_safe_without_a_bound() -> None:
    part = read(safe_exec(transfer(), to=USDC, gas_price=1), to=SAFE)

    assert done(part.consequences[0]) == "out SAFE -> ?: ? of native"


def test_the_zero_address_in_a_batch_of_an_account_is_the_account() -> None:
    install = calldata("installModule(uint256 moduleTypeId,address module,bytes initData)", 2, STRANGER, b"")
    batch = abi.encode(parse_function(f"f({EXECUTIONS})").inputs, (((WHO["ZERO"], 0, install),),))
    part = read(calldata("execute(bytes32 mode,bytes executionCalldata)", b"\1" + bytes(31), batch), to=ACCOUNT)

    assert [done(each) for each in all_of(part)] == ["control account.module of ACCOUNT to stranger"]
