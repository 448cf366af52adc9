"""A secret in a large body of chain data is found as in a small one, and the body alone passes.

Threat: T-061, T-062.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_wallet_guard.errors import Tampered
from mcp_wallet_guard.filters.candidates import TooMuchWork, holds_secret
from mcp_wallet_guard.filters.gathering import gather
from mcp_wallet_guard.filters.outbound import check_released
from tests.filters import honest
from tests.filters.encodings import ENCODINGS
from tests.filters.test_outbound import PHRASE, PRINTS, SECRETS, places

SOURCE = random.Random(64)
LARGE: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "result": [honest.receipt(SOURCE) for _ in range(40)]}
SMALL = {**LARGE, "result": LARGE["result"][:4]}
"""Large enough to be read in parts, and a search of its whole text takes little time."""
PHRASES: dict[str, Callable[[list[str]], object]] = {
    "words": " ".join,
    "list": list,
    "objects": lambda words: [{"index": i, "word": w} for i, w in enumerate(words)],
    "in one": "".join,
    "places": places,
    "places in objects": lambda words: [{"position": i, "index": place} for i, place in enumerate(places(words), 1)],
    "as names": lambda words: dict.fromkeys(words, True),
    "as names of objects": lambda words: [{word: True} for word in words],
}


def in_pieces(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def planted(payload: object, at: int, body: dict[str, Any] = SMALL) -> Any:
    """The body with something more in it, somewhere."""
    body = copy.deepcopy(body)
    rows = body["result"]
    place = at % len(rows)
    if at % 3 == 0:
        rows.insert(place, payload)
    elif at % 3 == 1:
        rows[place]["logs"] = payload
    else:
        rows[place] = {"before": rows[place]["transactionHash"], "x": payload, "after": rows[place]["root"]}
    return body


def is_found(payload: object) -> bool:
    """Whether it is blocked. What is not blocked, a search of the whole text in every encoding does not find either."""
    found = blocked(payload) == "withheld: a secret of the vault"
    assert found or not plainly_found(payload)
    return found


def blocked(payload: object) -> str | None:
    try:
        released = check_released(payload, fingerprints=PRINTS)
    except Tampered as caught:
        return caught.detail
    assert released.payload == payload
    return None


def plainly_found(payload: object) -> bool:
    try:
        return holds_secret(gather(payload)[1].text, fingerprints=PRINTS)
    except TooMuchWork:
        return False  # of escapes in so large a text; it saw nothing


def test_a_body_of_chain_data_alone_passes() -> None:
    assert len(json.dumps(LARGE)) > 1 << 16
    assert not is_found(LARGE)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_secret_in_a_large_body_is_blocked_in_every_encoding(encoding: str) -> None:
    """T-061: in a leaf, with text around it, under a name, and over leaves in every size of pieces."""
    form = ENCODINGS[encoding](SECRETS[0])
    text = form if isinstance(form, str) else json.dumps(form)
    for at, each in enumerate((form, f"a {text} b", {text: 1})):
        assert is_found(planted(each, 5 * at + len(encoding), LARGE)), at
    is_found(planted(in_pieces(text, 1 + len(encoding) % 20), len(text)))
    is_found(planted([{piece: True} for piece in in_pieces(text, 5)], len(text)))


@pytest.mark.parametrize("layout", PHRASES)
def test_a_phrase_in_a_large_body_is_blocked_in_every_layout(layout: str) -> None:
    for at in range(3):
        assert is_found(planted(PHRASES[layout](PHRASE.split()), at, LARGE))


@pytest.mark.parametrize("before", ["", "0", "00000000", "abc", "9" * 31, "0" * 23, "0" * 24, "f" * 200, "0" * 601])
@pytest.mark.parametrize("after", ["", "0" * 40, "d"])
def test_a_secret_inside_a_leaf_of_hex_is_blocked_at_every_alignment(before: str, after: str) -> None:
    """T-061: as words of a call, shifted by half a byte, backwards, with zeros around it."""
    for secret in (SECRETS[0], bytes(1) + SECRETS[0][1:16] + bytes(16)):
        for digits in (secret.hex(), secret.hex().upper(), secret[::-1].hex(), secret.hex().encode().hex()):
            for prefix in ("0x", ""):
                found = blocked(planted(prefix + before + digits + after, len(before), LARGE))
                assert (found is not None) is (secret in SECRETS)


@pytest.mark.parametrize("size", [4, 9, 24, 40])
def test_a_secret_that_hex_leaves_hold_together_is_blocked(size: int) -> None:
    for form in (SECRETS[1].hex(), str(int.from_bytes(SECRETS[1], "big"))):
        pieces = in_pieces(form, size)
        for each in (pieces, ["0x" + piece for piece in pieces], {f"part{n}": p for n, p in enumerate(pieces)}):
            assert is_found(planted(["0x" + "5a" * 32 + "a", each, "0xa" + "5a" * 32], size))
            is_found(planted(each, size))


def test_a_decimal_number_in_hex_is_blocked_and_its_twin_passes() -> None:
    number = int.from_bytes(SECRETS[2], "big")
    for text in (str(number), f"0x{number}", f"0xabc{number}", f"0xabc{number}def", str(number)[::-1]):
        assert is_found(planted([text, "0x" + "0" * 64], 3))
        twin = text.replace("3", "4")
        assert not is_found(planted([twin, "0x" + "0" * 64], 3))


def test_a_piece_that_looks_like_hex_beside_hex_is_not_lost() -> None:
    """T-061: the end of a hash and the beginning of a base64 text, which may be letters up to f alone."""
    tail = "0x" + SOURCE.randbytes(400).hex()
    for secret in SECRETS:
        for form in ("base64 no padding", "base58", "base32", "bech32"):
            text = str(ENCODINGS[form](secret))
            for cut in (1, 5):
                shown = [tail, text[:cut], text[cut:], tail]
                is_found(planted(shown, cut))
                is_found(planted([tail, *text[:cut], text[cut:], tail], cut))


def test_names_are_searched_in_the_order_in_which_they_stand() -> None:
    pieces = in_pieces(SECRETS[0].hex(), 8)
    nested: dict[str, Any] = {}
    for piece in reversed(pieces):
        nested = {piece: nested}
    twice = [dict.fromkeys(pieces), dict.fromkeys(pieces)]
    letters = [{digit: None} for digit in SECRETS[0].hex()]
    every: list[Any] = [nested, twice, letters]
    is_found(planted({**dict.fromkeys(pieces[:4]), "x": {}, **dict.fromkeys(pieces[4:])}, 1))
    for names in every:
        assert is_found(planted(names, 1))
    assert not is_found(planted([dict.fromkeys(reversed(pieces))], 1))


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(sorted(ENCODINGS)), st.sampled_from(SECRETS), st.integers(0, 95), st.integers(1, 50),
    st.text("0123456789abcdefgxz", max_size=90), st.text("0123456789abcdefgxz", max_size=90), st.booleans(),
)  # fmt: skip
def test_what_a_search_of_everything_finds_is_found(
    encoding: str, secret: bytes, at: int, size: int, before: str, after: str, prefixed: bool
) -> None:
    form = ENCODINGS[encoding](secret)
    text = form if isinstance(form, str) else json.dumps(form)
    pieces = in_pieces(before + text + after, size)
    each = [f"0x{piece}" for piece in pieces] if prefixed else pieces
    is_found(planted(each, at))
