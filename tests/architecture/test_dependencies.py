"""What is imported is declared, and what is declared is imported."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
# distribution -> the name it is imported by, where the two differ
IMPORTED_AS: Final = {
    "eth-tester": "eth_tester",
    "py-evm": "eth",
    "pycryptodome": "Crypto",
}
# Comes with a declared one, and only in a version that fits it.
COMPANIONS: Final = {
    "eth_keys": "eth_tester",
    "eth_typing": "web3",
    "eth_utils": "eth_tester",
    "mcp_types": "mcp",
    "pydantic_core": "pydantic",
    "rlp": "eth_tester",
}


def declared(requirements: list[str]) -> set[str]:
    found = {re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0] for requirement in requirements}
    return {IMPORTED_AS.get(name, name.replace("-", "_")) for name in found - {"mcp-wallet-guard"}}


def third_party_imports(folder: Path) -> dict[str, set[str]]:
    """Top-level names that the sources import, with the files that do."""
    found: dict[str, set[str]] = {}
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            for name in names:
                found.setdefault(name.split(".")[0], set()).add(path.relative_to(ROOT).as_posix())
    return {name: files for name, files in found.items() if name not in sys.stdlib_module_names}


PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
RUNTIME: Final = declared(PROJECT["dependencies"])
TESTING: Final = declared(PROJECT["optional-dependencies"]["testing"])
OPTIONAL: Final = {
    "slip39": "src/mcp_wallet_guard/keys/slip39.py",
}
"""Extra -> the one file that imports what it brings."""
SOURCE: Final = ROOT / "src" / "mcp_wallet_guard"


def adapters() -> dict[str, str]:
    extras = PROJECT["optional-dependencies"]
    return {name: file for extra, file in OPTIONAL.items() for name in declared(extras[extra])}


def test_every_import_of_the_package_is_a_declared_dependency() -> None:
    undeclared = {
        name: files
        for name, files in third_party_imports(SOURCE).items()
        if COMPANIONS.get(name, name) not in RUNTIME | TESTING | {"mcp_wallet_guard"} | set(adapters())
    }

    assert undeclared == {}


def test_what_another_extra_brings_is_imported_by_its_one_file_alone() -> None:
    imported = third_party_imports(SOURCE)

    assert {name: imported[name] for name in adapters()} == {name: {file} for name, file in adapters().items()}
    assert set(OPTIONAL) == set(PROJECT["optional-dependencies"]) - {"testing", "all"}


def test_what_the_testing_extra_brings_is_imported_only_by_the_testing_room() -> None:
    strangers = {
        name: outside
        for name, files in third_party_imports(SOURCE).items()
        if COMPANIONS.get(name, name) in TESTING - RUNTIME
        and (outside := {file for file in files if not file.startswith("src/mcp_wallet_guard/testing/")})
    }

    assert strangers == {}


def test_every_runtime_dependency_is_imported() -> None:
    assert set(third_party_imports(SOURCE)) >= RUNTIME
