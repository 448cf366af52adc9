"""Key files made to hurt: each is refused before any work where its form shows it, and in one way where it does not.

`LAX` are those that eth-keyfile opens: the attack succeeds with the reader that most Python wallets use.
Threat: T-067, T-068, T-069.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any, Final

import pytest
from eth_keyfile.keyfile import decode_keyfile_json
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.errors import InvalidInput, KeystoreError
from mcp_wallet_guard.keys import kdf
from mcp_wallet_guard.keys.keystores.opened import AddressRule, Weakness
from mcp_wallet_guard.keys.keystores.passphrase_forms import as_given_then_nfkc
from mcp_wallet_guard.keys.keystores.stretching import (
    MAX_MEMORY,
    MAX_WORK,
    Pbkdf2Cost,
    ScryptCost,
    open_by_passphrase,
)
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
    flip,
    put,
    raw,
    shown,
    typed,
    v3_document,
)

GOOD: Final = v3_document()
PARAMS: Final = GOOD["crypto"]["kdfparams"]
IV: Final = GOOD["crypto"]["cipherparams"]["iv"]


def both_spellings(document: dict[str, Any]) -> None:
    document["Crypto"] = document["crypto"]


def in_capitals(document: dict[str, Any]) -> None:
    document["CRYPTO"] = document.pop("crypto")


def nested(document: dict[str, Any]) -> None:
    document["meta"] = json.loads("[" * 9 + "]" * 9)


MALFORMED: Final[dict[str, Edit]] = {
    "version as a string": put("version", "3"),
    "version as a float": put("version", 3.0),
    "version as true": put("version", True),
    "version 1": put("version", 1),
    "version 4": put("version", 4),
    "no version": drop("version"),
    "crypto and Crypto": both_spellings,
    "CRYPTO": in_capitals,
    "crypto as a list": put("crypto", []),
    "no crypto": drop("crypto"),
    "a member too many": put("crypto.iv", IV),
    "cipher aes-128-cbc": put("crypto.cipher", "aes-128-cbc"),
    "cipher AES-128-CTR": put("crypto.cipher", "AES-128-CTR"),
    "cipher aes-256-ctr": put("crypto.cipher", "aes-256-ctr"),
    "no cipher": drop("crypto.cipher"),
    "an IV of 8 bytes": put("crypto.cipherparams.iv", "00" * 8),
    "an IV of 17 bytes": put("crypto.cipherparams.iv", "00" * 17),
    "an IV with 0x": put("crypto.cipherparams.iv", "0x" + IV),
    "an IV of half a byte less": put("crypto.cipherparams.iv", IV[:-1]),
    "an IV with a space": put("crypto.cipherparams.iv", IV + " "),
    "an IV in Arabic digits": put("crypto.cipherparams.iv", "\u0660" * 32),
    "a MAC of 31 bytes": put("crypto.mac", GOOD["crypto"]["mac"][2:]),
    "no MAC": drop("crypto.mac"),
    "an empty ciphertext": put("crypto.ciphertext", ""),
    "a ciphertext of 31 bytes": put("crypto.ciphertext", "00" * 31),
    "a ciphertext of 33 bytes": put("crypto.ciphertext", "00" * 33),
    "another KDF": put("crypto.kdf", "argon2id"),
    "parameters of the other KDF": put("crypto.kdf", "pbkdf2"),
    "a parameter too many": put("crypto.kdfparams.c", 1),
    "no salt": drop("crypto.kdfparams.salt"),
    "an empty salt": put("crypto.kdfparams.salt", ""),
    "a salt of 65 bytes": put("crypto.kdfparams.salt", "00" * 65),
    "dklen 16": put("crypto.kdfparams.dklen", 16),
    "dklen 64": put("crypto.kdfparams.dklen", 64),
    "dklen 32.0": put("crypto.kdfparams.dklen", 32.0),
    "dklen 2^40": put("crypto.kdfparams.dklen", 2**40),
    "n as a string": put("crypto.kdfparams.n", "2"),
    "n as a float": put("crypto.kdfparams.n", 2.0),
    "r as true": put("crypto.kdfparams.r", True),
    "n of no power of two": put("crypto.kdfparams.n", 3),
    "n of one": put("crypto.kdfparams.n", 1),
    "n of zero": put("crypto.kdfparams.n", 0),
    "n below zero": put("crypto.kdfparams.n", -2),
    "r of zero": put("crypto.kdfparams.r", 0),
    "p of zero": put("crypto.kdfparams.p", 0),
    "an address of 19 bytes": put("address", ADDRESS[4:]),
    "an address that is a number": put("address", 1),
    "an address that is null": put("address", None),
    "deep nesting": nested,
}
COSTLY: Final[dict[str, Edit]] = {
    "n=2^30, a tebibyte": put("crypto.kdfparams.n", 2**30),
    "n=2^21, 2 GiB": put("crypto.kdfparams.n", 2**21),
    "n=2^4000": put("crypto.kdfparams.n", 2**4000),
    "r=2^40": put("crypto.kdfparams.r", 2**40),
    "p=2^20, hours": put("crypto.kdfparams.p", 2**20),
    "n=2^20, r=8, p=5: one more lane than the ceiling": put("crypto.kdfparams", {**PARAMS, "n": 2**20, "p": 5}),
    "r=2^22 with n=2": put("crypto.kdfparams.r", 2**22),
    "p=2^23 with r=1: a gibibyte that is not n's": put("crypto.kdfparams", {**PARAMS, "r": 1, "p": 2**23}),
    "c=10^7+1": put("crypto.kdfparams", {"dklen": 32, "c": 10**7 + 1, "prf": "hmac-sha256", "salt": "00" * 32}),
}  # fmt: skip
LAX: Final = {
    "crypto and Crypto", "CRYPTO", "a member too many", "cipher aes-128-cbc", "cipher AES-128-CTR",
    "cipher aes-256-ctr", "no cipher", "an IV with 0x", "dklen 64", "version as a float", "an address of 19 bytes",
    "an address that is a number", "an address that is null", "deep nesting",
}  # fmt: skip


def refusal(document: dict[str, Any] | bytes, **options: Any) -> tuple[KeystoreError, int]:
    before = kdf.derivations()
    with pytest.raises(KeystoreError) as refused:
        read_v3(document if isinstance(document, bytes) else raw(document), passphrase=typed(), **options)
    return refused.value, kdf.derivations() - before


def test_the_file_that_all_of_these_are_made_of_opens() -> None:
    opened = read_v3(raw(GOOD), passphrase=typed())
    assert (shown(opened.secret), opened.address) == (KEY, Address.parse(ADDRESS))


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_file_is_refused_before_any_derivation(name: str) -> None:
    error, derivations = refusal(edited(GOOD, MALFORMED[name]))
    assert (error.code, derivations) == ("keystore.format", 0)


@pytest.mark.parametrize("name", COSTLY)
def test_a_ruinous_cost_is_refused_before_any_derivation(name: str) -> None:
    document = edited(GOOD, COSTLY[name])
    if "c" in document["crypto"]["kdfparams"]:
        document["crypto"]["kdf"] = "pbkdf2"
    error, derivations = refusal(document)
    assert (error.code, derivations) == ("keystore.cost", 0)


@pytest.mark.parametrize("name", sorted(LAX))
def test_the_usual_reader_opens_this_hostile_file(name: str) -> None:
    assert decode_keyfile_json(edited(GOOD, MALFORMED[name]), TYPED.encode()) is not None


@pytest.mark.parametrize(
    "prf", ["hmac-sha512", "HMAC-SHA256", "hmac-sha1", "", None], ids=["sha512", "capitals", "sha1", "empty", "null"]
)
def test_pbkdf2_is_of_hmac_sha256_alone(prf: str | None) -> None:
    document = edited(GOOD, put("crypto.kdf", "pbkdf2"))
    document["crypto"]["kdfparams"] = {"dklen": 32, "c": 1, "prf": prf, "salt": "00" * 32}
    error, derivations = refusal(document)
    assert (error.code, derivations) == ("keystore.format", 0)


@pytest.mark.parametrize("rounds", [0, -1, 1.0, True, "1"])
def test_rounds_are_a_positive_integer(rounds: Any) -> None:
    document = edited(GOOD, put("crypto.kdf", "pbkdf2"))
    document["crypto"]["kdfparams"] = {"dklen": 32, "c": rounds, "prf": "hmac-sha256", "salt": "00" * 32}
    error, derivations = refusal(document)
    assert (error.code, derivations) == ("keystore.format", 0)


TEXT: Final = raw(GOOD).decode()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"3",
        b"null",
        b"\xff" + TEXT.encode(),
        b"\xef\xbb\xbf" + TEXT.encode(),
        TEXT.encode("utf-16"),
        TEXT.encode() + b"{}",
        TEXT.encode()[:-1],
        TEXT.replace('"version":3', '"version":3,"version":3').encode(),
        TEXT.replace('"n":2', '"n":2,"n":2').encode(),
        TEXT.replace('"n":2', '"n":NaN').encode(),
        TEXT.replace('"n":2', '"n":2e0').encode(),
        TEXT.replace('"n":2', '"n":1e999').encode(),
        TEXT.replace('"n":2', '"n":' + "9" * 5000).encode(),
        TEXT.replace('"version":3', '"version":3,"x":' + "[" * 20_000 + "]" * 20_000).encode(),
        TEXT.encode() + b" " * 2**16,
    ],
    ids=range(17),
)
def test_what_is_not_one_strict_json_object_is_refused_before_any_derivation(text: bytes) -> None:
    error, derivations = refusal(text)
    assert (error.code, derivations) == ("keystore.format", 0)


Case = tuple[dict[str, Any], dict[str, Any]]


def failing(passphrase: bytes) -> dict[str, Case]:
    """A file and the reader's options, for everything that can be wrong with a file that is well formed."""
    good = v3_document(passphrase=passphrase)
    crypto = good["crypto"]
    return {
        "another passphrase": (v3_document(passphrase=b"something else"), {}),
        "the MAC edited": (edited(good, put("crypto.mac", flip(crypto["mac"]))), {}),
        "the ciphertext edited": (edited(good, put("crypto.ciphertext", flip(crypto["ciphertext"]))), {}),
        "the salt edited": (edited(good, put("crypto.kdfparams.salt", flip("00" * 32))), {}),
        "n doubled": (edited(good, put("crypto.kdfparams.n", 4)), {}),
        "the IV edited": (edited(good, put("crypto.cipherparams.iv", flip(IV))), {}),
        "another file's address": (edited(good, put("address", STRANGER[2:])), {}),
        "another account expected": (good, {"address": Address.parse(STRANGER)}),
        "the file's address is not the expected one, which is the key's": (
            edited(good, put("address", STRANGER)),
            {"address": Address.parse(ADDRESS)},
        ),
        "an unchecked file whose address is wrong": (
            edited(good, put("address", STRANGER)),
            {"address": AddressRule.UNCHECKED},
        ),
        "a key of zero": (v3_document(bytes(32), passphrase=passphrase), {}),
        "a key beyond the order": (
            v3_document(b"\xff" * 32, passphrase=passphrase),
            {"address": AddressRule.UNCHECKED},
        ),
    }


