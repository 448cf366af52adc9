"""History: what the wallet paid lately, from the receipts that the journal keeps, the newest first.

What was signed and sent, and nothing else: no question, no refusal, no action, and of each payment only allow-listed
fields, which the outbound filter has seen. Threat: T-060, T-088.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import anyio.to_thread
from pydantic import TypeAdapter, ValidationError

from mcp_wallet_guard.answers import Withheld
from mcp_wallet_guard.custody import Custody
from mcp_wallet_guard.errors import InvalidInput, Tampered
from mcp_wallet_guard.evidence import PAYLOAD
from mcp_wallet_guard.exchange import MAX_HISTORY, HistoryEntry, Receipt
from mcp_wallet_guard.journal import chain
from mcp_wallet_guard.journal.chain import Entry
from mcp_wallet_guard.journal.events import Kind

REACH: Final = 2_000
"""Entries of the journal that are looked at, from its end: verifying takes about 0.1 ms for each."""

_KEPT: Final[TypeAdapter[Receipt | Withheld]] = TypeAdapter(Receipt | Withheld, config=PAYLOAD)
_TELLING: Final = frozenset({Kind.SENT.value, Kind.UNKNOWN.value, Kind.SETTLED.value})
_FIELDS: Final = {"to", "amount", "symbol", "transaction_hash", "fee"}


async def paid(custody: Custody, last: int, /) -> tuple[HistoryEntry, ...]:
    """At most `last` (1 to MAX_HISTORY) payments of the account, as far as the journal's newest REACH entries tell.

    Raises Locked when the settings refuse reads while locked, PolicyDenied when nothing was ever sealed, Tampered, and
    InvalidInput for another number.
    """
    account = custody.settings_for_reads().account.id
    if type(last) is not int or not 1 <= last <= MAX_HISTORY:
        raise InvalidInput(detail=f"last is not a number from 1 to {MAX_HISTORY}")
    entries = await _entries(custody)
    return await anyio.to_thread.run_sync(lambda: _payments(entries, account)[:last])


async def _entries(custody: Custody) -> tuple[Entry, ...]:
    """The end of the journal: under the key, or while the vault is locked as a chain that hangs together."""
    head = custody.store.head
    if head is None:
        entries = (await custody.store.journal())[-REACH:]
        await anyio.to_thread.run_sync(_check_chain, entries)
        return entries
    since = max(0, head.journal.index + 1 - REACH)
    return await custody.transact(lambda tx: tx.check_entries(since), long=True)


def _check_chain(entries: tuple[Entry, ...]) -> None:
    for first in entries[:1]:
        chain.check(first)
        chain.verify(entries[1:], start=first.head)


def _payments(entries: Iterable[Entry], account: str) -> tuple[HistoryEntry, ...]:
    seen: dict[str, dict[str, Any]] = {}
    try:
        for entry in entries:
            fields = entry.fields
            if fields["kind"] in _TELLING:
                _note(seen, fields, account)
        told = [HistoryEntry(operation=operation, **payment) for operation, payment in seen.items()]
    except (ValidationError, KeyError) as error:
        raise Tampered("tampered.journal", detail="a payment that nobody can have written") from error
    return tuple(reversed(told))


def _note(seen: dict[str, dict[str, Any]], fields: dict[str, Any], account: str) -> None:
    """What an entry adds to its payment. One is seen from its first receipt on, or from when nobody knew whether the
    chain has it; before that nothing was sent."""
    operation, data = fields["subject"], fields["data"]
    kept = None if data.get("receipt") is None else _KEPT.validate_json(data["receipt"])
    if isinstance(kept, Receipt) and f"{kept.chain}:{kept.account}" != account:
        return
    if kept is not None or data.get("outcome") == "unknown":
        payment = seen.setdefault(operation, {"at": fields["at"]})
        payment.update(kept.model_dump(include=_FIELDS) if isinstance(kept, Receipt) else dict.fromkeys(_FIELDS))
    if operation in seen:
        seen[operation]["outcome"] = "sent" if fields["kind"] == Kind.SENT else data["outcome"]
