"""OwnedGuard: one guard as its owner's processes see it: proposals, answers, and control, in one object.

The daemon serves it over two sockets with a table of which method belongs to which; the embedded mode hands its
`GuardPort` part to the MCP side. Threat: T-016, T-081, T-086, T-088.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Final, NamedTuple, final

import anyio.to_thread

from mcp_wallet_guard import counters, history, mandates
from mcp_wallet_guard.answers import GuardStatus, LimitStatus, LogPage, LogReport, MandateStatus
from mcp_wallet_guard.approvals.base import Continuation
from mcp_wallet_guard.ceremony import OPEN, state_of
from mcp_wallet_guard.config.settings import Settings
from mcp_wallet_guard.custody import Custody
from mcp_wallet_guard.desk import Desk
from mcp_wallet_guard.errors import InvalidInput, Tampered
from mcp_wallet_guard.evidence import Channel, FactorRow, OperationRow
from mcp_wallet_guard.exchange import (
    Acted,
    ActionProposal,
    ActOutcome,
    ApprovalRequest,
    Done,
    HistoryEntry,
    MayAct,
    Pending,
    Proposal,
    ReadRecord,
    RefusedAnswer,
    WalletInfo,
)
from mcp_wallet_guard.filters.fingerprints import FingerprintSet
from mcp_wallet_guard.guard import Guard
from mcp_wallet_guard.journal import chain
from mcp_wallet_guard.journal.events import Kind
from mcp_wallet_guard.operations.values import Amount, Asset, BaseUnits
from mcp_wallet_guard.policy.limits import Limit, Spent
from mcp_wallet_guard.policy.mandates import Mandate
from mcp_wallet_guard.secret import Secret
from mcp_wallet_guard.stores.base import Transaction

MAX_PAGE_CHARACTERS: Final = 100_000
"""So that a page of entries fits into one frame of the daemon, quoted as it is there."""


@final
class OwnedGuard:
    """Implements `daemon.base.ServedGuard` by handing each call to the part that knows."""

    def __init__(self, guard: Guard, /, *, check_passphrase: Callable[[Secret], None]) -> None:
        self.guard: Final = guard
        self._check_passphrase: Final = check_passphrase
        self.on_shut_down: Callable[[], None] | None = None
        self.page_address: str | None = None

    @property
    def custody(self) -> Custody:
        """The guard's custody."""
        return self.guard.custody

    @property
    def desk(self) -> Desk:
        """The guard's approval desk."""
        return self.guard.desk

    # --- GuardPort ------------------------------------------------------------------------------------------------

    async def propose(self, proposal: Proposal, /, *, wait_seconds: float) -> Done | Pending | RefusedAnswer:
        """See `Guard.propose`."""
        return await self.guard.propose(proposal, wait_seconds=wait_seconds)

    async def act(
        self, proposal: ActionProposal, /, *, wait_seconds: float
    ) -> MayAct | Acted | Pending | RefusedAnswer:
        """See `Actions.act`."""
        return await self.guard.actions.act(proposal, wait_seconds=wait_seconds, page_url=self.guard.page_url)

    async def acted(
        self, operation: str, /, *, principal: str, outcome: ActOutcome, result: str | None
    ) -> Acted | RefusedAnswer:
        """See `Actions.acted`."""
        return await self.guard.actions.acted(operation, principal=principal, outcome=outcome, result=result)

    async def status(self, operation: str, /, *, principal: str) -> Done | Pending | RefusedAnswer:
        """See `Guard.status`."""
        return await self.guard.status(operation, principal=principal)

    async def outcome(self, operation: str, /, *, principal: str) -> Done | Pending | RefusedAnswer:
        """See `Guard.outcome`."""
        return await self.guard.outcome(operation, principal=principal)

    async def info(self) -> WalletInfo:
        """See `Guard.info`."""
        return await self.guard.info()

    async def balance(self, address: str | None, /, *, token: str | None = None) -> str:
        """See `Guard.balance`."""
        return await self.guard.balance(address, token=token)

    async def history(self, last: int, /) -> tuple[HistoryEntry, ...]:
        """See `history.paid`."""
        return await history.paid(self.custody, last)

    async def fingerprints(self) -> FingerprintSet:
        """See `Guard.fingerprints`."""
        return await self.guard.fingerprints()

    async def record_read(self, record: ReadRecord, /) -> None:
        """See `Guard.record_read`."""
        await self.guard.record_read(record)

    async def aclose(self) -> None:
        """Flush, lock and close. Idempotent."""
        await self.guard.aclose()

    async def tick(self) -> None:
        """Once a second: auto-lock and group commits."""
        await self.guard.tick()

    async def watch(self) -> None:
        """Every few seconds: settle what the chain decided."""
        await self.guard.watch()

    # --- ApprovalDesk ---------------------------------------------------------------------------------------------

    @property
    def store_id(self) -> str:
        """See `Desk.store_id`."""
        return self.desk.store_id

    async def requests(self) -> tuple[ApprovalRequest, ...]:
        """See `Desk.requests`."""
        return await self.desk.requests()

    async def request(self, operation: str, /) -> ApprovalRequest:
        """See `Desk.request`."""
        return await self.desk.request(operation)

    async def approve(
        self, operation: str, /, *, view_hash: str, match_code: str, code: str | None, channel: Channel
    ) -> Continuation:
        """See `Desk.approve`."""
        return await self.desk.approve(
            operation, view_hash=view_hash, match_code=match_code, code=code, channel=channel
        )

    async def decline(self, operation: str, /, *, channel: Channel) -> None:
        """See `Desk.decline`."""
        await self.desk.decline(operation, channel=channel)

    async def pair_by_link(self, operation: str, link_secret: str, /) -> str:
        """See `Desk.pair_by_link`."""
        return await self.desk.pair_by_link(operation, link_secret)

    async def pair_by_code(self, code: str, /) -> str:
        """See `Desk.pair_by_code`."""
        return await self.desk.pair_by_code(code)

    async def is_paired(self, token: str, /) -> bool:
        """See `Desk.is_paired`."""
        return await self.desk.is_paired(token)

    # --- GuardControl ---------------------------------------------------------------------------------------------

    async def unlock(self, passphrase: Secret, /) -> GuardStatus:
        """One scrypt derivation, then store, anchor and settings are verified. Raises VaultError, Tampered."""
        await self.custody.unlock(passphrase)
        return await self.control_status()

    async def lock(self) -> GuardStatus:
        """Wipe the keys."""
        await self.custody.lock()
        return await self.control_status()

    async def control_status(self) -> GuardStatus:
        """How the guard stands; works while locked."""
        custody = self.custody
        head = custody.store.head
        counted = _Counted()
        in_force = custody.in_force
        if not custody.is_locked:
            counted = await custody.transact(lambda tx: _counted(tx, in_force))
        return GuardStatus(
            version=version("mcp-wallet-guard"),
            locked=custody.is_locked,
            store_id=None if head is None else head.store_id,
            blocked=custody.blocked,
            account=None if in_force is None else in_force.account.id,
            policy_revision=custody.revision,
            settings_differ=custody.differences(),
            factor_locked=counted.factor_locked,
            open_operations=counted.open_operations,
            limits=counted.limits,
            mandates=counted.mandates,
            page_url=self.page_address,
            waivers=custody.waivers,
        )

    async def apply_policy(self, settings: bytes, /, *, code: str) -> GuardStatus:
        """Seal canonical settings into the vault and put them in force. Uses up a fresh code."""
        custody = self.custody
        await custody.check_applicable(settings)
        await self.desk.use_code(code)
        await custody.apply_settings(settings, proven=True)
        return await self.control_status()

    async def unlock_factor(self, passphrase: Secret, /, *, code: str) -> GuardStatus:
        """Open a locked-out factor: the passphrase again, one scrypt derivation, and a fresh code."""
        self.custody.vault()
        await anyio.to_thread.run_sync(self._check_passphrase, passphrase)
        await self.desk.unlock_factor(code)
        return await self.control_status()

    async def verify_log(self) -> LogReport:
        """Verify the whole chain; when unlocked, also that it ends where the sealed head says. Raises Tampered."""
        entries, head, keyed = await self._verified_log()
        message = (
            "The chain is whole and ends at the sealed head; every entry and live row verifies under the vault's key."
            if keyed
            else "The chain is whole. Its seal was not checked: that needs the unlocked vault."
        )
        return LogReport(entries=len(entries), head=head.hash.hex(), keyed=keyed, message=message)

    async def read_log(self, *, last: int, about: str | None) -> LogPage:
        """The newest `last` entries, or the newest about one operation: its id, or its transaction's hash with 0x.

        Verifies everything as `verify_log` does. Raises Tampered; InvalidInput("invalid_input.id") when no entry is
        about it.
        """
        entries, _, keyed = await self._verified_log()
        if about is not None:
            entries = await anyio.to_thread.run_sync(_entries_about, entries, about)
        chosen = entries[-last:]
        page: list[str] = []
        left = MAX_PAGE_CHARACTERS
        for entry in reversed(chosen):
            body = entry.body.decode("utf-8")
            left -= len(body)
            if left < 0 and page:
                break
            page.append(body)
        return LogPage(entries=tuple(reversed(page)), keyed=keyed, more=len(page) < len(entries))

    async def _verified_log(self) -> tuple[tuple[chain.Entry, ...], chain.Head, bool]:
        sealed = self.custody.store.head  # first: what is journalled meanwhile comes after it
        entries = await self.custody.store.journal()
        head = await anyio.to_thread.run_sync(chain.verify, entries)
        if sealed is not None and _hash_at(entries, sealed.journal.index) != sealed.journal.hash:
            raise Tampered("tampered.journal", detail="the journal does not contain the sealed head")
        if sealed is not None:
            await self.custody.transact(_check_all, long=True)
        return entries, head, sealed is not None

    async def shut_down(self) -> None:
        """Lock and stop serving."""
        await self.custody.lock()
        if self.on_shut_down is not None:
            self.on_shut_down()

    async def sweep(self) -> None:
        """Expire and retire what is due. Raises Locked."""
        await self.guard.sweep()


