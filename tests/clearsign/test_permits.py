"""Permits and transfers by signature: what they allow, to whom, until when. Threat: T-028, T-029, T-030."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_wallet_guard.clearsign import permit2, permits
from mcp_wallet_guard.clearsign.tree import AssetKind, Bound, Clarity, Direction, ShownKind
from mcp_wallet_guard.operations.values import UINT256_MAX, keccak256
from tests.clearsign.statements import OWNER, PERMIT2, SPENDER, TOKEN, at, codes, permit, read, typed

OTHER_TOKEN = "0x6B175474E89094C44Da98b954EedeAC495271d0F"


def details(**change: Any) -> dict[str, Any]:
    return {"token": TOKEN.value, "amount": "7", "expiration": 1_800_000_000, "nonce": 0} | change


def single(**change: Any) -> dict[str, Any]:
    message = {"details": details(**change), "spender": SPENDER.value, "sigDeadline": 1_700_000_000}
    return typed(permit2.SINGLE, message, contract=PERMIT2, name="Permit2")


# The type hashes that the contracts hold. Source: ERC-2612; ERC-3009; ERC-4494; Dai.sol; Permit2's PermitHash.sol.
HASHES = {
    permits.ERC2612: "6e71edae12b1b97f4d1f60370fef10105fa2faae0126114a169c64845d6126c9",
    permits.DAI: "ea2aa0a1be11a07ed86d755c93467f4f82362b452371d1ba94d1715123511acb",
    permits.ERC4494: "49ecf333e5b8c95c40fdafc95c1ad136e8914a8fb55e9dc8bb01eaa83a2df9ad",
    permits.TRANSFER: "7c7c6cdb67a18743f49ec6fa9b35f50d52ed05cbed4cc592e13b44501c1a2267",
    permits.RECEIVE: "d099cc98ef71107a616c4f0f941f04c322d8e254fe26b3c6668db87aae413de8",
    permits.CANCEL: "158b0a9edf7a828aad02f63cd515c68ef2f50ba807396f6d12842833a1597429",
    permit2.SINGLE: "f3841cd1ff0085026a6327b620b67997ce40f282c88a8e905a7a5626e310f3d0",
    permit2.BATCH: "af1b0d30d2cab0380e68f0689007e3254993c596f2fdd0aaa7f4d04f79440863",
    permit2.TRANSFER: "939c21a48a8dbe3a9a2404a1d46691e4d39f6583d6ec6b35714604c986d80106",
    permit2.BATCH_TRANSFER: "fcf35f5ac6a2c28868dc44c302166470266239195f02b0ee408334829333b766",
}


@pytest.mark.parametrize("kind", HASHES)
def test_the_types_hash_to_the_constants_of_the_contracts(kind: str) -> None:
    assert keccak256(kind.encode()).hex() == HASHES[kind]


def test_a_permit_is_a_standing_allowance() -> None:
    part = read(permit())
    (allowance,) = part.consequences
    assert (part.clarity, part.standard, codes(part)) == (Clarity.CLEAR, "ERC-2612", set())
    assert (allowance.direction, allowance.owner, allowance.counterparty) == (Direction.ALLOW, OWNER, SPENDER)
    assert (allowance.amount, allowance.unlimited, allowance.expires_at) == (5, False, None)
    assert allowance.asset is not None
    assert (allowance.asset.kind, allowance.asset.contract) == (AssetKind.ERC20, TOKEN)
    amount, deadline = at(part, "#.value"), at(part, "#.deadline")
    assert (amount.kind, amount.asset, amount.label) == (ShownKind.AMOUNT, allowance.asset, "Allowance")
    assert (deadline.kind, deadline.text) == (ShownKind.DATE, None)


@pytest.mark.parametrize("amount", [UINT256_MAX, 2**255, 2**160 - 1, 2**96 - 1])
def test_a_permit_without_limit_is_told(amount: int) -> None:
    """Threat: T-028."""
    part = read(permit(value=str(amount)))
    assert part.consequences[0].unlimited
    assert at(part, "#.value").unlimited


def test_a_permit_that_can_be_used_for_ever_is_told() -> None:
    part = read(permit(deadline=str(UINT256_MAX)))
    assert "typed.no_deadline" in codes(part)
    assert at(part, "#.deadline").text == "without end"


def test_a_permit_of_another_owner_is_told() -> None:
    part = read(permit(owner=SPENDER.value))
    assert "typed.other_owner" in codes(part)
    assert part.consequences[0].owner == SPENDER


@pytest.mark.parametrize(("allowed", "amount"), [(True, UINT256_MAX), (False, 0)])
def test_a_permit_of_dai_is_all_or_nothing(allowed: bool, amount: int) -> None:
    message = {"holder": OWNER.value, "spender": SPENDER.value, "nonce": 1, "expiry": 0, "allowed": allowed}
    part = read(typed(permits.DAI, message, contract=OTHER_TOKEN, name="Dai Stablecoin", version="1"))
    (allowance,) = part.consequences
    assert (allowance.amount, allowance.unlimited, allowance.counterparty) == (amount, allowed, SPENDER)
    assert "typed.no_deadline" in codes(part)
    assert at(part, "#.expiry").text == "without end"


def test_a_permit_of_an_nft_names_the_one() -> None:
    message = {"spender": SPENDER.value, "tokenId": 42, "nonce": 0, "deadline": 1_700_000_000}
    part = read(typed(permits.ERC4494, message))
    (allowance,) = part.consequences
    assert allowance.asset is not None
    assert (allowance.asset.kind, allowance.asset.token_id, allowance.owner) == (AssetKind.ERC721, 42, OWNER)
    assert at(part, "#.tokenId").kind is ShownKind.NFT


@pytest.mark.parametrize("kind", [permits.TRANSFER, permits.RECEIVE])
def test_a_transfer_with_authorization_moves_the_tokens(kind: str) -> None:
    message = {
        "from": OWNER.value, "to": SPENDER.value, "value": 9, "validAfter": 0, "validBefore": 1_700_000_000,
        "nonce": "0x" + "11" * 32,
    }  # fmt: skip
    part = read(typed(kind, message, name="USD Coin", version="2"))
    (payment,) = part.consequences
    assert (part.clarity, payment.direction, payment.amount) == (Clarity.CLEAR, Direction.OUT, 9)
    assert (payment.owner, payment.counterparty, payment.expires_at) == (OWNER, SPENDER, 1_700_000_000)


def test_a_cancelled_authorization_moves_nothing() -> None:
    part = read(typed(permits.CANCEL, {"authorizer": OWNER.value, "nonce": "0x" + "11" * 32}))
    assert (part.clarity, part.consequences, codes(part)) == (Clarity.CLEAR, (), set())


def test_an_allowance_of_permit2_ends_when_it_says() -> None:
    part = read(single())
    (allowance,) = part.consequences
    assert (part.clarity, part.standard) == (Clarity.CLEAR, "Permit2")
    assert (allowance.owner, allowance.counterparty, allowance.amount) == (OWNER, SPENDER, 7)
    assert (allowance.expires_at, allowance.bound) == (1_800_000_000, Bound.EXACT)
    assert at(part, "#.details.amount").asset == allowance.asset
    assert at(part, "#.details.expiration").kind is ShownKind.DATE


def test_an_allowance_of_permit2_without_expiration_lives_for_one_block() -> None:
    part = read(single(expiration=0))
    assert part.consequences[0].expires_at == 1_700_000_000
    assert at(part, "#.details.expiration").text == "in the same block"


def test_an_allowance_of_permit2_without_limit_is_told() -> None:
    """The largest number of its 160 bits. Threat: T-030."""
    part = read(single(amount=str(2**160 - 1)))
    assert part.consequences[0].unlimited


def test_each_token_of_a_batch_is_an_allowance() -> None:
    """The attack: the second of two tokens goes unseen. Threat: T-030."""
    message = {
        "details": [details(), details(token=OTHER_TOKEN, amount=str(2**160 - 1))],
        "spender": SPENDER.value,
        "sigDeadline": 1_700_000_000,
    }
    part = read(typed(permit2.BATCH, message, contract=PERMIT2, name="Permit2"))
    tokens = [each.asset.contract.value for each in part.consequences if each.asset and each.asset.contract]
    assert tokens == [TOKEN.value, OTHER_TOKEN]
    assert [each.unlimited for each in part.consequences] == [False, True]
    assert at(part, "#.details.[1].amount").unlimited


def once(**change: Any) -> dict[str, Any]:
    permitted = {"token": TOKEN.value, "amount": "8"}
    message = {"permitted": permitted, "spender": SPENDER.value, "nonce": 3, "deadline": 1_700_000_000}
    return message | change


def test_a_transfer_of_permit2_may_be_taken_once() -> None:
    part = read(typed(permit2.TRANSFER, once(), contract=PERMIT2, name="Permit2"))
    (allowance,) = part.consequences
    assert (part.clarity, allowance.bound, allowance.amount) == (Clarity.CLEAR, Bound.AT_MOST, 8)
    assert (allowance.counterparty, allowance.expires_at) == (SPENDER, 1_700_000_000)


def test_a_batch_of_transfers_of_permit2_allows_each() -> None:
    message = once(permitted=[{"token": TOKEN.value, "amount": 1}, {"token": OTHER_TOKEN, "amount": 2}])
    part = read(typed(permit2.BATCH_TRANSFER, message, contract=PERMIT2, name="Permit2"))
    assert [each.amount for each in part.consequences] == [1, 2]
    assert part.clarity is Clarity.CLEAR


WITNESS = (
    "PermitWitnessTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline,Order witness)"
    "Order(address swapper,uint256 least)TokenPermissions(address token,uint256 amount)"
)


def test_a_transfer_with_an_order_allows_as_well_and_the_order_is_only_decoded() -> None:
    """Threat: T-030."""
    message = once(witness={"swapper": OWNER.value, "least": 1})
    part = read(typed(WITNESS, message, contract=PERMIT2, name="Permit2"))
    assert part.clarity is Clarity.DECODED
    assert [each.amount for each in part.consequences] == [8]
    assert at(part, "#.witness.least").raw == 1
    batch = WITNESS.replace("PermitWitness", "PermitBatchWitness").replace("(TokenPermissions ", "(TokenPermissions[] ")
    part = read(typed(batch, message | {"permitted": []}, contract=PERMIT2, name="Permit2"))
    assert (part.standard, part.consequences) == ("Permit2", ())


LOOKALIKES = {
    "another order of members": WITNESS.replace("uint256 nonce,uint256 deadline", "uint256 deadline,uint256 nonce"),
    "tokens of another shape": WITNESS.replace("(address token,uint256 amount)", "(uint256 amount,address token)"),
    "two witnesses": WITNESS.replace("Order witness)", "Order witness,uint256 extra)"),
    "a batch of one": WITNESS.replace("PermitWitness", "PermitBatchWitness"),
    "no witness": WITNESS.replace(",Order witness)", ")"),
}


@pytest.mark.parametrize("kind", LOOKALIKES.values(), ids=LOOKALIKES)
def test_a_type_that_looks_like_permit2s_is_not_read_as_its(kind: str) -> None:
    message = once(witness={"swapper": OWNER.value, "least": 1}, extra=1)
    names = {member.split(" ")[1] for member in kind.partition("(")[2].partition(")")[0].split(",")}
    part = read(typed(kind, {k: v for k, v in message.items() if k in names}, contract=PERMIT2, name="Permit2"))
    assert (part.clarity, part.consequences) == (Clarity.DECODED, ())
    assert "typed.allowance_like" in codes(part)


def test_the_types_of_permit2_at_another_contract_are_told_and_not_explained() -> None:
    """Threat: T-032."""
    document = single()
    document["domain"]["verifyingContract"] = SPENDER.value
    part = read(document)
    assert (part.clarity, part.consequences) == (Clarity.DECODED, ())
    assert "typed.permit2_elsewhere" in codes(part)
