"""What is shown is what is signed is what is sent; what a payment costs the store; what a guard keeps in memory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_wallet_guard import bookkeeping, outcomes
from mcp_wallet_guard.ceremony import Equal, advance
from mcp_wallet_guard.clearsign.text import grouped
from mcp_wallet_guard.errors import InvalidInput, Unavailable
from mcp_wallet_guard.exchange import Done, Pending, Proposal, ReadRecord, RefusedAnswer
from mcp_wallet_guard.journal.events import Kind
from mcp_wallet_guard.operations import evm
from mcp_wallet_guard.operations.values import Address, Amount, ChainId
from mcp_wallet_guard.reads import MAX_LINE, MAX_PER_ENTRY, MAX_QUEUED
from mcp_wallet_guard.testing.chain import SimulatedChain
from tests.guard.rig import ETHER, Rig, Wallet, make_rig
from tests.invariants import check_guard
from tests.processes import fill_disk, in_child

MOST_COMMITS = 6
AMOUNTS = st.integers(min_value=1, max_value=ETHER // 1000)
PAYEES = st.binary(min_size=19, max_size=19).map(lambda tail: Address.from_bytes(b"\x33" + tail))
REFERENCES = st.none() | st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True)
GWEI = 10**9
FEES = st.fixed_dictionaries(
    {
        "gas": st.integers(min_value=21_000, max_value=100_000),
        "max_fee_per_gas": st.integers(min_value=10 * GWEI, max_value=200 * GWEI),
        "max_priority_fee_per_gas": st.integers(min_value=0, max_value=5 * GWEI),
    }
)
"""Gas and fees of a transaction that another program built, up to the settings' ceilings."""


def decimal(wei: int) -> str:
    """Wei as ether, in the plain form."""
    whole, part = divmod(wei, ETHER)
    return f"{whole}.{part:018d}".rstrip("0").rstrip(".")


@pytest.mark.slow
def test_bytes_signed_are_bytes_shown_are_bytes_sent(tmp_path: Path, chain: SimulatedChain) -> None:
    rig = make_rig(tmp_path, chain)

    @settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(wei=AMOUNTS, payee=PAYEES, reference=REFERENCES, fees=st.none() | FEES)
    def pays(wei: int, payee: Address, reference: str | None, fees: dict[str, int] | None) -> None:
        rig.clock.advance(600)
        intent = {"kind": "transfer", "to": payee.value, "amount": decimal(wei)}
        if fees is not None:
            intent = as_bytes(built(rig, to=payee, value=wei, **fees))
        if reference is not None:
            intent["reference"] = reference
        anyio.run(one_payment, rig, wei, payee, intent)

    pays()


def built(rig: Rig, **fields: Any) -> bytes:
    """Unsigned bytes as another program builds them: the account's next nonce, and its own fees."""
    usual: dict[str, Any] = {
        "chain": rig.chain.chain_id, "nonce": rig.chain.nonce(rig.made.address), "to": rig.payee, "value": ETHER // 10,
        "gas": 21_000, "max_fee_per_gas": 20 * GWEI, "max_priority_fee_per_gas": GWEI,
    }  # fmt: skip
    return evm.encode_unsigned(evm.Eip1559(**(usual | fields)))


def as_bytes(unsigned: bytes) -> dict[str, str]:
    """The intent of a tool that has the bytes already."""
    return {"kind": "unsigned_transaction", "unsigned_bytes": "0x" + unsigned.hex()}


