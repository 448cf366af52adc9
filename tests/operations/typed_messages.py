"""Typed data that tests share: the standard's own example, and hypothesis strategies for valid messages."""

from __future__ import annotations

import copy
from typing import Any, Final

from hypothesis import strategies as st

# Source: EIP-712, "Example" (Ether Mail).
_MAIL: Final[dict[str, Any]] = {
    "types": {
        "EIP712Domain": [
            {"name": "name", "type": "string"},
            {"name": "version", "type": "string"},
            {"name": "chainId", "type": "uint256"},
            {"name": "verifyingContract", "type": "address"},
        ],
        "Person": [{"name": "name", "type": "string"}, {"name": "wallet", "type": "address"}],
        "Mail": [
            {"name": "from", "type": "Person"},
            {"name": "to", "type": "Person"},
            {"name": "contents", "type": "string"},
        ],
    },
    "primaryType": "Mail",
    "domain": {
        "name": "Ether Mail",
        "version": "1",
        "chainId": 1,
        "verifyingContract": "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC",
    },
    "message": {
        "from": {"name": "Cow", "wallet": "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"},
        "to": {"name": "Bob", "wallet": "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"},
        "contents": "Hello, Bob!",
    },
}


def mail() -> dict[str, Any]:
    """A fresh copy of the example."""
    return copy.deepcopy(_MAIL)


def one(kind: str, value: Any, **types: list[dict[str, str]]) -> dict[str, Any]:
    """A message of one member `x`."""
    return {
        "types": {"T": [{"name": "x", "type": kind}], **types},
        "primaryType": "T",
        "domain": {"name": "a"},
        "message": {"x": value},
    }


_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_leaf_values: Final[dict[str, st.SearchStrategy[Any]]] = {
    "bool": st.booleans(),
    "string": _texts,
    "bytes": st.binary(max_size=40).map(lambda raw: f"0x{raw.hex()}"),
    "bytes1": st.binary(min_size=1, max_size=1).map(lambda raw: f"0x{raw.hex()}"),
    "bytes32": st.binary(min_size=32, max_size=32).map(lambda raw: f"0x{raw.hex()}"),
    "address": st.binary(min_size=20, max_size=20).map(lambda raw: f"0x{raw.hex()}"),
    "uint8": st.integers(0, 255),
    "uint48": st.integers(0, 2**48 - 1),
    "uint256": st.integers(0, 2**256 - 1).flatmap(lambda n: st.sampled_from([n, str(n), hex(n)])),
    "int8": st.integers(-128, 127),
    "int256": st.integers(-(2**255), 2**255 - 1).flatmap(lambda n: st.sampled_from([n, str(n)])),
}
_domains = st.fixed_dictionaries(
    {},
    optional={
        "name": _texts,
        "version": _texts,
        "chainId": st.integers(0, 2**256 - 1),
        "verifyingContract": _leaf_values["address"],
        "salt": _leaf_values["bytes32"],
    },
)


@st.composite
def valid_messages(draw: st.DrawFn) -> dict[str, Any]:
    """Typed data of up to four struct types, each used by the one before, with arrays of one or two dimensions."""
    names = [f"Type{number}" for number in range(draw(st.integers(1, 4)))]
    types: dict[str, list[dict[str, str]]] = {}
    for index, name in enumerate(names):
        kinds = draw(st.lists(st.sampled_from(sorted(_leaf_values)), min_size=1, max_size=4)) + names[index + 1 :][:1]
        kinds = [kind + draw(st.sampled_from(["", "", "", "[]", "[2]", "[][1]"])) for kind in kinds]
        types[name] = [{"name": f"m{at}", "type": kind} for at, kind in enumerate(kinds)]
    return {
        "types": types,
        "primaryType": names[0],
        "domain": draw(_domains),
        "message": _value(draw, names[0], types),
    }


def _value(draw: st.DrawFn, kind: str, types: dict[str, list[dict[str, str]]]) -> Any:
    if kind.endswith("]"):
        item, _, length = kind[:-1].rpartition("[")
        return [_value(draw, item, types) for _ in range(int(length) if length else draw(st.integers(0, 2)))]
    if kind in types:
        return {member["name"]: _value(draw, member["type"], types) for member in types[kind]}
    return draw(_leaf_values[kind])
