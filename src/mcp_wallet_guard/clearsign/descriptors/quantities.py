"""Numbers as text, exactly: decimals, dates, durations, units. Integers only; nothing is rounded and no locale asked.

The forms are those of the public registry's test cases. Source: ERC-7730, "Integer formats".
"""

from __future__ import annotations

from typing import Final

_DAY: Final = 86_400
_YEAR_DAYS: Final = 365
_ERA: Final = 146_097
"""Days of 400 years."""
_FIRST: Final = -62_135_596_800
"""0001-01-01 00:00:00 in unix seconds."""
_LAST: Final = 253_402_300_799
"""9999-12-31 23:59:59."""
MAX_DECIMALS: Final = 255
_PREFIXES: Final = {
    24: "Y", 21: "Z", 18: "E", 15: "P", 12: "T", 9: "G", 6: "M", 3: "k", 0: "",
    -3: "m", -6: "u", -9: "n", -12: "p", -15: "f", -18: "a", -21: "z", -24: "y",
}  # fmt: skip
"""Exponent -> SI prefix; micro is "u", since all text is ASCII."""


def decimal(number: int, /, *, decimals: int) -> str:
    """`number` divided by ten to the power of `decimals`, without trailing zeros; multiplied, when it is negative."""
    sign, digits = ("-" if number < 0 else ""), str(abs(number))
    if decimals <= 0:
        return sign + (digits + "0" * -decimals if number else "0")
    digits = digits.rjust(decimals + 1, "0")
    whole, part = digits[:-decimals], digits[-decimals:].rstrip("0")
    return sign + (f"{whole}.{part}" if part else whole)


def date(seconds: int, /) -> str | None:
    """``2024-02-29 08:27:12Z``, in UTC; None outside of the years 1 to 9999. Source: RFC 3339."""
    if not _FIRST <= seconds <= _LAST:
        return None
    days, rest = divmod(seconds, _DAY)
    year, month, day = _civil(days)
    return f"{year:04}-{month:02}-{day:02} {rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}Z"


def _civil(days: int) -> tuple[int, int, int]:
    """Year, month, day of a number of days since 1970-01-01, in the Gregorian calendar without beginning. Years are
    counted from March, so that the leap day is their last."""
    era, day_of_era = divmod(days + 719_468, _ERA)
    year = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // _YEAR_DAYS
    day_of_year = day_of_era - (_YEAR_DAYS * year + year // 4 - year // 100)
    month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    return year + era * 400 + (month <= 2), month, day


def duration(seconds: int, /) -> str:
    """``HH:MM:SS``, with as many hours as there are."""
    sign, rest = ("-" if seconds < 0 else ""), abs(seconds)
    return f"{sign}{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"


def unit(number: int, /, *, base: str, decimals: int, prefix: bool) -> str:
    """``36ks``: the decimal, an SI prefix that leaves 1 to 999 before it where there is one, and the unit."""
    if not prefix or number == 0:
        return decimal(number, decimals=decimals) + base
    exponent = (len(str(abs(number))) - 1 - decimals) // 3 * 3
    exponent = max(min(exponent, 24), -24)
    return decimal(number, decimals=decimals + exponent) + _PREFIXES[exponent] + base
