"""Somebody can write to the store between approval and consume: each edit ends in zero signatures.

The honest twin signs.
Threat: T-009, T-070, T-079, T-088.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import apsw
import pytest

from mcp_wallet_guard import setup
from mcp_wallet_guard.ceremony import Equal, standing
from mcp_wallet_guard.config.settings import canonical
from mcp_wallet_guard.errors import FactorRejected, GuardError, Refused, Tampered
from mcp_wallet_guard.evidence import ROWS, Channel
from mcp_wallet_guard.journal.events import Kind
from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.policy.rules import Payee
from mcp_wallet_guard.testing.chain import SimulatedChain
from mcp_wallet_guard.testing.wallet import passphrase
from tests import database
from tests.guard.rig import DATABASE, ETHER, SMALL_MANDATE, Rig, apply, make_rig
from tests.invariants import check_invariants

REFUSED = ("tampered.", "unavailable.store", "blocked.store", "misconfigured")
MORE = '\n[[policy.limits]]\nasset = "ETH"\namount = "10"\nwindow = "1d"\n' + SMALL_MANDATE
_CELL = 'UPDATE "{}" SET "{}" = ? WHERE rowid = ?'


@pytest.fixture
def rig(tmp_path: Path, chain: SimulatedChain) -> Rig:
    """A wallet with one finished payment and one approved one, closed; a copy of its files is beside it as "clean"."""
    bob = Payee(name="Bob", address=Address.from_bytes(b"\xb0" * 20))
    rig = make_rig(tmp_path, chain, contacts=[bob], more=MORE)

    async def prepare() -> None:
        async with rig.opened() as wallet:
            await apply(wallet, rig.made.loaded.settings)
            await wallet.paid()
            request = await wallet.asked("0.2")
            wallet.owned.desk.link_url = lambda operation, secret: f"http://127.0.0.1:1/p/{operation}/{secret}"
            await wallet.owned.desk.renew_link(await wallet.row(request.operation))
            link = (rig.files.links / f"{request.operation}.url").read_text("ascii").strip()
            await wallet.owned.pair_by_link(request.operation, link.rpartition("/")[2])
            await wallet.approve(request.operation)

    anyio.run(prepare)
    rig.snapshot("clean")
    return rig


def cells(path: Path) -> list[tuple[str, str, int, Any]]:
    """Every column of every row of every table: table, column, rowid, and another value of the column's type."""
    found = []
    for table in database.tables(path):
        columns = [row[1:3] for row in database.execute(path, f'PRAGMA table_info("{table}")')]
        for column, kind in columns:
            query = f'SELECT rowid, "{column}" FROM "{table}"'
            found += [(table, column, rowid, other(value, kind)) for rowid, value in database.execute(path, query)]
    return found


def other(value: Any, kind: str) -> Any:
    """Another value of the same type: the columns are STRICT."""
    match value:
        case int():
            return value + 1
        case bytes() if value:
            return bytes([value[0] ^ 1]) + value[1:]
        case str() if value:
            return chr(ord(value[0]) ^ 1) + value[1:]
        case _:
            return {"INTEGER": 1, "TEXT": "x", "BLOB": b"x"}[kind]


def edit(path: Path, statement: str, values: tuple[Any, ...] = ()) -> bool:
    """Run one statement; False where the schema itself does not take the value."""
    try:
        database.execute(path, statement, values)
    except apsw.Error:
        return False
    return True


async def attacked(rig: Rig) -> str:
    """Open, unlock and call as the honest caller does; how it was refused, or "signed"."""
    before = len(rig.signatures())
    try:
        async with rig.opened() as wallet:
            answer = await wallet.pay("0.2")
    except GuardError as error:
        assert len(rig.signatures()) == before
        return error.code
    signed = len(rig.signatures()) - before
    code = getattr(answer, "code", None)
    assert signed == (0 if code else 1)
    return code or "signed"


