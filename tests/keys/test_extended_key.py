"""An extended key is read when BIP-32 says that it is one, and not otherwise. Threat: T-063, T-076."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.keys import bip32, curve
from mcp_wallet_guard.keys.extended_key import check_extended_key, read_private
from mcp_wallet_guard.secret import Secret

VECTORS = Path(__file__).parent.parent / "vectors" / "keys"
VALID = json.loads((VECTORS / "bip32.json").read_text())["valid"]
INVALID = json.loads((VECTORS / "bip32_invalid.json").read_text())["cases"]
XPUB = "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265TMg7usUDFdp6W1EGMcet8"
SHARED = Path(__file__).parents[2].parent / "shared" / "vectors" / "keys" / "bip32.json"


def step(part: str) -> int:
    return int(part.rstrip("'H")) + (bip32.HARDENED if part[-1] in "'H" else 0)


def refused(text: Any) -> str:
    with pytest.raises(InvalidInput) as caught:
        check_extended_key(text)
    with pytest.raises(InvalidInput):
        read_private(text)
    assert caught.value.code == "invalid_input.extended_key"
    assert caught.value.__context__ is None
    return caught.value.detail


@pytest.mark.parametrize("case", VALID, ids=lambda case: str(case["seed"][:8]))
def test_each_level_of_a_chain_leads_to_the_next(case: dict[str, Any]) -> None:
    keys = [(chain["path"], read_private(chain["xprv"])) for chain in case["chains"]]
    seed = Secret(bytes.fromhex(case["seed"]))
    for depth, (path, key) in enumerate(keys):
        assert key.depth == depth
        assert key.key.equals(bip32.derive(seed, tuple(map(step, path.split("/")[1:])), curve=curve.OpenSsl()))
    for (_, parent), (path, key) in pairwise(keys):
        last = step(path.rsplit("/", 1)[1])
        assert key.child == last
        for own in (curve.OpenSsl(), curve.LibSecp256k1()):
            with key.key.reveal() as view:
                assert bip32.derive_below(parent, (last,), curve=own).equals(bytes(view))
            assert len(parent.key) == 32


@pytest.mark.parametrize("case", INVALID, ids=lambda case: str(case["reason"])[:40])
def test_what_test_vector_5_lists_is_refused(case: dict[str, str]) -> None:
    assert case["key"] not in refused(case["key"])


def test_a_public_key_is_valid_and_no_private_one() -> None:
    check_extended_key(XPUB)
    with pytest.raises(InvalidInput) as caught:
        read_private(XPUB)
    assert "not an extended private key" in caught.value.detail


@pytest.mark.skipif(not SHARED.exists(), reason="the collection of public vectors is not here")
def test_every_published_public_key_is_valid() -> None:
    for case in json.loads(SHARED.read_text())["valid"]:
        for chain in case["chains"]:
            check_extended_key(chain["xpub"])


XPRV = VALID[0]["chains"][0]["xprv"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        XPRV[:-1],
        XPRV + "1",
        XPRV.replace("x", "0", 1),
        XPRV + "\n",
        " " + XPRV,
        XPRV.encode(),
    ],
)
def test_what_is_no_base58_of_82_bytes_is_refused(text: Any) -> None:
    assert refused(text) == "an extended key is 111 characters of base58"


@pytest.mark.parametrize("text", ["z" * 111, "1" * 111, "1" + XPRV[:-1]])
def test_other_base58_of_the_same_length_is_refused(text: str) -> None:
    assert refused(text) == "the checksum is wrong"


@pytest.mark.parametrize("place", [4, 30, 60, 90, 110])
def test_an_edited_character_is_noticed(place: int) -> None:
    other = "A" if XPRV[place] != "A" else "B"
    assert refused(XPRV[:place] + other + XPRV[place + 1 :])


def test_a_child_that_is_no_key_is_not_passed_over() -> None:
    """BIP-32 calls such a child invalid, a chance below 2^-127: a curve that never adds stands for it."""

    class Never:
        public_key = curve.OpenSsl.public_key

        def add(self, secret: Secret, tweak: Secret, /) -> Secret:
            raise ValueError("the scalar is out of range")

    with pytest.raises(ValueError, match="out of range"):
        bip32.derive_below(read_private(XPRV), (0,), curve=Never())


def test_what_was_read_can_be_wiped_and_does_not_show() -> None:
    key = read_private(XPRV)
    assert "<Secret>" in repr(key)
    key.wipe()
    with pytest.raises(ValueError, match="wiped"):
        key.key.reveal().__enter__()
