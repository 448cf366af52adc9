"""The contract that says what a rollup takes for data, in the place where the OP-stack has it. Source: GasPriceOracle.

`getL1Fee(bytes)` answers by a price per byte, `getOperatorFee(uint256)` by a price per gas; anybody may set them, since
this is a contract for tests. Nothing is really taken: the test chain's own fee is the gas alone.
"""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.testing.bytecode import assembled

ADDRESS: Final = Address("0x420000000000000000000000000000000000000F")
_SOURCE: Final = """
    0 CALLDATALOAD 224 SHR
    DUP1 {getL1Fee(bytes)} EQ @data JUMPI
    DUP1 {getOperatorFee(uint256)} EQ @operator JUMPI
    DUP1 {setPrices(uint256,uint256)} EQ @set JUMPI
    DUP1 {tokenRatio()} EQ @ratio JUMPI
    0 0 REVERT

    :ratio    1 0 MSTORE 32 0 RETURN
    :data     36 CALLDATALOAD 0 SLOAD MUL 0 MSTORE 32 0 RETURN
    :operator 4 CALLDATALOAD 1 SLOAD MUL 0 MSTORE 32 0 RETURN
    :set      4 CALLDATALOAD 0 SSTORE 36 CALLDATALOAD 1 SSTORE 0 0 RETURN
"""


def code() -> bytes:
    """What stands at `ADDRESS`."""
    return assembled(_SOURCE, {})


def set_prices(*, per_byte: int, per_gas: int) -> bytes:
    """Calldata that sets both prices, in wei."""
    return assembled("{setPrices(uint256,uint256)}", {})[1:] + per_byte.to_bytes(32) + per_gas.to_bytes(32)
