"""Clients of the daemon: `DaemonClient` for MCP servers, `ControlClient` for the owner's command line.

Each keeps one connection per process and makes it again when the guard was restarted. Not for use by several threads
at once. Neither ever starts a guard: a host controls its servers' environment. Threat: T-001, T-110.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, TypeVar, final

import anyio
from pydantic import ValidationError

from mcp_wallet_guard.answers import GuardStatus, LogPage, LogReport
from mcp_wallet_guard.daemon import methods
from mcp_wallet_guard.daemon.base import Role
from mcp_wallet_guard.daemon.link import Link
from mcp_wallet_guard.errors import CATALOGUE, InvalidInput, Locked, Unavailable
from mcp_wallet_guard.evidence import Channel, Model
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
from mcp_wallet_guard.filters.fingerprints import from_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mcp_wallet_guard.approvals.base import Continuation
    from mcp_wallet_guard.daemon.methods import Method
    from mcp_wallet_guard.filters.fingerprints import FingerprintSet
    from mcp_wallet_guard.secret import Secret

A = TypeVar("A", bound=Model)
R = TypeVar("R")


@final
class _Line:
    """Calls over one connection that is made when it is needed, and made again when it broke."""

    def __init__(self, directory: Path, role: Role, /) -> None:
        self._directory: Final = directory
        self._role: Final = role
        self._opening: Final = anyio.Lock()
        self._link: Link | None = None

    async def call(
        self, method: Method[A, R], build: Callable[[], A], /, *, secret: Secret | None = None, extra: float = 0.0
    ) -> R:
        """Raises as `Link.open` and `Link.call`, InvalidInput for arguments of the wrong form."""
        try:
            arguments = build()
        except ValidationError:
            raise InvalidInput("invalid_input") from None
        link = await self._open_link()
        with anyio.move_on_after(method.seconds + extra):
            return await link.call(method, arguments, secret=secret)
        raise Unavailable("unavailable.daemon")

    def close(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None

    async def _open_link(self) -> Link:
        async with self._opening:
            if self._link is None or not self._link.is_usable():
                self.close()
                self._link = await Link.open(self._directory, self._role)
            return self._link


@final
class DaemonClient:
    """`mcp.base.GuardPort` over mcp.sock.

    Every method but `propose` raises Locked("not_running") when no guard runs. All raise
    Unavailable("unavailable.daemon") when the guard went away before it answered (asking again is safe: an equal
    proposal joins or repeats), and Misconfigured for a socket that is not this user's own or another version.
    """

    def __init__(self, directory: Path, /) -> None:
        """`directory` is the vault's. Nothing is opened yet."""
        self._line: Final = _Line(directory, Role.MCP)

    async def propose(self, proposal: Proposal, /, *, wait_seconds: float) -> Done | Pending | RefusedAnswer:
        """Waits at most ten minutes. With no guard running the answer is a refusal that says how to start one."""
        wait = _bounded(wait_seconds)
        try:
            return await self._line.call(
                methods.PROPOSE,
                lambda: methods.ProposeArguments(
                    principal=proposal.principal,
                    tool=proposal.tool,
                    intent=proposal.intent,
                    wait_milliseconds=int(wait * 1000),
                ),
                extra=wait,
            )
        except Locked as refusal:
            return RefusedAnswer(code=refusal.code, message=CATALOGUE[refusal.code])

    async def act(
        self, proposal: ActionProposal, /, *, wait_seconds: float
    ) -> MayAct | Acted | Pending | RefusedAnswer:
        """As `propose`, for an action."""
        wait = _bounded(wait_seconds)
        try:
            return await self._line.call(
                methods.ACT,
                lambda: methods.ActArguments(
                    principal=proposal.principal, body=proposal.body, wait_milliseconds=int(wait * 1000)
                ),
                extra=wait,
            )
        except Locked as refusal:
            return RefusedAnswer(code=refusal.code, message=CATALOGUE[refusal.code])

    async def acted(
        self, operation: str, /, *, principal: str, outcome: ActOutcome, result: str | None
    ) -> Acted | RefusedAnswer:
        return await self._line.call(
            methods.ACTED,
            lambda: methods.ActedArguments(operation=operation, principal=principal, outcome=outcome, result=result),
        )

    async def status(self, operation: str, /, *, principal: str) -> Done | Pending | RefusedAnswer:
        return await self._line.call(
            methods.STATUS, lambda: methods.OwnOperation(operation=operation, principal=principal)
        )

    async def outcome(self, operation: str, /, *, principal: str) -> Done | Pending | RefusedAnswer:
        return await self._line.call(
            methods.OUTCOME, lambda: methods.OwnOperation(operation=operation, principal=principal)
        )

    async def info(self) -> WalletInfo:
        return await self._line.call(methods.INFO, methods.Nothing)

    async def balance(self, address: str | None, /, *, token: str | None = None) -> str:
        return await self._line.call(methods.BALANCE, lambda: methods.BalanceArguments(address=address, token=token))

    async def history(self, last: int, /) -> tuple[HistoryEntry, ...]:
        return await self._line.call(methods.HISTORY, lambda: methods.HistoryArguments(last=last))

    async def fingerprints(self) -> FingerprintSet:
        data = await self._line.call(methods.FINGERPRINTS, methods.Nothing)
        return from_json(data)

    async def record_read(self, record: ReadRecord, /) -> None:
        await self._line.call(methods.RECORD_READ, lambda: methods.RecordArguments(record=record))

    async def aclose(self) -> None:
        """Close the connection. Idempotent; a later call makes a new one."""
        self._line.close()


