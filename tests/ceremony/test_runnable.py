"""What lets an action begin: every proof about exactly it, and never about something that is signed. Threat: T-001."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from mcp_wallet_guard.ceremony import check_runnable, check_signable
from mcp_wallet_guard.clearsign.view import check_decoded
from mcp_wallet_guard.errors import Tampered
from mcp_wallet_guard.evidence import Level, Obligations
from mcp_wallet_guard.operations.actions import Action, freeze_action
from mcp_wallet_guard.proofs import Confirmed, Decoded, Permitted, Proven, mint
from tests.ceremony.steps import EXPIRES, LOCAL, OURS, authorized

ACCOUNT = OURS.operation.account


def action(amount: str) -> Decoded:
    asked = Action("order", {"amount": amount})
    return check_decoded(freeze_action(asked, ACCOUNT, expires_at=EXPIRES), None, effect=asked)


MINE, OTHER = action("1"), action("2")


def proofs(about: Decoded, *, level: Level = Level.FACTOR) -> dict[str, Any]:
    digest = about.operation.digest
    return {
        "authorized": authorized(about),
        "decoded": about,
        "permitted": mint(
            Permitted, operation_digest=digest, view_hash=about.view_hash, policy_revision=1,
            obligations=Obligations(level=level),
        ),
        "confirmed": mint(Confirmed, operation_digest=digest, view_hash=about.view_hash, level=Level.FACTOR),
        "proven": mint(Proven, operation_digest=digest, level=Level.FACTOR),
    }  # fmt: skip


def test_all_proofs_of_one_action_let_it_begin() -> None:
    assert check_runnable(**proofs(MINE), principal=LOCAL).operation is MINE.operation


@pytest.mark.parametrize("name", proofs(MINE))
def test_one_proof_of_another_action_lets_neither_begin(name: str) -> None:
    for mine, other in itertools.permutations((MINE, OTHER)):
        mixed = proofs(mine) | {name: proofs(other)[name]}
        with pytest.raises(Tampered) as refused:
            check_runnable(**mixed, principal=LOCAL)
        assert refused.value.code == "tampered.operation"


@pytest.mark.parametrize("name", proofs(MINE))
def test_what_is_no_proof_is_refused(name: str) -> None:
    with pytest.raises(TypeError):
        check_runnable(**(proofs(MINE) | {name: object()}), principal=LOCAL)


def test_a_payment_never_begins_and_an_action_is_never_signed() -> None:
    with pytest.raises(Tampered) as refused:
        check_runnable(**proofs(OURS), principal=LOCAL)
    assert (refused.value.code, refused.value.detail) == ("tampered.operation", "not an action")
    with pytest.raises(Tampered):
        check_signable(**proofs(MINE), principal=LOCAL)
    assert check_signable(**proofs(OURS), principal=LOCAL).operation is OURS.operation


def test_another_principal_or_too_low_a_level_begins_nothing() -> None:
    with pytest.raises(Tampered):
        check_runnable(**proofs(MINE), principal="other")
    with pytest.raises(Tampered):
        check_runnable(**proofs(MINE, level=Level.HARDWARE), principal=LOCAL)
