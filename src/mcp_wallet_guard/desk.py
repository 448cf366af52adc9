"""The approval desk: verifies what a person typed, and writes it down as evidence.

Channels submit a match code and a factor code; only this process, which holds the unlocked vault, decides whether they
count. The attempt is counted and durable before the code is compared; the step that a code uses up is committed
together with the one approval that it proves. Threat: T-001, T-004, T-009, T-079, T-081, T-082.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar, final

import anyio
import anyio.to_thread

from mcp_wallet_guard import bookkeeping
from mcp_wallet_guard.approvals import match_code as match_codes
from mcp_wallet_guard.approvals import pairing
from mcp_wallet_guard.approvals.base import Continuation
from mcp_wallet_guard.approvals.factors import totp
from mcp_wallet_guard.approvals.links import SPENT, LinkFiles, check_link, new_link_secret
from mcp_wallet_guard.ceremony import Move, is_expired, state_of
from mcp_wallet_guard.clearsign.view import plain_text
from mcp_wallet_guard.custody import Custody
from mcp_wallet_guard.errors import FactorRejected, InvalidInput, Refused
from mcp_wallet_guard.evidence import (
    ApprovalRow,
    Channel,
    ConfirmationView,
    Evidence,
    FactorRow,
    Level,
    OperationRow,
    PairingRow,
    State,
)
from mcp_wallet_guard.exchange import ApprovalRequest
from mcp_wallet_guard.journal.events import Event, Kind
from mcp_wallet_guard.session import OpenVault, Session
from mcp_wallet_guard.stores.base import Transaction

OWNER: Final = "owner"
T = TypeVar("T")


@final
class Desk:
    """Implements `approvals.base.ApprovalDesk`. Answers are serialised, so that one code proves one approval.

    `link_url` gives the address of an operation's link with its secret, or None without a page.
    """

    def __init__(self, custody: Custody, links: LinkFiles, /, *, changed: Callable[[str], bool]) -> None:
        self._custody: Final = custody
        self._links: Final = links
        self._changed: Final = changed
        self._lock: Final = anyio.Lock()
        self.link_url: Callable[[str, str], str] | None = None

    @property
    def store_id(self) -> str:
        """Names the pairing cookie; "locked" while the store is."""
        head = self._custody.store.head
        return "locked" if head is None else head.store_id

    async def requests(self) -> tuple[ApprovalRequest, ...]:
        """All open requests, oldest first. Raises Locked."""
        session = self._owner_session()

        def work(tx: Transaction) -> tuple[ApprovalRequest, ...]:
            waiting = [row for row in tx.all(OperationRow) if _is_waiting(row, now=tx.now)]
            waiting.sort(key=lambda row: (row.created_at, row.id))
            return tuple(_request(session, *bookkeeping.open_rows(tx, row.id)) for row in waiting)

        return await self._custody.transact(work)

    async def request(self, operation: str, /) -> ApprovalRequest:
        """One open request. Raises InvalidInput("invalid_input.id"), Expired, AlreadyUsed."""
        session = self._owner_session()
        row, approval = await self._custody.transact(lambda tx: bookkeeping.open_rows(tx, operation))
        return _request(session, row, approval)

    async def is_undecided(self, operation: str, /) -> bool:
        """Whether an operation is stored for which a person's answer is still to come."""
        row = await self._custody.transact(lambda tx: tx.get(OperationRow, operation))
        return row is not None and state_of(row) is State.FROZEN

    async def approve(
        self, operation: str, /, *, view_hash: str, match_code: str, code: str | None, channel: Channel
    ) -> Continuation:
        """Verify and store one answer. A wrong match code uses up no one-time code."""
        if channel not in (Channel.PAGE, Channel.TERMINAL):
            raise FactorRejected("pairing.required")
        async with self._lock:
            session = self._owner_session()

            def work(tx: Transaction) -> FactorRejected | None:
                row, approval = bookkeeping.open_rows(tx, operation)
                if view_hash != approval.view_hash.hex():
                    raise FactorRejected("match_code.rejected", detail="another view was shown")
                match_codes.check_match_code(_match_code(session, approval), match_code)
                used = _attempt(tx, session.vault, code, paired=True) if approval.level >= Level.FACTOR else None
                if isinstance(used, FactorRejected):
                    return used
                bookkeeping.accept(tx, row, approval, _answer(approval, channel, used, at=tx.now))
                return None

            await self._count(work)
        return Continuation.NOW if await self._answered(operation) else Continuation.NEXT_CALL

    async def decline(self, operation: str, /, *, channel: Channel) -> None:
        """The person says no: the same effect is answered `declined` for ten minutes."""
        if channel not in (Channel.PAGE, Channel.TERMINAL):
            raise FactorRejected("pairing.required")
        async with self._lock:
            self._owner_session()

            def work(tx: Transaction) -> None:
                row, _ = bookkeeping.open_rows(tx, operation)
                bookkeeping.close(tx, row, Move.REFUSE, code="declined")

            await self._custody.transact(work)
        await self._answered(operation)

    async def pair_by_link(self, operation: str, link_secret: str, /) -> str:
        """Spend the owner's link for a pairing token. Raises FactorRejected("pairing.required")."""
        async with self._lock:
            session = self._owner_session()

            def work(tx: Transaction) -> str:
                approval = tx.get(ApprovalRow, operation)
                if approval is None or tx.now >= approval.expires_at:
                    raise FactorRejected("pairing.required")
                check_link(approval.link_hash, link_secret)
                tx.put(replace(approval, link_hash=SPENT))
                return _pair(tx, session)

            token = await self._custody.transact(work)
        await self.delete_link(operation)
        return token

    async def pair_by_code(self, code: str, /) -> str:
        """Pair an unpaired browser by a one-time code, which it uses up."""
        async with self._lock:
            session = self._custody.session()

            def work(tx: Transaction) -> str | FactorRejected:
                used = _attempt(tx, session.vault, code, paired=False)
                return used if isinstance(used, FactorRejected) else _pair(tx, session)

            return await self._count(work)

    async def is_paired(self, token: str, /) -> bool:
        """Whether the cookie's token belongs to a live pairing. Raises Locked."""
        session = self._custody.session()

        def work(tx: Transaction) -> bool:
            row = tx.get(PairingRow, pairing.token_hash(session.pairing_key, token))
            pairing.check_pairing(row, now=tx.now)
            return True

        try:
            return await self._custody.transact(work)
        except FactorRejected:
            return False

    async def use_code(self, code: str, /) -> None:
        """Use up a fresh code of the owner's for something that is not a payment, such as `policy apply`."""
        async with self._lock:
            vault = self._custody.counting_vault()
            self._custody.touch()
            await self._count(lambda tx: _attempt(tx, vault, code, paired=True))

    async def prove_code(self, code: str, /) -> int:
        """Check a fresh code where the store may not be the one that counted; its time step, which the caller uses up.
        For `store acknowledge`, after which no code up to now counts; the caller checked the passphrase."""
        async with self._lock:
            vault = self._custody.vault()
            factor_id = _factor_id(vault)
            row = await self._custody.transact(lambda tx: tx.get(FactorRow, factor_id))
            row = row or FactorRow(id=factor_id, kind=totp.KIND, last_step=-1)
            return _compare(vault, row, code, now=self._custody.clock.now())

    async def unlock_factor(self, code: str, /) -> None:
        """Open a locked-out factor with a fresh code. The caller checked the passphrase."""
        async with self._lock:
            vault = self._custody.counting_vault()
            factor_id = _factor_id(vault)
            row, now = await self._custody.transact(lambda tx: (_factor(tx, factor_id), tx.now))
            step = _compare(vault, row, code, now=now)

            def work(tx: Transaction) -> None:
                tx.put(totp.unlock(_factor(tx, factor_id), step))
                tx.append(Event(kind=Kind.FACTOR_UNLOCKED, at=tx.now, subject=factor_id, data={"step": step}))

            await self._count(work)

    # --- the owner's links ----------------------------------------------------------------------------------------

    async def write_link(self, operation: str, secret: str, /) -> None:
        """Put the link of a new request where only the owner finds it; nothing without a page."""
        if self.link_url is not None:
            await anyio.to_thread.run_sync(self._links.write, operation, self.link_url(operation, secret))

    async def keep_link(self, row: OperationRow, /) -> None:
        """Make the link again when it is missing: a disk that was full, or a crash, may have left none."""
        if self.link_url is not None and not await anyio.to_thread.run_sync(self._links.path(row.id).exists):
            await self.renew_link(row)

    async def renew_link(self, row: OperationRow, /) -> None:
        """A new secret in place of one that the store knows only by its hash. A link that was used stays used."""
        if self.link_url is None:
            return
        secret, link_hash = new_link_secret()

        def work(tx: Transaction) -> bool:
            approval = tx.get(ApprovalRow, row.id)
            if approval is None or approval.link_hash == SPENT:
                return False
            tx.put(replace(approval, link_hash=link_hash))
            bookkeeping.note(tx, row, link="renewed")
            return True

        with anyio.CancelScope(shield=True):
            if await self._custody.transact(work):
                await self.write_link(row.id, secret)

    async def delete_link(self, operation: str, /) -> None:
        """No link to `operation` is left, not one of an earlier run either."""
        if self._links.has(operation):  # without a page there is none
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._links.delete, operation)

    async def _count(self, work: Callable[[Transaction], T | FactorRejected]) -> T:
        """A transaction that uses up or counts a code, anchored: a store that was put back to before it is then found
        out. A rejection is raised only now, when it is counted for good (Threat: T-070, T-079, T-081)."""
        with anyio.CancelScope(shield=True):
            result = await self._custody.transact_anchored(work)
        if isinstance(result, FactorRejected):
            raise result
        return result

    def _owner_session(self) -> Session:
        """The session for something that only a person does."""
        session = self._custody.session()
        self._custody.touch()
        return session

    async def _answered(self, operation: str) -> bool:
        """Wake a waiting call; True when there is one."""
        waiting = self._changed(operation)
        await self.delete_link(operation)
        return waiting


