"""A whole guard in memory: small, but it really waits, counts, locks and refuses. No chain, no store, no key."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import anyio
from anyio.lowlevel import checkpoint

from mcp_wallet_guard.answers import GuardStatus, LogPage, LogReport
from mcp_wallet_guard.approvals.base import Continuation
from mcp_wallet_guard.confirmation import ConfirmationView, ViewField
from mcp_wallet_guard.daemon.lock import GuardLock
from mcp_wallet_guard.daemon.server import DaemonServer, Limits
from mcp_wallet_guard.errors import (
    CATALOGUE,
    FactorRejected,
    InvalidInput,
    Locked,
    MissingExtra,
    NotAuthorized,
    PolicyDenied,
    Unavailable,
    VaultError,
)
from mcp_wallet_guard.evidence import Channel
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
    Receipt,
    RefusedAnswer,
    WalletInfo,
)
from mcp_wallet_guard.filters.fingerprints import FingerprintSet, fingerprint
from mcp_wallet_guard.secret import Secret

PASSPHRASE = b"correct horse battery staple"
CODE = "123456"
MATCH_CODE = "K7QX-2M"
VIEW_HASH = "ab" * 32
ADDRESS = "0x52908400098527886E0F7030069857D2E4169EE7"
PROTECTED = b"sixteen bytes or more of a secret"
BROKEN_ADDRESS = "0xbroken"
INTENT = {"kind": "transfer", "to": ADDRESS, "amount": "0.1"}


class MemoryGuard:
    """Implements `daemon.base.ServedGuard`. `signed` lists what was paid, `cancelled` which waits were given up."""

    def __init__(self) -> None:
        self.locked = True
        self.closed = False
        self.signed: list[str] = []
        self.cancelled: list[str] = []
        self.reads: list[ReadRecord] = []
        self.passphrases: list[Secret] = []
        self.answers: dict[str, Pending | Done | RefusedAnswer] = {}
        self.owners: dict[str, str] = {}
        self.decided: dict[str, anyio.Event] = {}
        self.acts: dict[str, Acted] = {}
        self.past = (
            HistoryEntry(operation="o2", at=1_800_000_060, outcome="unknown"),
            HistoryEntry(
                operation="o1", at=1_800_000_000, outcome="mined", to="0x00", amount="0.1", symbol="ETH",
                transaction_hash="0x11", fee="0.0001",
            ),
        )  # fmt: skip
        self.settings = b"{}"
        self.balance_hold: anyio.Event | None = None
        self.lock_hold: anyio.Event | None = None
        self.lock_began = anyio.Event()
        self.asked = anyio.Event()

    # --- GuardPort ------------------------------------------------------------------------------------------------

    async def propose(self, proposal: Proposal, /, *, wait_seconds: float) -> Done | Pending | RefusedAnswer:
        if proposal.principal == "stranger":
            raise NotAuthorized(detail="stranger is not in roles.toml")
        if self.locked:
            return RefusedAnswer(code="locked", message=CATALOGUE["locked"])
        operation = "op-" + proposal.intent["to"][2:10] + proposal.intent.get("reference", "")
        if operation not in self.answers:
            self.owners[operation] = proposal.principal
            self.decided[operation] = anyio.Event()
            self.answers[operation] = Pending(operation=operation, expires_at=1_000, message="ask the owner")
        self.asked.set()
        try:
            with anyio.move_on_after(wait_seconds):
                await self.decided[operation].wait()
        except anyio.get_cancelled_exc_class():
            self.cancelled.append(operation)
            raise
        return self.answers[operation]

    async def act(
        self, proposal: ActionProposal, /, *, wait_seconds: float
    ) -> MayAct | Acted | Pending | RefusedAnswer:
        """One that is approved before it is asked, once."""
        if self.locked:
            return RefusedAnswer(code="locked", message=CATALOGUE["locked"])
        if proposal.body in self.acts:
            return self.acts[proposal.body]
        operation = f"act-{len(self.acts)}"
        self.acts[proposal.body] = Acted(operation=operation, outcome="unknown", repeated=True, message="begun")
        return MayAct(operation=operation)

    async def acted(
        self, operation: str, /, *, principal: str, outcome: ActOutcome, result: str | None
    ) -> Acted | RefusedAnswer:
        for body, answer in self.acts.items():
            if answer.operation == operation and answer.outcome == "unknown":
                told = Acted(operation=operation, outcome=outcome, result=result, message=principal)
                self.acts[body] = told
                return told
        raise InvalidInput("invalid_input.id")

    async def status(self, operation: str, /, *, principal: str) -> Done | Pending | RefusedAnswer:
        if self.owners.get(operation) != principal:
            raise InvalidInput("invalid_input.id")
        return self.answers[operation]

    async def outcome(self, operation: str, /, *, principal: str) -> Done | Pending | RefusedAnswer:
        return await self.status(operation, principal=principal)

    async def info(self) -> WalletInfo:
        return WalletInfo(
            chain="eip155:1",
            account=ADDRESS,
            symbol="ETH",
            decimals=18,
            locked=self.locked,
            private_reads=not self.locked,
        )

    async def balance(self, address: str | None, /, *, token: str | None = None) -> str:
        if address == BROKEN_ADDRESS:
            raise RuntimeError(f"a bug that would tell {PASSPHRASE.decode()}")
        if address == "typed wrongly":
            return 5  # type: ignore[return-value]  # a guard that breaks its own promise
        if address == "huge":
            return "9" * 300_000
        if self.balance_hold is not None:
            await self.balance_hold.wait()
        return "1000000000000000000" if address is None else "0"

    async def history(self, last: int, /) -> tuple[HistoryEntry, ...]:
        return self.past[:last]

    async def fingerprints(self) -> FingerprintSet:
        if self.locked:
            return FingerprintSet()
        key = bytes(range(32))
        return FingerprintSet(key, frozenset({fingerprint(PROTECTED, key=key)}), frozenset({len(PROTECTED)}))

    async def record_read(self, record: ReadRecord, /) -> None:
        if len(record.tool) % 2:
            await checkpoint()  # an unordered server would let others overtake here
        if record.tool == "full":
            raise Unavailable("unavailable.store", detail="the queue holds 10000 entries")
        self.reads.append(record)

    async def aclose(self) -> None:
        self.closed = True

    # --- ApprovalDesk ---------------------------------------------------------------------------------------------

    async def requests(self) -> tuple[ApprovalRequest, ...]:
        self._check_unlocked()
        return tuple(_request(o) for o, answer in self.answers.items() if isinstance(answer, Pending))

    async def request(self, operation: str, /) -> ApprovalRequest:
        self._check_unlocked()
        if operation not in self.answers:
            raise InvalidInput("invalid_input.id", detail="no such operation")
        return _request(operation)

    async def approve(
        self, operation: str, /, *, view_hash: str, match_code: str, code: str | None, channel: Channel
    ) -> Continuation:
        self._check_unlocked()
        if (view_hash, match_code) != (VIEW_HASH, MATCH_CODE):
            raise FactorRejected("match_code.rejected")
        if code != CODE:
            raise FactorRejected("factor.rejected", detail="step 7 of factor totp-1\x1b[2J")
        self.signed.append(operation)
        receipt = Receipt(
            operation=operation, chain="eip155:1", account=ADDRESS, to=ADDRESS, amount="0.1", symbol="ETH",
            transaction_hash="0x" + "11" * 32,
        )  # fmt: skip
        self.answers[operation] = Done(operation=operation, outcome="mined", receipt=receipt, message=channel.value)
        self.decided[operation].set()
        return Continuation.NEXT_CALL

    async def decline(self, operation: str, /, *, channel: Channel) -> None:
        self._check_unlocked()
        self.answers[operation] = RefusedAnswer(code="declined", message=channel.value, operation=operation)
        self.decided[operation].set()

    async def pair_by_link(self, operation: str, link_secret: str, /) -> str:
        if link_secret != "link-of-" + operation:
            raise FactorRejected("pairing.required")
        return "token-by-link"

    async def pair_by_code(self, code: str, /) -> str:
        if code != CODE:
            raise FactorRejected("factor.rejected")
        return "token-by-code"

    async def is_paired(self, token: str, /) -> bool:
        return token.startswith("token-by-")

    @property
    def store_id(self) -> str:
        self._check_unlocked()
        return "store-1"

    # --- GuardControl ---------------------------------------------------------------------------------------------

    async def unlock(self, passphrase: Secret, /) -> GuardStatus:
        self.passphrases.append(passphrase)
        if not passphrase.equals(PASSPHRASE):
            raise VaultError("vault.cannot_unlock")
        self.locked = False
        return await self.control_status()

    async def lock(self) -> GuardStatus:
        self.lock_began.set()
        if self.lock_hold is not None:
            await self.lock_hold.wait()
        self.locked = True
        return await self.control_status()

    async def control_status(self) -> GuardStatus:
        return GuardStatus(
            version="0.1.0",
            locked=self.locked,
            store_id=None if self.locked else "store-1",
            blocked=None,
            account=ADDRESS,
            policy_revision=2,
            settings_differ=("policy.cap",),
            factor_locked=False,
            open_operations=len(self.answers),
            page_url=None,
            waivers=(),
        )

    async def apply_policy(self, settings: bytes, /, *, code: str) -> GuardStatus:
        if code != CODE:
            raise FactorRejected
        if settings == b"needs an extra":
            raise MissingExtra("ledger")
        if settings == b"forbidden":
            raise PolicyDenied(detail="word " * 1000)
        self.settings = settings
        return await self.control_status()

    async def unlock_factor(self, passphrase: Secret, /, *, code: str) -> GuardStatus:
        if not passphrase.equals(PASSPHRASE) or code != CODE:
            raise VaultError
        return await self.control_status()

    async def verify_log(self) -> LogReport:
        return LogReport(entries=3, head="cd" * 32, keyed=not self.locked, message="whole")

    async def read_log(self, *, last: int, about: str | None) -> LogPage:
        if about == "unknown":
            raise InvalidInput("invalid_input.id")
        return LogPage(entries=('{"kind":"tool.read"}', str(about)) * last, keyed=not self.locked, more=True)

    async def shut_down(self) -> None:
        self.locked = True

    def _check_unlocked(self) -> None:
        if self.locked:
            raise Locked


def _request(operation: str) -> ApprovalRequest:
    view = ConfirmationView(
        kind="transfer",
        chain="eip155:1",
        account=ADDRESS,
        intent="Send 0.1 ETH",
        fields=(ViewField(label="Amount", value="0.1 ETH"),),
        findings=(),
        operation_digest="ef" * 32,
        expires_at=1_000,
    )
    return ApprovalRequest(
        operation=operation, view=view, text="Send 0.1 ETH", view_hash=VIEW_HASH, match_code=MATCH_CODE, level=3,
        needs_code=True, expires_at=1_000, tool="pay", principal="local",
    )  # fmt: skip


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what another task or the other end of a socket is about to do."""
    with anyio.fail_after(20):
        while not condition():  # noqa: ASYNC110  # what is waited for knows nothing of events
            await anyio.sleep(0.005)


@contextmanager
def short_directory() -> Iterator[Path]:
    """A private directory whose sockets' paths fit into `sun_path`, wherever pytest keeps its own."""
    with tempfile.TemporaryDirectory(prefix="g", dir="/tmp") as name:
        yield Path(name)


@asynccontextmanager
async def served(
    guard: MemoryGuard, directory: Path, /, *, limits: Limits | None = None
) -> AsyncIterator[DaemonServer]:
    """The guard on its sockets, as the daemon and the embedded mode serve it."""
    with GuardLock(directory) as lock:
        server = DaemonServer(guard, directory=directory, lock=lock, limits=limits)
        async with anyio.create_task_group() as tasks:
            await tasks.start(server.serve)
            try:
                yield server
            finally:
                server.stop()
