"""The registry of the checklist claims nothing that its code, its tests and the map of threats do not bear out."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]

sys.path.insert(0, str(ROOT / "tools"))
import checklist as tool  # noqa: E402  # a program of the repository, not an installed module
import threats  # noqa: E402  # the same

sys.path.pop(0)

MET: Final = tool.Item(
    id="SRV-API-1", section="SRV-API API security", priority="high", item="Input validation", klass="E",
    how="Strict models", shown_by="Bad input is refused", threats=("T-001",), state="met",
    where=("guard.py",), tests=("tests/test_one.py::test_a",),
)  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with one module and one file of tests."""
    (tmp_path / "src" / "mcp_wallet_guard").mkdir(parents=True)
    (tmp_path / "tests").mkdir()
    (tmp_path / "src" / "mcp_wallet_guard" / "guard.py").touch()
    (tmp_path / "tests" / "test_one.py").write_text("def test_a(): ...\n", encoding="utf-8")
    (tmp_path / "tests" / "test_none.py").write_text("def helper(): ...\n", encoding="utf-8")
    (tmp_path / "tests" / "rig.py").write_text("def test_a(): ...\n", encoding="utf-8")
    return tmp_path


def threat(state: str) -> threats.Threat:
    missing = "Half of it." if state == "partly" else ""
    return threats.Threat(id="T-001", attack="An attack", position="llm", outcome="DENIED", state=state, open=missing)


def found(item: tool.Item, root: Path, *, state: str = "guarded") -> list[str]:
    counted, *faults = tool.faults([item], [threat(state)], root)
    assert counted == f"the checklist has {tool.ITEMS} items, not 1"
    return faults


def test_every_claim_of_the_registry_can_be_true() -> None:
    assert list(tool.faults(tool.read_items(tool.DATA), threats.read_threats(threats.DATA), ROOT)) == []


def test_all_items_are_there_with_their_priorities() -> None:
    """As counted in the source: 129, of which 67 are red, 59 orange and 3 green."""
    items = tool.read_items(tool.DATA)
    assert len({item.id for item in items}) == 129
    assert Counter(item.priority for item in items) == {"high": 67, "medium": 59, "low": 3}


def test_the_page_and_its_twin_are_current() -> None:
    items = tool.read_items(tool.DATA)
    assert tool.PAGE.read_text(encoding="utf-8") == tool.render(items), "docs/checklist.md is stale: `make checklist`"
    assert tool.TWIN.read_text(encoding="utf-8") == tool.twin(items), "docs/checklist.json is stale: `make checklist`"


def test_the_twin_says_what_the_page_says() -> None:
    items = tool.read_items(tool.DATA)
    body: dict[str, Any] = json.loads(tool.TWIN.read_text(encoding="utf-8"))
    assert [(each["id"], each["state"], each["class"]) for each in body["items"]] == [
        (item.id, item.state, item.klass) for item in items
    ]
    page = tool.PAGE.read_text(encoding="utf-8")
    for item in items:
        assert f"| {item.id} | {item.priority} | {item.item} | {item.klass} | {item.state.replace('_', ' ')} |" in page
    assert sum(body["states"].values()) == len(items)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"where": ("other.py",)}, "there is no module other.py"),
        ({"where": ()}, "no code does it"),
        ({"tests": ("tests/test_two.py",)}, "there is no test tests/test_two.py"),
        ({"tests": ("tests/test_one.py::test_b",)}, "there is no test tests/test_one.py::test_b"),
        ({"tests": ("tests/test_none.py",)}, "there is no test tests/test_none.py"),
        ({"tests": ("tests/rig.py",)}, "there is no test tests/rig.py"),
        ({"tests": ("src/mcp_wallet_guard/guard.py",)}, "there is no test src"),
        ({"tests": ()}, "no test shows it"),
        ({"threats": ("T-999",)}, "T-999 is not listed"),
        ({"open": "Something."}, "`open` says what is missing"),
        ({"state": "partly"}, "`open` says what is missing"),
        ({"state": "partly", "open": "Half.", "tests": ()}, "no test shows it"),
        ({"state": "not_yet"}, "names code or tests"),
        ({"state": "declined", "where": (), "tests": ()}, "`open` says what is missing"),
        ({"state": "done"}, "'done' is none of"),
        ({"priority": "red"}, "'red' is none of"),
        ({"klass": "X"}, "'X' is no class"),
        ({"klass": "E+"}, "'E+' is no class"),
        ({"how": "a | b"}, "plain text"),
        ({"item": " "}, "plain text"),
    ],
)
def test_a_claim_that_cannot_be_true_is_named(root: Path, change: dict[str, Any], fault: str) -> None:
    assert any(fault in each for each in found(replace(MET, **change), root))


@pytest.mark.parametrize("state", ["partly", "later"])
def test_an_item_is_not_met_while_a_threat_of_its_own_is_open(root: Path, state: str) -> None:
    assert found(MET, root, state=state) == [f"SRV-API-1 is said to be met, and its T-001 is {state}"]
    assert found(replace(MET, state="partly", open="T-001."), root, state=state) == []


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"tests": ("tests/test_one.py",)},
        {"klass": "C(own)+D"},
        {"state": "partly", "open": "Half of it."},
        {"state": "partly", "open": "Half of it.", "where": ()},
        {"state": "not_yet", "where": (), "tests": ()},
        {"state": "declined", "where": (), "tests": (), "open": "It would protect nothing."},
    ],
)
def test_an_honest_item_has_no_fault(root: Path, change: dict[str, Any]) -> None:
    assert found(replace(MET, **change), root) == []


def test_a_missing_item_is_noticed(root: Path) -> None:
    assert list(tool.faults([MET], [threat("guarded")], root)) == ["the checklist has 129 items, not 1"]


def test_an_id_has_the_shape_of_the_checklists() -> None:
    assert list(MET.faults()) == []
    assert list(replace(MET, id="API").faults()) == ["API: not an id"]
