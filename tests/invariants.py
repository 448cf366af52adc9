"""What must hold after every attack, crash and race: the invariants of a guarded wallet, read from what it left behind.

    report = await check_invariants(rig)

Opens a fresh guard over the same files, so that nothing is believed that is only in memory.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcp_wallet_guard.ceremony import state_of
from mcp_wallet_guard.evidence import AccountRow, ApprovalRow, OperationRow, ReservationRow, State
from mcp_wallet_guard.journal.events import Kind

if TYPE_CHECKING:
    from mcp_wallet_guard.owner import OwnedGuard
    from mcp_wallet_guard.stores.base import Transaction
    from tests.guard.rig import Rig

ONCE = (Kind.PROPOSED, Kind.APPROVED, Kind.CONSUMED, Kind.SIGNED, Kind.SETTLED, Kind.REFUSED, Kind.EXPIRED)
WITH_APPROVAL = {State.FROZEN, State.APPROVED, State.CONSUMED}
HOLDERS = WITH_APPROVAL | {State.UNKNOWN}


@dataclass(frozen=True, slots=True)
class Report:
    """What was found: journal events by kind, signatures made, distinct transactions that the chain received."""

    events: Counter[str]
    signatures: int
    sent: int
    outcomes: dict[str, str]

    def count(self, kind: Kind) -> int:
        return self.events[kind.value]


async def check_invariants(rig: Rig) -> Report:
    """Raises AssertionError for any broken one."""
    async with rig.opened() as wallet:
        return await check_guard(rig, wallet.owned)


async def check_guard(rig: Rig, owned: OwnedGuard) -> Report:
    """The same with a guard that is open already."""
    log = await owned.verify_log()
    assert log.keyed
    fields = [entry.fields for entry in await owned.custody.store.journal()]
    by_operation: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for each in fields:
        if each["kind"].startswith("operation."):
            by_operation[each["subject"]].append(each)
    events = Counter(each["kind"] for each in fields)

    shown = {e["data"]["digest"] for e in fields if e["kind"] == Kind.FROZEN and "digest" in e["data"]}
    signatures = rig.signatures()
    assert len(signatures) <= events[Kind.CONSUMED], "more signatures than consumed approvals"
    assert events[Kind.CONSUMED] <= events[Kind.APPROVED] <= events[Kind.FACTOR_USED] + _by_mandates(fields)
    assert set(signatures) <= shown, "something was signed that nobody was shown"

    stored: dict[str, str] = {}
    for operation, history in by_operation.items():
        kinds = Counter(each["kind"] for each in history)
        assert all(kinds[kind] <= 1 for kind in ONCE), f"{operation}: one event per decision: {kinds}"
        for each in history:
            if each["kind"] == Kind.SIGNED and each["data"].keys() & {"transaction_hash", "signing_hash"}:
                data = each["data"]
                stored["0x" + data.get("transaction_hash", data.get("signing_hash"))] = operation
    assert len(set(stored.values())) == len(stored), "two transactions for one approval"
    sent = rig.sent()
    assert sent <= set(stored), "something was sent that was not stored first"

    outcomes = await owned.custody.transact(_rows)
    mined = sum(1 for outcome in _journalled(fields) if outcome == "mined")
    assert mined <= len(sent), "something settled that was never sent"
    return Report(events=events, signatures=len(signatures), sent=len(sent), outcomes=outcomes)


def _by_mandates(fields: list[dict[str, Any]]) -> int:
    """How many payments nobody was asked about, each by a mandate that a factor had approved before."""
    good: set[str] = set()
    uses = 0
    for each in fields:
        if each["kind"] in {Kind.MANDATE_APPROVED, Kind.MANDATE_ENDED}:
            change = good.add if each["kind"] == Kind.MANDATE_APPROVED else good.discard
            change(each["subject"].removeprefix("mandate:"))
        elif each["kind"] == Kind.APPROVED and (mandate := each["data"]["evidence"]["mandate"]) is not None:
            assert mandate in good, "a mandate was used that nobody had approved"
            uses += 1
    return uses


def _journalled(fields: list[dict[str, Any]]) -> list[str]:
    return [each["data"]["outcome"] for each in fields if each["kind"] == Kind.SETTLED]


def _rows(tx: Transaction) -> dict[str, str]:
    """Every live row agrees with the others; operation id -> state and outcome."""
    tx.check_live()
    tx.check_entries(0)
    rows = {row.id: row for row in tx.all(OperationRow)}
    states = {row.id: state_of(row) for row in rows.values()}
    approvals = {row.operation for row in tx.all(ApprovalRow)}
    assert approvals == {name for name, state in states.items() if state in WITH_APPROVAL}
    for account in tx.all(AccountRow):
        if account.holder is not None:
            assert states[account.holder] in HOLDERS, "the account's nonce is held by something that is over"
    for reservation in tx.all(ReservationRow):
        over = states[reservation.operation] is State.SETTLED
        assert (reservation.state == "settled") == over, "a reservation outlives what it was for"
    return {name: rows[name].outcome or state.value for name, state in states.items()}
