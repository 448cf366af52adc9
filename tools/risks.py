"""Write docs/risks.md: every check of what is signed, what it looks at, and what a person reads. Run by `make risks`.

All of it is read from `clearsign.risks.table.CHECKS` and the tables beside it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mcp_wallet_guard.clearsign.risks.calldata import ODDITIES
from mcp_wallet_guard.clearsign.risks.known import Thresholds
from mcp_wallet_guard.clearsign.risks.results import MISSING, Check
from mcp_wallet_guard.clearsign.risks.table import CHECKS

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "risks.md"

HEAD: Final = """\
<!-- Made by `make risks` from the table of checks. Do not edit. -->
# Risks

What is about to be signed is read from its bytes as a tree of calls and statements, and each check below looks at all
of it, however deep: an approval within a batch within a Safe's transaction is found like one at the top. A recipient
is whoever gets money, rights or control, not the address that a transaction calls.

A check says one of three things. `raised`: it found the risk, and where. `passed`: it looked, and there is none.
`not_checked`: a source that it needs is missing, or a part of the bytes cannot be read. What was not checked is
listed and never counts as passed. What is graver than a danger is `refuse`: it is not signed unless the owner's
policy says so.

Evidence is one of: `bytes`, which are signed; `list`, which the owner or this library pinned; `history`, which this
wallet made itself, and the address book; `node`, one node's claim; `simulation`, a node's claim about what would
happen. A node can add a finding, never take one away.

Whether a site is known for phishing, what a service thinks of an address, and what something is worth are not here:
only a service could say, and none is asked.

"""


def main() -> int:
    PAGE.write_text(render(), encoding="utf-8")
    return 0


def render() -> str:
    """The whole page."""
    codes = sum(len(check.sayings) for check in CHECKS)
    lines = [
        f"{len(CHECKS)} checks, {codes} codes.",
        "",
        "| no. | it finds that | evidence | code | severity | what a person reads |",
        "| --- | --- | --- | --- | --- | --- |",
        *(line for check in CHECKS for line in rows(check)),
        "",
        "## What a missing source is called",
        "",
        "| source | words |",
        "| --- | --- |",
        *(f"| `{name}` | {words} |" for name, words in MISSING.items()),
        "",
        "## Where a number becomes a risk",
        "",
        "| threshold | default |",
        "| --- | --- |",
        *(f"| `{name}` | {value} |" for name, value in Thresholds().model_dump().items()),
        "",
        "## What decoders report, and the code that raises it",
        "",
        "Anything else that a decoder reports is raised as `calldata.unusual`.",
        "",
        "| reported | raised as |",
        "| --- | --- |",
        *(f"| `{oddity}` | `{code}` |" for oddity, code in sorted(ODDITIES.items())),
    ]
    return HEAD + "\n".join(lines) + "\n"


def rows(check: Check) -> Iterator[str]:
    """One line for each code; what all of them share stands in the first."""
    needs = ", ".join(need.value for need in check.needs)
    for place, saying in enumerate(check.sayings):
        shared = f"| {check.number} | {check.subject} | {needs} " if place == 0 else "| | | "
        sentence = saying.sentence.replace("|", "\\|")
        yield f"{shared}| `{saying.code}` | {saying.severity.value} | {sentence} |"


if __name__ == "__main__":
    sys.exit(main())