async def one_payment(rig: Rig, wei: int, payee: Address, intent: dict[str, str]) -> None:
    proposal = Proposal(principal="local", tool="pay", intent=intent)
    async with rig.opened() as wallet:
        before = rig.chain.balance(payee)
        asked = await wallet.owned.propose(proposal, wait_seconds=0)
        assert isinstance(asked, Pending), asked
        request = await wallet.owned.request(asked.operation)
        shown = {field.label: field.value for field in request.view.fields}
        await wallet.approve(asked.operation)
        done = await wallet.owned.propose(proposal, wait_seconds=0)
        assert isinstance(done, Done)
        assert done.receipt is not None
        row = await wallet.row(asked.operation)
        given = intent.get("unsigned_bytes")
        assert given in {None, "0x" + (row.unsigned_bytes or b"").hex()}, "bytes frozen = bytes given"
        raw = raw_transaction(rig, done.receipt.transaction_hash)
        assert raw == row.signed_bytes, "bytes sent = bytes stored"
        parsed = evm.parse_signed(raw).transaction
        assert evm.encode_unsigned(parsed) == row.unsigned_bytes, "bytes signed = bytes frozen"
        assert rig.signatures()[-1] == request.view.operation_digest, "the digest shown is the digest signed"
        assert (parsed.to, parsed.value, parsed.data) == (payee, wei, b"")
        assert shown["Amount"] == f"{Amount.parse(decimal(wei)).text} ETH"
        assert shown["Payee"] == grouped(payee.value)
        assert shown["Chain"] == str(parsed.chain) == str(rig.chain.chain_id)
        assert shown["Nonce"] == str(parsed.nonce)
        assert f"{parsed.gas} gas" in shown["Maximum fee"]
        assert rig.chain.balance(payee) - before == wei


