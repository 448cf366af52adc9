"""Names that addresses give themselves, through the whole guard: shown with who says so, frozen, and never authority.

Threat: T-022, T-023.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio
import pytest

from mcp_wallet_guard.chains.ens import namehash
from mcp_wallet_guard.clearsign.renderers.plain import plain_text
from mcp_wallet_guard.clearsign.risks.known import MAX_CLAIMS
from mcp_wallet_guard.clearsign.view import render_view, view_hash
from mcp_wallet_guard.confirmation import ConfirmationView
from mcp_wallet_guard.errors import Misconfigured
from mcp_wallet_guard.evidence import Facts
from mcp_wallet_guard.exchange import Done
from mcp_wallet_guard.frozen_rows import operation_of
from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.policy.rules import Payee
from mcp_wallet_guard.testing import names
from mcp_wallet_guard.testing.chain import SimulatedChain
from tests.guard.rig import Rig, Wallet, apply, edited, make_rig
from tests.guard.test_contract_calls import ACCEPTS_ALL, calldata
from tests.guard.test_contract_calls import ask as ask_call
from tests.guard.test_contract_calls import pending as call_pending
from tests.invariants import check_invariants

pytestmark = pytest.mark.anyio
NAME: Final = "vitalik.eth"
THIEF: Final = Address.from_bytes(b"\xee" * 20)
BOB: Final = Address.from_bytes(b"\xb0\xb0" + bytes(16) + b"\xb0\xb0")


@dataclass
class Named:
    """A wallet whose payees are asked what they call themselves, and a contract that may be given away."""

    rig: Rig
    registry: Address
    owned: Address

    @property
    def payee(self) -> Address:
        return self.rig.payee

    def honest(self, address: Address | None = None, name: str = NAME) -> None:
        self.rig.chain.claim_name(self.registry, address or self.payee, name)
        self.rig.chain.own_name(self.registry, name, address or self.payee)


@pytest.fixture
def named(tmp_path: Path, chain: SimulatedChain) -> Named:
    rig = make_rig(tmp_path, chain, contacts=[Payee(name="Bob", address=BOB)])
    registry = chain.deploy_names()
    owned = Address.from_bytes(chain._evm.deploy(ACCEPTS_ALL))
    edited(rig, "[account]\n", f'ens = true\nens_registry = "{registry}"\n\n[account]\n')
    table = f'[[policy.contracts]]\nname = "Owned"\naddress = "{owned}"\nreadable = "decoded"\ncontrol = "ask"\n'
    settings = edited(rig, "[approval]\n", f"{table}\n[approval]\n")

    async def seal() -> None:
        async with rig.opened() as wallet:
            await apply(wallet, settings)

    anyio.run(seal)
    return Named(rig, registry, owned)


async def shown(wallet: Wallet, operation: str) -> ConfirmationView:
    return (await wallet.owned.request(operation)).view


def payee_of(view: ConfirmationView) -> str:
    return next(field.value for field in view.fields if field.label == "Payee")


def codes(view: ConfirmationView) -> list[str]:
    return [finding.code for finding in view.findings]


async def again(wallet: Wallet, operation: str) -> ConfirmationView:
    """The view once more, from what is stored."""
    row = await wallet.row(operation)
    frozen = operation_of(row, wallet.owned.custody.session().settings)
    return render_view(frozen, Facts.model_validate_json(row.facts or ""))


async def test_a_payment_shows_the_payees_name_and_who_says_so(named: Named) -> None:
    named.honest()
    async with named.rig.opened() as wallet:
        pending = await wallet.asked()
        view = await shown(wallet, pending.operation)
        assert payee_of(view).endswith(' "vitalik.eth", says ens')
        party = view.effects[0].counterparty
        assert party is not None
        assert (party.name, party.name_source, party.relation) == ('"vitalik.eth"', "ens", "unknown")
        assert codes(view) == ["payee.first_time"]
        assert view.intent == f"Send 0.1 ETH to {named.payee}"
        await wallet.approve(pending.operation)
        assert (await wallet.done()).outcome == "mined"
    assert named.rig.paid() == 10**17
    await check_invariants(named.rig)


async def test_what_the_registry_says_later_changes_neither_the_view_nor_who_is_paid(named: Named) -> None:
    """Threat: T-023. The name moves to a thief between the view and the signature; the address was always the payee."""
    named.honest()
    async with named.rig.opened() as wallet:
        pending = await wallet.asked()
        before = view_hash(await shown(wallet, pending.operation))
        named.rig.chain.own_name(named.registry, NAME, THIEF)
        named.rig.chain.claim_name(named.registry, named.payee, "other.eth")
        asked = named.rig.chain.asked["eth_call"]
        assert view_hash(await again(wallet, pending.operation)) == before
        await wallet.approve(pending.operation)
        assert (await wallet.done()).outcome == "mined"
        assert named.rig.chain.asked["eth_call"] == asked, "nobody asks the registry again"
    assert named.rig.paid() == 10**17
    assert named.rig.chain.balance(THIEF) == 0
    assert len(named.rig.signatures()) == 1


@pytest.mark.parametrize(
    ("name", "owner", "code"),
    [
        (NAME, THIEF, "name.claimed"),
        (NAME, None, "name.claimed"),
        ("Vitalik.eth", "payee", "name.not_normal"),
        ("vit\u0430lik.eth", "payee", "name.not_normal"),
        ("vitalik.eth\u202e", "payee", "name.not_normal"),
    ],
)
async def test_a_name_that_does_not_hold_is_a_danger_and_no_name(
    named: Named, name: str, owner: Address | str | None, code: str
) -> None:
    named.rig.chain.claim_name(named.registry, named.payee, name)
    if owner is not None:
        named.rig.chain.own_name(named.registry, name, owner if isinstance(owner, Address) else named.payee)
    async with named.rig.opened() as wallet:
        view = await shown(wallet, (await wallet.asked()).operation)
        assert codes(view)[0] == code
        assert view.findings[0].severity == "danger"
        assert "says ens" not in plain_text(view)
        assert view.effects[0].counterparty is not None
        assert view.effects[0].counterparty.name is None
        assert plain_text(view).isascii()


async def test_the_owners_own_name_for_an_address_is_the_one_that_counts(named: Named) -> None:
    named.honest(BOB, "mallory.eth")
    named.rig.payee = BOB
    async with named.rig.opened() as wallet:
        asked = named.rig.chain.asked["eth_call"]
        view = await shown(wallet, (await wallet.asked()).operation)
        assert payee_of(view).endswith(' "Bob"')
        assert named.rig.chain.asked["eth_call"] == asked, "nobody is asked about those who are known"


async def test_a_resolver_that_floods_stops_no_payment(named: Named) -> None:
    reverse = namehash(f"{named.payee.value[2:].lower()}.addr.reverse")
    flood = names.answering((32).to_bytes(32) + (100_000).to_bytes(32), length=100_064)
    named.rig.chain.resolve_with(named.registry, reverse, flood)
    async with named.rig.opened() as wallet:
        view = await shown(wallet, (await wallet.asked()).operation)
        assert codes(view) == ["payee.first_time"]


async def test_a_call_shows_the_names_of_those_who_get_something_by_it(named: Named) -> None:
    named.honest()
    data = calldata("transferOwnership(address)", named.payee)
    async with named.rig.opened() as wallet:
        pending = await call_pending(wallet, named.owned, data)
        view = await shown(wallet, pending.operation)
        assert f'{named.payee} ("vitalik.eth", says ens)' in view.effects[0].text
        before = view_hash(view)
        named.rig.chain.own_name(named.registry, NAME, THIEF)
        assert view_hash(await again(wallet, pending.operation)) == before
        await wallet.approve(pending.operation)
        assert isinstance(await ask_call(wallet, named.owned, data), Done)


async def test_a_call_whose_party_calls_itself_by_anothers_name_says_so(named: Named) -> None:
    named.rig.chain.claim_name(named.registry, named.payee, NAME)
    named.rig.chain.own_name(named.registry, NAME, THIEF)
    data = calldata("transferOwnership(address)", named.payee)
    async with named.rig.opened() as wallet:
        view = await shown(wallet, (await call_pending(wallet, named.owned, data)).operation)
        assert "name.claimed" in codes(view)
        assert "says ens" not in plain_text(view)


async def test_a_batch_asks_about_so_many_and_no_more(named: Named) -> None:
    """A call with a hundred parties must not make a hundred questions."""
    people = [Address.from_bytes(secrets.token_bytes(20)) for _ in range(30)]
    inner = tuple(calldata("transferOwnership(address)", each) for each in people)
    data = calldata("multicall(bytes[])", inner)
    async with named.rig.opened() as wallet:
        asked = named.rig.chain.asked["eth_call"]
        await ask_call(wallet, named.owned, data)
        assert MAX_CLAIMS <= named.rig.chain.asked["eth_call"] - asked <= 4 * MAX_CLAIMS


def test_a_chain_without_a_registry_of_its_own_needs_one(named: Named) -> None:
    with pytest.raises(Misconfigured) as caught:
        edited(named.rig, f'ens_registry = "{named.registry}"\n', "")
    assert "chain.ens" in caught.value.detail
