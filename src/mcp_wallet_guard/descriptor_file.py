"""The installed descriptors: one private file beside the vault, named by its hash in the sealed settings.

`collect` reads a local checkout, `write` installs what was collected, `open_index` reads it back and refuses whatever
is not what the settings pin. Nothing is ever fetched. Specified in docs/formats/descriptors.md. Threat: T-020, T-071.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from mcp_wallet_guard import strict_json
from mcp_wallet_guard.canonical import canonical_bytes
from mcp_wallet_guard.clearsign.descriptors import limits
from mcp_wallet_guard.clearsign.descriptors.index import Index
from mcp_wallet_guard.errors import InvalidInput, Misconfigured
from mcp_wallet_guard.private_files import CREATE, READ, check_private, flush

FILE: Final = "descriptors.json"
MAX_FILES: Final = 10_000
MAX_BYTES: Final = 64 * 1024 * 1024
"""Of all files together."""
_VERSION: Final = 1
_SKIPPED: Final = frozenset({"tests", "testsv2", "node_modules", "schemas", "specs"})
"""Folders of a checkout that hold no descriptors."""


def collect(folder: Path, /) -> dict[str, bytes]:
    """All JSON files of a checkout by their names relative to it, sorted. Links and hidden folders are passed over.

    Raises InvalidInput("invalid_input.descriptor") for a folder without any, for too many files and too many bytes.
    """
    found: dict[str, bytes] = {}
    size = 0
    for place, folders, files in os.walk(folder, followlinks=False):
        folders[:] = sorted(each for each in folders if each not in _SKIPPED and not each.startswith("."))
        for file in sorted(files):
            path = Path(place) / file
            if not file.endswith(".json") or file.endswith(".tests.json") or path.is_symlink():
                continue
            data = path.read_bytes()
            size += len(data)
            if len(found) >= MAX_FILES or size > MAX_BYTES or len(data) > limits.MAX_BYTES:
                raise InvalidInput("invalid_input.descriptor", detail=f"{folder}: more than fits")
            found[path.relative_to(folder).as_posix()] = data
    if not found:
        raise InvalidInput("invalid_input.descriptor", detail=f"{folder}: no JSON files")
    return dict(sorted(found.items()))


def core() -> dict[str, bytes]:
    """Our descriptors of the core standards, by file name. By itself none of them applies to any contract: an owner
    binds one with `Index(bindings=...)`, or with a file that includes it."""
    folder = Path(limits.__file__).with_name("core")
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.json"))}


def write(files: Mapping[str, bytes], path: Path, /) -> str:
    """Install `files` at `path`, whole or not at all; the pin for guard.toml, 64 hex digits.

    Raises InvalidInput("invalid_input.descriptor") for a file that is not UTF-8.
    """
    try:
        body = canonical_bytes({"v": _VERSION, "files": {name: data.decode("utf-8") for name, data in files.items()}})
    except (UnicodeDecodeError, ValueError):
        raise InvalidInput("invalid_input.descriptor", detail="a file is not text in UTF-8") from None
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, CREATE, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(body)
        file.flush()
        flush(file.fileno())
    beside.replace(path)
    return hashlib.sha256(body).hexdigest()


def read(path: Path, /) -> tuple[dict[str, bytes], str]:
    """The installed files, and their pin.

    Raises Misconfigured: "misconfigured.settings" when there are none, "misconfigured.permissions" for a file that
    others may write; InvalidInput("invalid_input.descriptor") for anything else than `write` wrote.
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
        raise InvalidInput("invalid_input.descriptor", detail=f"{path}: not what was installed") from None
    return files, hashlib.sha256(body).hexdigest()


def open_index(path: Path, pin: str, /) -> Index:
    """The descriptors that the settings pin.

    Raises as `read`, and Misconfigured("misconfigured.settings") when the file is not the pinned one.
    """
    files, found = read(path)
    if found != pin:
        raise Misconfigured("misconfigured.settings", detail="descriptors.pin: the installed descriptors are others")
    return Index(files)
