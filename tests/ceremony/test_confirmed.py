"""Steps 5 and 6: enough people said yes to exactly this, in time, and each with the factor that counts.

Each deviation stands beside the honest approval that it differs from in one thing.
Threat: T-001, T-006, T-007, T-008, T-009, T-016, T-099.
"""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest

from mcp_wallet_guard.ceremony import check_confirmed, check_proven
from mcp_wallet_guard.errors import AlreadyUsed, Declined, Expired, FactorRejected, GuardError, Refused, Tampered
from mcp_wallet_guard.evidence import ApprovalRow, Level
from mcp_wallet_guard.proofs import Confirmed, Decoded, Permitted, Proven
from tests.ceremony.steps import (
    EXPIRES,
    NOW,
    OTHER_BYTES,
    OTHER_VIEW,
    OURS,
    REVISION,
    answer,
    approval,
    authorized,
    bare,
    confirmed,
    obliged,
    permitted,
    proven,
)

HONEST = approval(answer())
PEOPLE = [answer(approver=name, factor_step=step) for step, name in enumerate(("ann", "ben", "cat"))]


def refusal(
    *, about: Decoded = OURS, permit: Permitted | None = None, row: ApprovalRow = HONEST, now: int = NOW
) -> tuple[type[GuardError], str]:
    with pytest.raises(GuardError) as refused:
        check_confirmed(about, permit or permitted(), row, now=now)
    return type(refused.value), refused.value.code


def factor_refusal(*, about: Decoded = OURS, permit: Permitted | None = None, row: ApprovalRow = HONEST) -> GuardError:
    with pytest.raises(GuardError) as refused:
        check_proven(about, permit or permitted(), row)
    return refused.value


TAMPERED = (Tampered, "tampered.operation")

# --- the honest twin ----------------------------------------------------------------------------------------------


def test_a_yes_with_a_code_to_this_digest_and_view_confirms_and_proves_it() -> None:
    one = check_confirmed(OURS, permitted(), HONEST, now=NOW)
    assert type(one) is Confirmed
    assert (one.operation_digest, one.view_hash) == (OURS.operation.digest, OURS.view_hash)
    assert one.level is Level.FACTOR
    other = check_proven(OURS, permitted(), HONEST)
    assert type(other) is Proven
    assert other.operation_digest == OURS.operation.digest
    assert other.level is Level.FACTOR


def test_neighbours_differ_from_ours_in_what_their_name_says() -> None:
    for about in OTHER_BYTES.values():
        assert about.operation.digest != OURS.operation.digest
    assert OTHER_VIEW.operation.digest == OURS.operation.digest
    assert OTHER_VIEW.view_hash != OURS.view_hash


# --- for something else -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OTHER_BYTES)
def test_each_thing_about_another_operation_is_tampered(name: str) -> None:
    """Threat: T-006, T-007, T-008."""
    other = OTHER_BYTES[name]
    assert refusal(about=other) == TAMPERED
    assert refusal(permit=permitted(other)) == TAMPERED
    assert refusal(row=approval(answer(other), about=other)) == TAMPERED
    for about, permit, row in (
        (other, permitted(), HONEST),
        (OURS, permitted(other), HONEST),
        (OURS, permitted(), approval(answer(other), about=other)),
        (OURS, permitted(other), approval(answer(other), about=other)),
    ):
        error = factor_refusal(about=about, permit=permit, row=row)
        assert (type(error), error.code) == TAMPERED
    twin = approval(answer(other), about=other)
    check_confirmed(other, permitted(other), twin, now=NOW)
    check_proven(other, permitted(other), twin)


def test_the_same_bytes_shown_in_another_way_are_something_else() -> None:
    """Threat: T-006, T-007."""
    twin = approval(answer(OTHER_VIEW), about=OTHER_VIEW)
    assert refusal(about=OTHER_VIEW) == TAMPERED
    assert refusal(permit=permitted(OTHER_VIEW)) == TAMPERED
    assert refusal(row=twin) == TAMPERED
    assert refusal(about=OTHER_VIEW, permit=permitted(OTHER_VIEW)) == TAMPERED
    assert refusal(permit=permitted(OTHER_VIEW), row=twin) == TAMPERED
    check_confirmed(OTHER_VIEW, permitted(OTHER_VIEW), twin, now=NOW)


