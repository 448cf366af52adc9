"""Version 3 files: what we write others open, what others write we open, and an edit is refused or changes nothing.

Threat: T-067, T-069, T-075, T-077.
"""

from __future__ import annotations

import inspect
import json
import uuid
from typing import Any

import pytest
from eth_account import Account
from eth_keyfile.keyfile import create_keyfile_json
from hypothesis import given, settings
from hypothesis import strategies as st
from web3 import Web3

from mcp_wallet_guard.errors import InvalidInput, KeystoreError
from mcp_wallet_guard.keys import kdf
from mcp_wallet_guard.keys.keystores.opened import AddressRule, PassphraseForm, SecretKind, Weakness
from mcp_wallet_guard.keys.keystores.stretching import Pbkdf2Cost
from mcp_wallet_guard.keys.keystores.v3 import read_v3
from mcp_wallet_guard.keys.keystores.v3_writing import write_v3
from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.secp256k1 import ORDER
from mcp_wallet_guard.secret import Secret
from tests.keys.keystores.files import (
    ADDRESS,
    KEY,
    TYPED,
    drop,
    edited,
    flip,
    put,
    raw,
    shown,
    typed,
    v3_document,
)
from tests.keys.vaults import PROFILE, WAIVER

keys = st.integers(1, ORDER - 1).map(lambda number: number.to_bytes(32, "big"))


def written(**options: Any) -> bytes:
    return write_v3(Secret(KEY), passphrase=typed(), profile=PROFILE, **options)


@settings(max_examples=20)
@given(keys)
def test_what_is_written_opens_here_and_in_eth_account(key: bytes) -> None:
    file = write_v3(Secret(key), passphrase=typed(), profile=PROFILE)
    opened = read_v3(file, passphrase=typed())
    assert shown(opened.secret) == key
    assert opened.address == Address.parse(Account.from_key(key).address)
    assert Account.decrypt(json.loads(file), TYPED) == key


def test_what_is_written_opens_in_web3_py() -> None:
    assert Web3().eth.account.decrypt(json.loads(written()), TYPED) == KEY


@pytest.mark.parametrize(("kdf_name", "rounds"), [("scrypt", 1024), ("pbkdf2", 1000)])
def test_what_eth_account_and_web3_py_write_opens(kdf_name: Any, rounds: int) -> None:
    for document in (
        Account.encrypt(KEY, TYPED, kdf=kdf_name, iterations=rounds),
        Web3().eth.account.encrypt(KEY, TYPED, kdf=kdf_name, iterations=rounds),
        create_keyfile_json(KEY, TYPED.encode(), kdf=kdf_name, iterations=rounds),
    ):
        opened = read_v3(json.dumps(document).encode(), passphrase=typed())
        assert (opened.kind, shown(opened.secret)) == (SecretKind.SECP256K1_KEY, KEY)
        assert opened.account_key() is opened.secret


def test_a_written_file_has_exactly_the_members_of_the_format() -> None:
    document = json.loads(written())
    assert document.keys() == {"address", "crypto", "id", "version"}
    assert document["address"] == ADDRESS[2:].lower()
    assert uuid.UUID(document["id"]).version == 4
    assert document["crypto"]["kdfparams"].keys() == {"dklen", "n", "p", "r", "salt"}


def test_a_file_is_written_at_our_own_cost_unless_the_caller_names_another() -> None:
    assert inspect.signature(write_v3).parameters["profile"].default is kdf.DEFAULT
    profile = kdf.KdfProfile(n=8, r=8, p=1, waiver=WAIVER)
    weak = read_v3(raw(v3_document(n=2)), passphrase=typed())
    again = write_v3(weak.secret, passphrase=typed(), profile=profile)
    assert json.loads(again)["crypto"]["kdfparams"]["n"] == 8


