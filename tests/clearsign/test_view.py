"""The view says what the bytes do, all of it, and nothing that anybody else wrote."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mcp_wallet_guard.clearsign.decode import decode
from mcp_wallet_guard.clearsign.recipients import nobodys
from mcp_wallet_guard.clearsign.renderers.plain import plain_text
from mcp_wallet_guard.clearsign.view import LABELS, check_decoded, render_view, view_hash
from mcp_wallet_guard.confirmation import ConfirmationView, Digests, Finding, ViewField
from mcp_wallet_guard.errors import GuardError, PolicyDenied, Tampered
from mcp_wallet_guard.operations.frozen import FrozenOperation
from mcp_wallet_guard.operations.intents import EffectKind
from mcp_wallet_guard.operations.values import Account, Address, ChainId
from tests.clearsign.transfers import (
    ACCOUNT,
    CHAIN,
    ETHER,
    GWEI,
    PAYEE,
    SENDER,
    STRANGER,
    effect,
    facts,
    forge,
    freeze,
)  # fmt: skip

FROZEN = freeze(effect())


def fields(view: ConfirmationView) -> dict[str, str]:
    return {field.label: field.value for field in view.fields}


def codes(**changes: Any) -> list[tuple[str, str]]:
    return [(f.code, f.severity) for f in render_view(FROZEN, facts(**changes)).findings]


def test_a_transfer_is_shown_in_full() -> None:
    view = render_view(FROZEN, facts())
    assert view.intent == "Send 0.1 ETH to 0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
    assert fields(view) == {
        "Amount": "0.1 ETH",
        "Payee": '0x 7099 7970 C518 12dc 3A01 0C7d 01b5 0e0d 17dc 79C8 "Alice"',
        "Account": '0x f39F d6e5 1aad 88F6 F4ce 6aB8 8272 79cf fFb9 2266 "main"',
        "Chain": "eip155:31337",
        "Maximum fee": "0.00042 ETH (21000 gas at 20 gwei, of it at most 1 gwei as tip)",
        "Total at most": "0.10042 ETH",
        "Nonce": "7",
    }
    assert (view.kind, view.chain, view.account) == ("transfer", "eip155:31337", ACCOUNT.id)
    assert (view.operation_digest, view.expires_at) == (FROZEN.digest.hex(), 1_790_000_600)
    assert view.findings == ()


def test_the_fields_have_a_fixed_order() -> None:
    assert tuple(f.label for f in render_view(FROZEN, facts()).fields) == LABELS[EffectKind.TRANSFER]
    assert LABELS[EffectKind.TRANSFER] == (
        "Amount",
        "Payee",
        "Account",
        "Chain",
        "Maximum fee",
        "Total at most",
        "Nonce",
    )


@given(at=st.integers(0, len(FROZEN.unsigned_bytes) - 1), xor=st.integers(1, 255))
def test_an_edited_byte_changes_what_is_shown_or_is_refused(at: int, xor: int) -> None:
    edited = bytearray(FROZEN.unsigned_bytes)
    edited[at] ^= xor
    other = replace(FROZEN, unsigned_bytes=bytes(edited))
    try:
        seen = render_view(other, facts())
    except PolicyDenied:
        return
    shown = render_view(FROZEN, facts())
    assert seen.fields != shown.fields
    assert view_hash(seen) != view_hash(shown)


@given(
    value=st.integers(0, 2**255), nonce=st.integers(0, 2**64 - 2), gas=st.integers(0, 2**32 - 1),
    fee=st.integers(0, 2**222), tip=st.integers(0, 2**222),
    to=st.binary(min_size=20, max_size=20), decimals=st.integers(0, 36),
)  # fmt: skip
@example(value=2**256 - 1, nonce=0, gas=2**32 - 1, fee=0, tip=0, to=bytes(20), decimals=0)
def test_every_transfer_is_shown_exactly(
    value: int, nonce: int, gas: int, fee: int, tip: int, to: bytes, decimals: int
) -> None:
    asked = effect(to=Address.from_bytes(to), value=value)
    tip, fee = sorted((tip, fee))
    operation = freeze(asked, nonce=nonce, gas=gas, max_fee_per_gas=fee, max_priority_fee_per_gas=tip)
    view = render_view(operation, facts(decimals=decimals))
    shown = fields(view)
    amount, symbol = shown["Amount"].split(" ")
    whole, _, part = amount.partition(".")
    assert int(whole + part.ljust(decimals, "0")) == value
    assert symbol == "ETH"
    assert shown["Payee"].split(' "')[0].replace(" ", "") == Address.from_bytes(to).value
    assert shown["Nonce"] == str(nonce)
    assert f"({gas} gas at " in shown["Maximum fee"]
    assert all(re.fullmatch(r"[ -~]+", text) for text in (view.intent, *shown.values()))
    assert all(len(line) <= 76 for line in plain_text(view).splitlines())


def test_the_same_bytes_and_facts_give_the_same_view() -> None:
    assert view_hash(render_view(FROZEN, facts())) == view_hash(render_view(freeze(effect()), facts()))
    assert len(view_hash(render_view(FROZEN, facts()))) == 32


def test_the_hash_covers_every_member_of_the_view() -> None:
    view = render_view(FROZEN, facts())
    changes: list[dict[str, Any]] = [
        {"chain": "eip155:1"},
        {"account": "x"},
        {"intent": "x"},
        {"fields": (*view.fields[:-1], ViewField(label="Nonce", value="8"))},
        {"fields": view.fields[::-1]},
        {"findings": (Finding(code="a", severity="notice", text="b"),)},
        {"operation_digest": "00"},
        {"expires_at": 1},
        {"kind": "token_transfer"},
        {"level": "decoded"},
        {"effects": ()},
        {"fee": None},
        {"nonce": 8},
        {"not_checked": (Finding(code="a", severity="notice", text="b", status="not_checked"),)},
        {"digests": Digests()},
    ]
    hashes = {view_hash(view), *(view_hash(view.model_copy(update=change)) for change in changes)}
    assert len(hashes) == len(changes) + 1


def test_a_nonce_that_no_json_number_says_is_in_the_fields_and_the_view_has_a_hash() -> None:
    """Threat: T-039. A node may claim any."""
    operation = freeze(effect(), nonce=2**60)
    view = render_view(operation, facts(nonce=2**53 - 1))
    assert (view.nonce, fields(view)["Nonce"]) == (None, str(2**60))
    assert view_hash(view) != view_hash(render_view(freeze(effect(), nonce=2**60 + 1), facts(nonce=2**53 - 1)))


def test_the_hash_is_the_documented_one() -> None:
    view = render_view(FROZEN, facts())
    assert view_hash(view).hex() == "6903ad3930d9d5a8210b77a18c2644f2208c6f1ea76467ce0637cc055d602600"


# --- findings -----------------------------------------------------------------------------------------------------


def test_an_ordinary_payment_to_a_known_payee_has_no_findings() -> None:
    assert codes() == []


def test_a_payee_without_a_name_is_noticed() -> None:
    assert codes(payee_name=None) == [("payee.new", "notice")]


def test_a_payee_that_is_a_contract_is_warned_of() -> None:
    assert codes(payee_has_code=True) == [("payee.contract", "warning")]


def test_a_payment_to_oneself_is_warned_of() -> None:
    view = render_view(freeze(effect(to=SENDER)), facts())
    assert [(f.code, f.severity) for f in view.findings] == [("payee.self", "warning")]


def test_a_balance_that_does_not_cover_amount_and_fee_is_warned_of() -> None:
    total = ETHER // 10 + 21_000 * 20 * GWEI
    assert codes(balance=total - 1) == [("balance.small", "warning")]
    assert codes(balance=total) == [("balance.sweep", "warning")]
    assert codes(balance=2 * total) == []


def test_a_fee_above_a_fifth_of_the_amount_is_warned_of() -> None:
    fee = 21_000 * 20 * GWEI
    at_limit, above = freeze(effect(value=fee * 5)), freeze(effect(value=fee * 5 - 1))
    assert render_view(at_limit, facts()).findings == ()
    assert [(f.code, f.severity) for f in render_view(above, facts()).findings] == [("fee.high", "warning")]


def test_a_fee_below_the_chains_is_warned_of() -> None:
    assert codes(base_fee=20 * GWEI) == []
    assert codes(base_fee=20 * GWEI + 1) == [("fee.low", "warning")]


def test_a_nonce_that_is_not_the_next_one_is_warned_of() -> None:
    assert codes(nonce=6) == [("nonce.unexpected", "warning")]
    assert codes(nonce=8) == [("nonce.unexpected", "warning")]


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (0, "payee.zero"),
        (1, "payee.reserved"),
        (0x100, "payee.reserved"),
        (0xDEAD, "payee.burn"),
        (0xFFFF, "payee.reserved"),
        (0xDEAD << 144, "payee.burn"),
        (0xDEADDEADDEADDEADDEADDEADDEADDEADDEADDEAD, "payee.burn"),
        (int("ee" * 20, 16), "payee.burn"),
        (2**160 - 1, "payee.burn"),
    ],
)
def test_a_payee_that_nobody_owns_is_a_danger_and_stands_first(number: int, code: str) -> None:
    """Threat: T-025."""
    nobody = Address.from_bytes(number.to_bytes(20, "big"))
    assert nobodys(nobody) == code
    view = render_view(freeze(effect(to=nobody)), facts(payee_name=None))
    assert [(f.code, f.severity) for f in view.findings] == [(code, "danger"), ("payee.first_time", "warning")]


@pytest.mark.parametrize("number", [2**16, 2**160 - 2, 0xDEAD << 128])
def test_other_addresses_may_have_an_owner(number: int) -> None:
    assert nobodys(Address.from_bytes(number.to_bytes(20, "big"))) is None


# --- deceptive names ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "finding"),
    [
        ('Alice"  Amount 0 ETH', None),
        ("\u202eecilA", ("text.invisible", "danger")),
        ("Al\u0456ce", ("text.nonascii", "warning")),
        ("Alice\nNonce 0", ("text.invisible", "danger")),
        ("\x1b[2J", ("text.invisible", "danger")),
        ("A" * 100_000, None),
    ],
)
def test_a_hostile_name_stays_inside_its_quotes(name: str, finding: tuple[str, str] | None) -> None:
    """Threat: T-021."""
    view = render_view(FROZEN, facts(payee_name=name))
    honest = render_view(FROZEN, facts())
    assert view.intent == honest.intent
    assert {k: v for k, v in fields(view).items() if k != "Payee"} == {
        k: v for k, v in fields(honest).items() if k != "Payee"
    }
    assert re.fullmatch(
        r'0x(?: [0-9A-Fa-f]{4}){10} "(?:[^"\\]|\\.){1,40}"(?: \.\.\. [0-9,]+ more)?', fields(view)["Payee"]
    )
    assert [(f.code, f.severity) for f in view.findings] == ([] if finding is None else [finding])
    assert len(plain_text(view).splitlines()) <= len(plain_text(honest).splitlines()) + 4


# --- what cannot be shown -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "operation",
    [
        freeze(effect(data=b"\x00")),
        freeze(effect(data=bytes.fromhex("a9059cbb") + bytes(64), value=0)),
        replace(FROZEN, kind="eip7702"),
        replace(FROZEN, unsigned_bytes=FROZEN.unsigned_bytes + b"\x00"),
        replace(FROZEN, unsigned_bytes=b""),
        replace(FROZEN, unsigned_bytes=b"\x01" + FROZEN.unsigned_bytes[1:]),
        replace(FROZEN, account=Account("main", ChainId(1), SENDER)),
        freeze(effect(value=2**256 - 1), gas=1, max_fee_per_gas=1, max_priority_fee_per_gas=0),
        freeze(effect(), max_fee_per_gas=2**256 - 1),
    ],
    ids=["calldata", "token call", "kind", "trailing", "empty", "envelope", "chain", "total", "fee"],
)
def test_what_cannot_be_shown_in_full_is_refused(operation: FrozenOperation) -> None:
    """Threat: T-020, T-036, T-037."""
    with pytest.raises(PolicyDenied) as refused:
        render_view(operation, facts())
    assert refused.value.code == "policy.undecodable"


def test_a_plain_transfer_decodes_to_what_was_asked() -> None:
    transfer = decode(FROZEN)
    assert (transfer.account, transfer.payee, transfer.amount) == (ACCOUNT, PAYEE, ETHER // 10)
    assert (transfer.max_fee, transfer.total) == (21_000 * 20 * GWEI, ETHER // 10 + 21_000 * 20 * GWEI)


def test_facts_about_another_chain_are_refused() -> None:
    with pytest.raises(Tampered) as refused:
        render_view(FROZEN, facts(chain="eip155:1"))
    assert refused.value.code == "tampered.operation"


# --- step 3 -------------------------------------------------------------------------------------------------------


def test_the_proof_holds_operation_view_and_hash() -> None:
    decoded = check_decoded(FROZEN, facts(), effect=effect())
    assert decoded.operation == FROZEN
    assert decoded.view == render_view(FROZEN, facts())
    assert decoded.view_hash == view_hash(decoded.view)


@pytest.mark.parametrize(
    ("operation", "threat"),
    [
        (forge(effect(), to=STRANGER), "T-006"),
        (forge(effect(), value=ETHER), "T-007"),
        (forge(effect(), data=b"\x01"), "T-007"),
        (forge(effect(), chain=ChainId(1)), "T-008"),
        (freeze(effect(to=STRANGER)), "T-006"),
        (freeze(effect(reference="second")), "T-007"),
        (freeze(effect(account=Account("other", CHAIN, SENDER))), "T-007"),
        (freeze(effect(account=Account("main", CHAIN, STRANGER))), "T-007"),
        (replace(FROZEN, effect_hash=bytes(32)), "T-007"),
        (replace(FROZEN, account=Account("main", CHAIN, STRANGER)), "T-007"),
        (replace(FROZEN, unsigned_bytes=b"\x02"), "T-007"),
    ],
)  # fmt: skip
def test_bytes_that_differ_from_what_was_asked_are_tampered(operation: FrozenOperation, threat: str) -> None:
    with pytest.raises(Tampered) as refused:
        check_decoded(operation, facts(), effect=effect())
    assert refused.value.code == "tampered.operation", threat


def test_calldata_that_was_asked_for_is_refused_not_tampered() -> None:
    asked = effect(data=b"\x01")
    with pytest.raises(PolicyDenied) as refused:
        check_decoded(freeze(asked), facts(), effect=asked)
    assert refused.value.code == "policy.undecodable"


@given(at=st.integers(0, len(FROZEN.unsigned_bytes) - 1), xor=st.integers(1, 255))
def test_an_edited_byte_gives_another_view_hash_or_an_error(at: int, xor: int) -> None:
    edited = bytearray(FROZEN.unsigned_bytes)
    edited[at] ^= xor
    honest = check_decoded(FROZEN, facts(), effect=effect())
    try:
        decoded = check_decoded(replace(FROZEN, unsigned_bytes=bytes(edited)), facts(), effect=effect())
    except GuardError:
        return
    assert decoded.view_hash != honest.view_hash


# --- plain text ---------------------------------------------------------------------------------------------------


def test_the_plain_text_is_the_documented_one() -> None:
    view = render_view(freeze(effect(to=Address.from_bytes(bytes(20)))), facts(payee_name=None))
    assert plain_text(view) == (
        "Send 0.1 ETH to 0x0000000000000000000000000000000000000000\n"
        "\n"
        "DANGER:        The payee is the zero address. What is sent there is lost.\n"
        "WARNING:       This wallet never paid\n"
        "               0x0000000000000000000000000000000000000000 before.\n"
        "\n"
        "Amount         0.1 ETH\n"
        "Payee          0x 0000 0000 0000 0000 0000 0000 0000 0000 0000 0000\n"
        'Account        0x f39F d6e5 1aad 88F6 F4ce 6aB8 8272 79cf fFb9 2266 "main"\n'
        "Chain          eip155:31337\n"
        "Maximum fee    0.00042 ETH (21000 gas at 20 gwei, of it at most 1 gwei as\n"
        "               tip)\n"
        "Total at most  0.10042 ETH\n"
        "Nonce          7\n"
        "\n"
        "NOT CHECKED    no list of blocked addresses is there: whether an address is\n"
        "               blocked, or not among those you allow\n"
        "NOT CHECKED    the node was not asked: whether the payee is a token's\n"
        "               contract; whether the payee is a contract, here or on another\n"
        "               chain; whether the payee's account was hardly ever used;\n"
        "               whether the fee is too high; whether the gas or the fee is\n"
        "               too low, or the chain cannot take it\n"
        "NOT CHECKED    the node did not simulate it: whether a simulation shows\n"
        "               something else than what is shown here\n"
        "\n" + "\n".join(_digest_lines(view.operation_digest))
    )


def _digest_lines(digest: str) -> list[str]:
    groups = [digest[at : at + 4] for at in range(0, 64, 4)]
    return [f"Operation      0x {' '.join(groups[:11])}", f"               {' '.join(groups[11:])}"]