@pytest.mark.parametrize("changes", [{"digest": b"x" * 32}, {"view_hash": b"x" * 32}, {"digest": b""}])
def test_an_approval_row_whose_hash_was_edited_is_tampered(changes: dict[str, Any]) -> None:
    """Threat: T-001, T-006, T-007."""
    assert refusal(row=approval(answer(), **changes)) == TAMPERED
    assert factor_refusal(row=approval(answer(), **changes)).code == "tampered.operation"


@pytest.mark.parametrize("revision", [REVISION - 1, REVISION + 1, 0, -REVISION])
def test_an_approval_under_another_revision_of_the_policy_confirms_nothing(revision: int) -> None:
    """Threat: T-099."""
    for permit, row in (
        (permitted(revision=revision), HONEST),
        (permitted(), approval(answer(), policy_revision=revision)),
    ):
        kind, code = refusal(permit=permit, row=row)
        assert issubclass(kind, Refused)
        assert code == "policy.changed"
    same = approval(answer(), policy_revision=revision)
    check_confirmed(OURS, permitted(revision=revision), same, now=NOW)


# --- too late, or again -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("consumed_at", [0, 1, NOW - 1, NOW, NOW + 1, EXPIRES])
def test_an_approval_that_was_consumed_at_any_time_is_used(consumed_at: int) -> None:
    """Threat: T-009."""
    assert refusal(row=approval(answer(), consumed_at=consumed_at)) == (AlreadyUsed, "already_used")


def test_an_approval_confirms_nothing_from_its_own_last_second_on() -> None:
    """Threat: T-016."""
    row = approval(answer(), expires_at=NOW)
    check_confirmed(OURS, permitted(), row, now=NOW - 1)
    for late in (NOW, NOW + 1, EXPIRES):
        assert refusal(row=row, now=late) == (Expired, "expired")


def test_an_approval_that_outlives_its_operation_confirms_nothing_from_the_operations_last_second_on() -> None:
    """Threat: T-016."""
    assert OURS.operation.expires_at == EXPIRES
    row = approval(answer(), expires_at=EXPIRES * 2)
    check_confirmed(OURS, permitted(), row, now=EXPIRES - 1)
    for late in (EXPIRES, EXPIRES + 1):
        assert refusal(row=row, now=late) == (Expired, "expired")


# --- enough people ------------------------------------------------------------------------------------------------


def test_nobodys_answer_confirms_nothing_whatever_policy_asks() -> None:
    """Threat: T-001."""
    for approvers, level in itertools.product((-1, 0, 1, 2), Level):
        assert refusal(permit=obliged(approvers=approvers, level=level), row=approval()) == (Declined, "declined")
        error = factor_refusal(permit=obliged(approvers=approvers, level=level), row=approval())
        assert (type(error), error.code) == (FactorRejected, "factor.rejected")


@pytest.mark.parametrize("asked", range(5))
def test_as_many_different_people_as_policy_asks_for_must_have_said_yes(asked: int) -> None:
    """Threat: T-001."""
    for size in range(1, 4):
        for answers in itertools.product(PEOPLE, repeat=size):
            people = len({each.approver for each in answers})
            permit, row = obliged(approvers=asked), approval(*answers)
            if people >= asked:
                assert check_confirmed(OURS, permit, row, now=NOW).level is Level.FACTOR
            else:
                assert refusal(permit=permit, row=row) == (Declined, "declined")


def test_the_same_person_twice_is_one_person() -> None:
    """Threat: T-001."""
    twice = approval(PEOPLE[0], answer(approver="ann", factor_step=77))
    assert refusal(permit=obliged(approvers=2), row=twice) == (Declined, "declined")
    check_confirmed(OURS, obliged(approvers=2), approval(*PEOPLE[:2]), now=NOW)


def test_what_the_row_says_about_level_and_people_counts_for_nothing() -> None:
    """Threat: T-001: the policy in force asks, not the row that is to satisfy it."""
    row = approval(PEOPLE[0], level=0, approvers=0)
    assert refusal(permit=obliged(approvers=2), row=row) == (Declined, "declined")
    row = approval(bare(Level.PRESENT), level=0)
    assert factor_refusal(permit=obliged(level=Level.FACTOR), row=row).code == "factor.rejected"


