"""``lists add``, ``list``, ``verify``: lists of addresses and tokens from a local folder, pinned by their hash.

Nothing is fetched: the owner gets the lists, looks at them, and installs them. Threat: T-025, T-040.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from mcp_wallet_guard.assembly import StateFiles
from mcp_wallet_guard.clearsign.owner_lists import OwnerLists, read_lists
from mcp_wallet_guard.cli.invocation import Invocation
from mcp_wallet_guard.cli.output import Report
from mcp_wallet_guard.config.settings import Settings
from mcp_wallet_guard.errors import InvalidInput, Misconfigured
from mcp_wallet_guard.list_file import LISTS, open_lists

MOST_TOLD: Final = 50


def add(invocation: Invocation, /) -> Report:
    """Install a folder, and say what to pin. It tells nothing until guard.toml names it and is in force.

    Raises InvalidInput("invalid_input.list", "invalid_input.token") for a folder of which one list cannot be read.
    """
    folder: Path = invocation.options.folder
    if not folder.is_dir():
        raise InvalidInput("invalid_input", detail=f"{folder}: no folder")
    files = LISTS.collect(folder)
    lists = read_lists(files)
    pin = LISTS.write(files, _path(invocation))
    fields, lines = _told(lists, invocation.load().settings)
    return Report(
        fields={"pin": pin, **fields},
        lines=(
            *lines,
            "Put this into guard.toml, and then run: mcp-wallet-guard policy apply",
            "",
            "[lists]",
            f'pin = "{pin}"',
        ),
    )


def list_all(invocation: Invocation, /) -> Report:
    """The installed lists, and what they disagree about. Raises as `PinnedFiles.read` and `add`."""
    files, pin = LISTS.read(_path(invocation))
    fields, lines = _told(read_lists(files), invocation.load().settings)
    return Report(fields={"pin": pin, **fields}, lines=lines)


def verify(invocation: Invocation, /) -> Report:
    """Whether the installed lists are those that guard.toml pins.

    Raises Misconfigured("misconfigured.settings") when they are not, or when it pins none.
    """
    settings = invocation.load().settings
    if settings.lists is None:
        raise Misconfigured("misconfigured.settings", detail="lists.pin: guard.toml names no lists")
    fields, lines = _told(open_lists(_path(invocation), settings.lists), settings)
    return Report(
        fields={"pin": settings.lists, **fields},
        lines=(*lines, "The installed lists are those that guard.toml pins."),
    )


def _path(invocation: Invocation) -> Path:
    return StateFiles(invocation.load().vault_path).lists


def _told(lists: OwnerLists, settings: Settings) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What there is, and what nobody is believed about. A token of guard.toml is settled."""
    pinned = {(token.chain.number, token.address) for token in settings.tokens}
    disputed = {
        f"eip155:{number}/erc20:{contract}": [f"{each.symbol}, {each.decimals} decimals" for each in several]
        for (number, contract), several in lists.disputed.items()
        if (number, contract) not in pinned
    }
    lines = [f"{name}: {kind}, {size} entries" for name, (kind, size) in lists.sizes.items()]
    lines += [f"disputed: {token}: {' or '.join(several)}" for token, several in list(disputed.items())[:MOST_TOLD]]
    if len(disputed) > MOST_TOLD:
        lines.append(f"... {len(disputed) - MOST_TOLD} more")
    sizes = {name: {"kind": kind, "entries": size} for name, (kind, size) in lists.sizes.items()}
    return {"lists": sizes, "disputed": disputed}, tuple(lines)
