"""What is collected before a transaction is shown: the node's claims, its simulation, and what the wallet did before.

Every part of it may only add a warning. A node that cannot simulate leaves that unchecked, and the view says so; what
the wallet did before is read from its own rows. Threat: T-025, T-043.
"""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard import partners
from mcp_wallet_guard.chains import simulation
from mcp_wallet_guard.chains.base import ChainFacts, UnsignedCall
from mcp_wallet_guard.clearsign.contract_calls import addresses_named, contracts_called, frozen_words
from mcp_wallet_guard.clearsign.owner_lists import OwnerLists
from mcp_wallet_guard.clearsign.risks.known import AccountClaim
from mcp_wallet_guard.clearsign.simulated import SimulationOutcome
from mcp_wallet_guard.config.naming import names_of
from mcp_wallet_guard.custody import Custody
from mcp_wallet_guard.errors import Unavailable
from mcp_wallet_guard.evidence import Facts
from mcp_wallet_guard.operations.frozen import FrozenOperation
from mcp_wallet_guard.operations.intents import Effect, EffectKind, contract_of, payee_of
from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.session import Session, facts_of, known_of

MAX_ACCOUNTS: Final = 4
"""Contracts that the node is asked about. The rest stay unchecked."""


async def collect(
    custody: Custody, session: Session, operation: FrozenOperation, claims: ChainFacts, effect: Effect, /, *, nonce: int
) -> Facts:
    """All facts for the view of a frozen transaction. Raises Unavailable("unavailable.node_lied"), Tampered."""
    settings = session.settings
    is_call = effect.kind == EffectKind.CONTRACT_CALL
    names = names_of(settings, claims=claims.names, lists=session.lists) if is_call else None
    token, payee = (None, effect.to) if is_call else (settings.token_at(effect.to), payee_of(effect))
    about = frozenset({payee, effect.to}) if names is None else addresses_named(operation, names)
    before = await custody.transact(lambda tx: partners.history(tx, settings.account.id, about=about))
    simulated = await _simulated(session, operation) if operation.transaction.data else None
    accounts = () if names is None else await _accounts(session, operation, contracts_called(operation, names))
    known = known_of(
        session,
        claims,
        operation,
        payee=payee,
        token=token,
        now=custody.clock.now(),
        before=before,
        simulated=simulated,
        accounts=accounts,
    )
    if names is None:
        pins = frozenset(contract_of(each) for each in settings.tokens)
        lists = session.lists or OwnerLists()
        known = lists.about(about, known, tokens=about, chain=settings.chain, pins=pins)
        return facts_of(settings, claims, payee=payee, token=token, nonce=nonce, known=known)
    words = frozen_words(operation, names, known=known, index=session.descriptors, lists=session.lists)
    facts = facts_of(settings, claims, payee=payee, token=token, nonce=nonce, known=words.known)
    return facts.model_copy(update={"names": words.names, "descriptors": words.descriptors})


async def _accounts(
    session: Session, operation: FrozenOperation, contracts: tuple[Address, ...]
) -> tuple[AccountClaim, ...]:
    """What the node says of the contracts that are called, and of those whom the call lets take something. Of the one
    at the top also who made it, where a descriptor is of what somebody made."""
    top, index = operation.transaction, session.descriptors
    makers = () if index is None else index.makers(operation.account.chain, top.data[:4])
    return tuple(
        [
            await session.chain.account_claim(each, makers=makers if each == top.to else ())
            for each in contracts[:MAX_ACCOUNTS]
        ]
    )


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
