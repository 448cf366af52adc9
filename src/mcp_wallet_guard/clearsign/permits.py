"""Permits and transfers by signature: what a token does for whoever has the signature.

Each is known by its exact `encodeType`, since a contract hashes that and no name. An ERC-2612 permit gives a standing
allowance: its deadline ends the use of the signature, not the allowance. Source: ERC-2612, ERC-3009, ERC-4494, the Dai
contract. Threat: T-028, T-029.
"""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard.clearsign.tree import AssetKind, AssetRef, Consequence, Direction, Oddity, ShownKind
from mcp_wallet_guard.clearsign.typed_members import NEVER, Meaning, Note, Place, date_note
from mcp_wallet_guard.operations.erc20 import is_unlimited
from mcp_wallet_guard.operations.typed_data import Struct
from mcp_wallet_guard.operations.values import UINT256_MAX, Address

ERC2612: Final = "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
DAI: Final = "Permit(address holder,address spender,uint256 nonce,uint256 expiry,bool allowed)"
ERC4494: Final = "Permit(address spender,uint256 tokenId,uint256 nonce,uint256 deadline)"
_ERC3009: Final = "(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
TRANSFER: Final = f"TransferWithAuthorization{_ERC3009}"
RECEIVE: Final = f"ReceiveWithAuthorization{_ERC3009}"
CANCEL: Final = "CancelAuthorization(address authorizer,bytes32 nonce)"

OTHER_OWNER: Final = "typed.other_owner"
NO_DEADLINE: Final = "typed.no_deadline"
_SPENDER: Final = Note(label="Spender")
_NONCE: Final = Note(label="Nonce")
_USABLE: Final = "Signature can be used until"


def deadline_oddities(seconds: int, /) -> tuple[Oddity, ...]:
    """For a signature that never stops being one."""
    return (Oddity(code=NO_DEADLINE),) if seconds >= NEVER else ()


def read_permit(kind: str, message: Struct, place: Place, /) -> Meaning | None:
    """What a message of the type `kind` does at the token `place.contract`; None for other types."""
    if place.contract is None:
        return None
    match kind:
        case _ if kind == ERC2612:
            return _permit(message, place)
        case _ if kind == DAI:
            return _dai(message, place)
        case _ if kind == ERC4494:
            return _nft(message, place)
        case _ if kind in {TRANSFER, RECEIVE}:
            return _transfer(message, place, received=kind == RECEIVE)
        case _ if kind == CANCEL:
            owner = message.member("authorizer", Address)
            return Meaning(
                standard="ERC-3009",
                title="Cancels a transfer by signature",
                notes={"#.authorizer": Note(label="Owner"), "#.nonce": Note(label="Transfer that is cancelled")},
                oddities=_owner_oddities(owner, place),
            )
        case _:
            return None


def _permit(message: Struct, place: Place) -> Meaning:
    token = AssetRef(chain=place.chain, kind=AssetKind.ERC20, contract=place.contract)
    owner, amount = message.member("owner", Address), message.member("value", int)
    deadline, unlimited = message.member("deadline", int), is_unlimited(amount)
    allowance = Consequence(
        direction=Direction.ALLOW,
        owner=owner,
        asset=token,
        amount=amount,
        counterparty=message.member("spender", Address),
        unlimited=unlimited,
    )
    return Meaning(
        standard="ERC-2612",
        title="Allows a spender to take tokens",
        notes={
            "#.owner": Note(label="Owner"),
            "#.spender": _SPENDER,
            "#.value": Note(label="Allowance", kind=ShownKind.AMOUNT, asset=token, unlimited=unlimited),
            "#.nonce": _NONCE,
            "#.deadline": date_note(_USABLE, deadline),
        },
        consequences=(allowance,),
        oddities=(*_owner_oddities(owner, place), *deadline_oddities(deadline)),
    )


def _dai(message: Struct, place: Place) -> Meaning:
    token = AssetRef(chain=place.chain, kind=AssetKind.ERC20, contract=place.contract)
    owner, allowed = message.member("holder", Address), message.member("allowed", bool)
    # Zero stands for no end in this contract.
    expiry = message.member("expiry", int) or UINT256_MAX
    allowance = Consequence(
        direction=Direction.ALLOW,
        owner=owner,
        asset=token,
        amount=UINT256_MAX if allowed else 0,
        counterparty=message.member("spender", Address),
        unlimited=allowed,
    )
    return Meaning(
        standard="Dai permit",
        title="Allows a spender to take all tokens" if allowed else "Takes an allowance back",
        notes={
            "#.holder": Note(label="Owner"),
            "#.spender": _SPENDER,
            "#.nonce": _NONCE,
            "#.expiry": date_note(_USABLE, expiry),
            "#.allowed": Note(label="Unlimited allowance", unlimited=allowed),
        },
        consequences=(allowance,),
        oddities=(*_owner_oddities(owner, place), *deadline_oddities(expiry)),
    )


def _nft(message: Struct, place: Place) -> Meaning:
    token_id, deadline = message.member("tokenId", int), message.member("deadline", int)
    token = AssetRef(chain=place.chain, kind=AssetKind.ERC721, contract=place.contract, token_id=token_id)
    allowance = Consequence(
        direction=Direction.ALLOW,
        owner=place.signer,
        asset=token,
        amount=1,
        counterparty=message.member("spender", Address),
    )
    return Meaning(
        standard="ERC-4494",
        title="Allows a spender to take an NFT",
        notes={
            "#.spender": _SPENDER,
            "#.tokenId": Note(label="NFT", kind=ShownKind.NFT, asset=token),
            "#.nonce": _NONCE,
            "#.deadline": date_note(_USABLE, deadline),
        },
        consequences=(allowance,),
        oddities=deadline_oddities(deadline),
    )


def _transfer(message: Struct, place: Place, *, received: bool) -> Meaning:
    token = AssetRef(chain=place.chain, kind=AssetKind.ERC20, contract=place.contract)
    owner, end = message.member("from", Address), message.member("validBefore", int)
    payment = Consequence(
        direction=Direction.OUT,
        owner=owner,
        asset=token,
        amount=message.member("value", int),
        counterparty=message.member("to", Address),
        expires_at=end,
    )
    return Meaning(
        standard="ERC-3009",
        title="Sends tokens, when the recipient fetches them"
        if received
        else "Sends tokens, when anybody hands this in",
        notes={
            "#.from": Note(label="From"),
            "#.to": Note(label="To"),
            "#.value": Note(label="Amount", kind=ShownKind.AMOUNT, asset=token),
            "#.validAfter": date_note("Not before", message.member("validAfter", int)),
            "#.validBefore": date_note(_USABLE, end),
            "#.nonce": _NONCE,
        },
        consequences=(payment,),
        oddities=(*_owner_oddities(owner, place), *deadline_oddities(end)),
    )


def _owner_oddities(owner: Address, place: Place) -> tuple[Oddity, ...]:
    return () if owner == place.signer else (Oddity(code=OTHER_OWNER, facts=(("owner", owner.value),)),)
