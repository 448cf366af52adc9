"""The coverage bars can fail: a deciding room is judged by its own tests alone, whatever other tests reach."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]

sys.path.insert(0, str(ROOT / "tools"))
import coverage_bars as tool  # noqa: E402  # a program of the repository, not an installed module

sys.path.pop(0)

DECIDES: Final = "def may(amount: int) -> bool:\n    if amount > 3:\n        return False\n    return True\n"
ONE_WAY: Final = "from mcp_wallet_guard.policy import may\n\n\ndef test_small() -> None:\n    assert may(1)\n"
OTHER_WAY: Final = "\n\ndef test_large() -> None:\n    assert not may(4)\n"


def entry(*, statements: int, covered: int, branches: int = 0, taken: int = 0) -> dict[str, Any]:
    summary = {
        "num_statements": statements,
        "covered_lines": covered,
        "num_branches": branches,
        "covered_branches": taken,
    }
    return {"summary": summary, "missing_lines": [7], "missing_branches": [[7, 9]]}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose policy room has one branch, which only the tests of another room take."""
    package = tmp_path / "src" / "mcp_wallet_guard"
    files = {
        package / "__init__.py": "",
        package / "policy.py": DECIDES,
        tmp_path / "tests" / "policy" / "test_policy.py": ONE_WAY,
        tmp_path / "tests" / "guard" / "test_guard.py": ONE_WAY + OTHER_WAY,
    }
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    shutil.copy(ROOT / ".coveragerc", tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    for name in ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"):
        monkeypatch.delenv(name, raising=False)  # what measures this test must not measure what it starts
    return tmp_path


def test_what_only_another_rooms_tests_reach_does_not_count(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("coverage", reason="needs coverage: make check installs it")

    entries = tool.measure("policy", root=project)

    assert not tool.hold("policy", entries, bar=tool.OWN_BAR)
    assert "BELOW" in (shown := capsys.readouterr().out)
    assert "policy.py: lines [3] branches [2->3]" in shown


def test_a_room_whose_own_tests_reach_everything_meets_the_bar(project: Path) -> None:
    pytest.importorskip("coverage", reason="needs coverage: make check installs it")
    (project / "tests" / "policy" / "test_policy.py").write_text(ONE_WAY + OTHER_WAY, encoding="utf-8")

    assert tool.hold("policy", tool.measure("policy", root=project), bar=tool.OWN_BAR)


def test_a_room_whose_tests_fail_ends_the_run(project: Path) -> None:
    pytest.importorskip("coverage", reason="needs coverage: make check installs it")
    (project / "tests" / "policy" / "test_policy.py").write_text("def test_it() -> None:\n    assert False\n", "utf-8")

    with pytest.raises(SystemExit, match="policy: its tests fail"):
        tool.measure("policy", root=project)


@pytest.mark.parametrize(
    ("entries", "bar", "held"),
    [
        pytest.param([("policy/a.py", entry(statements=9999, covered=9998))], tool.OWN_BAR, False, id="one line"),
        pytest.param(
            [("policy/a.py", entry(statements=9, covered=9, branches=2, taken=1))], tool.OWN_BAR, False, id="one branch"
        ),
        pytest.param(
            [("policy/a.py", entry(statements=9, covered=9, branches=2, taken=2))], tool.OWN_BAR, True, id="all"
        ),
        pytest.param([("guard.py", entry(statements=1000, covered=899))], tool.BAR, False, id="below nine in ten"),
        pytest.param([("guard.py", entry(statements=1000, covered=900))], tool.BAR, True, id="nine in ten"),
        pytest.param([], tool.OWN_BAR, False, id="not measured"),
    ],
)
def test_a_bar_is_met_or_not(entries: tool.Entries, bar: float, held: bool) -> None:
    assert tool.hold("room", entries, bar=bar) is held


def test_the_rooms_judged_by_their_own_tests_are_those_that_are_mutated() -> None:
    pytest.importorskip("coverage", reason="needs coverage: make check installs it")
    sys.path.insert(0, str(ROOT / "tools"))
    import mutants

    sys.path.remove(str(ROOT / "tools"))

    assert set(tool.OWN) == set(mutants.ROOMS)
