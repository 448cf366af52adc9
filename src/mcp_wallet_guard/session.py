"""Session: what an unlocked guard works with, as values and callables. This room never sees the vault itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, final

from mcp_wallet_guard.chains.base import Chain, ChainFacts
from mcp_wallet_guard.clearsign.contract_calls import parties_of
from mcp_wallet_guard.clearsign.descriptors.index import Index
from mcp_wallet_guard.clearsign.frozen_statements import statement_facts
from mcp_wallet_guard.clearsign.owner_lists import OwnerLists
from mcp_wallet_guard.clearsign.risks.known import (
    MAX_CLAIMS,
    AccountClaim,
    History,
    Known,
    KnownName,
    KnownToken,
    NodeClaims,
    TokenClaim,
)
from mcp_wallet_guard.clearsign.simulated import SimulationOutcome
from mcp_wallet_guard.config.naming import names_of, tokens_of
from mcp_wallet_guard.config.settings import Settings
from mcp_wallet_guard.evidence import Facts, NameClaim, StatementFacts, TokenFacts
from mcp_wallet_guard.filters.fingerprints import FingerprintSet
from mcp_wallet_guard.operations.frozen import FrozenOperation
from mcp_wallet_guard.operations.intents import Effect, EffectKind, payee_of
from mcp_wallet_guard.operations.values import Address, Asset
from mcp_wallet_guard.secret import Secret
from mcp_wallet_guard.signers.base import Signer
from mcp_wallet_guard.venues.base import Credential, Venue


class OpenVault(Protocol):
    """What unlocking yields, as values and callables: this room never sees the vault itself."""

    @property
    def sealed_settings(self) -> tuple[int, bytes] | None:
        """Revision and canonical bytes of the settings in force."""
        ...

    @property
    def fingerprints(self) -> FingerprintSet:
        """Digests of every secret in the vault."""
        ...

    @property
    def factor_ids(self) -> tuple[str, ...]:
        """The enrolled second factors."""
        ...

    def key(self, label: str, /) -> Secret:
        """A derived key: ``rows``, ``match-codes``, ``pairing`` or ``anchor``."""
        ...

    def factor_secret(self, factor_id: str, /) -> Secret:
        """The shared secret of one factor; the caller wipes it."""
        ...

    def credential(self, venue: str, /, *, now: int) -> Credential:
        """The API key of a venue; the caller wipes it. Raises Refused("venue.no_key", "venue.key_expired")."""
        ...

    def signer(self, settings: Settings, /) -> Signer:
        """The signer of the settings' account. Raises Misconfigured when the vault has no such key."""
        ...

    def seal_settings(self, canonical: bytes, /) -> int:
        """Seal and save; returns the new revision."""
        ...

    def lock(self) -> None:
        """Wipe the keys. Idempotent."""
        ...


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What an unlocked guard works with. `lists` are None where they are not those that the settings pin: then nothing
    is signed."""

    vault: OpenVault
    settings: Settings
    revision: int
    signer: Signer
    chain: Chain
    venues: Mapping[str, Venue]
    match_key: Secret
    pairing_key: Secret
    descriptors: Index | None = None
    lists: OwnerLists | None = None

    async def aclose(self) -> None:
        """Wipe the keys, close the connections."""
        self.match_key.wipe()
        self.pairing_key.wipe()
        await self.chain.aclose()
        for venue in self.venues.values():
            await venue.aclose()


async def claimed_names(session: Session, effect: Effect, /) -> tuple[NameClaim, ...]:
    """What those call themselves whom `effect` is about and the owner has no name for, `MAX_CLAIMS` of them at most.

    They are asked once, before freezing: what they call themselves later changes nothing. Threat: T-023.
    """
    settings = session.settings
    if settings.ens_registry is None:
        return ()
    names = names_of(settings)
    is_call = effect.kind == EffectKind.CONTRACT_CALL
    parties = parties_of(effect, names) if is_call else (payee_of(effect),)
    known = {address for _, address in settings.known_addresses}
    unknown = [each for each in parties if each not in known and names.name(settings.chain, each) is None]
    claims = [await session.chain.name_claim(each) for each in unknown[:MAX_CLAIMS]]
    return tuple(claim for claim in claims if claim is not None)


def known_of(
    session: Session,
    claims: ChainFacts,
    operation: FrozenOperation,
    /,
    *,
    payee: Address,
    token: Asset | None,
    now: int,
    before: History,
    simulated: tuple[SimulationOutcome, ...] | None,
    accounts: tuple[AccountClaim, ...] = (),
) -> Known:
    """What the checks may know of a transaction: the node's claims, what the sealed settings say, and what the wallet
    did before. `payee` and `token` are those of a plain payment; of a contract call, the contract and None. `accounts`
    are the node's words about contracts."""
    node = _node_claims(session.settings, claims, operation, payee=payee, token=token)
    answers = (each for each in accounts if each.has_code is not None)
    said = {each.address: each for each in (*node.accounts, *answers)}
    return _known(
        session.settings,
        now=now,
        node=node if not accounts else node.model_copy(update={"accounts": tuple(said.values())}),
        history=before,
        simulation=simulated,
        claims=None if session.settings.ens_registry is None else claims.names,
    )


