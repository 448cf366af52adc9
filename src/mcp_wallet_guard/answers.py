"""What a caller is told about an operation: fixed sentences, allow-listed fields. And who waits for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final, final

import anyio
from pydantic import TypeAdapter

from mcp_wallet_guard.ceremony import state_of
from mcp_wallet_guard.config.settings import Settings
from mcp_wallet_guard.errors import CATALOGUE
from mcp_wallet_guard.evidence import PAYLOAD, Model, OperationRow, State
from mcp_wallet_guard.exchange import (
    Done,
    Pending,
    Receipt,
    RefusedAnswer,
    TokenInfo,
    WalletInfo,
    WithdrawalReceipt,
)
from mcp_wallet_guard.operations.withdrawals import ACCOUNT_PREFIX

SENTENCES: Final[dict[str, str]] = {
    "pending": (
        "The owner must approve this outside this conversation: with the link in the wallet's links folder, or with "
        "'mcp-wallet-guard approve'. After that, make the same call again with the same arguments."
    ),
    "queued": "Another payment of this account waits for its approval. Make the same call again after it.",
    "approved": "The owner approved this. Make the same call again with the same arguments within two minutes.",
    "mined": "The payment was signed, sent and mined.",
    "sent": "The payment was signed and sent. It is not mined yet.",
    "failed": "The chain's node says that the payment was mined and reverted, so that only the fee was spent.",
    "replaced": "The chain's node says that another transaction of the account took this one's place.",
    "unknown": "The payment was signed, but it is not known whether the chain has it. Do not pay again.",
    "burned": "The approval was used up by an interruption before anything was sent. Nothing was paid; ask again.",
    "signed_but_invalid": "The signer returned an invalid signature. Nothing was sent. The owner must look at it.",
    "withheld": "Its receipt is withheld. The owner finds the incident in the journal.",
}
"""Every sentence about an operation that a model may read."""

WITHDRAWAL_SENTENCES: Final[dict[str, str]] = {
    "sent": "The owner approved it, and the venue says that it took the withdrawal. It is under way.",
    "completed": "The venue says that it carried the withdrawal out.",
    "failed": (
        "The venue says that it did not carry this withdrawal out: it refused or cancelled it, or has no such "
        "withdrawal and cannot take the request any more."
    ),
    "unknown": "The request was sent, but it is not known whether the venue took it. Do not withdraw again.",
    "burned": "The approval was used up by an interruption before anything was sent. Nothing left; ask again.",
}
"""The same about a withdrawal from a venue, where they differ."""


@final
class Withheld(Model):
    """What a row keeps instead of a receipt that the outbound filter held back: the id of the journalled incident."""

    incident: str


_KEPT: Final[TypeAdapter[Receipt | WithdrawalReceipt | Withheld]] = TypeAdapter(
    Receipt | WithdrawalReceipt | Withheld, config=PAYLOAD
)


def answer(row: OperationRow, /, *, repeated: bool = False, url: str | None = None) -> Done | Pending | RefusedAnswer:
    """The answer that a payment's row stands for. `url` is the approval page's address with the opaque id only."""
    undone = undone_answer(row, url=url)
    if undone is not None:
        return undone
    outcome = row.outcome or ("sent" if state_of(row) is State.SENT else "unknown")
    kept = None if row.receipt is None else _KEPT.validate_json(row.receipt)
    told = (WITHDRAWAL_SENTENCES if row.account.startswith(ACCOUNT_PREFIX) else SENTENCES)[outcome]
    incident = None
    if isinstance(kept, Withheld):
        incident, told, kept = kept.incident, f"{told} {SENTENCES['withheld']}", None
    return Done(
        operation=row.id,
        outcome=outcome,  # type: ignore[arg-type]  # pydantic refuses an outcome that is not in the list
        repeated=repeated,
        receipt=kept if isinstance(kept, Receipt) else None,
        withdrawal=kept if isinstance(kept, WithdrawalReceipt) else None,
        incident=incident,
        message=told,
    )


def undone_answer(row: OperationRow, /, *, url: str | None) -> Pending | RefusedAnswer | None:
    """The answer of an operation that waits, for its turn or for a person, or that was refused. None for one whose
    approval was used up: how that went, payments and actions say in their own words."""
    state = state_of(row)
    if state in {State.PROPOSED, State.HELD}:
        return Pending(operation=row.id, queued=True, expires_at=row.expires_at, message=SENTENCES["queued"])
    if state is State.FROZEN:
        return Pending(operation=row.id, expires_at=row.expires_at, url=url, message=SENTENCES["pending"])
    if state is State.APPROVED:
        return Pending(operation=row.id, approved=True, expires_at=row.expires_at, message=SENTENCES["approved"])
    if row.code is not None:
        return RefusedAnswer(code=row.code, message=CATALOGUE[row.code], operation=row.id)
    return None


@final
class LimitStatus(Model):
    """One limit over time, and what it has counted. Amounts are decimal text; None where nothing is limited.

    `payees` says how many it is about, None for everybody.
    """

    seconds: int
    symbol: str | None
    spent: str | None
    amount: str | None
    payments: int
    count: int | None
    payees: int | None


@final
class MandateStatus(Model):
    """One mandate of the settings in force, and what was paid under it. `expires_at` is unix seconds, None while nobody
    approved it, or not any more: then it lets nothing through."""

    id: str
    name: str
    expires_at: int | None
    budget: LimitStatus


@final
class GuardStatus(Model):
    """How the guard stands. No secret, no link, no balance."""

    version: str
    locked: bool
    store_id: str | None
    blocked: str | None
    account: str | None
    policy_revision: int | None
    settings_differ: tuple[str, ...]
    factor_locked: bool
    open_operations: int
    limits: tuple[LimitStatus, ...] = ()
    mandates: tuple[MandateStatus, ...] = ()
    page_url: str | None
    waivers: tuple[str, ...]


@final
class LogReport(Model):
    """The result of verifying the journal. `keyed` says whether MACs were checked too (the vault was unlocked)."""

    entries: int
    head: str
    keyed: bool
    message: str


@final
class LogPage(Model):
    """Entries of the journal as they were written, oldest first: each the canonical JSON of its body. The whole chain
    was verified before; `keyed` says whether MACs were too. `more` says that older ones are left out."""

    entries: tuple[str, ...]
    keyed: bool
    more: bool


@final
class Waiters(dict[str, list[anyio.Event]]):
    """The calls that wait for an operation's answer, by its id."""

    @contextmanager
    def joined(self, operation: str, /) -> Iterator[anyio.Event]:
        """An event that `wake` sets, among the waiting ones until the block ends."""
        waiter = anyio.Event()
        self.setdefault(operation, []).append(waiter)
        try:
            yield waiter
        finally:
            waiting = self.get(operation, [])
            if waiter in waiting:
                waiting.remove(waiter)
            if not waiting:
                self.pop(operation, None)

    async def wait(self, operation: str, /, *, seconds: float, is_open: Callable[[], Awaitable[bool]]) -> bool:
        """Wait for the person's answer; True when it came, also when it came before the wait began."""
        with self.joined(operation) as waiter:
            if not await is_open():
                return True
            with anyio.move_on_after(seconds):
                await waiter.wait()
            return waiter.is_set()

    def wake(self, operation: str, /) -> bool:
        """Wake the calls that wait for this operation; whether there is one."""
        waiters = self.pop(operation, [])
        for waiter in waiters:
            waiter.set()
        return bool(waiters)


def wallet_info(settings: Settings, /, *, locked: bool) -> WalletInfo:
    """What everybody may know of the wallet: what its settings pin."""
    return WalletInfo(
        chain=str(settings.chain),
        account=settings.account.address.value,
        symbol=settings.native.symbol,
        decimals=settings.native.decimals,
        tokens=tuple(
            TokenInfo(symbol=token.symbol, address=str(token.address), decimals=token.decimals)
            for token in settings.tokens
        ),
        locked=locked,
        private_reads=settings.locked_reads or not locked,
    )
