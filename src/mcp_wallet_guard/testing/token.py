"""A small ERC-20 contract for private chains, assembled here, so that no compiler is needed.

`creation_code(decimals, supply)` is what a deployment sends; the deployer gets the whole supply. It has `decimals`,
`balanceOf`, `transfer`, `approve`, `allowance` and `transferFrom`, and their events. Nothing is checked for overflow,
since there is never more than the supply. Source: EIP-20.
"""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard.testing.bytecode import assembled

_TRANSFER: Final = "Transfer(address,address,uint256)"
_APPROVAL: Final = "Approval(address,address,uint256)"

# A balance is stored under its holder's address; what a spender may take of an owner, under the hash of both.
_FROM, _TO, _AMOUNT = 0x60, 0x80, 0xA0
_SOURCE: Final = f"""
    0 CALLDATALOAD 224 SHR
    DUP1 {{decimals()}} EQ @decimals JUMPI
    DUP1 {{balanceOf(address)}} EQ @balance JUMPI
    DUP1 {{transfer(address,uint256)}} EQ @transfer JUMPI
    DUP1 {{approve(address,uint256)}} EQ @approve JUMPI
    DUP1 {{allowance(address,address)}} EQ @allowance JUMPI
    DUP1 {{transferFrom(address,address,uint256)}} EQ @take JUMPI
    @fail JUMP

    :decimals  DECIMALS 0 MSTORE 32 0 RETURN
    :balance   4 CALLDATALOAD SLOAD 0 MSTORE 32 0 RETURN
    :allowance 4 CALLDATALOAD 0 MSTORE 36 CALLDATALOAD 32 MSTORE 64 0 KECCAK256 SLOAD 0 MSTORE 32 0 RETURN

    :approve
    CALLER 0 MSTORE 4 CALLDATALOAD 32 MSTORE 36 CALLDATALOAD 64 0 KECCAK256 SSTORE
    36 CALLDATALOAD 0 MSTORE 4 CALLDATALOAD CALLER #{_APPROVAL} 32 0 LOG3
    @yes JUMP

    :transfer
    CALLER {_FROM} MSTORE 4 CALLDATALOAD {_TO} MSTORE 36 CALLDATALOAD {_AMOUNT} MSTORE
    @move JUMP

    :take
    4 CALLDATALOAD {_FROM} MSTORE 36 CALLDATALOAD {_TO} MSTORE 68 CALLDATALOAD {_AMOUNT} MSTORE
    4 CALLDATALOAD 0 MSTORE CALLER 32 MSTORE 64 0 KECCAK256
    DUP1 SLOAD
    68 CALLDATALOAD DUP2 LT @fail JUMPI
    68 CALLDATALOAD SWAP1 SUB
    SWAP1 SSTORE
    @move JUMP

    :move
    {_AMOUNT} MLOAD {_FROM} MLOAD SLOAD
    DUP2 DUP2 LT @fail JUMPI
    SUB {_FROM} MLOAD SSTORE
    {_AMOUNT} MLOAD {_TO} MLOAD SLOAD ADD {_TO} MLOAD SSTORE
    {_AMOUNT} MLOAD 0 MSTORE {_TO} MLOAD {_FROM} MLOAD #{_TRANSFER} 32 0 LOG3
    @yes JUMP

    :yes  1 0 MSTORE 32 0 RETURN
    :fail 0 0 REVERT
"""
_CONSTRUCTOR: Final = "SUPPLY CALLER SSTORE SIZE START 0 CODECOPY SIZE 0 RETURN"


def creation_code(*, decimals: int, supply: int) -> bytes:
    """What a deployment sends. `supply`, in the smallest unit, goes to whoever sends it."""
    runtime = assembled(_SOURCE, {"DECIMALS": decimals})
    numbers = {"SUPPLY": supply, "SIZE": len(runtime), "START": 0xFF}
    start = len(assembled(_CONSTRUCTOR, numbers))
    return assembled(_CONSTRUCTOR, numbers | {"START": start}) + runtime