def facts_of(
    settings: Settings, claims: ChainFacts, /, *, payee: Address, token: Asset | None, nonce: int, known: Known
) -> Facts:
    """The node's claims and the sealed settings' own facts, as they are frozen with a transaction."""
    return Facts(
        collected_at=known.now or 0,
        chain=str(settings.account.chain),
        nonce=nonce,
        balance=int(claims.balance),
        base_fee=claims.base_fee,
        payee_has_code=claims.payee_has_code,
        payee_name=settings.name_of(payee),
        payee_claim=next((claim for claim in claims.names if claim.address == payee.value), None),
        symbol=settings.native.symbol,
        decimals=settings.native.decimals,
        token=None if token is None else _token_facts(token, claims),
        data_fee=None if claims.data_fee is None else int(claims.data_fee),
        known=known.to_json(),
    )


def facts_of_statement(
    session: Session, operation: FrozenOperation, /, *, now: int, before: History | None = None
) -> StatementFacts:
    """What the settings, the installed descriptors and the wallet's own past know of a statement, frozen with it. No
    node is asked."""
    settings = session.settings
    known = _known(settings, now=now, history=before)
    return statement_facts(
        operation,
        names_of(settings, lists=session.lists),
        known=known,
        at=now,
        index=session.descriptors,
        lists=session.lists,
    )


def _known(settings: Settings, /, *, now: int, **more: Any) -> Known:
    """What the owner's settings and the shipped lists say, and `more` fields."""
    return Known(
        now=now,
        chain=str(settings.chain),
        accounts=(settings.account.address,),
        addresses=tuple(KnownName(name=entry.name, address=entry.address) for entry in settings.address_book),
        tokens=tuple(
            KnownToken(chain=str(settings.chain), contract=contract, symbol=asset.symbol)
            for contract, asset in tokens_of(settings).items()
        ),
        delegates=() if settings.policy is None else settings.policy.delegates,
        **more,
    )


def _node_claims(
    settings: Settings, claims: ChainFacts, operation: FrozenOperation, /, *, payee: Address, token: Asset | None
) -> NodeClaims:
    accounts = [AccountClaim(address=payee, has_code=claims.payee_has_code)]
    tokens: tuple[TokenClaim, ...] = ()
    contract = operation.transaction.to
    if token is not None and contract != payee and claims.token_balance is not None:
        # Whoever answers for a balance is a contract.
        accounts.append(AccountClaim(address=contract, has_code=True, is_token=True))
    if token is not None and claims.token_balance is not None:
        tokens = (TokenClaim(contract=contract, balance=int(claims.token_balance)),)
    return NodeClaims(
        chain=str(settings.chain),
        accounts=tuple(accounts),
        tokens=tokens,
        nonce=claims.nonce,
        pending_nonce=claims.pending_nonce,
        balance=int(claims.balance),
        base_fee=claims.base_fee,
        priority_fee=claims.priority_fee,
        block_gas_limit=claims.block_gas_limit,
        estimated_gas=claims.estimated_gas,
        estimate_failed=None if claims.estimated_gas is None else False,
        data_fee=None if claims.data_fee is None else int(claims.data_fee),
    )


def _token_facts(token: Asset, claims: ChainFacts) -> TokenFacts:
    return TokenFacts(
        address=str(token.address),
        symbol=token.symbol,
        decimals=token.decimals,
        balance=int(claims.token_balance or 0),
    )