def _check_all(tx: Transaction) -> None:
    tx.check_live()
    tx.check_entries(0)


class _Counted(NamedTuple):
    """What a status tells of the store."""

    open_operations: int = 0
    factor_locked: bool = False
    limits: tuple[LimitStatus, ...] = ()
    mandates: tuple[MandateStatus, ...] = ()


def _counted(tx: Transaction, settings: Settings | None) -> _Counted:
    policy = None if settings is None else settings.policy
    return _Counted(
        open_operations=sum(1 for row in tx.all(OperationRow) if state_of(row) in OPEN),
        factor_locked=any(row.locked for row in tx.all(FactorRow)),
        limits=()
        if policy is None
        else tuple(_limit(each, counters.spent(tx, each.id, each)) for each in policy.limits),
        mandates=() if policy is None else tuple(_mandate(tx, each) for each in policy.mandates),
    )


def _mandate(tx: Transaction, mandate: Mandate) -> MandateStatus:
    return MandateStatus(
        id=mandate.id,
        name=mandate.name,
        expires_at=mandates.expires_at(tx, mandate),
        budget=_limit(mandate.budget, mandates.spent(tx, mandate)),
    )


def _limit(limit: Limit, spent: Spent) -> LimitStatus:
    asset = limit.asset
    return LimitStatus(
        seconds=limit.seconds,
        symbol=None if asset is None else asset.symbol,
        spent=_told(BaseUnits(spent.units), asset),
        amount=_told(limit.amount, asset),
        payments=spent.count,
        count=limit.count,
        payees=None if limit.payees is None else len(limit.payees),
    )


def _told(units: BaseUnits | None, asset: Asset | None) -> str | None:
    return None if units is None or asset is None else Amount.from_base_units(units, asset).text


def _entries_about(entries: tuple[chain.Entry, ...], about: str) -> tuple[chain.Entry, ...]:
    """Those of the operation that `about` names. Raises InvalidInput("invalid_input.id")."""
    told = [(entry, entry.fields) for entry in entries]
    of_operations = [(entry, fields) for entry, fields in told if fields["kind"].startswith("operation.")]
    subjects = {
        fields["subject"]
        for _, fields in of_operations
        if fields["subject"] == about
        or (fields["kind"] == Kind.SIGNED and about.lower() in {f"0x{each}" for each in fields["data"].values()})
    }
    if not subjects:
        raise InvalidInput("invalid_input.id")
    return tuple(entry for entry, fields in of_operations if fields["subject"] in subjects)


def _hash_at(entries: tuple[chain.Entry, ...], index: int) -> bytes:
    return next((entry.hash for entry in entries if entry.index == index), b"")
