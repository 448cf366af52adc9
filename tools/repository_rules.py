"""Rules of this repository that no other tool knows. Run by `make lint`; prints each broken rule and exits 1."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from licences import unwelcome_licences

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "mcp_wallet_guard"
MOST_LINES = 400
ROOMS_NOT_TO_BE = {"utils", "util", "helpers", "helper", "manager", "managers", "common", "misc"}
# A path of somebody's machine, an address of a package index: neither belongs into a repository.
FOREIGN = re.compile(
    r"(?<![\w.])/(?:home|root|Users)/\w+|[a-z]+://[^\s\"'<>)]*(?:/simple\b|pypi\.|pythonhosted|artifactory|nexus)"
)
MARKED_UNFINISHED = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b")


def main() -> int:
    problems = [
        *long_files(),
        *filled_room_inits(),
        *vague_names(),
        *foreign_text(),
        *untyped_ignores(),
        *unwelcome_licences(),
    ]
    for problem in problems:
        print(problem)
    print(f"rules of the repository: {len(problems) or 'no'} broken")
    return 1 if problems else 0


def tracked_files() -> list[Path]:
    """Every file that is or would be committed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def long_files() -> Iterator[str]:
    for path in tracked_files():
        if path.suffix in {".py", ".js", ".css", ".html"}:
            lines = len(path.read_text(encoding="utf-8").splitlines())
            if lines > MOST_LINES:
                yield f"{path.relative_to(ROOT)}: {lines} lines, at most {MOST_LINES}"


def filled_room_inits() -> Iterator[str]:
    for path in PACKAGE.glob("*/**/__init__.py"):
        if path.read_text(encoding="utf-8").strip():
            yield f"{path.relative_to(ROOT)}: the __init__ of a room is empty"


def vague_names() -> Iterator[str]:
    for path in PACKAGE.rglob("*"):
        if path.stem in ROOMS_NOT_TO_BE:
            yield f"{path.relative_to(ROOT)}: a name that says nothing"


def foreign_text() -> Iterator[str]:
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if path.name == "LICENSE":
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if FOREIGN.search(line):
                yield f"{path.relative_to(ROOT)}:{number}: a path or an index of one machine"
            if MARKED_UNFINISHED.search(line) and path.suffix in {".py", ".md", ".toml", ".js", ".html"}:
                yield f"{path.relative_to(ROOT)}:{number}: marked unfinished"


def untyped_ignores() -> Iterator[str]:
    """No file, and no table of pyproject.toml, may switch a type checker off."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]
    for override in settings.get("overrides", []):
        if set(override) - {"module", "ignore_missing_imports"}:
            yield f"pyproject.toml: mypy is weakened for {override['module']}"
    off = re.compile(r"^#\s*(?:mypy:\s*ignore-errors|type:\s*ignore\s*$|pyright:\s*(?:basic|ignore\s*$))")
    for path in tracked_files():
        if path.suffix == ".py":
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                if off.match(line):
                    yield f"{path.relative_to(ROOT)}:{number}: a whole file without type checks"


if __name__ == "__main__":
    sys.exit(main())
