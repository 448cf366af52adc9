"""docs/risks.md says of the checks what the code says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from mcp_wallet_guard.clearsign.risks.table import CHECKS

ROOT: Final = Path(__file__).resolve().parents[2]

sys.path.insert(0, str(ROOT / "tools"))
import risks as tool  # noqa: E402  # a program of the repository, not an installed module

sys.path.pop(0)


def test_the_page_is_current() -> None:
    assert tool.PAGE.read_text(encoding="utf-8") == tool.render(), "docs/risks.md is stale: `make risks`"


def test_each_code_has_one_row() -> None:
    rows = [line for check in CHECKS for line in tool.rows(check)]
    assert len(rows) == sum(len(check.sayings) for check in CHECKS)
    for check in CHECKS:
        for saying in check.sayings:
            assert sum(f"| `{saying.code}` | {saying.severity.value} | {saying.sentence} |" in row for row in rows) == 1


def test_no_cell_breaks_the_table() -> None:
    assert all(row.count("|") == 7 for check in CHECKS for row in tool.rows(check))
