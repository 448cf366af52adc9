"""What a person reads before a token moves, decoded from the bytes.

Threat: T-006, T-020, T-021, T-025, T-028, T-040.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.clearsign.decode import decode
from mcp_wallet_guard.clearsign.recipients import imitated
from mcp_wallet_guard.clearsign.renderers.plain import plain_text
from mcp_wallet_guard.clearsign.view import LABELS, check_decoded, render_view, view_hash
from mcp_wallet_guard.errors import PolicyDenied
from mcp_wallet_guard.operations.erc20 import Function
from mcp_wallet_guard.operations.evm import encode_unsigned
from mcp_wallet_guard.operations.intents import EffectKind
from mcp_wallet_guard.operations.values import UINT256_MAX, Address, Asset, ChainId
from tests.clearsign.transfers import CHAIN, GWEI, PAYEE, SENDER, USDC, token_effect, token_facts, token_freeze

SENT = token_freeze(token_effect())
ALLOWED = token_freeze(token_effect(function=Function.APPROVE))


def codes(operation: Any = SENT, **changes: Any) -> list[tuple[str, str]]:
    return [(f.code, f.severity) for f in render_view(operation, token_facts(**changes)).findings]


def test_a_token_transfer_is_shown_with_the_pinned_symbol_decimals_and_contract() -> None:
    view = render_view(SENT, token_facts())
    assert view.kind == "token_transfer"
    assert view.intent == f"Send 2.5 USDC to {PAYEE}"
    assert {field.label: field.value for field in view.fields} == {
        "Amount": "2.5 USDC",
        "Payee": '0x 7099 7970 C518 12dc 3A01 0C7d 01b5 0e0d 17dc 79C8 "Alice"',
        "Token": '0x A0b8 6991 c621 8b36 c1d1 9D4a 2e9E b0cE 3606 eB48 "USDC"',
        "Account": '0x f39F d6e5 1aad 88F6 F4ce 6aB8 8272 79cf fFb9 2266 "main"',
        "Chain": "eip155:31337",
        "Maximum fee": "0.0012 ETH (60000 gas at 20 gwei, of it at most 1 gwei as tip)",
        "Nonce": "7",
    }
    assert tuple(field.label for field in view.fields) == LABELS[EffectKind.TOKEN_TRANSFER]
    assert view.findings == ()


def test_an_approval_says_who_may_take_how_much_and_that_it_stays() -> None:
    view = render_view(ALLOWED, token_facts())
    assert view.kind == "token_approval"
    assert view.intent == f"Let {PAYEE} take up to 2.5 USDC at any time"
    assert tuple(field.label for field in view.fields) == LABELS[EffectKind.TOKEN_APPROVAL]
    assert view.fields[0].value == "2.5 USDC"
    assert codes(ALLOWED, payee_has_code=True) == [("approval.standing", "warning")]
    assert "May take at most  2.5 USDC" in plain_text(view)


def test_taking_an_approval_back_is_shown_as_that() -> None:
    back = token_freeze(token_effect(function=Function.APPROVE, amount=0))
    view = render_view(back, token_facts())
    assert view.intent == f"Take back what {PAYEE} may take: 0 USDC from now on"
    assert view.findings == ()


@pytest.mark.parametrize("amount", [2**255, UINT256_MAX, 2**96 - 1, 2**160 - 1])
def test_an_approval_without_a_limit_is_a_danger(amount: int) -> None:
    """Threat: T-028."""
    endless = token_freeze(token_effect(function=Function.APPROVE, amount=amount))
    assert codes(endless, payee_has_code=True) == [("approval.unlimited", "danger"), ("approval.standing", "warning")]


def test_a_transfer_of_the_same_amount_is_no_approval() -> None:
    assert codes(token_freeze(token_effect(amount=2**255))) == [("balance.small", "warning")]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"balance": 1}, [("balance.small", "warning")]),
        ({"token_balance": 2_499_999}, [("balance.small", "warning")]),
        ({"token_balance": 2_500_000}, [("balance.sweep", "warning")]),
        ({"token_balance": 2_777_778}, []),
        ({"imitates": "Alice"}, [("payee.imitates", "danger"), ("payee.first_time", "warning")]),
        ({"payee_has_code": True}, [("payee.contract", "warning")]),
        ({"payee_name": None}, [("payee.new", "notice")]),
    ],
)
def test_what_a_person_should_know_is_said(changes: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert codes(**changes) == expected


def test_an_approval_takes_nothing_yet_so_no_balance_is_short() -> None:
    assert codes(ALLOWED, token_balance=0, payee_has_code=True) == [("approval.standing", "warning")]


def test_a_spender_that_is_no_contract_is_a_danger() -> None:
    """Threat: T-028."""
    assert codes(ALLOWED) == [("approval.to_account", "danger"), ("approval.standing", "warning")]


def test_the_tokens_own_contract_is_nobodys_payee() -> None:
    """Threat: T-025."""
    own = token_freeze(token_effect(party=USDC.address))
    assert ("payee.token", "danger") in codes(own)


def test_a_fee_is_not_compared_with_an_amount_in_another_unit() -> None:
    assert codes(token_freeze(token_effect(amount=1))) == []


@pytest.mark.parametrize(
    "token",
    [
        None,
        replace(USDC, address=PAYEE),
        replace(USDC, chain=ChainId(1)),
    ],
)
def test_calldata_for_another_contract_than_the_pinned_one_is_not_decoded(token: Asset | None) -> None:
    with pytest.raises(PolicyDenied) as refused:
        decode(SENT, token=token)
    assert (refused.value.code, refused.value.detail) == ("policy.undecodable", "68 bytes of calldata")


@pytest.mark.parametrize("edit", [b"\0", b"", b"\x01"])
def test_calldata_that_is_not_canonical_is_not_decoded(edit: bytes) -> None:
    data = token_effect().data
    other = token_effect(data=data + edit if edit else data[:-1])
    with pytest.raises(PolicyDenied):
        decode(token_freeze(other), token=USDC)


def test_native_currency_with_a_tokens_call_is_not_decoded() -> None:
    with pytest.raises(PolicyDenied) as refused:
        decode(token_freeze(token_effect(value=1)), token=USDC)
    assert refused.value.detail == "a token's call with native currency"


def test_what_it_costs_at_most_is_the_fee_alone() -> None:
    payment = decode(SENT, token=USDC)
    assert payment.total == payment.max_fee == 60_000 * 20 * GWEI


def test_the_checked_view_is_the_one_that_is_shown() -> None:
    decoded = check_decoded(SENT, token_facts(), effect=token_effect())
    assert decoded.view == render_view(SENT, token_facts())
    assert decoded.view_hash == view_hash(decoded.view)


@given(at=st.integers(0, len(SENT.unsigned_bytes) - 1), xor=st.integers(1, 255))
def test_an_edited_byte_changes_what_is_shown_or_is_refused(at: int, xor: int) -> None:
    edited = bytearray(SENT.unsigned_bytes)
    edited[at] ^= xor
    other = replace(SENT, unsigned_bytes=bytes(edited))
    try:
        fields = render_view(other, token_facts()).fields
    except PolicyDenied:
        return
    assert fields != render_view(SENT, token_facts()).fields


# --- addresses that look like known ones --------------------------------------------------------------------------

KNOWN = (("Alice", PAYEE), ("main", SENDER))


def like(address: Address, *, middle: int) -> Address:
    raw = address.raw
    return Address.from_bytes(raw[:2] + middle.to_bytes(16) + raw[-2:])


@given(st.integers(0, 2**128 - 1))
def test_the_same_ends_and_another_middle_is_an_imitation(middle: int) -> None:
    """Threat: T-025. Such an address takes a grinder seconds."""
    fake = like(PAYEE, middle=middle)
    assert imitated(fake, KNOWN) == (None if fake == PAYEE else "Alice")


@pytest.mark.parametrize("at", [0, 1, 18, 19])
def test_one_digit_off_at_an_end_is_no_imitation(at: int) -> None:
    raw = bytearray(like(SENDER, middle=5).raw)
    raw[at] ^= 1
    assert imitated(Address.from_bytes(bytes(raw)), KNOWN) is None


def test_a_known_address_imitates_nobody_even_beside_its_own_imitation() -> None:
    fake = like(PAYEE, middle=5)
    assert imitated(PAYEE, (("Mallory", fake), *KNOWN)) is None
    assert imitated(fake, (("Mallory", fake), *KNOWN)) is None
    assert imitated(like(PAYEE, middle=6), (("Mallory", fake), *KNOWN)) == "Mallory"
    assert imitated(PAYEE, ()) is None


def test_the_chain_of_the_pin_is_the_accounts() -> None:
    assert USDC.chain == CHAIN
    assert encode_unsigned(SENT.transaction) == SENT.unsigned_bytes
