"""Our descriptors of the core standards say what the built-in decoders say, of the same bytes. Source: ERC-7730."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_wallet_guard import descriptor_file
from mcp_wallet_guard.clearsign.calls import read_call
from mcp_wallet_guard.clearsign.descriptors.contexts import Container
from mcp_wallet_guard.clearsign.descriptors.descriptor import load
from mcp_wallet_guard.clearsign.descriptors.index import Index
from mcp_wallet_guard.clearsign.descriptors.model import Deployment
from mcp_wallet_guard.clearsign.descriptors.rendered import Rendered
from mcp_wallet_guard.clearsign.descriptors.telling import tell_call, tell_message
from mcp_wallet_guard.clearsign.present import Presenter
from mcp_wallet_guard.clearsign.statements import read_typed_data
from mcp_wallet_guard.clearsign.tree import AssetKind, Part, Raw, Shown, ShownKind
from mcp_wallet_guard.operations.abi import AbiKind, AbiType, Budget, Function, Value, encode, parse_function
from mcp_wallet_guard.operations.typed_data import parse_typed_data
from mcp_wallet_guard.operations.values import Address, ChainId
from tests.clearsign.descriptors.known import Known

CHAIN: Final = ChainId(1)
ME: Final = Address("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266")
WETH: Final = Address("0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2")
USDC: Final = Address("0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48")
FILES: Final = descriptor_file.core()
KINDS: Final = {
    "erc20.json": AssetKind.ERC20,
    "weth.json": AssetKind.ERC20,
    "erc721.json": AssetKind.ERC721,
    "erc1155.json": AssetKind.ERC1155,
    "erc4626.json": AssetKind.ERC20,
}
LOOKUP: Final = Known(
    {
        "native": {"1": {"symbol": "ETH", "decimals": 18}},
        "tokens": {
            WETH.value: {"symbol": "WETH", "decimals": 18},
            USDC.value: {"symbol": "USDC", "decimals": 6},
        },
        "collections": {WETH.value: "Collection"},
    }
)
CALLS: Final = [(name, key) for name in KINDS for key in load(FILES, name).keys]
PERMIT: Final = "erc2612-permit.json"


class Told:
    """What the contract of a test is known to be; a vault's tokens are USDC."""

    def __init__(self, kind: AssetKind) -> None:
        self._kind = kind

    def kind_of(self, _contract: Address, /) -> AssetKind | None:
        return self._kind

    def underlying_of(self, _vault: Address, /) -> Address | None:
        return USDC


@pytest.mark.parametrize("name", sorted(FILES))
def test_each_file_is_read_in_full_by_the_strict_engine(name: str) -> None:
    load(FILES, name).check()


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_by_itself_applies_to_no_contract(name: str) -> None:
    context = load(FILES, name).context
    assert (context.deployments, context.factory, context.domain_separator) == (None, None, None)


@pytest.mark.parametrize(("name", "key"), CALLS, ids=[f"{name}-{key}" for name, key in CALLS])
@settings(max_examples=8)
@given(data=st.data())
def test_a_call_is_told_with_the_amounts_and_parties_of_the_built_in_decoder(
    name: str, key: str, data: st.DataObject
) -> None:
    function = parse_function(key)
    calldata = function.selector + encode(function.inputs, drawn(function, data))
    value = data.draw(st.integers(1, 10**24)) if key == "deposit()" else 0
    container = Container(chain=CHAIN, to=WETH, sender=ME, value=value)
    told = tell_call(bound(name), data=calldata, container=container, lookup=LOOKUP)
    part = read_call(
        calldata, chain=CHAIN, target=WETH, sender=ME, value=value, budget=Budget.default(), knows=Told(KINDS[name])
    )
    check_same(told, part)


@given(value=st.integers(0, 2**256 - 1), nonce=st.integers(0, 2**64), deadline=st.integers(1, 2**40))
def test_a_permit_is_told_with_the_amount_and_parties_of_the_built_in_reader(
    value: int, nonce: int, deadline: int
) -> None:
    typed = parse_typed_data(json.dumps(permit(value=value, nonce=nonce, deadline=deadline)))
    told = tell_message(bound(PERMIT), typed=typed, signer=ME, lookup=LOOKUP)
    part = read_typed_data(typed, chain=CHAIN, signer=ME)
    check_same(told, part)


