"""ERC-4337's EntryPoint: operations of accounts, of version 0.6 and of 0.7 on. Threat: T-020."""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard.clearsign.decoders import places
from mcp_wallet_guard.clearsign.decoders.draft import Draft, malformed
from mcp_wallet_guard.clearsign.decoders.functions import Functions
from mcp_wallet_guard.clearsign.tree import Bound, Clarity
from mcp_wallet_guard.operations.values import Address

ERC4337: Final = Functions("ERC-4337")
_TITLE: Final = "Run operations of accounts"
_ACCOUNT_OF_7702: Final = bytes.fromhex("7702")


@ERC4337.reads(
    "handleOps((address sender,uint256 nonce,bytes initCode,bytes callData,uint256 callGasLimit,"
    "uint256 verificationGasLimit,uint256 preVerificationGas,uint256 maxFeePerGas,uint256 maxPriorityFeePerGas,"
    "bytes paymasterAndData,bytes signature)[] ops,address beneficiary)",
    title=_TITLE,
)
def handle_ops(
    draft: Draft,
    ops: tuple[tuple[Address, int, bytes, bytes, int, int, int, int, int, bytes, bytes], ...],
    beneficiary: Address,
) -> None:
    draft.is_at(places.ENTRY_POINT)
    for number, (account, _nonce, code, data, call, verification, before, fee, _tip, paymaster, _) in enumerate(ops):
        _operation(draft, f"#.ops.[{number}]", account, code, data)
        _fee(draft, account, paymaster, (call + verification + before) * fee, beneficiary)


@ERC4337.reads(
    "handleOps((address sender,uint256 nonce,bytes initCode,bytes callData,bytes32 accountGasLimits,"
    "uint256 preVerificationGas,bytes32 gasFees,bytes paymasterAndData,bytes signature)[] ops,address beneficiary)",
    title=_TITLE,
)
def handle_packed_ops(
    draft: Draft,
    ops: tuple[tuple[Address, int, bytes, bytes, bytes, int, bytes, bytes, bytes], ...],
    beneficiary: Address,
) -> None:
    draft.is_at(places.ENTRY_POINT)
    for number, (account, _nonce, code, data, limits, before, fees, paymaster, _) in enumerate(ops):
        verification, call = int.from_bytes(limits[:16]), int.from_bytes(limits[16:])
        most = int.from_bytes(fees[16:])
        draft.says(f"#.ops.[{number}].accountGasLimits", f"verification {verification}, call {call}")
        draft.says(f"#.ops.[{number}].gasFees", f"at most {most} wei, of which {int.from_bytes(fees[:16])} as a tip")
        _operation(draft, f"#.ops.[{number}]", account, code, data)
        _fee(draft, account, paymaster, (call + verification + before) * most, beneficiary)


def _operation(draft: Draft, path: str, account: Address, code: bytes, data: bytes) -> None:
    """First the account is made where there is none, by a helper of the EntryPoint; then the EntryPoint calls it."""
    if code.startswith(_ACCOUNT_OF_7702):
        draft.lower(Clarity.PARTIAL)  # what it initialises the account with has no form that all share
    elif code:
        if len(code) < 20:
            raise malformed("the address of a factory")
        draft.control("create", of=account)
        draft.calls(f"{path}.initCode", code[20:], target=Address.from_bytes(code[:20]), sender=None, value=0)
    if data:
        draft.calls(f"{path}.callData", data, target=account, sender=draft.this, value=0)


def _fee(draft: Draft, account: Address, paymaster: bytes, most: int, beneficiary: Address) -> None:
    """Who pays: the account, unless a paymaster does, whose own data may say that it takes tokens for it."""
    if paymaster:
        draft.lower(Clarity.DECODED)
        return
    draft.out(draft.native, most, owner=account, to=beneficiary, bound=Bound.AT_MOST)