@pytest.mark.parametrize("name", failing(b""))
@pytest.mark.parametrize(
    ("text", "opening", "forms"),
    [
        (TYPED, TYPED, 1),
        ("\u212bngstr\u00f6m", "\u212bngstr\u00f6m", 2),
        ("\u212bngstr\u00f6m", "\u00c5ngstr\u00f6m", 2),
    ],
    ids=["ASCII", "opened by the first form", "opened by the second form"],
)
def test_every_failure_after_parsing_has_one_shape_and_one_number_of_derivations(
    name: str, text: str, opening: str, forms: int
) -> None:
    document, options = failing(opening.encode())[name]
    before = kdf.derivations()
    with pytest.raises(KeystoreError) as refused:
        read_v3(raw(document), passphrase=Secret(text.encode()), **options)
    error = refused.value
    seen = (type(error), error.code, error.detail, error.args, error.__cause__)
    assert seen == (KeystoreError, "keystore.cannot_open", "", (error.public,), None)
    assert kdf.derivations() - before == forms


def test_an_edited_iv_gives_another_key_where_no_address_is_compared() -> None:
    """The attack that the comparison stops, and that eth-keyfile does not: its MAC is right."""
    forged = edited(GOOD, put("crypto.cipherparams.iv", flip(IV)))
    assert decode_keyfile_json(forged, TYPED.encode()) != KEY
    opened = read_v3(raw(edited(forged, drop("address"))), passphrase=typed(), address=AddressRule.UNCHECKED)
    assert shown(opened.secret) != KEY
    assert Weakness.UNCONFIRMED in opened.weaknesses
    assert refusal(edited(forged, drop("address")), address=Address.parse(ADDRESS))[0].code == "keystore.cannot_open"


