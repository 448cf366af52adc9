"""Who gets money, rights or control: the effective parties, from what the bytes do and not from a transaction's `to`.

Threat: T-020, T-120.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

from mcp_wallet_guard.clearsign.reading import Delegation, Effect, Reading
from mcp_wallet_guard.clearsign.risks.results import Fact
from mcp_wallet_guard.clearsign.tree import AssetKind, Consequence, Direction, Part, PartKind, ShownKind
from mcp_wallet_guard.operations.bulk import in_bulk
from mcp_wallet_guard.operations.values import Address

CALLS: Final = frozenset({PartKind.CALL, PartKind.DELEGATECALL})


@final
@in_bulk
@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """One address that gets something. `consequence` is None for a call's value that no consequence tells of."""

    address: Address
    path: str
    part: Part
    consequence: Consequence | None

    @property
    def facts(self) -> tuple[Fact, ...]:
        """The address in full."""
        return (("address", self.address.value),)

    @property
    def is_callee(self) -> bool:
        """Whether the money goes along with a call to that very contract, as in a deposit."""
        return self.part.target == self.address and bool(self.part.data)


def payees(reading: Reading, /) -> tuple[Party, ...]:
    """Who receives what leaves, and who receives instead of the signer, each address once."""
    return reading.once(_receiving)


def spenders(reading: Reading, /) -> tuple[Party, ...]:
    """Who may take something later, each address once; what takes an allowance back is left out."""
    return reading.once(_spenders)


def controllers(reading: Reading, /) -> tuple[Party, ...]:
    """Who gains control of something, each address once."""
    return reading.once(_controllers)


def everybody(reading: Reading, /) -> Iterator[Party]:
    """Payees, spenders and controllers."""
    yield from payees(reading)
    yield from spenders(reading)
    yield from controllers(reading)


def called(reading: Reading, /) -> tuple[Party, ...]:
    """The contracts that are called with data, each once."""
    return reading.once(_called)


def addresses(reading: Reading, /) -> Iterator[tuple[str, Address]]:
    """Every address that is named anywhere in what is signed, with its path: of effects, targets and shown values.
    Whose allowance is taken back gets nothing by that, so it is left out there."""
    for party in everybody(reading):
        yield party.path, party.address
    freed = {(id(each.part), each.consequence.counterparty) for each in reading.effects if each.takes_back}
    for part in reading.parts:
        if part.target is not None:
            yield part.path, part.target
        waiting = list(part.shown)
        while waiting:
            shown = waiting.pop()
            waiting.extend(shown.children)
            named = shown.raw if shown.kind is ShownKind.ADDRESS else None
            if isinstance(named, Address) and (id(part), named) not in freed:
                yield f"{part.path}{shown.path}", named


def allowances(reading: Reading, /) -> tuple[Effect, ...]:
    """The effects that let somebody take something. An amount of zero takes an allowance back, "at most what it was"
    lowers it."""
    return reading.once(_allowances)


def delegations(reading: Reading, /) -> Iterator[Delegation]:
    """EIP-7702 authorizations, of the envelope and of the tree, each once."""
    seen: set[tuple[Address, bool]] = set()
    for found in (*reading.delegations, *_in_tree(reading)):
        if (found.delegate, found.chain is None) not in seen:
            seen.add((found.delegate, found.chain is None))
            yield found


def is_signers(address: Address | None, reading: Reading, /) -> bool:
    """Whether `address` is the signer; an owner that the bytes do not name is taken for the signer."""
    return address is None or address == reading.signer


def is_collection(consequence: Consequence, /) -> bool:
    """Whether it is about everything of a contract that has many assets."""
    asset = consequence.asset
    many = {AssetKind.ERC721, AssetKind.ERC1155, AssetKind.ERC6909}
    return asset is not None and asset.kind in many and asset.token_id is None


def _receiving(reading: Reading) -> Iterator[Party]:
    paid: set[str] = set()
    seen: set[Address] = set()
    for effect in reading.of(Direction.OUT, Direction.IN):
        consequence = effect.consequence
        gains = consequence.counterparty
        if consequence.direction is Direction.IN:
            gains = consequence.owner if consequence.owner != reading.signer else None
        elif gains is not None and consequence.asset is not None and consequence.asset.contract is None:
            paid.add(effect.part.path)
        if gains is not None and gains not in seen:
            seen.add(gains)
            yield _party(effect, gains)
    for part in reading.parts:
        called = part.target if part.kind in CALLS and part.value and part.path not in paid else None
        if called is not None and called not in seen:
            seen.add(called)
            yield Party(address=called, path=part.path, part=part, consequence=None)


def _in_tree(reading: Reading) -> Iterator[Delegation]:
    for effect in reading.of(Direction.CONTROL):
        part, delegate = effect.part, effect.consequence.counterparty
        if effect.consequence.control == "account.delegate" and delegate is not None:
            yield Delegation(path=effect.path, delegate=delegate, chain=part.chain)


def _party(effect: Effect, address: Address) -> Party:
    return Party(address=address, path=effect.path, part=effect.part, consequence=effect.consequence)


def _spenders(reading: Reading) -> Iterator[Party]:
    seen: set[Address] = set()
    for effect in allowances(reading):
        spender = effect.consequence.counterparty
        if spender is not None and spender not in seen:
            seen.add(spender)
            yield _party(effect, spender)


def _controllers(reading: Reading) -> Iterator[Party]:
    seen: set[Address] = set()
    for effect in reading.of(Direction.CONTROL):
        gaining = effect.consequence.counterparty
        if gaining is not None and gaining not in seen:
            seen.add(gaining)
            yield _party(effect, gaining)


def _called(reading: Reading) -> Iterator[Party]:
    seen: set[Address] = set()
    for part in reading.parts:
        if part.kind in CALLS and part.target is not None and part.data and part.target not in seen:
            seen.add(part.target)
            yield Party(address=part.target, path=part.path, part=part, consequence=None)


def _allowances(reading: Reading) -> Iterator[Effect]:
    return (effect for effect in reading.of(Direction.ALLOW) if not effect.takes_back)
