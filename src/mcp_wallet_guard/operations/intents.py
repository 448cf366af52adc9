"""Intents: what a tool may ask for. A handler returns one; only the guard turns it into bytes and signs.

An intent names an effect, not a transaction: no nonce, no fee, no time. `chain` and `account` may be left out when
the settings pin exactly one. Threat: T-001, T-006, T-007.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Final, final

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations import erc20, evm
from mcp_wallet_guard.operations.statements import (
    STATEMENTS,
    UNSIGNED_FORMS,
    Authorize7702,
    SignMessage,
    SignTypedData,
    Statement,
)
from mcp_wallet_guard.operations.values import Account, Address, Amount, Asset, ChainId, check_scope
from mcp_wallet_guard.operations.withdrawals import PARSERS as WITHDRAWAL_PARSERS
from mcp_wallet_guard.operations.withdrawals import WITHDRAWAL, ExchangeWithdrawal

NOTHING: Final = Amount("0")
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,19}")
_TOKEN: Final = re.compile(r"[A-Za-z0-9.]{1,12}|0x[0-9a-fA-F]{40}")


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
        _check_payment(self.to, self.amount)
        check_scope(self.chain, self.account, self.reference)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTransfer:
    """Send `amount` of an ERC-20 token to `to`.

    `token` is the symbol, exactly as guard.toml pins it, or the contract's checksummed address. A token that is not
    pinned is refused: nobody knows what a unit of it is.
    """

    token: str
    to: Address
    amount: Amount
    chain: ChainId | None = None
    account: str | None = None
    reference: str | None = None

    def __post_init__(self) -> None:
        _check_token(self.token)
        _check_payment(self.to, self.amount)
        check_scope(self.chain, self.account, self.reference)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TokenApproval:
    """Let `spender` take up to `amount` of an ERC-20 token at any later time; an amount of zero takes that back.

    `token` as in `TokenTransfer`. There is no way to ask for an approval without a limit.
    """

    token: str
    spender: Address
    amount: Amount
    chain: ChainId | None = None
    account: str | None = None
    reference: str | None = None

    def __post_init__(self) -> None:
        _check_token(self.token)
        _check_payment(self.spender, self.amount)
        check_scope(self.chain, self.account, self.reference)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ContractCall:
    """Call the contract `to` with `data`, and `value` of the native currency with it.

    Refused, unless it is a call that has an intent of its own: what the guard cannot show, a person cannot approve.
    """

    to: Address
    data: bytes
    value: Amount = NOTHING
    chain: ChainId | None = None
    account: str | None = None
    reference: str | None = None

    def __post_init__(self) -> None:
        _check_payment(self.to, self.value)
        if type(self.data) is not bytes or not 0 < len(self.data) <= evm.DATA_MAX:
            raise InvalidInput("invalid_input.transaction")
        check_scope(self.chain, self.account, self.reference)


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
        check_scope(None, self.account, self.reference)


Spend = Transfer | TokenTransfer | TokenApproval | ContractCall | UnsignedTransaction
"""What becomes a transaction."""
Intent = Spend | Statement | ExchangeWithdrawal
SPENDS: Final[tuple[type[Spend], ...]] = (Transfer, TokenTransfer, TokenApproval, ContractCall, UnsignedTransaction)
INTENTS: Final[tuple[type[Intent], ...]] = (*SPENDS, *STATEMENTS, ExchangeWithdrawal)


class EffectKind(StrEnum):
    """What an effect is, as its bytes tell: an intent and the same thing asked by bytes are of one kind."""

    TRANSFER = "transfer"
    TOKEN_TRANSFER = "token_transfer"  # noqa: S105  # a coin, not a credential
    TOKEN_APPROVAL = "token_approval"  # noqa: S105  # the same
    CONTRACT_CALL = "contract_call"


KIND_OF_CALL: Final = {
    erc20.Function.TRANSFER: EffectKind.TOKEN_TRANSFER,
    erc20.Function.APPROVE: EffectKind.TOKEN_APPROVAL,
}


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


def resolve(intent: Spend, /, *, account: Account, native: Asset, tokens: tuple[Asset, ...] = ()) -> Effect:
    """The effect of `intent` for the pinned `account`, with the pinned `tokens`.

    Raises InvalidInput for another chain or account, a token that is not pinned, a zero amount, or more decimals than
    the asset has.
    """
    if intent.account is not None and intent.account != account.name:
        raise InvalidInput("invalid_input.account")
    if isinstance(intent, UnsignedTransaction):
        tx = evm.parse_unsigned(intent.unsigned_bytes)
        chain, to, value, data = tx.chain, tx.to, tx.value, tx.data
    else:
        chain, (to, value, data) = intent.chain or account.chain, _call(intent, native, tokens)
    if chain != account.chain:
        raise InvalidInput("invalid_input.chain")
    # The same payment asked by intent or by bytes has one effect, so that a retry through the other door joins.
    kind = _kind(to, value, data, tokens)
    effect = Effect(kind=kind.value, account=account, to=to, value=value, data=data, reference=intent.reference)
    call = called(effect)
    if (kind is EffectKind.TRANSFER and value == 0) or (kind is EffectKind.TOKEN_TRANSFER and call and not call.amount):
        raise InvalidInput("invalid_input.zero")
    return effect


def pinned(tokens: tuple[Asset, ...], name: str, /) -> Asset:
    """The token of `tokens` with this symbol or checksummed address. Raises InvalidInput("invalid_input.token")."""
    for token in tokens:
        if name in (token.symbol, contract_of(token).value):
            return token
    raise InvalidInput("invalid_input.token")


def contract_of(token: Asset, /) -> Address:
    """The address of a token's contract. Raises InvalidInput("invalid_input.token") for the native currency."""
    if token.address is None:
        raise InvalidInput("invalid_input.token")
    return token.address


