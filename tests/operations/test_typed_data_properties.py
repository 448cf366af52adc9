"""EIP-712 over values that hypothesis makes: identity, other values have other hashes, one exception type."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations.typed_data import parse_typed_data, signing_hash, to_json
from tests.operations.typed_messages import mail, valid_messages


def check_refused(document: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_typed_data(document)
    assert caught.value.code == "invalid_input.typed_data"


@given(valid_messages())
@settings(max_examples=25)
def test_the_canonical_text_reads_back_to_the_same_value(document: dict[str, Any]) -> None:
    typed = parse_typed_data(document)
    again = parse_typed_data(to_json(typed))
    assert again == typed
    assert to_json(again) == to_json(typed)
    assert signing_hash(again) == signing_hash(typed)


@given(valid_messages(), st.data())
@settings(max_examples=25)
def test_any_other_value_has_another_hash(document: dict[str, Any], data: st.DataObject) -> None:
    other = copy.deepcopy(document)
    holder, key = data.draw(st.sampled_from([*_leaves(other["message"]), *_leaves(other["domain"])] or [(other, "")]))
    if key == "":
        return
    holder[key] = _changed(holder[key])
    try:
        changed = parse_typed_data(other)
    except InvalidInput:
        return
    assert changed != parse_typed_data(document)
    assert signing_hash(changed) != signing_hash(parse_typed_data(document))


def test_a_change_to_each_member_of_the_example_changes_the_hash() -> None:
    hashes = {signing_hash(parse_typed_data(mail()))}
    for at in range(9):
        document = mail()
        holder, key = (_leaves(document["domain"]) + _leaves(document["message"]))[at]
        holder[key] = _changed(holder[key])
        hashes.add(signing_hash(parse_typed_data(document)))
    assert len(hashes) == 1 + 9


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=25)
@given(_json | st.fixed_dictionaries({"types": _json, "primaryType": _json, "domain": _json, "message": _json}))
def test_random_json_raises_one_exception_type(document: Any) -> None:
    check_refused(document)


@given(valid_messages(), _json, st.data())
@settings(max_examples=25)
def test_a_broken_message_raises_one_exception_type(document: dict[str, Any], part: Any, data: st.DataObject) -> None:
    holder, key = data.draw(st.sampled_from([*_leaves(document), (document, "domain"), (document, "message")]))
    holder[key] = part
    with contextlib.suppress(InvalidInput):
        signing_hash(parse_typed_data(document))


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_random_text_raises_one_exception_type(text: str | bytes) -> None:
    check_refused(text)


def _leaves(value: Any) -> list[tuple[Any, Any]]:
    """(holder, key) of everything inside that is neither an object nor a list."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found: list[tuple[Any, Any]] = []
    for key, inner in pairs:
        found += _leaves(inner) if isinstance(inner, dict | list) else [(value, key)]
    return found


def _changed(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if value.startswith("0x") and len(value) > 2:
        digits = f"{value[2:-1]}{int(value[-1], 16) ^ 1:x}"
        return f"0x{digits.lower()}"
    return value + "1" if value.lstrip("-").isascii() and value.lstrip("-").isdigit() else value + "!"
