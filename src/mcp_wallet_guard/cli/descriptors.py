"""``descriptors add``, ``list``, ``verify``: ERC-7730 descriptors from a local checkout, pinned by their hash.

Nothing is fetched: the owner clones the public registry, looks at it, and installs it. Threat: T-020.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from mcp_wallet_guard.assembly import StateFiles
from mcp_wallet_guard.clearsign.descriptors.index import Index
from mcp_wallet_guard.cli.invocation import Invocation
from mcp_wallet_guard.cli.output import Report
from mcp_wallet_guard.descriptor_file import DESCRIPTORS, open_index
from mcp_wallet_guard.errors import InvalidInput, Misconfigured

MOST_LISTED: Final = 200


def add(invocation: Invocation, /) -> Report:
    """Install a checkout, and say what to pin. It tells nothing until guard.toml names it and is in force.

    Raises InvalidInput("invalid_input.descriptor") for a folder without a descriptor that can be read.
    """
    files = DESCRIPTORS.collect(_folder(invocation.options.folder))
    good, bad = _checked(files)
    if not good:
        raise InvalidInput("invalid_input.descriptor", detail="no file there is a descriptor that can be read")
    pin = DESCRIPTORS.write(files, _path(invocation))
    return Report(
        fields={"pin": pin, "descriptors": len(good), "refused": bad},
        lines=(
            f"{len(good)} descriptors are installed, {len(bad)} could not be read (descriptors list tells why).",
            "Put this into guard.toml, and then run: mcp-wallet-guard policy apply",
            "",
            "[descriptors]",
            f'pin = "{pin}"',
        ),
    )


def list_all(invocation: Invocation, /) -> Report:
    """The installed descriptors and what is wrong with those that cannot be read. Raises as `DESCRIPTORS.read`."""
    files, pin = DESCRIPTORS.read(_path(invocation))
    good, bad = _checked(files)
    shown = (f"{name}  {owner}".rstrip() for name, owner in list(good.items())[:MOST_LISTED])
    more = (f"... {len(good) - MOST_LISTED} more",) if len(good) > MOST_LISTED else ()
    return Report(
        fields={"pin": pin, "descriptors": good, "refused": bad},
        lines=(*shown, *more, *(f"refused: {name}: {why}" for name, why in bad.items())),
    )


def verify(invocation: Invocation, /) -> Report:
    """Whether the installed descriptors are those that guard.toml pins.

    Raises Misconfigured("misconfigured.settings") when they are not, or when it pins none.
    """
    pin = invocation.load().settings.descriptors
    if pin is None:
        raise Misconfigured("misconfigured.settings", detail="descriptors.pin: guard.toml names no descriptors")
    open_index(_path(invocation), pin)
    return Report(fields={"pin": pin}, lines=("The installed descriptors are those that guard.toml pins.",))


def _path(invocation: Invocation) -> Path:
    return StateFiles(invocation.load().vault_path).descriptors


def _folder(folder: Path) -> Path:
    if not folder.is_dir():
        raise InvalidInput("invalid_input", detail=f"{folder}: no folder")
    return folder


def _checked(files: dict[str, bytes]) -> tuple[dict[str, str], dict[str, str]]:
    """Name -> owner of the descriptors that can be read, and name -> reason of those that cannot. A file that is only
    included by others is neither."""
    index = Index(files)
    good: dict[str, str] = {}
    for name, data in files.items():
        if b'"context"' not in data:
            continue
        descriptor = index.get(name)
        if descriptor is not None:
            good[name] = descriptor.owner
    return good, dict(index.refused)
