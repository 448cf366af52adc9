"""Collections: ERC-721, ERC-1155, ERC-6909. Threat: T-028."""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard.clearsign.decoders.draft import Draft, malformed
from mcp_wallet_guard.clearsign.decoders.functions import Functions
from mcp_wallet_guard.clearsign.tree import AssetKind, AssetRef
from mcp_wallet_guard.operations.erc20 import is_unlimited
from mcp_wallet_guard.operations.values import Address

ERC721: Final = Functions("ERC-721")
ERC1155: Final = Functions("ERC-1155")
ERC6909: Final = Functions("ERC-6909")


@ERC721.reads(
    "safeTransferFrom(address from,address to,uint256 tokenId)",
    "safeTransferFrom(address from,address to,uint256 tokenId,bytes data)",
    title="Send a token of a collection",
    payable=True,
)
def safe_transfer_from(draft: Draft, owner: Address, to: Address, token_id: int, data: bytes = b"") -> None:
    draft.opaque(data)
    asset = draft.item(AssetKind.ERC721, token_id)
    draft.nft("#.tokenId", asset)
    draft.moves(asset, 1, owner=owner, to=to)


@ERC721.reads("setApprovalForAll(address operator,bool approved)", title="Let an address take a whole collection")
def set_approval_for_all(draft: Draft, operator: Address, approved: bool) -> None:
    kind = AssetKind.ERC1155 if draft.kind_of_token is AssetKind.ERC1155 else AssetKind.ERC721
    draft.standard = "ERC-1155" if kind is AssetKind.ERC1155 else "ERC-721"
    draft.allow_all(draft.item(kind, None), owner=draft.me, to=operator, allowed=approved)


@ERC1155.reads(
    "safeTransferFrom(address from,address to,uint256 id,uint256 amount,bytes data)",
    title="Send tokens of a collection",
)
def safe_transfer_amount(draft: Draft, owner: Address, to: Address, number: int, amount: int, data: bytes) -> None:
    draft.opaque(data)
    asset = draft.item(AssetKind.ERC1155, number)
    draft.nft("#.id", asset)
    draft.amount("#.amount", asset)
    draft.moves(asset, amount, owner=owner, to=to)


@ERC1155.reads(
    "safeBatchTransferFrom(address from,address to,uint256[] ids,uint256[] amounts,bytes data)",
    title="Send several tokens of a collection",
)
def safe_batch_transfer(
    draft: Draft, owner: Address, to: Address, numbers: tuple[int, ...], amounts: tuple[int, ...], data: bytes
) -> None:
    if len(numbers) != len(amounts):
        raise malformed("as many ids as amounts")
    draft.opaque(data)
    for place, (number, amount) in enumerate(zip(numbers, amounts, strict=True)):
        asset = draft.item(AssetKind.ERC1155, number)
        draft.nft(f"#.ids.[{place}]", asset)
        draft.amount(f"#.amounts.[{place}]", asset)
        draft.moves(asset, amount, owner=owner, to=to)


@ERC6909.reads("transfer(address receiver,uint256 id,uint256 amount)", title="Send tokens of a collection")
def transfer(draft: Draft, receiver: Address, number: int, amount: int) -> None:
    draft.moves(_item(draft, number), amount, owner=draft.me, to=receiver)


@ERC6909.reads(
    "transferFrom(address sender,address receiver,uint256 id,uint256 amount)",
    title="Send tokens of a collection of an account",
)
def transfer_from(draft: Draft, owner: Address, receiver: Address, number: int, amount: int) -> None:
    draft.moves(_item(draft, number), amount, owner=owner, to=receiver)


@ERC6909.reads("approve(address spender,uint256 id,uint256 amount)", title="Let an address take tokens of a collection")
def approve(draft: Draft, spender: Address, number: int, amount: int) -> None:
    asset = _item(draft, number, unlimited=is_unlimited(amount))
    draft.allow(asset, amount, owner=draft.me, to=spender)


@ERC6909.reads("setOperator(address operator,bool approved)", title="Let an address take a whole collection")
def set_operator(draft: Draft, operator: Address, approved: bool) -> None:
    draft.allow_all(draft.item(AssetKind.ERC6909, None), owner=draft.me, to=operator, allowed=approved)


def _item(draft: Draft, number: int, *, unlimited: bool = False) -> AssetRef | None:
    asset = draft.item(AssetKind.ERC6909, number)
    draft.nft("#.id", asset)
    draft.amount("#.amount", asset, unlimited=unlimited)
    return asset