@pytest.mark.slow
def test_any_edited_column_of_any_live_row_or_head_stops_the_signature_and_the_honest_twin_signs(rig: Rig) -> None:
    """With the guard closed: the next unlock, or the consume, finds the edit."""
    clean = rig.directory.with_name("clean")
    outcomes: dict[tuple[str, str, int], str] = {}
    skipped: set[tuple[str, str, int]] = set()
    for table, column, rowid, edited in cells(clean / "state.db"):
        if table == "journal":
            continue  # the next test's
        rig.put_back(clean, *DATABASE, "vault.anchor")
        if edit(rig.files.database, _CELL.format(table, column), (edited, rowid)):
            outcomes[table, column, rowid] = anyio.run(attacked, rig)
        else:
            skipped.add((table, column, rowid))
    assert {place: code for place, code in outcomes.items() if not code.startswith(REFUSED)} == {}
    assert {table for table, _, _ in outcomes} == {"migrations", "head"} | {kind.table for kind in ROWS}
    assert {rowid for table, _, rowid in outcomes if table == "operations"} == {1, 2}, "settled, and approved"
    assert skipped == {("head", "id", 1)}, "the schema itself allows no second head"
    rig.put_back(clean)
    assert anyio.run(attacked, rig) == "signed"


@pytest.mark.slow
def test_any_edited_journal_entry_stops_the_signature(rig: Rig) -> None:
    """Threat: T-088. Also one that is older than the operation."""
    clean = rig.directory.with_name("clean")
    asked_at = first_entry_of_the_open_operation(rig)
    journal = [cell for cell in cells(clean / "state.db") if cell[0] == "journal"]
    for number, (table, column, rowid, edited) in enumerate(journal):
        if rowid < asked_at and number % 3:
            continue  # old entries are alike
        rig.put_back(clean, *DATABASE, "vault.anchor")
        value = edited + len(journal) if column == "entry" else edited  # a number that no entry has
        assert edit(rig.files.database, _CELL.format(table, column), (value, rowid)), (column, rowid)
        assert anyio.run(attacked, rig).startswith(REFUSED), (column, rowid)
    rig.put_back(clean)
    assert anyio.run(attacked, rig) == "signed"


def first_entry_of_the_open_operation(rig: Rig) -> int:
    query = (
        "SELECT min(journal.entry) FROM journal JOIN operations ON subject = operations.id"
        " WHERE operations.state = 'approved'"
    )
    ((found,),) = database.execute(rig.files.database, query)
    assert isinstance(found, int)
    return found


LIVE = {
    "the approval's level": "UPDATE approvals SET level = 2",
    "the approval's evidence": "UPDATE approvals SET evidence = '[]'",
    "the approval's expiry": "UPDATE approvals SET expires_at = expires_at + 1000",
    "the operation's bytes": "UPDATE operations SET unsigned_bytes = zeroblob(50)",
    "the operation's approval time": "UPDATE operations SET approved_at = approved_at + 60",
    "the operation's state": "UPDATE operations SET state = 'frozen'",
    "a finished operation, approved again": "UPDATE operations SET state = 'approved', outcome = NULL",
    "the approval deleted": "DELETE FROM approvals",
    "the operation deleted": "DELETE FROM operations",
    "the finished operation deleted": "DELETE FROM operations WHERE state = 'settled'",
    "the account's nonce": "UPDATE accounts SET next_nonce = 0",
    "the account deleted": "DELETE FROM accounts",
    "the factor's step": "UPDATE factors SET last_step = 0",
    "the factor deleted": "DELETE FROM factors",
    "the reservation deleted": "DELETE FROM reservations",
    "the last entry deleted": "DELETE FROM journal WHERE entry = (SELECT max(entry) FROM journal)",
    "an entry of the operation deleted": (
        "DELETE FROM journal WHERE entry > 20 AND instr(CAST(body AS TEXT), 'operation.approved')"
    ),
    "an entry edited": (
        "UPDATE journal SET body = CAST(replace(CAST(body AS TEXT), '0.2', '0.3') AS BLOB)"
        " WHERE instr(CAST(body AS TEXT), 'operation.frozen')"
    ),
    "the oldest entry edited": "UPDATE journal SET body = CAST('{}' AS BLOB) WHERE entry = 0",
    "the oldest entry deleted": "DELETE FROM journal WHERE entry = 0",
    "the head's time": "UPDATE head SET highest_time = 0",
    "the head deleted": "DELETE FROM head",
    "a trigger": "CREATE TRIGGER t AFTER UPDATE ON operations BEGIN DELETE FROM journal; END",
    "a table": "CREATE TABLE more (x)",
}


