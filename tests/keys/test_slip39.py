"""Recovery shares: the official vectors, what is refused, and that no word of a share is repeated.

Threat: T-057, T-068, T-077.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard import assembly
from mcp_wallet_guard.errors import InvalidInput, MissingExtra, Unavailable
from mcp_wallet_guard.keys import bip32, curve
from mcp_wallet_guard.keys.extended_key import read_private
from mcp_wallet_guard.secret import Secret

shamir = pytest.importorskip("shamir_mnemonic.shamir")
pytest.importorskip("shamir_mnemonic.share")

from mcp_wallet_guard.keys import slip39  # noqa: E402  # after the extra was found
from mcp_wallet_guard.keys.slip39 import Slip39  # noqa: E402

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent.parent / "vectors" / "keys" / "slip39.json").read_text())
TREZOR = VECTORS["passphrase"].encode()
GOOD = hashlib.sha256(b"good").digest()


def shown(secret: Secret) -> bytes:
    with secret.reveal() as view:
        return bytes(view)


def refused(shares: list[str] | list[Any], passphrase: Secret | None = None) -> str:
    with pytest.raises(InvalidInput) as caught:
        Slip39().combine(shares, passphrase=passphrase)
    assert caught.value.code == "invalid_input.share"
    assert caught.value.__context__ is None
    return caught.value.detail


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: str(case["name"])[:60])
def test_the_official_vectors_are_met(case: dict[str, Any]) -> None:
    if case["secret"] is None:
        said = refused(case["shares"], Secret(TREZOR))
        assert not {word for share in case["shares"] for word in share.split() if len(word) > 5} & set(said.split())
        return
    secret = Slip39().combine(case["shares"], passphrase=Secret(TREZOR))
    assert shown(secret).hex() == case["secret"]
    with read_private(case["xprv"]).key.reveal() as view:
        assert bip32.derive(secret, (), curve=curve.OpenSsl()).equals(bytes(view))


@pytest.fixture(scope="module")
def shares() -> tuple[str, ...]:
    return Slip39().split(Secret(GOOD), threshold=3, count=5)


def test_any_three_of_five_shares_are_enough(shares: tuple[str, ...]) -> None:
    assert len(set(shares)) == 5
    assert {len(share.split()) for share in shares} == {33}
    for chosen in list(combinations(shares, 3))[::3]:
        assert Slip39().combine(chosen).equals(GOOD)


def test_fewer_shares_or_more_are_refused_with_what_is_needed(shares: tuple[str, ...]) -> None:
    assert refused(list(shares[:1])) == "1 shares of group 1; 3 are needed"
    assert refused(list(shares[:2])) == "2 shares of group 1; 3 are needed"
    assert refused(list(shares[:4])) == "4 shares of group 1; 3 are needed"
    assert refused([]) == "0 shares; 1 to 64 are taken"
    assert "65 shares" in refused([shares[0]] * 65)


@pytest.mark.parametrize("size", [16, 20, 24, 28, 32])
def test_a_wallet_of_any_size_is_split(size: int) -> None:
    made = Slip39().split(Secret(GOOD[:size]), threshold=2, count=2)
    assert Slip39().combine(made).equals(GOOD[:size])


def test_case_and_spaces_do_not_matter(shares: tuple[str, ...]) -> None:
    typed = [share.title().replace(" ", "\n  ") for share in shares[:3]]
    assert Slip39().combine(typed).equals(GOOD)


def test_another_passphrase_gives_another_secret_and_no_error() -> None:
    made = Slip39().split(Secret(GOOD), threshold=2, count=3, passphrase=Secret(b"right one"))
    assert Slip39().combine(made[:2], passphrase=Secret(b"right one")).equals(GOOD)
    for other in (None, Secret(b"wrong one")):
        assert not Slip39().combine(made[:2], passphrase=other).equals(GOOD)


@pytest.mark.parametrize("passphrase", ["caf\u00e9", "tab\t", "\x7f"])
def test_a_passphrase_outside_printable_ascii_is_refused(passphrase: str) -> None:
    typed = Secret(passphrase.encode())
    with pytest.raises(InvalidInput) as caught:
        Slip39().split(Secret(GOOD), threshold=2, count=3, passphrase=typed)
    assert caught.value.code == "invalid_input.passphrase"


@pytest.mark.parametrize(
    ("threshold", "count"), [(1, 1), (1, 3), (0, 2), (3, 2), (2, 17), (-1, 2), (True, 2), (2.0, 3)]
)
def test_one_share_that_is_enough_and_numbers_that_make_no_sense_are_refused(threshold: Any, count: Any) -> None:
    with pytest.raises(InvalidInput):
        Slip39().split(Secret(GOOD), threshold=threshold, count=count)


def test_entropy_of_another_size_is_not_split() -> None:
    with pytest.raises(InvalidInput):
        Slip39().split(Secret(GOOD * 2), threshold=2, count=3)


def test_what_is_wrong_is_named_by_places_and_never_by_word(shares: tuple[str, ...]) -> None:
    words = shares[1].split()
    edits = {
        "share 2, not in the list: word 4, 7": [*words[:3], "planted", *words[4:6], "walls", *words[7:]],
        "share 2: every word is known, but the checksum is wrong": [*words[:9], words[10], words[9], *words[11:]],
        "share 2 has 32 words; 20, 23, 27, 30 or 33 expected": words[1:],
        "share 2 is too long": [*words, "x" * 400],
    }
    assert words[9] != words[10]
    for said, edited in edits.items():
        assert refused([shares[0], " ".join(edited), shares[2]]) == said


@given(st.lists(st.sampled_from(["academic", "acid", "walnut", "planted", "\u0131", "x"]), min_size=18, max_size=35))
def test_whatever_is_typed_the_error_is_made_of_our_own_words(words: list[str]) -> None:
    said = refused([" ".join(words)])
    assert re.fullmatch(
        r"share 1(?: has \d+ words; 20, 23, 27, 30 or 33 expected|, not in the list: word [\d, ]+"
        r"|: every word is known, but the checksum is wrong)",
        said,
    )


def test_a_share_twice_and_a_share_of_another_wallet_are_named(shares: tuple[str, ...]) -> None:
    other = Slip39().split(Secret(GOOD[::-1]), threshold=3, count=5)
    assert refused([shares[0], shares[1], shares[1]]) == "share 3 is share 2 again, or contradicts it"
    assert refused([shares[0], other[1], shares[2]]) == "share 2 is of another set than share 1"


def test_a_share_that_asks_for_hours_of_work_is_refused_before_any(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exponent is in the share, where anybody can write 15: 80 million rounds for each of four steps."""

    def made(exponent: int) -> list[str]:
        secret = shamir.EncryptedMasterSecret(7, True, exponent, GOOD)
        return [share.mnemonic() for share in shamir.split_ems(1, [(2, 2)], secret)[0]]

    assert len(Slip39().combine(made(2))) == 32
    monkeypatch.setattr(shamir.EncryptedMasterSecret, "decrypt", lambda *_: pytest.fail("it was worked on"))
    for exponent in (7, 15):
        assert refused(made(exponent)) == "share 1 asks for more work than is done here"


