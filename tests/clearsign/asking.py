"""What the checks say of a reading, in short."""

from __future__ import annotations

from mcp_wallet_guard.clearsign.reading import Reading
from mcp_wallet_guard.clearsign.risks.known import Known
from mcp_wallet_guard.clearsign.risks.results import Result, Status
from mcp_wallet_guard.clearsign.risks.table import results
from tests.clearsign.readings import KNOWN


def raised(reading: Reading, known: Known = KNOWN) -> set[str]:
    return {result.code for result in results(reading, known) if result.status is Status.RAISED}


def of(code: str, reading: Reading, known: Known = KNOWN) -> list[Result]:
    found = results(reading, known)
    return [result for result in found if result.code == code and result.status is Status.RAISED]


def unchecked(reading: Reading, known: Known = KNOWN) -> set[int]:
    return {result.check for result in results(reading, known) if result.status is Status.NOT_CHECKED}
