"""Secrets of others do not leave, and data of the chain does.

Each attack is shown twice: it passes where only the vault's own secrets are looked for, and is stopped here.
"""

from __future__ import annotations

import sys
from typing import Any

import pytest

from mcp_wallet_guard import Bytes32, TxHash
from mcp_wallet_guard.bip39 import word_list, words_for
from mcp_wallet_guard.errors import InvalidInput, Tampered
from mcp_wallet_guard.filters import derivation, outbound, phrases
from mcp_wallet_guard.filters import fingerprints as fp
from mcp_wallet_guard.filters.detectors import Hint, Look
from mcp_wallet_guard.filters.inbound import check_arguments
from mcp_wallet_guard.filters.outbound import check_released, is_clean
from tests.filters import foreign
from tests.filters.test_outbound import growth

OWN = fp.build([bytes(range(32)), bytes(range(40, 72))], key=bytes(range(32)))
NONE = fp.FingerprintSet()


@pytest.fixture
def fingerprints_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The filter as it was: without detectors."""
    monkeypatch.setattr(outbound, "in_text", lambda text: Look(None, Hint.NOTHING))
    monkeypatch.setattr(outbound, "in_fields", lambda *_, **__: None)
    monkeypatch.setattr(outbound, "_look_short", outbound._look)


@pytest.mark.usefixtures("fingerprints_only")
@pytest.mark.parametrize("form", foreign.ALL)
def test_fingerprints_alone_let_a_strangers_secret_through(form: str) -> None:
    payload = foreign.ALL[form]
    assert check_released({"x": payload}, fingerprints=OWN).payload == {"x": payload}


@pytest.mark.parametrize("form", foreign.ALL)
def test_a_strangers_secret_is_blocked_in_every_form(form: str) -> None:
    """Threat: T-057, T-058, T-060, T-061."""
    payload = foreign.ALL[form]
    for prints in (OWN, NONE):
        for planted in (payload, {"note": "all is well", "deep": [payload]}):
            with pytest.raises(Tampered) as caught:
                check_released(planted, fingerprints=prints)
            assert caught.value.code == "tampered.result"
            assert_names_no_secret(caught.value)


@pytest.mark.parametrize("form", foreign.ALL)
def test_a_strangers_secret_is_refused_as_an_argument(form: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_arguments({"memo": foreign.ALL[form]}, fingerprints=OWN)
    assert caught.value.code == "invalid_input.secret"
    assert_names_no_secret(caught.value)


@pytest.mark.parametrize("form", [form for form in foreign.ALL if type(foreign.ALL[form]) is str])
def test_a_strangers_secret_is_not_logged(form: str) -> None:
    """Threat: T-057."""
    text = foreign.ALL[form]
    for record in (text, f"pay failed: {text}", f'  File "a.py", line 3, in f\nValueError: {text}\n\n{(text,)!r}'):
        assert not is_clean(record, fingerprints=NONE)


def assert_names_no_secret(error: Any) -> None:
    shown = f"{error!r} {error} {error.detail} {error.public}"
    assert foreign.KEY.hex() not in shown
    assert foreign.TWELVE[0] not in shown.split()
    assert error.detail.startswith("withheld: ")


VALUE = "0x" + foreign.SOURCE.randbytes(32).hex()
SUSPICIOUS = {
    "under the name of a key": {"seed": VALUE},
    "in a text": {"text": f'the seed: {VALUE}, or {{"private_key": "{VALUE}"}}'},
    "mirrored": {"text": '{"secret": "' + VALUE + '"}', "secret": VALUE},
}


@pytest.mark.parametrize("place", SUSPICIOUS)
def test_a_value_that_the_author_declared_public_passes_where_others_are_keys(place: str) -> None:
    """Threat: T-062."""
    payload = SUSPICIOUS[place]
    returned = {"seed": Bytes32(VALUE)}
    assert check_released(payload, fingerprints=OWN, returned=returned).payload == payload
    for undeclared in (None, {"seed": VALUE}, {"seed": Bytes32("0x" + "ab" * 32)}):
        with pytest.raises(Tampered):
            check_released(payload, fingerprints=OWN, returned=undeclared)


def test_a_declared_value_passes_beside_the_address_that_it_derives() -> None:
    payload = {"x": foreign.HEX, "address": foreign.ADDRESS}
    assert check_released(payload, fingerprints=NONE, returned=[TxHash(foreign.HEX)]).payload == payload


def test_a_declaration_covers_that_value_and_nothing_else() -> None:
    """Threat: T-061."""
    for other in ({"sk": foreign.HEX}, {"x": foreign.XPRV}, {"y": foreign.URLS["infura"]}):
        with pytest.raises(Tampered):
            check_released({"seed": VALUE, **other}, fingerprints=NONE, returned=[Bytes32(VALUE)])


def test_no_declaration_lets_a_secret_of_the_vault_out() -> None:
    own = "0x" + bytes(range(32)).hex()
    with pytest.raises(Tampered) as caught:
        check_released({"hash": own}, fingerprints=OWN, returned=[TxHash(own)])
    assert caught.value.detail == "withheld: a secret of the vault"


def test_more_values_than_can_be_derived_beside_an_address_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_wallet_guard.filters.derivation.MAX_CANDIDATES", 3)
    values = [foreign.SOURCE.randbytes(32).hex() for _ in range(4)]
    with pytest.raises(Tampered) as caught:
        check_released({"rows": values, "owner": foreign.OTHER}, fingerprints=NONE)
    assert "gave up" in caught.value.detail
    few = {"rows": values[1:], "owner": foreign.OTHER}
    for honest in ({"rows": values}, {"transactions": values, "owner": foreign.OTHER}, few):
        assert check_released(honest, fingerprints=NONE).payload == honest


def test_openssl_derives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "coincurve", None)
    derivation._public_key.cache_clear()
    try:
        with pytest.raises(Tampered):
            check_released({"x": foreign.HEX, "address": foreign.ADDRESS}, fingerprints=NONE)
        assert derivation._public_key() is derivation._openssl_public_key
    finally:
        derivation._public_key.cache_clear()


def test_a_failing_detector_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> Any:
        raise RuntimeError(foreign.HEX)

    for part in ("in_text", "in_fields"):
        with monkeypatch.context() as patch:
            patch.setattr(outbound, part, fails)
            patch.setattr(outbound, "_look_short", outbound._look)
            with pytest.raises(Tampered) as caught:
                check_released({"x": "ab" * 32}, fingerprints=NONE)
            assert caught.value.detail == "the filter failed: RuntimeError"
            assert not is_clean("ab" * 32, fingerprints=NONE)


PIECES = (
    "a", "0x", "abandon ", "zoo", "ability able about ", "private key ", "privateKey: ", "sk: 1, ", "https://", "://@",
    "seed ", "https://a.infura.io/v3/0 ", "otpauth://totp/", "-----BEGIN PRIVATE KEY-----", "xprv", "KwDi", "kdf: ",
    "ciphertext: ", "的 ", "助记词: ", '{"', "[[", "\\", "ab" * 32 + " ", "00" * 12 + "ab" * 20 + " ", "L" * 52 + " ",
    "AbandonAbility", "é", "url: /v2/",
)  # fmt: skip


@pytest.mark.parametrize("piece", PIECES)
def test_the_work_is_linear(piece: str) -> None:
    assert growth(lambda size: piece * (size // len(piece)), fingerprints=NONE) < 30


@pytest.mark.parametrize("size", sorted(foreign.ENGLISH))
@pytest.mark.parametrize("language", phrases.LANGUAGES)
def test_a_phrase_of_every_size_is_found_and_its_twin_with_a_wrong_checksum_is_not(size: int, language: str) -> None:
    words = list(words_for(foreign.SOURCE.randbytes(size * 4 // 3), language=language))
    listed = word_list(language)
    assert phrases.holds_phrase("note " + " ".join(words) + ", and more")
    if size == min(foreign.ENGLISH):
        # A longer one holds shorter ones, and some of those have a right checksum by chance.
        last = listed.index(words[-1])
        twins = [" ".join([*words[:-1], listed[last ^ bit]]) for bit in (1, 2, 4, 8)]
        assert not any(phrases.holds_phrase(twin) for twin in twins)
