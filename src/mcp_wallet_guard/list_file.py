"""The installed lists of addresses and tokens: one private file beside the vault, named by its hash in the settings.

How they are kept is `pinned_files`'. Specified in docs/formats/lists.md. Threat: T-025, T-071.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from mcp_wallet_guard.clearsign.address_lists import MAX_BYTES
from mcp_wallet_guard.clearsign.owner_lists import OwnerLists, read_lists
from mcp_wallet_guard.pinned_files import PinnedFiles

LISTS: Final = PinnedFiles(file="lists.json", key="lists.pin", code="invalid_input.list", max_file_bytes=MAX_BYTES)


def open_lists(path: Path, pin: str, /) -> OwnerLists:
    """The lists that the settings pin. Raises as `PinnedFiles.open` and `owner_lists.read_lists`."""
    return read_lists(LISTS.open(path, pin))
