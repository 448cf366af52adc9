"""ERC-7739: messages of a contract account that its owner signs. Threat: T-029, T-033."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.clearsign.statements import read_typed_data
from mcp_wallet_guard.clearsign.tree import Clarity, Direction, Part, PartKind
from mcp_wallet_guard.operations.typed_data import parse_typed_data
from tests.clearsign.statements import MAINNET, OWNER, SPENDER, TOKEN, codes, permit, read, typed

ACCOUNT = "0x2B0b9cBDA3D7b0F760187c52A8FFB18C48E5d96A"
ACCOUNT_FIELDS = "string name,string version,uint256 chainId,address verifyingContract,bytes32 salt"


def wrapped(inner: dict[str, Any]) -> dict[str, Any]:
    """The typed data `inner` as the owner of a contract account is asked to sign it."""
    document = dict(inner)
    members = [{"name": "contents", "type": inner["primaryType"]}]
    members += [{"name": member.split(" ")[1], "type": member.split(" ")[0]} for member in ACCOUNT_FIELDS.split(",")]
    document["types"] = {**inner["types"], "TypedDataSign": members}
    document["primaryType"] = "TypedDataSign"
    document["message"] = {
        "contents": inner["message"], "name": "Account", "version": "1", "chainId": 1, "verifyingContract": ACCOUNT,
        "salt": "0x" + "00" * 32,
    }  # fmt: skip
    return document


def personal(prefixed: bytes) -> Part:
    document = typed("PersonalSign(bytes prefixed)", {"prefixed": f"0x{prefixed.hex()}"}, contract=ACCOUNT)
    return read(document)


def test_a_permit_of_a_contract_account_is_a_permit() -> None:
    """The attack: the allowance hides one level down, under a type that says nothing of it. Threat: T-029."""
    part = read(wrapped(permit(owner=ACCOUNT)))
    (inner,) = part.parts
    (allowance,) = inner.consequences
    assert (part.standard, part.clarity, codes(part)) == ("ERC-7739", Clarity.CLEAR, {"typed.nested"})
    assert (inner.path, inner.standard, codes(inner)) == ("0", "ERC-2612", set())
    assert (allowance.direction, allowance.counterparty) == (Direction.ALLOW, SPENDER)
    assert allowance.owner is not None
    assert allowance.owner.value == ACCOUNT
    assert allowance.asset is not None
    assert allowance.asset.contract == TOKEN


def test_a_permit_of_somebody_else_inside_is_told() -> None:
    (inner,) = read(wrapped(permit(owner=OWNER.value))).parts
    assert "typed.other_owner" in codes(inner)


def test_paths_go_on_below_a_part() -> None:
    document = wrapped(permit(owner=ACCOUNT))
    part = read_typed_data(parse_typed_data(document), chain=MAINNET, signer=OWNER, path="3")
    assert [each.path for each in part.walk()] == ["3", "3.0"]


def test_an_unknown_message_inside_is_only_decoded() -> None:
    part = read(wrapped(typed("Order(uint256 amount)", {"amount": 1})))
    assert (part.clarity, part.parts[0].clarity) == (Clarity.DECODED, Clarity.DECODED)


@given(st.binary(max_size=120))
def test_a_message_of_a_contract_account_is_read_as_the_message(message: bytes) -> None:
    part = personal(b"\x19Ethereum Signed Message:\n" + str(len(message)).encode() + message)
    (inner,) = part.parts
    assert (inner.kind, inner.data) == (PartKind.MESSAGE, message)
    assert inner.sender is not None
    assert inner.sender.value == ACCOUNT


@pytest.mark.parametrize(
    "prefixed",
    [
        b"",
        b"Hello",
        b"\x19Ethereum Signed Message:\n6Hello",
        b"\x19Ethereum Signed Message:\n05Hello",
        b"\x19Ethereum Signed Message:\nHello",
    ],
)
def test_a_prefix_that_is_wrong_is_told_and_nothing_is_taken_out(prefixed: bytes) -> None:
    part = personal(prefixed)
    assert (part.clarity, part.parts, codes(part)) == (Clarity.DECODED, (), {"typed.nested_like"})


def test_a_form_with_other_members_is_told_and_nothing_is_taken_out() -> None:
    """Threat: T-033."""
    document = wrapped(permit(owner=ACCOUNT))
    document["types"]["TypedDataSign"].reverse()
    part = read(document)
    assert part.parts == ()
    assert {"typed.nested_like", "typed.allowance_like"} <= codes(part)


def test_a_message_without_account_is_told() -> None:
    document = typed("PersonalSign(bytes prefixed)", {"prefixed": "0x"}, contract=ACCOUNT)
    prefixed = b"\x19Ethereum Signed Message:\n5Hello"
    document["message"]["prefixed"] = f"0x{prefixed.hex()}"
    assert read(document).parts
    del document["domain"]["verifyingContract"]
    assert "typed.nested_like" in codes(read(document))
