"""``host-snippet``: how an MCP host is told to start a guarded server.

The server holds no key, so nothing here is secret; the paths are absolute, because a host starts it from anywhere.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from mcp_wallet_guard.cli.invocation import Invocation
from mcp_wallet_guard.cli.output import Report
from mcp_wallet_guard.errors import InvalidInput

NAME: Final = "wallet"
PLACEHOLDER: Final = "/path/to/your/server.py"


def host_snippet(invocation: Invocation, /) -> Report:
    """Raises InvalidInput for a server that is no file, Misconfigured("misconfigured.settings") without settings."""
    invocation.load()
    server = check_server(invocation.options.server)
    entry = configuration(server, invocation.settings_path.absolute(), name=invocation.options.name)
    return Report(fields=entry, lines=tuple(json.dumps(entry, indent=2).split("\n")))


def check_server(path: Path | None, /) -> Path | None:
    """The absolute path of a file. Raises InvalidInput when there is none."""
    if path is None:
        return None
    if not path.is_file():
        raise InvalidInput("invalid_input", detail="--server is no file")
    return path.absolute()


def configuration(server: Path | None, settings: Path, /, *, name: str = NAME) -> dict[str, Any]:
    """The ``mcpServers`` entry: this Python, the server, and the guard's settings."""
    arguments = [PLACEHOLDER if server is None else str(server), str(settings)]
    return {"mcpServers": {name: {"command": sys.executable, "args": arguments}}}


def told(server: Path | None, settings: Path, /) -> tuple[str, ...]:
    """The same as lines for a person."""
    text = json.dumps(configuration(server, settings), indent=2)
    hint = f"{PLACEHOLDER} stands for your own server; the quick start has one to begin with."
    return ("", "Tell your MCP host, in its configuration:", *text.split("\n"), *([] if server else [hint]))