@pytest.mark.parametrize("statement", LIVE.values(), ids=LIVE)
def test_an_edit_under_a_running_guard_stops_the_signature(rig: Rig, statement: str) -> None:
    async def attack() -> None:
        async with rig.opened() as wallet:
            before = len(rig.signatures())
            assert edit(rig.files.database, statement)
            code = await wallet.refused("0.2")
            assert code.startswith("tampered."), code
            assert len(rig.signatures()) == before
            with pytest.raises(GuardError):
                await wallet.owned.verify_log()

    anyio.run(attack)


def test_a_program_that_changes_nothing_under_a_running_guard_stops_nothing(rig: Rig) -> None:
    """The honest twin: the guard reads all again, and goes on."""

    async def harmless() -> None:
        async with rig.opened() as wallet:
            assert edit(rig.files.database, "UPDATE factors SET last_step = last_step")
            assert (await wallet.done("0.2")).outcome == "mined"
            await wallet.owned.verify_log()

    anyio.run(harmless)


def test_an_old_entry_that_is_edited_after_a_payment_stops_the_next_one(rig: Rig) -> None:
    """The journal was read whole for the first payment of this unlock: a change since makes the guard read it again.

    Threat: T-088.
    """

    async def attack() -> None:
        async with rig.opened() as wallet:
            assert (await wallet.done("0.2")).outcome == "mined"
            await wallet.approved("0.3")
            before = len(rig.signatures())
            assert edit(rig.files.database, "UPDATE journal SET mac = zeroblob(32) WHERE entry = 1")
            assert await wallet.refused("0.3") == "tampered.journal"
            assert len(rig.signatures()) == before

    anyio.run(attack)


def test_rows_put_back_after_they_were_used_are_found_under_a_running_guard(rig: Rig) -> None:
    """The approval is consumed; operation and approval of before are written back, MACs and all."""

    async def attack() -> None:
        clean = rig.directory.with_name("clean") / "state.db"
        async with rig.opened() as wallet:
            assert (await wallet.done("0.2")).outcome == "mined"
            before = len(rig.signatures())
            connection = apsw.Connection(str(rig.files.database))
            connection.execute("ATTACH ? AS old", (str(clean),))
            with connection:
                for table in ("operations", "approvals"):
                    connection.execute(f"DELETE FROM main.{table}")
                    connection.execute(f"INSERT INTO main.{table} SELECT * FROM old.{table}")
            connection.close()
            assert (await wallet.refused("0.2")).startswith("tampered.")
            assert len(rig.signatures()) == before

    anyio.run(attack)


def test_without_the_macs_a_row_put_back_would_sign_again(rig: Rig) -> None:
    """The attack, with the guard taken out: the table of states alone would let such a row through."""

    async def attack() -> None:
        async with rig.opened() as wallet:
            used = await wallet.row((await wallet.done("0.2")).operation)
            put_back = replace(
                used, state="approved", outcome=None, receipt=None, signed_bytes=None, transaction_hash=None
            )
            assert standing(put_back, now=used.changed_at) is Equal.EXECUTE

    anyio.run(attack)


@pytest.mark.parametrize("names", [DATABASE, (*DATABASE, "vault.anchor")])
def test_a_store_rolled_back_under_a_running_guard_signs_nothing(rig: Rig, names: tuple[str, ...]) -> None:
    async def attack() -> None:
        clean = rig.directory.with_name("clean")
        async with rig.opened() as wallet:
            assert (await wallet.done("0.2")).outcome == "mined"
            before = len(rig.signatures())
            rig.put_back(clean, *names)
            assert (await wallet.refused("0.2")).startswith("tampered.")
            assert len(rig.signatures()) == before

    anyio.run(attack)


async def used_up(rig: Rig) -> str:
    """The approved payment is made; then another is asked and approved with this code."""
    async with rig.opened() as wallet:
        assert (await wallet.done("0.2")).outcome == "mined"
        asked, code = await wallet.asked("0.3"), wallet.code()
        await wallet.approve(asked.operation, code=code)
        assert (await wallet.done("0.3")).outcome == "mined"
        return code


