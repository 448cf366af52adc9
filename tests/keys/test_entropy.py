"""A new wallet's randomness: every fault of a source that can be seen stops the wallet, and honest sources make one.

Threat: T-076, T-078.
"""

from __future__ import annotations

import hashlib
import os
import ssl
import sys
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_wallet_guard.errors import Unavailable
from mcp_wallet_guard.keys import entropy
from mcp_wallet_guard.keys.dice import check_dice
from mcp_wallet_guard.keys.entropy import OpenSsl, OperatingSystem, Past, Source, new_entropy
from mcp_wallet_guard.keys.weakness import PUBLIC, has_pattern, is_weak
from mcp_wallet_guard.secret import Secret
from tests.keys.rolls import thrown

GOOD = hashlib.sha256(b"good").digest()


def shown(secret: Secret) -> bytes:
    with secret.reveal() as view:
        return bytes(view)


@dataclass
class Sequence:
    """A source of different blocks, the same ones for the same seed: honest to every check, and repeatable."""

    seed: bytes
    name: str = "a test"
    instead: dict[int, bytes] = field(default_factory=dict)
    reads: int = 0

    def read(self, count: int, /) -> bytes:
        self.reads += 1
        honest = hashlib.sha256(self.seed + bytes([self.reads])).digest()[:count]
        return self.instead.get(self.reads, honest)


@dataclass
class Broken:
    error: Exception
    name: str = "a test"

    def read(self, count: int, /) -> bytes:
        raise self.error


def made(system: Source, library: Source | None = None, past: Past | None = None, dice: str | None = None) -> bytes:
    rolls = None if dice is None else check_dice(Secret(dice.encode()))
    library = Sequence(b"library") if library is None else library
    return shown(new_entropy(system=system, library=library, past=Past() if past is None else past, dice=rolls))


def refused(system: Source, library: Source | None = None, past: Past | None = None) -> str:
    with pytest.raises(Unavailable) as caught:
        made(system, library, past)
    assert caught.value.code == "unavailable.entropy"
    assert caught.value.__context__ is None
    return caught.value.detail


def test_a_new_wallet_has_32_bytes_that_no_other_one_has() -> None:
    drawn = {shown(new_entropy()) for _ in range(50)}
    assert len(drawn) == 50
    assert {len(one) for one in drawn} == {32}


def test_both_sources_and_the_dice_are_in_the_result() -> None:
    results = [
        made(Sequence(b"1"), Sequence(b"2")),
        made(Sequence(b"1"), Sequence(b"3")),
        made(Sequence(b"3"), Sequence(b"2")),
        made(Sequence(b"1"), Sequence(b"2"), dice=thrown(50)),
        made(Sequence(b"1"), Sequence(b"2"), dice=thrown(51)),
    ]
    assert len(set(results)) == len(results)
    assert made(Sequence(b"1"), Sequence(b"2")) == results[0]


def test_every_block_of_a_source_is_in_the_result() -> None:
    other = hashlib.sha256(b"another block").digest()
    results = {made(Sequence(b"1", instead={at: other}), Sequence(b"2")) for at in (0, 1, 2)}
    assert len(results) == 3


PATTERNS = [
    bytes(32),
    b"\xff" * 32,
    b"\x7f" * 32,
    b"\xaa\x55" * 16,
    bytes(range(8)) * 4,
    bytes(range(32)),
    bytes(range(31, -1, -1)),
    bytes(range(0, 96, 3)),
    GOOD[:16] * 2,
    b"\x00" * 28 + GOOD[:4],
]


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("at", [1, 2])
def test_a_source_that_gives_a_pattern_makes_no_wallet(pattern: bytes, at: int) -> None:
    assert "pattern" in refused(Sequence(b"s", instead={at: pattern}))
    assert "pattern" in refused(Sequence(b"s"), Sequence(b"l", instead={at: pattern}))
    assert len(made(Sequence(b"s", instead={at: GOOD}))) == 32


