"""ERC-4626 vaults: shares are the vault's own token, what they stand for is another that the bytes do not name."""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard.clearsign.decoders.draft import Draft
from mcp_wallet_guard.clearsign.decoders.functions import Functions
from mcp_wallet_guard.clearsign.tree import AssetRef, Clarity
from mcp_wallet_guard.operations.values import Address

ERC4626: Final = Functions("ERC-4626")


@ERC4626.reads("deposit(uint256 assets,address receiver)", title="Put tokens into a vault")
def deposit(draft: Draft, assets: int, receiver: Address) -> None:
    underlying = _underlying(draft)
    draft.amount("#.assets", underlying)
    draft.out(underlying, assets, owner=draft.me, to=draft.this)
    draft.receives(draft.token, None, owner=receiver, of=draft.this)


@ERC4626.reads("mint(uint256 shares,address receiver)", title="Buy shares of a vault")
def mint(draft: Draft, shares: int, receiver: Address) -> None:
    draft.amount("#.shares", draft.token)
    draft.out(_underlying(draft), None, owner=draft.me, to=draft.this)
    draft.receives(draft.token, shares, owner=receiver, of=draft.this)


@ERC4626.reads("withdraw(uint256 assets,address receiver,address owner)", title="Take tokens out of a vault")
def withdraw(draft: Draft, assets: int, receiver: Address, owner: Address) -> None:
    underlying = _underlying(draft)
    draft.amount("#.assets", underlying)
    draft.out(draft.token, None, owner=owner, to=draft.this)
    draft.receives(underlying, assets, owner=receiver, of=draft.this)


@ERC4626.reads("redeem(uint256 shares,address receiver,address owner)", title="Give shares back to a vault")
def redeem(draft: Draft, shares: int, receiver: Address, owner: Address) -> None:
    draft.amount("#.shares", draft.token)
    draft.out(draft.token, shares, owner=owner, to=draft.this)
    draft.receives(_underlying(draft), None, owner=receiver, of=draft.this)


def _underlying(draft: Draft) -> AssetRef | None:
    contract = None if draft.this is None else draft.knows.underlying_of(draft.this)
    if contract is None:
        draft.lower(Clarity.DECODED)
        return None
    return draft.erc20(contract)
