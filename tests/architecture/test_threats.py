"""The map of threats is true both ways: what is claimed is cited by code and tests, and what is cited is listed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]

sys.path.insert(0, str(ROOT / "tools"))
import threats as tool  # noqa: E402  # a program of the repository, not an installed module

sys.path.pop(0)

# What this version stands or falls with.
PROMISED: Final = {
    *("T-001", "T-002", "T-004", "T-005", "T-006", "T-007", "T-008", "T-009"),
    *("T-011", "T-012", "T-013", "T-014", "T-015", "T-016", "T-056"),
}


def threat(name: str = "T-001", *, state: str = "guarded", missing: str = "") -> tool.Threat:
    return tool.Threat(id=name, attack="An attack", position="llm", outcome="DENIED", state=state, open=missing)


def citations(*, code: tuple[str, ...] = (), tests: tuple[str, ...] = ()) -> tool.Citations:
    return tool.Citations(code={name: {"guard.py"} for name in code}, tests={name: {"tests/t.py"} for name in tests})


def test_every_claim_of_the_list_is_cited_and_every_citation_is_listed() -> None:
    assert list(tool.faults(tool.read_threats(tool.DATA), tool.read_citations(ROOT))) == []


def test_what_this_version_promises_is_guarded() -> None:
    guarded = {one.id for one in tool.read_threats(tool.DATA) if one.state == "guarded"}

    assert sorted(PROMISED - guarded) == []


def test_the_page_is_current() -> None:
    page = tool.render(tool.read_threats(tool.DATA), tool.read_citations(ROOT))

    assert tool.PAGE.read_text(encoding="utf-8") == page, "docs/threats.md is stale: `make threats`"


@pytest.mark.parametrize(
    ("listed", "cited", "fault"),
    [
        (threat(), citations(code=("T-001",)), "no test says"),
        (threat(), citations(tests=("T-001",)), "no code says"),
        (threat(), citations(code=("T-001", "T-002"), tests=("T-001",)), "T-002 is cited and not listed"),
        (threat(), citations(code=("T-001",), tests=("T-001", "T-999")), "T-999 is cited and not listed"),
        (threat(state="partly", missing="All of it."), citations(), "no code says"),
        (threat(state="partly"), citations(code=("T-001",)), "`open` says what is missing"),
        (threat(missing="Nothing"), citations(code=("T-001",), tests=("T-001",)), "`open` says what is missing"),
        (threat(state="later"), citations(tests=("T-001",)), "said to come later"),
        (threat(state="done"), citations(code=("T-001",), tests=("T-001",)), "'done' is none of"),
        (threat("T-1"), citations(), "an id is T and three digits"),
    ],
)
def test_a_claim_that_is_not_true_is_named(listed: tool.Threat, cited: tool.Citations, fault: str) -> None:
    assert any(fault in found for found in tool.faults([listed], cited))


def test_a_true_claim_has_no_fault() -> None:
    both = citations(code=("T-001",), tests=("T-001",))

    assert list(tool.faults([threat(), threat("T-002", state="later")], both)) == []


def test_a_citation_counts_for_the_test_that_holds_it_or_for_the_file(tmp_path: Path) -> None:
    package, tests = tmp_path / "src" / "mcp_wallet_guard", tmp_path / "tests"
    for folder in (package / "testing", tests):
        folder.mkdir(parents=True)
    (package / "guard.py").write_text('"""Threat: T-001, T-002."""\n', encoding="utf-8")
    (package / "testing" / "attack.py").write_text('"""T-003 is shown here."""\n', encoding="utf-8")
    (tests / "test_one.py").write_text(
        '"""Threat: T-004."""\n\n\ndef test_a() -> None:\n    """Threat: T-005."""\n\n\n'
        "class Cases:\n    def test_b(self) -> None:\n        assert 'T-006'\n",
        encoding="utf-8",
    )
    (tests / "rig.py").write_text('"""T-007 without a test."""\n', encoding="utf-8")

    found = tool.read_citations(tmp_path)

    assert dict(found.code) == {"T-001": {"guard.py"}, "T-002": {"guard.py"}}
    assert dict(found.tests) == {
        "T-004": {"tests/test_one.py"},
        "T-005": {"tests/test_one.py::test_a"},
        "T-006": {"tests/test_one.py::Cases::test_b"},
    }
