"""Names of a registry on a real chain: only what holds in both directions is a name, and nothing that a resolver does
is more than no name. Threat: T-022, T-023, T-046."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import pytest

from mcp_wallet_guard.chains.ens import namehash
from mcp_wallet_guard.chains.web3 import Web3Chain
from mcp_wallet_guard.config.known_chains import ENS_REGISTRY
from mcp_wallet_guard.egress import Egress
from mcp_wallet_guard.evidence import NameClaim
from mcp_wallet_guard.operations.values import Address, keccak256
from mcp_wallet_guard.pinned_url import PinnedUrl
from mcp_wallet_guard.testing import names
from mcp_wallet_guard.testing.chain import SimulatedChain
from tests.chains.transfers import LIMITS, PAYEE, SENDER

pytestmark = pytest.mark.anyio
NAME: Final = "vitalik.eth"
REVERSE: Final = namehash(f"{PAYEE.value[2:].lower()}.addr.reverse")
OFFCHAIN: Final = keccak256(b"OffchainLookup(address,string[],bytes,bytes4,bytes)")[:4]


@dataclass
class Names:
    node: SimulatedChain
    chain: Web3Chain
    registry: Address

    async def claim(self) -> NameClaim | None:
        return await self.chain.name_claim(PAYEE)

    async def held(self) -> str | None:
        claim = await self.claim()
        return claim.name if claim is not None and claim.holds else None


@pytest.fixture
async def ens(node: SimulatedChain) -> AsyncIterator[Names]:
    registry = node.deploy_names()
    egress = Egress(timeout_seconds=2, max_response_bytes=1_000_000)
    chain = Web3Chain(
        chain_id=node.chain_id, node=PinnedUrl.parse(node.url), egress=egress, limits=LIMITS, names=registry
    )
    yield Names(node, chain, registry)
    await chain.aclose()


def honest(ens: Names, name: str = NAME) -> None:
    ens.node.claim_name(ens.registry, PAYEE, name)
    ens.node.own_name(ens.registry, name, PAYEE)


def test_nodes_of_names_are_those_of_the_standard() -> None:
    """Vectors of EIP-137."""
    assert namehash("eth").hex() == "93cdeb708b7545dc668eb9280176169d1c33cfd8ed6f04690a0bcc88a93fc4ae"
    assert namehash("foo.eth").hex() == "de9b09fd7c5f901e23a3f19fecc54828e9c848539801e86591bd9801b019f84f"


def test_the_registry_is_where_ens_is() -> None:
    assert ENS_REGISTRY.value == "0x00000000000C2E074eC69A0dFb2997BA6C7d2e1e"


@pytest.mark.parametrize("name", [NAME, "a.b.c.eth", "\u03be\u03b5\u03bd\u03bf\u03c2.eth", "_x.eth"])
async def test_a_name_that_holds_in_both_directions_is_one(ens: Names, name: str) -> None:
    honest(ens, name)
    assert await ens.claim() == NameClaim(address=PAYEE.value, name=name, normal=True, stands_for=PAYEE.value)
    assert await ens.held() == name


async def test_nobody_is_asked_without_a_registry(chain: Web3Chain, node: SimulatedChain) -> None:
    assert await chain.name_claim(PAYEE) is None
    assert node.asked["eth_call"] == 0


async def test_who_calls_himself_nothing_has_no_name(ens: Names) -> None:
    """Also where a name stands for him: whoever owns a name may point it at anybody."""
    ens.node.own_name(ens.registry, NAME, PAYEE)
    assert await ens.claim() is None


async def test_a_name_that_stands_for_another_is_claimed_and_does_not_hold(ens: Names) -> None:
    ens.node.claim_name(ens.registry, PAYEE, NAME)
    ens.node.own_name(ens.registry, NAME, SENDER)
    assert await ens.claim() == NameClaim(address=PAYEE.value, name=NAME, normal=True, stands_for=SENDER.value)
    assert await ens.held() is None


async def test_a_name_that_stands_for_nobody_does_not_hold(ens: Names) -> None:
    ens.node.claim_name(ens.registry, PAYEE, NAME)
    claim = await ens.claim()
    assert claim is not None
    assert (claim.stands_for, claim.holds) == (None, False)


@pytest.mark.parametrize(
    "name",
    [
        "Vitalik.eth",
        "vit\u0430lik.eth",  # a Cyrillic letter
        "vitalik\u200b.eth",
        "\uff56italik.eth",
        "vitalik..eth",
        ".eth",
        "ab--c.eth",
        "a_b.eth",
        "\u0430\u0440\u0435.eth",  # all of it could be Latin
        "vitalik.eth\u202e",
        "vitalik eth",
        "cafe\u0301.eth",
    ],
)
async def test_a_name_that_is_not_normal_is_none_even_if_it_gives_the_address_back(ens: Names, name: str) -> None:
    honest(ens, name)
    claim = await ens.claim()
    assert claim is not None
    assert (claim.normal, claim.stands_for, claim.holds) == (False, None, False)


HOSTILE: Final = {
    "100 kB": names.answering((32).to_bytes(32) + (100_000).to_bytes(32), length=100_064),
    "nothing": names.answering(b"\x00"),
    "short": names.answering(names.text(NAME)[:-1]),
    "trailing": names.answering(names.text(NAME) + bytes(32)),
    "dirty padding": names.answering(names.text(NAME)[:-1] + b"\x01"),
    "elsewhere": names.answering((64).to_bytes(32) + names.text(NAME)),
    "endless": names.answering((32).to_bytes(32) + (2**256 - 1).to_bytes(32)),
    "empty": names.answering(names.text("")),
    "long": names.answering(names.text("a" * 252 + ".eth")),
    "no text": names.answering(names.text(b"\xff\xfe.eth")),
    "surrogate": names.answering(names.text(b"\xed\xa0\x80.eth")),
    "revert": names.answering(b"\x01", reverts=True),
    "look elsewhere": names.answering(OFFCHAIN + bytes(12) + PAYEE.raw + bytes(128), reverts=True),
}


@pytest.mark.parametrize("code", HOSTILE.values(), ids=HOSTILE)
async def test_a_resolver_that_answers_otherwise_gives_no_name(ens: Names, code: bytes) -> None:
    honest(ens)
    assert await ens.held() == NAME
    ens.node.resolve_with(ens.registry, REVERSE, code)
    before = len(ens.node.bodies)
    assert await ens.claim() is None
    assert len(ens.node.bodies) - before == 2, "and nobody else is asked"


@pytest.mark.parametrize(
    "code",
    [
        names.answering(PAYEE.raw),
        names.answering(b"\x01" + bytes(11) + PAYEE.raw),
        names.answering(bytes(32)),
        names.answering(bytes(12) + PAYEE.raw + bytes(32)),
        names.answering(bytes(12) + PAYEE.raw, length=100_000),
        names.answering(OFFCHAIN + bytes(160), reverts=True),
    ],
)
async def test_an_address_that_is_none_does_not_confirm_a_name(ens: Names, code: bytes) -> None:
    honest(ens)
    ens.node.resolve_with(ens.registry, namehash(NAME), code)
    claim = await ens.claim()
    assert claim is not None
    assert (claim.stands_for, claim.holds) == (None, False)


async def test_a_node_that_fails_or_garbles_gives_no_name_and_stops_nothing(ens: Names) -> None:
    honest(ens)
    ens.node.fail("eth_call")
    assert await ens.claim() is None
    ens.node.honest()
    ens.node.reply("eth_call", b"{")
    assert await ens.claim() is None
    ens.node.honest()
    assert await ens.held() == NAME


async def test_what_a_resolver_may_compute_is_bounded(ens: Names) -> None:
    honest(ens)
    await ens.claim()
    assert all(b'"gas": "0x1e8480"' in body or b'"gas":"0x1e8480"' in body for body in list(ens.node.bodies)[-4:])
