"""Public values: texts of one form that say what they are."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from mcp_wallet_guard import Bytes32, Signature, TxHash
from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.filters.declared import MAX_NODES, declared_in
from mcp_wallet_guard.operations.hashes import PUBLIC_TYPES, PublicHex

DIGITS = "5c504ed4a1b2c3d7" * 4


@given(st.binary(min_size=32, max_size=32))
def test_32_bytes_are_kept_in_lower_case(raw: bytes) -> None:
    for kind in (TxHash, Bytes32):
        assert kind.from_bytes(raw) == kind("0x" + raw.hex().upper()) == "0x" + raw.hex()


@pytest.mark.parametrize("size", [64, 65])
def test_a_signature_has_64_or_65_bytes(size: int) -> None:
    assert Signature.from_bytes(bytes(size)) == "0x" + "00" * size


@pytest.mark.parametrize("kind", PUBLIC_TYPES)
@pytest.mark.parametrize("text", [DIGITS, "0x" + DIGITS[1:], f"0x{DIGITS}\n", "0x" + "zz" * 32, "", None, 5, b"0x"])
def test_anything_else_is_refused_and_not_repeated(kind: type[PublicHex], text: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        kind(text)
    assert DIGITS[1:] not in caught.value.detail
    with pytest.raises(ValidationError) as invalid:
        TypeAdapter(kind).validate_python(text)
    assert "An argument is not valid." in str(invalid.value)


def test_the_base_takes_nothing() -> None:
    with pytest.raises(InvalidInput):
        PublicHex("0x" + DIGITS)


def test_models_take_and_give_texts_and_publish_a_pattern() -> None:
    class Sent(BaseModel):
        model_config = ConfigDict(extra="forbid")
        hash: TxHash
        anything: object = None

    sent = Sent(hash="0x" + DIGITS, anything=[Bytes32("0x" + DIGITS)])  # type: ignore[arg-type]  # parsed
    assert type(sent.hash) is TxHash
    assert json.loads(sent.model_dump_json()) == {"hash": "0x" + DIGITS, "anything": ["0x" + DIGITS]}
    schema = Sent.model_json_schema()["properties"]["hash"]
    assert schema["pattern"] == "^0x[0-9a-fA-F]{64}$"


def test_what_is_declared_is_found_in_mappings_lists_models_and_dataclasses() -> None:
    class Model(BaseModel):
        seed: Bytes32

    @dataclass
    class Data:
        items: tuple[object, ...]

    values = [Bytes32.from_bytes(bytes([n]) * 32) for n in range(4)]
    cycle: list[object] = [Data(({"x": values[0]}, values[1])), Model(seed=values[2]), "0x" + DIGITS, Data]
    cycle += [cycle, {values[3]}]
    assert declared_in(cycle) == {str(value) for value in values}
    assert declared_in(None) == frozenset()
    assert declared_in([*map(str, range(MAX_NODES)), values[0]]) == frozenset()
