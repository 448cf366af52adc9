"""What a resource or prompt says about its data, and that no shared cache keeps what is private.

MCP 2026-07-28 lets a server say who may cache a result. An author's hint, or a middleware of an author, may say
"public" of anything; here that is taken back for all but reads of resources that are labelled so. Threat: T-060.
"""

from __future__ import annotations

from typing import Any, Final, Literal, get_args

from mcp_types.methods import CACHEABLE_METHODS

from mcp_wallet_guard.mcp.handlers import refuse

Label = Literal["private", "public"]
KEY: Final = "mcp-wallet-guard/label"
"""The name in ``_meta`` under which a client reads the label. It tells nothing else."""

READ: Final = "resources/read"


def check_label(label: str, /) -> Label:
    """Raises Misconfigured("misconfigured.tool") for anything but the two labels."""
    if label not in get_args(Label):
        refuse("a label is 'private' or 'public'")
    return label  # type: ignore[return-value]  # it is one of them


def labelled(meta: dict[str, Any] | None, label: Label, /) -> dict[str, Any]:
    """`meta` with the label, whatever it said about that."""
    return {**(meta or {}), KEY: label}


def kept_private(wire: dict[str, Any], /, *, method: str, label: Label | None) -> dict[str, Any]:
    """`wire` so that no shared cache keeps it, and no cache keeps private data at all: what is read while the vault is
    open is not to be shown from a cache when it is locked. `label` is that of the resource that was read."""
    if (method == READ and label == "public") or not wire.keys() & {"cacheScope", "ttlMs"}:
        return wire
    keeps = method in CACHEABLE_METHODS and method != READ
    return {**wire, "cacheScope": "private", "ttlMs": wire.get("ttlMs", 0) if keeps else 0}
