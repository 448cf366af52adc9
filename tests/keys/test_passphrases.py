"""One text, one passphrase, on every keyboard.

Threat: T-075.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.keys.passphrases import passphrase_from_bytes, passphrase_from_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp_wallet_guard.secret import Secret


def from_bytes(text: str) -> Secret:
    return passphrase_from_bytes(bytearray(text, "utf-8"))


MAKERS: tuple[Callable[[str], Secret], ...] = (passphrase_from_text, from_bytes)


@pytest.mark.parametrize(
    ("typed", "means"),
    [
        ("correct horse", "correct horse"),
        ("  spaces count  ", "  spaces count  "),
        ("A\N{COMBINING RING ABOVE}ngstro\N{COMBINING DIAERESIS}m 1234567", "\u00c5ngstr\u00f6m 1234567"),
        ("\N{ANGSTROM SIGN}ngstr\u00f6m 1234567", "\u00c5ngstr\u00f6m 1234567"),
        ("\N{FULLWIDTH LATIN SMALL LETTER A}" * 12, "a" * 12),
        ("\ufb01nd the \ufb01sh", "find the fish"),
        ("\u4e2d" * 12, "\u4e2d" * 12),
        ("\U0001f600" * 1024, "\U0001f600" * 1024),
        ("x" * 1024, "x" * 1024),
    ],
)
def test_texts_that_look_alike_are_one_passphrase(typed: str, means: str) -> None:
    assert all(make(typed).equals(means.encode()) for make in MAKERS)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "short",
        "x" * 11,
        "x" * 1025,
        "\u4e2d" * 1025,
        " " * 12,
        "\N{IDEOGRAPHIC SPACE}" * 12,
        "\u00a0" * 12,
        "with a\nnewline",
        "with a\ttab stop",
        "with a nul\x00 byte",
        "with delete\x7f it",
        "with c1 control\x85",
        "line separator\u2028 here",
        "unassigned \U000e0fff yet",
        "\ufdfa" * 1024,
    ],
)
def test_what_cannot_be_a_passphrase_is_refused_without_repeating_it(text: str) -> None:
    for make in MAKERS:
        with pytest.raises(InvalidInput) as caught:
            make(text)
        assert caught.value.code == "invalid_input.passphrase"
        assert caught.value.detail == ""


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(InvalidInput):
        passphrase_from_text("surrogate \ud800 here")


@pytest.mark.parametrize("typed", [b"\xff" * 12, b"caf\xe9 and more text", b"\xed\xa0\x80 surrogate bytes"])
def test_bytes_that_are_no_utf8_are_refused_and_not_carried_by_the_error(typed: bytes) -> None:
    with pytest.raises(InvalidInput) as caught:
        passphrase_from_bytes(bytearray(typed))
    assert caught.value.__context__ is None


@given(st.binary(max_size=64))
def test_what_was_typed_is_wiped_whatever_it_was(typed: bytes) -> None:
    buffer = bytearray(typed)
    try:
        passphrase_from_bytes(buffer)
    except InvalidInput:
        pass
    assert not any(buffer)


@given(st.text(min_size=12, max_size=40))
def test_bytes_and_text_agree_on_every_text(text: str) -> None:
    answers = []
    for make in MAKERS:
        try:
            with make(text).reveal() as view:
                answers.append(bytes(view))
        except InvalidInput as error:
            answers.append(error.code.encode())
    assert answers[0] == answers[1]


@given(st.text(min_size=12, max_size=40))
def test_a_passphrase_typed_back_from_its_own_form_is_the_same(text: str) -> None:
    try:
        with passphrase_from_text(text).reveal() as view:
            normal = bytes(view).decode()
    except InvalidInput:
        return
    assert passphrase_from_text(normal).equals(normal.encode())
