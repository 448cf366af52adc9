"""What is collected before a transaction is shown: the node's claims, its simulation, and what the wallet did before.

Every part of it may only add a warning. A node that cannot simulate leaves that unchecked, and the view says so; what
the wallet did before is read from its own rows. Threat: T-025, T-043.
"""

from __future__ import annotations

from mcp_wallet_guard import partners
from mcp_wallet_guard.chains import simulation
from mcp_wallet_guard.chains.base import ChainFacts, UnsignedCall
from mcp_wallet_guard.clearsign.contract_calls import addresses_named
from mcp_wallet_guard.clearsign.simulated import SimulationOutcome
from mcp_wallet_guard.config.naming import names_of
from mcp_wallet_guard.custody import Custody
from mcp_wallet_guard.errors import Unavailable
from mcp_wallet_guard.evidence import Facts
from mcp_wallet_guard.operations.frozen import FrozenOperation
from mcp_wallet_guard.operations.intents import Effect, EffectKind, payee_of
from mcp_wallet_guard.session import Session, facts_of, facts_of_call


async def collect(
    custody: Custody, session: Session, operation: FrozenOperation, claims: ChainFacts, effect: Effect, /, *, nonce: int
) -> Facts:
    """All facts for the view of a frozen transaction. Raises Unavailable("unavailable.node_lied"), Tampered."""
    settings = session.settings
    names = names_of(settings, claims=claims.names) if effect.kind == EffectKind.CONTRACT_CALL else None
    payee = effect.to if names is not None else payee_of(effect)
    about = {payee, effect.to} if names is None else addresses_named(operation, names)
    before = await custody.transact(lambda tx: partners.history(tx, settings.account.id, about=about))
    facts = facts_of(
        session,
        claims,
        operation,
        payee=payee,
        token=None if names is not None else settings.token_at(effect.to),
        nonce=nonce,
        now=custody.clock.now(),
        before=before,
        simulated=await _simulated(session, operation) if operation.transaction.data else None,
    )
    return facts if names is None else facts_of_call(session, facts, operation, names=names)


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
