"""Intents: what a tool may ask for. A handler returns one; only the guard turns it into bytes and signs.

An intent names an effect, not a transaction: no nonce, no fee, no time. `chain` and `account` may be left out when
the settings pin exactly one. Threat: T-001, T-006, T-007.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations import evm
from mcp_wallet_guard.operations.values import Account, Address, Amount, Asset, ChainId, check_reference


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Send `amount` of the chain's native currency to `to`.

    `reference` makes a deliberate second payment of the same amount to the same payee a different one.
    """

    to: Address
    amount: Amount
    chain: ChainId | None = None
    account: str | None = None
    reference: str | None = None

    def __post_init__(self) -> None:
        if type(self.to) is not Address:
            raise InvalidInput("invalid_input.address")
        if type(self.amount) is not Amount:
            raise InvalidInput("invalid_input.amount")
        _check_common(self.chain, self.account, self.reference)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class UnsignedTransaction:
    """Sign and send exactly these unsigned bytes, which another program built.

    The guard parses them strictly, shows what they do, and refuses what it cannot show, a foreign chain id, a
    nonce that is not the account's next one, and fees above the settings' ceilings. It changes nothing in them.
    """

    unsigned_bytes: bytes
    account: str | None = None
    reference: str | None = None

    def __post_init__(self) -> None:
        evm.parse_unsigned(self.unsigned_bytes)
        _check_common(None, self.account, self.reference)


Intent = Transfer | UnsignedTransaction
INTENTS: Final[tuple[type[Intent], ...]] = (Transfer, UnsignedTransaction)


def _check_common(chain: ChainId | None, account: str | None, reference: str | None) -> None:
    if chain is not None and type(chain) is not ChainId:
        raise InvalidInput("invalid_input.chain")
    if account is not None and type(account) is not str:
        raise InvalidInput("invalid_input.account")
    if reference is not None:
        check_reference(reference)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """An intent with everything resolved that the effect hash covers. `value` is wei."""

    kind: str
    account: Account
    to: Address
    value: int
    data: bytes
    reference: str | None


def resolve(intent: Intent, /, *, account: Account, native: Asset) -> Effect:
    """The effect of `intent` for the pinned `account`.

    Raises InvalidInput for another chain or account, a zero amount, or more decimals than the asset has.
    """
    if intent.account is not None and intent.account != account.name:
        raise InvalidInput("invalid_input.account")
    if isinstance(intent, Transfer):
        if intent.chain is not None and intent.chain != account.chain:
            raise InvalidInput("invalid_input.chain")
        to, value, data = intent.to, int(intent.amount.base_units(native)), b""
    else:
        tx = evm.parse_unsigned(intent.unsigned_bytes)
        if tx.chain != account.chain:
            raise InvalidInput("invalid_input.chain")
        to, value, data = tx.to, tx.value, tx.data
    if value == 0 and not data:
        raise InvalidInput("invalid_input.zero")
    # The same payment asked by intent or by bytes has one effect, so that a retry through the other door joins.
    return Effect(kind="transfer", account=account, to=to, value=value, data=data, reference=intent.reference)


def to_json(intent: Intent, /) -> dict[str, str]:
    """A JSON object from which `from_json` makes an equal intent."""
    fields: dict[str, str | None] = {"account": intent.account, "reference": intent.reference}
    if isinstance(intent, Transfer):
        chain = None if intent.chain is None else str(intent.chain)
        fields |= {"kind": "transfer", "to": intent.to.value, "amount": intent.amount.text, "chain": chain}
    else:
        fields |= {"kind": "unsigned_transaction", "unsigned_bytes": "0x" + intent.unsigned_bytes.hex()}
    return {name: value for name, value in fields.items() if value is not None}


def from_json(data: object, /) -> Intent:
    """Strict inverse of `to_json`: unknown keys and other types raise InvalidInput."""
    if not isinstance(data, dict) or not all(type(k) is str and type(v) is str for k, v in data.items()):
        raise InvalidInput("invalid_input")
    fields: dict[str, str] = dict(data)
    kind = fields.pop("kind", None)
    account, reference = fields.pop("account", None), fields.pop("reference", None)
    if kind == "transfer" and {"to", "amount"} <= set(fields) <= {"to", "amount", "chain"}:
        return Transfer(
            to=Address.parse(fields["to"]),
            amount=Amount.parse(fields["amount"]),
            chain=ChainId.parse(fields["chain"]) if "chain" in fields else None,
            account=account,
            reference=reference,
        )
    if kind == "unsigned_transaction" and set(fields) == {"unsigned_bytes"}:
        return UnsignedTransaction(unsigned_bytes=_hex(fields["unsigned_bytes"]), account=account, reference=reference)
    raise InvalidInput("invalid_input")


def _hex(text: str) -> bytes:
    digits = text.removeprefix("0x")
    if len(digits) % 2 or len(text) != len(digits) + 2 or not set(digits) <= set("0123456789abcdef"):
        raise InvalidInput("invalid_input.transaction")
    return bytes.fromhex(digits)
