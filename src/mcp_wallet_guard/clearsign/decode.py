"""What the frozen bytes do. All that cannot be shown in full is refused: other calldata, kinds and chains.

Threat: T-006, T-007, T-020, T-036, T-037.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

from mcp_wallet_guard.errors import InvalidInput, PolicyDenied
from mcp_wallet_guard.operations import erc20
from mcp_wallet_guard.operations.evm import Eip1559
from mcp_wallet_guard.operations.frozen import KIND_EIP1559, FrozenOperation
from mcp_wallet_guard.operations.intents import KIND_OF_CALL, EffectKind
from mcp_wallet_guard.operations.values import UINT256_MAX, Account, Address, Asset, BaseUnits

_NOTHING: Final = BaseUnits(0)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """Everything that the bytes of a payment say. `amount` is in the smallest unit of `token`, or wei without one; fees
    per gas are wei, `gas` the limit. For an approval `payee` is who may take that much, once or little by little.
    `data_fee` is no part of the bytes: what is counted, in wei, for data that the chain charges for beside the gas."""

    kind: EffectKind
    account: Account
    token: Asset | None
    payee: Address
    amount: BaseUnits
    nonce: int
    gas: int
    max_fee_per_gas: BaseUnits
    max_priority_fee_per_gas: BaseUnits
    data_fee: BaseUnits = _NOTHING

    @property
    def takes_back(self) -> bool:
        """Whether it only takes an allowance back."""
        return self.kind is EffectKind.TOKEN_APPROVAL and self.amount == 0

    @property
    def max_fee(self) -> BaseUnits:
        """The most that the fee can be by what is signed, in wei."""
        return BaseUnits(self.gas * self.max_fee_per_gas)

    @property
    def counted_fee(self) -> BaseUnits:
        """What limits count as the fee, in wei: the highest one, and the data's."""
        return BaseUnits(self.max_fee + self.data_fee)

    @property
    def total(self) -> BaseUnits:
        """What may leave the account, in wei: the counted fee, and the amount unless it is of a token."""
        return BaseUnits(self.counted_fee + (0 if self.token is not None else self.amount))


def decode(operation: FrozenOperation, /, *, token: Asset | None = None) -> Payment:
    """The payment that the bytes perform; `token` is the pinned one whose contract they may call.

    Raises PolicyDenied("policy.undecodable") for anything else than a native transfer without calldata, or a canonical
    `transfer` or `approve` of exactly that contract without native currency.
    """
    tx = _transaction(operation)
    return _payment(operation, tx, *_effect(tx, token))


def decode_call(operation: FrozenOperation, /) -> Payment:
    """The envelope of a contract call as a payment to the contract: its value, nonce and fee. What the call itself does
    is `contract_calls`' to say. Raises as `decode` for bytes that are no transaction of the account's chain."""
    tx = _transaction(operation)
    return _payment(operation, tx, EffectKind.CONTRACT_CALL, None, tx.to, BaseUnits(tx.value))


def _transaction(operation: FrozenOperation) -> Eip1559:
    if operation.kind != KIND_EIP1559:
        raise _undecodable("not an EIP-1559 transaction")
    try:
        tx = operation.transaction
    except InvalidInput:
        raise _undecodable("the bytes do not parse") from None
    if tx.chain != operation.account.chain:
        raise _undecodable("the bytes are for another chain")
    if tx.value + tx.max_fee > UINT256_MAX:
        raise _undecodable("amount and fee exceed what any account can hold")
    return tx


def _payment(
    operation: FrozenOperation, tx: Eip1559, kind: EffectKind, token: Asset | None, payee: Address, amount: BaseUnits
) -> Payment:
    return Payment(
        kind=kind,
        account=operation.account,
        token=token,
        payee=payee,
        amount=amount,
        nonce=tx.nonce,
        gas=tx.gas,
        max_fee_per_gas=BaseUnits(tx.max_fee_per_gas),
        max_priority_fee_per_gas=BaseUnits(tx.max_priority_fee_per_gas),
    )


def _effect(tx: Eip1559, token: Asset | None) -> tuple[EffectKind, Asset | None, Address, BaseUnits]:
    if not tx.data:
        return EffectKind.TRANSFER, None, tx.to, BaseUnits(tx.value)
    call = erc20.decode(tx.data)
    if call is None or token is None or token.address != tx.to or token.chain != tx.chain:
        raise _undecodable(f"{len(tx.data)} bytes of calldata")
    if tx.value:
        raise _undecodable("a token's call with native currency")
    return KIND_OF_CALL[call.function], token, call.party, call.amount


def _undecodable(detail: str) -> PolicyDenied:
    return PolicyDenied("policy.undecodable", detail=detail)
