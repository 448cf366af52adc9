"""Whether a field is shown, by the rule that its descriptor gives. Source: ERC-7730, ``visible``."""

from __future__ import annotations

from mcp_wallet_guard.clearsign.descriptors.limits import refuse
from mcp_wallet_guard.clearsign.descriptors.model import Literals, Visible
from mcp_wallet_guard.clearsign.descriptors.parsing import literal
from mcp_wallet_guard.clearsign.descriptors.paths import Constant, Node, parse_path
from mcp_wallet_guard.clearsign.descriptors.scope import Scope, as_address, as_int
from mcp_wallet_guard.operations.values import Address


def is_shown(visible: Visible, node: Node, scope: Scope, /) -> bool:
    """Whether the value `node` is shown. Optional ones are.

    Raises InvalidInput("invalid_input.descriptor") when it is none of the values that it must be.
    """
    match visible.rule:
        case "always" | "optional":
            return True
        case "never":
            return False
        case "ifNotIn":
            return not _is_in(visible.values, node, scope)
        case "mustMatch":
            if not _is_in(visible.values, node, scope):
                refuse("a value is none of those that it must be")
            return False


def _is_in(values: tuple[Literals | None, ...], node: Node, scope: Scope) -> bool:
    scope.work.visit(len(values))
    return any(value is not None and _is_same(value, node, scope) for value in values)


def _is_same(value: Literals, node: Node, scope: Scope) -> bool:
    """Whether a constant means the value: numbers by their number, in digits or hex too; bytes by their hex, or by a
    number, so that 0 is "nothing set"; addresses in any case; texts and truths exactly."""
    if isinstance(value, str) and value.startswith("$."):
        value = literal(scope.section(parse_path(value)))
    match node:
        case bool():
            return value is node or (isinstance(value, str) and value.lower() == str(node).lower())
        case int():
            wanted = value if isinstance(value, int) else Constant(value)
            return not isinstance(value, bool) and as_int(wanted) == node
        case Address():
            return isinstance(value, str) and as_address(Constant(value)) == node
        case bytes():
            if isinstance(value, str):
                return value.lower() == "0x" + node.hex()
            return not isinstance(value, bool) and value == int.from_bytes(node)
        case _:
            return isinstance(value, str) and value == node
