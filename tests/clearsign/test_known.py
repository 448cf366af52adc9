"""What was known is frozen with the operation: it comes back as it was, and no other text stands for it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_wallet_guard.clearsign.risks.known import (
    AccountClaim,
    History,
    Known,
    KnownName,
    KnownToken,
    NodeClaims,
    Seen,
    TokenClaim,
)
from mcp_wallet_guard.clearsign.simulated import Allowance, Movement, SimulationOutcome
from mcp_wallet_guard.errors import Tampered
from mcp_wallet_guard.operations.values import UINT256_MAX, Address
from tests.clearsign.readings import COIN, KNOWN, NODE, PAYEE, SIGNER, STRANGER

addresses = st.binary(min_size=20, max_size=20).map(Address.from_bytes)
seconds = st.integers(0, 2**53 - 1)
units = st.integers(0, UINT256_MAX)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
seen = st.builds(Seen, address=addresses, first=seconds, last=seconds, count=seconds)
claims = st.builds(AccountClaim, address=addresses, has_code=st.none() | st.booleans(), nonce=st.none() | seconds)
nodes = st.builds(
    NodeClaims,
    chain=st.none() | st.just("eip155:1"),
    accounts=st.lists(claims, max_size=3).map(tuple),
    tokens=st.lists(st.builds(TokenClaim, contract=addresses, symbol=texts, supply=units), max_size=3).map(tuple),
    balance=st.none() | units,
)
movements = st.builds(
    Movement, account=addresses, asset=st.just(COIN.id), amount=st.integers(-UINT256_MAX, UINT256_MAX)
)
grants = st.builds(Allowance, owner=addresses, spender=addresses, asset=st.just(COIN.id), amount=st.none() | units)
outcomes = st.builds(
    SimulationOutcome,
    method=st.sampled_from(["eth_simulateV1", "debug_traceCall", "eth_call"]),
    status=st.sampled_from(["ok", "reverted"]),
    reason=st.none() | texts,
    movements=st.none() | st.lists(movements, max_size=3).map(tuple),
    allowances=st.none() | st.lists(grants, max_size=3).map(tuple),
)
knowns = st.builds(
    Known,
    now=st.none() | seconds,
    accounts=st.none() | st.lists(addresses, max_size=3).map(tuple),
    addresses=st.none() | st.lists(st.builds(KnownName, name=texts, address=addresses), max_size=3).map(tuple),
    tokens=st.none()
    | st.lists(st.builds(KnownToken, chain=st.just("eip155:1"), contract=addresses, symbol=texts), max_size=3).map(
        tuple
    ),
    history=st.none() | st.builds(History, paid=st.lists(seen, max_size=3).map(tuple)),
    node=st.none() | nodes,
    simulation=st.none() | st.lists(outcomes, max_size=2).map(tuple),
)


@settings(max_examples=40)
@given(known=knowns)
def test_what_is_known_comes_back_as_it_was(known: Known) -> None:
    text = known.to_json()
    assert Known.from_json(text) == known
    assert Known.from_json(text).to_json() == text


def test_nothing_known_is_told_from_nothing_there() -> None:
    assert Known.from_json(Known().to_json()).accounts is None
    assert Known.from_json(Known(accounts=()).to_json()).accounts == ()


WHOLE = KNOWN.to_json()


@pytest.mark.parametrize(
    "text",
    [
        "", "{}", "null", "[]", "[" * 100, WHOLE[:-1], WHOLE + " ", " " + WHOLE,
        WHOLE.replace('"now":', '"now":1,"now":'),
        WHOLE.replace('"v":1', '"v":2'),
        WHOLE.replace('"now":1800000000', '"now":"1800000000"'),
        WHOLE.replace('"now":1800000000', '"now":1800000000.0'),
        WHOLE.replace('"now":1800000000', '"now":true'),
        WHOLE.replace('"now":1800000000', '"now":-1'),
        WHOLE.replace(PAYEE.value, PAYEE.value.lower()),
        WHOLE.replace('"nonce":7', '"nonce":7,"note":"all is well"'),
        WHOLE.replace('"balance":"100000000000000000000"', '"balance":100000000000000000000'),
        WHOLE.replace('"balance":"100000000000000000000"', '"balance":"0100000000000000000000"'),
        WHOLE.replace("eip155:1", "eip155:01"),
        "\ud800",
    ],
)  # fmt: skip
def test_any_other_text_is_tampered_with(text: str) -> None:
    assert text != WHOLE
    with pytest.raises(Tampered) as caught:
        Known.from_json(text)
    assert caught.value.code == "tampered.operation"


def test_numbers_beyond_2_to_the_53_survive_as_text() -> None:
    known = Known(node=NODE.model_copy(update={"balance": UINT256_MAX}))
    document = json.loads(known.to_json())
    assert document["node"]["balance"] == str(UINT256_MAX)


def test_a_copy_has_indexes_of_its_own() -> None:
    assert KNOWN.named == {PAYEE: "Alice"}
    assert KNOWN.claim(PAYEE).has_code is False
    other = KNOWN.model_copy(update={"addresses": (), "node": None})
    assert other.named == {}
    assert other.claim(PAYEE).has_code is None
    assert NODE.model_copy(update={"accounts": ()}).by_address == {}


def test_a_copy_is_validated() -> None:
    with pytest.raises(ValueError, match="1 validation error"):
        KNOWN.model_copy(update={"now": "soon"})


def test_nobody_is_known_who_is_not_named() -> None:
    assert STRANGER not in KNOWN.named
    assert SIGNER in KNOWN.own
    assert KNOWN.token(STRANGER) is None
    assert KNOWN.token(None) is None