@pytest.mark.parametrize(
    "how", ["rolled back", "deleted", "replaced by an empty one", "anchor deleted", "anchor edited"]
)
def test_a_store_that_is_not_the_anchored_one_blocks_until_acknowledged_and_used_codes_stay_used(
    rig: Rig, how: str
) -> None:
    """Threat: T-070, T-079."""
    clean = rig.directory.with_name("clean")
    code = anyio.run(used_up, rig)
    before = len(rig.signatures())
    if how == "rolled back":
        rig.put_back(clean, *DATABASE)
    elif how.startswith("anchor"):
        rig.files.anchor.unlink() if how == "anchor deleted" else rig.files.anchor.write_bytes(b"{}")
    else:
        for path in rig.directory.glob("state.db*"):
            path.unlink()

    async def blocked() -> None:
        async with rig.opened() as wallet:
            assert (await wallet.owned.control_status()).blocked == "blocked.store"
            assert await wallet.refused("0.2") == "blocked.store"
            for forbidden in (
                wallet.owned.requests(),
                wallet.owned.apply_policy(canonical(rig.made.loaded.settings), code=code),
                wallet.owned.pair_by_code(code),
                wallet.owned.decline("x", channel=Channel.TERMINAL),
                wallet.owned.unlock_factor(passphrase(), code=code),
            ):
                with pytest.raises(Refused) as refused:
                    await forbidden
                assert refused.value.code == "blocked.store"

    async def acknowledged() -> None:
        with pytest.raises(FactorRejected):
            await setup.acknowledge_store(rig.made.loaded, passphrase(), code="000000", clock=rig.clock)
        rig.clock.advance(30)
        fresh = rig.made.authenticator.code()
        await setup.acknowledge_store(rig.made.loaded, passphrase(), code=fresh, clock=rig.clock)
        async with rig.opened() as wallet:
            if how == "rolled back":
                assert (await wallet.pay("0.2")).status != "done", "what was consumed cannot be consumed again"
                rig.clock.advance(600)
            asked = await wallet.asked("0.25")
            for spent in (code, fresh):
                with pytest.raises(FactorRejected):
                    await wallet.approve(asked.operation, code=spent)
            await wallet.approve(asked.operation)
            assert (await wallet.done("0.25")).outcome == "mined"

    anyio.run(blocked)
    anyio.run(blocked)
    assert len(rig.signatures()) == before
    rig.chain.fund(rig.made.address, ETHER)
    anyio.run(acknowledged)


def test_vault_anchor_and_store_put_back_together_are_the_stated_limit(rig: Rig) -> None:
    """Documented: nothing on this machine can tell. The chain can: the nonce is used, so the old approval is dead."""
    anyio.run(used_up, rig)
    before = len(rig.signatures())
    rig.put_back(rig.directory.with_name("clean"))

    async def attack() -> None:
        async with rig.opened() as wallet:
            assert await wallet.refused("0.2") in {"superseded", "expired"} or len(rig.signatures()) == before

    anyio.run(attack)
    assert len(rig.signatures()) == before


def test_another_vaults_store_is_not_opened(rig: Rig, tmp_path: Path, chain: SimulatedChain) -> None:
    foreign = make_rig(tmp_path / "foreign", chain)
    shutil.copy2(foreign.files.database, rig.files.database)
    assert anyio.run(attacked, rig).startswith("tampered.")


def test_a_store_open_to_others_is_not_opened(rig: Rig) -> None:
    """Threat: T-071."""
    os.chmod(rig.files.database, 0o644)  # noqa: PTH101  # not following anything
    assert anyio.run(attacked, rig) == "misconfigured.permissions"


def test_tampering_that_leaves_the_store_writable_is_journalled(rig: Rig) -> None:
    async def attack() -> None:
        async with rig.opened() as wallet:
            refusal = await wallet.owned.guard.refusals.answer(Tampered("tampered.operation"))
            assert refusal.code == "tampered.operation"
            assert (await wallet.owned.custody.store.journal())[-1].fields["kind"] == Kind.TAMPERED

    anyio.run(attack)
    anyio.run(check_invariants, rig)
