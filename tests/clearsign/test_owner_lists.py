"""The owner's lists and the shipped ones: read in full or refused, and only what concerns an operation is kept.

Threat: T-020, T-021, T-025, T-032, T-035, T-040, T-106.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_wallet_guard.clearsign import known_contracts
from mcp_wallet_guard.clearsign.address_lists import MAX_ADDRESSES, read_address_list
from mcp_wallet_guard.clearsign.decoders import places
from mcp_wallet_guard.clearsign.known_tokens import known_tokens
from mcp_wallet_guard.clearsign.owner_lists import OwnerLists, read_lists
from mcp_wallet_guard.clearsign.reading import Reading
from mcp_wallet_guard.clearsign.risks.known import Known
from mcp_wallet_guard.clearsign.risks.results import Status
from mcp_wallet_guard.clearsign.risks.table import results
from mcp_wallet_guard.clearsign.subjects import read_transaction, read_typed
from mcp_wallet_guard.clearsign.tree import AssetKind
from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations.abi import Value, encode
from mcp_wallet_guard.operations.abi_types import parse_function
from mcp_wallet_guard.operations.envelopes import Envelope, EnvelopeType
from mcp_wallet_guard.operations.typed_data import parse_typed_data
from mcp_wallet_guard.operations.values import Address, ChainId

CHAIN: Final = ChainId(1)
ME: Final = Address.from_bytes(b"\x11" * 20)
BOB: Final = Address.from_bytes(b"\x22" * 20)
THIEF: Final = Address.from_bytes(b"\xee" * 20)
COIN: Final = Address.from_bytes(b"\xc0" * 20)
USDC: Final = Address("0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48")
SAFE: Final = Address.from_bytes(b"\x5a" * 20)


def listed(*addresses: Address | str, kind: str = "blocked", **more: Any) -> bytes:
    body = {"v": 1, "kind": kind, "name": "Mine", "addresses": {str(each): "" for each in addresses}}
    return json.dumps(body | more).encode()


def tokens(*entries: tuple[Address, str, int], chain: int = 1) -> bytes:
    named = [{"chainId": chain, "address": str(a), "symbol": s, "decimals": d, "name": "x"} for a, s, d in entries]
    return json.dumps({"name": "x", "tokens": named}).encode()


class Coins:
    """All contracts are ERC-20."""

    def kind_of(self, _contract: Address, /) -> AssetKind | None:
        return AssetKind.ERC20

    def underlying_of(self, _vault: Address, /) -> Address | None:
        return None


def call(signature: str, *values: Value, to: Address = COIN) -> Reading:
    function = parse_function(signature)
    data = function.selector + encode(function.inputs, values)
    envelope = Envelope(
        type=EnvelopeType.EIP1559, chain=CHAIN, nonce=0, max_priority_fee_per_gas=1, max_fee_per_gas=1, gas=50_000,
        to=to, value=0, data=data,
    )  # fmt: skip
    return read_transaction(envelope, signer=ME, knows=Coins())


def concerning(lists: OwnerLists, reading: Reading, **known: Any) -> Known:
    return lists.concerning(reading, Known(chain=str(CHAIN), **known), chain=CHAIN, pins=frozenset())


def status(reading: Reading, known: Known, code: str) -> Status:
    """What is said of one finding. A check that passed says so under the first of its codes."""
    return next((each.status for each in results(reading, known) if each.code == code), Status.PASSED)


PAY: Final = call("transfer(address to,uint256 value)", THIEF, 5)


# --- what is shipped ----------------------------------------------------------------------------------------------


def test_every_shipped_address_has_its_checksum_and_means_one_thing() -> None:
    groups = [known_contracts.HANDLERS, known_contracts.DELEGATES, known_contracts.MULTISENDS]
    groups += known_contracts.APPLICATIONS.values()
    texts = [text for group in groups for text in group]
    assert all(Address.parse(text).value == text for text in texts)
    assert len(set(texts)) == len(texts)
    assert len(set(known_contracts.DELEGATES.values())) == len(known_contracts.DELEGATES)
    assert places.EVERYWHERE[places.PERMIT2] < known_contracts.APPLICATIONS["Permit2"]


def test_a_safes_own_handler_is_known_and_another_is_told() -> None:
    """Threat: T-020."""
    for text in known_contracts.HANDLERS:
        honest = call("setFallbackHandler(address handler)", Address(text), to=SAFE)
        assert status(honest, concerning(OwnerLists(), honest), "control.fallback") is Status.PASSED
    hostile = call("setFallbackHandler(address handler)", THIEF, to=SAFE)
    assert status(hostile, concerning(OwnerLists(), hostile), "control.fallback") is Status.RAISED


def test_a_safes_own_batch_contract_may_run_as_the_safe_and_no_other() -> None:
    """Threat: T-020."""
    signature = (
        "execTransaction(address to,uint256 value,bytes data,uint8 operation,uint256 safeTxGas,uint256 baseGas,"
        "uint256 gasPrice,address gasToken,address refundReceiver,bytes signatures)"
    )
    nobody, batch = Address.from_bytes(bytes(20)), parse_function("multiSend(bytes transactions)")
    data = batch.selector + encode(batch.inputs, (b"",))
    for text in known_contracts.MULTISENDS:
        honest = call(signature, Address(text), 0, data, 1, 0, 0, 0, nobody, nobody, b"", to=SAFE)
        assert status(honest, concerning(OwnerLists(), honest), "delegatecall.unknown") is Status.PASSED
    hostile = call(signature, THIEF, 0, data, 1, 0, 0, 0, nobody, nobody, b"", to=SAFE)
    assert status(hostile, concerning(OwnerLists(), hostile), "delegatecall.unknown") is Status.RAISED


@pytest.mark.parametrize("name", ["Permit2", "permit2", "Perm1t2", "Seaport", "Gnosis Protocol", "Gnosis-Protocol"])
def test_a_message_that_bears_an_applications_name_is_for_one_of_its_contracts(name: str) -> None:
    """Threat: T-032."""

    def message(contract: str) -> Reading:
        body = {
            "types": {"Any": [{"name": "value", "type": "uint256"}]},
            "primaryType": "Any",
            "domain": {"name": name, "chainId": 1, "verifyingContract": contract},
            "message": {"value": 1},
        }
        return read_typed(parse_typed_data(json.dumps(body)), chain=CHAIN, signer=ME)

    hostile = message(THIEF.value)
    assert status(hostile, concerning(OwnerLists(), hostile), "typed.imitates") is Status.RAISED
    own = {"p": "Permit2", "s": "Seaport", "g": "Gnosis Protocol"}[name[0].lower()]
    for contract in known_contracts.APPLICATIONS[own]:
        honest = message(contract)
        assert status(honest, concerning(OwnerLists(), honest), "typed.imitates") is Status.PASSED


# --- what the owner has -------------------------------------------------------------------------------------------


def test_without_a_list_of_a_kind_nothing_passes_for_it() -> None:
    known = concerning(OwnerLists(), PAY)
    assert (known.blocked, known.verified) == (None, None)
    for code in ("list.blocked", "contract.unverified"):
        assert status(PAY, known, code) is Status.NOT_CHECKED


@pytest.mark.parametrize("spelled", [THIEF.value, THIEF.value.lower(), "0x" + THIEF.value[2:].upper()])
def test_whoever_is_blocked_is_found_and_nobody_else_is_kept(spelled: str) -> None:
    """Threat: T-025."""
    others = [Address.from_bytes(bytes([7]) * 18 + number.to_bytes(2)) for number in range(100)]
    lists = read_lists({"a.json": listed(*others), "b.json": listed(spelled)})
    known = concerning(lists, PAY)
    assert known.blocked == (THIEF,)
    assert status(PAY, known, "list.blocked") is Status.RAISED
    honest = call("transfer(address to,uint256 value)", BOB, 5)
    assert concerning(lists, honest).blocked == ()
    assert status(honest, concerning(lists, honest), "list.blocked") is Status.PASSED
    for name in ("approve(address spender,uint256 value)", "transferFrom(address a,address b,uint256 c)"):
        values = (THIEF, 5) if name.startswith("a") else (ME, THIEF, 5)
        assert status(call(name, *values), concerning(lists, call(name, *values)), "list.blocked") is Status.RAISED
    called = call("transfer(address to,uint256 value)", BOB, 5, to=THIEF)
    assert status(called, concerning(lists, called), "list.blocked") is Status.RAISED


def test_an_allowance_is_taken_back_also_from_one_that_is_blocked_or_imitates() -> None:
    """Threat: T-028. In a batch, what else names him is found all the same."""
    lists = read_lists({"a.json": listed(THIEF)})
    approve = "approve(address spender,uint256 value)"
    back = call(approve, THIEF, 0)
    assert status(back, concerning(lists, back), "list.blocked") is Status.PASSED
    twin = Address.from_bytes(THIEF.raw[:2] + b"\x01" * 16 + THIEF.raw[-2:])
    near = concerning(lists, back, accounts=(twin,), addresses=(), history={})
    assert status(back, near, "payee.imitates") is not Status.RAISED
    batch = parse_function("multicall(bytes[] data)")

    def calldata(signature: str, *values: Value) -> bytes:
        function = parse_function(signature)
        return function.selector + encode(function.inputs, values)

    both = (calldata(approve, THIEF, 0), calldata("transfer(address to,uint256 value)", THIEF, 1))
    hidden = call("multicall(bytes[] data)", both)
    assert batch.selector == hidden.root.data[:4]
    assert status(hidden, concerning(lists, hidden), "list.blocked") is Status.RAISED


def test_a_contract_counts_as_verified_on_its_own_chain_alone() -> None:
    here = read_lists({"a.json": listed(COIN, kind="verified", chainId=1)})
    elsewhere = read_lists({"a.json": listed(COIN, kind="verified", chainId=10)})
    assert status(PAY, concerning(here, PAY), "contract.unverified") is Status.PASSED
    assert status(PAY, concerning(elsewhere, PAY), "contract.unverified") is Status.RAISED
    both = read_lists({"a.json": listed(COIN, kind="verified", chainId=1), "b.json": listed(BOB)})
    assert (concerning(both, PAY).verified, concerning(both, PAY).blocked) == ((COIN,), ())


def test_of_token_lists_those_are_kept_that_are_named_or_looked_like() -> None:
    """Threat: T-021."""
    twin = Address.from_bytes(COIN.raw[:2] + b"\x01" * 16 + COIN.raw[-2:])
    half = Address.from_bytes(COIN.raw[:2] + b"\x01" * 18)
    lists = read_lists({"t.json": tokens((twin, "TWIN", 6), (half, "HALF", 6), (BOB, "FAR", 6))})
    known = concerning(lists, PAY, accounts=(ME,), addresses=(), history={})
    assert [token.symbol for token in known.tokens or ()] == ["TWIN"]
    assert status(PAY, known, "payee.imitates") is Status.RAISED
    assert concerning(lists, PAY, tokens=known.tokens).tokens == known.tokens, "each once"


def test_where_lists_disagree_it_is_told_and_a_pin_settles_it() -> None:
    """Threat: T-040."""
    spend = call("transfer(address to,uint256 value)", BOB, 5, to=USDC)
    honest = read_lists({"t.json": tokens((USDC, "USDC", 6), (COIN, "COIN", 18))})
    assert honest.disputed == {}
    assert concerning(honest, spend).disputed == ()
    for wrong in (tokens((USDC, "USDC", 8)), tokens((USDC, "USDT", 6))):
        lists = read_lists({"t.json": wrong})
        assert [asset.symbol for asset in lists.disputed[1, USDC]][-1] == "USDC", "the shipped one"
        known = concerning(lists, spend)
        assert known.disputed == (USDC,)
        assert status(spend, known, "token.disputed") is Status.RAISED
        settled = lists.concerning(spend, Known(), chain=CHAIN, pins=frozenset({USDC}))
        assert status(spend, settled, "token.disputed") is not Status.RAISED
        assert concerning(lists, PAY).disputed == (), "of what is not named, nothing"
    two = {"a.json": tokens((COIN, "COIN", 18)), "b.json": tokens((COIN, "COIN", 6))}
    assert list(read_lists(two).disputed) == [(1, COIN)]
    assert read_lists({**two, "b.json": tokens((COIN, "COIN", 6), chain=10)}).disputed == {}
    assert OwnerLists().disputed == {}
    assert len(OwnerLists().all_tokens) == 1
    assert OwnerLists().all_tokens[0] is known_tokens()


# --- files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"v": 2},
        {"v": True},
        {"kind": "allowed"},
        {"kind": "verified"},
        {"kind": "verified", "chainId": 0},
        {"kind": "verified", "chainId": "1"},
        {"kind": "verified", "chainId": True},
        {"chainId": 1},
        {"name": ""},
        {"name": "a\nb"},
        {"more": 1},
        {"addresses": {}},
        {"addresses": [BOB.value]},
        {"addresses": {BOB.value: 1}},
        {"addresses": {BOB.value: "x" * 121}},
        {"addresses": {BOB.value[:-1]: ""}},
        {"addresses": {BOB.value[2:]: ""}},
        {"addresses": {USDC.value.replace("A", "a", 1): ""}},
        {"addresses": {USDC.value: "", USDC.value.lower(): ""}},
    ],
)
def test_an_address_list_that_says_something_else_is_refused(changes: dict[str, Any]) -> None:
    honest = json.loads(listed(BOB))
    assert read_address_list(json.dumps(honest).encode()).addresses == {BOB.raw}
    with pytest.raises(InvalidInput) as refused:
        read_address_list(json.dumps(honest | changes).encode())
    assert refused.value.code == "invalid_input.list"


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"\xff", b"nonsense", b'{"v":1,"v":1}', b"[" * 10_000, b'{"tokens":[]}', b'{"tokens":1}']
)
def test_a_folder_with_one_file_that_cannot_be_read_is_refused_whole_and_named(data: bytes) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_lists({"a.json": listed(BOB), "b.json": data})
    assert refused.value.detail.startswith("b.json: ")


def test_more_addresses_than_fit_are_refused() -> None:
    many = {f"0x{number:040x}": "" for number in range(MAX_ADDRESSES + 1)}
    with pytest.raises(InvalidInput):
        read_address_list(listed(addresses=many))


@settings(max_examples=50)
@given(st.binary(max_size=200) | st.lists(st.none() | st.text(max_size=5)).map(json.dumps).map(str.encode))
def test_any_other_bytes_are_one_kind_of_error(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        read_address_list(data)


@given(st.sets(st.binary(min_size=20, max_size=20), min_size=1, max_size=20))
def test_every_address_of_a_list_is_blocked_and_no_other(found: set[bytes]) -> None:
    lists = read_lists({"a.json": listed(*(Address.from_bytes(each) for each in found))})
    assert all(lists.blocks(Address.from_bytes(each)) for each in found)
    assert not lists.blocks(Address.from_bytes(next(n.to_bytes(20) for n in range(21) if n.to_bytes(20) not in found)))
    assert replace(lists, blocked=None).blocks(THIEF) is False
