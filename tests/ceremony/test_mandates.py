"""A mandate's answer counts where policy says that this mandate covers it, and nowhere else. Threat: T-001, T-018."""

from __future__ import annotations

import pytest

from mcp_wallet_guard.ceremony import check_confirmed, check_proven, check_signable
from mcp_wallet_guard.errors import Declined, FactorRejected, GuardError, Tampered
from mcp_wallet_guard.evidence import ApprovalRow, Channel, Evidence, Level, Obligations
from mcp_wallet_guard.proofs import Permitted, mint
from tests.ceremony.steps import (
    LOCAL,
    NOW,
    OTHER_AMOUNT,
    OURS,
    REVISION,
    answer,
    approval,
    authorized,
    bare,
    obliged,
    permitted,
)

MANDATE = "m" * 32


def covered(mandate: str = MANDATE) -> Permitted:
    return mint(
        Permitted,
        operation_digest=OURS.operation.digest,
        view_hash=OURS.view_hash,
        policy_revision=REVISION,
        obligations=Obligations(level=Level.NONE, mandate=mandate),
    )


def use(mandate: str = MANDATE, level: Level = Level.NONE) -> Evidence:
    return bare(level, channel=Channel.MANDATE, approver="mandate", mandate=mandate)


def refused(permit: Permitted, row: ApprovalRow) -> GuardError:
    with pytest.raises(GuardError) as caught:
        check_confirmed(OURS, permit, row, now=NOW)
    return caught.value


def test_its_answer_confirms_and_proves_nobody_and_that_is_enough_for_it() -> None:
    row = approval(use(), mandate=MANDATE)
    confirmed, proven = check_confirmed(OURS, covered(), row, now=NOW), check_proven(OURS, covered(), row)
    assert (confirmed.level, proven.level) == (Level.NONE, Level.NONE)
    signable = check_signable(
        authorized=authorized(), decoded=OURS, permitted=covered(), confirmed=confirmed, proven=proven, principal=LOCAL
    )
    assert signable.operation is OURS.operation


@pytest.mark.parametrize("level", sorted(set(Level) - {Level.NONE}))
def test_where_a_person_is_asked_it_is_no_answer(level: Level) -> None:
    """The attack: the row of an asked payment gets a mandate's answer, of whatever level."""
    for claimed in Level:
        row = approval(use(level=claimed), mandate=MANDATE)
        assert type(refused(obliged(level=level), row)) is Declined
        if level >= Level.FACTOR:
            with pytest.raises(FactorRejected):
                check_proven(OURS, obliged(level=level), row)


def test_another_mandates_answer_is_none() -> None:
    assert type(refused(covered(), approval(use("x" * 32)))) is Declined
    assert type(refused(covered("x" * 32), approval(use()))) is Declined


def test_beside_a_persons_answer_it_counts_neither_way() -> None:
    for row in (approval(answer(), use()), approval(use(), answer())):
        assert type(refused(permitted(), row)) is Declined
        assert type(refused(covered(), row)) is Declined


def test_a_persons_answer_is_not_a_mandates() -> None:
    assert type(refused(covered(), approval(answer()))) is Declined


def test_no_answer_at_all_is_none_either() -> None:
    assert type(refused(covered(), approval())) is Declined


def test_its_answer_about_something_else_is_tampered() -> None:
    assert type(refused(covered(), approval(bare(Level.NONE, OTHER_AMOUNT, mandate=MANDATE)))) is Tampered


def test_the_honest_twin_a_person_is_asked_and_answers() -> None:
    assert check_confirmed(OURS, permitted(), approval(answer()), now=NOW).level is Level.FACTOR
