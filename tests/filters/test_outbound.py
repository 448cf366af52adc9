"""What leaves holds no secret of the vault, and ordinary chain data passes."""

from __future__ import annotations

import gc
import json
import random
import time
from collections.abc import Callable

import pytest
from pydantic import BaseModel

from mcp_wallet_guard.bip39 import word_list, words_for
from mcp_wallet_guard.errors import InvalidInput, Tampered
from mcp_wallet_guard.filters import fingerprints as fp
from mcp_wallet_guard.filters.inbound import check_arguments
from mcp_wallet_guard.filters.outbound import check_released, is_clean
from tests.filters.encodings import ENCODINGS

KEY = bytes(range(32))
RANDOM = random.Random(20261121)
SECRETS = [RANDOM.randbytes(32) for _ in range(3)]
PHRASE = " ".join(words_for(RANDOM.randbytes(32), language="english"))
PRINTS = fp.build([*SECRETS, RANDOM.randbytes(64), RANDOM.randbytes(20), PHRASE.encode()], key=KEY)


def places(words: list[str]) -> list[int]:
    """Where the words stand in their list, counted from 0."""
    listed = word_list("english")
    return [listed.index(word) for word in words]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_planted_secret_is_blocked_in_every_encoding(encoding: str) -> None:
    """T-061."""
    for secret in SECRETS:
        planted = ENCODINGS[encoding](secret)
        for payload in (planted, {"note": "all well", "deep": [{"x": planted}]}, ["0x" + "ab" * 32, planted]):
            with pytest.raises(Tampered) as caught:
                check_released(payload, fingerprints=PRINTS)
            assert caught.value.code == "tampered.result"
            assert secret.hex() not in caught.value.detail


@pytest.mark.parametrize(
    "layout",
    [
        " ".join,
        lambda words: " ".join(words).upper(),
        lambda words: "\n".join(f"{i}. {w}" for i, w in enumerate(words, 1)),
        lambda words: "".join(w.capitalize() for w in words),
        "".join,
        list,
        lambda words: [{"index": i, "word": w} for i, w in enumerate(words)],
        lambda words: " ".join(f"word {i} is {w}," for i, w in enumerate(words)),
        lambda words: "<li>" + "</li><li>".join(words) + "</li>",
        lambda words: " ".join(w[:4] for w in words),
        lambda words: " ".join(reversed(words)),
        lambda words: " ".join(words[5:13]),
        lambda words: " ".join(words).encode().hex(),
        "\u3000".join,
        lambda words: json.dumps(json.dumps(words)),
        places,
        lambda words: [place + 1 for place in places(words)],
        lambda words: ", ".join(str(place) for place in places(words)),
        lambda words: {str(i): place for i, place in enumerate(places(words))},
        lambda words: [{"position": i, "index": place} for i, place in enumerate(places(words), 1)],
        lambda words: places(words)[::-1],
        lambda words: json.dumps(json.dumps(places(words[4:13]))),
    ],
)
def test_a_recovery_phrase_is_blocked_in_every_layout(layout: object) -> None:
    """T-061."""
    assert callable(layout)
    with pytest.raises(Tampered):
        check_released({"text": layout(PHRASE.split())}, fingerprints=PRINTS)


def test_ordinary_chain_data_passes() -> None:
    """T-062: ten thousand hashes, addresses and receipts, and what passes is an equal copy."""
    source = random.Random(7)
    for _ in range(50):
        receipts = [_receipt(source) for _ in range(200)]
        assert check_released(receipts, fingerprints=PRINTS).payload == receipts


def _receipt(source: random.Random) -> dict[str, object]:
    return {
        "transactionHash": "0x" + source.randbytes(32).hex(),
        "from": "0x" + source.randbytes(20).hex(),
        "to": "0x" + source.randbytes(20).hex(),
        "blockNumber": source.randrange(1 << 32),
        "value": str(source.randrange(1 << 90)),
        "logsBloom": "0x" + "00" * 256,
        "input": "0xa9059cbb" + source.randbytes(64).hex(),
        "status": True,
        "fee": 0.25,
    }


def test_ordinary_text_passes() -> None:
    words = PHRASE.split()
    prose = "Send the payment again if the network was down. " * 40 + " ".join(words[:7]) + " and others"
    assert check_released(prose, fingerprints=PRINTS).payload == prose


