"""Waivers: made only with a reason, sealed, and named in what they say of themselves."""

import copy
import pickle

import pytest

from mcp_wallet_guard import danger


def test_a_waiver_needs_a_reason_that_can_be_read_later() -> None:
    for reason in ("", "short", "x" * 201, "with\ncontrol bytes", "schön und gut so", 12345678):
        with pytest.raises(ValueError, match="reason"):
            danger.cheap_kdf(reason=reason)  # type: ignore[arg-type]  # the attack
    assert danger.cheap_kdf(reason="a demonstration").reason == "a demonstration"


def test_a_waiver_is_made_by_its_function_alone() -> None:
    with pytest.raises(TypeError):
        danger.CheapKdf("I made it myself")  # type: ignore[arg-type]  # the attack
    with pytest.raises(TypeError):
        type("Mine", (danger.Waiver,), {})


def test_a_waiver_is_not_changed_copied_or_pickled() -> None:
    waiver = danger.lower_level(reason="no telephone this week")
    with pytest.raises(AttributeError):
        waiver.reason = "another one entirely"
    for attack in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError):
            attack(waiver)


def test_a_waiver_says_what_it_waives_and_why() -> None:
    waiver = danger.lower_level(reason="no telephone this week")
    assert waiver.code == "LowerLevel"
    assert repr(waiver) == "<danger.LowerLevel: no telephone this week>"
