"""Who makes proofs is read from the source: one maker each, and one caller for the signer's ticket.

Threat: T-001, T-097.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import mcp_wallet_guard
from mcp_wallet_guard.proofs import MAKERS

SOURCE = Path(mcp_wallet_guard.__file__).parent
CALL = tuple[str, ast.Call]


def module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def calls(tree: ast.AST, where: str) -> Iterator[CALL]:
    """Each call with the dotted name of the function or class around it."""
    for node in ast.iter_child_nodes(tree):
        inside = where
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inside = f"{where}.{node.name}" if where else node.name
        if isinstance(node, ast.Call):
            yield inside, node
        yield from calls(node, inside)


def all_calls(root: Path) -> list[CALL]:
    return [
        call
        for path in sorted(root.rglob("*.py"))
        if "testing" not in path.relative_to(root).parts
        for call in calls(parsed(path), module_name(path, root))
    ]


def called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def minted(root: Path) -> list[tuple[str, str]]:
    """(proof, function that mints it); what is minted through a variable reads as its source text."""
    return [
        (ast.unparse(node.args[0]) if node.args else "?", inside)
        for inside, node in all_calls(root)
        if called(node) == "mint"
    ]


def callers(root: Path, function: str) -> list[str]:
    return [inside for inside, node in all_calls(root) if called(node) == function]


def mentions(root: Path, name: str) -> Counter[str]:
    """Module -> how often it names `name`, be it to call it, to import it, to hand it on or to look it up."""
    return Counter(
        module_name(path, root)
        for path in root.rglob("*.py")
        for node in ast.walk(parsed(path))
        if (isinstance(node, ast.Name) and node.id == name)
        or (isinstance(node, ast.Attribute) and node.attr == name)
        or (isinstance(node, ast.alias) and node.name == name)
        or (isinstance(node, ast.Constant) and node.value == name)
    )


def test_each_proof_is_minted_once_and_by_its_maker() -> None:
    written = {maker.rpartition(".")[0] for maker in MAKERS.values()}
    present = {module for module in written if (SOURCE / (module.replace(".", "/") + ".py")).exists()}
    expected = {(proof, maker) for proof, maker in MAKERS.items() if maker.rpartition(".")[0] in present}
    found = minted(SOURCE)
    assert sorted(found) == sorted(expected)


def test_no_module_but_the_makers_knows_how_to_mint() -> None:
    allowed = {maker.rpartition(".")[0] for maker in MAKERS.values()} | {"proofs"}
    assert mentions(SOURCE, "mint").keys() <= allowed


def reaching_around(root: Path) -> set[str]:
    """Modules that make or edit objects behind their class's back. An object may edit itself while it is made, and a
    class may make its own."""
    return {
        inside.partition(".")[0]
        for inside, node in all_calls(root)
        if isinstance(node.func, ast.Attribute)
        and node.func.attr in {"__new__", "__setattr__"}
        and not (node.func.attr == "__setattr__" and ast.unparse(node.args[0]) == "self")
        and not ast.unparse(node).startswith("super().__new__(cls,")
    }


def test_only_rooms_with_sealed_types_reach_around_a_seal() -> None:
    assert reaching_around(SOURCE) <= {"clearsign", "danger", "keys", "proofs", "secret"}


def test_the_signers_ticket_has_one_caller_and_no_other_name() -> None:
    assert callers(SOURCE, "check_runnable") == ["acts.consume"]
    assert mentions(SOURCE, "check_runnable") == {"acts": 2}
    assert callers(SOURCE, "check_sendable") == ["withdrawals.consume"]
    assert mentions(SOURCE, "check_sendable") == {"withdrawals": 2}
    assert callers(SOURCE, "check_signable") == ["bookkeeping.use_up"]
    assert mentions(SOURCE, "check_signable") == {"bookkeeping": 2}, "imported, and called"


@pytest.mark.parametrize(
    "source",
    [
        "from mcp_wallet_guard.ceremony import check_signable as ticket\nticket(1)\n",
        "from mcp_wallet_guard import ceremony\nticket = ceremony.check_signable\nticket(1)\n",
        "from mcp_wallet_guard import ceremony\ngetattr(ceremony, 'check_signable')(1)\n",
    ],
    ids=["renamed on import", "bound to a name", "looked up"],
)
def test_a_caller_by_another_name_is_found(tmp_path: Path, source: str) -> None:
    (tmp_path / "rogue.py").write_text(source, encoding="utf-8")
    assert callers(tmp_path, "check_signable") == []
    assert mentions(tmp_path, "check_signable") == {"rogue": 1}


def test_a_second_maker_a_second_caller_and_a_disguised_one_are_found(tmp_path: Path) -> None:
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "rogue.py").write_text(
        "from mcp_wallet_guard import proofs\n"
        "class Rogue:\n"
        "    async def forge(self):\n"
        "        return proofs.mint(proofs.Signable, operation=1, signing_hashes=())\n"
        "def again():\n"
        "    make = proofs.mint\n"
        "    return ceremony.check_signable(make(kind))\n"
        "def around():\n"
        "    return object.__new__(Signable)\n",
        encoding="utf-8",
    )
    assert minted(tmp_path) == [("proofs.Signable", "room.rogue.Rogue.forge")]
    assert callers(tmp_path, "check_signable") == ["room.rogue.again"]
    assert mentions(tmp_path, "mint") == {"room.rogue": 2}
    assert reaching_around(tmp_path) == {"room"}
