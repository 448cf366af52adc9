"""The installed descriptors: one private file beside the vault, named by its hash in the sealed settings.

How they are kept is `pinned_files`'. Specified in docs/formats/descriptors.md. Threat: T-020, T-071.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from mcp_wallet_guard.clearsign.descriptors import limits
from mcp_wallet_guard.clearsign.descriptors.index import Index
from mcp_wallet_guard.pinned_files import PinnedFiles

DESCRIPTORS: Final = PinnedFiles(
    file="descriptors.json",
    key="descriptors.pin",
    code="invalid_input.descriptor",
    max_file_bytes=limits.MAX_BYTES,
    # Folders of a checkout that hold no descriptors.
    skipped=frozenset({"tests", "testsv2", "node_modules", "schemas", "specs"}),
)


def core() -> dict[str, bytes]:
    """Our descriptors of the core standards, by file name. By itself none of them applies to any contract: an owner
    binds one with `Index(bindings=...)`, or with a file that includes it."""
    folder = Path(limits.__file__).with_name("core")
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.json"))}


def open_index(path: Path, pin: str, /) -> Index:
    """The descriptors that the settings pin. Raises as `PinnedFiles.open`."""
    return Index(DESCRIPTORS.open(path, pin))