def enrol(tx: Transaction, factor_id: str, /, *, last_step: int) -> None:
    """Write the row of a new factor, or of one whose row was lost with a store: no step up to `last_step` counts."""
    row = tx.get(FactorRow, factor_id) or FactorRow(id=factor_id, kind=totp.KIND, last_step=last_step)
    tx.put(replace(row, last_step=max(row.last_step, last_step)))
    data = {"kind": totp.KIND, "last_step": last_step}
    tx.append(Event(kind=Kind.FACTOR_ENROLLED, at=tx.now, subject=factor_id, data=data))


def _answer(approval: ApprovalRow, channel: Channel, used: tuple[str, int] | None, *, at: int) -> Evidence:
    """What a person said; the code's factor and step are in `used`."""
    return Evidence(
        channel=channel,
        approver=OWNER,
        operation_digest=approval.digest.hex(),
        view_hash=approval.view_hash.hex(),
        level=int(Level.FACTOR if used else Level.PRESENT),
        at=at,
        factor_id=used[0] if used else None,
        factor_step=used[1] if used else None,
    )


def _attempt(tx: Transaction, vault: OpenVault, code: str | None, *, paired: bool) -> tuple[str, int] | FactorRejected:
    """Count an attempt and compare its code; a right one is used up. The factor and the step, or the rejection.

    The rejection is returned, since a raised one would roll the count back: `Desk._count` raises it, and nobody learns
    a verdict that is not durable. After a right code the caller raises no more. Raises LockedOut, and
    FactorRejected("factor.format", "factor.none", "factor.door_closed"), before anything is compared.
    """
    factor_id, typed = _factor_id(vault), totp.canonical_code("" if code is None else code)
    row = totp.begin_attempt(_factor(tx, factor_id), now=tx.now, paired=paired)
    try:
        step = _compare(vault, row, typed, now=tx.now)
    except FactorRejected as rejected:
        tx.put(row)
        data = {"paired": paired, "failures": row.failures, "unpaired_failures": row.unpaired_failures}
        kind = Kind.FACTOR_LOCKED_OUT if row.locked else Kind.FACTOR_ATTEMPT
        tx.append(Event(kind=kind, at=tx.now, subject=factor_id, data=data))
        return rejected
    tx.put(totp.accept(row, step, paired=paired))
    tx.append(Event(kind=Kind.FACTOR_USED, at=tx.now, subject=factor_id, data={"step": step}))
    return factor_id, step