# --- high enough --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", Level)
def test_the_lowest_answer_is_the_level_and_below_presence_it_confirms_nothing_that_asks_for_more(asked: Level) -> None:
    """Threat: T-001. A factor is step 6's business."""
    for levels in itertools.chain(itertools.product(Level, repeat=1), itertools.product(Level, repeat=2)):
        row = approval(*(bare(level, approver=str(n)) for n, level in enumerate(levels)))
        lowest = min(levels)
        enough = {
            Level.NONE: list(Level),
            Level.HOST: [Level.HOST, Level.PRESENT, Level.FACTOR, Level.HARDWARE],
            Level.PRESENT: [Level.PRESENT, Level.FACTOR, Level.HARDWARE],
            Level.FACTOR: [Level.PRESENT, Level.FACTOR, Level.HARDWARE],
            Level.HARDWARE: [Level.PRESENT, Level.FACTOR, Level.HARDWARE],
        }[asked]
        if lowest in enough:
            assert check_confirmed(OURS, obliged(level=asked), row, now=NOW).level is lowest
        else:
            assert refusal(permit=obliged(level=asked), row=row) == (Declined, "declined")


@pytest.mark.parametrize("asked", Level)
def test_a_factor_counts_only_with_the_step_that_it_used_up(asked: Level) -> None:
    """Threat: T-001, T-009."""
    claims = list(itertools.product(Level, (None, 0, 7)))
    for given in itertools.chain(itertools.product(claims, repeat=1), itertools.product(claims, repeat=2)):
        answers = (answer(level=int(level), factor_step=step, approver=str(n)) for n, (level, step) in enumerate(given))
        row = approval(*answers)
        worth = [Level.PRESENT if step is None and level > Level.PRESENT else level for level, step in given]
        if min(worth) >= asked:
            assert check_proven(OURS, obliged(level=asked), row).level is min(worth)
        else:
            error = factor_refusal(permit=obliged(level=asked), row=row)
            assert (type(error), error.code) == (FactorRejected, "factor.rejected")


def test_the_id_of_a_factor_without_a_step_is_no_factor() -> None:
    """Threat: T-001."""
    row = approval(answer(factor_step=None))
    assert check_confirmed(OURS, permitted(), row, now=NOW).level is Level.FACTOR
    error = factor_refusal(row=row)
    assert (type(error), error.detail) == (FactorRejected, "level 2 below 3")
    assert check_proven(OURS, permitted(level=Level.PRESENT), row).level is Level.PRESENT


def test_a_tighter_policy_asks_for_more_than_was_given() -> None:
    """Threat: T-099."""
    assert factor_refusal(permit=permitted(level=Level.HARDWARE)).code == "factor.rejected"
    check_proven(OURS, permitted(level=Level.FACTOR), HONEST)


# --- exact types --------------------------------------------------------------------------------------------------

LOOKALIKES: list[tuple[str, Any, Any]] = [
    ("Decoded", SimpleNamespace(operation=OURS.operation, view=OURS.view, view_hash=OURS.view_hash), permitted()),
    ("Decoded", None, permitted()),
    ("Decoded", Decoded, permitted()),
    ("Decoded", permitted(), permitted()),
    ("Decoded", confirmed(), permitted()),
    ("Decoded", OURS.operation, permitted()),
    ("Permitted", OURS, obliged().obligations),
    ("Permitted", OURS, None),
    ("Permitted", OURS, True),
    ("Permitted", OURS, OURS),
    ("Permitted", OURS, authorized()),
    ("Permitted", OURS, proven()),
    (
        "Permitted",
        OURS,
        SimpleNamespace(
            operation_digest=OURS.operation.digest,
            view_hash=OURS.view_hash,
            policy_revision=REVISION,
            obligations=obliged().obligations,
        ),
    ),
]


@pytest.mark.parametrize(("needed", "about", "permit"), LOOKALIKES)
def test_only_the_exact_proofs_are_looked_at(needed: str, about: Any, permit: Any) -> None:
    """Threat: T-001."""
    with pytest.raises(TypeError, match=f"^needs a {needed}$"):
        check_confirmed(about, permit, HONEST, now=NOW)
    with pytest.raises(TypeError, match=f"^needs a {needed}$"):
        check_proven(about, permit, HONEST)
