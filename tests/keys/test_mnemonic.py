"""Entropy that is worth the name, and the keys that the standards say it has.

Threat: T-063, T-076, T-078.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import unicodedata
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from eth_account.hdaccount import key_from_seed
from eth_account.hdaccount.mnemonic import Mnemonic
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_wallet_guard import bip39, danger, secp256k1
from mcp_wallet_guard.errors import InvalidInput, Misconfigured
from mcp_wallet_guard.keys import bip32, curve
from mcp_wallet_guard.keys.bip32 import HARDENED
from mcp_wallet_guard.keys.mnemonic import (
    MAX_INDEX,
    account_key,
    account_secrets,
    address_of,
    derive_key,
    describe_account,
    entropy_from_phrase,
    seed_from_entropy,
    words_from_entropy,
)
from mcp_wallet_guard.secret import Secret

OURS = Path(__file__).parent.parent / "vectors" / "keys"
SHARED = Path(__file__).parents[2].parent / "shared" / "vectors" / "keys"
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
CURVES: list[curve.Curve] = [curve.OpenSsl(), curve.LibSecp256k1()]
HARDHAT = "test test test test test test test test test test test junk"


def shown(secret: Secret) -> bytes:
    with secret.reveal() as view:
        return bytes(view)


GOOD = hashlib.sha256(b"good").digest()
PUBLIC = [
    HARDHAT,
    "candy maple cake sugar pudding cream honey rich smooth crumble sweet treat",
    "myth like bonus scare over problem client lizard pioneer submit female collect",
    "abandon " * 11 + "about",
    "abandon " * 23 + "art",
    "zoo " * 11 + "wrong",
    "zoo " * 23 + "vote",
    "legal winner thank year wave sausage worth useful legal winner thank yellow",
    "letter advice cage absurd amount doctor acoustic avoid letter advice cage above",
    "radar blur cabbage chef fix engine embark joy scheme fiction master release",
    "announce room limb pattern dry unit scale effort smooth jazz weasel alcohol",
    "army van defense carry jealous true garbage claim echo media make crunch",
    "glory promote mansion idle axis finger extra february uncover one trip resource "
    "lawn turtle enact monster seven myth punch hobby comfort wild raise skin",
]


@pytest.mark.parametrize("phrase", PUBLIC)
def test_a_phrase_that_everybody_knows_is_refused(phrase: str) -> None:
    assert bip39.check_phrase(phrase, language="english")
    with pytest.raises(InvalidInput) as caught:
        entropy_from_phrase(phrase, language="english")
    assert caught.value.code == "invalid_input.mnemonic"


def test_a_phrase_that_everybody_knows_is_taken_over_for_a_test_chain_that_says_so() -> None:
    waiver = danger.public_phrase(reason="a chain of a test")
    assert len(entropy_from_phrase(HARDHAT, language="english", waiver=waiver)) == 16
    for forged in (True, object(), danger.cheap_kdf(reason="another waiver")):
        with pytest.raises(InvalidInput):
            entropy_from_phrase(HARDHAT, language="english", waiver=forged)  # type: ignore[arg-type]  # the attack


@pytest.mark.parametrize("language", sorted(bip39.LIST_SHA256))
def test_the_phrases_of_the_official_vectors_are_public_in_every_language(language: str) -> None:
    found = [vector for name, vector in trezor() if name == language]
    assert found
    for _, phrase, *_ in found:
        with pytest.raises(InvalidInput):
            entropy_from_phrase(phrase, language=language)


@pytest.mark.parametrize("size", [16, 20, 24, 28, 32])
def test_a_phrase_of_ones_own_is_accepted(size: int) -> None:
    entropy = GOOD[:size]
    phrase = " ".join(bip39.words_for(entropy, language="english"))
    assert entropy_from_phrase(phrase, language="english").equals(entropy)


def trezor() -> list[tuple[str, list[str]]]:
    """Language -> entropy, phrase, seed under the passphrase TREZOR."""
    cases = [(path.stem, case) for path in OURS.glob("bip39/*.json") for case in json.loads(path.read_text())["cases"]]
    found = [(language, [case["entropy"], case["phrase"], case["seed"]]) for language, case in cases]
    if (SHARED / "bip39_trezor.json").exists():
        source = json.loads((SHARED / "bip39_trezor.json").read_text())
        found += [(language, vector) for language, vectors in source.items() for vector in vectors]
    return [(language, vector) for language, vector in found if language in bip39.LIST_SHA256]


def test_there_are_official_vectors_of_every_language() -> None:
    assert {path.stem for path in OURS.glob("bip39/*.json")} == set(bip39.LIST_SHA256)


@pytest.mark.parametrize("language", sorted(bip39.LIST_SHA256))
def test_words_and_seeds_are_those_of_the_official_vectors(language: str) -> None:
    found = {tuple(vector[:3]) for name, vector in trezor() if name == language}
    assert len(found) == 24
    for entropy_hex, phrase, seed_hex in found:
        entropy = Secret(bytes.fromhex(entropy_hex))
        assert bip39.check_phrase(phrase, language=language).hex() == entropy_hex
        written = bip39.sentence(words_from_entropy(entropy, language=language), language=language)
        assert nfkd(written) == nfkd(phrase)
        assert shown(seed_from_entropy(entropy, language=language, passphrase="TREZOR")).hex() == seed_hex


def test_a_japanese_passphrase_and_its_spaces_give_the_seed_that_is_published() -> None:
    published = json.loads((OURS / "bip39_japanese_passphrase.json").read_text())
    for case in published["cases"]:
        entropy = Secret(bip39.check_phrase(case["phrase"], language="japanese"))
        assert shown(entropy).hex() == case["entropy"]
        written = bip39.sentence(words_from_entropy(entropy, language="japanese"), language="japanese")
        assert unicodedata.normalize("NFC", written) == case["phrase"]
        seed = seed_from_entropy(entropy, language="japanese", passphrase=published["passphrase"])
        assert shown(seed).hex() == case["seed"]
        assert shown(bip32.derive(seed, (), curve=CURVES[0])) == private_key_of(case["xprv"])


def nfkd(text: str) -> str:
    return unicodedata.normalize("NFKD", text)


def private_key_of(xprv: str) -> bytes:
    number = 0
    for character in xprv:
        number = number * 58 + BASE58.index(character)
    return number.to_bytes(82, "big")[46:78]


def steps(path: str) -> tuple[int, ...]:
    return tuple(int(part.rstrip("'H")) + (HARDENED if part[-1] in "'H" else 0) for part in path.split("/")[1:])


def bip32_chains() -> list[tuple[str, str, str]]:
    source = json.loads((OURS / "bip32.json").read_text())["valid"]
    if (SHARED / "bip32.json").exists():
        source = json.loads((SHARED / "bip32.json").read_text())["valid"]
    return list(
        chain.from_iterable(((case["seed"], one["path"], one["xprv"]) for one in case["chains"]) for case in source)
    )


@pytest.mark.parametrize("own", CURVES)
@pytest.mark.parametrize(("seed", "path", "xprv"), bip32_chains())
def test_child_keys_are_those_of_bip_32(own: curve.Curve, seed: str, path: str, xprv: str) -> None:
    key = bip32.derive(Secret(bytes.fromhex(seed)), steps(path), curve=own)
    assert shown(key) == private_key_of(xprv)


def test_a_well_known_phrase_has_its_well_known_accounts() -> None:
    published = json.loads((OURS / "hardhat_accounts.json").read_text())
    entropy = Secret(bip39.check_phrase(published["phrase"], language="english"))
    for index, (address, key) in enumerate(published["accounts"]):
        assert shown(derive_key(entropy, index=index, language="english")).hex() == key
        assert describe_account(entropy, index=index, language="english") == {
            "address": address,
            "language": "english",
            "path": f"m/44'/60'/0'/0/{index}",
        }


@settings(max_examples=15, deadline=None)
@given(st.sampled_from([16, 32]), st.integers(0, MAX_INDEX), st.text(max_size=20), st.randoms())
def test_eth_account_derives_the_same_keys(size: int, index: int, passphrase: str, random: Any) -> None:
    entropy = random.randbytes(size)
    sentence = " ".join(bip39.words_for(entropy, language="english"))
    theirs = key_from_seed(Mnemonic.to_seed(sentence, passphrase), f"m/44'/60'/0'/0/{index}")
    assert shown(derive_key(Secret(entropy), index=index, language="english", passphrase=passphrase)) == theirs


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_both_libraries_derive_the_same(key: bytes, tweak: bytes) -> None:
    def answers(own: curve.Curve) -> tuple[bytes | None, bytes | None]:
        point = total = None
        try:
            point = own.public_key(Secret(key))
            total = shown(own.add(Secret(key), Secret(tweak)))
        except ValueError:
            pass
        return point, total

    first, second = map(answers, CURVES)
    assert first == second


def test_an_account_is_made_only_when_all_libraries_derive_the_same_public_key() -> None:
    class Broken:
        add = curve.OpenSsl.add

        def public_key(self, secret: Secret, /) -> bytes:
            point = bytearray(curve.OpenSsl().public_key(secret))
            point[40] ^= 1
            return bytes(point)

    assert len(curve.checked_public_key(Secret(GOOD), curves=curve.installed())) == 65
    with pytest.raises(Misconfigured) as caught:
        curve.checked_public_key(Secret(GOOD), curves=(curve.OpenSsl(), Broken()))
    assert caught.value.code == "misconfigured.backend"


def test_an_account_is_made_only_when_all_libraries_derive_the_same_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both agree on every public key here: what differs is a sum on the way down, which only deriving twice shows."""

    class Drifting:
        public_key = curve.OpenSsl.public_key

        def add(self, secret: Secret, tweak: Secret, /) -> Secret:
            total = curve.OpenSsl().add(secret, tweak)
            return curve.OpenSsl().add(total, Secret(ONE))

    honest = describe_account(Secret(GOOD), index=0, language="english")
    assert honest["address"] == address_of(derive_key(Secret(GOOD), index=0, language="english")).value
    for curves in ((curve.LibSecp256k1(), Drifting()), (Drifting(), curve.OpenSsl())):
        monkeypatch.setattr(curve, "installed", lambda curves=curves: curves)
        with pytest.raises(Misconfigured) as caught:
            describe_account(Secret(GOOD), index=0, language="english")
        assert caught.value.code == "misconfigured.backend"


