"""Step 7: one operation, one caller, every proof, or no ticket to sign.

Threat: T-001, T-006, T-007, T-008, T-014, T-099.
"""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest

from mcp_wallet_guard.ceremony import check_signable
from mcp_wallet_guard.errors import Tampered
from mcp_wallet_guard.evidence import Level
from mcp_wallet_guard.proofs import Confirmed, Decoded, Proven, Signable, mint
from tests.ceremony.steps import (
    LOCAL,
    OTHER_BYTES,
    OTHER_EFFECTS,
    OTHER_NONCE,
    OTHER_REFERENCE,
    OTHER_VIEW,
    OURS,
    answer,
    authorized,
    bare,
    confirmed,
    obliged,
    permitted,
    proven,
)

STEPS = ("authorized", "decoded", "permitted", "confirmed", "proven")


def proofs_of(about: Decoded) -> dict[str, Any]:
    return {
        "authorized": authorized(about), "decoded": about, "permitted": permitted(about),
        "confirmed": confirmed(about), "proven": proven(about),
    }  # fmt: skip


HONEST = proofs_of(OURS)


def signable(**changes: Any) -> Signable:
    return check_signable(**({"principal": LOCAL} | HONEST | changes))


def is_tampered(**changes: Any) -> bool:
    try:
        signable(**changes)
    except Tampered as error:
        return error.code == "tampered.operation"
    return False


# --- the honest twin ----------------------------------------------------------------------------------------------


def test_every_proof_for_one_operation_makes_the_ticket_to_sign_exactly_that() -> None:
    ticket = signable()
    assert type(ticket) is Signable
    assert ticket.operation is OURS.operation
    assert ticket.signing_hashes == OURS.operation.signing_hashes


# --- proofs of different things -----------------------------------------------------------------------------------


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", OTHER_BYTES)
def test_one_proof_about_another_operation_makes_no_ticket(name: str, step: str) -> None:
    """Threat: T-006, T-007, T-008."""
    other = OTHER_BYTES[name]
    same_effect = other.operation.effect_hash == OURS.operation.effect_hash
    changed = proofs_of(other)[step]
    assert is_tampered(**{step: changed}) is not (step == "authorized" and same_effect)


@pytest.mark.parametrize(("step", "tells"), [(step, step in {"decoded", "permitted", "confirmed"}) for step in STEPS])
def test_one_proof_about_another_view_makes_no_ticket(step: str, tells: bool) -> None:
    """Threat: T-006, T-007: the steps that name no view take it from the others."""
    assert is_tampered(**{step: proofs_of(OTHER_VIEW)[step]}) is tells


MIXTURES = {
    # what differs: the neighbour, and the steps whose proof says which of the two it is about
    "the whole effect": (OTHER_BYTES["amount"], set(STEPS)),
    "the chain": (OTHER_BYTES["chain"], set(STEPS)),
    "the bytes alone": (OTHER_NONCE, {"decoded", "permitted", "confirmed", "proven"}),
    "the reference alone": (OTHER_REFERENCE, {"authorized", "decoded"}),
    "the view alone": (OTHER_VIEW, {"decoded", "permitted", "confirmed"}),
}


@pytest.mark.parametrize("name", MIXTURES)
def test_of_all_mixtures_of_two_operations_only_the_pure_ones_make_a_ticket(name: str) -> None:
    """Threat: T-006, T-007, T-008."""
    other, telling = MIXTURES[name]
    theirs = proofs_of(other)
    for from_them in itertools.product((False, True), repeat=len(STEPS)):
        chosen = dict(zip(STEPS, from_them, strict=True))
        mixture = {step: (theirs if chosen[step] else HONEST)[step] for step in STEPS}
        pure = len({chosen[step] for step in telling}) == 1
        assert is_tampered(**mixture) is not pure, chosen
        if pure:
            assert signable(**mixture).operation is (theirs if chosen["decoded"] else HONEST)["decoded"].operation


# --- who asked for what -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OTHER_EFFECTS)
def test_an_authorization_for_another_effect_makes_no_ticket(name: str) -> None:
    """Threat: T-006, T-007."""
    assert is_tampered(authorized=authorized(OTHER_EFFECTS[name]))


@pytest.mark.parametrize(("proved", "calling"), [("mallory", LOCAL), (LOCAL, "mallory"), (LOCAL, ""), (LOCAL, "Local")])
def test_another_caller_than_the_authorized_one_gets_no_ticket(proved: str, calling: str) -> None:
    """Threat: T-014."""
    assert is_tampered(authorized=authorized(principal=proved), principal=calling)
    assert not is_tampered(authorized=authorized(principal=calling), principal=calling)


# --- levels -------------------------------------------------------------------------------------------------------


def test_a_policy_that_asks_for_more_by_now_gets_no_ticket() -> None:
    """Threat: T-099."""
    assert is_tampered(permitted=permitted(level=Level.HARDWARE))
    assert not is_tampered(permitted=permitted(level=Level.PRESENT))


def test_a_confirmation_or_a_factor_below_the_policys_level_makes_no_ticket() -> None:
    """Threat: T-001."""
    present = bare(Level.PRESENT)
    assert is_tampered(confirmed=confirmed(given=present))
    assert is_tampered(proven=proven(given=present))
    assert is_tampered(proven=proven(given=answer(factor_step=None)))
    lower = permitted(level=Level.PRESENT)
    assert not is_tampered(permitted=lower, confirmed=confirmed(given=present), proven=proven(given=present))


@pytest.mark.parametrize("asked", Level)
def test_confirmation_and_factor_must_both_reach_the_level(asked: Level) -> None:
    """Threat: T-001."""
    digest, view_hash = OURS.operation.digest, OURS.view_hash
    for said, shown in itertools.product(Level, repeat=2):
        tampered = is_tampered(
            permitted=obliged(level=asked),
            confirmed=mint(Confirmed, operation_digest=digest, view_hash=view_hash, level=said),
            proven=mint(Proven, operation_digest=digest, level=shown),
        )
        assert tampered is not (said >= asked and shown >= asked)


# --- exact types --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", STEPS)
def test_a_look_alike_in_the_place_of_a_proof_makes_no_ticket(step: str) -> None:
    """Threat: T-001."""
    real = HONEST[step]
    twin = SimpleNamespace(**{name: getattr(real, name) for name in type(real).__slots__})
    others = [proof for name, proof in HONEST.items() if name != step]
    for wrong in (twin, type(real), None, True, OURS.operation, signable(), *others):
        with pytest.raises(TypeError, match=f"^needs a {type(real).__name__}$"):
            signable(**{step: wrong})


@pytest.mark.parametrize("step", [*STEPS, "principal"])
def test_no_step_can_be_left_out(step: str) -> None:
    """Threat: T-001."""
    arguments: dict[str, Any] = {name: value for name, value in ({"principal": LOCAL} | HONEST).items() if name != step}
    with pytest.raises(TypeError):
        check_signable(**arguments)


def test_proofs_are_taken_by_name_alone() -> None:
    unnamed: Any = check_signable
    with pytest.raises(TypeError):
        unnamed(*HONEST.values(), LOCAL)
