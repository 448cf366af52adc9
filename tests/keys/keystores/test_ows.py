"""Wallet files of the Open Wallet Standard: the secret is that of the accounts that the file names, or none.

Threat: T-068, T-069, T-076.
"""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from mcp_wallet_guard.errors import KeystoreError
from mcp_wallet_guard.keys import kdf
from mcp_wallet_guard.keys.keystores.opened import AddressRule, SecretKind, Unread, Weakness
from mcp_wallet_guard.keys.keystores.ows import read_ows
from mcp_wallet_guard.operations.values import Address
from tests.keys.keystores.files import (
    ADDRESS,
    KEY,
    STRANGER,
    Edit,
    drop,
    edited,
    flip,
    ows_document,
    put,
    raw,
    shown,
    typed,
)

PHRASE: Final = b"test test test test test test test test test test test junk"
ENTROPY: Final = "df9bf37e6fcdf9bf37e6fcdf9bf37e3c"
KEYS: Final = json.dumps({"ed25519": "07" * 32, "secp256k1": KEY.hex()}, separators=(",", ":")).encode()
GOOD: Final = ows_document(KEYS)
SECOND: Final = (f"eip155:8453:{STRANGER}", "m/44'/60'/0'/0/1")
FIRST: Final = (f"eip155:1:{ADDRESS}", "m/44'/60'/0'/0/0")
SOLANA: Final = ("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp:oeYf6KAJkLYhBuR8CiGc6L4D4Xtfepr85fuDgA9kq96", "m/44'/501'")


def mnemonic_file(accounts: list[tuple[str, str]] | None = None, phrase: bytes = PHRASE) -> dict[str, Any]:
    return ows_document(phrase, key_type="mnemonic", accounts=accounts)


def code_of(document: dict[str, Any], **options: Any) -> tuple[str, int]:
    before = kdf.derivations()
    with pytest.raises(KeystoreError) as refused:
        read_ows(raw(document), passphrase=typed(), **options)
    return refused.value.code, kdf.derivations() - before


def test_a_private_key_opens_and_the_other_curves_key_stays() -> None:
    opened = read_ows(raw(GOOD), passphrase=typed())
    assert (opened.kind, shown(opened.secret), opened.unread) == (
        SecretKind.SECP256K1_KEY, KEY, (Unread.ED25519_KEY,),
    )  # fmt: skip
    assert (opened.address, opened.index) == (Address.parse(ADDRESS), None)


def test_a_phrase_opens_as_entropy_with_every_account_compared() -> None:
    opened = read_ows(raw(mnemonic_file([SECOND, FIRST, SOLANA])), passphrase=typed())
    assert (opened.kind, shown(opened.secret).hex()) == (SecretKind.BIP39_ENTROPY, ENTROPY)
    assert (opened.address, opened.index) == (Address.parse(STRANGER), 1)
    with pytest.raises(KeystoreError):
        opened.account_key()


@pytest.mark.parametrize(("asked", "index"), [(ADDRESS, 0), (STRANGER, 1)])
def test_an_account_that_is_asked_for_is_the_one_that_comes_back(asked: str, index: int) -> None:
    for accounts in ([SECOND, FIRST], [FIRST, SECOND], [SECOND] if asked == STRANGER else [FIRST]):
        opened = read_ows(raw(mnemonic_file(accounts)), passphrase=typed(), address=Address.parse(asked))
        assert (opened.address, opened.index) == (Address.parse(asked), index)


def test_an_account_that_the_file_does_not_name_has_to_be_the_first_one() -> None:
    opened = read_ows(raw(mnemonic_file([SECOND])), passphrase=typed(), address=Address.parse(ADDRESS))
    assert (opened.address, opened.index) == (Address.parse(ADDRESS), 0)
    assert code_of(mnemonic_file([FIRST]), address=Address.parse(STRANGER)) == ("keystore.cannot_open", 1)


def test_a_phrase_that_everybody_knows_is_said_to_be_one() -> None:
    assert Weakness.PUBLIC in read_ows(raw(mnemonic_file()), passphrase=typed()).weaknesses


