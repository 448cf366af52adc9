"""Every Python block of the documentation runs, as it stands, in an interpreter of its own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
BLOCK: Final = re.compile(r"^```(?:python|py|\{code-block\} python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# "file#number" -> why this block cannot run. Keep it short.
NOT_RUN: Final[dict[str, str]] = {
    "docs/quick-start.md#2": "asks the server that the page sets up before: tests/e2e/test_quick_start.py runs it",
}


@dataclass(frozen=True, slots=True)
class Snippet:
    page: Path
    number: int
    line: int
    code: str

    @property
    def name(self) -> str:
        return f"{self.page.relative_to(ROOT).as_posix()}#{self.number}"


def snippets() -> list[Snippet]:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [
        Snippet(page, number, text.count("\n", 0, block.start()) + 2, block[1])
        for page in pages
        if "_build" not in page.parts
        for text in [page.read_text(encoding="utf-8")]
        for number, block in enumerate(BLOCK.finditer(text), 1)
    ]


@pytest.mark.parametrize("snippet", [pytest.param(s, id=s.name) for s in snippets() if s.name not in NOT_RUN])
def test_a_snippet_of_the_documentation_runs(snippet: Snippet, tmp_path: Path) -> None:
    """It runs in a folder that holds the example's guard.toml, as a reader's folder does after `init`."""
    for settings in (ROOT / "examples" / "local_stdio").glob("*.toml"):
        shutil.copy(settings, tmp_path)
    # Blank lines in front make a traceback name the line of the page.
    script = tmp_path / f"{snippet.page.stem}_{snippet.number}.py"
    script.write_text("\n" * (snippet.line - 1) + snippet.code, encoding="utf-8")

    ran = subprocess.run(
        [sys.executable, "-I", "-W", "error", str(script)],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert ran.returncode == 0, f"{snippet.name} at line {snippet.line}\n{ran.stderr}"


def test_a_block_that_does_not_run_is_named_with_a_reason() -> None:
    names = {snippet.name for snippet in snippets()}

    assert names >= NOT_RUN.keys()
    assert all(len(reason) > 20 for reason in NOT_RUN.values())
