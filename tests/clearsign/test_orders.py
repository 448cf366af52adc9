"""Seaport orders: what is given, who gets what. Threat: T-030."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_wallet_guard.clearsign.orders import ORDER
from mcp_wallet_guard.clearsign.tree import AssetKind, Bound, Clarity, Direction, ShownKind
from mcp_wallet_guard.operations.values import keccak256
from tests.clearsign.statements import OWNER, SPENDER, TOKEN, at, codes, read, typed

SEAPORT = "0x0000000000000068F116a894984e2DB1123eB395"
NOBODY = "0x" + "0" * 40
APES = "0xBC4CA0EdA7647A8aB7C2061c2E118A18a936f13D"


def item(kind: int, token: str, number: int, start: int, end: int, **more: str) -> dict[str, Any]:
    amounts = {"startAmount": str(start), "endAmount": str(end)}
    return {"itemType": kind, "token": token, "identifierOrCriteria": str(number)} | amounts | more


def order(*, contract: str = SEAPORT, **change: Any) -> dict[str, Any]:
    message = {
        "offerer": OWNER.value,
        "zone": NOBODY,
        "offer": [item(2, APES, 7, 1, 1)],
        "consideration": [
            item(0, NOBODY, 0, 9 * 10**18, 8 * 10**18, recipient=OWNER.value),
            item(1, TOKEN.value, 0, 5, 5, recipient=SPENDER.value),
        ],
        "orderType": 0, "startTime": 1_600_000_000, "endTime": 1_700_000_000, "zoneHash": "0x" + "00" * 32, "salt": 1,
        "conduitKey": "0x" + "00" * 32, "counter": 0,
    }  # fmt: skip
    return typed(ORDER, message | change, contract=contract, name="Seaport", version="1.6")


def test_the_type_hashes_to_the_constant_of_the_contract() -> None:
    # Source: Seaport, ConsiderationConstants.sol and its deployments.
    assert keccak256(ORDER.encode()).hex() == "fa445660b7e21515a59617fcd68910b487aa5808b8abda3d78bc85df364b2c2f"


def test_an_order_gives_at_most_and_gets_at_least() -> None:
    part = read(order())
    ape, ether, fee = part.consequences
    assert (part.clarity, part.standard, codes(part)) == (Clarity.CLEAR, "Seaport", set())
    assert (ape.direction, ape.owner, ape.bound, ape.amount) == (Direction.OUT, OWNER, Bound.AT_MOST, 1)
    assert ape.asset is not None
    assert (ape.asset.kind, ape.asset.token_id, ape.expires_at) == (AssetKind.ERC721, 7, 1_700_000_000)
    assert (ether.direction, ether.owner, ether.bound) == (Direction.IN, OWNER, Bound.AT_LEAST)
    assert ether.amount == 8 * 10**18
    assert (fee.direction, fee.owner, fee.amount) == (Direction.IN, SPENDER, 5)
    assert at(part, "#.consideration.[0].startAmount").kind is ShownKind.AMOUNT
    assert at(part, "#.offer.[0].itemType").text == "ERC-721"


@pytest.mark.parametrize(
    "consideration",
    [
        [],
        [item(0, NOBODY, 0, 10**18, 10**18, recipient=SPENDER.value)],
        [item(0, NOBODY, 0, 10**18, 0, recipient=OWNER.value)],
    ],
)
def test_an_order_that_gets_its_maker_nothing_is_told(consideration: list[dict[str, Any]]) -> None:
    """The attack: a listing whose price goes to the attacker, or falls to nothing. Threat: T-030."""
    assert "order.for_nothing" not in codes(read(order()))
    assert "order.for_nothing" in codes(read(order(consideration=consideration)))


@pytest.mark.parametrize(("kind", "asset"), [(4, AssetKind.ERC721), (5, AssetKind.ERC1155)])
def test_an_item_by_criteria_is_any_of_the_collection(kind: int, asset: AssetKind) -> None:
    ape = read(order(offer=[item(kind, APES, 0, 1, 1)])).consequences[0]
    assert ape.asset is not None
    assert (ape.asset.kind, ape.asset.token_id) == (asset, None)


def test_an_order_of_another_maker_or_without_end_is_told() -> None:
    assert codes(read(order(offerer=SPENDER.value))) == {"typed.other_owner"}
    assert codes(read(order(endTime=str(2**256 - 1)))) == {"typed.no_deadline"}


def test_the_type_at_another_contract_and_items_of_no_kind_are_only_decoded() -> None:
    """Threat: T-032."""
    for document in (order(contract=SPENDER.value), order(offer=[item(6, APES, 7, 1, 1)])):
        part = read(document)
        assert (part.clarity, part.consequences) == (Clarity.DECODED, ())