def _compare(vault: OpenVault, row: FactorRow, code: str, *, now: int) -> int:
    secret = vault.factor_secret(row.id)
    try:
        with secret.reveal() as view:
            return totp.check_code(view, code, now=now, last_step=row.last_step)
    finally:
        secret.wipe()


def _pair(tx: Transaction, session: Session) -> str:
    token, row = pairing.new_pairing(session.pairing_key, now=tx.now)
    tx.put(row)
    tx.append(Event(kind=Kind.PAIRED, at=tx.now, data={"until": row.expires_at}))
    return token


def _factor_id(vault: OpenVault) -> str:
    if not vault.factor_ids:
        raise FactorRejected("factor.none")
    return vault.factor_ids[0]


def _factor(tx: Transaction, factor_id: str) -> FactorRow:
    row = tx.get(FactorRow, factor_id)
    if row is None:
        # Without the row nobody knows which codes were used: the owner must acknowledge the store first.
        raise Refused("blocked.store")
    return row


def _is_waiting(row: OperationRow, *, now: int) -> bool:
    return state_of(row) is State.FROZEN and not is_expired(row, now=now)


def _match_code(session: Session, approval: ApprovalRow) -> str:
    return match_codes.match_code(
        session.match_key,
        salt=approval.match_salt,
        operation_digest=approval.digest,
        view_hash=approval.view_hash,
    )


def _request(session: Session, row: OperationRow, approval: ApprovalRow) -> ApprovalRequest:
    if row.view is None:
        raise InvalidInput("invalid_input.id")
    view = ConfirmationView.model_validate_json(row.view)
    return ApprovalRequest(
        operation=row.id,
        view=view,
        text=plain_text(view),
        view_hash=approval.view_hash.hex(),
        match_code=_match_code(session, approval),
        level=approval.level,
        needs_code=approval.level >= Level.FACTOR,
        expires_at=approval.expires_at,
        tool=row.tool,
        principal=row.principal,
    )
