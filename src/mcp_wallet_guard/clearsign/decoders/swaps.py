"""What the swaps of all Uniswap routers have in common: paths, recipients, what is paid and what must come back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

from mcp_wallet_guard.clearsign.decoders.draft import Draft, malformed
from mcp_wallet_guard.clearsign.decoders.showing import Note
from mcp_wallet_guard.clearsign.tree import AssetRef, Bound, Shown, ShownKind
from mcp_wallet_guard.operations.abi import Budget
from mcp_wallet_guard.operations.abi_types import ADDRESS_NODES
from mcp_wallet_guard.operations.values import Address

CONTRACT_BALANCE: Final = 1 << 255
"""The amount that stands for all that the router holds."""
SENDER_1: Final = bytes(19) + b"\x01"
ROUTER_2: Final = bytes(19) + b"\x02"
_ADDRESS: Final = 20
_FEE: Final = 3
_HOP: Final = _ADDRESS + _FEE
_FEE_UNIT: Final = 10_000  # of a hundredth of a percent, in a percent


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """One token for another. `pay` and `get` are amounts, None for "all that the router holds"; `exact` is the one
    that is exact. `payer` is who pays, None for the router."""

    give: Address
    take: Address
    pay: int | None
    get: int
    exact_in: bool
    recipient: Address | None
    payer: Address | None
    by_router: bool = False


def swap(draft: Draft, what: Swap, /) -> None:
    """Says what `what` does to those who pay and those who receive."""
    router = draft.this
    if not what.by_router:
        bound = Bound.EXACT if what.exact_in else Bound.AT_MOST
        draft.out(draft.erc20(what.give), what.pay, owner=what.payer, to=router, bound=bound)
    comes(draft, draft.erc20(what.take), what.get, to=what.recipient, exact=not what.exact_in)


def comes(draft: Draft, asset: AssetRef | None, amount: int | None, /, *, to: Address | None, exact: bool) -> None:
    """`asset` comes out of the router, unless it stays there for what follows."""
    if to != draft.this or to is None:
        draft.receives(asset, amount, owner=to, of=draft.this, bound=Bound.EXACT if exact else Bound.AT_LEAST)


def recipient_of(draft: Draft, path: str, named: Address, /) -> Address | None:
    """Who receives, where 1 stands for the caller and 2 for the router."""
    if named.raw == SENDER_1:
        draft.says(path, "whoever calls")
        return draft.me
    if named.raw == ROUTER_2:
        draft.says(path, "the router, for what follows")
        return draft.this
    return named


def hops(path: tuple[Address, ...], /) -> tuple[Address, Address]:
    """The first and last token of a V2 path."""
    if len(path) < 2:
        raise malformed("a path of less than two tokens")
    return path[0], path[-1]


def packed_hops(draft: Draft, shown_path: str, path: bytes, /) -> tuple[Address, Address]:
    """The first and last token of a V3 path: tokens with the pool's fee between each two."""
    if len(path) < _ADDRESS + _HOP or (len(path) - _ADDRESS) % _HOP:
        raise malformed("a path of less than two tokens")
    tokens, shown = _unpacked(shown_path, path, draft.call.budget)
    draft.notes[shown_path] = Note(kind=ShownKind.GROUP, children=shown)
    return tokens[0], tokens[-1]


def _unpacked(shown_path: str, path: bytes, budget: Budget) -> tuple[list[Address], tuple[Shown, ...]]:
    budget.spend(nodes=(len(path) // _HOP + 1) * ADDRESS_NODES)
    tokens: list[Address] = []
    shown: list[Shown] = []
    for at in range(0, len(path), _HOP):
        token = Address.from_bytes(path[at : at + _ADDRESS])
        tokens.append(token)
        number = len(tokens) - 1
        shown.append(Shown(path=f"{shown_path}.[{number}].token", label="Token", kind=ShownKind.ADDRESS, raw=token))
        fee = path[at + _ADDRESS : at + _HOP]
        if fee:
            parts = int.from_bytes(fee)
            shown.append(
                Shown(
                    path=f"{shown_path}.[{number}].fee",
                    label="Pool fee",
                    kind=ShownKind.INTEGER,
                    raw=parts,
                    text=percent(parts),
                )
            )
    return tokens, tuple(shown)


def percent(millionths: int, /) -> str:
    """Millionths as a percentage, exactly."""
    whole, rest = divmod(millionths, _FEE_UNIT)
    digits = f"{rest:04}".rstrip("0")
    return f"{whole}.{digits} %" if digits else f"{whole} %"
