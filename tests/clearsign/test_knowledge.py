"""Whose word counts for a token or a name, and that what was known then is what is shown ever after."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any, Final

import pytest

from mcp_wallet_guard.clearsign.knowledge import Names, Sources
from mcp_wallet_guard.clearsign.known_tokens import NATIVE, known_tokens
from mcp_wallet_guard.clearsign.lookup import AddressName, TokenName
from mcp_wallet_guard.clearsign.token_lists import MAX_BYTES, read_token_list
from mcp_wallet_guard.clearsign.tree import Source
from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.evidence import canonical
from mcp_wallet_guard.operations.values import Address, Asset, ChainId

CHAIN: Final = ChainId(1)
USDC: Final = Address("0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48")
BOB: Final = Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
REGISTRY: Final = Path(__file__).parents[3] / "shared" / "vectors" / "erc7730" / "registry-2026-08-20.json.gz"


def entry(**changes: Any) -> dict[str, Any]:
    return {"chainId": 1, "address": USDC.value, "symbol": "USDC", "decimals": 6, "name": "USD Coin"} | changes


def a_list(*entries: Any) -> bytes:
    return json.dumps({"name": "Ours", "version": {"major": 1}, "tokens": list(entries)}).encode()


def test_the_owners_pin_goes_before_a_list_and_a_list_before_a_claim() -> None:
    pin = Asset(CHAIN, "DOLLAR", 6, USDC)
    listed = read_token_list(a_list(entry()))
    claims = {(1, USDC): TokenName(symbol="FAKE", decimals=0, source=Source.NODE)}
    everything = Sources(pins=(pin,), lists=(listed,), claims=claims)
    assert everything.token(CHAIN, USDC) == TokenName(symbol="DOLLAR", decimals=6, source=Source.CONFIG)
    assert Sources(lists=(listed,), claims=claims).token(CHAIN, USDC) == TokenName(
        symbol="USDC", decimals=6, source=Source.LIST
    )
    assert Sources(claims=claims).token(CHAIN, USDC) == claims[1, USDC]
    assert Sources().token(CHAIN, USDC) is None


def test_lists_that_disagree_are_not_believed_and_a_pin_settles_it() -> None:
    """Threat: T-040. Whichever came first would decide how much a number of units is."""
    first, second = read_token_list(a_list(entry())), read_token_list(a_list(entry(decimals=18)))
    renamed = read_token_list(a_list(entry(symbol="OTHER")))
    for lists in ((first, second), (second, first), (first, renamed)):
        assert Sources(lists=lists).token(CHAIN, USDC) is None
    agreed = Sources(lists=(first, first)).token(CHAIN, USDC)
    assert agreed is not None
    assert (agreed.symbol, agreed.decimals, agreed.source) == ("USDC", 6, Source.LIST)
    pinned = Sources(pins=(Asset(CHAIN, "USDC", 6, USDC),), lists=(first, second)).token(CHAIN, USDC)
    assert pinned is not None
    assert (pinned.decimals, pinned.source) == (6, Source.CONFIG)


def test_a_token_of_a_list_is_one_of_its_chain_alone() -> None:
    assert Sources(lists=(known_tokens(),)).token(ChainId(10), USDC) is None


def test_the_native_currency_is_known_only_if_it_is_pinned() -> None:
    assert Sources(lists=(known_tokens(),)).token(CHAIN, None) is None
    assert Sources(pins=(Asset(CHAIN, "ETH", 18),)).token(CHAIN, None) is not None


def test_what_was_asked_is_frozen_and_answers_alike_whatever_the_address_book_says_later() -> None:
    live = Sources(pins=(Asset(CHAIN, "ETH", 18),), names={BOB: "Bob"}, lists=(known_tokens(),))
    answers = (live.token(CHAIN, USDC), live.token(CHAIN, None), live.name(CHAIN, BOB), live.collection(CHAIN, BOB))
    frozen = Names.model_validate_json(canonical(live.frozen()))
    assert (
        frozen.token(CHAIN, USDC), frozen.token(CHAIN, None), frozen.name(CHAIN, BOB), frozen.collection(CHAIN, BOB)
    ) == answers  # fmt: skip
    assert answers[2] == AddressName(name="Bob", source=Source.CONFIG)
    assert frozen.token(ChainId(10), USDC) is None
    assert frozen.name(CHAIN, USDC) is None
    assert frozen.block_time(CHAIN, 1) is None


def test_the_order_of_asking_is_not_part_of_what_is_frozen() -> None:
    tokens = sorted((contract for number, contract in known_tokens() if number == 1), key=str)
    one, other = Sources(lists=(known_tokens(),)), Sources(lists=(known_tokens(),))
    for contract in tokens:
        one.token(CHAIN, contract)
    for contract in reversed(tokens):
        other.token(CHAIN, contract)
    assert canonical(one.frozen()) == canonical(other.frozen())


def test_the_shipped_tokens_are_checksummed_and_named_once_a_chain() -> None:
    tokens = known_tokens()
    assert len(tokens) >= 40
    assert {number for number, _ in tokens} == set(NATIVE)
    for number in NATIVE:
        symbols = [asset.symbol for (chain, _), asset in tokens.items() if chain == number]
        assert len(symbols) == len(set(symbols))


@pytest.mark.skipif(not REGISTRY.exists(), reason="the public vectors are not beside this clone")
def test_the_shipped_tokens_are_those_of_the_public_registry_where_it_names_them() -> None:
    registry = gzip.decompress(REGISTRY.read_bytes()).decode()
    seen = 0
    for (_, contract), asset in known_tokens().items():
        for said in re.findall(rf'"{contract.value}":\s*{{([^{{}}]*)}}', registry, re.IGNORECASE):
            decimals = re.search(r'"decimals":\s*(\d+)', said)
            if decimals is not None and f'"{asset.symbol}"' in said:
                assert int(decimals[1]) == asset.decimals
                seen += 1
    assert seen > 20


def test_an_address_in_one_case_is_taken_and_shown_with_its_checksum() -> None:
    assert set(read_token_list(a_list(entry(address=USDC.value.lower())))) == {(1, USDC)}


@pytest.mark.parametrize(
    "wrong",
    [
        entry(address=USDC.value.swapcase().replace("0X", "0x")),
        entry(address=USDC.value[:-1]),
        entry(address=7),
        entry(symbol="US\u0405C"),
        entry(symbol=""),
        entry(symbol="A" * 13),
        entry(symbol=None),
        entry(decimals=78),
        entry(decimals=-1),
        entry(decimals="6"),
        entry(decimals=6.0),
        entry(decimals=True),
        entry(chainId=0),
        entry(chainId="1"),
        {"chainId": 1},
        "USDC",
    ],
)
def test_an_entry_that_cannot_be_shown_safely_takes_the_list_with_it(wrong: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_token_list(a_list(entry(symbol="USDT", address="0xdAC17F958D2ee523a2206206994597C13D831ec7"), wrong))
    assert caught.value.code == "invalid_input.token"
    assert "tokens.1" in caught.value.detail


def test_two_tokens_at_one_address_are_refused_and_a_repetition_is_not() -> None:
    assert len(read_token_list(a_list(entry(), entry()))) == 1
    with pytest.raises(InvalidInput):
        read_token_list(a_list(entry(), entry(decimals=18)))


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", a_list(), b'{"tokens": {}}', b"\xff", b"[" * 100_000])
def test_what_is_no_list_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        read_token_list(data)


def test_a_list_has_a_largest_size() -> None:
    with pytest.raises(InvalidInput) as caught:
        read_token_list(a_list(entry()) + b" " * MAX_BYTES)
    assert caught.value.code == "invalid_input.size"
