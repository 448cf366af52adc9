"""Text from outside is one quoted line of printable ASCII, in every sink. Threat: T-021, T-022."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.clearsign import text
from mcp_wallet_guard.clearsign.descriptors.text import safe

HOSTILE = [
    "a\nTotal: 0 ETH",
    "a\r\x1b[2Jgone",
    "gpj\u202eexe",
    "\u200bAlice",
    "Al\u0456ce",
    "\uff21\uff4c\uff49\uff43\uff45",
    "\U0001d400lice",
    "\U000e0041",
    "\ud800",
    "\u0660.\u0661",
    'x" and more',
    "\\u{41}",
    "e\u0301",
    "\x00\x7f\x9b31m",
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_becomes_one_quoted_ascii_line(hostile: str) -> None:
    shown = text.quoted(hostile, limit=200)
    assert re.fullmatch(r'"[ -~]*"', shown)
    assert re.search(r'(?<!\\)(?:\\\\)*"', shown[1:-1]) is None


def test_plain_text_is_shown_as_it_is() -> None:
    assert text.quoted("Alice & Bob (2) <3", limit=40) == '"Alice & Bob (2) <3"'


def test_escapes_name_the_code_point_and_cannot_be_imitated() -> None:
    assert text.quoted("\u202e", limit=40) == '"\\u{202e}"'
    assert text.quoted("\\u{202e}", limit=40) == '"\\\\u{202e}"'
    assert text.quoted('"', limit=40) == '"\\""'


@given(st.text(max_size=60), st.text(max_size=60))
def test_different_texts_never_look_alike(one: str, other: str) -> None:
    assert (text.quoted(one, limit=2_000) == text.quoted(other, limit=2_000)) == (one == other)


@given(st.text(max_size=3_000), st.integers(1, 80))
def test_no_text_is_wider_than_its_limit(hostile: str, limit: int) -> None:
    inside, _, rest = text.quoted(hostile, limit=limit).rpartition('"')
    assert len(inside) <= limit + 1
    assert re.fullmatch(r"(?: \.\.\. [0-9,]+ more)?", rest)


def test_what_is_left_out_is_counted() -> None:
    assert text.quoted("x" * 100_000, limit=4) == '"xxxx" ... 99,996 more'
    assert text.quoted("x" * 4, limit=4) == '"xxxx"'
    assert text.quoted("x" * 5, limit=4) == '"xxxx" ... 1 more'
    assert text.quoted("ab\u202ecd", limit=5) == '"ab" ... 3 more'


def test_a_limit_of_nothing_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least one column"):
        text.quoted("x", limit=0)
    assert text.quoted("x", limit=1) == '"x"'


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Alice ~", None),
        ("Al\u0456ce", "text.nonascii"),
        ("\u00e9", "text.nonascii"),
        ("a\u202eb", "text.invisible"),
        ("a\u200bb", "text.invisible"),
        ("a\nb", "text.invisible"),
        ("a\u2028b", "text.invisible"),
        ("\U000e0041", "text.invisible"),
        ("\x7f", "text.invisible"),
        ("\ue000", "text.invisible"),
    ],
)
def test_odd_characters_are_told_apart(name: str, expected: str | None) -> None:
    assert text.suspicion(name) == expected


@given(st.text(max_size=60))
def test_text_that_is_escaped_already_is_quoted_as_it_is(raw: str) -> None:
    """Threat: T-021."""
    assert text.requoted(safe(raw), limit=2_000) == text.quoted(raw, limit=2_000)


@given(st.text(max_size=60), st.integers(1, 30))
def test_quoted_again_it_is_one_safe_line_and_no_longer_than_allowed(raw: str, limit: int) -> None:
    """Threat: T-021, T-022."""
    for given_ in (raw, safe(raw)):
        shown = re.fullmatch(
            r'"((?:[ !#-\[\]-~]|\\["\\]|\\u\{[0-9a-f]+\})*)"( \.\.\. [0-9,]+ more)?', text.requoted(given_, limit=limit)
        )
        assert shown is not None
        assert len(shown[1]) <= limit


@given(st.text(max_size=500), st.integers(0, 20))
def test_terminal_lines_have_no_control_bytes_and_fit(hostile: str, indent: int) -> None:
    for line in text.terminal(hostile, indent=indent).split("\n"):
        assert re.fullmatch(r"[ -~]*", line)
        assert len(line) <= text.LINE_WIDTH


@given(st.text(max_size=200))
def test_html_has_no_markup(hostile: str) -> None:
    shown = text.html(hostile)
    assert re.fullmatch(r"(?:[ !#-%(-;=?-~]|&(?:amp|lt|gt|quot|#39);)*", shown)


def test_html_and_markdown_say_the_same_as_the_text() -> None:
    assert text.html("<b a='1'>&\"\u202e") == "&lt;b a=&#39;1&#39;&gt;&amp;&quot;\\u{202e}"
    assert text.markdown("[x](https://evil.example) @you *b*") == (
        "\\[x\\]\\(https\\:\\/\\/evil\\.example\\) \\@you \\*b\\*"
    )
    assert text.markdown("plain words 12") == "plain words 12"


@given(st.text(max_size=200))
def test_markdown_has_no_bare_punctuation(hostile: str) -> None:
    assert re.fullmatch(r"(?:[A-Za-z0-9 ]|\\[!-/:-@\[-`{-~])*", text.markdown(hostile))


def test_an_address_is_grouped_by_four_digits() -> None:
    assert text.grouped("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266") == (
        "0x f39F d6e5 1aad 88F6 F4ce 6aB8 8272 79cf fFb9 2266"
    )
