"""ERC-7739: what an owner of a contract account signs so that the account has signed it.

The message of a website stands inside the typed data of the account, and binds the account. It is taken out and read as
if the account signed it, so that a permit is a permit however it is wrapped. Source: ERC-7739. Threat: T-029, T-033.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, final

from mcp_wallet_guard.operations.messages import MAX_BYTES
from mcp_wallet_guard.operations.typed_data import Struct, TypedData, encode_type
from mcp_wallet_guard.operations.values import Address

WRAPPERS: Final = ("TypedDataSign(", "PersonalSign(")
"""How the types of such messages begin."""

_PERSONAL: Final = "PersonalSign(bytes prefixed)"
_ACCOUNT: Final = "string name,string version,uint256 chainId,address verifyingContract,bytes32 salt"
_HEAD: Final = re.compile(rf"TypedDataSign\(([^ ,()\[\]]+) contents,{_ACCOUNT}\)")
_PREFIXED: Final = re.compile(rb"\x19Ethereum Signed Message:\n(0|[1-9][0-9]{0,5})")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Nested:
    """`inner` is the typed data or the message that `account` has signed then."""

    account: Address
    inner: TypedData | bytes


def read_nested(typed: TypedData, /) -> Nested | None:
    """What stands inside `typed`; None for all that is not exactly a form of the standard."""
    kind = encode_type(typed, typed.primary_type)
    if kind == _PERSONAL:
        message = _message(typed.message.member("prefixed", bytes))
        account = typed.domain.verifying_contract
        return None if message is None or account is None else Nested(account=account, inner=message)
    head = _HEAD.match(kind)
    if head is None:
        return None
    contents = typed.message.member("contents", Struct)
    inner = TypedData(types=typed.types, primary_type=head[1], domain=typed.domain, message=contents)
    return Nested(account=typed.message.member("verifyingContract", Address), inner=inner)


def _message(prefixed: bytes) -> bytes | None:
    """What follows the prefix of EIP-191, whose length must be right."""
    for digits in range(1, 6):
        head = prefixed[: 26 + digits]
        match = _PREFIXED.fullmatch(head)
        message = prefixed[26 + digits :]
        if match is not None and int(match[1]) == len(message) <= MAX_BYTES:
            return message
    return None
