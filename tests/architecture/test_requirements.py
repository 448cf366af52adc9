"""The hash-locked files hold what pyproject.toml asks for, and one resolution serves them all."""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).resolve().parents[2]
PYPROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETS: Final[dict[str, tuple[bool, tuple[str, ...], tuple[str, ...]]]] = runpy.run_path(str(ROOT / "tools" / "lock.py"))[
    "SETS"
]
PIN: Final = re.compile(r"^([a-z0-9.-]+)==([0-9a-z.+]+)", re.MULTILINE)


def pins(name: str) -> dict[str, str]:
    return dict(PIN.findall((ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")))


def asked_for(name: str) -> list[Requirement]:
    project, extras, groups = SETS[name]
    table = PYPROJECT["project"]
    lines: list[str] = list(table["dependencies"]) if project else []
    optional = table["optional-dependencies"]
    for extra in ({*extras} if "all" not in extras else {*optional} - {"all"}) if project else ():
        lines += optional[extra]
    for group in groups:
        lines += PYPROJECT["dependency-groups"][group]
    return [Requirement(line) for line in lines]


@pytest.mark.parametrize("name", SETS)
def test_a_set_pins_all_that_is_asked_for_in_a_version_that_fits(name: str) -> None:
    pinned = pins(name)
    wrong = [
        str(wanted)
        for wanted in asked_for(name)
        if not wanted.specifier.contains(pinned.get(canonicalize_name(wanted.name), "0"), prereleases=True)
    ]

    assert wrong == []


@pytest.mark.parametrize("name", [name for name, (project, _, _) in SETS.items() if project])
def test_the_sets_agree_on_every_version(name: str) -> None:
    assert pins(name).items() <= pins("check").items()


def test_every_file_of_the_folder_is_a_set() -> None:
    assert {path.stem for path in (ROOT / "requirements").glob("*.txt")} == set(SETS)