def called(effect: Effect, /) -> erc20.Call | None:
    """The ERC-20 call of an effect whose kind says that it is one."""
    is_token = effect.kind in {EffectKind.TOKEN_TRANSFER, EffectKind.TOKEN_APPROVAL}
    return erc20.decode(effect.data) if is_token else None


def payee_of(effect: Effect, /) -> Address:
    """Who gets it, or may take it: not the token's contract, to which the transaction goes."""
    call = called(effect)
    return effect.to if call is None else call.party


def amount_of(effect: Effect, /) -> int:
    """How much is paid, or may be taken: units of the token that is called, or wei."""
    call = called(effect)
    return effect.value if call is None else call.amount


def to_json(intent: Intent, /) -> dict[str, str]:
    """A JSON object from which `from_json` makes an equal intent."""
    values = {each.name: getattr(intent, each.name) for each in fields(intent)}
    return {"kind": _NAMES[type(intent)]} | {
        name: "0x" + value.hex() if isinstance(value, bytes) else str(value)
        for name, value in values.items()
        if value is not None
    }


def from_json(data: object, /) -> Intent:
    """Strict inverse of `to_json`: unknown keys and other types raise InvalidInput."""
    if not isinstance(data, dict) or not all(type(k) is str and type(v) is str for k, v in data.items()):
        raise InvalidInput("invalid_input")
    texts: dict[str, str] = dict(data)
    kind = texts.pop("kind", "")
    if kind in UNSIGNED_FORMS:
        raise InvalidInput("invalid_input.message", detail=UNSIGNED_FORMS[kind])
    intent = _TYPES.get(kind)
    known = set() if intent is None else {each.name for each in fields(intent)}
    if intent is None or not known - _OPTIONAL <= texts.keys() <= known:
        raise InvalidInput("invalid_input")
    parsers = WITHDRAWAL_PARSERS if intent is ExchangeWithdrawal else _PARSERS
    values = {name: parsers[name](text) for name, text in texts.items()}
    return intent(**{"memo": None, **values} if intent is ExchangeWithdrawal else values)


def _call(
    intent: Transfer | TokenTransfer | TokenApproval | ContractCall, native: Asset, tokens: tuple[Asset, ...]
) -> tuple[Address, int, bytes]:
    """Where the transaction goes, its value in wei, and its calldata."""
    if isinstance(intent, Transfer):
        return intent.to, int(intent.amount.base_units(native)), b""
    if isinstance(intent, ContractCall):
        return intent.to, int(intent.value.base_units(native)), intent.data
    token = pinned(tokens, intent.token)
    units = intent.amount.base_units(token)
    if isinstance(intent, TokenApproval):
        call = erc20.Call(function=erc20.Function.APPROVE, party=intent.spender, amount=units)
    else:
        call = erc20.Call(function=erc20.Function.TRANSFER, party=intent.to, amount=units)
    return contract_of(token), 0, erc20.encode(call)


def _kind(to: Address, value: int, data: bytes, tokens: tuple[Asset, ...]) -> EffectKind:
    if not data:
        return EffectKind.TRANSFER
    call = erc20.decode(data)
    if call is None or value != 0 or all(token.address != to for token in tokens):
        return EffectKind.CONTRACT_CALL
    return KIND_OF_CALL[call.function]


def _check_payment(to: Address, amount: Amount) -> None:
    if type(to) is not Address:
        raise InvalidInput("invalid_input.address")
    if type(amount) is not Amount:
        raise InvalidInput("invalid_input.amount")


def _check_token(token: str) -> None:
    if type(token) is not str or _TOKEN.fullmatch(token) is None:
        raise InvalidInput("invalid_input.token")


def _hex(text: str, *, code: str = "invalid_input.transaction") -> bytes:
    digits = text.removeprefix("0x")
    if len(digits) % 2 or len(text) != len(digits) + 2 or not set(digits) <= set("0123456789abcdef"):
        raise InvalidInput(code)
    return bytes.fromhex(digits)


def _number(text: str) -> int:
    if _NUMBER.fullmatch(text) is None:
        raise InvalidInput("invalid_input.transaction")
    return int(text)


_TYPES: Final[dict[str, type[Intent]]] = {
    "transfer": Transfer,
    "token_transfer": TokenTransfer,
    "token_approval": TokenApproval,
    "contract_call": ContractCall,
    "unsigned_transaction": UnsignedTransaction,
    "sign_message": SignMessage,
    "sign_typed_data": SignTypedData,
    "authorize_7702": Authorize7702,
    WITHDRAWAL: ExchangeWithdrawal,
}
_NAMES: Final = {intent: name for name, intent in _TYPES.items()}
_OPTIONAL: Final = frozenset({"chain", "account", "reference", "memo", "nonce"})
_PARSERS: Final[dict[str, Callable[[str], Any]]] = {
    **dict.fromkeys(("to", "spender", "delegate"), Address.parse),
    **dict.fromkeys(("amount", "value"), Amount.parse),
    **dict.fromkeys(("data", "unsigned_bytes"), _hex),
    **dict.fromkeys(("token", "account", "reference", "typed_data"), str),
    "message": lambda text: _hex(text, code="invalid_input.message"),
    "nonce": _number,
    "chain": ChainId.parse,
}
"""Field -> what reads its text."""
