"""Code is loaded because our own tables name it, never because something was installed. Threat: T-096."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from mcp_wallet_guard import assembly
from mcp_wallet_guard.errors import Misconfigured, MissingExtra

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCE: Final = ROOT / "src" / "mcp_wallet_guard"
LOADERS: Final = {"__init__.py", "assembly.py", "cli/main.py"}
"""Each loads names from a table of its own."""


def names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    plain = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    dotted = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    imported = {alias.name for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom) for alias in n.names}
    return plain | dotted | imported


def test_only_tables_of_our_own_name_what_is_loaded() -> None:
    used = {path.relative_to(SOURCE).as_posix(): names_in(path) for path in SOURCE.rglob("*.py")}

    assert {file for file, names in used.items() if names & {"import_module", "__import__", "exec", "eval"}} == LOADERS
    assert [file for file, names in used.items() if names & {"entry_points", "EntryPoint", "iter_modules"}] == []
    assert all(module.startswith("mcp_wallet_guard.") for module, _, _ in assembly.ADAPTERS.values())


def test_an_adapter_outside_the_table_is_refused() -> None:
    with pytest.raises(Misconfigured):
        assembly.load("signer:planted")


def test_an_adapter_whose_library_is_missing_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(assembly.ADAPTERS, "signer:absent", ("mcp_wallet_guard.signers.absent", "Signer", "absent"))

    with pytest.raises(MissingExtra) as missing:
        assembly.load("signer:absent")

    assert "mcp-wallet-guard[absent]" in str(missing.value.detail)


def test_an_installed_package_that_offers_a_signer_is_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "planted_signer.py").write_text("raise SystemExit('the planted signer ran')\n", encoding="utf-8")
    installed = tmp_path / "planted_signer-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: planted-signer\nVersion: 1.0\n", encoding="utf-8")
    groups = ("mcp_wallet_guard", "mcp_wallet_guard.signers", "mcp_wallet_guard.adapters", "mcp-wallet-guard")
    offers = "\n".join(f"[{group}]\nlocal = planted_signer:Signer" for group in groups)
    (installed / "entry_points.txt").write_text(offers, encoding="utf-8")
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from importlib.metadata import entry_points;"
        "assert len(entry_points(name='local', group='mcp_wallet_guard.signers')) == 1;"
        "from mcp_wallet_guard import assembly; print(*[assembly.load(name).__module__ for name in assembly.ADAPTERS]);"
        "assert 'planted_signer' not in sys.modules"
    )

    ran = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False, timeout=60
    )

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == [module for module, _, _ in assembly.ADAPTERS.values()]
