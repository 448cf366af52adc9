"""MemoryDesk: a small, honest approval desk in memory. It verifies everything that the real one verifies."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, final

from mcp_wallet_guard.approvals.base import Continuation
from mcp_wallet_guard.approvals.factors import totp
from mcp_wallet_guard.approvals.links import SPENT, LinkFiles, check_link, link_url, new_link_secret
from mcp_wallet_guard.approvals.match_code import check_match_code, match_code
from mcp_wallet_guard.approvals.pairing import check_pairing, new_pairing, token_hash
from mcp_wallet_guard.clearsign.renderers.plain import plain_text
from mcp_wallet_guard.clearsign.view import view_hash
from mcp_wallet_guard.confirmation import ConfirmationView, Finding, ViewField
from mcp_wallet_guard.errors import (
    AlreadyUsed,
    Declined,
    Expired,
    FactorRejected,
    GuardError,
    InvalidInput,
    Locked,
)
from mcp_wallet_guard.evidence import Channel, Clock, FactorRow, PairingRow
from mcp_wallet_guard.exchange import ApprovalRequest
from mcp_wallet_guard.secret import Secret

PAYEE: Final = "0x742d35Cc6634C0532925a3b844Bc9e7595f8fE00"
PAYEE_GROUPED: Final = "0x 742d 35Cc 6634 C053 2925 a3b8 44Bc 9e75 95f8 fE00"
TOTP_SECRET: Final = b"12345678901234567890"
ORIGIN: Final = "http://127.0.0.1:8710"
START: Final = 1_800_000_000
LIFETIME: Final = 600


def a_view(
    *, amount: str = "0.1 ETH", payee: str = f'{PAYEE_GROUPED} "alice"', findings: tuple[Finding, ...] = ()
) -> ConfirmationView:
    """A view as clearsign renders it; `payee` goes in as it is, also when a test wants it hostile."""
    values = {
        "Amount": amount,
        "Payee": payee,
        "Account": "0x 1111 1111",
        "Chain": "eip155:31337",
        "Maximum fee": "0.00042 ETH",
        "Total at most": "0.10042 ETH",
        "Nonce": "7",
    }
    return ConfirmationView(
        kind="transfer",
        chain="eip155:31337",
        account="main",
        intent=f"Send {amount} to {PAYEE}",
        fields=tuple(ViewField(label=label, value=value) for label, value in values.items()),
        findings=findings,
        operation_digest=hashlib.sha256(f"{amount}{payee}".encode()).hexdigest(),
        expires_at=START + LIFETIME,
    )


@dataclass(slots=True)
class Case:
    view: ConfirmationView
    salt: bytes
    link_hash: bytes
    needs_code: bool
    closed: GuardError | None = None
    approved: Channel | None = None
    step: int | None = None


@final
class MemoryDesk:
    """Implements ApprovalDesk. `cases` shows what was decided; `waiting` are operations whose call still waits."""

    def __init__(self, clock: Clock, *, links: Path, base: str = ORIGIN) -> None:
        self.clock: Final = clock
        self.links: Final = LinkFiles(links)
        self.base = base
        self.locked = False
        self.cases: Final[dict[str, Case]] = {}
        self.waiting: Final[set[str]] = set()
        self.factor = FactorRow(id="totp-1", kind="totp", last_step=-1)
        self.pairings: Final[dict[str, PairingRow]] = {}
        self.calls: Final[list[str]] = []
        self._match_key: Final = Secret(b"m" * 32)
        self._pairing_key: Final = Secret(b"p" * 32)

    @property
    def store_id(self) -> str:
        return "store-1"

    def ask(self, operation: str, view: ConfirmationView | None = None, *, needs_code: bool = True) -> None:
        """What the guard does when a spend was proposed and frozen."""
        secret, hashed = new_link_secret()
        salt = hashlib.sha256(operation.encode()).digest()
        self.cases[operation] = Case(view or a_view(), salt, hashed, needs_code)
        self.links.write(operation, link_url(self.base, operation=operation, secret=secret))

    def refreeze(self, operation: str, view: ConfirmationView) -> None:
        """The operation was frozen anew: another view, evidence dropped."""
        self.cases[operation] = replace(self.cases[operation], view=view)

    async def requests(self) -> tuple[ApprovalRequest, ...]:
        self._enter("requests")
        return tuple(self._request(one) for one, case in self.cases.items() if case.closed is None)

    async def request(self, operation: str, /) -> ApprovalRequest:
        self._enter("request")
        self._case(operation)
        return self._request(operation)

    async def approve(
        self, operation: str, /, *, view_hash: str, match_code: str, code: str | None, channel: Channel
    ) -> Continuation:
        self._enter("approve")
        case = self._case(operation)
        request = self._request(operation)
        if view_hash != request.view_hash:
            raise FactorRejected("match_code.rejected")
        check_match_code(request.match_code, match_code)
        if case.needs_code:
            case.step = self._use_code(code or "", paired=True)
        case.approved = channel
        self._close(operation, AlreadyUsed())
        return Continuation.NOW if operation in self.waiting else Continuation.NEXT_CALL

    async def decline(self, operation: str, /, *, channel: Channel) -> None:
        self._enter("decline")
        self._case(operation)
        self._close(operation, Declined())

    async def pair_by_link(self, operation: str, link_secret: str, /) -> str:
        self._enter("pair_by_link")
        case = self.cases.get(operation)
        if case is None or case.closed is not None or self.clock.now() >= case.view.expires_at:
            raise FactorRejected("pairing.required")
        check_link(case.link_hash, link_secret)
        case.link_hash = SPENT
        self.links.delete(operation)
        return self._pair()

    async def pair_by_code(self, code: str, /) -> str:
        self._enter("pair_by_code")
        self._use_code(code, paired=False)
        return self._pair()

    async def is_paired(self, token: str, /) -> bool:
        self._enter("is_paired")
        try:
            check_pairing(self.pairings.get(token_hash(self._pairing_key, token)), now=self.clock.now())
        except FactorRejected:
            return False
        return True

    def _enter(self, name: str) -> None:
        self.calls.append(name)
        if self.locked:
            raise Locked

    def _case(self, operation: str) -> Case:
        if operation not in self.cases:
            raise InvalidInput("invalid_input.id")
        case = self.cases[operation]
        if case.closed is not None:
            raise case.closed
        if self.clock.now() >= case.view.expires_at:
            raise Expired
        return case

    def _close(self, operation: str, answer: GuardError) -> None:
        self.cases[operation].closed = answer
        self.links.delete(operation)

    def _request(self, operation: str) -> ApprovalRequest:
        case = self.cases[operation]
        hashed = view_hash(case.view)
        return ApprovalRequest(
            operation=operation,
            view=case.view,
            text=plain_text(case.view),
            view_hash=hashed.hex(),
            match_code=match_code(
                self._match_key,
                salt=case.salt,
                operation_digest=bytes.fromhex(case.view.operation_digest),
                view_hash=hashed,
            ),
            level=3,
            needs_code=case.needs_code,
            expires_at=case.view.expires_at,
            tool="pay",
            principal="local",
        )

    def _use_code(self, code: str, *, paired: bool) -> int:
        typed = totp.canonical_code(code)
        self.factor = totp.begin_attempt(self.factor, now=self.clock.now(), paired=paired)
        step = totp.check_code(TOTP_SECRET, typed, now=self.clock.now(), last_step=self.factor.last_step)
        self.factor = totp.accept(self.factor, step, paired=paired)
        return step

    def _pair(self) -> str:
        token, row = new_pairing(self._pairing_key, now=self.clock.now())
        self.pairings[row.token_hash] = row
        return token
