"""What the owners of a Safe sign: transactions and messages of the Safe, as fields, typed data and hashes.

From version 1.3.0 on the domain names chain and Safe; before, the Safe alone, so that a signature is good on every
chain where a Safe has this address. Recognition goes by the exact types, never by a name.
Source: Safe contracts 1.4.1, `Safe.sol` and `CompatibilityFallbackHandler.sol`. Threat: T-032.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, final

from mcp_wallet_guard.operations import typed_data
from mcp_wallet_guard.operations.typed_data import Domain, Struct, TypedData
from mcp_wallet_guard.operations.typed_data_types import Types, read_types
from mcp_wallet_guard.operations.values import Address, ChainId

TRANSACTION_TYPE: Final = (
    "SafeTx(address to,uint256 value,bytes data,uint8 operation,uint256 safeTxGas,uint256 baseGas,uint256 gasPrice,"
    "address gasToken,address refundReceiver,uint256 nonce)"
)
MESSAGE_TYPE: Final = "SafeMessage(bytes message)"
NOBODY: Final = Address("0x0000000000000000000000000000000000000000")


class Operation(IntEnum):
    """How a Safe runs a transaction."""

    CALL = 0
    DELEGATECALL = 1
    """The code of `to` runs as the Safe itself."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SafeTransaction:
    """What owners agree to. `chain` is None for Safes before 1.3.0. Amounts are wei, or units of `gas_token`, whose
    zero address is the native currency; the zero `refund_receiver` is whoever sends the transaction."""

    safe: Address
    chain: ChainId | None
    to: Address
    value: int
    data: bytes
    operation: Operation
    safe_tx_gas: int = 0
    base_gas: int = 0
    gas_price: int = 0
    gas_token: Address = NOBODY
    refund_receiver: Address = NOBODY
    nonce: int

    @property
    def has_refund(self) -> bool:
        """Whether the Safe pays somebody for the gas."""
        return self.gas_price != 0

    @property
    def typed_data(self) -> TypedData:
        """What an owner signs."""
        message = Struct(
            "SafeTx",
            {
                "to": self.to,
                "value": self.value,
                "data": self.data,
                "operation": int(self.operation),
                "safeTxGas": self.safe_tx_gas,
                "baseGas": self.base_gas,
                "gasPrice": self.gas_price,
                "gasToken": self.gas_token,
                "refundReceiver": self.refund_receiver,
                "nonce": self.nonce,
            },
        )
        return _typed(self.safe, self.chain, TRANSACTION_TYPE, message)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SafeMessage:
    """What owners say as the Safe: `message` is the 32 bytes that a contract asks about (ERC-1271) as a rule, the hash
    of a message or of typed data that is not in it."""

    safe: Address
    chain: ChainId | None
    message: bytes

    @property
    def typed_data(self) -> TypedData:
        """What an owner signs."""
        return _typed(self.safe, self.chain, MESSAGE_TYPE, Struct("SafeMessage", {"message": self.message}))


Statement = SafeTransaction | SafeMessage


def domain_hash(statement: Statement, /) -> bytes:
    """The domain separator, 32 bytes: what a device shows as the domain hash."""
    return typed_data.domain_separator(statement.typed_data)


def message_hash(statement: Statement, /) -> bytes:
    """`hashStruct` of the transaction or message, 32 bytes: what a device shows as the message hash."""
    return typed_data.message_hash(statement.typed_data)


def safe_hash(statement: Statement, /) -> bytes:
    """The `safeTxHash` or `safeMessageHash`: the 32 bytes that are signed."""
    return typed_data.signing_hash(statement.typed_data)


def read_statement(typed: TypedData, /) -> Statement | None:
    """The Safe transaction or message that `typed` is; None for all else, a Safe's type in another domain among it."""
    where = _place(typed.domain)
    if where is None:
        return None
    kind = typed_data.encode_type(typed, typed.primary_type)
    if kind == TRANSACTION_TYPE:
        return _transaction(typed.message, *where)
    if kind == MESSAGE_TYPE:
        return SafeMessage(safe=where[0], chain=where[1], message=typed.message.member("message", bytes))
    return None


def _transaction(message: Struct, safe: Address, chain: ChainId | None) -> SafeTransaction | None:
    operation = message.member("operation", int)
    if operation not in {Operation.CALL, Operation.DELEGATECALL}:
        return None
    return SafeTransaction(
        safe=safe,
        chain=chain,
        to=message.member("to", Address),
        value=message.member("value", int),
        data=message.member("data", bytes),
        operation=Operation(operation),
        safe_tx_gas=message.member("safeTxGas", int),
        base_gas=message.member("baseGas", int),
        gas_price=message.member("gasPrice", int),
        gas_token=message.member("gasToken", Address),
        refund_receiver=message.member("refundReceiver", Address),
        nonce=message.member("nonce", int),
    )


def _place(domain: Domain) -> tuple[Address, ChainId | None] | None:
    """Safe and chain of a Safe's domain; None for another domain."""
    if domain.verifying_contract is None or (domain.name, domain.version, domain.salt) != (None, None, None):
        return None
    if domain.chain_id is None:
        return domain.verifying_contract, None
    if not 1 <= domain.chain_id < 2**64:
        return None
    return domain.verifying_contract, ChainId(domain.chain_id)


def _typed(safe: Address, chain: ChainId | None, kind: str, message: Struct) -> TypedData:
    domain = Domain(chain_id=None if chain is None else chain.number, verifying_contract=safe)
    return TypedData(types=_types(domain, kind), primary_type=message.type, domain=domain, message=message)


def _types(domain: Domain, kind: str) -> Types:
    name, _, members = kind.removesuffix(")").partition("(")
    pairs = [member.split(" ") for member in members.split(",")]
    standard = {"chainId": "uint256", "verifyingContract": "address"}
    return read_types(
        {
            "EIP712Domain": [{"name": each, "type": standard[each]} for each in domain.struct.members],
            name: [{"name": each, "type": text} for text, each in pairs],
        }
    )
