"""Seaport orders: what the maker gives, and who gets what for it.

Known by the exact type and the contract, since the maker's tokens are approved to that contract's conduits and to no
other's. Amounts may rise or fall over time: the most that is given and the least that comes are the consequences, and
the exact members stand beside them. Source: Seaport 1.1 to 1.6, `ConsiderationStructs.sol`, `ConsiderationEnums.sol`.
Threat: T-030.
"""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard.clearsign.permits import OTHER_OWNER, deadline_oddities
from mcp_wallet_guard.clearsign.tree import AssetKind, AssetRef, Bound, Consequence, Direction, Oddity, ShownKind
from mcp_wallet_guard.clearsign.typed_members import Meaning, Note, Place, date_note
from mcp_wallet_guard.operations.typed_data import Struct
from mcp_wallet_guard.operations.values import Address

_ITEM: Final = "uint8 itemType,address token,uint256 identifierOrCriteria,uint256 startAmount,uint256 endAmount"
ORDER: Final = (
    "OrderComponents(address offerer,address zone,OfferItem[] offer,ConsiderationItem[] consideration,uint8 orderType,"
    "uint256 startTime,uint256 endTime,bytes32 zoneHash,uint256 salt,bytes32 conduitKey,uint256 counter)"
    f"ConsiderationItem({_ITEM},address recipient)OfferItem({_ITEM})"
)
SEAPORTS: Final = frozenset(
    {
        Address("0x00000000006c3852cbEf3e08E8dF289169EdE581"),  # 1.1
        Address("0x00000000000001ad428e4906aE43D8F9852d0dD6"),  # 1.4
        Address("0x00000000000000ADc04C56Bf30aC9d3c0aAF14dC"),  # 1.5
        Address("0x0000000000000068F116a894984e2DB1123eB395"),  # 1.6
    }
)
"""The same on every chain where they are."""

FOR_NOTHING: Final = "order.for_nothing"
_NATIVE, _CRITERIA = 0, 4
_KINDS: Final = (
    (AssetKind.NATIVE, "native currency"),
    (AssetKind.ERC20, "ERC-20"),
    (AssetKind.ERC721, "ERC-721"),
    (AssetKind.ERC1155, "ERC-1155"),
    (AssetKind.ERC721, "any of an ERC-721 collection, or of a part of it"),
    (AssetKind.ERC1155, "any of an ERC-1155 collection, or of a part of it"),
)


def read_order(kind: str, message: Struct, place: Place, /) -> Meaning | None:
    """What an order gives and gets; None for other types and contracts, and for kinds of items that there are not."""
    if kind != ORDER or place.contract not in SEAPORTS:
        return None
    given, taken = _items(message, "offer"), _items(message, "consideration")
    if any(item.member("itemType", int) >= len(_KINDS) for _, item in given + taken):
        return None
    maker, end = message.member("offerer", Address), message.member("endTime", int)
    outs = [_out(item, maker, end, place) for _, item in given]
    ins = [_in(item, place) for _, item in taken]
    oddities = list(deadline_oddities(end))
    if maker != place.signer:
        oddities.append(Oddity(code=OTHER_OWNER, facts=(("owner", maker.value),)))
    if outs and not any(each.owner == maker and each.amount for each in ins):
        oddities.append(Oddity(code=FOR_NOTHING))
    notes = {
        "#.offerer": Note(label="Maker"),
        "#.offer": Note(label="Given"),
        "#.consideration": Note(label="Received"),
        "#.startTime": date_note("Not before", message.member("startTime", int)),
        "#.endTime": date_note("Order ends", end),
    }
    for (path, item), consequence in zip(given + taken, outs + ins, strict=True):
        notes |= _notes(path, item, consequence)
    return Meaning(
        standard="Seaport",
        title="Offers an exchange, which anybody may take",
        notes=notes,
        consequences=(*outs, *ins),
        oddities=tuple(oddities),
    )


def _items(message: Struct, name: str) -> list[tuple[str, Struct]]:
    value = message.member(name, tuple)
    return [(f"#.{name}.[{i}]", item) for i, item in enumerate(value) if isinstance(item, Struct)]


def _out(item: Struct, maker: Address, end: int, place: Place) -> Consequence:
    return Consequence(
        direction=Direction.OUT,
        owner=maker,
        asset=_asset(item, place),
        amount=max(item.member("startAmount", int), item.member("endAmount", int)),
        bound=Bound.AT_MOST,
        expires_at=end,
    )


def _in(item: Struct, place: Place) -> Consequence:
    return Consequence(
        direction=Direction.IN,
        owner=item.member("recipient", Address),
        asset=_asset(item, place),
        amount=min(item.member("startAmount", int), item.member("endAmount", int)),
        bound=Bound.AT_LEAST,
    )


def _asset(item: Struct, place: Place) -> AssetRef:
    number = item.member("itemType", int)
    if number == _NATIVE:
        return AssetRef(chain=place.chain)
    kind, _ = _KINDS[number]
    single = kind is not AssetKind.ERC20 and number < _CRITERIA
    return AssetRef(
        chain=place.chain,
        kind=kind,
        contract=item.member("token", Address),
        token_id=item.member("identifierOrCriteria", int) if single else None,
    )


def _notes(path: str, item: Struct, consequence: Consequence) -> dict[str, Note]:
    kind, words = _KINDS[item.member("itemType", int)]
    # Of an NFT one counts pieces; a number of pieces is no amount of a currency.
    shown = ShownKind.AMOUNT if kind in {AssetKind.NATIVE, AssetKind.ERC20} else ShownKind.INTEGER
    asset = consequence.asset if shown is ShownKind.AMOUNT else None
    return {
        f"{path}.itemType": Note(label="Kind", kind=ShownKind.ENUM, text=words),
        f"{path}.token": Note(label="Token"),
        f"{path}.identifierOrCriteria": Note(label="Number or criteria"),
        f"{path}.startAmount": Note(label="Amount at the start", kind=shown, asset=asset),
        f"{path}.endAmount": Note(label="Amount at the end", kind=shown, asset=asset),
        f"{path}.recipient": Note(label="Goes to"),
    }
