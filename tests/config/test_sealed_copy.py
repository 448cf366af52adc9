"""The sealed copy of the settings is one byte string per meaning, and an edit is named key by key."""

from __future__ import annotations

import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.config.difference import difference
from mcp_wallet_guard.config.settings import canonical, from_canonical, parse_settings
from mcp_wallet_guard.errors import Tampered
from tests.config.documents import FULL, LEAST, edited

SEALED = canonical(parse_settings(FULL))


@pytest.mark.parametrize("source", [FULL, LEAST, FULL + '[danger]\ncheap_kdf = "a wallet for tests"\n'])
def test_the_sealed_copy_gives_the_same_settings(source: str) -> None:
    settings = parse_settings(source)
    assert from_canonical(canonical(settings)) == settings


def test_layout_comments_and_written_out_defaults_do_not_change_the_seal() -> None:
    assert canonical(parse_settings("# a comment\n" + edited('"0.5"', '"0.500"'))) == SEALED
    assert canonical(parse_settings(LEAST + "[approval]\nexpires_minutes = 10\n")) == canonical(parse_settings(LEAST))


def test_the_sealed_copy_is_the_documented_one() -> None:
    assert rfc8785.dumps(json.loads(SEALED)) == SEALED
    assert canonical(parse_settings(LEAST)).decode() == (
        '{"settings":{"account":{"address":"0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266","name":"main"},'
        '"approval":{"expires_minutes":10,"page_port":0,"wait_seconds":25},'
        '"chain":{"decimals":18,"ens":false,"id":1,"max_fee_per_gas_gwei":"200","max_gas":100000,"max_priority_fee_gwei":"5",'
        '"node":"https://node.example/key","symbol":"ETH"},"contacts":[],"danger":{},"descriptors":{},"lists":{},'
        '"lock":{"idle_minutes":15,"locked_reads":"refuse","max_hours":12},"mode":"daemon","tokens":[],'
        '"vault":"vault.json","venues":[]},"v":1}'
    )


@given(at=st.integers(0, len(SEALED) - 1), xor=st.integers(1, 255))
def test_an_edited_byte_of_the_seal_is_another_meaning_or_tampered(at: int, xor: int) -> None:
    edit = bytearray(SEALED)
    edit[at] ^= xor
    try:
        settings = from_canonical(bytes(edit))
    except Tampered as error:
        assert error.code == "tampered.settings"  # noqa: PT017  either end is right, and each has its claim
    else:
        assert canonical(settings) == bytes(edit)
        assert difference(parse_settings(FULL), settings)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"settings":{}}',
        b"\xff",
        SEALED + b"\n",
        SEALED.replace(b'"v":1', b'"v":2'),
        SEALED.replace(b'"v":1', b'"v":1.0'),
        SEALED.replace(b'"v":1', b'"v":1,"w":1'),
        SEALED.replace(b'"mode":"embedded"', b'"mode":"daemon","mode":"embedded"'),
        SEALED.replace(b'"0.5"', b'"0.50"'),
        SEALED.replace(b'"mode":"embedded",', b""),
        SEALED.replace(b":", b": "),
        b"[" * 100_000,
        b'"' + b"x" * 200_000 + b'"',
    ],
)
def test_other_bytes_are_tampered(data: bytes) -> None:
    with pytest.raises(Tampered) as refused:
        from_canonical(data)
    assert refused.value.code == "tampered.settings"


# --- difference ---------------------------------------------------------------------------------------------------


def changes(old: str, new: str) -> tuple[str, ...]:
    return difference(parse_settings(FULL), parse_settings(edited(old, new)))


def test_equal_settings_have_no_difference() -> None:
    assert difference(parse_settings(FULL), parse_settings("# other comment\n" + FULL)) == ()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"0.5"', '"50"', 'policy.max_per_transaction: "0.5" -> "50"'),
        ('max_fee = "0.01"\n', "", 'policy.max_fee: "0.01" -> (not set)'),
        ('"vault.json"', '"other.json"', 'vault: "vault.json" -> "other.json"'),
        ('"embedded"', '"daemon"', 'mode: "embedded" -> "daemon"'),
        ("id = 31337", "id = 1", 'chain.id: "31337" -> "1"'),
        ("page_port = 8_700", "page_port = 1", 'approval.page_port: "8700" -> "1"'),
        ('"allow"', '"refuse"', 'lock.locked_reads: "allow" -> "refuse"'),
        ('"500"', '"501"', 'policy.limits.0.amount: "500" -> "501"'),
        ('["Carol"]', '["Carol", "Alice"]', 'policy.groups.friends: "Carol" -> "Carol, Alice"'),
        ('"100.5"', '"1000"', 'policy.tokens.USDC: "100.5" -> "1000"'),
        ("decimals = 6", "decimals = 18", 'tokens.USDC.decimals: "6" -> "18"'),
        ('"capped"', '"refuse"', 'policy.approvals: "capped" -> "refuse"'),
        ('"vault.json"', '"v\u202e.json"', 'vault: "vault.json" -> "v\\u{202e}.json"'),
    ],
)
def test_a_changed_key_is_named_with_old_and_new(old: str, new: str, expected: str) -> None:
    assert changes(old, new) == (expected,)


def test_a_changed_node_is_named_without_its_url() -> None:
    assert changes("key-0123456789abcdef", "key-other") == ("chain.node: changed (values not shown)",)


def test_payees_are_named_one_by_one() -> None:
    added = changes(" }]", ' }, { name = "Bob", address = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266" }]')
    assert added == ('policy.payees.Bob: (not set) -> "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"',)
    replaced = changes("0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "0x90F79bf6EB2c4f870365E785982E1f101E93b906")
    assert replaced == (
        'policy.payees.Alice: "0x70997970C51812dc3A010C7d01b50e0d17dc79C8" '
        '-> "0x90F79bf6EB2c4f870365E785982E1f101E93b906"',
    )


def test_delegates_are_named_one_by_one() -> None:
    trusted = "0x90F79bf6EB2c4f870365E785982E1f101E93b906"
    added = changes('approvals = "capped"', f'approvals = "capped"\ndelegates = ["{trusted}"]')
    assert added == (f'policy.delegates.{trusted}: (not set) -> "trusted"',)


def test_contacts_are_named_one_by_one() -> None:
    dave = '[[contacts]]\nname = "Dave"\naddress = "0x90F79bf6EB2c4f870365E785982E1f101E93b906"\n'
    assert changes("[[contacts]]\n", f"{dave}[[contacts]]\n") == (
        'contacts.Dave: (not set) -> "0x90F79bf6EB2c4f870365E785982E1f101E93b906"',
    )


def test_a_policy_that_appears_is_a_difference_in_every_key() -> None:
    policy = '[policy]\nmax_per_transaction = "1"\npayees = "any"\n'
    assert difference(parse_settings(LEAST), parse_settings(LEAST + policy)) == (
        'policy.approvals: (not set) -> "refuse"',
        'policy.level: (not set) -> "factor"',
        'policy.max_per_transaction: (not set) -> "1"',
        'policy.messages: (not set) -> "refuse"',
        'policy.payees: (not set) -> "any"',
        'policy.typed_data: (not set) -> "refuse"',
    )


def test_a_waiver_that_appears_is_a_difference() -> None:
    assert difference(parse_settings(FULL), parse_settings(FULL + '[danger]\nlower_level = "test chain"\n')) == (
        'danger.lower_level: (not set) -> "test chain"',
    )
