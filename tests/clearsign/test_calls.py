"""Calldata as parts: plain transfers, creations, what nobody knows, and what is written in no honest way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.clearsign.decoders import table
from mcp_wallet_guard.clearsign.decoders.base import Call, Nothing
from mcp_wallet_guard.clearsign.tree import (
    AssetKind,
    Clarity,
    Direction,
    Oddity,
    Part,
    PartKind,
    Shown,
    ShownKind,
)
from mcp_wallet_guard.operations.abi import Budget
from tests.clearsign.decoders.cast import (
    CHAIN,
    FRIEND,
    ME,
    STRANGER,
    UNLIMITED,
    USDC,
    WHO,
    approve,
    calldata,
    described,
    multicall,
    read,
    transfer,
)

SELECTORS = [known.function.selector for functions in table.STANDARDS for known in functions.known]


def test_native_currency_alone_is_a_transfer() -> None:
    part = read(b"", to=FRIEND, value=7)

    assert described(part) == {
        "title": "Send native currency",
        "standard": None,
        "clarity": "clear",
        "shows": ["@.to [To] address friend", "@.value [Native currency sent] amount 7 of native"],
        "does": ["out me -> friend: 7 of native"],
    }


def test_native_currency_of_an_unknown_amount_is_not_clear() -> None:
    assert read(b"", to=FRIEND, value=None).clarity is Clarity.BLIND


def test_a_creation_is_blind_and_takes_what_is_sent_along() -> None:
    """Threat: T-036."""
    part = read(bytes.fromhex("6080"), to=None, value=3, kind=PartKind.CREATE)

    assert part.clarity is Clarity.BLIND
    assert described(part)["does"] == ["out me -> ?: 3 of native", "control create of me to ?"]


def test_a_creation_whose_code_begins_like_a_known_function_is_still_a_creation() -> None:
    part = read(transfer(), to=None, kind=PartKind.CREATE)

    assert (part.clarity, part.signature) == (Clarity.BLIND, None)


def test_what_nobody_knows_is_blind_and_shows_all_its_bytes() -> None:
    data = bytes.fromhex("12345678") + bytes(32)
    part = read(data)

    assert part.clarity is Clarity.BLIND
    assert part.oddities == (Oddity(code="calldata.unknown", facts=(("selector", "0x12345678"), ("bytes", 36))),)
    assert part.shown == (Shown(path="#", label="Data", kind=ShownKind.BYTES, raw=data),)
    assert part.consequences == ()


@pytest.mark.parametrize("data", [b"\xa9", b"\xa9\x05\x9c"], ids=bytes.hex)
def test_bytes_too_short_for_a_selector_are_blind(data: bytes) -> None:
    part = read(data)

    assert part.clarity is Clarity.BLIND
    assert part.oddities == (Oddity(code="calldata.unknown", facts=(("bytes", len(data)),)),)


def test_what_is_sent_along_to_a_function_that_takes_nothing_is_odd_and_shown() -> None:
    part = read(transfer(), value=9)

    assert part.oddities == (Oddity(code="value.unexpected", facts=(("wei", 9),)),)
    assert part.shown[0].path == "@.value"
    assert described(part)["does"][0] == "out me -> USDC: 9 of native"
    assert read(transfer()).oddities == ()


def test_a_path_given_from_outside_is_that_of_all_within() -> None:
    part = read(multicall(transfer(), multicall(transfer())), path="3")

    assert [each.path for each in part.walk()] == ["3", "3.0", "3.1", "3.1.0"]


def test_without_knowledge_an_approval_may_be_of_one_token_of_a_collection() -> None:
    honest = read(approve())
    unsure = read(approve(), knows=Nothing())

    assert (honest.clarity, unsure.clarity) == (Clarity.CLEAR, Clarity.DECODED)
    assert unsure.shown[1].label == "Amount or token id"
    assert unsure.consequences == honest.consequences


class Shouting:
    """Somebody else's decoder: knows one function, and claims to know another that we know."""

    def read(self, call: Call, /) -> Part | None:
        if call.data[:4] not in {bytes.fromhex("12345678"), transfer()[:4]}:
            return None
        return Part(
            path=call.path, kind=call.kind, chain=call.chain, target=call.target, sender=call.sender, value=call.value,
            data=call.data, clarity=Clarity.CLEAR, title="Shout",
        )  # fmt: skip


