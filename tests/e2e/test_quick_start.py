"""A newcomer who follows docs/quick-start.md to the letter succeeds, in a fresh environment.

Only where the package comes from differs: from this working tree and the locked packages instead of an index.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e.quick_start import CLOCK, Line, Person, Terminal, steps
from tests.e2e.rig import ROOT

PAGE: Final = ROOT / "docs" / "quick-start.md"
INSTALL: Final = "pip install 'mcp-wallet-guard[testing]'"
FROM_HERE: Final = f"pip install --quiet --no-index --no-deps --no-build-isolation --ignore-installed '{ROOT}'"
PAYEE: Final = "0x7070707070707070707070707070707070707070"


@pytest.fixture
def home() -> Iterator[Path]:
    """A reader's home with an empty folder in it, and a `python3` that has nothing installed. Short, for sockets."""
    with tempfile.TemporaryDirectory(prefix="q", dir="/tmp") as name:
        home = Path(name)
        (home / "bin").mkdir()
        python = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
        (home / "bin" / "python3").write_text(f'#!/bin/sh\nexec "{python}" "$@"\n', encoding="utf-8")
        (home / "bin" / "python3").chmod(0o755)
        (home / "folder").mkdir()
        (home / "ahead").write_text("0", encoding="ascii")
        yield home


class Reader:
    """Follows the page: files are saved, and each command is run in a terminal of its own."""

    def __init__(self, home: Path, stack: ExitStack) -> None:
        self.person: Final = Person(home / "ahead")
        self.terminals: Final[dict[str, Terminal]] = {}
        self._home: Final = home
        self._folder: Final = home / "folder"
        self._stack: Final = stack

    def save(self, name: str, text: str) -> None:
        (self._folder / name).write_text(text, encoding="utf-8")

    def run(self, line: Line) -> None:
        """Run it, answer what it asks, and look for what the page shows of it."""
        has_environment = (self._folder / "wallet").exists()
        command = FROM_HERE if line.command == INSTALL else line.command
        terminal = Terminal(
            f". wallet/bin/activate; {command}" if has_environment else command,
            self.person,
            folder=self._folder,
            environment={
                "HOME": str(self._home), "PATH": f"{self._home}/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "TERM": "xterm",
            },
        )  # fmt: skip
        self._stack.callback(terminal.close)
        self.terminals[line.command] = terminal
        shown = r"(?s:.*)".join(r".*".join(map(re.escape, text.split("..."))) for text in line.shown)
        terminal.until(shown if line.stays else None)
        if not (line.stays or terminal.process.wait() == 0) or not re.search(shown, terminal.screen):
            pytest.fail(f"{line.command}\n{terminal.read[-3000:]}")
        if not has_environment and (self._folder / "wallet").exists():
            self._bring_packages()

    def _bring_packages(self) -> None:
        """Into the reader's new environment: the locked packages, which an index would bring, and the time."""
        (place,) = (self._folder / "wallet").glob("lib/python3.*/site-packages")
        (place / "reader_time.py").write_text(CLOCK.format(path=str(self._home / "ahead")), encoding="utf-8")
        locked = "\n".join(path for path in sys.path if path.endswith("site-packages"))
        (place / "reader.pth").write_text(f"{locked}\nimport reader_time\n", encoding="utf-8")


@pytest.mark.slow
def test_a_newcomer_who_follows_the_page_literally_succeeds(home: Path) -> None:
    with ExitStack() as stack:
        reader = Reader(home, stack)
        for step in steps(PAGE.read_text(encoding="utf-8")):
            reader.run(step) if isinstance(step, Line) else reader.save(*step)
        agent = reader.terminals["python agent.py"]
        agent.until("The agent was told: The payment was signed, sent and mined.")
        assert balance(PAYEE) == 2 * 10**16

    screens = {command: terminal.screen for command, terminal in reader.terminals.items()}
    init = next(screen for command, screen in screens.items() if " init " in command)
    assert re.search(r"Test payment: 0\.01 ETH to 0x[0-9a-fA-F]{40}, mined\.", init)
    codes = reader.person.typed
    assert len(codes) == 3, "\n".join(terminal.read for terminal in reader.terminals.values())
    secrets = [reader.person.secret, *codes, *re.findall(r"match code: (\S+)", "".join(screens.values()))]
    assert len(secrets) == 6
    assert [secret for secret in secrets if secret in agent.screen] == []


def test_every_install_line_of_the_page_is_the_one_that_is_replaced() -> None:
    lines = [step.command for step in steps(PAGE.read_text(encoding="utf-8")) if isinstance(step, Line)]

    assert [line for line in lines if "pip" in line] == [INSTALL]
    assert [line for line in lines if "mcp-wallet-guard" in line.split()[0]], "the others are run as they stand"


def balance(address: str) -> int:
    """In wei, as the reader's chain says."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "eth_getBalance", "params": [address, "latest"]}
    request = urllib.request.Request(
        "http://127.0.0.1:8545/", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        answer: dict[str, Any] = json.load(response)
    return int(answer["result"], 16)
