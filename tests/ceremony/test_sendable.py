"""What lets a withdrawal leave: proofs about exactly it, a second factor behind it, and its time. Threat: T-001."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

from mcp_wallet_guard.ceremony import check_sendable
from mcp_wallet_guard.clearsign.view import check_decoded
from mcp_wallet_guard.errors import Tampered
from mcp_wallet_guard.evidence import Level, Obligations
from mcp_wallet_guard.operations.requests import freeze_withdrawal, request_of
from mcp_wallet_guard.operations.values import Amount
from mcp_wallet_guard.proofs import Confirmed, Decoded, Permitted, Proven, mint
from tests.ceremony.steps import LOCAL, OURS, authorized
from tests.clearsign.test_withdrawals import FACTS
from tests.operations.test_withdrawals import ACCOUNT, ASKED, REQUEST

MINE = check_decoded(freeze_withdrawal(ASKED, REQUEST, ACCOUNT), FACTS, effect=ASKED)
OTHER = check_decoded(
    freeze_withdrawal(ASKED, replace(REQUEST, label="Savings"), ACCOUNT),
    FACTS.model_copy(update={"fee": Amount("0.2")}),
    effect=ASKED,
)
OPENS = request_of(MINE.operation).opens_at


def proofs(about: Decoded, *, level: Level = Level.FACTOR, shown: Level = Level.FACTOR) -> dict[str, Any]:
    digest = about.operation.digest
    return {
        "authorized": authorized(about),
        "decoded": about,
        "permitted": mint(
            Permitted, operation_digest=digest, view_hash=about.view_hash, policy_revision=1,
            obligations=Obligations(level=level),
        ),
        "confirmed": mint(Confirmed, operation_digest=digest, view_hash=about.view_hash, level=shown),
        "proven": mint(Proven, operation_digest=digest, level=shown),
    }  # fmt: skip


def test_all_proofs_of_one_withdrawal_fill_in_its_time_and_nothing_else() -> None:
    sendable = check_sendable(**proofs(MINE), principal=LOCAL, now=OPENS + 1)
    assert sendable.operation is MINE.operation
    assert sendable.text == REQUEST.template.replace("{timestamp}", str((OPENS + 1) * 1000))


@pytest.mark.parametrize("name", ["decoded", "permitted", "confirmed", "proven"])
def test_one_proof_of_another_withdrawal_lets_neither_leave(name: str) -> None:
    for mine, other in itertools.permutations((MINE, OTHER)):
        mixed = proofs(mine) | {name: proofs(other)[name]}
        with pytest.raises(Tampered) as refused:
            check_sendable(**mixed, principal=LOCAL, now=OPENS)
        assert refused.value.code == "tampered.operation"


def test_a_withdrawal_takes_a_second_factor_whatever_the_policy_asks() -> None:
    for shown in (Level.NONE, Level.HOST, Level.PRESENT):
        with pytest.raises(Tampered) as refused:
            check_sendable(**proofs(MINE, level=Level.NONE, shown=shown), principal=LOCAL, now=OPENS)
        assert refused.value.detail == "a withdrawal without a second factor"
    confirmed = mint(Confirmed, operation_digest=MINE.operation.digest, view_hash=MINE.view_hash, level=Level.NONE)
    with pytest.raises(Tampered):
        check_sendable(**(proofs(MINE, level=Level.NONE) | {"confirmed": confirmed}), principal=LOCAL, now=OPENS)
    present = mint(Confirmed, operation_digest=MINE.operation.digest, view_hash=MINE.view_hash, level=Level.PRESENT)
    honest = proofs(MINE, level=Level.PRESENT) | {"confirmed": present}
    assert check_sendable(**honest, principal=LOCAL, now=OPENS).operation is MINE.operation


def test_what_is_no_withdrawal_never_leaves_for_a_venue() -> None:
    with pytest.raises(Tampered):
        check_sendable(**proofs(OURS), principal=LOCAL, now=OPENS)


def test_a_withdrawal_leaves_within_its_time_alone() -> None:
    closes = request_of(MINE.operation).closes_at
    check_sendable(**proofs(MINE), principal=LOCAL, now=closes)
    for now in (OPENS - 1, closes + 1):
        with pytest.raises(Tampered):
            check_sendable(**proofs(MINE), principal=LOCAL, now=now)
