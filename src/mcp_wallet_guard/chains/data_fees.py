"""What rollups take for data: their oracles, what they are asked, and what an answer may be.

`getL1Fee(bytes)` takes the transaction as it would be signed; the OP-stack's oracle adds the size of a signature by
itself, Scroll's does not. Mantle's answers in ether, and `tokenRatio()` says how much of its own currency that is.
Since its Isthmus upgrade an OP-stack chain may also take an operator fee by the gas, which the signature does not cap
either; an oracle that does not have the function has no such fee.
Source: GasPriceOracle of the OP-stack and of Mantle, L1GasPriceOracle of Scroll.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

from mcp_wallet_guard.chains.shapes import garbled, lied
from mcp_wallet_guard.clearsign.rollups import charges_for_data
from mcp_wallet_guard.operations.evm import Eip1559, encode_unsigned
from mcp_wallet_guard.operations.values import Address, ChainId, keccak256

MOST: Final = 2**96 - 1
"""Wei, and the same as a ratio: more than all ether that there is."""
_OP_STACK: Final = Address("0x420000000000000000000000000000000000000F")
_SCROLL: Final = Address("0x5300000000000000000000000000000000000002")
_MANTLE_CHAIN: Final = 5000
_SCROLL_CHAIN: Final = 534352
_SIGNATURE: Final = b"\xff" * 68


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Oracle:
    """Where a chain says what data costs. `adds_signature` and `in_ether` as above."""

    address: Address
    adds_signature: bool = True
    in_ether: bool = False
    has_operator: bool = True

    def data_call(self, tx: Eip1559, /) -> bytes:
        """Calldata that asks for the fee of the data of `tx`."""
        raw = encode_unsigned(tx) + (b"" if self.adds_signature else _SIGNATURE)
        return DATA_FEE + (32).to_bytes(32) + len(raw).to_bytes(32) + raw + bytes(-len(raw) % 32)

    def operator_call(self, tx: Eip1559, /) -> bytes:
        """Calldata that asks for the operator's fee of as much gas as `tx` may use."""
        return OPERATOR_FEE + tx.gas.to_bytes(32)


def oracle_of(chain: ChainId, /) -> Oracle | None:
    """The oracle of a chain that charges for data, None for every other one."""
    if not charges_for_data(chain):
        return None
    if chain.number == _SCROLL_CHAIN:
        return Oracle(address=_SCROLL, adds_signature=False, has_operator=False)
    return Oracle(address=_OP_STACK, in_ether=chain.number == _MANTLE_CHAIN)


def number(answer: bytes, /) -> int:
    """The one number of an answer. Raises Unavailable for any other answer, and for one beyond all money."""
    if len(answer) != 32:
        raise garbled("no number from the oracle of data fees")
    return within(int.from_bytes(answer))


def within(wei: int, /) -> int:
    """`wei`. Raises Unavailable when it is beyond all money."""
    if wei > MOST:
        raise lied("a data fee that cannot be")
    return wei


def _selector(signature: str) -> bytes:
    return keccak256(signature.encode("ascii"))[:4]


DATA_FEE: Final = _selector("getL1Fee(bytes)")
OPERATOR_FEE: Final = _selector("getOperatorFee(uint256)")
TOKEN_RATIO: Final = _selector("tokenRatio()")
