"""Frozen bytes -> the one action that they perform, or a refusal.

What cannot be shown in full is not shown at all: calldata, other transaction kinds and other chains are refused.
Threat: T-020, T-036, T-037.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from mcp_wallet_guard.errors import InvalidInput, PolicyDenied
from mcp_wallet_guard.operations.frozen import KIND_EIP1559, FrozenOperation
from mcp_wallet_guard.operations.values import UINT256_MAX, Account, Address, BaseUnits


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class NativeTransfer:
    """Everything that the bytes of a plain payment say. Amounts are wei, fees per gas wei, `gas` the limit."""

    account: Account
    payee: Address
    amount: BaseUnits
    nonce: int
    gas: int
    max_fee_per_gas: BaseUnits
    max_priority_fee_per_gas: BaseUnits

    @property
    def max_fee(self) -> BaseUnits:
        """The most that the fee can be, in wei."""
        return BaseUnits(self.gas * self.max_fee_per_gas)

    @property
    def total(self) -> BaseUnits:
        """Amount and highest fee, in wei: the most that can leave the account."""
        return BaseUnits(self.amount + self.max_fee)


def decode(operation: FrozenOperation, /) -> NativeTransfer:
    """The native transfer that the bytes perform. Raises PolicyDenied("policy.undecodable") for anything else."""
    if operation.kind != KIND_EIP1559:
        raise PolicyDenied("policy.undecodable", detail="not an EIP-1559 transaction")
    try:
        tx = operation.transaction
    except InvalidInput:
        raise PolicyDenied("policy.undecodable", detail="the bytes do not parse") from None
    if tx.chain != operation.account.chain:
        raise PolicyDenied("policy.undecodable", detail="the bytes are for another chain")
    if tx.data:
        raise PolicyDenied("policy.undecodable", detail=f"{len(tx.data)} bytes of calldata")
    if tx.value + tx.max_fee > UINT256_MAX:
        raise PolicyDenied("policy.undecodable", detail="amount and fee exceed what any account can hold")
    return NativeTransfer(
        account=operation.account,
        payee=tx.to,
        amount=BaseUnits(tx.value),
        nonce=tx.nonce,
        gas=tx.gas,
        max_fee_per_gas=BaseUnits(tx.max_fee_per_gas),
        max_priority_fee_per_gas=BaseUnits(tx.max_priority_fee_per_gas),
    )
