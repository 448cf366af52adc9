"""Every clause of ERC-7730, one scenario per file: what a descriptor tells, or why it is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.clearsign.descriptors import case


@pytest.mark.parametrize("path", case.paths(), ids=lambda path: path.stem)
def test_a_descriptor_tells_what_its_case_expects(path: Path) -> None:
    found = json.loads(path.read_text())
    outcome = case.outcome(found)
    assert {key: outcome.get(key) for key in found["expect"]} == found["expect"]


@pytest.mark.parametrize("path", case.paths(), ids=lambda path: path.stem)
def test_what_freezing_leaves_of_a_descriptor_tells_the_same(path: Path) -> None:
    found = json.loads(path.read_text())
    whole = case.outcome(found)
    if "refused" not in whole:
        assert case.outcome(found, frozen=True) == whole
        assert case.rendered(found, case.thawed(case.main(found), found)) == case.rendered(found, case.main(found))


def test_each_case_says_what_it_is_about_and_what_to_expect() -> None:
    for path in case.paths():
        found = json.loads(path.read_text())
        assert found["about"], path
        assert found["source"].startswith(("ERC-7730", "ERC-7930", "guard")), path
        assert found["expect"].keys() & {"lines", "interpolated", "refused"}, path
