"""Resolve requirements/*.txt: names, versions, markers and hashes, and nothing about where they came from.

Run by `make lock`. One resolution serves all sets: `check` is resolved first and the others are constrained to
it, so that installing one set after another into the same environment changes no version. The resolution is
universal: one file serves each supported Python and platform.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADER = "# Made by `make lock` from pyproject.toml. Names, versions, markers and hashes only.\n"
OLDEST_PYTHON = "3.11"

# set -> (is the project itself in it, extras, dependency groups)
SETS: dict[str, tuple[bool, tuple[str, ...], tuple[str, ...]]] = {
    "check": (True, ("all",), ("build", "test", "lint", "coverage", "docs")),
    "run": (True, (), ("build",)),
    "demo": (True, ("testing",), ("build",)),
    "test": (True, ("all",), ("build", "test")),
    "lint": (True, ("all",), ("build", "test", "lint")),
    "docs": (True, (), ("build", "docs")),
    "lock": (False, (), ("lock",)),
}

LINE = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9.-]*)==(?P<version>[0-9][0-9a-z.+]*)(?: ; [^/\\]+)? \\"
    r"|    --hash=sha256:[0-9a-f]{64}(?: \\)?"
)
PRE_RELEASE = re.compile(r"(?:a|b|rc|dev)\d*$")
MAY_BE_PRE_RELEASES = {"eth-tester", "py-evm"}


def main() -> None:
    parser = argparse.ArgumentParser(description="Resolve requirements/*.txt.")
    parser.add_argument("--upgrade", action="store_true", help="newest versions instead of the pinned ones")
    upgrade = parser.parse_args().upgrade
    for name in SETS:
        resolve(name, upgrade=upgrade)
        print(f"requirements/{name}.txt")


def resolve(name: str, *, upgrade: bool) -> None:
    project, extras, groups = SETS[name]
    target = ROOT / "requirements" / f"{name}.txt"
    command = [
        *(sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-config", "--universal"),
        *("--python-version", OLDEST_PYTHON, "--generate-hashes", "--prerelease", "if-necessary-or-explicit"),
        *("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"),
        *("--output-file", f"requirements/{name}.txt"),
        *(["pyproject.toml"] if project else []),
        *(part for extra in extras for part in ("--extra", extra)),
        *(part for group in groups for part in ("--group", group)),
        *(["--constraints", "requirements/check.txt"] if project and name != "check" else []),
        *(["--upgrade"] if upgrade else []),
    ]
    subprocess.run(command, cwd=ROOT, check=True)
    text = target.read_text(encoding="utf-8")
    check_lines(name, text)
    target.write_text(HEADER + text.removeprefix(HEADER), encoding="utf-8")


def check_lines(name: str, text: str) -> None:
    """Raise SystemExit for a line that is no pin or hash, and for a pre-release that was not agreed to."""
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        found = LINE.fullmatch(line)
        if found is None:
            sys.exit(f"requirements/{name}.txt: not a pin or a hash: {line!r}")
        package, version = found["name"], found["version"]
        if package and PRE_RELEASE.search(version) and package not in MAY_BE_PRE_RELEASES:
            sys.exit(f"requirements/{name}.txt: {package} {version} is a pre-release")


if __name__ == "__main__":
    main()