REFUSED: Final[dict[str, tuple[Edit, str]]] = {
    "schema 1": (put("ows_version", 1), "keystore.format"),
    "schema 2.0": (put("ows_version", 2.0), "keystore.format"),
    "another key type": (put("key_type", "seed"), "keystore.format"),
    "aes-128-ctr": (put("crypto.cipher", "aes-128-ctr"), "keystore.format"),
    "an IV of 16 bytes": (put("crypto.cipherparams.iv", "00" * 16), "keystore.format"),
    "a tag of 12 bytes": (put("crypto.auth_tag", "00" * 12), "keystore.format"),
    "an API key's derivation": (put("crypto.kdf", "hkdf-sha256"), "keystore.format"),
    "an empty text": (put("crypto.ciphertext", ""), "keystore.format"),
    "a text of a kilobyte": (put("crypto.ciphertext", "00" * 1024), "keystore.format"),
    "no accounts": (drop("accounts"), "keystore.format"),
    "an account that is a string": (put("accounts", ["eip155:1"]), "keystore.format"),
    "an account without a chain": (
        put("accounts", [{"account_id": "eip155:", "derivation_path": ""}]),
        "keystore.format",
    ),
    "a path of a private key": (
        put("accounts", [{"account_id": FIRST[0], "derivation_path": "m/44'/60'/0'/0/0"}]),
        "keystore.format",
    ),
    "n=2^30": (put("crypto.kdfparams.n", 2**30), "keystore.cost"),
    "seventeen accounts": (
        put("accounts", [{"account_id": f"eip155:1:0x{n:040x}", "derivation_path": ""} for n in range(17)]),
        "keystore.format",
    ),
    "no account of an EVM chain": (put("accounts", []), "keystore.address"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_malformed_or_ruinous_file_is_refused_before_any_derivation(name: str) -> None:
    edit, code = REFUSED[name]
    assert code_of(edited(GOOD, edit)) == (code, 0)


@pytest.mark.parametrize(
    "path", ["m/44'/60'/0'/0/2147483648", "m/44'/60'/0'/0/01", "m/44'/60'/1'/0/0", "m/44'/60'/0'/0", ""]
)
def test_a_path_that_is_not_derived_here_is_refused_before_any_derivation(path: str) -> None:
    assert code_of(mnemonic_file([(FIRST[0], path)])) == ("keystore.format", 0)


FAILING: Final[dict[str, tuple[dict[str, Any], dict[str, Any]]]] = {
    "the tag edited": (edited(GOOD, put("crypto.auth_tag", flip(GOOD["crypto"]["auth_tag"]))), {}),
    "the text edited": (edited(GOOD, put("crypto.ciphertext", flip(GOOD["crypto"]["ciphertext"]))), {}),
    "the IV edited": (edited(GOOD, put("crypto.cipherparams.iv", flip(GOOD["crypto"]["cipherparams"]["iv"]))), {}),
    "the salt edited": (edited(GOOD, put("crypto.kdfparams.salt", flip("00" * 32))), {}),
    "a stranger's account": (ows_document(KEYS, accounts=[(f"eip155:1:{STRANGER}", "")]), {}),
    "one account of two a stranger's": (mnemonic_file([FIRST, (SECOND[0], "m/44'/60'/0'/0/2")]), {}),
    "the key type changed": (
        edited(ows_document(KEYS, accounts=[]), put("key_type", "mnemonic")),
        {"address": AddressRule.UNCHECKED},
    ),
    "another account expected": (GOOD, {"address": Address.parse(STRANGER)}),
    "a key that is no hex": (ows_document(KEYS.replace(b"ac09", b"zz09")), {}),
    "a key in capitals": (ows_document(KEYS.replace(b"ac09", b"AC09")), {}),
    "another curve's key alone": (ows_document(b'{"ed25519":"' + b"07" * 32 + b'"}'), {}),
    "a third curve": (ows_document(KEYS.replace(b"ed25519", b"ed448")), {}),
    "a key twice": (ows_document(KEYS[:-1] + b',"secp256k1":"' + b"07" * 32 + b'"}'), {}),
    "a key of zero": (ows_document(b'{"secp256k1":"' + b"00" * 32 + b'"}'), {"address": AddressRule.UNCHECKED}),
    "a phrase with a wrong checksum": (mnemonic_file(phrase=PHRASE.replace(b"junk", b"test")), {}),
    "no text": (mnemonic_file(phrase=b"\xff" * 16), {}),
}


@pytest.mark.parametrize("name", FAILING)
def test_everything_else_that_is_wrong_reads_alike_after_one_derivation(name: str) -> None:
    document, options = FAILING[name]
    assert code_of(document, **options) == ("keystore.cannot_open", 1)


def test_a_file_without_an_account_opens_for_the_account_that_the_owner_names() -> None:
    nameless = mnemonic_file([SOLANA])
    assert code_of(nameless) == ("keystore.address", 0)
    opened = read_ows(raw(nameless), passphrase=typed(), address=Address.parse(ADDRESS))
    assert Weakness.UNCONFIRMED not in opened.weaknesses
    unsure = read_ows(raw(nameless), passphrase=typed(), address=AddressRule.UNCHECKED)
    assert Weakness.UNCONFIRMED in unsure.weaknesses
    assert unsure.address == opened.address == Address.parse(ADDRESS)
