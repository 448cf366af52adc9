"""Whom the account dealt with before: the inside of store transactions.

One row of an account names everybody whom an approval that was used up paid, called or let take something, the last
`MOST` of them, so that asking costs the same after a thousand payments as after ten. What a node, a log or a receipt
says is no part of it: a transfer of nothing that somebody else sends from a look-alike makes nobody a partner.
Threat: T-025.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final, final

from mcp_wallet_guard.canonical import canonical_bytes
from mcp_wallet_guard.clearsign.risks.known import History, Seen
from mcp_wallet_guard.confirmation import ConfirmationView
from mcp_wallet_guard.errors import Tampered
from mcp_wallet_guard.evidence import PartnersRow
from mcp_wallet_guard.operations.frozen import KIND_EIP1559, FrozenOperation
from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.stores.base import Transaction

MOST: Final = 256
_PAID, _CALLED, _ALLOWED = "paid", "called", "allowed"
_DIRECTIONS: Final = {"out": _PAID, "allow": _ALLOWED, "control": _ALLOWED}


@final
@dataclass(frozen=True, slots=True)
class _Partner:
    address: str
    how: str
    first: int
    last: int
    count: int


def note(tx: Transaction, operation: FrozenOperation, view: ConfirmationView, /) -> None:
    """Count everybody whom `view` shows as getting something from the account, and the contract that is called."""
    account = operation.account.id
    known = {(each.address, each.how): each for each in _read(tx, account)}
    for address, how in dict.fromkeys(_parties(operation, view)):
        seen = known.pop((address, how), _Partner(address, how, tx.now, tx.now, 0))
        known[address, how] = replace(seen, last=tx.now, count=seen.count + 1)
    kept = [[each.address, each.how, each.first, each.last, each.count] for each in known.values()][-MOST:]
    tx.put(PartnersRow(account=account, seen=canonical_bytes(kept).decode("ascii")))


def history(tx: Transaction, account: str, /, *, about: Iterable[Address]) -> History:
    """What the account did before, as far as it says something of the addresses `about`: they themselves, and those
    that begin or end like one of them."""
    texts = {address.value for address in about}
    ends = {_head(text) for text in texts} | {_tail(text) for text in texts}
    telling = [each for each in _read(tx, account) if {_head(each.address), _tail(each.address)} & ends]
    return History(
        paid=tuple(_seen(each) for each in telling if each.how == _PAID),
        called=tuple(_seen(each) for each in telling if each.how == _CALLED),
        allowed=tuple(_seen(each) for each in telling if each.how == _ALLOWED),
    )


def _parties(operation: FrozenOperation, view: ConfirmationView) -> Iterator[tuple[str, str]]:
    if operation.kind == KIND_EIP1559 and operation.transaction.data:
        yield operation.transaction.to.value, _CALLED
    own = operation.account.address.value
    for effect in view.effects:
        how, party = _DIRECTIONS.get(effect.direction), effect.counterparty
        # Whose allowance is taken back was not trusted by that: it may be a thief's.
        if how is not None and party is not None and party.address != own and not effect.lowers:
            yield party.address, how


def _read(tx: Transaction, account: str) -> list[_Partner]:
    row = tx.get(PartnersRow, account)
    try:
        return [] if row is None else [_Partner(*each) for each in json.loads(row.seen)]
    except (TypeError, ValueError):
        raise Tampered("tampered.row", detail="partners that nobody can have written") from None


def _seen(partner: _Partner) -> Seen:
    return Seen(address=Address(partner.address), first=partner.first, last=partner.last, count=partner.count)


def _head(text: str) -> str:
    return "+" + text[2:6].lower()


def _tail(text: str) -> str:
    return "-" + text[-4:].lower()
