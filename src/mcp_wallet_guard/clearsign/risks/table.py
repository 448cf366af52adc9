"""All checks in one table, and the two questions that may be put to it. docs/risks.md is made from it.

The numbers are those of the survey that the list comes from; what only a service could answer is not among them.
Threat: T-020, T-021, T-028, T-043.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Final

from mcp_wallet_guard.clearsign.reading import Reading
from mcp_wallet_guard.clearsign.risks import (
    approvals,
    calldata,
    contracts,
    control,
    fees,
    messages,
    names,
    orders,
    recipients,
    repeats,
    simulations,
    typed,
    venues,
)
from mcp_wallet_guard.clearsign.risks.known import Known
from mcp_wallet_guard.clearsign.risks.results import Check, Result, Severity, Status, tell
from mcp_wallet_guard.confirmation import Finding

_FILES: Final = (
    approvals, calldata, contracts, control, fees, messages, names, orders, recipients, repeats, simulations, typed,
    venues,
)  # fmt: skip
CHECKS: Final[tuple[Check, ...]] = tuple(
    sorted(chain.from_iterable(file.CHECKS for file in _FILES), key=lambda check: check.number)
)
"""By number, 1 to 45."""

REFUSED: Final = frozenset(
    saying.code for check in CHECKS for saying in check.sayings if saying.severity is Severity.REFUSE
)
"""Codes of what is not signed, whoever says yes."""

_WORST: Final = (Severity.REFUSE, Severity.DANGER, Severity.WARNING, Severity.NOTICE)


def results(reading: Reading, known: Known, /) -> tuple[Result, ...]:
    """What every check says: the raised ones first, the worst of them first, then the unchecked, then the passed."""
    raised, unchecked, passed = _judged(reading, known)
    return (*raised, *unchecked, *passed)


def told(reading: Reading, known: Known, /) -> tuple[list[Result], list[Result]]:
    """What a person is told of that: what was raised, and what was not checked."""
    raised, unchecked, _ = _judged(reading, known)
    return raised, unchecked


def findings(found: Iterable[Result], /) -> tuple[Finding, ...]:
    """What was raised, for a view, in the order given."""
    return tuple(result.finding() for result in found if result.status is Status.RAISED)


def _judged(reading: Reading, known: Known) -> tuple[list[Result], list[Result], list[Result]]:
    raised: list[Result] = []
    unchecked: list[Result] = []
    passed: list[Result] = []
    aspects, is_read = reading.aspects, reading.unread is None
    for check in CHECKS:
        asked = check.about & aspects or (check.effects and not is_read)
        if not (asked and tell(check, reading, known, raised, unchecked)):
            passed.append(check.passed)
    raised.sort(key=lambda result: _WORST.index(result.severity))
    return raised, unchecked, passed