def test_a_source_that_is_stuck_makes_no_wallet() -> None:
    assert "repeats" in refused(Sequence(b"s", instead={1: GOOD, 2: GOOD}))
    assert "repeats" in refused(Sequence(b"s"), Sequence(b"l", instead={1: GOOD, 2: GOOD}))


def test_two_sources_that_give_the_same_make_no_wallet() -> None:
    assert "repeats" in refused(Sequence(b"one"), Sequence(b"one"))


def test_a_source_that_starts_again_makes_no_second_wallet() -> None:
    past = Past()
    made(Sequence(b"s"), past=past)
    assert "repeats" in refused(Sequence(b"s"), Sequence(b"more"), past=past)
    assert len(made(Sequence(b"t"), Sequence(b"u"), past=past)) == 32


def test_a_wallet_that_this_process_made_before_is_not_made_again() -> None:
    """Shown on the result itself: the sources are new, and only the mixed bytes were here before."""
    past = Past()
    past.check_new(made(Sequence(b"s")))
    assert "repeats" in refused(Sequence(b"s"), past=past)


def test_a_result_that_everybody_knows_makes_no_wallet(monkeypatch: pytest.MonkeyPatch) -> None:
    """No source can be made to mix into a known phrase, so the result of this one is called known."""
    result = made(Sequence(b"s"))
    monkeypatch.setattr(entropy, "is_weak", lambda candidate: candidate == result)
    assert refused(Sequence(b"s")) == "the mixed randomness has a pattern"
    assert len(made(Sequence(b"t"))) == 32


def test_what_was_drawn_is_remembered_by_its_digest_alone() -> None:
    past = Past()
    result = made(Sequence(b"s"), past=past)
    blocks = [hashlib.sha256(b"s" + bytes([number])).digest() for number in (1, 2)]
    assert len(past._digests) == 5
    assert past._digests.isdisjoint({result, *blocks})


@pytest.mark.parametrize(
    "error",
    [OSError("no entropy"), BlockingIOError(), NotImplementedError(), AttributeError("getrandom"), ssl.SSLError()],
)
def test_a_source_that_is_missing_or_fails_makes_no_wallet(error: Exception) -> None:
    assert refused(Broken(error)) == "a test gives no randomness"
    assert refused(Sequence(b"s"), Broken(error)) == "a test gives no randomness"


def test_the_system_s_source_has_no_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where getrandom is missing, no file, clock or generator of Python's takes its place."""
    assert len(made(OperatingSystem())) == 32
    monkeypatch.delattr(os, "getrandom")
    monkeypatch.setattr(sys, "platform", "linux")
    assert refused(OperatingSystem()) == "the operating system gives no randomness"


@pytest.mark.parametrize("wrong", [b"", GOOD[:31], GOOD + b"\0", bytearray(GOOD), GOOD.hex()[:32], None])
def test_a_source_that_gives_something_else_makes_no_wallet(wrong: Any) -> None:
    assert "no randomness" in refused(Sequence(b"s", instead={1: wrong}))


@pytest.mark.parametrize("source", [OperatingSystem(), OpenSsl()])
def test_the_real_sources_give_what_they_are_asked_for(source: Source) -> None:
    blocks = {source.read(32) for _ in range(20)}
    assert len(blocks) == 20
    assert not any(has_pattern(block) for block in blocks)


@settings(max_examples=300)
@given(st.randoms(use_true_random=True), st.sampled_from([16, 20, 24, 28, 32]))
def test_random_entropy_is_never_called_weak(random: Any, size: int) -> None:
    assert not is_weak(random.randbytes(size))


@pytest.mark.parametrize("known", sorted(PUBLIC))
def test_what_everybody_knows_is_weak(known: str) -> None:
    assert is_weak(bytes.fromhex(known))


def test_dice_are_wiped_whether_or_not_they_made_a_wallet() -> None:
    for system in (Sequence(b"s"), Broken(OSError())):
        dice = check_dice(Secret(thrown(50).encode()))
        try:
            new_entropy(system=system, library=Sequence(b"l"), past=Past(), dice=dice)
        except Unavailable:
            assert isinstance(system, Broken)
        with pytest.raises(ValueError, match="wiped"):
            shown(dice.rolls)
