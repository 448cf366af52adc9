"""A recovery phrase is understood as people write it, and its errors repeat nothing of it.

Threat: T-057.
"""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mnemonic import Mnemonic

from mcp_wallet_guard import bip39
from mcp_wallet_guard.errors import InvalidInput

PHRASE = "legal winner thank year wave sausage worth useful legal winner thank yellow"
ENTROPY = bytes.fromhex("7f" * 16)
sizes = st.sampled_from(bip39.ENTROPY_BYTES).flatmap(lambda size: st.binary(min_size=size, max_size=size))


@given(sizes, st.sampled_from(sorted(bip39.LIST_SHA256)))
def test_words_lead_back_to_their_entropy_in_every_language(entropy: bytes, language: str) -> None:
    words = bip39.words_for(entropy, language=language)
    assert len(words) == len(entropy) * 3 // 4
    assert bip39.check_phrase(" ".join(words), language=language) == entropy
    assert Mnemonic(language).to_mnemonic(entropy).split() == list(words)


@pytest.mark.parametrize(
    "typed",
    [
        PHRASE,
        PHRASE.upper(),
        PHRASE.title(),
        f"  {PHRASE}\n",
        PHRASE.replace(" ", "   "),
        PHRASE.replace(" ", "\n"),
        PHRASE.replace(" ", "\t"),
        PHRASE.replace(" ", "\u00a0"),
        PHRASE.replace(" ", "\u3000"),
        unicodedata.normalize("NFKC", PHRASE.replace("year", "\uff59\uff45\uff41\uff52")),
    ],
)
def test_case_and_spaces_do_not_matter(typed: str) -> None:
    assert bip39.check_phrase(typed, language="english") == ENTROPY


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
@pytest.mark.parametrize("language", ["japanese", "spanish", "french", "korean", "czech"])
def test_accents_may_be_typed_either_way(language: str, form: str) -> None:
    words = " ".join(bip39.words_for(ENTROPY, language=language))
    assert bip39.check_phrase(unicodedata.normalize(form, words), language=language) == ENTROPY  # type: ignore[arg-type]


@pytest.mark.parametrize("language", ["french", "spanish"])
def test_accents_may_be_left_out_where_no_two_words_differ_by_them(language: str) -> None:
    for start in range(0, 2040, 8):
        entropy = b"".join((start + step).to_bytes(2, "big") for step in range(8))
        words = " ".join(bip39.words_for(entropy, language=language))
        bare = "".join(character for character in words if not unicodedata.combining(character))
        assert bip39.check_phrase(bare, language=language) == entropy


def test_accents_are_part_of_a_japanese_word() -> None:
    """\u304b and \u304c are two syllables: a phrase without the marks is another one, or none."""
    words = " ".join(bip39.words_for(ENTROPY, language="japanese"))
    bare = "".join(character for character in words if not unicodedata.combining(character))
    assert bare != words
    with pytest.raises(InvalidInput):
        bip39.check_phrase(bare, language="japanese")


def test_japanese_words_are_written_with_ideographic_spaces() -> None:
    for language in sorted(bip39.LIST_SHA256):
        words = bip39.words_for(ENTROPY, language=language)
        written = bip39.sentence(words, language=language)
        assert written.split("\u3000" if language == "japanese" else " ") == list(words)
        assert bip39.check_phrase(written, language=language) == ENTROPY


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("", "0 words; 12, 15, 18, 21 or 24 expected"),
        ("legal", "1 words; 12, 15, 18, 21 or 24 expected"),
        (PHRASE + " legal", "13 words; 12, 15, 18, 21 or 24 expected"),
        (PHRASE.replace("year", "yeer"), "not in the english list: word 4"),
        (PHRASE.replace("legal", "l3gal"), "not in the english list: word 1, 9"),
        (PHRASE.replace("year", "yea\u200br"), "not in the english list: word 4"),
        (PHRASE.replace("yellow", "zoo"), "every word is known, but the checksum is wrong"),
        (PHRASE.replace("legal winner", "winner legal"), "every word is known, but the checksum is wrong"),
        ("zoo " * 2000, "too long for a recovery phrase"),
    ],
)
def test_what_is_wrong_is_named_by_position_and_never_by_word(typed: str, says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        bip39.check_phrase(typed, language="english")
    assert (caught.value.code, caught.value.detail) == ("invalid_input.mnemonic", says)
    assert caught.value.__context__ is None


SAYINGS = (
    r"too long for a recovery phrase|\d+ words; 12, 15, 18, 21 or 24 expected|not in the [a-z_]+ list: word [\d, ]+"
    r"|every word is known, but the checksum is wrong"
)


@given(
    st.lists(st.sampled_from(bip39.word_list("english")) | st.text(min_size=1, max_size=8), max_size=25),
    st.sampled_from(sorted(bip39.LIST_SHA256)),
)
def test_whatever_is_typed_the_error_is_made_of_our_own_words(typed: list[str], language: str) -> None:
    said = "too long for a recovery phrase"
    try:
        bip39.check_phrase(" ".join(typed), language=language)
    except InvalidInput as error:
        said = error.detail
    assert re.fullmatch(SAYINGS, said)


@pytest.mark.parametrize("language", ["klingon", "English", "", "../english", "russian"])
def test_a_language_without_a_list_of_bip_39_is_refused(language: str) -> None:
    with pytest.raises(InvalidInput):
        bip39.check_phrase(PHRASE, language=language)


def test_a_language_is_never_guessed() -> None:
    with pytest.raises(InvalidInput):
        bip39.check_phrase(PHRASE, language="french")


@pytest.mark.parametrize("size", [0, 1, 12, 15, 17, 31, 33, 64])
def test_entropy_of_another_size_has_no_words(size: int) -> None:
    with pytest.raises(InvalidInput):
        bip39.words_for(bytes(size), language="english")


@pytest.mark.parametrize("language", sorted(bip39.LIST_SHA256))
def test_every_list_has_2048_words_that_differ_in_normal_form(language: str) -> None:
    words = bip39.word_list(language)
    assert len(set(words)) == 2048
    assert all(unicodedata.normalize("NFKD", word).lower() == word for word in words)