def test_other_decoders_are_asked_at_any_depth_about_what_we_do_not_know() -> None:
    data = multicall(bytes.fromhex("12345678"), transfer())
    part = read(data, others=(Shouting(),))

    assert [each.title for each in part.parts] == ["Shout", "Send tokens"]
    assert part.clarity is Clarity.CLEAR
    assert read(data).clarity is Clarity.PARTIAL


# ---------------------------------------------------------------------------------------- written in no honest way


def word(value: int) -> bytes:
    return value.to_bytes(32)


SELECTOR = transfer()[:4]
DISHONEST = {
    "dirty padding": SELECTOR + b"\1" + transfer()[5:],
    "truncated": transfer()[:-1],
    "an argument missing": transfer()[:-32],
    "overlapping tails": multicall()[:4] + word(32) + word(2) + word(64) + word(64) + word(0),
    "a gap before the tail": multicall()[:4] + word(64) + word(0) + word(0),
    "tails in another order": (multicall()[:4] + word(32) + word(2) + word(96) + word(64) + word(0) + word(0)),
    "a bool that is neither": calldata("setApprovalForAll(address operator,bool approved)", STRANGER, True)[:-1]
    + b"\2",
    "bytes whose padding is not zero": multicall(b"\1")[:-1] + b"\1",
}


@pytest.mark.parametrize("data", DISHONEST.values(), ids=DISHONEST.keys())
def test_calldata_that_is_not_canonical_is_not_read(data: bytes) -> None:
    """Threat: T-020. A contract may read it in another way than we do."""
    part = read(data)

    assert part.clarity is Clarity.BLIND
    assert part.oddities[0].code == "calldata.malformed"
    assert part.shown == (Shown(path="#", label="Data", kind=ShownKind.BYTES, raw=data),)


def test_a_tag_after_the_arguments_is_named_and_the_call_is_read() -> None:
    tag = bytes(range(40))
    part = read(transfer() + tag)

    assert part.clarity is Clarity.CLEAR
    assert part.oddities == (Oddity(code="calldata.trailing", facts=(("bytes", 40), ("hex", f"0x{tag[:32].hex()}"))),)
    assert part.shown[-1].raw == tag


@given(st.sampled_from(SELECTORS), st.binary(max_size=700))
def test_random_bytes_after_a_known_selector_are_a_part_that_says_so(selector: bytes, data: bytes) -> None:
    part = read(selector + data, value=1)

    assert part.data == selector + data
    if part.clarity is Clarity.BLIND:
        assert part.oddities


@given(st.binary(max_size=300), st.sampled_from(list(PartKind)), st.none() | st.integers(0, 2**256 - 1))
def test_random_bytes_raise_nothing(data: bytes, kind: PartKind, value: int | None) -> None:
    for target, sender in ((USDC, ME), (None, None), (WHO["UNIVERSAL"], None)):
        assert read(data, to=target, sender=sender, value=value, kind=kind).data == data


words = st.sampled_from([0, 1, 2, 32, 64, 96, 128, 160, 5, 10**6, 2**255, UNLIMITED]).map(word) | st.binary(
    min_size=32, max_size=32
)


@given(st.sampled_from(SELECTORS), st.lists(words, max_size=24).map(b"".join), st.sampled_from(sorted(WHO)))
def test_words_that_may_be_offsets_raise_nothing(selector: bytes, data: bytes, name: str) -> None:
    part = read(selector + data, to=WHO[name])

    assert part.data == selector + data


def test_an_unknown_caller_owns_what_the_call_moves() -> None:
    """The owner is not known, and is not made up."""
    part = read(approve(), sender=None)

    (allowed,) = part.consequences
    assert (allowed.direction, allowed.owner, allowed.unlimited) == (Direction.ALLOW, None, True)


def test_an_approval_of_a_contract_that_nobody_names_is_of_no_asset() -> None:
    (allowed,) = read(approve(), to=None).consequences

    assert (allowed.asset, allowed.unlimited) == (None, True)


def test_a_chain_is_part_of_every_asset() -> None:
    part = read(approve(), chain=type(CHAIN)(10), budget=Budget.default())

    (allowed,) = part.consequences
    assert allowed.asset is not None
    assert (allowed.asset.chain.number, allowed.asset.kind) == (10, AssetKind.ERC20)
