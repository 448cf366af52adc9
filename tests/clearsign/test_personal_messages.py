"""Messages as a person is shown them. Threat: T-022, T-034."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_wallet_guard.clearsign.personal_messages import read_message
from mcp_wallet_guard.clearsign.tree import Clarity, Part, PartKind, ShownKind
from mcp_wallet_guard.operations.values import Address, ChainId
from tests.clearsign.statements import at, codes, leaves
from tests.operations.sign_ins import ACCOUNT, BROKEN, EXAMPLE, FULL

UNENDING = {"siwe.no_expiry"}


def read(message: bytes | str, *, signer: Address = ACCOUNT, chain: int = 1) -> Part:
    raw = message.encode() if isinstance(message, str) else message
    return read_message(raw, chain=ChainId(chain), signer=signer)


def test_a_text_is_shown_with_its_length_and_digest() -> None:
    part = read("Hello\nworld")
    assert (part.kind, part.clarity, codes(part)) == (PartKind.MESSAGE, Clarity.CLEAR, set())
    assert (at(part, "#").kind, at(part, "#").raw) == (ShownKind.TEXT, "Hello\nworld")
    assert at(part, "@.length").raw == 11
    assert at(part, "@.sha256").raw == hashlib.sha256(b"Hello\nworld").digest()


@given(st.binary(max_size=80))
@settings(max_examples=60)
def test_whatever_the_bytes_all_of_them_are_shown(message: bytes) -> None:
    shown = at(read(message), "#").raw
    assert (shown.encode() if isinstance(shown, str) else shown) == message


CASES: dict[str, tuple[bytes | str, Clarity, set[str]]] = {
    "a hash": (bytes(range(32)), Clarity.BLIND, {"message.hash"}),
    "a hash that reads as text": (b"exactly thirty-two letters here.", Clarity.DECODED, {"message.hash"}),
    "a hash in digits": ("0x" + "ab" * 32, Clarity.DECODED, {"message.hash"}),
    "binary": (b"\xff\x00", Clarity.BLIND, {"message.binary"}),
    "terminal controls": ("a\x1b[2Jb", Clarity.BLIND, {"message.binary"}),
    "typed data in disguise": (b"\x19\x01" + bytes(64), Clarity.BLIND, {"message.prefixed"}),
    "text that runs backwards": ("pay \u202eeno", Clarity.CLEAR, {"message.invisible"}),
    "text with hidden letters": ("a\u200bb", Clarity.CLEAR, {"message.invisible"}),
    "text in another script": ("\u041f\u0440\u0438\u0432\u0435\u0442", Clarity.CLEAR, {"message.nonascii"}),
    "an empty message": (b"", Clarity.CLEAR, set()),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_is_odd_about_a_message_is_told(case: tuple[bytes | str, Clarity, set[str]]) -> None:
    """Threat: T-034."""
    message, clarity, expected = case
    part = read(message)
    assert (part.clarity, codes(part)) == (clarity, expected)


def test_a_sign_in_is_shown_by_its_fields() -> None:
    part = read(FULL.replace("T17:25:24.5+01:00", "T17:25:24.5Z"))
    assert (part.clarity, part.standard, codes(part)) == (Clarity.CLEAR, "ERC-4361", set())
    assert at(part, "#.domain").raw == "example.com"
    assert at(part, "#.address").raw == ACCOUNT
    assert (at(part, "#.expirationTime").kind, at(part, "#.expirationTime").raw) == (ShownKind.DATE, 1633022724)
    assert at(part, "#.expirationTime").text == "2021-09-30T17:25:24.5Z"
    assert [each.label for each in leaves(part.shown) if each.path.startswith("#.resources")] == [
        "Resource 1",
        "Resource 2",
    ]


SIGN_INS: dict[str, tuple[str, set[str]]] = {
    "the standard's example": (EXAMPLE, UNENDING),
    "another host in the URI": (
        EXAMPLE.replace("https://example.com/login", "https://evil.test/"),
        {"siwe.other_host"},
    ),
    "a user before the host": (EXAMPLE.replace("example.com wants", "uniswap.org@example.com wants"), {"siwe.user"}),
    "an end before the start": (FULL, {"siwe.times"}),
    "an end that is none": (FULL.replace("2021-09-30T17:25:24.5+01:00", "9999-12-31T23:59:59-00:01"), UNENDING),
}


@pytest.mark.parametrize("case", SIGN_INS.values(), ids=SIGN_INS)
def test_what_is_odd_about_a_sign_in_is_told(case: tuple[str, set[str]]) -> None:
    text, expected = case
    assert codes(read(text)) - UNENDING == expected - UNENDING
    assert codes(read(text)) >= expected


def test_a_sign_in_for_another_account_or_chain_is_told() -> None:
    other = Address("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC")
    assert codes(read(EXAMPLE, signer=other)) - UNENDING == {"siwe.other_signer"}
    part = read(EXAMPLE, chain=10)
    assert codes(part) - UNENDING == {"siwe.other_chain"}
    assert part.chain == ChainId(1)


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN)
def test_a_broken_sign_in_is_a_text_and_told(change: tuple[str, str]) -> None:
    """The attack: a wallet shows it as a sign-in, a website takes it as something else."""
    part = read(FULL.replace(*change, 1))
    assert part.clarity is Clarity.DECODED
    assert part.standard == "EIP-191"
    assert "message.siwe_malformed" in codes(part)