@final
class ControlClient:
    """`approvals.base.ApprovalDesk` and `GuardControl` over control.sock, for the owner's command line.

    Every method raises what the guard raises, with its detail, and what `DaemonClient` says about a guard that is not
    there. A passphrase is sent from its own buffer, outside JSON; wiping it stays the caller's.
    """

    def __init__(self, directory: Path, /) -> None:
        """`directory` is the vault's. Nothing is opened yet."""
        self._line: Final = _Line(directory, Role.CONTROL)
        self._store_id: str | None = None

    # --- ApprovalDesk ---------------------------------------------------------------------------------------------

    async def requests(self) -> tuple[ApprovalRequest, ...]:
        return await self._line.call(methods.REQUESTS, methods.Nothing)

    async def request(self, operation: str, /) -> ApprovalRequest:
        return await self._line.call(methods.REQUEST, lambda: methods.OperationArguments(operation=operation))

    async def approve(
        self, operation: str, /, *, view_hash: str, match_code: str, code: str | None, channel: Channel
    ) -> Continuation:
        """`channel` is `TERMINAL`: what comes over this socket came from one. Raises InvalidInput for others."""
        return await self._line.call(
            methods.APPROVE,
            lambda: methods.ApproveArguments(
                operation=operation,
                view_hash=view_hash,
                match_code=match_code,
                code=code,
                channel=methods.check_terminal(channel),
            ),
        )

    async def decline(self, operation: str, /, *, channel: Channel) -> None:
        """`channel` is `TERMINAL`. Raises InvalidInput for others."""
        await self._line.call(
            methods.DECLINE,
            lambda: methods.DeclineArguments(operation=operation, channel=methods.check_terminal(channel)),
        )

    async def pair_by_link(self, operation: str, link_secret: str, /) -> str:
        return await self._line.call(
            methods.PAIR_BY_LINK, lambda: methods.LinkArguments(operation=operation, link_secret=link_secret)
        )

    async def pair_by_code(self, code: str, /) -> str:
        return await self._line.call(methods.PAIR_BY_CODE, lambda: methods.CodeArguments(code=code))

    async def is_paired(self, token: str, /) -> bool:
        return await self._line.call(methods.IS_PAIRED, lambda: methods.TokenArguments(token=token))

    @property
    def store_id(self) -> str:
        """As the latest `GuardStatus` said. Raises Locked while none named a store."""
        if self._store_id is None:
            raise Locked("locked")
        return self._store_id

    # --- GuardControl ---------------------------------------------------------------------------------------------

    async def unlock(self, passphrase: Secret, /) -> GuardStatus:
        return self._noted(await self._line.call(methods.UNLOCK, methods.Nothing, secret=passphrase))

    async def lock(self) -> GuardStatus:
        return self._noted(await self._line.call(methods.LOCK, methods.Nothing))

    async def control_status(self) -> GuardStatus:
        return self._noted(await self._line.call(methods.CONTROL_STATUS, methods.Nothing))

    async def apply_policy(self, settings: bytes, /, *, code: str) -> GuardStatus:
        return self._noted(
            await self._line.call(methods.APPLY_POLICY, lambda: methods.PolicyArguments(settings=settings, code=code))
        )

    async def unlock_factor(self, passphrase: Secret, /, *, code: str) -> GuardStatus:
        return self._noted(
            await self._line.call(methods.UNLOCK_FACTOR, lambda: methods.CodeArguments(code=code), secret=passphrase)
        )

    async def verify_log(self) -> LogReport:
        return await self._line.call(methods.VERIFY_LOG, methods.Nothing)

    async def read_log(self, *, last: int, about: str | None) -> LogPage:
        return await self._line.call(methods.READ_LOG, lambda: methods.LogArguments(last=last, about=about))

    async def shut_down(self) -> None:
        await self._line.call(methods.SHUT_DOWN, methods.Nothing)

    async def aclose(self) -> None:
        """Close the connection. Idempotent; a later call makes a new one."""
        self._line.close()

    def _noted(self, status: GuardStatus) -> GuardStatus:
        self._store_id = status.store_id
        return status


def _bounded(wait_seconds: float) -> float:
    return 0.0 if math.isnan(wait_seconds) else min(max(wait_seconds, 0.0), float(methods.MAX_WAIT_SECONDS))
