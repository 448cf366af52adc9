"""Allowances and transfers by signature, sent as calls: ERC-2612, DAI's permit, ERC-4494, ERC-3009.

A call's ``deadline`` bounds when the signature is taken, not how long the allowance lasts. Threat: T-028.
"""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard.clearsign.decoders.draft import EVERYTHING, Draft
from mcp_wallet_guard.clearsign.decoders.functions import Functions
from mcp_wallet_guard.clearsign.tree import AssetKind
from mcp_wallet_guard.operations.erc20 import is_unlimited
from mcp_wallet_guard.operations.values import Address

ERC2612: Final = Functions("ERC-2612")
DAI: Final = Functions("DAI permit")
ERC4494: Final = Functions("ERC-4494")
ERC3009: Final = Functions("ERC-3009")
_TITLE: Final = "Let an address take tokens, by signature"


@ERC2612.reads(
    "permit(address owner,address spender,uint256 value,uint256 deadline,uint8 v,bytes32 r,bytes32 s)",
    "permit(address owner,address spender,uint256 value,uint256 deadline,bytes signature)",
    title=_TITLE,
)
def permit(draft: Draft, owner: Address, spender: Address, value: int, *_signature: object) -> None:
    draft.amount("#.value", draft.token, unlimited=is_unlimited(value))
    draft.allow(draft.token, value, owner=owner, to=spender)


@DAI.reads(
    "permit(address holder,address spender,uint256 nonce,uint256 expiry,bool allowed,uint8 v,bytes32 r,bytes32 s)",
    title=_TITLE,
)
def dai_permit(
    draft: Draft, holder: Address, spender: Address, _nonce: int, _expiry: int, allowed: bool, *_signature: object
) -> None:
    draft.says("#.allowed", "everything, without a limit" if allowed else "nothing any more")
    draft.allow(draft.token, EVERYTHING if allowed else 0, owner=holder, to=spender)


@ERC4494.reads(
    "permit(address spender,uint256 tokenId,uint256 deadline,bytes signature)",
    "permit(address spender,uint256 tokenId,uint256 deadline,uint8 v,bytes32 r,bytes32 s)",
    title="Let an address take a token of a collection, by signature",
)
def nft_permit(draft: Draft, spender: Address, token_id: int, *_signature: object) -> None:
    asset = draft.item(AssetKind.ERC721, token_id)
    draft.nft("#.tokenId", asset)
    draft.allow(asset, 1, owner=None, to=spender)  # whose token it is, the signature alone says


@ERC3009.reads(
    "transferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,"
    "bytes32 nonce,uint8 v,bytes32 r,bytes32 s)",
    "transferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,"
    "bytes32 nonce,bytes signature)",
    "receiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,"
    "bytes32 nonce,uint8 v,bytes32 r,bytes32 s)",
    "receiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,"
    "bytes32 nonce,bytes signature)",
    title="Send tokens of an account, by signature",
)
def transfer_with_authorization(draft: Draft, owner: Address, to: Address, value: int, *_signature: object) -> None:
    draft.amount("#.value", draft.token)
    draft.moves(draft.token, value, owner=owner, to=to)


@ERC3009.reads(
    "cancelAuthorization(address authorizer,bytes32 nonce,uint8 v,bytes32 r,bytes32 s)",
    "cancelAuthorization(address authorizer,bytes32 nonce,bytes signature)",
    title="Cancel a signed transfer",
)
def cancel_authorization(draft: Draft, authorizer: Address, *_signature: object) -> None:
    """Takes a right away, and gives none."""
    del draft, authorizer
