"""age files under a passphrase: what is written opens again, and no edit of one byte does.

Threat: T-067, T-068, T-069, T-077.
"""

from __future__ import annotations

import base64
import inspect
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_wallet_guard.errors import InvalidInput, KeystoreError, Misconfigured
from mcp_wallet_guard.keys import kdf
from mcp_wallet_guard.keys.keystores import age_armor, age_payload
from mcp_wallet_guard.keys.keystores.age import MAX_TEXT_BYTES, read_age, write_age
from mcp_wallet_guard.secret import Secret
from tests.keys.keystores.files import TYPED, shown, typed
from tests.keys.vaults import PROFILE, WAIVER

TEXT: Final = b"a recovery phrase, say"


def written(text: bytes = TEXT, *, armored: bool = False) -> bytes:
    return write_age(Secret(text), passphrase=typed(), armored=armored, profile=PROFILE)


def opened(raw: bytes, passphrase: str = TYPED) -> bytes:
    return shown(read_age(raw, passphrase=typed(passphrase)).text)


def code_of(raw: bytes) -> str:
    with pytest.raises(KeystoreError) as refused:
        read_age(raw, passphrase=typed())
    return refused.value.code


@settings(max_examples=40)
@given(st.binary(min_size=1, max_size=300), st.booleans())
def test_what_is_sealed_comes_out(text: bytes, armored: bool) -> None:
    assert opened(written(text, armored=armored)) == text


@pytest.mark.parametrize("size", [1, 2**16 - 1, 2**16, 2**16 + 1, 2**17, 2**17 + 5, MAX_TEXT_BYTES])
def test_chunks_of_every_size_come_out(size: int) -> None:
    assert opened(written(bytes([7]) * size, armored=size % 2 == 0)) == bytes([7]) * size


def test_more_than_a_mebibyte_is_neither_sealed_nor_opened() -> None:
    with pytest.raises(InvalidInput):
        written(bytes(MAX_TEXT_BYTES + 1))
    before = kdf.derivations()
    assert code_of(written() + bytes(MAX_TEXT_BYTES + 2**10)) == "keystore.format"
    assert code_of(b" " * 2**21) == "keystore.format"
    assert kdf.derivations() - before == 2  # those of writing


def test_every_single_byte_edit_of_a_file_is_refused() -> None:
    raw = written()
    for place in range(len(raw)):
        for flipped in (1, 0x20, 0x80):
            code_of(raw[:place] + bytes([raw[place] ^ flipped]) + raw[place + 1 :])


def test_every_single_byte_edit_of_an_armored_file_is_refused_but_for_white_space_behind_it() -> None:
    raw = written(armored=True)
    for place in range(len(raw) - 1):
        for flipped in (1, 0x20, 0x80):
            code_of(raw[:place] + bytes([raw[place] ^ flipped]) + raw[place + 1 :])
    assert opened(raw[:-1] + b" ") == TEXT


def test_a_file_that_is_cut_or_made_longer_does_not_open() -> None:
    raw = written()
    for end in range(len(raw)):
        code_of(raw[:end])
    code_of(raw + b"\n")
    code_of(raw + bytes(17))


def test_chunks_that_are_swapped_repeated_or_left_out_do_not_open() -> None:
    """Which of the two chunks is the last is part of their nonces."""
    raw = written(bytes(2**17))
    start = raw.index(b"\n--- ") + 49 + 16
    first, second = raw[start : start + 2**16 + 16], raw[start + 2**16 + 16 :]
    assert raw == raw[:start] + first + second
    for chunks in (second + first, first + first + second, first, second, first + second + second):
        assert code_of(raw[:start] + chunks) == "keystore.cannot_open"


def test_a_last_chunk_without_text_is_refused() -> None:
    assert age_payload.text_size(2**16 + 16 + 16) == 0
    assert age_payload.text_size(2**16 + 16 + 17) == 2**16 + 1
    assert age_payload.text_size(16) == 0