def test_an_owner_binds_a_file_by_one_of_his_own_that_includes_it(tmp_path: Path) -> None:
    (tmp_path / "core").mkdir()
    for name, raw in FILES.items():
        (tmp_path / "core" / name).write_bytes(raw)
    mine = {
        "$schema": json.loads(FILES["erc4626.json"])["$schema"],
        "includes": "core/erc4626.json",
        "context": {"contract": {"deployments": [{"chainId": 1, "address": WETH.value}]}},
        "metadata": {"constants": {"asset": USDC.value}},
    }
    (tmp_path / "vault.json").write_text(json.dumps(mine))
    index = Index(descriptor_file.DESCRIPTORS.collect(tmp_path))
    function = parse_function("deposit(uint256,address)")
    calldata = function.selector + encode(function.inputs, (1_500_000, ME))
    container = Container(chain=CHAIN, to=WETH, sender=ME, value=0)
    told = tell_call(index, data=calldata, container=container, lookup=LOOKUP)
    assert told is not None
    assert [line.text for line in told.lines] == ["1.5 USDC", ME.value]
    elsewhere = Container(chain=CHAIN, to=USDC, sender=ME, value=0)
    assert tell_call(index, data=calldata, container=elsewhere, lookup=LOOKUP) is None


@lru_cache(maxsize=8)
def bound(name: str) -> Index:
    """The core files, of which `name` is bound to one contract. A vault's file wants to know its tokens."""
    files = dict(FILES)
    if name == "erc4626.json":
        document = json.loads(files[name])
        document["metadata"]["constants"] = {"asset": USDC.value}
        files[name] = json.dumps(document).encode()
    return Index(files, bindings={name: (Deployment(CHAIN, WETH),)})


def check_same(told: Rendered | None, part: Part) -> None:
    assert told is not None
    assert told.hidden == ()
    fields = list(leaves(told.fields))
    ours = [each for each in leaves(part.shown) if not each.path.startswith("domain.")]
    assert sorted(map(comparable, fields)) == sorted(map(comparable, ours))
    money = Presenter(LOOKUP, account=ME)
    amounts = {(each.raw, each.asset): each for each in ours if each.kind is ShownKind.AMOUNT}
    for each in fields:
        if each.kind is ShownKind.AMOUNT and each.asset is not None and isinstance(each.raw, int):
            assert (each.raw, each.asset) in amounts
            unlimited = amounts[each.raw, each.asset].unlimited
            limitless = each.text is not None and each.text.startswith("without limit")
            assert limitless if unlimited else each.text == money.money(each.asset, each.raw)
    named = {each.raw for each in fields} | {ME, WETH}
    for consequence in part.consequences:
        assert {consequence.owner, consequence.counterparty} - {None} <= named


def leaves(shown: tuple[Shown, ...]) -> Iterator[Shown]:
    for each in shown:
        if each.kind is ShownKind.GROUP:
            yield from leaves(each.children)
        else:
            yield each


def comparable(shown: Shown) -> tuple[str, str]:
    raw: Raw = shown.raw
    return type(raw).__name__, raw.hex() if isinstance(raw, bytes) else str(raw)


def drawn(function: Function, data: st.DataObject) -> tuple[Value, ...]:
    values = tuple(data.draw(of_type(each.type)) for each in function.inputs)
    if function.signature.startswith("safeBatchTransferFrom"):
        count = min(len(values[2]), len(values[3]))
        return (*values[:2], values[2][:count], values[3][:count], values[4])
    return values


def of_type(kind: AbiType) -> st.SearchStrategy[Any]:
    match kind.kind:
        case AbiKind.ADDRESS:
            return st.binary(min_size=20, max_size=20).map(Address.from_bytes)
        case AbiKind.BOOL:
            return st.booleans()
        case AbiKind.BYTES:
            return st.binary(max_size=40)
        case AbiKind.ARRAY:
            assert kind.item is not None
            return st.lists(of_type(kind.item), min_size=1, max_size=4).map(tuple)
        case _:
            return st.integers(0, 2**256 - 1)


def permit(**message: int) -> dict[str, Any]:
    types = {
        "EIP712Domain": [
            {"name": "name", "type": "string"},
            {"name": "version", "type": "string"},
            {"name": "chainId", "type": "uint256"},
            {"name": "verifyingContract", "type": "address"},
        ],
        "Permit": [
            {"name": "owner", "type": "address"},
            {"name": "spender", "type": "address"},
            {"name": "value", "type": "uint256"},
            {"name": "nonce", "type": "uint256"},
            {"name": "deadline", "type": "uint256"},
        ],
    }
    domain = {"name": "Wrapped", "version": "1", "chainId": 1, "verifyingContract": WETH.value}
    whole = {"owner": ME.value, "spender": USDC.value, **{key: str(value) for key, value in message.items()}}
    return {"types": types, "primaryType": "Permit", "domain": domain, "message": whole}
