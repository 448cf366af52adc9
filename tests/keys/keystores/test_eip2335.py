"""Validators' key files: read, named for what they are, and never taken for an account's without its owner's word.

Threat: T-068, T-069, T-075.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import pytest
from eth_keyfile.keyfile import create_keyfile_json

from mcp_wallet_guard.errors import InvalidInput, KeystoreError
from mcp_wallet_guard.keys import kdf
from mcp_wallet_guard.keys.keystores.eip2335 import read_eip2335
from mcp_wallet_guard.keys.keystores.opened import SecretKind, Weakness, take_as_account_key
from mcp_wallet_guard.keys.keystores.v3 import read_v3
from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.secret import Secret
from tests.keys.keystores.files import (
    ADDRESS,
    KEY,
    STRANGER,
    TYPED,
    Edit,
    drop,
    edited,
    eip2335_document,
    flip,
    put,
    raw,
    shown,
    typed,
    v3_document,
)

GOOD: Final = eip2335_document()
CIPHER: Final = GOOD["crypto"]["cipher"]
REFUSED: Final[dict[str, tuple[Edit, str]]] = {
    "version 3": (put("version", 3), "keystore.format"),
    "Crypto": (lambda document: document.update(Crypto=document.pop("crypto")), "keystore.format"),
    "no checksum": (drop("crypto.checksum"), "keystore.format"),
    "a module too many": (put("crypto.mac", {}), "keystore.format"),
    "a member too many": (put("crypto.kdf.salt", ""), "keystore.format"),
    "a message of the KDF": (put("crypto.kdf.message", "00"), "keystore.format"),
    "another checksum": (put("crypto.checksum.function", "keccak256"), "keystore.format"),
    "parameters of the checksum": (put("crypto.checksum.params", {"x": 1}), "keystore.format"),
    "another cipher": (put("crypto.cipher.function", "aes-256-ctr"), "keystore.format"),
    "a secret of 31 bytes": (put("crypto.cipher.message", "00" * 31), "keystore.format"),
    "dklen 64": (put("crypto.kdf.params.dklen", 64), "keystore.format"),
    "n=2^30": (put("crypto.kdf.params.n", 2**30), "keystore.cost"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_malformed_or_ruinous_file_is_refused_before_any_derivation(name: str) -> None:
    edit, code = REFUSED[name]
    before = kdf.derivations()
    with pytest.raises(KeystoreError) as refused:
        read_eip2335(raw(edited(GOOD, edit)), passphrase=typed())
    assert (refused.value.code, kdf.derivations() - before) == (code, 0)


@pytest.mark.parametrize(
    "edit",
    [
        put("crypto.checksum.message", flip(GOOD["crypto"]["checksum"]["message"])),
        put("crypto.cipher.message", flip(CIPHER["message"])),
        put("crypto.kdf.params.salt", flip("00" * 32)),
    ],
    ids=["checksum", "ciphertext", "salt"],
)
def test_an_edit_that_the_checksum_covers_reads_like_a_wrong_passphrase(edit: Edit) -> None:
    before = kdf.derivations()
    with pytest.raises(KeystoreError) as refused:
        read_eip2335(raw(edited(GOOD, edit)), passphrase=typed())
    with pytest.raises(KeystoreError) as wrong:
        read_eip2335(raw(GOOD), passphrase=typed("another passphrase"))
    assert refused.value.code == wrong.value.code == "keystore.cannot_open"
    assert kdf.derivations() - before == 2


def test_a_validators_key_is_no_accounts_key() -> None:
    opened = read_eip2335(raw(GOOD), passphrase=typed())
    assert (opened.kind, opened.address) == (SecretKind.BLS12_381_KEY, None)
    with pytest.raises(KeystoreError) as refused:
        opened.account_key()
    assert refused.value.code == "keystore.kind"


def test_an_owner_who_names_the_account_may_take_it_as_one() -> None:
    opened = read_eip2335(raw(GOOD), passphrase=typed())
    assert shown(take_as_account_key(opened, expected_address=Address.parse(ADDRESS))) == KEY
    with pytest.raises(KeystoreError):
        take_as_account_key(opened, expected_address=Address.parse(STRANGER))


def test_what_is_no_private_key_of_an_account_is_not_taken_as_one() -> None:
    opened = read_eip2335(raw(eip2335_document(b"\xff" * 32)), passphrase=typed())
    with pytest.raises(KeystoreError):
        take_as_account_key(opened, expected_address=Address.parse(ADDRESS))


def test_a_secret_of_another_size_is_no_accounts_key() -> None:
    opened = read_eip2335(raw(GOOD), passphrase=typed())
    shorter = dataclasses.replace(opened, secret=Secret(KEY[:16]))
    with pytest.raises(KeystoreError) as refused:
        take_as_account_key(shorter, expected_address=Address.parse(ADDRESS))
    assert refused.value.code == "keystore.kind"


def test_an_edited_vector_gives_another_secret_which_only_the_owners_word_for_the_account_notices() -> None:
    forged = raw(edited(GOOD, put("crypto.cipher.params.iv", flip(CIPHER["params"]["iv"]))))
    opened = read_eip2335(forged, passphrase=typed())
    assert shown(opened.secret) != KEY
    assert Weakness.UNCONFIRMED in opened.weaknesses
    with pytest.raises(KeystoreError):
        take_as_account_key(opened, expected_address=Address.parse(ADDRESS))


def test_control_characters_of_a_passphrase_do_not_count() -> None:
    passphrase = Secret(b"correct horse\x00\x1f\x7f battery \n" + "\u0085".encode() + b"staple")
    assert shown(read_eip2335(raw(GOOD), passphrase=passphrase).secret) == KEY
    ascii_only = Secret(b"\tcorrect horse\x7f battery staple\r")
    assert shown(read_eip2335(raw(GOOD), passphrase=ascii_only).secret) == KEY


@pytest.mark.parametrize("passphrase", [b"\x00\x1f\x7f", b"\xff\xfe", "\u0085".encode()])
def test_a_passphrase_of_control_characters_alone_or_of_no_text_is_refused(passphrase: bytes) -> None:
    with pytest.raises(InvalidInput):
        read_eip2335(raw(GOOD), passphrase=Secret(passphrase))


@pytest.mark.parametrize("kdf_name", ["scrypt", "pbkdf2"])
def test_what_eth_keyfile_writes_opens(kdf_name: Any) -> None:
    secret = bytes(31) + b"\x07"
    document = create_keyfile_json(secret, TYPED.encode(), version=4, kdf=kdf_name, iterations=1024)
    assert shown(read_eip2335(raw(document), passphrase=typed()).secret) == secret


def test_neither_reader_takes_the_others_file() -> None:
    for read, document in ((read_v3, GOOD), (read_eip2335, v3_document())):
        with pytest.raises(KeystoreError) as refused:
            read(raw(document), passphrase=typed())
        assert refused.value.code == "keystore.format"