ORDER = secp256k1.ORDER.to_bytes(32, "big")
ONE = (1).to_bytes(32, "big")


@pytest.mark.parametrize("own", CURVES)
@pytest.mark.parametrize("scalar", [bytes(32), ORDER, b"\xff" * 32])
def test_a_number_that_is_no_key_has_no_public_key(own: curve.Curve, scalar: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        own.public_key(Secret(scalar))


@pytest.mark.parametrize("own", CURVES)
@pytest.mark.parametrize("tweak", [ORDER, (secp256k1.ORDER - 1).to_bytes(32, "big"), b"\xff" * 32])
def test_a_sum_that_is_no_key_is_refused(own: curve.Curve, tweak: bytes) -> None:
    with pytest.raises(ValueError, match="out of range"):
        own.add(Secret(ONE), Secret(tweak))
    assert shown(own.add(Secret(ONE), Secret(ONE))) == (2).to_bytes(32, "big")


@pytest.mark.parametrize("index", [-1, MAX_INDEX + 1, 1.0, True, "0"])
def test_an_index_that_no_account_has_is_refused(index: Any) -> None:
    with pytest.raises(InvalidInput):
        derive_key(Secret(GOOD), index=index, language="english")


def test_the_passphrase_and_the_language_are_part_of_the_wallet() -> None:
    keys = {
        shown(derive_key(Secret(GOOD), index=0, language="english")),
        shown(derive_key(Secret(GOOD), index=0, language="english", passphrase="more")),
        shown(derive_key(Secret(GOOD), index=0, language="french")),
        shown(derive_key(Secret(GOOD), index=1, language="english")),
    }
    assert len(keys) == 4


@pytest.mark.parametrize("language", ["english", "japanese", "spanish"])
def test_an_account_is_found_again_by_what_is_said_about_it(language: str) -> None:
    entropy = Secret(GOOD)
    said = describe_account(entropy, index=7, language=language)
    assert address_of(account_key(entropy, said)).value == said["address"]


def test_the_secrets_of_an_account_are_its_seed_and_each_level_down_to_its_key() -> None:
    said = describe_account(Secret(GOOD), index=7, language="english")
    seed, master, *levels = (shown(each) for each in account_secrets(Secret(GOOD), said))
    assert seed == shown(seed_from_entropy(Secret(GOOD), language="english", passphrase=""))
    assert master == hmac.digest(b"Bitcoin seed", seed, "sha512")[:32]
    paths = ("m/44'", "m/44'/60'", "m/44'/60'/0'", "m/44'/60'/0'/0", "m/44'/60'/0'/0/7")
    assert levels == [key_from_seed(seed, path) for path in paths]


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"path": "m/44'/60'/0'/0/0"},
        {"language": "english"},
        {"path": 0, "language": "english"},
        {"path": "m/44'/60'/0'/0/00", "language": "english"},
        {"path": "m/44'/60'/1'/0/0", "language": "english"},
        {"path": "m/44'/60'/0'/0/0\n", "language": "english"},
        {"path": "m/44'/60'/0'/0/2147483648", "language": "english"},
        {"path": "m/44'/60'/0'/0/0", "language": "klingon"},
    ],
)
def test_an_entry_that_describes_no_account_gives_no_key(said: dict[str, str | int]) -> None:
    with pytest.raises(InvalidInput):
        account_key(Secret(GOOD), said)
    with pytest.raises(InvalidInput):
        account_secrets(Secret(GOOD), said)
