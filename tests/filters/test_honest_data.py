"""The outbound filter does not destroy ordinary data. Threat: T-062."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_wallet_guard.bip39 import word_list
from mcp_wallet_guard.filters import fingerprints as fp
from mcp_wallet_guard.filters.outbound import check_released, is_clean
from tests.filters import honest

NONE = fp.FingerprintSet()
OWN = fp.build([bytes(range(32)), bytes(range(40, 72))], key=bytes(range(32)))


def passes(payload: Any, *, fingerprints: fp.FingerprintSet = NONE) -> None:
    assert check_released(payload, fingerprints=fingerprints).payload == payload


def test_ten_thousand_transaction_hashes_pass_under_any_honest_name_and_under_none() -> None:
    source = random.Random(1)
    hashes = [honest.hex_of(source, 32) for _ in range(10_000)]
    passes(hashes, fingerprints=OWN)
    passes({"transactions": hashes, "from": honest.address_of(source)})
    passes({"rows": [{"transactionHash": each, "to": honest.address_of(source)} for each in hashes[:2500]]})
    passes("\n".join(f"{each} mined" for each in hashes))
    for each in hashes[:1000]:
        passes({"result": each})
        assert is_clean(f"sent transaction {each}", fingerprints=NONE)


def test_ten_thousand_receipts_pass() -> None:
    source = random.Random(2)
    for _ in range(100):
        passes([honest.receipt(source) for _ in range(100)], fingerprints=OWN)


def test_ten_thousand_signatures_pass() -> None:
    source = random.Random(3)
    for _ in range(100):
        passes([{"address": honest.address_of(source), "r": honest.hex_of(source, 32), "s": honest.hex_of(source, 32),
                 "signature": honest.hex_of(source, 65)} for _ in range(100)], fingerprints=OWN)  # fmt: skip


@pytest.mark.parametrize("kind", honest.KINDS, ids=lambda kind: str(kind.__name__))
def test_what_a_node_answers_passes_as_structure_and_as_text(kind: Callable[[random.Random], Any]) -> None:
    source = random.Random(4)
    for _ in range(12):
        payload = kind(source)
        passes(honest.as_answer(payload))
        passes({"text": repr(payload)})
        assert is_clean(f"answer {payload!r}", fingerprints=NONE)
    passes(honest.as_answer(kind(source)), fingerprints=OWN)


@pytest.mark.parametrize("language", honest.PROSE)
def test_prose_about_wallets_passes(language: str) -> None:
    text = honest.PROSE[language]
    passes({"text": text * 20})
    passes({"text": text}, fingerprints=OWN)
    for line in text.splitlines():
        passes({"text": line})
        assert is_clean(line, fingerprints=NONE)


@pytest.mark.parametrize("oddity", honest.ODDITIES)
def test_what_only_resembles_a_secret_passes(oddity: str) -> None:
    passes({"x": honest.ODDITIES[oddity]})


@pytest.mark.slow
def test_every_module_of_this_library_passes_but_none_that_plants_secrets() -> None:
    """English that speaks of keys, phrases, seeds and secrets all the time."""
    import mcp_wallet_guard

    for path in sorted(__import__("pathlib").Path(mcp_wallet_guard.__file__).parent.rglob("*.py")):
        passes({"file": path.read_text("utf-8")})


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(word_list("english")), max_size=11), st.sampled_from([" ", ", ", "\n", "-"]))
def test_fewer_words_than_a_phrase_has_pass(words: list[str], separator: str) -> None:
    passes({"text": separator.join(words)})


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(min_size=20, max_size=20))
def test_a_value_of_32_bytes_beside_an_address_that_is_not_its_own_passes(value: bytes, address: bytes) -> None:
    passes({"x": value.hex(), "address": "0x" + address.hex()})


@settings(max_examples=100, deadline=None)
@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(max_size=12), below, max_size=4), max_leaves=20,
))  # fmt: skip
def test_any_json_of_ordinary_size_passes(payload: Any) -> None:
    passes(payload)
