"""Dates by integers: RFC 3339 and the calendar that Python has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.operations.rfc3339 import format_seconds, parse_seconds

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)), st.integers(-1439, 1439))  # noqa: DTZ001
def test_seconds_are_those_of_the_calendar(naive: datetime, offset: int) -> None:
    moment = naive.replace(microsecond=0, tzinfo=UTC)
    seconds = (moment - EPOCH) // timedelta(seconds=1)
    text = moment.strftime("%m-%dT%H:%M:%S")
    text = f"{moment.year:04}-{text}"
    assert parse_seconds(f"{text}Z") == seconds
    assert format_seconds(seconds) == f"{text}Z"
    sign = "-" if offset < 0 else "+"
    shifted = f"{text}.25{sign}{abs(offset) // 60:02}:{abs(offset) % 60:02}"
    assert parse_seconds(shifted) == seconds - offset * 60


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        # Source: RFC 3339 section 5.8.
        ("1985-04-12T23:20:50.52Z", 482_196_050),
        ("1996-12-19T16:39:57-08:00", 851_042_397),
        ("1990-12-31T23:59:60Z", 662_688_000),
        ("1990-12-31T15:59:60-08:00", 662_688_000),
        ("1937-01-01T12:00:27.87+00:20", -1_041_337_173),
        ("1970-01-01t00:00:00z", 0),
        ("2000-02-29T00:00:00Z", 951_782_400),
    ],
)
def test_the_examples_of_the_standard_are_read(text: str, seconds: int) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "", "2021-09-30", "2021-09-30T16:25:24", "2021-09-30 16:25:24Z", "2021-9-30T16:25:24Z", "2021-13-01T00:00:00Z",
        "2021-00-01T00:00:00Z", "2021-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2021-04-31T00:00:00Z",
        "2021-01-00T00:00:00Z", "2021-01-01T24:00:00Z", "2021-01-01T00:60:00Z", "2021-01-01T00:00:61Z",
        "2021-01-02T12:00:60Z", "2021-01-02T23:59:60Z", "2021-01-01T00:00:00.Z", "2021-01-01T00:00:00+24:00",
        "2021-01-01T00:00:00+00:60", "2021-01-01T00:00:00+0000", "\u0662021-01-01T00:00:00Z", "2021-01-01T00:00:00Z\n",
        "12021-01-01T00:00:00Z", "0000-01-01T00:00:00-24:00", "2021-01-01T00:00:00." + "0" * 19 + "Z",
    ],
)  # fmt: skip
def test_dates_that_do_not_exist_or_are_written_otherwise_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"RFC 3339|no such|leap second"):
        parse_seconds(text)


@pytest.mark.parametrize("seconds", [-62_135_596_801, 253_402_300_800])
def test_there_is_no_text_outside_the_calendar(seconds: int) -> None:
    with pytest.raises(ValueError, match="years"):
        format_seconds(seconds)
