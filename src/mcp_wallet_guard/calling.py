"""What is collected before a contract call is shown: the node's claims, its simulation, and what the wallet did before.

Every part of it may only add a warning. A node that cannot simulate leaves that unchecked, and the view says so; what
the wallet did before is read from its own journal. Threat: T-025, T-043.
"""

from __future__ import annotations

from collections.abc import Iterable

from mcp_wallet_guard import history
from mcp_wallet_guard.chains import simulation
from mcp_wallet_guard.chains.base import ChainFacts, UnsignedCall
from mcp_wallet_guard.clearsign.risks.known import History, Seen
from mcp_wallet_guard.clearsign.simulated import SimulationOutcome
from mcp_wallet_guard.custody import Custody
from mcp_wallet_guard.errors import Unavailable
from mcp_wallet_guard.evidence import Facts
from mcp_wallet_guard.exchange import MAX_HISTORY, HistoryEntry
from mcp_wallet_guard.operations.frozen import FrozenOperation
from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.session import Session, facts_of_call


async def collect(
    custody: Custody, session: Session, operation: FrozenOperation, claims: ChainFacts, /, *, nonce: int
) -> Facts:
    """All facts for the view of a frozen call. Raises Unavailable("unavailable.node_lied"), Tampered."""
    paid = await history.paid(custody, MAX_HISTORY)
    outcomes = await _simulated(session, operation)
    return facts_of_call(
        session,
        claims,
        operation,
        nonce=nonce,
        now=custody.clock.now(),
        before=history_of(paid),
        simulated=outcomes,
    )


def history_of(paid: Iterable[HistoryEntry], /) -> History:
    """Whom the wallet paid, called or allowed something, and when. Receipts do not tell these apart, and the checks
    that ask whether an address is new need not know."""
    seen: dict[Address, Seen] = {}
    for each in paid:
        if each.to is None:
            continue
        address = Address(each.to)
        first = seen.get(address, Seen(address=address, first=each.at, last=each.at, count=0))
        seen[address] = Seen(
            address=address, first=min(first.first, each.at), last=max(first.last, each.at), count=first.count + 1
        )
    known = tuple(sorted(seen.values(), key=lambda each: each.address))
    return History(paid=known, called=known, allowed=known)


async def _simulated(session: Session, operation: FrozenOperation) -> tuple[SimulationOutcome, ...] | None:
    tx = operation.transaction
    call = UnsignedCall(
        sender=operation.account.address,
        to=tx.to,
        value=tx.value,
        data=tx.data,
        gas=tx.gas,
        max_fee_per_gas=tx.max_fee_per_gas,
        max_priority_fee_per_gas=tx.max_priority_fee_per_gas,
    )
    try:
        return await simulation.runs(session.chain, call)
    except Unavailable as error:
        if error.code == "unavailable.node_lied":
            raise
        return None