def test_an_edit_and_a_wrong_passphrase_read_alike_after_one_derivation_each() -> None:
    raw = written()
    mac = raw.index(b"\n--- ") + 5
    forged = raw[:mac] + (b"A" if raw[mac : mac + 1] != b"A" else b"B") + raw[mac + 1 :]
    before = kdf.derivations()
    assert code_of(forged) == code_of(raw[:-1] + bytes([raw[-1] ^ 1])) == "keystore.cannot_open"
    with pytest.raises(KeystoreError) as refused:
        opened(raw, "another passphrase")
    assert (refused.value.code, refused.value.detail) == ("keystore.cannot_open", "")
    assert kdf.derivations() - before == 3


@pytest.mark.parametrize(("factor", "code"), [(21, "keystore.cost"), (99, "keystore.cost"), (100, "keystore.format")])
def test_a_work_factor_above_a_gibibyte_is_refused_before_any_derivation(factor: int, code: str) -> None:
    raw = written()
    before = kdf.derivations()
    assert code_of(raw.replace(b" 1\n", b" %d\n" % factor, 1)) == code
    assert kdf.derivations() == before


def test_white_space_around_an_armored_file_and_line_ends_of_another_system_are_taken() -> None:
    raw = written(armored=True)
    assert opened(b"\n \t" + raw + b"\r\n\n") == TEXT
    assert opened(raw.replace(b"\n", b"\r\n")) == TEXT


@pytest.mark.parametrize(
    "spoil",
    [
        lambda lines: [*lines[:-1]],
        lambda lines: [lines[0], b"", *lines[1:]],
        lambda lines: [lines[0], b"Header: x", b"", *lines[1:]],
        lambda lines: [lines[0], lines[1] + lines[2], *lines[3:]],
        lambda lines: [lines[0], lines[1][:32], lines[1][32:], *lines[2:]],
        lambda lines: [lines[0], lines[1] + b" ", *lines[2:]],
        lambda lines: [b"text before", *lines],
        lambda lines: [*lines, b"text behind"],
        lambda lines: [lines[0].lower(), *lines[1:]],
        lambda lines: [lines[0], lines[-1]],
        lambda lines: [*lines, *lines],
        lambda lines: [lines[0] + b"\r", *lines[1:]],
    ],
    ids=range(12),
)
def test_an_armor_in_another_spelling_is_refused_before_any_derivation(spoil: Any) -> None:
    raw = b"\n".join(spoil(written(armored=True).splitlines())) + b"\n"
    before = kdf.derivations()
    assert code_of(raw) == "keystore.format"
    assert kdf.derivations() == before


@given(st.binary(min_size=1, max_size=300))
def test_armor_is_the_one_spelling_of_its_bytes(binary: bytes) -> None:
    assert age_armor.remove(age_armor.add(binary)) == binary


def test_spare_bits_of_base64_are_refused() -> None:
    """Python's decoder gives the same byte for both spellings."""
    canonical = age_armor.add(b"\0")
    loose = canonical.replace(b"AA==", b"AB==")
    assert base64.b64decode("AB==", validate=True) == base64.b64decode("AA==") == age_armor.remove(canonical)
    with pytest.raises(KeystoreError):
        age_armor.remove(loose)


def test_a_file_is_sealed_at_our_own_cost_and_never_under_a_short_passphrase() -> None:
    assert inspect.signature(write_age).parameters["profile"].default is kdf.DEFAULT
    assert b" 18\n" in b" %d\n" % (kdf.DEFAULT.n.bit_length() - 1)
    with pytest.raises(InvalidInput):
        write_age(Secret(TEXT), passphrase=Secret(b"short"), armored=True, profile=PROFILE)


@pytest.mark.parametrize(("r", "p"), [(16, 1), (8, 2)])
def test_a_cost_that_the_format_has_no_place_for_is_refused(r: int, p: int) -> None:
    with pytest.raises(Misconfigured):
        write_age(Secret(TEXT), passphrase=typed(), armored=True, profile=kdf.KdfProfile(n=2, r=r, p=p, waiver=WAIVER))


def test_no_two_files_share_salt_key_or_nonce() -> None:
    first, second = written(), written()
    assert first.split(b"\n")[1] != second.split(b"\n")[1]
    assert first[-len(TEXT) - 32 :] != second[-len(TEXT) - 32 :]
