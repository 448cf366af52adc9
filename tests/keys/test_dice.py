"""Rolls of a die are taken when they are enough and look thrown. Threat: T-076."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.keys.dice import FULL_ROLLS, MAX_ROLLS, MIN_ROLLS, bits_of, check_dice, cutoff
from mcp_wallet_guard.secret import Secret
from tests.keys.rolls import thrown


def refused(rolls: str) -> str:
    typed = Secret(rolls.encode())
    with pytest.raises(InvalidInput) as caught:
        check_dice(typed)
    assert caught.value.code == "invalid_input.dice"
    with pytest.raises(ValueError, match="wiped"):
        typed.reveal().__enter__()
    return caught.value.detail


@pytest.mark.parametrize("count", [MIN_ROLLS, FULL_ROLLS, 511, 512, 513, MAX_ROLLS])
def test_rolls_that_were_thrown_are_taken(count: int) -> None:
    dice = check_dice(Secret(thrown(count).encode()))
    assert (dice.count, dice.bits) == (count, math.floor(count * math.log2(6)))
    assert repr(dice) == f"<Dice: {count} rolls>"


@settings(max_examples=50)
@given(st.randoms(use_true_random=True), st.integers(MIN_ROLLS, 300))
def test_a_fair_die_is_not_called_unfair(random: object, count: int) -> None:
    rolls = "".join(random.choices("123456", k=count))  # type: ignore[attr-defined]
    assert check_dice(Secret(rolls.encode())).count == count


def test_so_many_rolls_are_worth_so_many_bits() -> None:
    assert [bits_of(rolls) for rolls in (1, 49, 50, 99, 100)] == [2, 126, 129, 255, 258]
    assert bits_of(MIN_ROLLS - 1) < 128 <= bits_of(MIN_ROLLS)
    assert bits_of(FULL_ROLLS - 1) < 256 <= bits_of(FULL_ROLLS)


def test_rolls_may_be_typed_in_groups() -> None:
    rolls = thrown(60)
    dice = check_dice(Secret(f" {rolls[:5]},{rolls[5:30]}\t{rolls[30:]}\r\n".encode()))
    assert dice.rolls.equals(rolls.encode())


@pytest.mark.parametrize("count", [1, 10, MIN_ROLLS - 1])
def test_too_few_rolls_are_refused_with_what_they_are_worth(count: int) -> None:
    assert refused(thrown(count)) == f"{count} rolls are {bits_of(count)} bits; 50 to 1000 rolls are taken"


def test_no_rolls_and_far_too_many_are_refused() -> None:
    assert "no rolls" in refused("  \n")
    assert refused(thrown(MAX_ROLLS + 1)) == "1001 rolls; 50 to 1000 rolls are taken"


@pytest.mark.parametrize("character", ["0", "7", "a", "-", "\u0661", "\0"])
def test_what_no_die_shows_is_refused(character: str) -> None:
    assert refused(thrown(60) + character) == "a roll is a digit from 1 to 6"


def test_a_die_that_is_stuck_is_refused() -> None:
    start = thrown(60).rstrip("6")
    assert check_dice(Secret((start + "6" * 8 + "1").encode())).count == len(start) + 9
    assert refused(start + "6" * 9 + "1") == "9 equal rolls in a row: the die is stuck"


@pytest.mark.parametrize("length", [50, 100, 512, 600])
def test_a_die_that_favours_a_face_is_refused(length: int) -> None:
    """The adaptive proportion test at its cutoff and one below it, in the last window of the rolls."""
    window = min(length, 512)

    def with_sixes(count: int) -> str:
        others = iter(thrown(4 * length).replace("6", ""))
        places = {round(place * window / count) for place in range(count)}
        head = "".join(next(others) for _ in range(length - window))
        return head + "".join("6" if place in places else next(others) for place in range(window))

    assert check_dice(Secret(with_sixes(cutoff(window) - 1).encode())).count == length
    assert refused(with_sixes(cutoff(window))) == "one face comes up too often: the die is not fair"


@pytest.mark.parametrize("window", [50, 100, 512])
def test_the_cutoff_is_that_of_the_standard(window: int) -> None:
    """Recomputed with floats: a fair die reaches it at most once in 2^20 windows, and one less more often."""

    def reaches(times: int) -> float:
        return sum(math.comb(window, k) * (1 / 6) ** k * (5 / 6) ** (window - k) for k in range(times, window + 1))

    assert reaches(cutoff(window)) <= 2**-20 < reaches(cutoff(window) - 1)


@pytest.mark.parametrize("pattern", ["123456", "135246", "112233445566", thrown(30)])
def test_rolls_typed_from_a_pattern_are_refused(pattern: str) -> None:
    assert refused((pattern * 60)[:60]) == "the rolls repeat themselves: they were not thrown"
