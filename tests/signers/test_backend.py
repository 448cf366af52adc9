"""Two libraries sign and recover alike, and pure Python never touches a key."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from eth_keys.backends.coincurve import CoinCurveECCBackend
from eth_keys.main import KeyAPI
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_wallet_guard.secp256k1 import ORDER
from mcp_wallet_guard.secret import Secret
from mcp_wallet_guard.signers.backend import (
    FIELD,
    Backend,
    LibSecp256k1,
    OpenSsl,
    load_backend,
    public_key_to_address,
)

ROOT = Path(__file__).parents[2]
BACKENDS: list[Backend] = [LibSecp256k1(), OpenSsl()]
keys = st.integers(1, ORDER - 1).map(lambda number: number.to_bytes(32, "big"))
digests = st.binary(min_size=32, max_size=32)


@settings(max_examples=30, deadline=None)
@given(keys, digests)
def test_both_libraries_make_the_same_signature_and_find_its_maker(key: bytes, digest: bytes) -> None:
    first, second = (backend.sign(Secret(key), digest) for backend in BACKENDS)
    assert first == second
    assert len(first) == 65
    assert int.from_bytes(first[32:64], "big") <= ORDER // 2
    api = KeyAPI(CoinCurveECCBackend())
    public = b"\x04" + api.PrivateKey(key).public_key.to_bytes()
    assert [backend.recover(digest, first) for backend in BACKENDS] == [public, public]


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=64, max_size=64), st.integers(0, 1), digests)
def test_both_libraries_agree_on_any_bytes_as_a_signature(compact: bytes, parity: int, digest: bytes) -> None:
    answers: list[bytes | None] = []
    for backend in BACKENDS:
        try:
            answers.append(backend.recover(digest, compact + bytes([parity])))
        except ValueError:
            answers.append(None)
    assert answers[0] == answers[1]


def number(value: int) -> bytes:
    return value.to_bytes(32, "big")


GENERATOR_X = 0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "signature",
    [
        b"",
        bytes(65),
        number(0) + number(1) + b"\x00",
        number(1) + number(0) + b"\x00",
        number(ORDER) + number(1) + b"\x00",
        number(1) + number(ORDER) + b"\x00",
        number(5) + number(1) + b"\x00",
        number(1) + number(1) + b"\x02",
        number(1) + number(1) + b"\x1b",
        number(1) + number(1),
        number(1) + number(1) + b"\x00\x00",
        number(FIELD - 1) + number(1) + b"\x00",
        bytearray(number(1) + number(1) + b"\x00"),
    ],
)
def test_what_is_no_signature_has_no_maker(backend: Backend, signature: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        backend.recover(bytes(32), signature)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_signature_whose_maker_is_the_point_at_infinity_has_none(backend: Backend) -> None:
    """With R = G, s = z: the key would be (s*k - z)/r = 0."""
    digest = number(7)
    with pytest.raises(ValueError, match=r".+"):
        backend.recover(digest, number(GENERATOR_X) + number(7) + b"\x00")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("key", [bytes(32), number(ORDER), b"\xff" * 32])
def test_a_number_that_is_no_key_signs_nothing(backend: Backend, key: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        backend.sign(Secret(key), bytes(32))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_wiped_key_signs_nothing(backend: Backend) -> None:
    key = Secret(number(5))
    key.wipe()
    with pytest.raises(ValueError, match="wiped"):
        backend.sign(key, bytes(32))


def test_a_key_can_be_wiped_right_after_use() -> None:
    """No library keeps a hold on the buffer."""
    for backend in BACKENDS:
        key = Secret(number(5))
        buffer = key._buffer
        backend.sign(key, bytes(32))
        key.wipe()
        assert bytes(buffer) == bytes(32)


def test_libsecp256k1_is_preferred() -> None:
    assert isinstance(load_backend(), LibSecp256k1)


def test_without_libsecp256k1_openssl_signs_and_derives() -> None:
    program = (
        "import sys; sys.modules['coincurve'] = None\n"
        "from mcp_wallet_guard.keys import curve\n"
        "from mcp_wallet_guard.signers.backend import load_backend\n"
        "print(type(load_backend()).__name__, type(curve.installed()[0]).__name__, 'eth_keys' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    assert done.stdout.split() == ["OpenSsl", "OpenSsl", "False"]


def test_the_address_of_a_public_key_is_the_published_one() -> None:
    key = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
    public = BACKENDS[0].recover(bytes(32), BACKENDS[0].sign(Secret(key), bytes(32)))
    assert public_key_to_address(public).value == "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    for other in (public[1:], b"\x02" + public[1:33], b"\x06" + public[1:], b""):
        with pytest.raises(ValueError, match="uncompressed"):
            public_key_to_address(other)
