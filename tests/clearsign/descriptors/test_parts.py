"""The parts by themselves: numbers as text, paths, hashes, names of files, what freezing refuses."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import pytest
import rfc8785
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.clearsign.descriptors import freezing, includes, interoperable, quantities
from mcp_wallet_guard.clearsign.descriptors.contexts import container_of
from mcp_wallet_guard.clearsign.descriptors.descriptor import descriptor_hash, load, version_of
from mcp_wallet_guard.clearsign.descriptors.index import Index
from mcp_wallet_guard.clearsign.descriptors.paths import EVERY, Path, Place, Slice, follow, parse_path
from mcp_wallet_guard.clearsign.descriptors.telling import tell_call
from mcp_wallet_guard.clearsign.descriptors.text import safe
from mcp_wallet_guard.clearsign.descriptors.work import Work
from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations.abi import encode, parse_function
from mcp_wallet_guard.operations.typed_data import parse_typed_data
from mcp_wallet_guard.operations.values import Address
from tests.clearsign.descriptors import case
from tests.clearsign.descriptors.known import Known

EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001
INTEGERS = st.integers(-(2**255), 2**256 - 1)


@given(st.integers(-62_135_596_800, 253_402_300_799))
def test_dates_are_those_of_the_calendar(seconds: int) -> None:
    found = EPOCH + dt.timedelta(seconds=seconds)
    assert quantities.date(seconds) == f"{found.isoformat(sep=' ', timespec='seconds')}Z"


@pytest.mark.parametrize("seconds", [-62_135_596_801, 253_402_300_800, 2**256 - 1])
def test_there_are_no_dates_beyond_the_calendar(seconds: int) -> None:
    assert quantities.date(seconds) is None


@given(INTEGERS, st.integers(0, 255))
def test_decimals_are_exact(number: int, decimals: int) -> None:
    text = quantities.decimal(number, decimals=decimals)
    assert Fraction(text) == Fraction(number, 10**decimals)
    assert "e" not in text
    assert not ("." in text and text.endswith(("0", ".")))


@given(INTEGERS, st.integers(0, 77))
def test_a_unit_with_a_prefix_is_the_same_number(number: int, decimals: int) -> None:
    text = quantities.unit(number, base="", decimals=decimals, prefix=True)
    powers = {prefix: exponent for exponent, prefix in quantities._PREFIXES.items()}
    digits = text.rstrip("".join(powers))
    with localcontext() as context:
        context.prec = 400
        assert Decimal(digits).scaleb(powers[text[len(digits) :]]) == Decimal(number).scaleb(-decimals)


@given(st.integers(-(10**9), 10**9))
def test_durations_count_hours_without_end(seconds: int) -> None:
    hours, minutes, rest = quantities.duration(seconds).lstrip("-").split(":")
    assert int(hours) * 3600 + int(minutes) * 60 + int(rest) == abs(seconds)
    assert len(minutes) == len(rest) == 2


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("a", ("a",)),
        ("#.a.b", ("a", "b")),
        ("a.[0].[-1]", ("a", 0, -1)),
        ("a[0]", ("a", 0)),
        ("a.[]", ("a", EVERY)),
        ("a.[1:-2]", ("a", Slice(1, -2))),
        ("a.[:]", ("a", EVERY)),
    ],
)
def test_paths_are_read(text: str, steps: tuple[Any, ...]) -> None:
    assert parse_path(text).steps == steps


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "a..b",
        "#",
        "@",
        "a.[x]",
        "a.[01]",
        "a.[1:2:3]",
        "a[",
        "a.[ 1]",
        "a.b]",
        "a." * 40 + "b",
        "0",
        "a.{b}",
        5,
        "a.[9999999]",
        "a\n",
        "\u0430",
        "a.[\u0661]",
    ],
)
def test_what_is_no_path_is_refused(text: object) -> None:
    with pytest.raises(InvalidInput):
        parse_path(text)


@given(st.lists(st.integers(), max_size=6).map(tuple), st.none() | st.integers(-8, 8), st.none() | st.integers(-8, 8))
def test_ranges_of_items_are_those_of_python(items: tuple[int, ...], start: int | None, end: int | None) -> None:
    found = follow(Place(Path("#", ()), items), (Slice(start, end),), Work())
    assert [place.node for place in found.places] == list(items[start:end])
    assert [items[int(str(place.path.steps[-1]))] for place in found.places] == list(items[start:end])


@given(st.binary(max_size=6), st.none() | st.integers(-8, 8), st.none() | st.integers(-8, 8))
def test_ranges_of_bytes_are_there_whole_or_not_at_all(data: bytes, start: int | None, end: int | None) -> None:
    first = 0 if start is None else start if start >= 0 else len(data) + start
    last = len(data) if end is None else end if end >= 0 else len(data) + end
    there = 0 <= first < last <= len(data) or (start is None and end is None)
    try:
        found = follow(Place(Path("#", ()), data), (Slice(start, end),), Work())
    except InvalidInput:
        assert not there
    else:
        assert there
        assert found.places[0].node == data[first:last]


def test_the_hash_is_that_of_the_canonical_form_whatever_the_spelling() -> None:
    document: Any = {"b": [1, "\u20ac"], "a": {"$schema": "x"}}
    spelled = (json.dumps(document).encode(), json.dumps(document, indent=3, ensure_ascii=False).encode())
    expected = bytes(keccak(rfc8785.dumps(document)))
    assert {descriptor_hash(raw) for raw in spelled} == {expected}


@pytest.mark.parametrize(
    ("target", "base", "found"),
    [("b.json", "x/a.json", "x/b.json"), ("../b.json", "x/a.json", "b.json"), ("./y/../b.json", "a.json", "b.json")],
)
def test_includes_are_relative_to_their_file(target: str, base: str, found: str) -> None:
    assert includes.resolve(target, base=base) == found


@pytest.mark.parametrize(
    "target",
    ["../b.json", "y/../../b.json", "/b.json", "", ".", "y//b.json", "b.json\x00", "~/b", "b%2e.json", 5, None],
)
def test_includes_stay_inside_their_root(target: object) -> None:
    """Threat: T-021."""
    with pytest.raises(InvalidInput):
        includes.resolve(target, base="a.json")


def test_a_chain_of_includes_has_an_end() -> None:
    files = {f"{number}.json": json.dumps({"includes": f"{number + 1}.json"}).encode() for number in range(9)}
    with pytest.raises(InvalidInput):
        includes.chain_of(files | {"9.json": b"{}"}, "0.json")
    assert len(includes.chain_of(files | {"9.json": b"{}"}, "2.json")) == 8


@pytest.mark.parametrize(
    ("schema", "version"),
    [
        ("https://eips.ethereum.org/assets/eip-7730/erc7730-v2.schema.json", (2, 0)),
        ("../../specs/erc7730-v2.0.0.schema.json", (2, 0)),
        ("erc7730-v2.7.3.schema.json", (2, 7)),
        ("erc7730-v2.1.0-rc.4.schema.json", (2, 1)),
    ],
)
def test_versions_are_told_by_the_name_of_the_schema(schema: str, version: tuple[int, int]) -> None:
    assert version_of(schema) == version


@pytest.mark.parametrize("schema", ["erc7730-v20.schema.json", "erc7730-v02.schema.json", "erc7730-v2.json", None, 2])
def test_other_schemas_are_refused(schema: object) -> None:
    with pytest.raises(InvalidInput):
        version_of(schema)


@pytest.mark.parametrize(
    "data",
    [
        "",
        "0001",
        "00010000000000",
        "0002000001011400",
        "0001000001010a" + "00" * 10,
        "00010000020001" + "14" + "00" * 20,
        "00010001010100",
        "000100020101" + "20" + "00" * 32,
    ],
)
def test_interoperable_addresses_of_other_forms_are_refused(data: str) -> None:
    with pytest.raises(InvalidInput):
        interoperable.parse(bytes.fromhex(data))


def test_an_interoperable_address_may_name_a_chain_or_an_address_alone() -> None:
    """Source: ERC-7930, examples 3 and 4."""
    address = interoperable.parse(bytes.fromhex("000100000014d8da6bf26964af9d7eed9e03e53415d37aa96045"))
    assert (address.chain, address.evm_chain) == ("eip155", None)
    assert address.evm == Address("0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045")
    reference = "45296998a6f8e2a784db5d9f95e18fc23f70441a1039446801089879b08c7ef0"
    chain = interoperable.parse(bytes.fromhex(f"0001000220{reference}00"))
    assert (chain.address, chain.chain) == ("", "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ('"q"', '"q"'),
        ("\\u{41}", "\\\\u{41}"),
        ("\\", "\\\\"),
        ('\\"', '\\\\"'),
        ("\u202e", "\\u{202e}"),
    ],
)
def test_safe_text_has_no_quotes_around_it_and_no_imitated_escapes(text: str, shown: str) -> None:
    assert safe(text) == shown


def test_a_descriptor_of_messages_is_found_by_contract_or_by_separator() -> None:
    path = case.FOLDER / "message-separator.json"
    found = json.loads(path.read_text())
    typed = parse_typed_data(found["message"]["typed"])
    container = container_of(typed, signer=None)
    by_separator = Index(case.files(found))
    assert [each.name for each in by_separator.messages(typed, container)] == ["main.json"]
    by_contract = Index(case.files(json.loads((case.FOLDER / "message-domain.json").read_text())))
    assert [each.name for each in by_contract.messages(typed, container)] == ["main.json"]
    found["message"]["typed"]["domain"]["name"] = "Male"
    other = parse_typed_data(found["message"]["typed"])
    assert by_separator.messages(other, container_of(other, signer=None)) == ()
    assert by_contract.messages(other, container_of(other, signer=None)) == ()


def test_an_index_of_descriptors_is_like_one_of_their_files() -> None:
    found = json.loads((case.FOLDER / "sentence.json").read_text())
    container = case.container(found)
    descriptor = case.main(found)
    selector = bytes.fromhex("a9059cbb")
    assert [each.name for each, _ in Index.of([descriptor]).calls(container, selector)] == ["main.json"]
    assert [each.name for each, _ in Index(case.files(found)).calls(container, selector)] == ["main.json"]
    assert Index.of([descriptor]).calls(container, b"\0\0\0\0") == ()


def test_a_factory_s_descriptor_is_found_when_its_event_is_known() -> None:
    found = json.loads((case.FOLDER / "bind-factory.json").read_text())
    container = case.container(found)
    selector = bytes.fromhex("26121ff0")
    assert len(Index(case.files(found)).calls(container, selector)) == 1
    unknown = json.loads((case.FOLDER / "bind-factory-unknown.json").read_text())
    assert Index(case.files(found)).calls(case.container(unknown), selector) == ()


def test_freezing_keeps_one_format_and_the_deployment_in_question() -> None:
    document = {
        "$schema": case.SCHEMA,
        "context": {"contract": {"deployments": [case.HOME, {"chainId": 5, "address": "0x" + "22" * 20}]}},
        "metadata": {"owner": "O", "info": {"url": "x"}, "constants": {"a": "1", "b": "2"}, "enums": {"e": {"1": "x"}}},
        "display": {
            "definitions": {"d": {"label": "D", "format": "raw"}, "unused": {"label": "U", "format": "raw"}},
            "formats": {
                "f(uint256 n)": {"intent": "F", "fields": [{"path": "n", "$ref": "$.display.definitions.d"}]},
                "g()": {"intent": "G", "fields": [{"path": "$.metadata.constants.a", "label": "A", "format": "raw"}]},
            },
        },
    }
    descriptor = load({"main.json": json.dumps(document).encode()}, "main.json")
    container = case.container({})
    frozen = json.loads(freezing.reduced(descriptor, "g()", container=container))
    assert frozen["document"]["context"] == {"contract": {"deployments": [case.HOME]}}
    assert frozen["document"]["metadata"] == {"owner": "O", "constants": {"a": "1"}}
    assert frozen["document"]["display"].keys() == {"formats"}
    assert frozen["document"]["display"]["formats"].keys() == {"g()"}
    both = json.loads(freezing.reduced(descriptor, "f(uint256 n)"))
    assert both["document"]["display"]["definitions"].keys() == {"d"}
    with pytest.raises(InvalidInput):
        freezing.reduced(descriptor, "h()")
    assert freezing.restored(freezing.reduced(descriptor, "g()")).hashes == descriptor.hashes
    twice = freezing.restored(freezing.reduced(descriptor, "g()"))
    assert freezing.reduced(twice, "g()") == freezing.reduced(descriptor, "g()")


@pytest.mark.parametrize(
    "change",
    [
        {"hashes": []},
        {"hashes": ["00"]},
        {"hashes": "x"},
        {"bound": [{}]},
        {"document": []},
        {"name": 5},
        {"more": 1},
    ],
)
def test_what_is_no_frozen_descriptor_is_refused(change: dict[str, Any]) -> None:
    found = json.loads((case.FOLDER / "sentence.json").read_text())
    frozen = json.loads(freezing.reduced(case.main(found), "transfer(address to,uint256 value)"))
    freezing.restored(json.dumps(frozen).encode())
    for raw in (json.dumps(frozen | change).encode(), b"{", b"[]"):
        with pytest.raises(InvalidInput):
            freezing.restored(raw)


def test_a_lookup_is_asked_about_nothing_that_is_hidden() -> None:
    function = "f(address a,address b)"
    fields = [{"path": path, "label": path, "format": "addressName", "visible": rule} for path, rule in VISIBLE.items()]
    document = {"$schema": case.SCHEMA, "display": {"formats": {function: {"intent": "F", "fields": fields}}}}
    document["context"] = {"contract": {"deployments": [case.HOME]}}
    found = parse_function(function)
    data = found.selector + encode(found.inputs, (Address.from_bytes(b"\xaa" * 20), Address.from_bytes(b"\xbb" * 20)))
    lookup = Known({})
    assert tell_call(
        Index({"a.json": json.dumps(document).encode()}), data=data, container=case.container({}), lookup=lookup
    )
    assert {line.split(" ")[1] for line in lookup.asked} == {"0x" + "aa" * 20}


VISIBLE = {"a": "always", "b": "never"}
