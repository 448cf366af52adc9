"""What a person reads of an action: the tool, every argument, and that its effect cannot be shown.

Threat: T-006, T-021, T-022.
"""

from __future__ import annotations

import json
from typing import Any, Final

from mcp_wallet_guard.clearsign import text
from mcp_wallet_guard.confirmation import ConfirmationView, Finding, ViewField
from mcp_wallet_guard.errors import PolicyDenied
from mcp_wallet_guard.operations.actions import action_of
from mcp_wallet_guard.operations.frozen import FrozenOperation

UNSEEN: Final = Finding(
    code="action.unseen",
    severity="warning",
    text="The guard sees the request, not its effect. What the server does with it cannot be checked.",
)
MAX_SHOWN: Final = 2_000
"""Characters of one argument, as it is shown. What is longer is refused: a person must see all of it."""


def render_action(operation: FrozenOperation, /) -> ConfirmationView:
    """The view of a frozen action, from its bytes alone.

    Raises Tampered("tampered.operation"), PolicyDenied("policy.undecodable") for what cannot be shown in full.
    """
    action = action_of(operation)
    arguments = tuple(ViewField(label=name, value=_shown(value)) for name, value in action.arguments.items())
    return ConfirmationView(
        kind="action",
        chain=str(operation.account.chain),
        account=operation.account.id,
        intent=f"Let the server run its tool {action.tool}",
        fields=(ViewField(label="Tool", value=action.tool), *arguments),
        findings=(UNSEEN,),
        operation_digest=operation.digest.hex(),
        expires_at=operation.expires_at,
    )


def _shown(value: Any) -> str:
    # Text is always in quotes, and nothing else ever begins with one: "5" is not 5.
    plain = json.dumps(value, ensure_ascii=True, separators=(", ", ": ")).replace("\x7f", "\\u007f")
    shown = text.quoted(value, limit=MAX_SHOWN) if isinstance(value, str) else plain
    if len(shown) > MAX_SHOWN:
        raise PolicyDenied("policy.undecodable", detail="an argument is too long to be shown")
    return shown