def test_ordinary_lists_of_small_numbers_pass() -> None:
    """T-062: they may be places in the word list, of other phrases and of none."""
    source = random.Random(11)
    for top in (255, 2047, 2048, 4000):
        numbers = [source.randrange(top + 1) for _ in range(300)]
        assert check_released(numbers, fingerprints=PRINTS).payload == numbers
    other = [place + 2 for place in places(PHRASE.split())]
    assert check_released(other, fingerprints=PRINTS).payload == other


def test_an_escape_that_was_escaped_forty_times_is_undone() -> None:
    """T-061."""
    with pytest.raises(Tampered):
        check_released("".join("%" + "25" * 40 + f"{byte:02x}" for byte in SECRETS[0]), fingerprints=PRINTS)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("noise", ["0" * 600, "\n" * 50, "5c" * 99, "0, " * 40, "\\u0000" * 30])
def test_a_secret_beside_much_repetition_is_blocked(encoding: str, noise: str) -> None:
    """T-061: only what repeats itself is left out."""
    planted = ENCODINGS[encoding](SECRETS[1])
    for payload in ([noise, planted, noise], {"a": noise + json.dumps(planted)}):
        with pytest.raises(Tampered):
            check_released(payload, fingerprints=PRINTS)


@pytest.mark.parametrize("byte", ["00", "22", "25", "5c", "61", "ff"])
def test_a_monotonous_hash_in_a_traceback_passes(byte: str) -> None:
    """T-062: its bytes may read as text, even as escapes, and that is no reason to give up."""
    twin = "0x" + byte * 32
    lines = "".join(f'  File "server.py", line {n}, in call\n    raise ToolError(self.text)\n' for n in range(12))
    assert is_clean(f"{lines}ToolError: {twin}\n\n{twin}\n('{twin}',)\n{twin}\n('{twin}',)\n", fingerprints=PRINTS)


def test_models_are_released_as_json() -> None:
    class Balance(BaseModel):
        wei: str

    assert check_released(Balance(wei="12"), fingerprints=PRINTS).payload == {"wei": "12"}


def test_the_released_copy_does_not_change_with_the_original() -> None:
    payload = {"a": ["b"]}
    released = check_released(payload, fingerprints=PRINTS)
    payload["a"].append(SECRETS[0].hex())
    assert released.payload == {"a": ["b"]}


@pytest.mark.parametrize("payload", [object(), {1: 2}, float("nan"), {"a": b"raw"}, {"a": {1, 2}}])
def test_what_is_not_json_is_blocked(payload: object) -> None:
    with pytest.raises(Tampered):
        check_released(payload, fingerprints=PRINTS)


def test_deep_nesting_and_endless_escaping_are_blocked() -> None:
    deep: object = "x"
    for _ in range(100):
        deep = [deep]
    layered = "%41"
    for n in (3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4, 6, 2, 6, 4, 3, 3, 8, 3, 2, 7):
        first = ord(layered[0])
        layered = (f"%{first:02x}" if n % 2 else f"&#{first};") + layered[1:]
    for payload in (deep, layered):
        with pytest.raises(Tampered):
            check_released(payload, fingerprints=PRINTS)


def test_a_failing_detector_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> bool:
        raise RuntimeError(SECRETS[0].hex())

    monkeypatch.setattr("mcp_wallet_guard.filters.outbound.holds_secret", fails)
    with pytest.raises(Tampered) as caught:
        check_released("text", fingerprints=PRINTS)
    assert SECRETS[0].hex() not in caught.value.detail
    assert not is_clean("text", fingerprints=PRINTS)


SHORTEST = 50e-6
"""Seconds: below this a clock and a processor's caches are most of what is measured."""


def growth(make: Callable[[int], str], *, fingerprints: fp.FingerprintSet = PRINTS) -> float:
    """How many times the work grows when the text grows eightfold: 8 when it is linear, 64 when it is quadratic."""

    def cost(text: str) -> float:
        start = time.thread_time()
        is_clean(text, fingerprints=fingerprints)
        return time.thread_time() - start

    small, large = make(8_000), make(64_000)
    cost(small)  # word lists and patterns are made once
    gc.collect()
    gc.disable()  # what other tests left behind is not this text's work
    try:
        # The shortest of several: whatever else runs here only ever adds to one.
        return min(cost(large) for _ in range(3)) / max(min(cost(small) for _ in range(6)), SHORTEST)
    finally:
        gc.enable()


