"""Typed data as a part: nothing is left out, and nothing is believed for its name. Threat: T-029, T-032, T-033."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from mcp_wallet_guard.clearsign.statements import read_typed_data
from mcp_wallet_guard.clearsign.tree import Clarity, PartKind, ShownKind
from mcp_wallet_guard.operations.abi import Budget
from mcp_wallet_guard.operations.typed_data import Struct, Value, parse_typed_data, to_json
from mcp_wallet_guard.operations.values import ChainId
from tests.clearsign.statements import MAINNET, OWNER, SPENDER, TOKEN, at, codes, leaves, permit, read, typed
from tests.operations.typed_messages import mail, one, valid_messages


def members(value: Value, path: str) -> list[tuple[str, Value]]:
    """(path, value) of every leaf and every empty array."""
    if isinstance(value, Struct):
        return [pair for name, inner in value.members.items() for pair in members(inner, f"{path}.{name}")]
    if isinstance(value, tuple) and value:
        return [pair for i, inner in enumerate(value) for pair in members(inner, f"{path}.[{i}]")]
    return [(path, value)]


@given(valid_messages())
@settings(max_examples=30)
def test_every_member_of_domain_and_message_is_shown_as_it_is_signed(document: dict[str, Any]) -> None:
    typed_data = parse_typed_data(document)
    part = read_typed_data(typed_data, chain=MAINNET, signer=OWNER)
    expected = [*members(typed_data.domain.struct, "domain"), *members(typed_data.message, "#")]
    found = [(each.path, () if each.kind is ShownKind.GROUP else each.raw) for each in leaves(part.shown)]
    assert found == expected
    assert part.clarity is Clarity.DECODED
    assert part.data == to_json(typed_data).encode()


def test_an_unknown_message_is_decoded_under_its_own_names() -> None:
    part = read(mail())
    assert (part.kind, part.clarity, part.consequences) == (PartKind.TYPED_DATA, Clarity.DECODED, ())
    assert part.signature == "Mail(Person from,Person to,string contents)Person(string name,address wallet)"
    assert (at(part, "#.to.name").label, at(part, "#.to.name").raw) == ("name", "Bob")
    assert at(part, "domain.name").label == "Domain name"
    assert part.chain == MAINNET


def test_a_message_that_only_calls_itself_a_permit_is_not_read_as_one() -> None:
    """The attack: the name of a known type over other members. Threat: T-033."""
    honest = read(permit())
    kind = "Permit(address owner,address spender,uint256 nonce,uint256 value,uint256 deadline)"
    hostile = read(typed(kind, permit()["message"], name="USD Coin", version="2"))
    assert honest.clarity is Clarity.CLEAR
    assert honest.consequences
    assert (hostile.clarity, hostile.consequences, hostile.standard) == (Clarity.DECODED, (), None)
    assert "typed.allowance_like" in codes(hostile)


def test_a_permit_beside_unused_types_is_read_as_one() -> None:
    document = permit()
    document["types"]["Unused"] = [{"name": "x", "type": "bool"}]
    assert read(document).clarity is Clarity.CLEAR


DOMAINS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "the wallet's": ({}, set()),
    "no chain": ({"chainId": None}, {"typed.no_chain"}),
    "another chain": ({"chainId": 137}, {"typed.other_chain"}),
    "a chain that is none": ({"chainId": 0}, {"typed.other_chain"}),
    "no contract": ({"verifyingContract": None}, {"typed.no_contract", "typed.allowance_like"}),
    "a salt": ({"salt": "0x" + "00" * 31 + "89"}, {"typed.salt"}),
    "the signer as contract": ({"verifyingContract": OWNER.value}, {"typed.signer_is_contract"}),
}


@pytest.mark.parametrize("case", DOMAINS.values(), ids=DOMAINS)
def test_what_is_odd_about_a_domain_is_told(case: tuple[dict[str, Any], set[str]]) -> None:
    """Threat: T-032."""
    change, expected = case
    document = permit()
    document["domain"] = {k: v for k, v in (document["domain"] | change).items() if v is not None}
    assert codes(read(document)) == expected


def test_a_permit_without_chain_is_held_against_the_wallets_and_of_none_itself() -> None:
    document = permit()
    del document["domain"]["chainId"]
    part = read(document)
    assert part.chain is None
    (allowance,) = part.consequences
    assert allowance.asset is not None
    assert allowance.asset.chain == MAINNET


def test_a_permit_for_another_chain_is_of_that_chains_token() -> None:
    document = permit()
    document["domain"]["chainId"] = 137
    (allowance,) = read(document).consequences
    assert allowance.asset is not None
    assert allowance.asset.id == f"eip155:137/erc20:{TOKEN.value.lower()}"


def test_a_spender_deep_inside_an_unknown_message_is_told() -> None:
    document = one("P[]", [{"spender": SPENDER.value}], P=[{"name": "spender", "type": "address"}])
    assert "typed.allowance_like" in codes(read(document))
    document = one("P[]", [{"spender": 5}], P=[{"name": "spender", "type": "uint256"}])
    assert "typed.allowance_like" not in codes(read(document))


def test_a_part_is_the_same_however_the_json_was_written() -> None:
    """What a person sees depends on what is signed alone."""
    document = permit()
    other = {name: document[name] for name in reversed(document)}
    other["message"] = permit(value="0x5", owner=OWNER.value.lower())["message"]
    assert read(other) == read(document)


def test_reading_takes_a_budget_and_a_path() -> None:
    part = read_typed_data(
        parse_typed_data(permit()), chain=ChainId(1), signer=OWNER, budget=Budget.default(), path="0.1"
    )
    assert part.path == "0.1"