@pytest.mark.anyio
async def test_unsigned_bytes_of_another_program_are_approved_signed_as_they_are_and_sent_once(rig: Rig) -> None:
    """Threat: T-006, T-007."""
    given = built(rig, gas=30_000, max_fee_per_gas=37 * GWEI, max_priority_fee_per_gas=3 * GWEI)
    proposal = Proposal(principal="local", tool="sign", intent=as_bytes(given))
    async with rig.opened() as wallet:
        asked = await wallet.owned.propose(proposal, wait_seconds=0)
        assert isinstance(asked, Pending), asked
        assert rig.signatures() == []
        await wallet.approve(asked.operation)
        done = await wallet.owned.propose(proposal, wait_seconds=0)
        assert isinstance(done, Done), done
        assert done.receipt is not None
        assert (done.outcome, rig.paid()) == ("mined", ETHER // 10)
        raw = raw_transaction(rig, done.receipt.transaction_hash)
        assert evm.encode_unsigned(evm.parse_signed(raw).transaction) == given
        again = await wallet.owned.propose(proposal, wait_seconds=0)
        assert isinstance(again, Done)
        assert again.repeated
        report = await check_guard(rig, wallet.owned)
        assert (report.signatures, report.sent) == (1, 1)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("fields", "code"),
    [
        pytest.param({"nonce": 1}, "invalid_input.transaction", id="not the next nonce"),
        pytest.param({"chain": ChainId(1)}, "invalid_input.chain", id="another chain"),
        pytest.param({"max_fee_per_gas": 201 * GWEI}, "policy.cap", id="fee above the ceiling"),
        pytest.param({"max_priority_fee_per_gas": 6 * GWEI}, "policy.cap", id="tip above the ceiling"),
        pytest.param({"gas": 100_001}, "policy.cap", id="gas above the ceiling"),
        pytest.param({"value": ETHER // 2 + 1}, "policy.cap", id="amount above the limit"),
        pytest.param({"data": b"\xa9\x05\x9c\xbb"}, "policy.contract", id="calldata"),
    ],
)
async def test_unsigned_bytes_that_are_not_what_may_be_signed_become_no_question(
    rig: Rig, fields: dict[str, Any], code: str
) -> None:
    async with rig.opened() as wallet:
        proposal = Proposal(principal="local", tool="sign", intent=as_bytes(built(rig, **fields)))
        answer = await wallet.owned.propose(proposal, wait_seconds=0)
        assert isinstance(answer, RefusedAnswer), answer
        assert answer.code == code
        assert await wallet.owned.requests() == ()
        assert (await check_guard(rig, wallet.owned)).signatures == 0


def raw_transaction(rig: Rig, transaction_hash: str) -> bytes:
    """The raw bytes that the chain has under this hash, encoded again from what it says about them."""
    found: Any = rig.chain._evm.transaction(bytes.fromhex(transaction_hash[2:]))
    unsigned = evm.Eip1559(
        chain=rig.chain.chain_id,
        nonce=int(found["nonce"], 16),
        max_priority_fee_per_gas=int(found["maxPriorityFeePerGas"], 16),
        max_fee_per_gas=int(found["maxFeePerGas"], 16),
        gas=int(found["gas"], 16),
        to=Address.from_bytes(bytes.fromhex(found["to"][2:])),
        value=int(found["value"], 16),
        data=bytes.fromhex(found["input"][2:]),
    )
    parity = int(found.get("yParity", found.get("v")), 16)
    return evm.encode_signed(unsigned, y_parity=parity, r=int(found["r"], 16), s=int(found["s"], 16))


@pytest.mark.anyio
async def test_a_payment_takes_six_commits_from_the_question_to_the_receipt(rig: Rig) -> None:
    async with rig.opened() as wallet:
        await wallet.paid()
        rig.clock.advance(30)
        rig.chain.auto_mine = False
        store = wallet.owned.custody.store
        before = store.commits
        await wallet.approved("0.2")
        assert (await wallet.done("0.2")).outcome == "sent", "settlement is not counted"
        assert store.commits - before <= MOST_COMMITS
        rig.chain.mine()


@pytest.mark.anyio
async def test_calls_that_change_nothing_commit_nothing(rig: Rig) -> None:
    async with rig.opened() as wallet:
        asked = await wallet.asked()
        before = wallet.owned.custody.store.commits
        for _ in range(3):
            await wallet.asked()
            await wallet.owned.status(asked.operation, principal="local")
            await wallet.owned.requests()
            await wallet.owned.tick()
        assert wallet.owned.custody.store.commits == before


@pytest.mark.anyio
async def test_what_is_over_is_retired_and_only_the_journal_keeps_it(rig: Rig) -> None:
    async with rig.opened() as wallet:
        for number in range(3):
            await wallet.paid("0.01", reference=f"r{number}")
        rig.clock.advance(600)
        await wallet.owned.tick()
        report = await check_guard(rig, wallet.owned)
        assert report.outcomes == {}
        assert report.count(Kind.RETIRED) == 3
        assert wallet.owned.guard._waiters == {}


# --- reads --------------------------------------------------------------------------------------------------------

READ = ReadRecord(tool="balance", principal="local", outcome="released")


async def reads_in(wallet: Wallet) -> int:
    entries = [entry.fields for entry in await wallet.owned.custody.store.journal()]
    return sum(len(each["data"]["reads"]) for each in entries if each["kind"] == Kind.READ)


class Disk:
    """A fault hook: while it is full no commit succeeds."""

    is_full = False

    def __call__(self, name: str) -> None:
        if self.is_full and name == "before:commit":
            raise Unavailable("unavailable.store")


@pytest.mark.anyio
async def test_reads_are_journalled_in_groups_locked_or_not(rig: Rig) -> None:
    async with rig.opened(unlock=False) as wallet:
        for _ in range(250):
            await wallet.owned.record_read(READ)
        assert await reads_in(wallet) == MAX_PER_ENTRY
        await wallet.owned.tick()
        assert await reads_in(wallet) == 250
    async with rig.opened() as wallet:
        await wallet.owned.record_read(READ)
        await wallet.owned.tick()
        assert await reads_in(wallet) == 251
        await wallet.owned.verify_log()


@pytest.mark.anyio
async def test_no_journal_no_service_and_the_queue_stays_bounded(rig: Rig) -> None:
    """Threat: T-090."""
    disk = Disk()
    async with rig.opened(faults=disk) as wallet:
        disk.is_full, refused = True, 0
        for _ in range(MAX_QUEUED + 50):
            try:
                await wallet.owned.record_read(READ)
            except Unavailable:
                refused += 1
        assert refused == 50
        assert len(wallet.owned.guard._reads._queue) == MAX_QUEUED
        disk.is_full = False
        await wallet.owned.tick()
        assert await reads_in(wallet) == MAX_QUEUED


@pytest.mark.anyio
async def test_a_full_group_of_the_longest_lines_fits_into_an_entry_and_longer_ones_are_refused(rig: Rig) -> None:
    async with rig.opened() as wallet:
        longest = MAX_LINE - len(f"{rig.clock.now()} released  local - -")
        for _ in range(MAX_PER_ENTRY):
            await wallet.owned.record_read(ReadRecord(tool="t" * longest, principal="local", outcome="released"))
        assert await reads_in(wallet) == MAX_PER_ENTRY
        for tool in ("t" * (longest + 1), "two words", "line\nfeed", "caf\u00e9", ""):
            with pytest.raises((InvalidInput, ValueError)):
                await wallet.owned.record_read(ReadRecord(tool=tool, principal="local", outcome="released"))
        assert wallet.owned.guard._reads._queue == []


@pytest.mark.anyio
async def test_a_journal_that_takes_nothing_does_not_keep_the_vault_open(rig: Rig) -> None:
    disk = Disk()
    async with rig.opened(faults=disk) as wallet:
        await wallet.owned.record_read(READ)
        disk.is_full = True
        rig.clock.advance(15 * 60)
        await wallet.owned.tick()
        assert wallet.owned.custody.is_locked
        disk.is_full = False


# --- a disk that is full, and the guards taken out ----------------------------------------------------------------


def test_a_disk_that_is_really_full_signs_nothing_and_loses_nothing(tmp_path: Path, chain: SimulatedChain) -> None:
    """The kernel refuses every write beyond what the database has: RLIMIT_FSIZE, in a process of its own."""
    rig = make_rig(tmp_path, chain)

    async def approve() -> None:
        async with rig.opened() as wallet:
            await wallet.approved()

    async def on_a_full_disk() -> None:
        async with rig.opened() as wallet:
            fill_disk(1)
            assert await wallet.refused() == "unavailable.store"
            os._exit(0)

    anyio.run(approve)
    assert not in_child(lambda: anyio.run(on_a_full_disk))
    assert rig.signatures() == []

    async def afterwards() -> None:
        async with rig.opened() as wallet:
            assert (await wallet.done()).outcome == "mined"
            assert (await check_guard(rig, wallet.owned)).signatures == 1

    anyio.run(afterwards)


@pytest.mark.anyio
async def test_without_the_memory_of_equal_calls_a_retry_would_ask_for_a_second_payment(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rig.opened() as wallet:
        first = await wallet.paid()
        monkeypatch.setattr(bookkeeping, "find_equal", lambda *_, **__: (Equal.NONE, None))
        assert (await wallet.asked()).operation != first.operation


@pytest.mark.anyio
async def test_without_the_comparison_with_the_stored_row_a_stale_look_would_undo_a_payment(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that was read before the signature, burned after it: found by the transaction, and the attack without."""
    async with rig.opened() as wallet:
        operation = await wallet.approved()
        stale: list[Any] = []
        custody = wallet.owned.custody
        executor = wallet.owned.guard.executor
        sign = executor._sign

        async def look(*arguments: Any) -> Any:
            stale.append(await wallet.row(operation))
            return await sign(*arguments)

        monkeypatch.setattr(executor, "_sign", look)
        assert (await wallet.done()).outcome == "mined"
        with pytest.raises(Unavailable):
            await custody.transact(lambda tx: outcomes.burn(tx, stale[0]))
        assert (await wallet.done()).outcome == "mined"

        def careless(tx: Any, row: Any, move: Any, /, **changes: Any) -> Any:
            moved = advance(row, move, at=tx.now, **changes)
            tx.put(moved)
            return moved

        monkeypatch.setattr(bookkeeping, "move_row", careless)
        await custody.transact(lambda tx: outcomes.burn(tx, stale[0]))
        assert isinstance(await wallet.pay(), Pending), "a second payment would be asked for"
