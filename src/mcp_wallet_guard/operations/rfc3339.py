"""RFC 3339 date-times <-> unix seconds, by integers alone.

The calendar is the proleptic Gregorian one of the RFC. A leap second counts as the second that follows it. A fraction
is dropped: no decision here is finer than a second. Source: RFC 3339 section 5.6.
"""

from __future__ import annotations

import re
from typing import Final

_DATE_TIME: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]{1,18})?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)
_DAYS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_EPOCH: Final = 719_162
"""Days from 0001-01-01 to 1970-01-01."""
_DAY: Final = 86_400


def parse_seconds(text: str, /) -> int:
    """Unix seconds, negative before 1970. Raises ValueError for all that is not a date-time that exists."""
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        raise ValueError("not an RFC 3339 date-time")
    year, month, day, hour, minute, second = (int(match[group]) for group in range(1, 7))
    if not 1 <= month <= 12 or not 1 <= day <= _month_days(year, month) or hour > 23 or minute > 59 or second > 60:
        raise ValueError("no such date or time")
    offset = _offset(match[7], match[8], match[9])
    seconds = _days(year, month, day) * _DAY + hour * 3600 + minute * 60 + second - offset
    # Leap seconds end a month, in UTC; the last of one is what follows 23:59:59 there.
    if second == 60 and (seconds % _DAY or not _begins_month(seconds // _DAY)):
        raise ValueError("no leap second is there")
    return seconds


def format_seconds(seconds: int, /) -> str:
    """``2021-09-30T16:25:24Z``. Raises ValueError outside the years 0001 to 9999."""
    days, rest = divmod(seconds, _DAY)
    year, month, day = _date(days)
    return f"{year:04}-{month:02}-{day:02}T{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}Z"


def _offset(sign: str | None, hours: str | None, minutes: str | None) -> int:
    if sign is None or hours is None or minutes is None:
        return 0
    if int(hours) > 23 or int(minutes) > 59:
        raise ValueError("no such offset")
    seconds = int(hours) * 3600 + int(minutes) * 60
    return -seconds if sign == "-" else seconds


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _month_days(year: int, month: int) -> int:
    return 29 if month == 2 and _is_leap(year) else _DAYS[month - 1]


def _days(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01."""
    before = year - 1
    years = before * 365 + before // 4 - before // 100 + before // 400
    return years + sum(_month_days(year, each) for each in range(1, month)) + day - 1 - _EPOCH


def _date(days: int) -> tuple[int, int, int]:
    year = 1970 + days // 366  # at most a few years too early; never too late after 1970
    if days < 0:
        year = 1970 + days // 365 - 1
    if not -_EPOCH <= days <= _days(9999, 12, 31):
        raise ValueError("outside the years 0001 to 9999")
    while _days(year + 1, 1, 1) <= days:
        year += 1
    rest, month = days - _days(year, 1, 1), 1
    while rest >= _month_days(year, month):
        rest -= _month_days(year, month)
        month += 1
    return year, month, rest + 1


def _begins_month(days: int) -> bool:
    return -_EPOCH < days <= _days(9999, 12, 31) and _date(days)[2] == 1