def test_the_work_is_linear() -> None:
    noise = random.Random(3).randbytes(100_000).hex()
    assert growth(lambda size: noise[:size] + " plain words, and more of them.") < 30


@pytest.mark.parametrize("piece", ["a", "1,", "999, ", "0x", "1", "A2", "qp", "\\", "é", "'\\\"", "abandon "])
def test_monotonous_text_is_searched_in_linear_time(piece: str) -> None:
    assert growth(lambda size: piece * (size // len(piece))) < 30


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_set_without_marks_finds_the_same(encoding: str) -> None:
    bare = fp.FingerprintSet(PRINTS.key, PRINTS.digests, PRINTS.lengths)
    for payload in (ENCODINGS[encoding](SECRETS[0]), PHRASE):
        with pytest.raises(Tampered):
            check_released(payload, fingerprints=bare)
    noise = RANDOM.randbytes(300).hex()
    assert check_released(noise, fingerprints=bare).payload == noise


def test_a_phrase_alone_is_recognised() -> None:
    only = fp.build([PHRASE.encode()], key=KEY)
    for payload in (PHRASE, PHRASE.encode().hex()):
        with pytest.raises(Tampered):
            check_released(payload, fingerprints=only)


def test_an_empty_set_blocks_nothing() -> None:
    assert check_released(SECRETS[0].hex(), fingerprints=fp.FingerprintSet()).payload == SECRETS[0].hex()


def test_a_set_survives_json_and_strangers_do_not() -> None:
    data = json.loads(json.dumps(fp.to_json(PRINTS)))
    assert fp.from_json(data) == PRINTS
    assert fp.from_json(fp.to_json(fp.FingerprintSet())) == fp.FingerprintSet()
    text = json.dumps(data)
    assert not any(form in text for secret in SECRETS for form in (secret.hex(), secret.hex()[:16]))
    strangers: list[object] = [
        {**data, "more": 1}, {**data, "key": ""}, {**data, "lengths": [], "digests": []}, {**data, "marks": [1 << 16]},
        {**data, "digests": ["zz" * 16]}, {**data, "v": 2}, {k: v for k, v in data.items() if k != "marks"}, [], None,
    ]  # fmt: skip
    for broken in strangers:
        with pytest.raises(InvalidInput):
            fp.from_json(broken)


@pytest.mark.parametrize("secret", [b"123456", b"x" * 15, b"x" * 1025])
def test_guessable_secrets_are_not_fingerprinted(secret: bytes) -> None:
    with pytest.raises(InvalidInput):
        fp.build([secret], key=KEY)


def test_a_secret_in_an_argument_is_refused_and_not_repeated() -> None:
    with pytest.raises(InvalidInput) as caught:
        check_arguments({"memo": "key " + SECRETS[1].hex()}, fingerprints=PRINTS)
    assert caught.value.code == "invalid_input.secret"
    assert SECRETS[1].hex() not in repr(caught.value) + str(caught.value) + caught.value.detail


@pytest.mark.parametrize("arguments", [{"a": "x" * 200_000}, {"a": [0] * 9000}, {"a": 1 << 500_000}])
def test_oversized_arguments_are_refused(arguments: object) -> None:
    """T-106."""
    with pytest.raises(InvalidInput) as caught:
        check_arguments(arguments, fingerprints=PRINTS)
    assert caught.value.code == "invalid_input.size"


def test_a_key_in_digits_beyond_the_first_plane_that_json_wrote_as_two_escapes_is_found() -> None:
    """Threat: T-061."""
    digits = str.maketrans("0123456789", "".join(chr(0x1D7CE + digit) for digit in range(10)))
    hidden = json.dumps(SECRETS[0].hex().translate(digits))
    assert "\\ud835" in hidden
    with pytest.raises(Tampered):
        check_released({"text": hidden}, fingerprints=PRINTS)
    honest = json.dumps(RANDOM.randbytes(32).hex().translate(digits))
    assert check_released({"text": honest}, fingerprints=PRINTS).payload == {"text": honest}
