"""The owner's lists and the shipped ones, read; and what of them concerns one thing that would be signed.

Only that is frozen with an operation: the view is the same another day, and a long list makes no row long. An absent
kind of list stays None, so that what needs it says `not_checked`. Specified in docs/formats/lists.md.
Threat: T-020, T-021, T-025, T-040.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, final

from mcp_wallet_guard import strict_json
from mcp_wallet_guard.clearsign import known_contracts, token_lists
from mcp_wallet_guard.clearsign.address_lists import read_address_list
from mcp_wallet_guard.clearsign.decoders import places
from mcp_wallet_guard.clearsign.known_tokens import known_tokens
from mcp_wallet_guard.clearsign.reading import Reading
from mcp_wallet_guard.clearsign.recipients import ends
from mcp_wallet_guard.clearsign.risks.known import Application, Known, KnownName, KnownToken
from mcp_wallet_guard.clearsign.risks.parties import addresses
from mcp_wallet_guard.clearsign.risks.typed import skeleton
from mcp_wallet_guard.clearsign.token_lists import Tokens
from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations.values import Address, Asset, ChainId

_PUBLISHED: Final = frozenset(text for texts in places.EVERYWHERE.values() for text in texts)


@final
@dataclass(frozen=True, kw_only=True)
class OwnerLists:
    """What lists say. `blocked` and `verified` (by chain number) hold the 20 bytes of addresses, None without a list of
    that kind; `tokens` are the token lists. `sizes` tells, for each file, what it is and how many entries it has."""

    blocked: frozenset[bytes] | None = None
    verified: Mapping[int, frozenset[bytes]] | None = None
    tokens: tuple[Tokens, ...] = ()
    sizes: Mapping[str, tuple[str, int]] = field(default_factory=dict)

    @property
    def all_tokens(self) -> tuple[Tokens, ...]:
        """The token lists, and the tokens that everybody knows."""
        return (*self.tokens, known_tokens())

    @cached_property
    def disputed(self) -> Mapping[tuple[int, Address], tuple[Asset, ...]]:
        """What the lists disagree about, by chain number and contract: the token as each of them has it."""
        found: dict[tuple[int, Address], list[Asset]] = defaultdict(list)
        for tokens in self.all_tokens if self.tokens else ():
            for key, asset in tokens.items():
                if asset not in found[key]:
                    found[key].append(asset)
        several = [key for key, each in found.items() if len(each) > 1]
        return {key: tuple(found[key]) for key in sorted(several, key=lambda each: (each[0], each[1].value))}

    def blocks(self, address: Address, /) -> bool:
        """Whether it is on a block list."""
        return self.blocked is not None and address.raw in self.blocked

    def concerning(self, reading: Reading, known: Known, /, *, chain: ChainId, pins: frozenset[Address]) -> Known:
        """`known` with all that the lists say of what `reading` names; `pins` are tokens that the owner settled."""
        named = frozenset(address for _, address in addresses(reading))
        tokens, applications = named | _assets(reading), _applications(reading)
        return self.about(named, known, tokens=tokens, chain=chain, pins=pins, applications=applications)

    def about(
        self,
        named: frozenset[Address],
        known: Known,
        /,
        *,
        tokens: frozenset[Address],
        chain: ChainId,
        pins: frozenset[Address],
        applications: tuple[Application, ...] = (),
    ) -> Known:
        """The same for something that names these addresses and `tokens`. Of the address book and the pinned tokens
        that stays which is one of them, or looks like one."""
        disputed = (each for each in tokens - pins if (chain.number, each) in self.disputed)
        return known.model_copy(
            update={
                "addresses": _book(known, named),
                "blocked": None if self.blocked is None else _sorted(each for each in named if self.blocks(each)),
                "verified": self._verified(named, chain, pins),
                "tokens": (*_near(known, named | tokens), *self._near(tokens, chain, known)),
                "disputed": _sorted(disputed),
                "multisends": _sorted(each for each in named if each.value in known_contracts.MULTISENDS),
                "handlers": _sorted(each for each in named if each.value in known_contracts.HANDLERS),
                "applications": applications,
            }
        )

    def _verified(
        self, named: frozenset[Address], chain: ChainId, pins: frozenset[Address]
    ) -> tuple[Address, ...] | None:
        """Those on a list, those that everybody knows, and tokens that the owner pinned."""
        if self.verified is None:
            return None
        listed = self.verified.get(chain.number, frozenset())
        return _sorted(each for each in named if each in pins or each.raw in listed or each.value in _PUBLISHED)

    def _near(self, named: frozenset[Address], chain: ChainId, known: Known) -> tuple[KnownToken, ...]:
        """Tokens that are named, and those that something named looks like."""
        there = {token.contract for token in known.tokens or ()}
        found = {
            contract: KnownToken(chain=str(chain), contract=contract, symbol=symbol)
            for each in named
            for contract, symbol in self._by_ends.get((chain.number, *ends(each)), ())
            if contract not in there
        }
        return tuple(found[contract] for contract in _sorted(found))

    @cached_property
    def _by_ends(self) -> Mapping[tuple[int, str, str], list[tuple[Address, str]]]:
        found: dict[tuple[int, str, str], list[tuple[Address, str]]] = defaultdict(list)
        for tokens in self.tokens:
            for (number, contract), asset in tokens.items():
                found[number, *ends(contract)].append((contract, asset.symbol))
        return found


def read_lists(files: Mapping[str, bytes], /) -> OwnerLists:
    """The lists in `files`, by their names.

    Raises InvalidInput("invalid_input.list", "invalid_input.token", "invalid_input.size") when one cannot be read; the
    detail names it.
    """
    blocked: set[bytes] | None = None
    verified: dict[int, set[bytes]] | None = None
    tokens: list[Tokens] = []
    sizes: dict[str, tuple[str, int]] = {}
    for name, data in files.items():
        try:
            if _is_token_list(data):
                found = token_lists.read_token_list(data)
                tokens.append(found)
                sizes[name] = ("tokens", len(found))
                continue
            listed = read_address_list(data)
        except InvalidInput as error:
            raise InvalidInput(error.code, detail=f"{name}: {error.detail}") from None
        sizes[name] = (listed.kind, len(listed.addresses))
        if listed.chain is None:
            blocked = (blocked or set()) | listed.addresses
        else:
            verified = verified or {}
            verified.setdefault(listed.chain, set()).update(listed.addresses)
    return OwnerLists(
        blocked=None if blocked is None else frozenset(blocked),
        verified=None if verified is None else {chain: frozenset(each) for chain, each in verified.items()},
        tokens=tuple(tokens),
        sizes=sizes,
    )


def _is_token_list(data: bytes) -> bool:
    try:
        document = strict_json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and "tokens" in document and "kind" not in document


def _applications(reading: Reading) -> tuple[Application, ...]:
    """Those whose name the message bears, or imitates."""
    name = None if reading.domain is None else reading.domain.name
    if name is None:
        return ()
    return tuple(
        Application(name=known, contracts=tuple(Address(each) for each in sorted(contracts)))
        for known, contracts in known_contracts.APPLICATIONS.items()
        if skeleton(known) == skeleton(name)
    )


def _assets(reading: Reading) -> frozenset[Address]:
    """The contracts of everything that moves, is allowed, or is shown as an amount."""
    shown = [each for part in reading.parts for each in part.shown]
    for each in shown:
        shown.extend(each.children)
    assets = [each.asset for each in shown] + [effect.consequence.asset for effect in reading.effects]
    return frozenset(asset.contract for asset in assets if asset is not None and asset.contract is not None)


def _book(known: Known, named: frozenset[Address]) -> tuple[KnownName, ...] | None:
    if known.addresses is None:
        return None
    compared = _ends_of(named)
    return tuple(entry for entry in known.addresses if _ends_of((entry.address,)) & compared)


def _near(known: Known, named: frozenset[Address]) -> tuple[KnownToken, ...]:
    """All of them where the node told symbols, which are compared with each."""
    tokens = known.tokens or ()
    if known.node is not None and any(claim.symbol is not None for claim in known.node.tokens):
        return tokens
    compared = _ends_of(named)
    return tuple(token for token in tokens if _ends_of((token.contract,)) & compared)


def _ends_of(named: Iterable[Address]) -> set[tuple[int, str]]:
    """The digits at both ends of each: who shares one of them is it, or looks like it."""
    return {(place, digits) for each in named for place, digits in enumerate(ends(each))}


def _sorted(found: Iterable[Address]) -> tuple[Address, ...]:
    return tuple(sorted(found, key=lambda each: each.value))
