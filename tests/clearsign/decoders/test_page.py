"""docs/decoders.md lists exactly the functions that are read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[3]

sys.path.insert(0, str(ROOT / "tools"))
import decoders as tool  # noqa: E402  # a program of the repository, not an installed module

sys.path.pop(0)


def test_the_page_is_that_of_the_table() -> None:
    page = tool.PAGE.read_text(encoding="utf-8")

    assert tool.render(page) == page, "run tools/decoders.py"
    assert "| `a9059cbb` | `transfer(address,uint256)` | Send tokens |" in page


def test_a_page_without_its_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="markers"):
        tool.render("# What is read")