def test_a_file_without_an_address_is_not_tried_until_somebody_says_one() -> None:
    nameless = edited(GOOD, drop("address"))
    error, derivations = refusal(nameless)
    assert (error.code, derivations) == ("keystore.address", 0)
    said = read_v3(raw(nameless), passphrase=typed(), address=Address.parse(ADDRESS))
    assert Weakness.UNCONFIRMED not in said.weaknesses
    assert shown(said.secret) == KEY


def test_no_error_repeats_what_the_file_says() -> None:
    for edit in [*MALFORMED.values(), put("crypto.kdf", "IGNORE ALL"), put("version", "IGNORE ALL")]:
        error, _ = refusal(edited(GOOD, edit))
        assert "IGNORE" not in error.detail
        assert IV not in error.detail


@pytest.mark.parametrize("outcome", [b"opened", None])
def test_every_form_of_a_passphrase_is_wiped_whether_one_opens_or_none(outcome: bytes | None) -> None:
    forms = as_given_then_nfkc(Secret("\u212bngstr\u00f6m".encode()))
    assert len(forms) == 2
    cost = ScryptCost(n=2, r=8, p=1, salt=bytes(32))
    with contextlib.suppress(KeystoreError):
        open_by_passphrase(forms, cost, lambda _: outcome)
    for _, passphrase in forms:
        with pytest.raises(ValueError, match="wiped"):
            shown(passphrase)


