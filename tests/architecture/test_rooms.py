"""docs/architecture.md draws the rooms that exist, in the order and with the purity that the contracts enforce."""

from __future__ import annotations

import re
from configparser import ConfigParser
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGE: Final = ROOT / "src" / "mcp_wallet_guard"
ROW: Final = re.compile(r"^\| ((?:`\w+`(?:, )?)+) \| .* \| (.*?) ?\|$", re.MULTILINE)
NAME: Final = re.compile(r"\w+")


def contracts() -> ConfigParser:
    parser = ConfigParser()
    parser.read(ROOT / ".importlinter", encoding="utf-8")
    return parser


def drawn() -> list[tuple[set[str], str]]:
    """Each row of the table of rooms: its names, and what its last column says of purity."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    text = page.split("## Rooms and import direction\n", 1)[1].split("\n## ", 1)[0]
    return [(set(NAME.findall(names)), purity) for names, purity in ROW.findall(text)]


def test_the_table_is_that_of_the_contract() -> None:
    layers = contracts()["importlinter:contract:layers"]["layers"].strip().splitlines()

    assert [names for names, _ in drawn()] == [set(NAME.findall(layer)) for layer in layers]


def test_pure_is_said_of_exactly_the_rooms_that_the_contract_keeps_pure() -> None:
    kept = contracts()["importlinter:contract:pure"]["source_modules"].split()
    said = {
        name
        for names, purity in drawn()
        if "pure" in purity
        for name in (set(NAME.findall(purity)) - {"pure"}) or names
    }

    assert said == {module.rsplit(".", 1)[1] for module in kept}


def test_every_room_that_exists_is_drawn() -> None:
    rooms = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}

    assert rooms - {"__init__"} <= set().union(*(names for names, _ in drawn()))
