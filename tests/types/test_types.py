"""Misuse is an error in mypy and in pyright, both strict, and nothing else in the cases is.

A line of `cases/` that must not type-check ends in ``# E: mypy=<code,...> pyright=<rule,...>``. Both checkers run once
over the folder. An expected error that is missing fails, and so does one that nobody expected.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CASES = sorted((HERE / "cases").glob("*.py"))
MARK = re.compile(r"# E: mypy=([a-z,-]+) pyright=([A-Za-z,]+)$")
MYPY_LINE = re.compile(r"(.+?):(\d+): error: .*\[([a-z-]+)\]$")
Errors = Counter[tuple[str, int, str]]
"""(file, line, code) -> how often."""


def expected(group: int) -> Errors:
    return Counter(
        (path.name, number, code)
        for path in CASES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if (mark := MARK.search(line))
        for code in mark.group(group).split(",")
    )


def found_by_mypy(cases: list[Path]) -> Errors:
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), *map(str, cases)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    assert ran.returncode in {0, 1}, ran.stdout + ran.stderr
    lines = [line for line in ran.stdout.splitlines() if ": error: " in line]
    matches = [MYPY_LINE.fullmatch(line) for line in lines]
    return Counter((Path(m[1]).name, int(m[2]), m[3]) for m in matches if m) + Counter(
        {(line, 0, ""): 1 for line, match in zip(lines, matches, strict=True) if match is None}
    )


def found_by_pyright(checker: Path, project: Path) -> Errors:
    command = [str(checker), "--project", str(project), "--pythonpath", sys.executable, "--outputjson"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    assert ran.returncode in {0, 1}, ran.stdout + ran.stderr
    return Counter(
        (Path(d["file"]).name, d["range"]["start"]["line"] + 1, d.get("rule", "syntax"))
        for d in json.loads(ran.stdout)["generalDiagnostics"]
        if d["severity"] == "error"
    )


def pyright_here() -> Path:
    beside = Path(sys.executable).parent
    found = [path for name in ("basedpyright", "pyright") if (path := beside / name).exists()]
    if not found:
        pytest.skip("needs basedpyright or pyright: make check installs it")
    return found[0]


def report(found: Errors, wanted: Errors) -> str:
    missing = [f"missing  {file}:{line} [{code}]" for file, line, code in sorted(wanted - found)]
    extra = [f"extra    {file}:{line} [{code}]" for file, line, code in sorted(found - wanted)]
    return "\n".join([*missing, *extra])


def test_every_case_has_its_marks() -> None:
    marked = {file for file, _, _ in expected(1)}
    assert marked == {path.name for path in CASES}
    assert sum(expected(1).values()) > 50
    for path in CASES:
        for line in path.read_text(encoding="utf-8").splitlines():
            assert "# E:" not in line or MARK.search(line), line
            assert "ignore" not in line, line


@pytest.mark.slow
def test_mypy_refuses_every_misuse_and_nothing_else() -> None:
    pytest.importorskip("mypy", reason="needs mypy: make check installs it")
    assert report(found_by_mypy(CASES), expected(1)) == ""


@pytest.mark.slow
def test_pyright_refuses_every_misuse_and_nothing_else() -> None:
    assert report(found_by_pyright(pyright_here(), HERE / "pyrightconfig.json"), expected(2)) == ""


def test_a_missing_and_an_extra_error_are_both_reported() -> None:
    one, other = Counter({("a.py", 1, "misc"): 1}), Counter({("a.py", 2, "misc"): 1})
    assert report(one, other) == "missing  a.py:2 [misc]\nextra    a.py:1 [misc]"
    assert report(one, one + one) == "missing  a.py:1 [misc]"
    assert report(one, one) == ""