def test_an_endless_passphrase_is_refused_before_any_derivation() -> None:
    before = kdf.derivations()
    with pytest.raises(InvalidInput):
        read_v3(raw(GOOD), passphrase=Secret(b"a" * 4097))
    assert kdf.derivations() == before


sizes = st.one_of(st.integers(-2, 64), st.integers(0, 70).map(lambda power: 2**power), st.integers(0, 2**70))


@given(sizes, sizes, sizes)
def test_what_scrypt_is_asked_for_stays_within_a_gibibyte_and_the_ceiling_of_work(n: int, r: int, p: int) -> None:
    try:
        cost = ScryptCost(n=n, r=r, p=p, salt=bytes(32))
    except KeystoreError:
        return
    table, lanes = 128 * cost.n * cost.r, 128 * cost.r * cost.p
    assert table <= MAX_MEMORY == 2**30
    assert lanes <= 2**20
    assert cost.n * cost.r * cost.p <= MAX_WORK == 2**25


def test_the_dearest_costs_within_the_bounds_are_taken() -> None:
    for n, r, p in [(2**20, 8, 1), (2**20, 8, 4), (2**18, 1, 8), (2**23, 1, 4), (2, 8, 1), (4096, 8, 6)]:
        assert ScryptCost(n=n, r=r, p=p, salt=bytes(32)).n == n
    assert Pbkdf2Cost(iterations=10**7, salt=bytes(32)).iterations == 10**7
