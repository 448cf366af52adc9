"""docs/architecture.md says of pipeline, states and imports what the code says, and the tool reads the code right."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from mcp_wallet_guard import ceremony, proofs
from mcp_wallet_guard.evidence import State

ROOT: Final = Path(__file__).resolve().parents[2]

sys.path.insert(0, str(ROOT / "tools"))
import architecture as tool  # noqa: E402  # a program of the repository, not an installed module

sys.path.pop(0)

STEPS: Final = tool.read_steps(ceremony.__doc__ or "")
PACKAGE: Final = "mcp_wallet_guard"


def made_by(maker: str, proof: str) -> list[tool.Step]:
    """The drawing with another maker of this proof."""
    return [replace(step, maker=maker) if step.proof == proof else step for step in STEPS]


def test_the_page_is_current() -> None:
    page = tool.PAGE.read_text(encoding="utf-8")
    assert page == tool.render(page, STEPS), "docs/architecture.md is stale: `make architecture`"


def test_the_drawing_of_the_ceremony_and_the_table_of_makers_agree() -> None:
    assert list(tool.faults(STEPS, proofs.MAKERS)) == []


def test_the_drawing_has_ten_steps_and_the_freeze() -> None:
    names = ["validate", "authorize", "freeze", "decode", "policy", "confirm", "second factor", "execute"]
    more = ["execute, of an action", "execute, to a venue", "verify", "filter", "journal"]
    assert [step.name.lstrip("0123456789 ") for step in STEPS] == names + more
    assert all(step.says for step in STEPS)
    refuses = {step.name: step.refuses for step in STEPS}
    assert refuses["5 confirm"] == ("Expired", "AlreadyUsed", "Declined", "Refused", "Tampered")
    assert refuses["9 filter"] == ("Tampered",), "said by the function that it names"


@pytest.mark.parametrize(
    ("steps", "makers", "fault"),
    [
        (made_by("ceremony.check_confirmed", "Proven"), {}, "Proven: ceremony.py says that ceremony.check_conf"),
        (made_by("signers.local.sign", "Signed"), {}, "Signed: ceremony.py says that signers.local.sign"),
        ([step for step in STEPS if step.proof != "Proven"], {}, "Proven: in proofs.MAKERS alone"),
        (STEPS, {"Forged": "mcp.tools.forge"}, "Forged: in proofs.MAKERS alone"),
        ([step for step in STEPS if step.proof != "Decoded"], {}, "draws the steps 1, 2, 4, 5, 6, 7, 8, 9, 10"),
        (STEPS, {"Proven": "ceremony._check"}, ""),
    ],
)
def test_a_drawing_that_is_not_true_is_named(steps: list[tool.Step], makers: dict[str, str], fault: str) -> None:
    found = list(tool.faults(steps, {**proofs.MAKERS, **makers}))
    assert any(fault in each for each in found) if fault else found == [], found


@pytest.mark.parametrize("spoil", ["", "twice", "reversed"])
def test_a_part_without_its_place_is_an_error(spoil: str) -> None:
    start, end = "<!-- states: made by `make architecture` -->\n", "<!-- end of states -->\n"
    page = {"": start, "twice": start + end + start + end, "reversed": end + start}[spoil]
    with pytest.raises(ValueError, match="no place for states"):
        tool.placed(page, "states", [])
    assert tool.placed(f"a\n{start}old\n{end}b\n", "states", ["new"]) == f"a\n{start}new\n{end}b\n"


def test_every_state_and_every_move_is_drawn() -> None:
    drawn = "\n".join(tool.states())
    for state, moves in ceremony.TABLE.items():
        assert f"| `{state.name}` |" in drawn
        for move, after in moves.items():
            assert f"{move.value}: `{after.name}`" in drawn
    assert drawn.count("none: it is an end") == len(ceremony.ENDS)
    assert len(tool.states()) == len(State) + 2


@pytest.mark.parametrize(
    ("source", "rooms", "libraries"),
    [
        ("from mcp_wallet_guard.keys.vault import Vault\n", {"keys"}, set()),
        ("from mcp_wallet_guard import danger, __version__\n", {"danger"}, set()),
        ("import mcp_wallet_guard.keys\nimport web3.eth\nimport os\n", {"keys"}, {"web3"}),
        ("def late() -> None:\n    from mcp_wallet_guard.keys import vault\n", {"keys"}, set()),
        ("if TYPE_CHECKING:\n    from mcp_wallet_guard.keys import vault\n", {"keys"}, set()),
        ("from mcp_wallet_guard.policy.rules import Policy\n", set(), set()),
    ],
)
def test_imports_are_seen_wherever_they_stand(
    tmp_path: Path, source: str, rooms: set[str], libraries: set[str]
) -> None:
    for room in ("keys", "policy"):
        (tmp_path / room).mkdir()
        (tmp_path / room / "__init__.py").touch()
    (tmp_path / "danger.py").touch()
    (tmp_path / "__init__.py").write_text("import web3\n", encoding="utf-8")
    (tmp_path / "policy" / "rules.py").write_text(source, encoding="utf-8")
    found = tool.read_rooms(tmp_path)
    assert found["policy"] == tool.Room(rooms, libraries)
    assert {name for name, room in found.items() if room != tool.Room()} <= {"policy"}


def test_the_map_is_the_one_that_the_contracts_are_checked_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """import-linter builds its graph with another reader of the same sources."""
    grimp = pytest.importorskip("grimp", reason="comes with import-linter: make check installs it")
    monkeypatch.syspath_prepend(str(ROOT / "src"))
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    expected: dict[str, set[str]] = {name: set() for name in tool.read_rooms(tool.SOURCES)}
    for importer in graph.modules - {PACKAGE}:
        room = importer.split(".")[1]
        below = {name.split(".")[1] for name in graph.find_modules_directly_imported_by(importer) - {PACKAGE}}
        expected[room] |= below - {room}
    assert {name: room.rooms for name, room in tool.read_rooms(tool.SOURCES).items()} == expected
