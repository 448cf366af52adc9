"""Write the list in docs/decoders.md of the functions that are read without a descriptor. Run by `make decoders`."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

from mcp_wallet_guard.clearsign.decoders import table, universal_router

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "decoders.md"
BEGIN: Final = "<!-- functions: made by tools/decoders.py -->"
END: Final = "<!-- end of functions -->"


def main() -> int:
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


def render(page: str) -> str:
    """The page with its list made anew. Raises ValueError without the two markers."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("docs/decoders.md has lost its markers")
    return f"{before}{BEGIN}\n\n{listed()}\n{END}{after}"


def listed() -> str:
    """A table for each standard, and the commands of the Universal Router."""
    sections: dict[str, list[str]] = {}
    for functions in table.STANDARDS:
        rows = sections.setdefault(functions.standard, [])
        for known in functions.known:
            selector = known.function.selector.hex()
            rows.append(f"| `{selector}` | `{known.function.signature}` | {known.title} |")
    tables = [
        "\n".join([f"### {standard}", "", "| selector | function | what it does |", "| --- | --- | --- |", *rows, ""])
        for standard, rows in sections.items()
    ]
    return "\n".join([*tables, commands()])


def commands() -> str:
    head = ["### Commands of the Universal Router", "", "| command | arguments |", "| --- | --- |"]
    rows = [
        f"| `0x{byte:02x}` | `{re.sub('^[a-zA-Z0-9]+', '', text)}` |"
        for byte, text in sorted(universal_router.commands().items())
    ]
    return "\n".join([*head, *rows, ""])


if __name__ == "__main__":
    sys.exit(main())
