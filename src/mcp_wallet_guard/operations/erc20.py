"""ERC-20 calls as bytes and back: ``transfer`` and ``approve``, in their one canonical form.

Calldata is a selector and 32-byte words, left-padded; anything longer, shorter or padded otherwise is not read, since a
contract may read it in another way than we do. Source: EIP-20; Solidity ABI specification. Threat: T-020, T-028.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, final

from mcp_wallet_guard.operations.values import UINT256_MAX, Address, BaseUnits


class Function(StrEnum):
    """What an ERC-20 call does."""

    TRANSFER = "transfer"
    APPROVE = "approve"


_SELECTORS: Final = {
    Function.TRANSFER: bytes.fromhex("a9059cbb"),  # transfer(address,uint256)
    Function.APPROVE: bytes.fromhex("095ea7b3"),  # approve(address,uint256)
}
_FUNCTIONS: Final = {selector: function for function, selector in _SELECTORS.items()}
DECIMALS: Final = bytes.fromhex("313ce567")
"""The whole call ``decimals()``."""
_BALANCE_OF: Final = bytes.fromhex("70a08231")  # balanceOf(address)
_PADDING: Final = bytes(12)
_LENGTH: Final = 4 + 32 + 32
_TYPE_MAXIMA: Final = frozenset({2**96 - 1, 2**160 - 1, UINT256_MAX})
_UNLIMITED: Final = 2**255


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """`party` is who receives, or who may take; `amount` is in the token's smallest unit."""

    function: Function
    party: Address
    amount: BaseUnits


def encode(call: Call, /) -> bytes:
    """The 68 bytes of calldata."""
    return _SELECTORS[call.function] + _PADDING + call.party.raw + int(call.amount).to_bytes(32)


def decode(data: bytes, /) -> Call | None:
    """The call that `data` makes, None unless it is exactly one of ours in its canonical form."""
    function = _FUNCTIONS.get(data[:4])
    if function is None or len(data) != _LENGTH or data[4:16] != _PADDING:
        return None
    return Call(function=function, party=Address.from_bytes(data[16:36]), amount=BaseUnits(int.from_bytes(data[36:])))


def balance_of(account: Address, /) -> bytes:
    """The call that asks how much `account` holds."""
    return _BALANCE_OF + _PADDING + account.raw


def is_unlimited(amount: int, /) -> bool:
    """Whether an approval of `amount` has no limit in effect: 2**255 or more, or the largest number of a type that
    token contracts store (96, 160 or 256 bits)."""
    return amount >= _UNLIMITED or amount in _TYPE_MAXIMA
