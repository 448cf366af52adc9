"""scrypt is right, never cheap without a waiver, never ruinous.

Threat: T-067, T-068.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from mcp_wallet_guard.errors import Misconfigured
from mcp_wallet_guard.keys import kdf
from mcp_wallet_guard.keys.kdf import DEFAULT, KdfProfile, cheap_profile
from mcp_wallet_guard.secret import Secret
from tests.keys.vaults import PROFILE, WAIVER

OURS = Path(__file__).parent.parent / "vectors" / "keys" / "scrypt_rfc7914.json"
SHARED = Path(__file__).parents[2].parent / "shared" / "vectors" / "keys" / "rfc7914_scrypt.json"


def vectors() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(OURS.read_text())["vectors"]
    if SHARED.exists():
        found += json.loads(SHARED.read_text())
    return [vector for vector in found if vector["n"] <= 2**14]


@pytest.mark.parametrize("vector", vectors())
def test_the_library_gives_the_vectors_of_rfc_7914(vector: dict[str, Any]) -> None:
    out = bytearray(64)
    derivation = Scrypt(vector["salt"].encode(), 64, vector["n"], vector["r"], vector["p"])
    derivation.derive_into(vector["password"].encode(), out)
    assert out.hex() == vector["hex"]


def test_derive_gives_the_first_half_of_an_rfc_7914_vector() -> None:
    (vector,) = [vector for vector in vectors()[:3] if vector["n"] == 2**14]
    profile = KdfProfile(n=2**14, r=8, p=1, waiver=WAIVER)
    key = kdf.derive(Secret(vector["password"].encode()), salt=vector["salt"].encode(), profile=profile)
    assert key.equals(bytes.fromhex(vector["hex"])[:32])


def test_the_default_is_at_the_cost_that_is_promised() -> None:
    assert (DEFAULT.n, DEFAULT.r, DEFAULT.p) == (2**18, 8, 1)


@pytest.mark.parametrize("cost", [(2**16, 8, 1), (2**16, 8, 16), (2**17, 4, 4), (2, 8, 1)])
def test_a_cost_below_the_floor_needs_a_waiver(cost: tuple[int, int, int]) -> None:
    with pytest.raises(Misconfigured):
        KdfProfile(*cost)
    assert KdfProfile(*cost, waiver=WAIVER).n == cost[0]


@pytest.mark.parametrize("cost", [(2**17, 8, 1), (2**18, 8, 1), (2**20, 8, 1), (2**20, 8, 2)])
def test_a_cost_between_floor_and_ceiling_needs_none(cost: tuple[int, int, int]) -> None:
    assert KdfProfile(*cost).n == cost[0]


@pytest.mark.parametrize(
    "cost",
    [
        (2**21, 8, 1),
        (2**30, 8, 1),
        (2**20, 9, 1),
        (2**18, 2**20, 1),
        (2**18, 8, 2**20),
        (2**20, 8, 3),
        (2**17 + 1, 8, 1),
        (1, 8, 1),
        (0, 8, 1),
        (-(2**18), 8, 1),
        (2**18, 0, 1),
        (2**18, 8, 0),
        (2**16, 1, 1),
        (True, 8, 1),
        (2.0**18, 8, 1),
    ],
)
def test_a_ruinous_or_malformed_cost_is_refused_even_with_a_waiver(cost: tuple[int, int, int]) -> None:
    with pytest.raises(Misconfigured):
        KdfProfile(*cost, waiver=WAIVER)


def test_a_look_alike_of_a_waiver_waives_nothing() -> None:
    with pytest.raises(Misconfigured):
        KdfProfile(2**10, 8, 1, waiver=object())  # type: ignore[arg-type]


def test_each_derivation_is_counted() -> None:
    before = kdf.derivations()
    kdf.derive(Secret(b"passphrase"), salt=bytes(32), profile=PROFILE)
    kdf.derive(Secret(b"passphrase"), salt=bytes(32), profile=cheap_profile(WAIVER))
    assert kdf.derivations() == before + 2
