"""Reading guard.toml from disk: the one place of this room that touches a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import final

from mcp_wallet_guard.config.settings import MAX_BYTES, Settings, parse_settings
from mcp_wallet_guard.errors import Misconfigured


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedSettings:
    """Settings, the file they came from, and the absolute path of the vault that they name."""

    settings: Settings
    path: Path
    vault_path: Path


def load_settings(path: Path, /) -> LoadedSettings:
    """Read and parse. Raises Misconfigured("misconfigured.settings"), also for a missing or unreadable file."""
    absolute = path.absolute()
    try:
        with absolute.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        source = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Misconfigured("misconfigured.settings", detail="guard.toml is not UTF-8") from None
    except OSError as error:
        raise Misconfigured("misconfigured.settings", detail=f"guard.toml cannot be read: {error.strerror}") from None
    settings = parse_settings(source)
    return LoadedSettings(settings=settings, path=absolute, vault_path=absolute.parent / settings.vault)
