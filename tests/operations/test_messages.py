"""personal_sign: the hash of a message, and hashes in disguise. Threat: T-034."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account.messages import _hash_eip191_message, encode_defunct
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations import messages
from mcp_wallet_guard.operations.messages import MAX_BYTES, MessageForm, form_of, signing_hash, text_of


def test_a_published_message_has_its_published_hash() -> None:
    # Source: ethers v6 documentation of hashMessage.
    assert signing_hash(b"Hello World").hex() == "a1de988600a42c4b4ab089b619297c17d53cffae5d5120d82d8a92d0bb3b78f2"


@given(st.binary(max_size=300))
def test_messages_hash_as_eth_account_hashes_them(message: bytes) -> None:
    assert signing_hash(message) == bytes(_hash_eip191_message(encode_defunct(message)))


@given(st.binary(max_size=64), st.binary(max_size=64))
def test_other_messages_have_other_hashes(one: bytes, other: bytes) -> None:
    assert (signing_hash(one) == signing_hash(other)) == (one == other)


@pytest.mark.parametrize("message", ["text", None, bytearray(b"x"), bytes(MAX_BYTES + 1)])
def test_what_is_no_message_of_bytes_is_refused(message: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        signing_hash(message)
    assert caught.value.code == "invalid_input.message"


def test_there_is_no_way_to_sign_a_bare_hash() -> None:
    """eth_sign would let 32 bytes be a transaction; nothing here hands 32 bytes through."""
    digest = bytes(range(32))
    assert signing_hash(digest) != digest
    assert not [name for name in vars(messages) if "eth_sign" in name]


@pytest.mark.parametrize(
    ("message", "form"),
    [
        (b"Hello", MessageForm.TEXT),
        ("Gr\u00fc\u00dfe\n\t\u4f60\u597d".encode(), MessageForm.TEXT),
        (b"", MessageForm.TEXT),
        (bytes(range(32)), MessageForm.HASH),
        (b"exactly thirty-two letters here.", MessageForm.HASH),
        (b"ab" * 32, MessageForm.HASH_TEXT),
        (b"0x" + b"AB" * 32, MessageForm.HASH_TEXT),
        (b"0X" + b"aB" * 32 + b"\n", MessageForm.HASH_TEXT),
        (b"0x" + b"ab" * 31, MessageForm.TEXT),
        (b"\xff\xfe", MessageForm.BINARY),
        (b"a\x00b", MessageForm.BINARY),
        (b"a\x1b[31mb", MessageForm.BINARY),
        (b"a\x7f", MessageForm.BINARY),
        (b"\x19Ethereum Signed Message:\n6Hello!", MessageForm.PREFIXED),
        (b"\x19\x01" + bytes(64), MessageForm.PREFIXED),
    ],
)
def test_a_message_is_told_by_its_bytes(message: bytes, form: MessageForm) -> None:
    assert form_of(message) is form
    assert (text_of(message) is None) <= (form in {MessageForm.HASH, MessageForm.BINARY, MessageForm.PREFIXED})
