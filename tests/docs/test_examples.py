"""The examples are what their READMEs say: settings that parse, links that lead somewhere, commands that do it."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any, Final

import pytest

from mcp_wallet_guard.config.document import Document
from mcp_wallet_guard.config.file import load_settings
from mcp_wallet_guard.config.settings import parse_settings
from tests.cli.commands import run
from tests.cli.test_init import PASSPHRASE, REASON

ROOT: Final = Path(__file__).resolve().parents[2]
EXAMPLES: Final = sorted(path.parent for path in (ROOT / "examples").glob("*/README.md"))
PARTS: Final = {"README.md", "guard.toml", "host.json", "server.py"}
LINK: Final = re.compile(r"\]\((?!https?:)([^)#]+)")
INIT: Final = re.compile(r"\$ mcp-wallet-guard (init (?:.*\\\n)*.*)\n")


def told(document: Document) -> dict[str, Any]:
    """All that stands in a guard.toml but whose wallet it is, and how a test made it."""
    return document.model_dump(mode="json", exclude={"account": {"address"}, "danger": True})


def test_every_folder_of_examples_is_one() -> None:
    assert [path.name for path in EXAMPLES] == sorted(
        path.name for path in (ROOT / "examples").iterdir() if path.is_dir() and path.name != "__pycache__"
    )


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_has_all_its_parts_and_they_parse(example: Path) -> None:
    assert {path.name for path in example.iterdir()} - {"__pycache__"} == PARTS
    assert parse_settings((example / "guard.toml").read_text("utf-8")).policy is not None
    (server,) = json.loads((example / "host.json").read_text("utf-8"))["mcpServers"].values()
    assert server == {"command": "python", "args": ["/path/to/server.py", "/path/to/guard.toml"]}
    links = LINK.findall((example / "README.md").read_text("utf-8"))
    assert links
    assert [link for link in links if not (example / link).exists()] == []


def test_the_command_of_the_readme_writes_the_guard_toml_beside_it(tmp_path: Path) -> None:
    example = ROOT / "examples" / "unattended_small_budget"
    (command,) = INIT.findall((example / "README.md").read_text("utf-8"))
    words = [word for word in shlex.split(command) if word.strip()]

    cheap = ["--dir", str(tmp_path / "guard"), "--kdf", "cheap", "--danger-cheap-kdf", REASON, "--json"]
    ran = run(*words, *cheap, passphrase=PASSPHRASE, with_secrets=True)

    assert ran.status == 0, ran
    written = load_settings(Path(ran.json["config"])).settings.document
    assert told(written) == told(parse_settings((example / "guard.toml").read_text("utf-8")).document)
