"""Reading and running a case: one scenario per file, in the format of `cases/README.md`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mcp_wallet_guard.clearsign.descriptors import freezing, telling
from mcp_wallet_guard.clearsign.descriptors.contexts import Container, Creation, deployment
from mcp_wallet_guard.clearsign.descriptors.descriptor import Descriptor, load
from mcp_wallet_guard.clearsign.descriptors.index import Index
from mcp_wallet_guard.clearsign.descriptors.render import render_calldata, render_typed_data
from mcp_wallet_guard.clearsign.descriptors.rendered import Line, Rendered
from mcp_wallet_guard.clearsign.descriptors.work import Work
from mcp_wallet_guard.clearsign.tree import Shown
from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations.abi import AbiKind, AbiType, Budget, Value, encode, parse_function
from mcp_wallet_guard.operations.typed_data import parse_typed_data
from mcp_wallet_guard.operations.values import Address, ChainId
from tests.clearsign.descriptors.known import Known

FOLDER = Path(__file__).parent / "cases"
SCHEMA = "https://eips.ethereum.org/assets/eip-7730/erc7730-v2.schema.json"
HOME = {"chainId": 1, "address": "0x" + "11" * 20}
"""Where descriptors of cases are deployed, unless they say otherwise."""


def paths() -> list[Path]:
    return sorted(FOLDER.glob("*.json"))


def outcome(case: Mapping[str, Any], *, frozen: bool = False) -> dict[str, Any]:
    """What becomes of a case, as its ``expect`` has it. `frozen`: from what freezing leaves of the descriptor."""
    try:
        descriptor = main(case)
        if frozen:
            descriptor = thawed(descriptor, case)
        return told(rendered(case, descriptor))
    except InvalidInput as error:
        return {"refused": error.detail if error.code == "invalid_input.descriptor" else error.code}


def files(case: Mapping[str, Any]) -> dict[str, bytes]:
    """The files of a case; what they leave out is filled in, unless it is null."""
    found = case.get("files") or {"main.json": case["descriptor"]}
    return {
        name: json.dumps(_filled(each, case) if name == "main.json" else each).encode() for name, each in found.items()
    }


def main(case: Mapping[str, Any]) -> Descriptor:
    bound = tuple(deployment(each) for each in case.get("bound", []))
    return load(files(case), "main.json", bound=bound)


def thawed(descriptor: Descriptor, case: Mapping[str, Any]) -> Descriptor:
    if "call" in case:
        found = descriptor.function(parse_function(case["call"]["function"]).selector)
        key = found[0] if found is not None else ""
        return freezing.restored(freezing.reduced(descriptor, key, container=container(case)))
    return freezing.restored(freezing.reduced(descriptor, descriptor.keys[0]))


def rendered(case: Mapping[str, Any], descriptor: Descriptor) -> Rendered:
    lookup = Known(case.get("facts", {}))
    others = {name: raw for name, raw in files(case).items() if name.startswith("nested")}
    work = Work()
    nested = telling.calls_inside(Index(others), lookup=lookup, budget=Budget.default(), work=work)
    if "message" in case:
        signer = _address(case["message"].get("signer"))
        typed = parse_typed_data(case["message"]["typed"])
        return render_typed_data(descriptor, typed=typed, signer=signer, lookup=lookup, nested=nested, work=work)
    wanted = parse_function(case["call"]["function"])
    found = descriptor.function(wanted.selector)
    function = wanted if found is None else found[1]
    values = tuple(value(each.type, raw) for each, raw in zip(function.inputs, case["call"]["values"], strict=True))
    return render_calldata(
        descriptor,
        function=function,
        values=values,
        container=container(case),
        lookup=lookup,
        nested=nested,
        work=work,
    )


def container(case: Mapping[str, Any]) -> Container:
    given = {"chain": 1, "to": HOME["address"], "from": "0x" + "ff" * 20, "value": 0, **case.get("container", {})}
    return Container(
        chain=ChainId(given["chain"]),
        to=_address(given["to"]),
        sender=_address(given["from"]),
        value=given["value"],
        implementation=_address(given.get("implementation")),
        creations=tuple(
            Creation(event=each["event"], factory=Address.from_bytes(bytes.fromhex(each["factory"][2:])))
            for each in given.get("creations", [])
        ),
    )


def value(kind: AbiType, raw: Any) -> Value:
    """The value that JSON means: integers also as text, bytes as hex, a call as its function and values."""
    if kind.kind is AbiKind.TUPLE:
        return tuple(value(each.type, item) for each, item in zip(kind.components, raw, strict=True))
    if kind.kind is AbiKind.ARRAY and kind.item is not None:
        return tuple(value(kind.item, each) for each in raw)
    if isinstance(raw, dict):
        function = parse_function(raw["function"])
        values = tuple(value(each.type, item) for each, item in zip(function.inputs, raw["values"], strict=True))
        return (b"" if raw.get("bare") else function.selector) + encode(function.inputs, values)
    if kind.kind in {AbiKind.BYTES, AbiKind.FIXED_BYTES}:
        return bytes.fromhex(raw[2:])
    if kind.kind is AbiKind.ADDRESS:
        return Address.from_bytes(bytes.fromhex(raw[2:]))
    if kind.kind in {AbiKind.UINT, AbiKind.INT}:
        return int(raw, 0) if isinstance(raw, str) else int(raw)
    found: bool | str = raw
    return found


def told(found: Rendered) -> dict[str, Any]:
    return {
        "intent": found.intent,
        "interpolated": found.interpolated,
        "lines": [_line(line) for line in found.lines],
        "groups": [_group(shown) for shown in found.fields if shown.children and shown.part is None],
        "hidden": [[shown.path, shown.text] for shown in found.hidden],
        "notes": [[note.code, *(str(value) for _, value in note.facts)] for note in found.notes],
    }


def _line(line: Line) -> list[Any]:
    if line.call is None:
        return [line.label, line.text]
    return [line.label, {"intent": line.call.intent, "lines": [_line(each) for each in line.call.lines]}]


def _group(shown: Shown) -> list[Any]:
    return [shown.label, [_group(each) if each.children else each.label for each in shown.children]]


def _filled(raw: dict[str, Any], case: Mapping[str, Any]) -> dict[str, Any]:
    context: dict[str, Any] = {"contract": {"deployments": [HOME]}}
    if "message" in case:
        context = {"eip712": {"deployments": [HOME]}}
    filled = {"$schema": SCHEMA, "context": context, **raw}
    return {key: each for key, each in filled.items() if each is not None}


def _address(raw: str | None) -> Address | None:
    return None if raw is None else Address.from_bytes(bytes.fromhex(raw[2:]))
