"""Actions: what a server does itself, with nothing of ours to sign, such as an order at an exchange.

The guard sees the request, not its effect: the tool's name and its arguments in canonical form, which are frozen, shown
and approved like the bytes of a payment. Nothing of this kind is ever signed. Threat: T-006, T-011.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any, Final, final

from mcp_wallet_guard import strict_json
from mcp_wallet_guard.canonical import canonical_bytes
from mcp_wallet_guard.errors import InvalidInput, Tampered
from mcp_wallet_guard.operations.frozen import KIND_ACTION, FrozenOperation
from mcp_wallet_guard.operations.names import is_tool_name
from mcp_wallet_guard.operations.values import Account

MAX_BODY: Final = 16_384
"""Bytes of an action in canonical form."""
MAX_ARGUMENTS: Final = 32
_EFFECT_TAG: Final = b"mcp-wallet-guard/action/v1"
_ARGUMENT: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")


@final
@dataclass(frozen=True, slots=True)
class Action:
    """A tool and its arguments, as a JSON object. Made by `parse_action`, which is where they are checked."""

    tool: str
    arguments: dict[str, Any]

    @property
    def body(self) -> bytes:
        """RFC 8785 JSON of both: what is frozen, and what a person approves."""
        return canonical_bytes({"arguments": self.arguments, "tool": self.tool})


def parse_action(body: bytes, /) -> Action:
    """Strict inverse of `Action.body`. Raises InvalidInput("invalid_input", "invalid_input.size")."""
    if len(body) > MAX_BODY:
        raise InvalidInput("invalid_input.size")
    try:
        document = strict_json.loads(body)
        tool, arguments = document["tool"], document["arguments"]
        action = Action(tool, dict(arguments))
        names = [*arguments]
        plain = document.keys() == {"tool", "arguments"} and type(tool) is str and is_tool_name(tool)
        named = len(names) <= MAX_ARGUMENTS and all(_ARGUMENT.fullmatch(name) is not None for name in names)
        if plain and named and action.body == body:
            return action
    except (ValueError, TypeError, KeyError):
        pass
    raise InvalidInput("invalid_input", detail="not an action in canonical form")


def action_hash(action: Action, account: Account, /) -> bytes:
    """Names what is asked of whose wallet: SHA-256 over a tag, the account and the body; 32 bytes."""
    parts = (_EFFECT_TAG, account.id.encode(), action.body)
    return hashlib.sha256(b"".join(len(part).to_bytes(8, "big") + part for part in parts)).digest()


def freeze_action(action: Action, account: Account, /, *, expires_at: int) -> FrozenOperation:
    """The request as a frozen operation: its bytes are the body. `expires_at` is unix seconds."""
    return FrozenOperation(
        kind=KIND_ACTION,
        account=account,
        unsigned_bytes=action.body,
        effect_hash=action_hash(action, account),
        expires_at=expires_at,
    )


def action_of(operation: FrozenOperation, /) -> Action:
    """What a frozen action asks for. Raises Tampered("tampered.operation")."""
    try:
        if operation.kind == KIND_ACTION:
            return parse_action(operation.unsigned_bytes)
    except InvalidInput:
        pass
    raise Tampered("tampered.operation", detail="not a frozen action")
