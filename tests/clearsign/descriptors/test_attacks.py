"""Hostile descriptors and hostile data under honest ones, each beside its honest twin."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mcp_wallet_guard.clearsign.calls import read_call
from mcp_wallet_guard.clearsign.descriptors.contexts import Container
from mcp_wallet_guard.clearsign.descriptors.descriptor import load
from mcp_wallet_guard.clearsign.descriptors.index import Index
from mcp_wallet_guard.clearsign.descriptors.model import Deployment
from mcp_wallet_guard.clearsign.descriptors.reading import Described
from mcp_wallet_guard.clearsign.descriptors.rendered import Rendered
from mcp_wallet_guard.clearsign.descriptors.telling import tell_call
from mcp_wallet_guard.clearsign.present import Presenter
from mcp_wallet_guard.clearsign.text import quoted
from mcp_wallet_guard.clearsign.tree import Shown
from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations.abi import Budget, Value, encode, parse_function
from mcp_wallet_guard.operations.values import Address, ChainId
from tests.clearsign.descriptors import case
from tests.clearsign.descriptors.known import Known

CONTRACT = Address.from_bytes(b"\x11" * 20)
OTHER = Address.from_bytes(b"\x22" * 20)
HOME = Container(chain=ChainId(1), to=CONTRACT, sender=None, value=0)
PLAIN = re.compile(r"[ -~]*")


def written(function: str, fields: list[Any], **more: Any) -> dict[str, Any]:
    return {
        "$schema": case.SCHEMA,
        "context": {"contract": {"deployments": [case.HOME]}},
        "display": {"formats": {function: {"intent": "Do", "fields": fields}}},
        **more,
    }


def told(document: dict[str, Any], function: str, *values: Value, container: Container = HOME) -> Rendered | None:
    index = Index({"main.json": json.dumps(document).encode()})
    return told_by(index, function, *values, container=container)


def told_by(index: Index, function: str, *values: Value, container: Container = HOME) -> Rendered | None:
    found = parse_function(function)
    data = found.selector + encode(found.inputs, values)
    return tell_call(index, data=data, container=container, lookup=Known({}))


def field(path: str, **more: Any) -> dict[str, Any]:
    return {"path": path, "label": "L", "format": "raw", **more}


def test_a_descriptor_s_words_are_escaped_once_in_the_view() -> None:
    """Threat: T-021."""
    hostile = 'A "B" \\ \u202e'
    function = "f(uint256 x)"
    document = written(
        function, [field("x", label=hostile), field("x", format="enum", params={"$ref": "$.metadata.enums.e"})]
    )
    document["metadata"] = {"enums": {"e": {"1": hostile}}}
    document["display"]["formats"][function]["intent"] = hostile
    found = parse_function(function)
    described = Described(Index({"main.json": json.dumps(document).encode()}), Known({}))
    part = read_call(
        found.selector + encode(found.inputs, (1,)), chain=ChainId(1), target=CONTRACT, sender=OTHER, value=0,
        budget=Budget.default(), others=(described,),
    )  # fmt: skip
    presenter = Presenter(Known({}), account=OTHER)
    once = quoted(hostile, limit=80)
    assert once == '"A \\"B\\" \\\\ \\u{202e}"'
    assert presenter.headline(part) == f"Call {CONTRACT}: {once} (a descriptor's words)"
    first, second = presenter.fields(part)
    assert (first.label, second.value) == (once, once)


def test_a_known_selector_at_another_contract_or_chain_is_not_told() -> None:
    """Threat: T-021."""
    document = written("pay(uint256 n)", [field("n")])
    assert told(document, "pay(uint256 n)", 1) is not None
    for chain, to in ((1, OTHER), (137, CONTRACT)):
        elsewhere = Container(chain=ChainId(chain), to=to, sender=None, value=0)
        assert told(document, "pay(uint256 n)", 1, container=elsewhere) is None


def test_a_descriptor_without_deployments_tells_only_where_the_owner_said() -> None:
    """Threat: T-021."""
    document = written("pay(uint256 n)", [field("n")], context={"contract": {}})
    files = {"erc.json": json.dumps(document).encode()}
    assert told_by(Index(files), "pay(uint256 n)", 1) is None
    bound = Index(files, bindings={"erc.json": (Deployment(ChainId(1), CONTRACT),)})
    assert told_by(bound, "pay(uint256 n)", 1) is not None
    elsewhere = Container(chain=ChainId(1), to=OTHER, sender=None, value=0)
    assert told_by(bound, "pay(uint256 n)", 1, container=elsewhere) is None


def test_a_file_that_was_changed_after_it_was_pinned_is_not_read() -> None:
    honest = json.dumps(written("pay(uint256 n)", [field("n")])).encode()
    changed = honest.replace(b'"Do"', b'"Be"')
    pins = {"main.json": load({"main.json": honest}, "main.json").hashes}
    assert told_by(Index({"main.json": honest}, pins=pins), "pay(uint256 n)", 1) is not None
    assert told_by(Index({"main.json": changed}), "pay(uint256 n)", 1) is not None
    index = Index({"main.json": changed}, pins=pins)
    assert told_by(index, "pay(uint256 n)", 1) is None
    assert index.refused == {"main.json": "the files are not those that were pinned"}
    assert told_by(Index({"main.json": honest}, pins={}), "pay(uint256 n)", 1) is None


def test_an_included_file_is_pinned_although_attestations_cover_the_including_one_alone() -> None:
    """The hash of ERC-8176 is of one file: who swaps what that includes keeps the hash, and changes what is shown."""
    main = json.dumps({"$schema": case.SCHEMA, "includes": "base.json", **context()}).encode()
    base = json.dumps({"display": written("pay(uint256 n)", [field("n")])["display"]}).encode()
    swapped = base.replace(b'"L"', b'"Fee"')
    before, after = (load({"main.json": main, "base.json": each}, "main.json") for each in (base, swapped))
    assert before.hash == after.hash
    assert before.hashes != after.hashes
    with pytest.raises(InvalidInput):
        load({"main.json": main, "base.json": swapped}, "main.json", hashes=before.hashes)
    load({"main.json": main, "base.json": base}, "main.json", hashes=before.hashes)


def context() -> dict[str, Any]:
    return {"context": {"contract": {"deployments": [case.HOME]}}}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b'{"a": 1, "a": 2}',
        b'{"a": ' * 60 + b"1" + b"}" * 60,
        b'{"$schema": "erc7730-v2.schema.json", "context": {}, "display": {"formats": {}}}',
        b'{"$schema": "erc7730-v2.schema.json", "context": {"contract": []}, "display": {"formats": {}}}',
        b'{"$schema": "erc7730-v2.schema.json", "context": {"contract": {}, "eip712": {}}, "display": {"formats": {}}}',
        b'{"$schema": "erc7730-v2.schema.json", "context": {"contract": {"deployments": [{"chainId": true, "address": '
        b'"0x1111111111111111111111111111111111111111"}]}}, "display": {"formats": {}}}',
        b'{"$schema": "erc7730-v2.schema.json", "context": {"contract": {"deployments": [{"chainId": 1, "address": '
        b'"0x11111111111111111111111111111111111111 1"}]}}, "display": {"formats": {}}}',
        b'{"$schema": "erc7730-v2.schema.json", "context": {"contract": {}}, "display": {"formats": {}}, "more": 1}',
    ],
)
def test_what_is_no_descriptor_is_refused_with_one_error(raw: bytes) -> None:
    with pytest.raises(InvalidInput) as caught:
        load({"main.json": raw}, "main.json").check()
    assert caught.value.code == "invalid_input.descriptor"


def test_one_broken_file_takes_no_other_with_it() -> None:
    good = json.dumps(written("pay(uint256 n)", [field("n")])).encode()
    bad = json.dumps(written("pay(uint256 n)", [field("nobody")])).encode()
    worse = json.dumps(written("pay(uint256", [])).encode()
    index = Index({"1.json": bad, "2.json": worse, "3.json": b"{", "4.json": good})
    found = told_by(index, "pay(uint256 n)", 1)
    assert found is not None
    assert index.refused == {
        "1.json": "a path names something that is not there",
        "2.json": "a key is not a function with its parameters",
    }


LAUGHS: dict[str, list[Any]] = {
    "one array many times": [field("xs")] * 500,
    "groups over groups": [{"path": "#.xs.[]", "fields": [{"path": "#.xs.[]", "fields": [field("#.xs.[]")]}]}],
    "hidden in groups over groups": [
        {"path": "#.xs.[]", "fields": [{"path": "#.xs.[]", "fields": [field("#.n", visible={"ifNotIn": [7]})]}]}
    ],
    "empty groups over groups": [{"path": "#.xs.[]", "fields": [{"path": "#.xs.[]", "fields": []}] * 100}],
    "long lists of values": [field("xs", visible={"mustMatch": [*range(10**6, 10**6 + 4000), "0x1"]})] * 4,
    "long texts": [field("d")] * 500,
}


@pytest.mark.parametrize("laugh", LAUGHS)
def test_descriptors_cannot_multiply_the_data(laugh: str) -> None:
    """Threat: T-033."""
    function = "f(uint256 n,uint256[] xs,bytes d)"
    values: tuple[Value, ...] = (7, (1,) * 500, bytes(10_000))
    assert told(written(function, [field("xs")]), function, *values) is not None
    assert told(written(function, LAUGHS[laugh]), function, *values) is None


def test_calls_inside_calls_share_one_budget() -> None:
    function = parse_function("f(address t,bytes[] d)")
    call = field("d", format="calldata", params={"calleePath": "t"})
    data: bytes = b""
    for _ in range(4):
        data = function.selector + encode(function.inputs, (CONTRACT, (data,) * 3))
    honest = Index({"main.json": json.dumps(written("f(address t,bytes[] d)", [call])).encode()})
    hostile = Index({"main.json": json.dumps(written("f(address t,bytes[] d)", [call] * 400)).encode()})
    assert tell_call(honest, data=data, container=HOME, lookup=Known({})) is not None
    assert tell_call(hostile, data=data, container=HOME, lookup=Known({})) is None


def test_calls_are_told_only_so_deep() -> None:
    function = parse_function("f(address t,bytes d)")
    call = field("d", format="calldata", params={"calleePath": "t"})
    data = b""
    for _ in range(7):
        data = function.selector + encode(function.inputs, (CONTRACT, data))
    index = Index({"main.json": json.dumps(written("f(address t,bytes d)", [call])).encode()})
    found, depth = tell_call(index, data=data, container=HOME, lookup=Known({})), 0
    while found is not None:
        depth, found = depth + 1, found.lines[0].call
    assert depth == 5


def test_a_call_that_a_descriptor_hides_is_listed_as_bytes_and_so_is_one_that_nobody_knows() -> None:
    """Threat: T-020."""
    function = "f(address t,bytes d)"
    call = field("d", format="calldata", params={"calleePath": "t"})
    inner = parse_function("approve(address,uint256)")
    data = inner.selector + encode(inner.inputs, (OTHER, 2**256 - 1))
    hidden = told(written(function, [call | {"visible": "never"}]), function, CONTRACT, data)
    assert hidden is not None
    assert ("d", data) in [(shown.path, shown.raw) for shown in hidden.hidden]
    unknown = told(written(function, [call]), function, OTHER, data)
    assert unknown is not None
    assert [note.code for note in unknown.notes] == ["descriptor.call_unknown"]
    assert unknown.fields[0].raw == data


def test_what_a_told_call_hides_is_listed_outside_too() -> None:
    """Threat: T-020."""
    function = parse_function("f(address t,bytes d)")
    call = field("d", format="calldata", params={"calleePath": "t"})
    inside = function.selector + encode(function.inputs, (OTHER, b""))
    index = Index({"main.json": json.dumps(written("f(address t,bytes d)", [call])).encode()})
    data = function.selector + encode(function.inputs, (CONTRACT, inside + b"tag"))
    found = tell_call(index, data=data, container=HOME, lookup=Known({}))
    assert found is not None
    assert [shown.raw for shown in found.hidden] == [CONTRACT, OTHER, b"tag"]
    assert [shown.path for shown in found.hidden] == ["t", "d>t", "d>"]


def test_decimals_that_only_the_node_knows_are_not_applied() -> None:
    """Threat: T-040."""
    function = parse_function("f(uint256 n)")
    amount = field("n", format="tokenAmount", params={"token": OTHER.value})
    index = Index({"main.json": json.dumps(written("f(uint256 n)", [amount])).encode()})
    data = function.selector + encode(function.inputs, (1_500_000,))
    token = {"symbol": "USDC", "decimals": 6}
    for source, text in (("config", "1.5 USDC"), ("list", "1.5 USDC"), ("node", "1500000"), ("descriptor", "1500000")):
        lookup = Known({"tokens": {OTHER.value: {**token, "source": source}}})
        found = tell_call(index, data=data, container=HOME, lookup=lookup)
        assert found is not None
        assert [line.text for line in found.lines] == [text]


def test_bytes_after_the_arguments_are_listed() -> None:
    index = Index({"main.json": json.dumps(written("f(uint256 n)", [field("n")])).encode()})
    function = parse_function("f(uint256 n)")
    data = function.selector + encode(function.inputs, (5,)) + b"tag"
    found = tell_call(index, data=data, container=HOME, lookup=Known({}))
    assert found is not None
    assert [(shown.label, shown.raw) for shown in found.hidden] == [("Bytes after the arguments", b"tag")]


def test_a_group_of_fields_deeper_than_eight_is_refused() -> None:
    group: dict[str, Any] = {"fields": [field("n")]}
    for _ in range(8):
        group = {"fields": [group]}
    assert told(written("f(uint256 n)", [group["fields"][0]]), "f(uint256 n)", 1) is not None
    assert told(written("f(uint256 n)", [{"fields": [group]}]), "f(uint256 n)", 1) is None


def walk(shown: tuple[Shown, ...]) -> list[Shown]:
    return [each for one in shown for each in (one, *walk(one.children))]


texts = st.text(max_size=60)


@settings(max_examples=150, deadline=None)
@given(intent=texts, label=texts, group=texts, separator=texts, value=texts, owner=texts, word=texts, unit=texts)
def test_nothing_that_a_descriptor_or_the_data_says_leaves_printable_ascii(
    intent: str, label: str, group: str, separator: str, value: str, owner: str, word: str, unit: str
) -> None:
    """Threat: T-021, T-022."""
    function = "f(string s,uint256[] xs)"
    fields = [
        field("s", label=label),
        {"label": group, "fields": [field("xs", separator=separator.replace("{", "").replace("}", "") + "{index}")]},
        field("xs.[0]", label=label, format="enum", params={"$ref": "$.metadata.enums.e"}),
        field("xs.[1]", label=label, format="unit", params={"base": "u" + unit.lstrip("0123456789")}),
        {"value": value, "label": label, "format": "raw"},
    ]
    document = written(function, fields, metadata={"owner": owner, "contractName": owner, "enums": {"e": {"1": word}}})
    formats = document["display"]["formats"][function]
    formats |= {"intent": intent, "interpolatedIntent": intent.replace("{", "").replace("}", "") + "{s}{xs.[0]}"}
    try:
        raw = json.dumps(document).encode()
        plain = value.encode("utf-8").decode("utf-8")
    except UnicodeEncodeError:
        return  # a lone surrogate is in no ABI string
    function_ = parse_function(function)
    data = function_.selector + encode(function_.inputs, (plain, (1, 2)))
    found = tell_call(Index({"main.json": raw}), data=data, container=HOME, lookup=Known({}))
    assume(found is not None)
    assert found is not None
    shown = [*walk(found.fields), *walk(found.hidden)]
    said = [found.intent, found.interpolated or "", found.owner, found.contract, *(each.label for each in shown)]
    said += [each.text or "" for each in shown]
    said += [each for line in found.lines for each in (line.label, line.text)]
    assert all(PLAIN.fullmatch(each) for each in said)
