"""The table of functions: selectors, words, and that loading it compiles nothing."""

from __future__ import annotations

import inspect
import subprocess
import sys
from typing import Any, Final, get_args, get_origin, get_type_hints

import pytest
from eth_utils.abi import function_signature_to_4byte_selector

from mcp_wallet_guard.clearsign.decoders import ownership, places, table, universal_router
from mcp_wallet_guard.clearsign.decoders.functions import Functions, Known
from mcp_wallet_guard.clearsign.decoders.words import KINDS, LABELS
from mcp_wallet_guard.operations.abi import AbiKind, AbiType, Parameter, parse_function
from mcp_wallet_guard.operations.values import Address, keccak256

ALL: Final = [known for functions in table.STANDARDS for known in functions.known]

PUBLISHED: Final = {
    # ERC-20's, as every explorer has them
    "a9059cbb": "transfer(address,uint256)",
    "095ea7b3": "approve(address,uint256)",
    "23b872dd": "transferFrom(address,address,uint256)",
    # of ERC-721 and ERC-1155, from the interface ids of those standards: 0x80ac58cd and 0xd9b67a26 are their sums
    "42842e0e": "safeTransferFrom(address,address,uint256)",
    "b88d4fde": "safeTransferFrom(address,address,uint256,bytes)",
    "a22cb465": "setApprovalForAll(address,bool)",
    "f242432a": "safeTransferFrom(address,address,uint256,uint256,bytes)",
    "2eb2c2d6": "safeBatchTransferFrom(address,address,uint256[],uint256[],bytes)",
    # the interface of Ethereum's deposit contract
    "22895118": "deposit(bytes,bytes,bytes,bytes32)",
    # verified sources on explorers: Permit2, Multicall3, Universal Router, Safe, EntryPoint 0.6 and 0.7, WETH9
    "30f28b7a": "permitTransferFrom(((address,uint256),uint256,uint256),(address,uint256),address,bytes)",
    "82ad56cb": "aggregate3((address,bool,bytes)[])",
    "3593564c": "execute(bytes,bytes[],uint256)",
    "6a761202": ("execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)"),
    "8d80ff0a": "multiSend(bytes)",
    "1fad948c": (
        "handleOps((address,uint256,bytes,bytes,uint256,uint256,uint256,uint256,uint256,bytes,bytes)[],address)"
    ),
    "765e827f": "handleOps((address,uint256,bytes,bytes,bytes32,uint256,bytes32,bytes,bytes)[],address)",
    "2e1a7d4d": "withdraw(uint256)",
    # ERC-7579's text
    "e9ae5c53": "execute(bytes32,bytes)",
    # ERC-2612 and DAI
    "d505accf": "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)",
    "8fcbaf0c": "permit(address,address,uint256,uint256,bool,uint8,bytes32,bytes32)",
}


@pytest.mark.parametrize("known", ALL, ids=lambda known: known.text)
def test_a_selector_is_the_hash_of_the_signature(known: Known) -> None:
    selector = function_signature_to_4byte_selector(known.function.signature)

    assert table.find(selector) is known
    assert known.function.selector == selector


@pytest.mark.parametrize(("selector", "signature"), PUBLISHED.items())
def test_published_selectors_are_in_the_table(selector: str, signature: str) -> None:
    known = table.find(bytes.fromhex(selector))

    assert known is not None
    assert known.function.signature == signature


def test_two_functions_of_one_selector_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    twin = Functions("A twin")
    twin.reads("transfer(address someone,uint256 much)", title="Send")(ownership.renounce_ownership)
    monkeypatch.setattr(table, "STANDARDS", (*table.STANDARDS, twin))
    table.by_selector.cache_clear()
    try:
        with pytest.raises(ValueError, match="transfer"):
            table.find(bytes(4))
    finally:
        table.by_selector.cache_clear()


def every_parameter(parameters: tuple[Parameter, ...]) -> list[Parameter]:
    found: list[Parameter] = []
    for each in parameters:
        type_ = each.type
        while type_.item is not None:
            type_ = type_.item
        found += [each, *every_parameter(type_.components)]
    return found


def test_every_argument_has_words_and_no_words_are_left_over() -> None:
    texts = [known.text for known in ALL] + list(universal_router.commands().values())
    names = {each.name for text in texts for each in every_parameter(parse_function(text).inputs)}

    assert "" not in names
    assert names | {"batches", "executions", "opData"} == set(LABELS)
    assert set(KINDS) <= set(LABELS)


def python_type(type_: AbiType) -> Any:
    """What a value of the type is in Python."""
    if type_.item is not None:
        return tuple[(python_type(type_.item), ...)]  # type: ignore[misc]  # made at run time
    if type_.components:
        return tuple[tuple(python_type(each.type) for each in type_.components)]  # type: ignore[misc]  # the same
    plain = {AbiKind.ADDRESS: Address, AbiKind.BOOL: bool, AbiKind.STRING: str}
    if type_.kind in plain:
        return plain[type_.kind]
    return int if type_.kind in {AbiKind.UINT, AbiKind.INT} else bytes


def takes(annotation: Any, wanted: Any) -> bool:
    if annotation is object:
        return True
    if get_origin(annotation) is tuple:
        given, asked = get_args(annotation), get_args(wanted)
        return len(given) == len(asked) and all(map(takes, given, asked))
    return annotation is Ellipsis or annotation == wanted or wanted in get_args(annotation)


@pytest.mark.parametrize("known", ALL, ids=lambda known: known.text)
def test_a_reader_takes_what_its_function_gives(known: Known) -> None:
    hints = get_type_hints(known.reader)
    parameters = list(inspect.signature(known.reader).parameters.values())[1:]
    rest = [each for each in parameters if each.kind is inspect.Parameter.VAR_POSITIONAL]
    plain = [each for each in parameters if each not in rest]

    for place, argument in enumerate(known.function.inputs):
        name = plain[place].name if place < len(plain) else rest[0].name
        assert takes(hints[name], python_type(argument.type)), argument.name
    required = [each for each in plain if each.default is inspect.Parameter.empty]
    assert len(required) <= len(known.function.inputs)


def test_the_names_of_roles_hash_to_them() -> None:
    named = {role: name for role, name in ownership.ROLES.items() if any(role)}

    assert named == {keccak256(name.encode()): name for name in named.values()}


def test_known_places_are_addresses_with_their_checksum() -> None:
    elsewhere = [text for chains in places.ON_CHAIN.values() for texts in chains.values() for text in texts]
    texts = [text for found in places.EVERYWHERE.values() for text in found] + elsewhere

    assert [Address(text).value for text in texts] == texts


def test_loading_compiles_no_function() -> None:
    program = (
        "from mcp_wallet_guard.clearsign import calls\n"
        "from mcp_wallet_guard.operations.abi import parse_function\n"
        "print(parse_function.cache_info().currsize)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)

    assert done.stdout.strip() == "0"
