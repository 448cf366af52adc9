"""Statements: what an account signs that is no transaction. Intents of their own, their effect, and the bytes to sign.

A signature leaves the guard and is handed in by somebody else, at a time of theirs: what it is good for has to stand in
the bytes. There is no eth_sign and no typed data of version 1 or 3. An effect covers all that is asked, and of an
authorization the nonce only if it was given. Source: EIP-191, EIP-712, EIP-7702. Threat: T-006, T-034.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

from mcp_wallet_guard.canonical import canonical_bytes
from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations import authorizations, messages, typed_data
from mcp_wallet_guard.operations.authorizations import Authorization, encode_authorization, parse_authorization
from mcp_wallet_guard.operations.typed_data import parse_typed_data, to_json
from mcp_wallet_guard.operations.values import Account, Address, ChainId, check_scope

KIND_MESSAGE: Final = "message"
KIND_TYPED_DATA: Final = "typed_data"
KIND_AUTHORIZATION: Final = "authorization"
STATEMENT_KINDS: Final = frozenset({KIND_MESSAGE, KIND_TYPED_DATA, KIND_AUTHORIZATION})

UNSIGNED_FORMS: Final[dict[str, str]] = {
    "eth_sign": "eth_sign signs bare 32 bytes, which may be the hash of anything",
    "sign_typed_data_v1": "typed data of version 1 names no domain and no contract",
    "sign_typed_data_v3": "typed data of version 3 is read as version 4 or not at all",
}
"""Kinds of intents that do not exist, and why."""

_TAG: Final = b"mcp-wallet-guard/statement/v1"
_HEX_TEXT: Final = re.compile(r"0x(?:[0-9a-fA-F]{2})*")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SignMessage:
    """Sign a message with personal_sign (EIP-191), such as a sign-in (ERC-4361).

    `message` is text, or the bytes that ``0x`` and an even number of hex digits stand for, as every wallet reads it.
    It is kept as bytes, at most 64 KiB. Raises InvalidInput("invalid_input.message").
    """

    message: str | bytes
    chain: ChainId | None = None
    account: str | None = None
    reference: str | None = None

    def __post_init__(self) -> None:
        raw = _message(self.message)
        if not raw:
            raise InvalidInput("invalid_input.message", detail="the message is empty")
        object.__setattr__(self, "message", messages.check_message(raw))
        check_scope(self.chain, self.account, self.reference)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SignTypedData:
    """Sign EIP-712 typed data, version 4: `typed_data` is its JSON text, kept in canonical form.

    Its domain has the wallet's chain. Raises InvalidInput("invalid_input.typed_data").
    """

    typed_data: str
    chain: ChainId | None = None
    account: str | None = None
    reference: str | None = None

    def __post_init__(self) -> None:
        if type(self.typed_data) is not str:
            raise InvalidInput("invalid_input.typed_data", detail="the typed data is JSON text")
        object.__setattr__(self, "typed_data", to_json(parse_typed_data(self.typed_data)))
        check_scope(self.chain, self.account, self.reference)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Authorize7702:
    """Sign an EIP-7702 authorization: the account's code becomes that of `delegate`, on the wallet's chain alone. The
    zero address takes the code away.

    `nonce` is the account's at the time when it is handed in; left out, it is the next one. An account that puts it
    into a transaction of its own needs the one after that.
    """

    delegate: Address
    nonce: int | None = None
    chain: ChainId | None = None
    account: str | None = None
    reference: str | None = None

    def __post_init__(self) -> None:
        if type(self.delegate) is not Address:
            raise InvalidInput("invalid_input.address")
        Authorization(chain_number=0, delegate=self.delegate, nonce=0 if self.nonce is None else self.nonce)
        check_scope(self.chain, self.account, self.reference)


Statement = SignMessage | SignTypedData | Authorize7702
STATEMENTS: Final[tuple[type[Statement], ...]] = (SignMessage, SignTypedData, Authorize7702)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StatementEffect:
    """What is asked of the pinned `account`. `body` is the message, the typed data's canonical JSON in UTF-8, or the
    delegate's 20 bytes; `nonce` is that of an authorization, None for the account's next one."""

    kind: str
    account: Account
    body: bytes
    nonce: int | None
    reference: str | None


def resolve_statement(intent: Statement, /, *, account: Account) -> StatementEffect:
    """The effect of `intent` for the pinned `account`. Raises InvalidInput for another chain or account."""
    if intent.account is not None and intent.account != account.name:
        raise InvalidInput("invalid_input.account")
    if intent.chain is not None and intent.chain != account.chain:
        raise InvalidInput("invalid_input.chain")
    kind, body, nonce = _asked(intent)
    return StatementEffect(kind=kind, account=account, body=body, nonce=nonce, reference=intent.reference)


def statement_hash(effect: StatementEffect, /) -> bytes:
    """SHA-256 over a tag and the RFC 8785 form of the effect, 32 bytes."""
    body = {
        "account": effect.account.id,
        "body": effect.body.hex(),
        "kind": effect.kind,
        "nonce": None if effect.nonce is None else str(effect.nonce),
        "reference": effect.reference,
    }
    return hashlib.sha256(_TAG + b"\x00" + canonical_bytes(body)).digest()


def statement_bytes(effect: StatementEffect, /, *, nonce: int) -> bytes:
    """The exact bytes that are frozen: `nonce` is the account's next one, for an authorization that names none."""
    if effect.kind != KIND_AUTHORIZATION:
        return effect.body
    return encode_authorization(
        Authorization(
            chain_number=effect.account.chain.number,
            delegate=Address.from_bytes(effect.body),
            nonce=nonce if effect.nonce is None else effect.nonce,
        )
    )


def is_statement_of(effect: StatementEffect, data: bytes, /) -> bool:
    """Whether `data` says exactly what `effect` asks for. Raises InvalidInput for bytes that do not parse."""
    if effect.kind != KIND_AUTHORIZATION:
        return data == effect.body
    found = parse_authorization(data)
    return statement_bytes(effect, nonce=found.nonce) == data


def statement_signing_hash(kind: str, data: bytes, /) -> bytes:
    """The 32 bytes that the account signs, from the frozen bytes alone. Raises InvalidInput for bytes of another kind,
    or not in canonical form."""
    return _HASHES[kind](data)


def _asked(intent: Statement) -> tuple[str, bytes, int | None]:
    if isinstance(intent, SignMessage):
        return KIND_MESSAGE, _message(intent.message), None
    if isinstance(intent, SignTypedData):
        return KIND_TYPED_DATA, intent.typed_data.encode("utf-8"), None
    return KIND_AUTHORIZATION, intent.delegate.raw, intent.nonce


def _message(message: object) -> bytes:
    if type(message) is bytes:
        return message
    if type(message) is not str:
        raise InvalidInput("invalid_input.message", detail="a message is text or bytes")
    if _HEX_TEXT.fullmatch(message) is not None:
        return bytes.fromhex(message[2:])
    try:
        return message.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidInput("invalid_input.message", detail="the text is not Unicode") from None


def _typed_hash(data: bytes) -> bytes:
    typed = parse_typed_data(data)
    if to_json(typed).encode("utf-8") != data:
        raise InvalidInput("invalid_input.typed_data", detail="not in canonical form")
    return typed_data.signing_hash(typed)


def _authorization_hash(data: bytes) -> bytes:
    return authorizations.authorization_hash(parse_authorization(data))


_HASHES: Final[dict[str, Callable[[bytes], bytes]]] = {
    KIND_MESSAGE: messages.signing_hash,
    KIND_TYPED_DATA: _typed_hash,
    KIND_AUTHORIZATION: _authorization_hash,
}
