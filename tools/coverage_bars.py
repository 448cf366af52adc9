"""Hold each room to its coverage bar. Reads the report of `coverage json`; run by `make coverage`.

Where a security decision is made every branch must run in a test; elsewhere nine in ten.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

PACKAGE = "src/mcp_wallet_guard/"
FULL = {"ceremony", "proofs", "policy", "journal"}
FULL_BAR = 100.0
BAR = 90.0


def main(report: str) -> int:
    files: dict[str, Any] = json.loads(Path(report).read_text(encoding="utf-8"))["files"]
    rooms: dict[str, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    for path, entry in sorted(files.items()):
        name = path.replace("\\", "/").split(PACKAGE)[-1]
        rooms[name.split("/")[0].removesuffix(".py")].append((name, entry))

    missed = 0
    print(f"{'room':<16}{'covered':>9}{'bar':>7}")
    for room, entries in sorted(rooms.items()):
        possible = sum(e["summary"]["num_statements"] + e["summary"]["num_branches"] for _, e in entries)
        covered = sum(e["summary"]["covered_lines"] + e["summary"]["covered_branches"] for _, e in entries)
        percent = 100.0 * covered / possible if possible else 100.0
        bar = FULL_BAR if room in FULL else BAR
        below = percent < bar
        print(f"{room:<16}{percent:>8.1f}%{bar:>6.0f}%{'  BELOW' if below else ''}")
        if below:
            missed += 1
            for name, entry in entries:
                show_missing(name, entry)
    if absent := FULL - rooms.keys():
        print(f"not measured at all: {', '.join(sorted(absent))}")
    return 1 if missed or absent else 0


def show_missing(name: str, entry: dict[str, Any]) -> None:
    lines = ", ".join(map(str, entry["missing_lines"]))
    branches = ", ".join(f"{a}->{b}" for a, b in entry.get("missing_branches", []))
    if lines or branches:
        print(f"    {name}: lines [{lines}] branches [{branches}]")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
