"""What the settings say of tokens and addresses, before what everybody knows."""

from __future__ import annotations

from mcp_wallet_guard.clearsign.knowledge import Sources
from mcp_wallet_guard.clearsign.known_tokens import known_tokens
from mcp_wallet_guard.clearsign.owner_lists import OwnerLists
from mcp_wallet_guard.config.settings import Settings
from mcp_wallet_guard.evidence import NameClaim
from mcp_wallet_guard.operations.intents import contract_of
from mcp_wallet_guard.operations.values import Address, Asset


def names_of(settings: Settings, /, *, claims: tuple[NameClaim, ...] = (), lists: OwnerLists | None = None) -> Sources:
    """The owner's pins and names as a fresh lookup, which notes what it answered; `claims` where the owner has none,
    and tokens of `lists` after the pins. What may be spent is read without lists: it is only what is pinned."""
    contracts = () if settings.policy is None else settings.policy.contracts
    return Sources(
        pins=(settings.native, *settings.tokens),
        names={each.address: each.name for each in contracts}
        | {each.address: each.name for each in settings.address_book},
        claims_of_names=claims,
        lists=(known_tokens(),) if lists is None else lists.all_tokens,
    )


def tokens_of(settings: Settings, /) -> dict[Address, Asset]:
    """Tokens whose symbol another one may fake: what everybody knows on this chain, then the owner's pins."""
    shipped = {contract: asset for (chain, contract), asset in known_tokens().items() if chain == settings.chain.number}
    return shipped | {contract_of(token): token for token in settings.tokens}
