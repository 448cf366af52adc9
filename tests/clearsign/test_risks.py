"""Each of the 45 checks is raised by an attack, passes its honest twin, and says so when a source is missing.

Threat: T-020, T-021, T-022, T-025, T-028, T-041, T-043, T-048, T-120.
"""

from __future__ import annotations

import pytest

from mcp_wallet_guard.clearsign.risks.results import Check, Evidence, Result, Severity, Status, results_of
from mcp_wallet_guard.clearsign.risks.table import CHECKS, findings, results
from mcp_wallet_guard.clearsign.text import is_plain
from tests.clearsign.attacks import CASES
from tests.clearsign.scenes import Scene

ALWAYS_ANSWERED = {15}
"""Whether something cannot be read is known of everything."""


def ask(check: Check, scene: Scene) -> list[Result]:
    return results_of(check, *scene)


def raised(check: Check, scene: Scene) -> set[str]:
    return {result.code for result in ask(check, scene) if result.status is Status.RAISED}


def test_there_are_45_checks_and_a_case_for_each() -> None:
    assert [check.number for check in CHECKS] == list(range(1, 46))
    assert CASES.keys() == {check.number for check in CHECKS}


def test_a_code_belongs_to_one_check() -> None:
    codes = [saying.code for check in CHECKS for saying in check.sayings]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.code)
def test_each_code_of_a_check_is_raised_by_an_attack(check: Check) -> None:
    attacks = CASES[check.number].attacks
    assert attacks.keys() == {saying.code for saying in check.sayings}
    for code, scene in attacks.items():
        assert code in raised(check, scene), code


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.code)
def test_a_check_passes_the_honest_twin(check: Check) -> None:
    assert ask(check, CASES[check.number].honest) == [check.passed]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.code)
def test_a_check_without_its_source_says_that_it_was_not_made(check: Check) -> None:
    scenes = CASES[check.number].unchecked
    assert bool(scenes) is (check.number not in ALWAYS_ANSWERED)
    for missing, scene in scenes:
        found = ask(check, scene)
        assert (("missing", missing),) in [result.facts for result in found if result.status is Status.NOT_CHECKED]
        assert Status.PASSED not in {result.status for result in found}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.code)
def test_a_check_that_is_not_asked_would_have_found_nothing(check: Check) -> None:
    for case in CASES.values():
        for reading, known in (*case.attacks.values(), case.honest, *(scene for _, scene in case.unchecked)):
            if not check.about & reading.aspects:
                assert not list(check.examine(reading, known))


def test_most_checks_need_not_be_asked_about_an_honest_payment() -> None:
    reading, _ = CASES[21].honest
    assert sum(not check.about & reading.aspects for check in CHECKS) >= 20


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.code)
def test_what_a_check_says_is_printable_and_whole(check: Check) -> None:
    case = CASES[check.number]
    for scene in (*case.attacks.values(), case.honest, *(scene for _, scene in case.unchecked)):
        for result in ask(check, scene):
            assert is_plain(result.sentence), result.sentence
            assert "{" not in result.sentence.replace("\\u{", "")
            assert result.sentence.endswith(".")


def test_the_worst_comes_first_and_what_was_not_checked_stands_before_what_passed() -> None:
    reading, known = CASES[21].attacks["payee.zero"]
    found = results(reading, known)
    order = [(result.status, result.severity) for result in found]
    statuses = [status for status, _ in order]
    assert statuses == sorted(statuses, key=[Status.RAISED, Status.NOT_CHECKED, Status.PASSED].index)
    assert order[0] == (Status.RAISED, Severity.REFUSE)
    assert {result.check for result in found} == set(range(1, 46))


def test_a_refusal_is_shown_as_a_danger() -> None:
    reading, known = CASES[21].attacks["payee.zero"]
    shown = findings(results(reading, known))
    assert shown[0].code == "payee.zero"
    assert shown[0].severity == "danger"
    assert [result.code for result in results(reading, known) if result.refuses] == ["payee.zero"]


def test_only_what_was_raised_becomes_a_finding() -> None:
    reading, known = CASES[24].unchecked[0][1]
    found = results(reading, known)
    assert any(result.status is Status.NOT_CHECKED for result in found)
    assert len(findings(found)) == sum(result.status is Status.RAISED for result in found)
    with pytest.raises(ValueError, match="what passed"):
        CHECKS[0].passed.finding()


def test_a_check_names_what_it_looks_at() -> None:
    assert all(check.needs for check in CHECKS)
    assert {need for check in CHECKS for need in check.needs} == set(Evidence)
