"""Fungible tokens: ERC-20 with every form of allowance, ERC-1363, ERC-7674.

`approve(address,uint256)` and `transferFrom(address,address,uint256)` are functions of ERC-721 as well, where the
number names a token. Which it is, only what is known of the contract can tell. Threat: T-028.
"""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard.clearsign.decoders.draft import Draft
from mcp_wallet_guard.clearsign.decoders.functions import Functions
from mcp_wallet_guard.clearsign.tree import AssetKind, AssetRef, Bound, Clarity
from mcp_wallet_guard.operations.erc20 import is_unlimited
from mcp_wallet_guard.operations.values import Address

ERC20: Final = Functions("ERC-20")
ERC1363: Final = Functions("ERC-1363")
ERC7674: Final = Functions("ERC-7674")


@ERC20.reads("transfer(address to,uint256 value)", title="Send tokens")
def transfer(draft: Draft, to: Address, value: int) -> None:
    if draft.kind_of_token is AssetKind.ERC721:  # as a few collections older than the standard have it
        draft.lower(Clarity.DECODED)
        asset, amount = _number(draft, value)
        draft.moves(asset, amount, owner=draft.me, to=to)
        return
    token = draft.token
    draft.amount("#.value", token)
    draft.moves(token, value, owner=draft.me, to=to)


@ERC20.reads("transferFrom(address from,address to,uint256 value)", title="Send tokens of an account")
def transfer_from(draft: Draft, owner: Address, to: Address, value: int) -> None:
    asset, amount = _number(draft, value)
    draft.moves(asset, amount, owner=owner, to=to)


@ERC20.reads("approve(address spender,uint256 value)", title="Let an address take tokens")
def approve(draft: Draft, spender: Address, value: int) -> None:
    asset, amount = _number(draft, value, is_allowance=True)
    if asset is None or asset.token_id is None:
        draft.allow(asset, amount, owner=draft.me, to=spender)
        return
    # A token of a collection has one approved address; approving nobody takes the right away.
    draft.allow(asset, 1 if any(spender.raw) else 0, owner=draft.me, to=spender)


@ERC20.reads(
    "increaseAllowance(address spender,uint256 addedValue)",
    "increaseApproval(address spender,uint256 addedValue)",
    title="Let an address take more tokens",
)
def increase(draft: Draft, spender: Address, added: int) -> None:
    draft.amount("#.addedValue", draft.token, unlimited=is_unlimited(added))
    draft.allow(draft.token, added, owner=draft.me, to=spender, bound=Bound.AT_LEAST)


@ERC20.reads(
    "decreaseAllowance(address spender,uint256 subtractedValue)",
    "decreaseApproval(address spender,uint256 subtractedValue)",
    title="Let an address take less tokens",
)
def decrease(draft: Draft, spender: Address, subtracted: int) -> None:
    del subtracted  # what remains depends on what was allowed before
    draft.amount("#.subtractedValue", draft.token)
    draft.allow(draft.token, None, owner=draft.me, to=spender, bound=Bound.AT_MOST)


@ERC20.reads("mint(address to,uint256 value)", title="Make new tokens")
def mint(draft: Draft, to: Address, value: int) -> None:
    asset, amount = _number(draft, value)
    draft.receives(asset, amount, owner=to, of=None)


@ERC20.reads("burn(uint256 value)", title="Destroy tokens")
def burn(draft: Draft, value: int) -> None:
    asset, amount = _number(draft, value)
    draft.out(asset, amount, owner=draft.me, to=None)


@ERC20.reads(
    "burn(address from,uint256 value)", "burnFrom(address from,uint256 value)", title="Destroy tokens of an account"
)
def burn_from(draft: Draft, owner: Address, value: int) -> None:
    asset, amount = _number(draft, value)
    draft.out(asset, amount, owner=owner, to=None)


@ERC1363.reads(
    "transferAndCall(address to,uint256 value)",
    "transferAndCall(address to,uint256 value,bytes data)",
    title="Send tokens and call their receiver",
    payable=True,
)
def transfer_and_call(draft: Draft, to: Address, value: int, data: bytes = b"") -> None:
    draft.opaque(data)
    draft.amount("#.value", draft.token)
    draft.moves(draft.token, value, owner=draft.me, to=to)


@ERC1363.reads(
    "transferFromAndCall(address from,address to,uint256 value)",
    "transferFromAndCall(address from,address to,uint256 value,bytes data)",
    title="Send tokens of an account and call their receiver",
    payable=True,
)
def transfer_from_and_call(draft: Draft, owner: Address, to: Address, value: int, data: bytes = b"") -> None:
    draft.opaque(data)
    draft.amount("#.value", draft.token)
    draft.moves(draft.token, value, owner=owner, to=to)


@ERC1363.reads(
    "approveAndCall(address spender,uint256 value)",
    "approveAndCall(address spender,uint256 value,bytes data)",
    title="Let an address take tokens and call it",
    payable=True,
)
def approve_and_call(draft: Draft, spender: Address, value: int, data: bytes = b"") -> None:
    draft.opaque(data)
    draft.amount("#.value", draft.token, unlimited=is_unlimited(value))
    draft.allow(draft.token, value, owner=draft.me, to=spender)


@ERC7674.reads(
    "temporaryApprove(address spender,uint256 value)", title="Let an address take tokens during this transaction"
)
def temporary_approve(draft: Draft, spender: Address, value: int) -> None:
    draft.amount("#.value", draft.token, unlimited=is_unlimited(value))
    draft.allow(draft.token, value, owner=draft.me, to=spender)


def _number(draft: Draft, value: int, *, is_allowance: bool = False) -> tuple[AssetRef | None, int]:
    """What `value` is of, and how much: an amount, or one token of a collection."""
    kind = draft.kind_of_token
    if kind is AssetKind.ERC721:
        draft.standard = "ERC-721"
        asset = draft.item(AssetKind.ERC721, value)
        draft.nft("#.value", asset)
        return asset, 1
    label = None
    if kind is not AssetKind.ERC20:
        label = "Amount or token id"
        draft.lower(Clarity.DECODED)
        draft.odd("contract.kind_unknown")
    draft.amount("#.value", draft.token, unlimited=is_allowance and is_unlimited(value), label=label)
    return draft.token, value
