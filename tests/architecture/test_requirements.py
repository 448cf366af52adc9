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
from packaging.version import Version

ROOT: Final = Path(__file__).resolve().parents[2]
PYPROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETS: Final[dict[str, tuple[bool, tuple[str, ...], tuple[str, ...]]]] = runpy.run_path(str(ROOT / "tools" / "lock.py"))[
    "SETS"
]
PIN: Final = re.compile(r"^([a-z0-9.-]+)==([0-9a-z.+]+)", re.MULTILINE)
PRE_RELEASES: Final = {"eth-tester", "py-evm"}
"""What has no final release for web3 8; only the testing extra asks for it."""


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


# --- final releases only ------------------------------------------------------------------------------------------


def pre_releases(text: str) -> set[str]:
    """Names pinned to one, in the text of a set. A name may have two pins, for older and newer Pythons."""
    pinned = PIN.findall(text)
    assert len(pinned) == sum(1 for line in text.splitlines() if line and line[0] not in "# "), "each line is read"
    return {name for name, version in pinned if Version(version).is_prerelease}


def asks_for_pre_release(line: str) -> bool:
    return any(Version(each.version.removesuffix(".*")).is_prerelease for each in Requirement(line).specifier)


@pytest.mark.parametrize("name", SETS)
def test_a_set_pins_final_releases_but_for_two_of_the_testing_extra(name: str) -> None:
    project, extras, _ = SETS[name]
    found = pre_releases((ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8"))
    assert found == (PRE_RELEASES if project and {"testing", "all"} & {*extras} else set())


def test_only_the_testing_extra_asks_for_pre_releases_and_for_those_two_alone() -> None:
    asked = {
        "the package": PYPROJECT["project"]["dependencies"],
        "the build": PYPROJECT["build-system"]["requires"],
        **{f"extra {name}": lines for name, lines in PYPROJECT["project"]["optional-dependencies"].items()},
        **{f"group {name}": lines for name, lines in PYPROJECT["dependency-groups"].items()},
    }
    found = {(place, Requirement(line).name) for place in asked for line in asked[place] if asks_for_pre_release(line)}
    assert found == {("extra testing", name) for name in PRE_RELEASES}


@pytest.mark.parametrize("version", ["2.0.0b1", "2.0a1", "2.0rc1", "2.0.dev3", "2.0.post1.dev1"])
def test_a_pre_release_is_known_by_its_version(version: str) -> None:
    assert pre_releases(f"web3=={version} \\\n    --hash=sha256:00\nanyio==4.12.1.post1 \\\n") == {"web3"}
    assert asks_for_pre_release(f"web3>={version}")
    assert not asks_for_pre_release("web3>=8,<9,!=8.1.*")
