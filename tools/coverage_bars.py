"""Hold each room to its coverage bar. Run by `make coverage`.

    python tools/coverage_bars.py build/coverage.json    the report of the whole suite: nine in ten of each other room
    python tools/coverage_bars.py --own [--workers 2]    runs the tests of each deciding room alone: all of that room

Where a security decision is made every line and branch must run in the tests of that room: what only a distant test
reaches by accident is read by nobody who changes the room.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGE: Final = "src/mcp_wallet_guard/"
OWN: Final = ("journal", "proofs", "policy", "ceremony")
OWN_BAR: Final = 100.0
BAR: Final = 90.0
# The same examples each time: whether a bar is met must not be a matter of luck.
PYTEST: Final = ("pytest", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=0")

Entries = list[tuple[str, dict[str, Any]]]


def main() -> int:
    parser = argparse.ArgumentParser(description="Hold each room to its coverage bar.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("report", nargs="?", type=Path, help="what `coverage json` wrote about the whole suite")
    what.add_argument("--own", action="store_true", help="measure the deciding rooms, each by its own tests alone")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()

    print(f"{'room':<16}{'covered':>9}{'bar':>7}")
    if arguments.own:
        with ThreadPoolExecutor(arguments.workers) as pool:
            measured = pool.map(lambda room: measure(room, root=ROOT), OWN)
            held = [hold(room, entries, bar=OWN_BAR) for room, entries in zip(OWN, measured, strict=True)]
    else:
        rooms = by_room(arguments.report)
        held = [hold(room, entries, bar=BAR) for room, entries in sorted(rooms.items()) if room not in OWN]
    return 0 if held and all(held) else 1


def measure(room: str, *, root: Path) -> Entries:
    """Run tests/<room> alone under coverage, with a data file of its own: what it says of the room's files.

    Ends the program when one of the tests fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        data, report = f"--data-file={folder}/data", Path(folder, "report.json")
        tests = coverage("run", data, "-m", *PYTEST, f"tests/{room}", root=root)
        if tests.returncode:
            sys.exit(f"{room}: its tests fail\n{tests.stdout[-4000:]}{tests.stderr[-4000:]}")
        for command in (("combine", "--quiet", data), ("json", "--quiet", data, f"-o{report}")):
            coverage(*command, root=root).check_returncode()
        return by_room(report)[room]


def coverage(*arguments: str, root: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "coverage", *arguments]
    return subprocess.run(command, cwd=root, check=False, capture_output=True, text=True)


def by_room(report: Path) -> dict[str, Entries]:
    """Room -> its files, each with its entry of the report."""
    files: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))["files"]
    rooms: dict[str, Entries] = defaultdict(list)
    for path, entry in sorted(files.items()):
        name = path.replace("\\", "/").split(PACKAGE)[-1]
        rooms[name.split("/")[0].removesuffix(".py")].append((name, entry))
    return rooms


def hold(room: str, entries: Entries, *, bar: float) -> bool:
    """Print the room's figure, and what is missing below the bar; say whether the bar is met."""
    possible = sum(e["summary"]["num_statements"] + e["summary"]["num_branches"] for _, e in entries)
    covered = sum(e["summary"]["covered_lines"] + e["summary"]["covered_branches"] for _, e in entries)
    # An empty __init__ has nothing to cover; a room that was not measured has no file at all.
    percent = 100.0 * covered / possible if possible else 100.0 if entries else 0.0
    held = percent >= bar
    print(f"{room:<16}{percent:>8.1f}%{bar:>6.0f}%{'' if held else '  BELOW'}", flush=True)
    for name, entry in () if held else entries:
        show_missing(name, entry)
    return held


def show_missing(name: str, entry: dict[str, Any]) -> None:
    lines = ", ".join(map(str, entry["missing_lines"]))
    branches = ", ".join(f"{a}->{b}" for a, b in entry.get("missing_branches", []))
    if lines or branches:
        print(f"    {name}: lines [{lines}] branches [{branches}]")


if __name__ == "__main__":
    sys.exit(main())
