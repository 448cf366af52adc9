"""Files of the owner's choice, installed beside the vault as one private file, whose hash the sealed settings name.

`collect` reads a local folder, `write` installs what was collected, `open` reads it back and refuses whatever is not
what the settings pin. Nothing is ever fetched. Specified in docs/formats/lists.md. Threat: T-020, T-071.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from mcp_wallet_guard import strict_json
from mcp_wallet_guard.canonical import canonical_bytes
from mcp_wallet_guard.errors import InvalidInput, Misconfigured
from mcp_wallet_guard.private_files import CREATE, READ, check_private, flush

MAX_FILES: Final = 10_000
MAX_BYTES: Final = 64 * 1024 * 1024
"""Of all files together."""
_VERSION: Final = 1


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedFiles:
    """One sort of them. `file` is its name beside the vault, `key` that of its pin in guard.toml, `code` the error for
    files that cannot be these; folders in `skipped` hold none of them, and none is larger than `max_file_bytes`."""

    file: str
    key: str
    code: str
    max_file_bytes: int
    max_files: int = MAX_FILES
    skipped: frozenset[str] = frozenset()

    def collect(self, folder: Path, /) -> dict[str, bytes]:
        """All JSON files of a folder by their names relative to it, sorted. Links and hidden folders are passed over.

        Raises InvalidInput(`code`) for a folder without any, for too many files and too many bytes.
        """
        found: dict[str, bytes] = {}
        size = 0
        for place, folders, files in os.walk(folder, followlinks=False):
            folders[:] = sorted(each for each in folders if each not in self.skipped and not each.startswith("."))
            for file in sorted(files):
                path = Path(place) / file
                if not file.endswith(".json") or file.endswith(".tests.json") or path.is_symlink():
                    continue
                data = path.read_bytes()
                size += len(data)
                if len(found) >= self.max_files or size > MAX_BYTES or len(data) > self.max_file_bytes:
                    raise InvalidInput(self.code, detail=f"{folder}: more than fits")
                found[path.relative_to(folder).as_posix()] = data
        if not found:
            raise InvalidInput(self.code, detail=f"{folder}: no JSON files")
        return dict(sorted(found.items()))

    def write(self, files: Mapping[str, bytes], path: Path, /) -> str:
        """Install `files` at `path`, whole or not at all; the pin for guard.toml, 64 hex digits.

        Raises InvalidInput(`code`) for a file that is not UTF-8.
        """
        try:
            texts = {name: data.decode("utf-8") for name, data in files.items()}
            body = canonical_bytes({"v": _VERSION, "files": texts})
        except (UnicodeDecodeError, ValueError):
            raise InvalidInput(self.code, detail="a file is not text in UTF-8") from None
        beside = path.with_name(f".{path.name}.new")
        beside.unlink(missing_ok=True)
        descriptor = os.open(beside, CREATE, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
            file.flush()
            flush(file.fileno())
        beside.replace(path)
        return hashlib.sha256(body).hexdigest()

    def read(self, path: Path, /) -> tuple[dict[str, bytes], str]:
        """The installed files, and their pin.

        Raises Misconfigured: "misconfigured.settings" when there are none, "misconfigured.permissions" for a file that
        others may write; InvalidInput(`code`) for anything else than `write` wrote.
        """
        try:
            descriptor = os.open(path, READ)
        except OSError as error:
            raise Misconfigured("misconfigured.settings", detail=f"{path}: {error.strerror}") from None
        with os.fdopen(descriptor, "rb") as file:
            check_private(path, os.fstat(file.fileno()))
            body = file.read(2 * MAX_BYTES + 1)
        try:
            document = strict_json.loads(body) if len(body) <= 2 * MAX_BYTES else None
            if document is None or document["v"] != _VERSION or canonical_bytes(document) != body:
                raise ValueError("another file")
            files = {str(name): text.encode("utf-8") for name, text in document["files"].items()}
        except (ValueError, TypeError, KeyError, AttributeError):
            raise InvalidInput(self.code, detail=f"{path}: not what was installed") from None
        return files, hashlib.sha256(body).hexdigest()

    def open(self, path: Path, pin: str, /) -> dict[str, bytes]:
        """The files that the settings pin.

        Raises as `read`, and Misconfigured("misconfigured.settings") when the file is not the pinned one.
        """
        files, found = self.read(path)
        if found != pin:
            raise Misconfigured("misconfigured.settings", detail=f"{self.key}: what is installed is something else")
        return files