def test_no_two_files_share_salt_vector_or_id() -> None:
    first, second = (json.loads(written()) for _ in range(2))
    assert first["id"] != second["id"]
    assert first["crypto"]["cipherparams"] != second["crypto"]["cipherparams"]
    assert first["crypto"]["kdfparams"]["salt"] != second["crypto"]["kdfparams"]["salt"]


@pytest.mark.parametrize("key", [bytes(32), ORDER.to_bytes(32, "big"), b"\xff" * 32, KEY[:31], KEY + b"\0"])
def test_what_is_no_private_key_is_not_written(key: bytes) -> None:
    before = kdf.derivations()
    with pytest.raises(InvalidInput):
        write_v3(Secret(key), passphrase=typed(), profile=PROFILE)
    assert kdf.derivations() == before


@pytest.mark.parametrize(
    "passphrase", ["short", "A\u030angstro\u0308m and more", "\u212bngstr\u00f6m and more", "tab\tin the middle"]
)
def test_a_passphrase_that_is_short_or_has_a_second_spelling_writes_nothing(passphrase: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        write_v3(Secret(KEY), passphrase=Secret(passphrase.encode()), profile=PROFILE)
    assert refused.value.code == "invalid_input.passphrase"


def test_a_file_under_a_passphrase_beyond_ascii_opens_in_a_program_that_takes_it_as_typed() -> None:
    text = "\u00c5ngstr\u00f6m und 12 Zwerge"
    file = write_v3(Secret(KEY), passphrase=typed(text), profile=PROFILE)
    assert Account.decrypt(json.loads(file), text) == KEY


@pytest.mark.parametrize(
    ("written_with", "read_with", "form"),
    [
        ("\u212bngstr\u00f6m", "\u212bngstr\u00f6m", PassphraseForm.AS_GIVEN),
        ("\u00c5ngstr\u00f6m", "\u212bngstr\u00f6m", PassphraseForm.NFKC),
        ("\u00c5ngstr\u00f6m", "A\u030angstro\u0308m", PassphraseForm.NFKC),
        ("\u00c5ngstr\u00f6m", "\u00c5ngstr\u00f6m", PassphraseForm.AS_GIVEN),
    ],
)
def test_the_reader_says_which_form_of_a_passphrase_opened(
    written_with: str, read_with: str, form: PassphraseForm
) -> None:
    file = raw(v3_document(passphrase=written_with.encode()))
    assert read_v3(file, passphrase=Secret(read_with.encode())).passphrase_form is form


def test_a_passphrase_that_is_no_text_is_tried_as_it_is() -> None:
    file = raw(v3_document(passphrase=b"\xff\xfe\xfd"))
    assert shown(read_v3(file, passphrase=Secret(b"\xff\xfe\xfd")).secret) == KEY


def test_a_short_passphrase_of_another_program_opens_its_file() -> None:
    assert shown(read_v3(raw(v3_document(passphrase=b"foo")), passphrase=Secret(b"foo")).secret) == KEY


def test_the_passphrase_of_the_caller_is_neither_wiped_nor_changed() -> None:
    passphrase = typed()
    read_v3(raw(v3_document()), passphrase=passphrase)
    assert passphrase.equals(TYPED.encode())


@pytest.mark.parametrize("spelled", [ADDRESS, ADDRESS[2:], ADDRESS.lower(), ADDRESS[2:].upper()])
def test_the_spellings_of_an_address_that_programs_write_are_read(spelled: str) -> None:
    assert read_v3(raw(edited(v3_document(), put("address", spelled))), passphrase=typed()).address is not None


def test_what_is_weak_about_a_file_is_said() -> None:
    key = bytes(range(7, 39))
    short = edited(v3_document(key, salt=bytes(15)), drop("address"))
    assert read_v3(raw(short), passphrase=typed(), address=AddressRule.UNCHECKED).weaknesses == (
        Weakness.CHEAP_SCRYPT, Weakness.SHORT_SALT, Weakness.UNCONFIRMED,
    )  # fmt: skip
    named = edited(v3_document(key), put("address", Account.from_key(key).address))
    assert read_v3(raw(named), passphrase=typed()).weaknesses == (Weakness.CHEAP_SCRYPT,)
    rounds = Pbkdf2Cost(iterations=600_000, salt=bytes(15))
    assert tuple(rounds.weaknesses()) == (Weakness.NOT_MEMORY_HARD, Weakness.SHORT_SALT)


@pytest.mark.parametrize("key", [KEY, bytes(31) + b"\1", b"\7" * 32])
def test_a_key_that_everybody_has_opens_and_is_said_to_be_one(key: bytes) -> None:
    file = write_v3(Secret(key), passphrase=typed(), profile=PROFILE)
    assert Weakness.PUBLIC in read_v3(file, passphrase=typed()).weaknesses


def test_a_secret_of_a_file_does_not_show_itself_and_can_be_wiped() -> None:
    opened = read_v3(raw(v3_document()), passphrase=typed())
    assert KEY.hex() not in repr(opened)
    opened.secret.wipe()
    with pytest.raises(ValueError, match="wiped"):
        shown(opened.secret)


def outcome(file: bytes, **options: Any) -> tuple[bytes, str] | str:
    try:
        opened = read_v3(file, passphrase=typed(), **options)
    except KeystoreError as refused:
        return refused.code
    assert opened.address is not None
    return shown(opened.secret), opened.address.value


def test_every_single_byte_edit_is_refused_or_gives_the_same_key_of_the_same_account() -> None:
    file = written()
    harmless, refused = set(), 0
    for place in range(len(file)):
        for replacement in {file[place] ^ 1, file[place] ^ 0x20, 0x20}:
            found = outcome(file[:place] + bytes([replacement]) + file[place + 1 :])
            if isinstance(found, str):
                refused += 1
            else:
                assert found == (KEY, ADDRESS)
                harmless.add(place)
    # What may change: capitals of hex digits and of `crypto`, the id, which nobody uses, and the last line feed.
    document = json.loads(file)
    crypto = document["crypto"]
    free = [crypto["cipherparams"]["iv"], crypto["ciphertext"], crypto["kdfparams"]["salt"], crypto["mac"]]
    spans = [(file.index(text.encode()), len(text)) for text in [*free, document["address"]]]
    spans += [(file.index(b'"crypto"') + 1, 1), (file.index(b'"id"') + 1, 42), (len(file) - 1, 1)]
    assert harmless <= {place for start, size in spans for place in range(start, start + size)}
    assert refused > len(file)


@settings(max_examples=150)
@given(st.integers(0, 10**6), st.integers(0, 255))
def test_any_byte_at_any_place_gives_the_same_key_or_none(place: int, replacement: int) -> None:
    file = FILE
    place %= len(file)
    assert outcome(file[:place] + bytes([replacement]) + file[place + 1 :]) in (
        (KEY, ADDRESS), "keystore.cannot_open", "keystore.format", "keystore.cost", "keystore.address",
    )  # fmt: skip


FILE = written()


@pytest.mark.parametrize("place", range(16))
def test_the_mac_does_not_cover_the_vector_and_the_address_does(place: int) -> None:
    """Each byte of the vector: another key without an address to compare with, a refusal with one."""
    document = v3_document()
    vector = bytearray.fromhex(document["crypto"]["cipherparams"]["iv"])
    vector[place] ^= 1
    forged = edited(document, put("crypto.cipherparams.iv", vector.hex()))
    nameless = outcome(raw(edited(forged, drop("address"))), address=AddressRule.UNCHECKED)
    assert nameless[0] != KEY
    assert not isinstance(nameless, str)
    assert outcome(raw(forged)) == "keystore.cannot_open"


def test_an_edited_id_changes_nothing() -> None:
    assert outcome(raw(edited(v3_document(), put("id", flip("00" * 16))))) == (KEY, ADDRESS)