def test_shares_that_would_not_give_the_wallet_back_are_not_handed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault while splitting, in one share of five that the first three do not show."""
    real = shamir.generate_mnemonics

    def faulty(*args: Any) -> list[list[str]]:
        (made,), (other,) = real(*args), real(*args)
        return [[*made[:4], other[4]]]

    monkeypatch.setattr(shamir, "generate_mnemonics", faulty)
    with pytest.raises(Unavailable) as caught:
        Slip39().split(Secret(GOOD), threshold=3, count=5)
    assert caught.value.__context__ is None


def test_no_share_is_made_from_a_broken_random_source(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Secret:
        raise Unavailable("unavailable.entropy")

    monkeypatch.setattr(slip39, "new_entropy", broken)
    with pytest.raises(Unavailable):
        Slip39().split(Secret(GOOD), threshold=2, count=3)


def test_it_is_loaded_by_its_name_and_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert assembly.load("shares:slip39") is Slip39
    monkeypatch.setitem(sys.modules, "shamir_mnemonic", None)  # as where it is not installed
    monkeypatch.delitem(sys.modules, "mcp_wallet_guard.keys.slip39")
    with pytest.raises(MissingExtra) as missing:
        assembly.load("shares:slip39")
    assert missing.value.extra == "slip39"
