"""The mutants step can fail: by a mutant that nobody notices, and by its own clock."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
COUNTS: Final = "def down(number: int) -> int:\n    while number:\n        number -= 1\n    return number\n"
TESTED: Final = "from mcp_wallet_guard.journal import down\n\n\ndef test_down() -> None:\n    assert down(3) == 0\n"
REACHED: Final = TESTED.replace("assert down(3) == 0", "down(0)")
ENDLESS: Final = "\n\ndef test_endless() -> None:\n    while True:\n        pass\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository whose journal counts down, which with one edit it does for ever. The other rooms are empty."""
    pytest.importorskip("coverage", reason="needs coverage: make check installs it")
    shutil.copytree(ROOT / "tools", tmp_path / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "tools" / "mutants_excused.toml").write_text("", "utf-8")
    package = tmp_path / "src" / "mcp_wallet_guard"
    package.mkdir(parents=True)
    rooms = ("errors", "danger", "secret", "operations", "evidence", "proofs", "clearsign", "policy", "ceremony")
    for name in ("__init__", *rooms):
        (package / f"{name}.py").touch()
    (package / "journal.py").write_text(COUNTS, "utf-8")
    (tmp_path / "tests" / "journal").mkdir(parents=True)
    return tmp_path


def judged(project: Path, tests: str, *arguments: str) -> tuple[int, str]:
    """How `make mutants` ends for the journal, and what it says. No process of it is left."""
    (project / "tests" / "journal" / "test_journal.py").write_text(tests, "utf-8")
    hidden = ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG", "PYTEST_XDIST_WORKER", "PYTEST_ADDOPTS")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    process = subprocess.Popen(
        [sys.executable, project / "tools" / "mutants.py", "--room", "journal", *arguments],
        cwd=project,
        env=environment | {"PYTHONPATH": str(project / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    output, _ = process.communicate(timeout=300)
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    return process.returncode, output


@pytest.mark.slow
def test_a_room_whose_mutants_are_noticed_in_time_meets_the_bar(project: Path) -> None:
    """The one that counts for ever is noticed as well: it takes too long."""
    status, output = judged(project, TESTED, "--minutes", "4")
    assert (status, "100.0%" in output) == (0, True), output


def test_a_room_whose_mutants_nobody_notices_is_below_the_bar(project: Path) -> None:
    status, output = judged(project, REACHED, "--minutes", "4")
    assert (status, "survived" in output) == (1, True), output


@pytest.mark.slow
@pytest.mark.parametrize("tests", [TESTED, TESTED + ENDLESS], ids=["a mutant", "the unedited tests"])
def test_what_is_not_done_in_time_is_stopped_and_fails(project: Path, tests: str) -> None:
    started = time.monotonic()
    status, output = judged(project, tests, "--minutes", "0.08")
    assert (status, "journal: not done 0.08 minutes after the start: BELOW the bar" in output) == (1, True), output
    assert time.monotonic() - started < 60


def test_what_make_runs_has_eight_minutes(project: Path) -> None:
    (line,) = [line for line in (ROOT / "Makefile").read_text("utf-8").splitlines() if "tools/mutants.py" in line]
    assert "--minutes" not in line
    shown = subprocess.run(
        [sys.executable, project / "tools" / "mutants.py", "--help"], check=True, capture_output=True, text=True
    ).stdout
    assert "default 8;" in " ".join(shown.split())
