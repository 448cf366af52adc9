"""A rollup's fee for data through the whole guard: shown, counted with a margin wherever the fee is, and checked again
before the signature. Threat: T-042."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from mcp_wallet_guard.evidence import ReservationRow
from mcp_wallet_guard.exchange import Done, Pending
from mcp_wallet_guard.operations.values import Address, ChainId
from mcp_wallet_guard.policy.rules import Payee
from mcp_wallet_guard.testing.chain import SimulatedChain
from tests.guard.rig import ETHER, SMALL_MANDATE, Rig, Wallet, apply, edited, make_rig
from tests.guard.test_contract_calls import ACCEPTS_ALL, DEPOSIT
from tests.guard.test_contract_calls import pending as call_pending
from tests.guard.test_contract_calls import refused as call_refused
from tests.guard.test_mandates import call, granted, is_asked
from tests.invariants import check_invariants

pytestmark = pytest.mark.anyio
OPTIMISM: Final = ChainId(10)
PRICE: Final = 10**12
"""Wei per byte: some 0.00005 ether for a payment."""
BOB: Final = Address.from_bytes(b"\xb0" * 20)


@pytest.fixture(scope="module")
def rollup() -> Iterator[SimulatedChain]:
    with SimulatedChain.in_thread(chain_id=OPTIMISM) as chain:
        yield chain


@pytest.fixture
def rig(tmp_path: Path, rollup: SimulatedChain) -> Rig:
    made = make_rig(tmp_path, rollup, contacts=[Payee(name="Bob", address=BOB)], more=SMALL_MANDATE)
    rollup.price_data(per_byte=PRICE)
    return made


async def sealed(rig: Rig, old: str, new: str) -> None:
    settings = edited(rig, old, new)
    async with rig.opened() as wallet:
        await apply(wallet, settings)


async def estimate(wallet: Wallet, operation: str) -> int:
    """What the frozen bytes cost at `PRICE`."""
    row = await wallet.row(operation)
    assert row.unsigned_bytes is not None
    return len(row.unsigned_bytes) * PRICE


def amount(wei: int) -> str:
    return f"{wei // ETHER}.{wei % ETHER:018d}".rstrip("0").rstrip(".")


async def test_a_payment_shows_the_fee_for_data_and_reserves_it_twice(rig: Rig) -> None:
    async with rig.opened() as wallet:
        pending = await wallet.asked()
        view = (await wallet.owned.request(pending.operation)).view
        fee = await estimate(wallet, pending.operation)
        assert view.fee is not None
        assert (view.fee.and_data, view.fee.data_estimate, view.fee.data_counted) == (True, str(fee), str(2 * fee))
        shown = {field.label: field for field in view.fields}
        assert shown["Maximum fee"].value.endswith(
            f"plus a data fee that the signature does not cap (estimated at {amount(fee)} ETH, "
            f"counted as {amount(2 * fee)} ETH)"
        )
        total = ETHER // 10 + int(view.fee.raw) + 2 * fee
        assert shown["Total at most"].value == f"{amount(total)} ETH with the data fee as counted"
        rig.chain.auto_mine = False
        await wallet.approve(pending.operation)
        assert isinstance(await wallet.pay(), Done)
        held = await wallet.owned.custody.transact(lambda tx: tx.get(ReservationRow, pending.operation))
        assert held is not None
        assert int(held.fee) == int(view.fee.raw) + 2 * fee
        rig.chain.mine()
        assert (await wallet.done()).outcome == "mined"
    await check_invariants(rig)


async def test_a_contract_call_shows_it_too(rig: Rig) -> None:
    sink = Address.from_bytes(rig.chain._evm.deploy(ACCEPTS_ALL))
    table = f'[[policy.contracts]]\nname = "Sink"\naddress = "{sink}"\nreadable = "decoded"\n\n[approval]\n'
    await sealed(rig, "[approval]\n", table)
    async with rig.opened() as wallet:
        pending = await call_pending(wallet, sink, DEPOSIT, "0.1")
        view = (await wallet.owned.request(pending.operation)).view
        fee = await estimate(wallet, pending.operation)
        assert view.fee is not None
        assert view.fee.data_counted == str(2 * fee)
        shown = {field.label: field.value for field in view.fields}
        assert f"estimated at {amount(fee)} ETH, counted as {amount(2 * fee)} ETH" in shown["Maximum fee"]
        await wallet.approve(pending.operation)
        rig.chain.price_data(per_byte=2 * PRICE + 1)
        assert await call_refused(wallet, sink, DEPOSIT, "0.1") == "policy.data_fee"
    assert rig.signatures() == []


async def test_the_highest_fee_of_the_policy_counts_the_data(rig: Rig) -> None:
    """At 0.01 ether as the highest fee: 0.006 for data would fit, and what is counted for it does not."""
    await sealed(rig, 'approvals = "refuse"', 'max_fee = "0.01"\napprovals = "refuse"')
    async with rig.opened() as wallet:
        rig.chain.price_data(per_byte=6 * 10**15 // 47)
        assert await wallet.refused() == "policy.cap"
        rig.chain.price_data(per_byte=3 * 10**15 // 47)
        await wallet.paid()


async def test_a_mandate_counts_the_data_against_its_own_highest_fee(rig: Rig) -> None:
    """Threat: T-018. At 0.01 ether as the highest fee, data of 0.0051 counts as more."""
    async with rig.opened() as wallet:
        await granted(wallet)
        done = await call(wallet, "0.01", "a")
        assert isinstance(done, Done), done
        rig.chain.price_data(per_byte=5 * 10**15 // 40)
        assert is_asked(await call(wallet, "0.01", "b"))
    assert len(rig.signatures()) == 1


async def test_a_node_that_says_that_data_is_free_gets_no_payment_past_a_person(rig: Rig) -> None:
    """Nobody can disprove it, so it is said, and no mandate covers it."""
    rig.chain.price_data(per_byte=0)
    async with rig.opened() as wallet:
        await granted(wallet)
        asked = await call(wallet, "0.01", "a")
        assert is_asked(asked)
        assert isinstance(asked, Pending)
        view = (await wallet.owned.request(asked.operation)).view
        assert "fee.data_free" in [finding.code for finding in view.findings]
    assert rig.signatures() == []


async def test_what_the_balance_does_not_hold_with_the_data_is_refused(rig: Rig) -> None:
    rig.chain.price_data(per_byte=10**16)
    async with rig.opened() as wallet:
        assert await wallet.refused("0.4") == "over_balance"
        rig.chain.price_data(per_byte=PRICE)
        await wallet.paid("0.4")


async def test_a_fee_for_data_above_what_was_counted_is_not_signed_and_one_below_is(rig: Rig) -> None:
    async with rig.opened() as wallet:
        operation = await wallet.approved()
        rig.chain.price_data(per_byte=2 * PRICE + 1)
        assert await wallet.refused() == "policy.data_fee"
        assert rig.signatures() == []
        again = await wallet.asked()
        assert again.operation != operation, "it is asked anew, with the new estimate"
        await wallet.approve(again.operation)
        rig.chain.price_data(per_byte=4 * PRICE + 2)
        assert (await wallet.done()).outcome == "mined"
    await check_invariants(rig)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("lie", ["0x", "0x" + "ff" * 32, "0x" + "00" * 70_000])
async def test_an_oracle_that_says_nothing_of_use_stops_the_payment(rig: Rig, when: str, lie: str) -> None:
    async with rig.opened() as wallet:
        if when == "after":
            await wallet.approved()
        rig.chain.lie("eth_call", lie)
        assert (await wallet.refused()).startswith("unavailable.node")
        assert rig.signatures() == []
        rig.chain.honest()
        if when == "before":
            await wallet.approved()
        assert (await wallet.done()).outcome == "mined"
