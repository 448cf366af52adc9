"""Withdrawals from an exchange: where to, over which network, with which memo. Threat: T-025."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mcp_wallet_guard.clearsign.aspects import WITHDRAWS
from mcp_wallet_guard.clearsign.reading import Reading, Withdrawal
from mcp_wallet_guard.clearsign.risks.known import Known, Venue
from mcp_wallet_guard.clearsign.risks.results import Check, Evidence, Gap, Hit, Saying, Severity


def _withdrawal(reading: Reading, known: Known) -> Iterator[Hit | Gap]:
    withdrawal, path = reading.withdrawal, reading.root.path
    if withdrawal is None:
        return
    if withdrawal.network is None:
        yield Hit(code="venue.no_network", path=path)
    if withdrawal.received is None:
        yield Hit(code="venue.fee_unknown", path=path)
    venue = next((venue for venue in known.venues or () if venue.name == withdrawal.venue), None)
    if venue is None:
        yield Gap(missing="venues", path=path)
        return
    yield from _memo(withdrawal, venue, path)
    if venue.white_list is None:
        yield Gap(missing="venues", path=path)
    elif all(
        (entry.network, entry.address, entry.memo) != (withdrawal.network, withdrawal.address, withdrawal.memo)
        for entry in venue.white_list
    ):
        yield Hit(code="venue.not_listed", path=path, source=Evidence.LIST)


def _memo(withdrawal: Withdrawal, venue: Venue, path: str) -> Iterator[Hit | Gap]:
    if withdrawal.network is None:
        return
    if withdrawal.network in venue.memos:
        if not withdrawal.memo:
            yield Hit(code="venue.no_memo", path=path, source=Evidence.LIST)
    elif withdrawal.network in venue.no_memos:
        if withdrawal.memo:
            yield Hit(code="venue.memo_unsupported", path=path, source=Evidence.LIST)
    else:
        yield Gap(missing="venues", path=path)


CHECKS: Final = (
    Check(
        number=45,
        subject="a withdrawal may go astray",
        needs=(Evidence.BYTES, Evidence.LIST),
        effects=False,
        sayings=(
            Saying(
                code="venue.no_network",
                severity=Severity.REFUSE,
                sentence="No network is given, so the venue picks one. On the wrong one the money is lost.",
            ),
            Saying(
                code="venue.no_memo",
                severity=Severity.DANGER,
                sentence="Payees on this network need a memo, and there is none. The money may be lost.",
            ),
            Saying(
                code="venue.memo_unsupported",
                severity=Severity.DANGER,
                sentence="There is a memo, and this network has none.",
            ),
            Saying(
                code="venue.fee_unknown",
                severity=Severity.DANGER,
                sentence="How much arrives after the venue's fee is not settled.",
            ),
            Saying(
                code="venue.not_listed",
                severity=Severity.DANGER,
                sentence="This address, network and memo are not on the venue's own list of yours.",
            ),
        ),
        examine=_withdrawal,
        about=WITHDRAWS,
    ),
)
