"""An action is its canonical bytes, and nothing else is one. Threat: T-006, T-011."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.clearsign.actions import MAX_SHOWN, UNSEEN, render_action
from mcp_wallet_guard.clearsign.view import check_decoded
from mcp_wallet_guard.errors import InvalidInput, PolicyDenied, Tampered
from mcp_wallet_guard.operations.actions import (
    MAX_ARGUMENTS,
    MAX_BODY,
    Action,
    action_hash,
    action_of,
    freeze_action,
    parse_action,
)
from mcp_wallet_guard.operations.frozen import KIND_ACTION, FrozenOperation
from mcp_wallet_guard.operations.values import Account, ChainId
from tests.clearsign.transfers import SENDER, effect, facts, freeze

ACCOUNT = Account("main", ChainId(31337), SENDER)
ORDER = Action("place_order", {"pair": "ETH/USDC", "amount": "5", "limit": 5, "post_only": True, "note": None})
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
names = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,39}", fullmatch=True)


def frozen(action: Action = ORDER, **changes: Any) -> FrozenOperation:
    return freeze_action(action, changes.get("account", ACCOUNT), expires_at=1_800_000_000)


@given(st.dictionaries(names, values, max_size=6))
def test_every_action_is_read_back_from_its_bytes(arguments: dict[str, Any]) -> None:
    action = Action("t", arguments)
    assert parse_action(action.body) == action


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{}", b"[]", b"null", b'{"tool":"t"}', b'{"arguments":{}}', b'{"arguments":[],"tool":"t"}',
        b'{"arguments":{},"tool":"t","x":1}', b'{"tool":"t","arguments":{}}', b'{"arguments":{}, "tool":"t"}',
        b'{"arguments":{},"tool":""}', b'{"arguments":{},"tool":"a b"}', b'{"arguments":{},"tool":5}',
        b'{"arguments":{"":1},"tool":"t"}', b'{"arguments":{"a b":1},"tool":"t"}', b'{"arguments":{"_a":1},"tool":"t"}',
        b'{"arguments":{"a":1,"a":2},"tool":"t"}', b'{"arguments":{"a":1.0},"tool":"t"}',
        b'{"arguments":{"a":NaN},"tool":"t"}',
        b'{"arguments":{"' + b"a" * 41 + b'":1},"tool":"t"}', b"\xff", b'{"arguments":{},"tool":"' + b"t" * 65 + b'"}',
        b'{"arguments":' + b'{"a":' * 99 + b"1" + b"}" * 99 + b',"tool":"t"}',
    ],
)  # fmt: skip
def test_other_bytes_are_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_action(body)
    assert refused.value.code == "invalid_input"


def test_its_size_and_number_of_arguments_have_a_bound() -> None:
    most = Action("t", {f"a{n:02}": n for n in range(MAX_ARGUMENTS)})
    assert parse_action(most.body) == most
    with pytest.raises(InvalidInput):
        parse_action(Action("t", {f"a{n:02}": n for n in range(MAX_ARGUMENTS + 1)}).body)
    overhead = len(Action("t", {"a": ""}).body)
    full = Action("t", {"a": "x" * (MAX_BODY - overhead)})
    assert parse_action(full.body) == full
    with pytest.raises(InvalidInput) as refused:
        parse_action(Action("t", {"a": "x" * (MAX_BODY - overhead + 1)}).body)
    assert refused.value.code == "invalid_input.size"


def test_another_tool_argument_or_account_is_another_action() -> None:
    others = [
        action_hash(Action("other", ORDER.arguments), ACCOUNT),
        action_hash(Action(ORDER.tool, ORDER.arguments | {"amount": "6"}), ACCOUNT),
        action_hash(ORDER, Account("main", ChainId(1), SENDER)),
    ]
    assert len({action_hash(ORDER, ACCOUNT), *others}) == 4


def test_nothing_of_this_kind_is_ever_signed() -> None:
    """The attack: its bytes as something to sign."""
    with pytest.raises(Tampered):
        _ = frozen().signing_hashes
    with pytest.raises(InvalidInput):
        _ = frozen().transaction


def test_what_is_shown_is_all_of_it_and_that_its_effect_is_not() -> None:
    view = render_action(frozen())
    assert view.kind == "action"
    assert view.intent == "Let the server run its tool place_order"
    shown = {field.label: field.value for field in view.fields}
    assert shown == {
        "Tool": "place_order", "amount": '"5"', "limit": "5", "note": "null", "pair": '"ETH/USDC"', "post_only": "true",
    }  # fmt: skip
    assert view.findings == (UNSEEN,)


@given(values, values)
def test_different_arguments_never_read_alike(one: Any, other: Any) -> None:
    """Threat: T-021, T-022. As Python compares them True is 1: their JSON tells."""
    views = [render_action(frozen(Action("t", {"a": value}))).fields[1].value for value in (one, other)]
    assert (views[0] == views[1]) == (json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True))
    assert all(" " <= character <= "~" for view in views for character in view)


def test_an_argument_that_is_too_long_to_be_shown_is_refused_whole() -> None:
    assert len(render_action(frozen(Action("t", {"a": "x" * (MAX_SHOWN - 2)}))).fields[1].value) == MAX_SHOWN
    for value in ("x" * (MAX_SHOWN - 1), "\u202e" * 300, list(range(900))):
        with pytest.raises(PolicyDenied) as refused:
            render_action(frozen(Action("t", {"a": value})))
        assert refused.value.code == "policy.undecodable"


def test_decoding_compares_the_bytes_with_what_was_asked() -> None:
    assert check_decoded(frozen(), None, effect=ORDER).operation == frozen()
    for operation, action in (
        (frozen(), Action("place_order", {"amount": "6"})),
        (frozen(Action("other", {})), ORDER),
        (freeze(effect()), ORDER),
    ):
        with pytest.raises(Tampered):
            check_decoded(operation, None, effect=action)


def test_a_transaction_is_never_decoded_as_an_action_nor_without_facts() -> None:
    with pytest.raises(Tampered):
        action_of(freeze(effect()))
    with pytest.raises(Tampered):
        check_decoded(frozen(), facts(), effect=effect())
    with pytest.raises(Tampered):
        check_decoded(freeze(effect()), None, effect=effect())
    assert frozen().kind == KIND_ACTION
