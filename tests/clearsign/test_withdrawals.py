"""What a person reads of a withdrawal: all of the string that is signed, and where everything else comes from.

Threat: T-006, T-021, T-022, T-120.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.clearsign.renderers.plain import plain_text
from mcp_wallet_guard.clearsign.view import check_decoded, view_hash
from mcp_wallet_guard.clearsign.withdrawals import LABELS, in_groups, minus, render_withdrawal
from mcp_wallet_guard.errors import PolicyDenied, Tampered
from mcp_wallet_guard.evidence import VenueFacts
from mcp_wallet_guard.operations import binance
from mcp_wallet_guard.operations.frozen import FrozenOperation
from mcp_wallet_guard.operations.requests import freeze_withdrawal, sha256
from mcp_wallet_guard.operations.values import Amount
from tests.operations.test_withdrawals import ACCOUNT, ASKED, COLD, REQUEST, TEMPLATE, fields

FACTS = VenueFacts(
    collected_at=1_800_000_000, destination="Cold wallet", form="evm", memo_rule="none", fee=Amount("0.1"),
    fee_source="venue", listed=True,
)  # fmt: skip
OPERATION = freeze_withdrawal(ASKED, REQUEST, ACCOUNT)


def shown(operation: FrozenOperation = OPERATION, facts: VenueFacts = FACTS) -> dict[str, str]:
    return {field.label: field.value for field in render_withdrawal(operation, facts).fields}


def findings(facts: VenueFacts = FACTS, operation: FrozenOperation = OPERATION) -> dict[str, str]:
    return {finding.code: finding.severity for finding in render_withdrawal(operation, facts).findings}


def test_everything_that_is_sent_is_shown_and_the_string_itself() -> None:
    assert shown() == {
        "Amount": "25.5 USDC",
        "Arrives": "25.4 USDC",
        "Fee": "0.1 USDC, as the venue says",
        "Address": "0x 7099 7970 C518 12dc 3A01 0C7d 01b5 0e0d 17dc 79C8",
        "Known as": '"Cold wallet"',
        "Network": "ARBITRUM",
        "Memo": "none",
        "Venue": "binance",
        "From": '"Trading", spot wallet',
        "Order id": "0123 4567 89ab cdef 0123 4567 89ab cdef",
        "Sent to": "POST https://api.binance.com/sapi/v1/capital/withdraw/apply",
        "Signed string": TEMPLATE,
        "Left open in it": "{timestamp}: its time, in milliseconds from 1800000000000 to 1800000600000",
        "SHA-256 of it": in_groups(sha256(TEMPLATE)),
    }
    view = render_withdrawal(OPERATION, FACTS)
    assert tuple(field.label for field in view.fields) == LABELS
    assert view.intent == f"Withdraw 25.5 USDC from binance over ARBITRUM to {COLD}"
    assert view_hash(view).hex() == "7140a41231f7bd4335d2fde92da64d5ba5098e40941e032899756f7d78046e76"


def test_its_plain_text_is_short_lines_of_ascii_and_keeps_every_character_of_the_string() -> None:
    text = plain_text(render_withdrawal(OPERATION, FACTS))
    lines = text.split("\n")
    assert all(len(line) <= 76 and line.isascii() for line in lines)
    start = next(number for number, line in enumerate(lines) if line.startswith("Signed string"))
    end = next(number for number, line in enumerate(lines) if line.startswith("Left open"))
    joined = "".join(line.removeprefix("Signed string").strip() for line in lines[start:end])
    assert joined == TEMPLATE


@given(asked=fields, memo=st.sampled_from(["required", "optional", "none"]))
def test_no_two_requests_are_shown_alike(asked: binance.Fields, memo: Any) -> None:
    """Threat: T-007. What differs in the bytes differs in what is read."""
    request = replace(REQUEST, template=binance.write(asked))
    operation = replace(OPERATION, unsigned_bytes=request.body)
    facts = FACTS.model_copy(update={"memo_rule": memo, "fee": Amount("0")})
    told = shown(operation, facts)
    assert told["Address"].replace(" ", "") == asked.address
    assert told["Memo"] == ("none" if asked.memo is None else f'"{asked.memo}"')
    assert all(value.isascii() and value.isprintable() for value in told.values())
    for change in ({"network": asked.network + "X"[: 24 - len(asked.network)]}, {"amount": Amount("7.77")}):
        other = replace(asked, **change)
        if other != asked:
            changed = replace(OPERATION, unsigned_bytes=replace(REQUEST, template=binance.write(other)).body)
            assert shown(changed, facts) != told


@pytest.mark.parametrize(
    ("facts", "code", "severity"),
    [
        ({}, "withdrawal.unseen", "warning"),
        ({}, "withdrawal.shared_form", "warning"),
        ({"form": "tron"}, "withdrawal.shared_form", None),
        ({}, "withdrawal.unlisted", None),
        ({"listed": False}, "withdrawal.unlisted", "danger"),
        ({"listed": None}, "withdrawal.unlisted", "notice"),
        ({}, "fee.high", None),
        ({"fee": Amount("5.1")}, "fee.high", None),
        ({"fee": Amount("5.100001")}, "fee.high", "warning"),
        ({"fee": Amount("12.76")}, "fee.high", "danger"),
        ({}, "withdrawal.fee_unchecked", None),
        ({"fee_source": "settings"}, "withdrawal.fee_unchecked", "notice"),
        ({}, "withdrawal.no_memo", None),
        ({"memo_rule": "optional"}, "withdrawal.no_memo", "warning"),
        ({}, "withdrawal.plain_http", None),
    ],
)
def test_a_finding_is_there_when_it_is_due_and_not_otherwise(
    facts: dict[str, Any], code: str, severity: str | None
) -> None:
    assert findings(FACTS.model_copy(update=facts)).get(code) == severity


def test_the_worst_finding_comes_first_and_not_checked_is_said() -> None:
    view = render_withdrawal(OPERATION, FACTS.model_copy(update={"listed": False, "fee_source": "settings"}))
    severities = [finding.severity for finding in view.findings]
    assert severities == sorted(severities, key=["danger", "warning", "notice"].index)
    unknown = render_withdrawal(OPERATION, FACTS.model_copy(update={"listed": None}))
    assert any(finding.text.startswith("Not checked: ") for finding in unknown.findings)


def test_a_plain_address_of_the_venue_is_said() -> None:
    local = replace(REQUEST, endpoint="http://127.0.0.1:8080/sapi/v1/capital/withdraw/apply")
    operation = replace(OPERATION, unsigned_bytes=local.body)
    assert findings(operation=operation)["withdrawal.plain_http"] == "warning"


def test_a_fee_that_takes_all_of_it_is_never_shown() -> None:
    for fee in ("25.5", "25.500001", "100"):
        with pytest.raises(Tampered):
            render_withdrawal(OPERATION, FACTS.model_copy(update={"fee": Amount(fee)}))


def test_what_is_too_long_to_be_read_is_refused() -> None:
    asked = replace(binance.read(TEMPLATE), address="a" * 1_100)
    operation = replace(OPERATION, unsigned_bytes=replace(REQUEST, template=binance.write(asked)).body)
    with pytest.raises(PolicyDenied):
        render_withdrawal(operation, FACTS)


@given(amount=st.integers(1, 10**30), fee=st.integers(0, 10**30), places=st.integers(0, 18), other=st.integers(0, 18))
def test_what_arrives_is_exact(amount: int, fee: int, places: int, other: int) -> None:
    one, two = _decimal(amount, places), _decimal(fee, other)
    left = Fraction(one.text) - Fraction(two.text)
    if left <= 0:
        with pytest.raises(Tampered):
            minus(one, two)
    else:
        assert Fraction(minus(one, two).text) == left


def test_only_what_was_asked_is_decoded() -> None:
    assert check_decoded(OPERATION, FACTS, effect=ASKED).view == render_withdrawal(OPERATION, FACTS)
    for asked in (replace(ASKED, amount=Amount("25.4")), replace(ASKED, reference="1"), replace(ASKED, memo="1")):
        with pytest.raises(Tampered):
            check_decoded(OPERATION, FACTS, effect=asked)
    with pytest.raises(Tampered):
        check_decoded(OPERATION, None, effect=ASKED)
    with pytest.raises(Tampered):
        check_decoded(replace(OPERATION, kind="action"), FACTS, effect=ASKED)


def _decimal(units: int, places: int) -> Amount:
    digits = str(units).rjust(places + 1, "0")
    return Amount(f"{digits[:-places]}.{digits[-places:]}" if places else digits)
