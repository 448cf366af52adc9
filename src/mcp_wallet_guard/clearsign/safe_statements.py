"""What owners of a Safe are asked to sign, with the call inside it read as a part of its own.

A message of a Safe is most often a hash of something that is not in it, and is shown as that.
Source: Safe contracts 1.4.1. Threat: T-020, T-032.
"""

from __future__ import annotations

from typing import Final, Protocol

from mcp_wallet_guard.clearsign.personal_messages import read_message
from mcp_wallet_guard.clearsign.tree import (
    AssetKind,
    AssetRef,
    Clarity,
    Consequence,
    Direction,
    Oddity,
    Part,
    PartKind,
    ShownKind,
)
from mcp_wallet_guard.clearsign.typed_members import Meaning, Note, Place, around
from mcp_wallet_guard.operations.abi import Budget
from mcp_wallet_guard.operations.safe import NOBODY, Operation, SafeMessage, SafeTransaction, Statement
from mcp_wallet_guard.operations.values import Address, ChainId

LEGACY_DOMAIN: Final = "safe.legacy_domain"
DELEGATECALL: Final = "safe.delegatecall"
REFUND: Final = "safe.refund"


class ReadCall(Protocol):
    """Reads one call as a part: whoever knows the functions of contracts gives one."""

    def __call__(
        self, data: bytes, /, *, path: str, kind: PartKind, chain: ChainId, target: Address, sender: Address,
        value: int, budget: Budget,
    ) -> Part:  # fmt: skip
        """The part, of the path and kind that were given. Raises nothing, whatever the bytes."""
        ...


def read_safe(statement: Statement, place: Place, /, *, budget: Budget, read_call: ReadCall | None) -> Meaning:
    """What the signature of an owner agrees to. Without `read_call` a call with data is a part that is BLIND."""
    legacy = (Oddity(code=LEGACY_DOMAIN),) if statement.chain is None else ()
    if isinstance(statement, SafeMessage):
        return _message(statement, place, legacy)
    return _transaction(statement, place, legacy, _inner(statement, place, budget, read_call))


def _message(statement: SafeMessage, place: Place, oddities: tuple[Oddity, ...]) -> Meaning:
    inner = read_message(statement.message, chain=place.chain, signer=statement.safe, path=place.inside)
    return Meaning(
        standard="Safe",
        title="Says something as the Safe",
        clarity=around(inner.clarity),
        notes={"#.message": Note(label="Message")},
        parts=(inner,),
        oddities=oddities,
    )


def _transaction(statement: SafeTransaction, place: Place, oddities: tuple[Oddity, ...], inner: Part) -> Meaning:
    gas_token = _gas_token(statement, place)
    found, consequences = [*oddities], []
    if statement.operation is Operation.DELEGATECALL:
        found.append(Oddity(code=DELEGATECALL, facts=(("target", statement.to.value),)))
        consequences.append(_delegatecall(statement))
    if statement.has_refund:
        found.append(Oddity(code=REFUND, facts=(("gas_price", str(statement.gas_price)),)))
        receiver = None if statement.refund_receiver == NOBODY else statement.refund_receiver
        consequences.append(
            Consequence(direction=Direction.OUT, owner=statement.safe, asset=gas_token, counterparty=receiver)
        )
    delegates = statement.operation is Operation.DELEGATECALL
    operation = "DELEGATECALL: runs as the Safe itself" if delegates else "CALL"
    native = AssetRef(chain=place.chain)
    return Meaning(
        standard="Safe",
        title="Agrees to a transaction of the Safe",
        clarity=around(inner.clarity),
        notes={
            "#.to": Note(label="To"),
            "#.value": Note(label="Value", kind=ShownKind.AMOUNT, asset=native),
            "#.data": Note(label="Data"),
            "#.operation": Note(label="Operation", kind=ShownKind.ENUM, text=operation),
            "#.safeTxGas": Note(label="Gas for the call"),
            "#.baseGas": Note(label="Gas around the call"),
            "#.gasPrice": Note(label="Refund for each gas", kind=ShownKind.AMOUNT, asset=gas_token),
            "#.gasToken": _nobody("Refund is paid in", statement.gas_token, "the native currency"),
            "#.refundReceiver": _nobody("Refund goes to", statement.refund_receiver, "whoever sends the transaction"),
            "#.nonce": Note(label="Nonce of the Safe"),
        },
        consequences=tuple(consequences),
        parts=(inner,),
        oddities=tuple(found),
    )


def _inner(statement: SafeTransaction, place: Place, budget: Budget, read_call: ReadCall | None) -> Part:
    delegates = statement.operation is Operation.DELEGATECALL
    kind = PartKind.DELEGATECALL if delegates else PartKind.CALL
    if read_call is not None:
        return read_call(
            statement.data,
            path=place.inside,
            kind=kind,
            chain=place.chain,
            target=statement.to,
            sender=statement.safe,
            value=statement.value,
            budget=budget,
        )
    plain = kind is PartKind.CALL and not statement.data
    return Part(
        path=place.inside,
        kind=kind,
        chain=place.chain,
        target=statement.to,
        sender=statement.safe,
        value=statement.value,
        data=statement.data,
        clarity=Clarity.CLEAR if plain else Clarity.BLIND,
        title="Sends the native currency" if plain else "",
        consequences=(_payment(statement, place),) if statement.value and kind is PartKind.CALL else (),
    )


def _payment(statement: SafeTransaction, place: Place) -> Consequence:
    return Consequence(
        direction=Direction.OUT,
        owner=statement.safe,
        asset=AssetRef(chain=place.chain),
        amount=statement.value,
        counterparty=statement.to,
    )


def _delegatecall(statement: SafeTransaction) -> Consequence:
    return Consequence(
        direction=Direction.CONTROL, owner=statement.safe, counterparty=statement.to, control="delegatecall"
    )


def _gas_token(statement: SafeTransaction, place: Place) -> AssetRef:
    if statement.gas_token == NOBODY:
        return AssetRef(chain=place.chain)
    return AssetRef(chain=place.chain, kind=AssetKind.ERC20, contract=statement.gas_token)


def _nobody(label: str, address: Address, text: str) -> Note:
    return Note(label=label, text=text if address == NOBODY else None)
