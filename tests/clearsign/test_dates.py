"""Dates by integers are those of the calendar."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.clearsign import dates


@given(st.integers(0, 253_402_300_799))
def test_a_date_is_that_of_the_calendar(seconds: int) -> None:
    expected = datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%SZ")
    day = datetime.fromtimestamp(seconds, UTC).date().isoformat()
    assert dates.date(seconds) == f"{day} {expected}"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "1970-01-01 00:00:00Z"),
        (951_782_400, "2000-02-29 00:00:00Z"),
        (4_107_542_399, "2100-02-28 23:59:59Z"),
        (4_107_542_400, "2100-03-01 00:00:00Z"),
        (253_402_300_800, "10000-01-01 00:00:00Z"),
        (2**48 - 1, "no end"),
        (2**256 - 1, "no end"),
    ],
)
def test_leap_years_centuries_and_no_end(seconds: int, shown: str) -> None:
    assert dates.date(seconds) == shown


def test_nothing_is_before_1970() -> None:
    with pytest.raises(ValueError, match="1970"):
        dates.date(-1)


@pytest.mark.parametrize(("seconds", "shown"), [(0, "00:00:00"), (3_661, "01:01:01"), (360_000, "100:00:00")])
def test_a_duration_has_as_many_hours_as_it_takes(seconds: int, shown: str) -> None:
    assert dates.duration(seconds) == shown
