"""Permit2, complete: allowances that it keeps, and transfers by signature. Threat: T-028."""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard.clearsign.decoders import places
from mcp_wallet_guard.clearsign.decoders.draft import Draft, malformed
from mcp_wallet_guard.clearsign.decoders.functions import Functions
from mcp_wallet_guard.operations.erc20 import is_unlimited
from mcp_wallet_guard.operations.values import Address

PERMIT2: Final = Functions("Permit2")

Details = tuple[Address, int, int, int]
"""Token, amount, expiration, nonce."""
Transfer = tuple[Address, Address, int, Address]
"""From, to, amount, token."""

_DETAILS: Final = "(address token,uint160 amount,uint48 expiration,uint48 nonce)"
SINGLE: Final = f"({_DETAILS} details,address spender,uint256 sigDeadline)"
BATCH: Final = f"({_DETAILS}[] details,address spender,uint256 sigDeadline)"
TRANSFER: Final = "(address from,address to,uint160 amount,address token)"
_PERMITTED: Final = "(address token,uint256 amount)"
_WANTED: Final = "(address to,uint256 requestedAmount)"
_ONE: Final = f"(({_PERMITTED} permitted,uint256 nonce,uint256 deadline) permit,{_WANTED} transferDetails,address owner"
_MANY: Final = (
    f"(({_PERMITTED}[] permitted,uint256 nonce,uint256 deadline) permit,{_WANTED}[] transferDetails,address owner"
)
_WITNESS: Final = ",bytes32 witness,string witnessTypeString"
_BY_SIGNATURE: Final = "Let an address take tokens through Permit2, by signature"


@PERMIT2.reads(
    "approve(address token,address spender,uint160 amount,uint48 expiration)",
    title="Let an address take tokens through Permit2",
)
def approve(draft: Draft, token: Address, spender: Address, amount: int, expiration: int) -> None:
    draft.is_at(places.PERMIT2)
    asset = draft.erc20(token)
    draft.amount("#.amount", asset, unlimited=is_unlimited(amount))
    draft.allow(asset, amount, owner=draft.me, to=spender, expires_at=expiration)


@PERMIT2.reads(f"permit(address owner,{SINGLE} permitSingle,bytes signature)", title=_BY_SIGNATURE)
def permit(draft: Draft, owner: Address, single: tuple[Details, Address, int], _signature: bytes) -> None:
    draft.is_at(places.PERMIT2)
    allow_one(draft, "#.permitSingle.details", single[0], owner=owner, spender=single[1])


@PERMIT2.reads(f"permit(address owner,{BATCH} permitBatch,bytes signature)", title=_BY_SIGNATURE)
def permit_batch(
    draft: Draft, owner: Address, batch: tuple[tuple[Details, ...], Address, int], _signature: bytes
) -> None:
    draft.is_at(places.PERMIT2)
    for number, details in enumerate(batch[0]):
        allow_one(draft, f"#.permitBatch.details.[{number}]", details, owner=owner, spender=batch[1])


@PERMIT2.reads(
    "transferFrom(address from,address to,uint160 amount,address token)",
    title="Send tokens of an account through Permit2",
)
def transfer_from(draft: Draft, owner: Address, to: Address, amount: int, token: Address) -> None:
    draft.is_at(places.PERMIT2)
    asset = draft.erc20(token)
    draft.amount("#.amount", asset)
    draft.moves(asset, amount, owner=owner, to=to)


@PERMIT2.reads(f"transferFrom({TRANSFER}[] transferDetails)", title="Send tokens of accounts through Permit2")
def transfer_from_batch(draft: Draft, transfers: tuple[Transfer, ...]) -> None:
    draft.is_at(places.PERMIT2)
    for number, (owner, to, amount, token) in enumerate(transfers):
        asset = draft.erc20(token)
        draft.amount(f"#.transferDetails.[{number}].amount", asset)
        draft.moves(asset, amount, owner=owner, to=to)


@PERMIT2.reads(
    f"permitTransferFrom{_ONE},bytes signature)",
    f"permitWitnessTransferFrom{_ONE}{_WITNESS},bytes signature)",
    title="Send tokens of an account through Permit2, by signature",
)
def permit_transfer_from(
    draft: Draft,
    permit: tuple[tuple[Address, int], int, int],
    wanted: tuple[Address, int],
    owner: Address,
    *_signature: object,
) -> None:
    draft.is_at(places.PERMIT2)
    _transfer(draft, owner, permit[0], wanted, path="#.permit.permitted", wanted_path="#.transferDetails")


@PERMIT2.reads(
    f"permitTransferFrom{_MANY},bytes signature)",
    f"permitWitnessTransferFrom{_MANY}{_WITNESS},bytes signature)",
    title="Send tokens of an account through Permit2, by signature",
)
def permit_transfer_from_batch(
    draft: Draft,
    permit: tuple[tuple[tuple[Address, int], ...], int, int],
    wanted: tuple[tuple[Address, int], ...],
    owner: Address,
    *_signature: object,
) -> None:
    draft.is_at(places.PERMIT2)
    if len(permit[0]) != len(wanted):
        raise malformed("as many transfers as permitted tokens")
    for number, (permitted, one) in enumerate(zip(permit[0], wanted, strict=True)):
        _transfer(
            draft, owner, permitted, one,
            path=f"#.permit.permitted.[{number}]", wanted_path=f"#.transferDetails.[{number}]",
        )  # fmt: skip


@PERMIT2.reads("lockdown((address token,address spender)[] approvals)", title="Take allowances of Permit2 back")
def lockdown(draft: Draft, approvals: tuple[tuple[Address, Address], ...]) -> None:
    draft.is_at(places.PERMIT2)
    for token, spender in approvals:
        draft.allow(draft.erc20(token), 0, owner=draft.me, to=spender)


@PERMIT2.reads(
    "invalidateNonces(address token,address spender,uint48 newNonce)",
    "invalidateUnorderedNonces(uint256 wordPos,uint256 mask)",
    title="Make signatures for Permit2 void",
)
def invalidate_nonces(draft: Draft, *_numbers: object) -> None:
    draft.is_at(places.PERMIT2)


def allow_one(draft: Draft, path: str, details: Details, /, *, owner: Address | None, spender: Address) -> None:
    """One allowance that Permit2 keeps; `path` is that of its details."""
    token, amount, expiration, _nonce = details
    asset = draft.erc20(token)
    draft.amount(f"{path}.amount", asset, unlimited=is_unlimited(amount))
    draft.allow(asset, amount, owner=owner, to=spender, expires_at=expiration)


def _transfer(
    draft: Draft, owner: Address, permitted: tuple[Address, int], wanted: tuple[Address, int], /, *,
    path: str, wanted_path: str,
) -> None:  # fmt: skip
    token, most = permitted
    to, amount = wanted
    if amount > most:
        raise malformed("more is taken than was permitted")
    asset = draft.erc20(token)
    draft.amount(f"{path}.amount", asset)
    draft.amount(f"{wanted_path}.requestedAmount", asset)
    draft.moves(asset, amount, owner=owner, to=to)
