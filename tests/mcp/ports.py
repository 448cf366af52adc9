"""A small, honest guard in memory: it asks, joins, repeats and refuses like the real one, and signs nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Literal

import anyio

from mcp_wallet_guard.approvals.links import new_operation_id
from mcp_wallet_guard.errors import GuardError, InvalidInput, Locked, Unavailable
from mcp_wallet_guard.exchange import (
    Acted,
    ActionProposal,
    ActOutcome,
    Done,
    HistoryEntry,
    MayAct,
    Pending,
    Proposal,
    ReadRecord,
    Receipt,
    RefusedAnswer,
    WalletInfo,
)
from mcp_wallet_guard.filters.fingerprints import FingerprintSet, build
from mcp_wallet_guard.operations.intents import Transfer, from_json

ACCOUNT = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
PAYEE = "0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF"
OTHER = "0x6813Eb9362372EEF6200f3b1dbC3f819671cBA69"


Outcome = Literal["mined", "sent", "failed", "replaced", "unknown", "burned", "signed_but_invalid"]


@dataclass
class _Operation:
    id: str
    principal: str
    effect: str
    intent: Transfer
    state: Literal["pending", "approved", "declined", "done", "expired"] = "pending"
    changed: anyio.Event = field(default_factory=anyio.Event)


@dataclass
class _Act:
    id: str
    principal: str
    body: str
    state: Literal["pending", "approved", "declined", "begun", "expired"] = "pending"
    outcome: ActOutcome | None = None
    result: str | None = None
    changed: anyio.Event = field(default_factory=anyio.Event)


class MemoryGuard:
    """Implements `GuardPort`. A test is its person: `approve`, `decline`, `expire`, `lock`."""

    def __init__(self, *, secrets_: tuple[bytes, ...] = (), url: str | None = "http://127.0.0.1:7000/a/") -> None:
        self.prints = build(secrets_, key=b"k" * 32) if secrets_ else FingerprintSet()
        self.url = url
        self.locked = False
        self.locked_reads = False
        self.broken = False
        self.crashes = False
        self.reads_refused = False
        self.memo: str | None = None
        self.outcome_is: Outcome = "mined"
        self.asked_about: list[str] = []
        self.operations: dict[str, _Operation] = {}
        self.acts: dict[str, _Act] = {}
        self.begun: list[str] = []
        self.tells_nobody = False
        self.paid: list[Transfer] = []
        self.reads: list[ReadRecord] = []
        self.proposals: list[Proposal] = []
        self.past: tuple[HistoryEntry, ...] = ()
        self.closed = 0

    # --- the person

    def approve(self, operation: str) -> None:
        self._decide(operation, "approved")

    def decline(self, operation: str) -> None:
        self._decide(operation, "declined")

    def expire(self, operation: str) -> None:
        self._decide(operation, "expired")

    def approve_act(self) -> None:
        (row,) = (each for each in self.acts.values() if each.state == "pending")
        row.state = "approved"
        row.changed.set()

    def only(self) -> str:
        (operation,) = self.operations
        return operation

    def _decide(self, operation: str, state: Literal["approved", "declined", "expired"]) -> None:
        row = self.operations[operation]
        assert row.state == "pending"
        row.state = state
        row.changed.set()

    # --- GuardPort

    async def propose(self, proposal: Proposal, /, *, wait_seconds: float) -> Done | Pending | RefusedAnswer:
        self._alive()
        self.proposals.append(proposal)
        if self.locked:
            return _refused(Locked())
        try:
            intent = from_json(proposal.intent)
        except GuardError as error:
            return _refused(error)
        assert isinstance(intent, Transfer)
        effect = json.dumps([proposal.principal, proposal.intent], sort_keys=True)
        row = next((r for r in self.operations.values() if r.effect == effect and r.state != "expired"), None)
        if row is None:
            row = _Operation(id=new_operation_id(), principal=proposal.principal, effect=effect, intent=intent)
            self.operations[row.id] = row
        if row.state == "pending" and wait_seconds:
            with anyio.move_on_after(wait_seconds):
                await row.changed.wait()
        if row.state == "approved":
            row.state = "done"
            self.paid.append(row.intent)
            return self._answer(row)
        return self._answer(row, repeated=True)

    async def act(
        self, proposal: ActionProposal, /, *, wait_seconds: float
    ) -> MayAct | Acted | Pending | RefusedAnswer:
        self._alive()
        if self.locked:
            return _refused(Locked())
        row = next((r for r in self.acts.values() if r.body == proposal.body and r.state != "expired"), None)
        if row is None:
            row = _Act(id=new_operation_id(), principal=proposal.principal, body=proposal.body)
            self.acts[row.id] = row
        if row.state == "pending" and wait_seconds:
            with anyio.move_on_after(wait_seconds):
                await row.changed.wait()
        if row.state == "approved":
            row.state = "begun"
            self.begun.append(row.body)
            return MayAct(operation=row.id)
        if row.state in {"declined", "expired"}:
            return RefusedAnswer(code=row.state, message=row.state, operation=row.id)
        if row.state == "pending":
            url = None if self.url is None else self.url + row.id
            return Pending(operation=row.id, expires_at=2_000_000_000, url=url, message="ask the owner")
        outcome = "unknown" if row.outcome is None else row.outcome
        kept = None if row.result is None else json.loads(row.result)
        return Acted(operation=row.id, outcome=outcome, repeated=True, result=kept, message=outcome)

    async def acted(
        self, operation: str, /, *, principal: str, outcome: ActOutcome, result: str | None
    ) -> Acted | RefusedAnswer:
        self._alive()
        if self.tells_nobody:
            raise Unavailable("unavailable.daemon")
        row = self.acts.get(operation)
        if row is None or row.principal != principal or row.state != "begun" or row.outcome is not None:
            return _refused(InvalidInput("invalid_input.id"))
        row.outcome, row.result = outcome, result
        kept = None if result is None else json.loads(result)
        return Acted(operation=row.id, outcome=outcome, result=kept, message=outcome)

    async def status(self, operation: str, /, *, principal: str) -> Done | Pending | RefusedAnswer:
        self._alive()
        row = self.operations.get(operation)
        if row is None or row.principal != principal:
            return _refused(InvalidInput("invalid_input.id"))
        return self._answer(row)

    async def outcome(self, operation: str, /, *, principal: str) -> Done | Pending | RefusedAnswer:
        self.asked_about.append(operation)
        return await self.status(operation, principal=principal)

    async def info(self) -> WalletInfo:
        self._alive()
        return WalletInfo(
            chain="eip155:1",
            account=ACCOUNT,
            symbol="ETH",
            decimals=18,
            locked=self.locked,
            private_reads=not self.locked or self.locked_reads,
        )

    async def balance(self, address: str | None, /, *, token: str | None = None) -> str:
        self._alive()
        return "1000000000000000000"

    async def history(self, last: int, /) -> tuple[HistoryEntry, ...]:
        self._alive()
        return self.past[:last]

    async def fingerprints(self) -> FingerprintSet:
        self._alive()
        return self.prints

    async def record_read(self, record: ReadRecord, /) -> None:
        self._alive()
        if self.reads_refused:
            raise Locked
        self.reads.append(record)

    async def aclose(self) -> None:
        self.closed += 1

    def _alive(self) -> None:
        if self.crashes:
            raise RuntimeError("a port that crashes")
        if self.broken:
            raise Unavailable("unavailable.daemon")

    def _answer(self, row: _Operation, *, repeated: bool = False) -> Done | Pending | RefusedAnswer:
        if row.state in {"declined", "expired"}:
            return RefusedAnswer(code=row.state, message=row.state, operation=row.id)
        if row.state != "done":
            url = None if self.url is None else self.url + row.id
            message = "Waiting for the owner."
            return Pending(
                operation=row.id, approved=row.state == "approved", expires_at=2_000_000_000, url=url, message=message
            )
        receipt = Receipt(
            operation=row.id,
            chain="eip155:1",
            account=ACCOUNT,
            to=row.intent.to.value,
            amount=row.intent.amount.text,
            symbol=self.memo or "ETH",
            transaction_hash="0x" + "ab" * 32,
        )
        return Done(operation=row.id, outcome=self.outcome_is, repeated=repeated, receipt=receipt, message="Paid.")


def _refused(error: GuardError) -> RefusedAnswer:
    return RefusedAnswer(code=error.code, message=error.public)
