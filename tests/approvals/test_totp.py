"""One-time codes: what counts, what is burned, and which door closes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.approvals.factors import totp
from mcp_wallet_guard.errors import FactorRejected, InvalidInput, LockedOut
from mcp_wallet_guard.evidence import FactorRow

SECRET = b"12345678901234567890"
NOW = 1_800_000_000
STEP = NOW // 30
ROW = FactorRow(id="totp-1", kind="totp", last_step=-1)
VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "totp" / "rfc6238_sha1.json").read_text())


def code_at(step: int) -> str:
    return pyotp.TOTP("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").generate_otp(step)


def wrong_code() -> str:
    right = {code_at(step) for step in range(STEP - 2, STEP + 3)}
    return next(f"{n:06}" for n in range(10) if f"{n:06}" not in right)


@pytest.mark.parametrize("row", VECTORS["totp"], ids=lambda row: str(row["time"]))
def test_rfc_6238_codes_are_accepted_with_their_step(row: dict[str, int | str]) -> None:
    six = str(row["eight_digits"])[-6:]
    assert totp.check_code(SECRET, six, now=int(row["time"]), last_step=-1) == row["step"]


@pytest.mark.parametrize("counter", range(10))
def test_rfc_4226_values_are_those_of_the_first_ten_steps(counter: int) -> None:
    assert totp.check_code(SECRET, VECTORS["hotp"][counter], now=counter * 30, last_step=-1) == counter


def test_the_current_step_and_the_one_before_count() -> None:
    assert totp.check_code(SECRET, code_at(STEP), now=NOW, last_step=-1) == STEP
    assert totp.check_code(SECRET, code_at(STEP - 1), now=NOW, last_step=-1) == STEP - 1


@pytest.mark.parametrize("ahead_or_old", [-2, 1, 2])
def test_no_step_ahead_and_none_older_counts(ahead_or_old: int) -> None:
    """Threat: T-083."""
    with pytest.raises(FactorRejected) as refused:
        totp.check_code(SECRET, code_at(STEP + ahead_or_old), now=NOW, last_step=-1)
    assert refused.value.code == "factor.rejected"


def test_a_code_counts_once_and_burns_the_earlier_step_too() -> None:
    """Threat: T-079."""
    with pytest.raises(FactorRejected):
        totp.check_code(SECRET, code_at(STEP), now=NOW, last_step=STEP)
    with pytest.raises(FactorRejected):
        totp.check_code(SECRET, code_at(STEP - 1), now=NOW, last_step=STEP)
    assert totp.check_code(SECRET, code_at(STEP), now=NOW, last_step=STEP - 1) == STEP


def test_a_used_code_reads_like_a_wrong_one() -> None:
    """Threat: T-079."""
    with pytest.raises(FactorRejected) as used:
        totp.check_code(SECRET, code_at(STEP), now=NOW, last_step=STEP)
    with pytest.raises(FactorRejected) as wrong:
        totp.check_code(SECRET, wrong_code(), now=NOW, last_step=-1)
    assert used.value.code == wrong.value.code == "factor.rejected"


@pytest.mark.parametrize(
    "text",
    [
        "\uff11\uff12\uff13\uff14\uff15\uff16",  # full-width
        "\u0661\u0662\u0663\u0664\u0665\u0666",  # Arabic-Indic
        "\U0001d7ce" * 6,  # mathematical bold
        "12345",
        "1234567",
        "-12345",
        "+12345",
        "12_345",
        "0x1234",
        "1e5000",
        "123456\n",
        "123\t456",
        "123\u00a0456",
        "123456\x00",
        "",
        " " * 6,
        " " * 11 + "123456",
        "1" * 5000,
    ],
)
def test_only_six_ascii_digits_are_a_code(text: str) -> None:
    """Threat: T-084."""
    with pytest.raises(FactorRejected) as refused:
        totp.check_code(SECRET, text, now=NOW, last_step=-1)
    assert refused.value.code == "factor.format"


def test_full_width_digits_of_the_right_code_are_refused_although_pyotp_folds_them() -> None:
    """Threat: T-084."""
    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in code_at(STEP))
    assert pyotp.TOTP("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").verify(wide, for_time=NOW)
    with pytest.raises(FactorRejected):
        totp.check_code(SECRET, wide, now=NOW, last_step=-1)


def test_inner_spaces_are_how_apps_show_codes() -> None:
    code = code_at(STEP)
    assert totp.check_code(SECRET, f" {code[:3]} {code[3:]} ", now=NOW, last_step=-1) == STEP


@given(st.text(max_size=12))
def test_nothing_but_digits_and_spaces_ever_reaches_the_comparison(text: str) -> None:
    """Threat: T-084."""
    try:
        code = totp.canonical_code(text)
    except FactorRejected:
        return
    assert code == text.replace(" ", "")
    assert len(code) == 6
    assert set(code) <= set("0123456789")


def test_a_revealed_secret_works_as_a_view() -> None:
    assert totp.check_code(memoryview(SECRET), code_at(STEP), now=NOW, last_step=-1) == STEP


def test_five_wrong_codes_in_a_row_lock_the_owners_door_whatever_the_time() -> None:
    """Threat: T-081."""
    row = ROW
    for attempt in range(5):
        row = totp.begin_attempt(row, now=NOW + attempt * 86_400, paired=True)
    assert (row.failures, row.locked) == (5, 1)
    with pytest.raises(LockedOut) as refused:
        totp.begin_attempt(row, now=NOW + 10**8, paired=True)
    assert refused.value.code == "factor.locked_out"


def test_the_fifth_attempt_still_counts_when_it_is_right() -> None:
    row = ROW
    for _ in range(5):
        row = totp.begin_attempt(row, now=NOW, paired=True)
    row = totp.accept(row, STEP, paired=True)
    assert (row.failures, row.locked, row.last_step) == (0, 0, STEP)


def test_an_attempt_is_counted_before_it_is_compared() -> None:
    """Threat: T-081."""
    # A crash between counting and comparing leaves a failure, never a free guess.
    assert totp.begin_attempt(ROW, now=NOW, paired=True).failures == 1
    assert totp.begin_attempt(ROW, now=NOW, paired=False).unpaired_failures == 1


def test_a_row_that_says_locked_is_locked_whatever_its_count() -> None:
    with pytest.raises(LockedOut):
        totp.begin_attempt(replace(ROW, locked=1), now=NOW, paired=True)


def test_unpaired_guesses_close_their_own_door_and_leave_the_owners_open() -> None:
    """Threat: T-082."""
    row = ROW
    for _ in range(5):
        row = totp.begin_attempt(row, now=NOW, paired=False)
    with pytest.raises(FactorRejected) as refused:
        totp.begin_attempt(row, now=NOW + 3599, paired=False)
    assert refused.value.code == "factor.door_closed"
    assert (row.failures, row.locked) == (0, 0)
    assert totp.begin_attempt(row, now=NOW, paired=True).failures == 1


def test_the_unpaired_door_opens_again_an_hour_after_its_first_wrong_code() -> None:
    row = ROW
    for _ in range(5):
        row = totp.begin_attempt(row, now=NOW, paired=False)
    again = totp.begin_attempt(row, now=NOW + 3600, paired=False)
    assert (again.unpaired_failures, again.unpaired_since) == (1, NOW + 3600)


def test_turning_the_clock_back_does_not_open_the_unpaired_door() -> None:
    """Threat: T-083."""
    row = ROW
    for _ in range(5):
        row = totp.begin_attempt(row, now=NOW, paired=False)
    with pytest.raises(FactorRejected):
        totp.begin_attempt(row, now=NOW - 10**6, paired=False)


def test_wrong_codes_in_the_owners_door_leave_the_unpaired_one_open() -> None:
    row = ROW
    for _ in range(5):
        row = totp.begin_attempt(row, now=NOW, paired=True)
    assert totp.begin_attempt(row, now=NOW, paired=False).unpaired_failures == 1


def test_a_right_code_clears_only_its_own_doors_count() -> None:
    row = replace(ROW, failures=3, unpaired_failures=4, unpaired_since=NOW)
    assert totp.accept(row, STEP, paired=True) == replace(row, failures=0, last_step=STEP)
    assert totp.accept(row, STEP, paired=False) == replace(row, unpaired_failures=0, unpaired_since=0, last_step=STEP)


@pytest.mark.parametrize("step", [STEP, STEP - 1])
def test_of_two_uses_that_raced_the_second_is_refused(step: int) -> None:
    """Threat: T-079, T-103."""
    row = totp.accept(ROW, STEP, paired=True)
    with pytest.raises(FactorRejected):
        totp.accept(row, step, paired=True)


def test_unlock_opens_both_doors_and_burns_its_code() -> None:
    """Threat: T-079."""
    row = replace(ROW, failures=5, locked=1, unpaired_failures=5, unpaired_since=NOW)
    assert totp.unlock(row, STEP) == replace(ROW, last_step=STEP)
    with pytest.raises(FactorRejected):
        totp.unlock(totp.unlock(row, STEP), STEP)


def test_a_new_secret_has_160_fresh_bits() -> None:
    assert len(totp.new_secret()) == 20
    assert totp.new_secret() != totp.new_secret()
    assert totp.new_secret(lambda count: b"\x07" * count) == b"\x07" * 20


def test_the_provisioning_uri_carries_the_secret_and_the_label_once() -> None:
    uri = urlsplit(totp.provisioning_uri(SECRET, label="treasury at home"))
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert uri.path == "/mcp-wallet-guard:treasury%20at%20home"
    assert parse_qs(uri.query) == {
        "secret": ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"],
        "issuer": ["mcp-wallet-guard"],
    }


@pytest.mark.parametrize("label", ["", "a:b", "a&secret=AAAA", "x" * 65, "caf\u00e9", "a\nb"])
def test_a_label_cannot_change_the_provisioning_uri(label: str) -> None:
    with pytest.raises(InvalidInput):
        totp.provisioning_uri(SECRET, label=label)
