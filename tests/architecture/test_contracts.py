"""Every import contract can fail: each is broken once, in a copy of the package, and must be named."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
CONTRACTS: Final = ROOT / ".importlinter"
PACKAGE: Final = "mcp_wallet_guard"

# contract, module that is edited (made where it is missing), import that is planted there, what the report must name
PLANTED: Final = [
    pytest.param(
        "layers", "errors", "from mcp_wallet_guard import danger", "errors -> mcp_wallet_guard.danger", id="upwards"
    ),
    pytest.param(
        "layers",
        "stores.planted",
        "from mcp_wallet_guard import keys",
        "stores.planted -> mcp_wallet_guard.keys",
        id="between siblings",
    ),
    pytest.param(
        "layers",
        "operations.planted",
        "from mcp_wallet_guard.policy import planted",
        "operations.planted -> mcp_wallet_guard.policy",
        id="from values to decisions",
    ),
    pytest.param("layers", "new_room", "", "new_room", id="a room that nobody placed"),
    pytest.param("pure", "policy.planted", "import time", "policy.planted -> time", id="a clock in policy"),
    pytest.param("pure", "ceremony", "import secrets", "ceremony -> secrets", id="randomness in the ceremony"),
    pytest.param(
        "pure",
        "secret",
        "import mcp_wallet_guard.operations\nimport threading",
        "secret -> threading",
        id="a thread, reached through another room",
    ),
    pytest.param(
        "keys",
        "approvals.planted",
        "import mcp_wallet_guard.keys",
        "approvals.planted -> mcp_wallet_guard.keys",
        id="keys outside",
    ),
    pytest.param(
        "keys",
        "signers.ledger",
        "import mcp_wallet_guard.keys",
        "signers.ledger -> mcp_wallet_guard.keys",
        id="keys in another signer",
    ),
    pytest.param(
        "mcp",
        "mcp.planted",
        "import mcp_wallet_guard.keys",
        "mcp.planted -> mcp_wallet_guard.keys",
        id="the edge reaching inside",
    ),
    pytest.param(
        "adapters",
        "guard",
        "import mcp_wallet_guard.signers.local",
        "guard -> mcp_wallet_guard.signers.local",
        id="an adapter named by the guard",
    ),
    pytest.param("web3", "daemon.planted", "import web3", "daemon.planted -> web3", id="web3 outside chains"),
    pytest.param("sqlite", "journal.planted", "import apsw", "journal.planted -> apsw", id="SQLite outside stores"),
    pytest.param("one-sqlite", "setup", "import sqlite3", "setup -> sqlite3", id="a second SQLite"),
    pytest.param("egress", "chains.planted", "import httpx2", "chains.planted -> httpx2", id="a way around egress"),
    pytest.param("http", "egress", "import requests", "egress -> requests", id="a second HTTP client"),
]


def lint_imports(source: Path, contract: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            str(Path(sys.executable).with_name("lint-imports")),
            "--no-logo",
            "--no-cache",
            "--config",
            str(CONTRACTS),
            "--contract",
            contract,
        ],
        cwd=source,
        env={**os.environ, "PYTHONPATH": str(source), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A copy of the package with the rooms that the planted modules need."""
    pytest.importorskip("importlinter", reason="needs import-linter: make check installs it")
    copied = tmp_path / "src"
    shutil.copytree(ROOT / "src", copied, ignore=shutil.ignore_patterns("__pycache__", "*.json"))
    return copied


@pytest.mark.parametrize(("contract", "module", "planted", "named"), PLANTED)
def test_a_planted_import_breaks_its_contract_and_is_named(
    source: Path, contract: str, module: str, planted: str, named: str
) -> None:
    path = source / PACKAGE / Path(*module.split(".")).with_suffix(".py")
    if module == "secret":  # make a pure room reach the planted import through it
        bridge = source / PACKAGE / "operations" / "planted.py"
        bridge.write_text("import mcp_wallet_guard.secret\n", encoding="utf-8")
        planted = planted.splitlines()[-1]
    if ".policy import planted" in planted:
        (source / PACKAGE / "policy" / "planted.py").write_text("", encoding="utf-8")
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(f"{before}\n{planted}\n", encoding="utf-8")

    report = lint_imports(source, contract)

    assert report.returncode == 1, report.stdout + report.stderr
    assert "BROKEN" in report.stdout
    assert named in report.stdout


def test_every_contract_has_a_planted_violation() -> None:
    parser = ConfigParser()
    parser.read(CONTRACTS, encoding="utf-8")
    contracts = {name.rsplit(":", 1)[1] for name in parser.sections() if ":contract:" in name}

    assert contracts == {str(case.values[0]) for case in PLANTED}
