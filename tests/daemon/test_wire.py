"""Frames and messages as bytes, without a socket."""

from __future__ import annotations

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.daemon import wire
from mcp_wallet_guard.daemon.base import Role
from mcp_wallet_guard.daemon.methods import ApproveArguments, CodeArguments, LinkArguments, PolicyArguments
from mcp_wallet_guard.errors import CATALOGUE, KINDS, GuardError, InvalidInput, Misconfigured, MissingExtra, Refused
from mcp_wallet_guard.evidence import Channel

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('abc"\\[{', max_size=3), inner, max_size=4),
    max_leaves=12,
)


def depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


@given(st.dictionaries(st.text("abc", max_size=3), JSON, max_size=4))
def test_what_is_framed_is_read_back(message: dict[str, Any]) -> None:
    data = wire.frame(message)
    assert wire.body_length(data[:4]) == len(data) - 4
    if depth(message) <= wire.MAX_DEPTH:
        assert wire.parse(data[4:]) == message


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_only_canonical_objects_are_read_and_everything_else_is_invalid_input(body: bytes) -> None:
    try:
        message = wire.parse(body)
    except InvalidInput as refusal:
        said = f"{refusal.code}{refusal.detail}"
    else:
        said = "read" if rfc8785.dumps(message) == body else "another spelling was read"
    assert said in {"read", "invalid_input"}


def test_depth_is_counted_outside_strings_only() -> None:
    deepest: Any = []
    for _ in range(wire.MAX_DEPTH - 2):
        deepest = [deepest]
    text = '[{"' * 100 + '\\"['
    message = {"a": deepest, "b": text}
    assert wire.parse(rfc8785.dumps(message)) == message
    with pytest.raises(InvalidInput):
        wire.parse(rfc8785.dumps({"a": [deepest], "b": text}))


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("role", list(Role))
def test_every_kind_of_error_travels_and_its_detail_over_control_sock_only(kind: str, role: Role) -> None:
    error = KINDS[kind](detail="the operator's own")
    reply = wire.parse_from_server(wire.failure(error, number=3, role=role)[4:])
    assert isinstance(reply, wire.Failure)
    arrived = wire.error_of(reply.error)
    assert type(arrived) is KINDS[kind]
    assert (arrived.code, reply.id) == (error.code, 3)
    assert arrived.detail == ("the operator's own" if role is Role.CONTROL else "")


def test_every_code_of_the_catalogue_travels() -> None:
    for code in CATALOGUE:
        reply = wire.parse_from_server(wire.failure(Refused(code), number=None, role=Role.MCP)[4:])
        assert isinstance(reply, wire.Failure)
        assert wire.error_of(reply.error).code == code


def test_an_error_whose_class_does_not_travel_arrives_as_its_parent() -> None:
    reply = wire.parse_from_server(wire.failure(MissingExtra("ledger"), number=1, role=Role.MCP)[4:])
    assert isinstance(reply, wire.Failure)
    assert type(wire.error_of(reply.error)) is Misconfigured
    reply = wire.parse_from_server(wire.failure(GuardError("locked"), number=1, role=Role.MCP)[4:])
    assert isinstance(reply, wire.Failure)
    assert wire.error_of(reply.error).code == "locked"


def test_what_a_person_typed_is_in_no_repr() -> None:
    typed = "typed-by-a-person"
    for arguments in (
        ApproveArguments(operation="o", view_hash="v", match_code=typed, code=typed, channel=Channel.TERMINAL),
        CodeArguments(code=typed),
        LinkArguments(operation="o", link_secret=typed),
        PolicyArguments(settings=typed.encode(), code=typed),
        wire.Request(id=1, method="approve", args={"code": typed}),
        wire.Result(id=1, result=typed),
    ):
        assert typed not in repr(arguments)
        assert typed not in str(arguments)
