"""Rolls of a six-sided die, for who trusts a die more than a machine. They are added to the machine's randomness,
never used in its place.

What people can check is checked: how many there are, and that the die is not stuck. Sources: NIST SP 800-90B
sections 4.4.1 (repetition count) and 4.4.2 (adaptive proportion), with H = log2(6) bits a roll and one false
alarm in 2^20.
"""

from __future__ import annotations

from functools import cache
from math import comb
from typing import TYPE_CHECKING, Final, final

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.keys.sealing import wiped
from mcp_wallet_guard.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator

MIN_ROLLS: Final = 50
"""129 bits: fewer would be worth less than the shortest recovery phrase."""

FULL_ROLLS: Final = 100
"""258 bits: the dice alone are worth a whole wallet."""

MAX_ROLLS: Final = 1000

_FACES: Final = frozenset(b"123456")
_SPACES: Final = frozenset(b" \t\r\n,")
_ALARM: Final = 2**20
_WINDOW: Final = 512
_REPETITIONS: Final = 9  # 1 + ceil(20 / log2(6)), section 4.4.1


@final
class Dice:
    """Rolls that passed `check_dice`. They are a secret: wiped by whoever uses them."""

    __slots__ = ("count", "rolls")

    def __init__(self, rolls: Secret, /) -> None:
        """Takes over `rolls`: nothing but the digits 1 to 6. Raises InvalidInput("invalid_input.dice")."""
        with rolls.reveal() as view:
            _check(view)
        self.rolls: Final = rolls
        self.count: Final = len(rolls)

    @property
    def bits(self) -> int:
        """What a fair die gave, in whole bits."""
        return bits_of(self.count)

    def __repr__(self) -> str:
        return f"<Dice: {self.count} rolls>"


def check_dice(typed: Secret, /) -> Dice:
    """The rolls that a person typed: digits 1 to 6, with spaces, commas and line ends between them. Wipes `typed`.

    Raises InvalidInput("invalid_input.dice") for another character, fewer than 50 or more than 1000 rolls, a die that
    is stuck or favours a face, and rolls that are typed from a pattern. Its detail repeats no roll. Threat: T-076.
    """
    with wiped(typed) as view:
        digits = bytearray(byte for byte in view if byte not in _SPACES)
    if not digits:
        raise InvalidInput("invalid_input.dice", detail=f"no rolls; at least {MIN_ROLLS} are needed")
    rolls = Secret(digits)
    try:
        return Dice(rolls)
    except BaseException:
        rolls.wipe()
        raise


def bits_of(rolls: int, /) -> int:
    """The whole bits in so many rolls of a fair die: 2.58 a roll, rounded down."""
    return int((6**rolls).bit_length() - 1)


def _check(rolls: memoryview) -> None:
    count = len(rolls)
    if any(byte not in _FACES for byte in rolls):
        raise InvalidInput("invalid_input.dice", detail="a roll is a digit from 1 to 6")
    if not MIN_ROLLS <= count <= MAX_ROLLS:
        worth = f"{count} rolls are {bits_of(count)} bits" if count < MIN_ROLLS else f"{count} rolls"
        raise InvalidInput("invalid_input.dice", detail=f"{worth}; {MIN_ROLLS} to {MAX_ROLLS} rolls are taken")
    if _longest_run(rolls) >= _REPETITIONS:
        raise InvalidInput("invalid_input.dice", detail=f"{_REPETITIONS} equal rolls in a row: the die is stuck")
    if any(_most_frequent(window) >= cutoff(len(window)) for window in _windows(rolls)):
        raise InvalidInput("invalid_input.dice", detail="one face comes up too often: the die is not fair")
    if any(rolls[period:] == rolls[: count - period] for period in range(1, count // 2 + 1)):
        raise InvalidInput("invalid_input.dice", detail="the rolls repeat themselves: they were not thrown")


def _longest_run(rolls: memoryview) -> int:
    longest = run = 0
    last = None
    for roll in rolls:
        run = run + 1 if roll == last else 1
        last, longest = roll, max(longest, run)
    return longest


def _windows(rolls: memoryview) -> Iterator[memoryview]:
    """Of 512 rolls each, the last one ending with the last roll. Fewer rolls are one window of their own size."""
    for start in range(0, len(rolls), _WINDOW):
        yield rolls[max(0, min(start, len(rolls) - _WINDOW)) :][:_WINDOW]


def _most_frequent(rolls: memoryview) -> int:
    """The standard counts the face that a window begins with; every face is counted here, which is stricter."""
    return max(sum(roll == face for roll in rolls) for face in _FACES)


@cache
def cutoff(window: int, /) -> int:
    """How often a face comes up in so many rolls before the die is called unfair: 1 + the smallest number that a fair
    die exceeds at most once in 2^20 windows. Source: SP 800-90B section 4.4.2, critbinom."""
    exceeded, total = 6**window, 6**window
    for times in range(window + 1):
        exceeded -= comb(window, times) * 5 ** (window - times)
        if exceeded * _ALARM <= total:
            return times + 1
    raise AssertionError("the last term leaves nothing")  # pragma: no cover
