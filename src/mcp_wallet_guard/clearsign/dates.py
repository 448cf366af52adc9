"""Unix seconds as dates and durations, by integers alone: no clock, no time zone, no leap seconds. Source: RFC 3339."""

from __future__ import annotations

from typing import Final

NEVER: Final = 2**48
"""Contracts write the largest number of 48, 64 or 256 bits for "no end": nine million years and more."""
_DAY: Final = 86_400
_DAYS_TO_1970: Final = 719_468
"""From 0000-03-01."""
_ERA: Final = 146_097
"""Days of 400 years."""


def date(seconds: int, /) -> str:
    """``2026-10-31 18:40:00Z``, or "no end" from 2**48 - 1 on. Raises ValueError below 0."""
    if seconds < 0:
        raise ValueError("before 1970")
    if seconds >= NEVER - 1:
        return "no end"
    days, rest = divmod(seconds, _DAY)
    year, month, day = _civil(days)
    return f"{year:04d}-{month:02d}-{day:02d} {duration(rest)}Z"


def duration(seconds: int, /) -> str:
    """``HH:MM:SS``, with as many hours as it takes."""
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02d}:{minute:02d}:{second:02d}"


def _civil(days: int) -> tuple[int, int, int]:
    """Year, month and day. Years begin in March here, so that a leap day is the last of its year."""
    era, day = divmod(days + _DAYS_TO_1970, _ERA)
    year = (day - day // 1_460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5
    march_year = year + 400 * era
    return march_year + (month >= 10), month + 3 if month < 10 else month - 9, day + 1
