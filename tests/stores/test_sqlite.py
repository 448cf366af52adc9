"""What a store promises to the guard: all or nothing, one at a time, in order of time, nothing without a key."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from mcp_wallet_guard.errors import Locked, Misconfigured, Unavailable
from mcp_wallet_guard.evidence import ROWS, AccountRow, FactorRow, Row
from mcp_wallet_guard.journal import chain
from mcp_wallet_guard.journal.chain import Entry
from mcp_wallet_guard.journal.events import Kind
from mcp_wallet_guard.stores.base import CLOCK_TOLERANCE_SECONDS
from mcp_wallet_guard.stores.sqlite import SqliteStore
from mcp_wallet_guard.stores.tables import MAX_INT
from tests.database import execute
from tests.stores.samples import (
    NOW,
    account,
    checking,
    contents,
    dropping,
    event,
    opened,
    row_key,
    sample,
    writing,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mcp_wallet_guard.stores.base import StateStore, Transaction

pytestmark = pytest.mark.anyio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def chain_from(tx: Transaction, *, since: int) -> tuple[Entry, ...]:
    return tx.check_entries(since)


def about(tx: Transaction, *, subject: str) -> tuple[Entry, ...]:
    return tx.entries(subject)


async def read(store: StateStore, kind: type[Row], key: str) -> Row | None:
    return await store.transact(lambda tx: tx.get(kind, key), now=NOW)


# --- transactions -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ROWS, ids=lambda kind: str(kind.table))
async def test_a_row_that_was_put_is_there_in_this_process_and_the_next(path: Path, kind: type[Row]) -> None:
    store = await opened(path)
    await store.transact(writing(sample(kind, "k"), sample(kind, "j", 4)), now=NOW)
    await store.transact(writing(sample(kind, "k", 2)), now=NOW)
    for _ in range(2):
        assert await read(store, kind, "k") == sample(kind, "k", 2)
        assert await read(store, kind, "none") is None
        both = (sample(kind, "j", 4), sample(kind, "k", 2))
        assert await store.transact(lambda tx: tx.all(kind), now=NOW) == both
        await store.close()
        store = await opened(path)
    await store.transact(dropping(kind, "k"), now=NOW)
    assert await read(store, kind, "k") is None
    await store.close()
    store = await opened(path)
    assert await read(store, kind, "k") is None
    await store.close()


async def test_a_transaction_sees_what_it_wrote_and_others_do_not_before_it_ends(path: Path) -> None:
    store = await opened(path)
    await store.transact(writing(account("a", 1), account("b", 1)), now=NOW)

    def work(tx: Transaction) -> tuple[Any, ...]:
        tx.put(account("a", 2))
        tx.put(account("c", 3))
        tx.drop(AccountRow, "b")
        tx.put(account("d", 4))
        tx.drop(AccountRow, "d")
        tx.append(event())
        return tx.get(AccountRow, "a"), tx.get(AccountRow, "b"), tx.all(AccountRow)

    after = (account("a", 2), account("c", 3))
    assert await store.transact(work, now=NOW) == (account("a", 2), None, after)
    assert await store.transact(lambda tx: tx.all(AccountRow), now=NOW) == after
    await store.close()


async def test_work_that_raises_leaves_nothing_behind(path: Path) -> None:
    store = await opened(path)
    await store.transact(writing(account("a", 1)), now=NOW)
    head, commits, bytes_before = store.head, store.commits, contents(path)

    def work(tx: Transaction) -> None:
        tx.put(account("a", 2))
        tx.append(event())
        raise KeyError("no")

    with pytest.raises(KeyError):
        await store.transact(work, now=NOW)
    assert (store.head, store.commits, contents(path)) == (head, commits, bytes_before)
    assert await read(store, AccountRow, "a") == account("a", 1)
    await store.close()


async def test_rows_do_not_change_without_a_journal_entry(path: Path) -> None:
    store = await opened(path)
    with pytest.raises(ValueError, match="appends an event"):
        await store.transact(lambda tx: tx.put(account()), now=NOW)
    with pytest.raises(KeyError):
        await store.transact(lambda tx: tx.get(Row, "x"), now=NOW)
    assert await read(store, AccountRow, "acc") is None
    await store.close()


@pytest.mark.parametrize(
    "row",
    [
        AccountRow(account="a", next_nonce=MAX_INT + 1),
        AccountRow(account="a", next_nonce=True),
        AccountRow(account="a", next_nonce=1.5),  # type: ignore[arg-type]
        AccountRow(account="a", next_nonce=None),  # type: ignore[arg-type]
        AccountRow(account="\ud800", next_nonce=1),
        AccountRow(account=b"a", next_nonce=1),  # type: ignore[arg-type]
    ],
)
async def test_a_value_that_a_column_does_not_hold_is_refused_at_once(path: Path, row: Row) -> None:
    store = await opened(path)
    with pytest.raises(ValueError, match="not a valid row of accounts"):
        await store.transact(writing(row), now=NOW)
    await store.close()


async def test_the_last_entry_of_a_transaction_names_the_rows_that_changed(path: Path) -> None:
    store = await opened(path)
    await store.transact(writing(account("gone")), now=NOW)

    def work(tx: Transaction) -> None:
        tx.append(event("op-1", kind=Kind.APPROVED))
        tx.put(account("new"))
        tx.drop(AccountRow, "gone")
        tx.drop(AccountRow, "never")
        tx.append(event("op-1", kind=Kind.CONSUMED))

    await store.transact(work, now=NOW)
    first, last = await store.transact(lambda tx: tx.entries("op-1"), now=NOW)
    ((entry, mac),) = execute(path, "SELECT entry, mac FROM accounts")
    assert first.fields["rows"] == []
    assert last.fields["rows"] == [["accounts", "new", mac.hex()], ["accounts", "gone", None]]
    assert entry == last.index
    await store.close()


async def test_a_transaction_that_ended_cannot_be_used(path: Path) -> None:
    store = await opened(path)
    kept: list[Transaction] = []
    await store.transact(kept.append, now=NOW)

    def failing(tx: Transaction) -> None:
        kept.append(tx)
        raise KeyError

    with pytest.raises(KeyError):
        await store.transact(failing, now=NOW)
    uses: list[Callable[[Transaction], object]] = [
        lambda tx: tx.get(AccountRow, "a"), lambda tx: tx.all(AccountRow), lambda tx: tx.put(account()),
        lambda tx: tx.drop(AccountRow, "a"), lambda tx: tx.append(event()), lambda tx: tx.entries("x"),
        lambda tx: tx.check_live(), lambda tx: tx.check_entries(0),
    ]  # fmt: skip
    for tx in kept:
        for use in uses:
            with pytest.raises(ValueError, match="has ended"):
                use(tx)
    await store.close()


async def test_reading_writes_nothing_and_is_no_commit(path: Path) -> None:
    store = await opened(path)
    commits, before = store.commits, contents(path)
    await store.transact(lambda tx: tx.get(AccountRow, "a"), now=NOW + 50)
    await store.transact(checking, now=NOW + 50)
    assert (store.commits, contents(path)) == (commits, before)
    await store.transact(writing(account()), now=NOW)
    assert store.commits == commits + 1
    await store.close()


async def test_a_transaction_may_journal_without_changing_a_row(path: Path) -> None:
    store = await opened(path)
    await store.transact(lambda tx: tx.append(event("read-1")), now=NOW)
    (entry,) = await store.transact(lambda tx: tx.entries("read-1"), now=NOW)
    assert entry.fields["sealed"] is True
    await store.close()


async def test_the_chain_is_checked_from_any_index(path: Path) -> None:
    store = await opened(path)
    for number in range(4):
        await store.transact(writing(account("a", number)), now=NOW)
    assert store.head is not None
    for since in (-3, 0, 1, 4):
        checked = await store.transact(partial(chain_from, since=since), now=NOW)
        assert [entry.index for entry in checked] == list(range(max(since, 0), 5))
        assert checked[-1].head == store.head.journal
    assert await store.transact(lambda tx: tx.check_entries(5), now=NOW) == ()
    await store.close()


# --- the key ------------------------------------------------------------------------------------------------------


async def test_a_new_store_draws_its_id_and_journals_it(path: Path) -> None:
    store = await opened(path, draw=lambda count: bytes(range(count)))
    assert store.head is not None
    assert store.head.store_id == bytes(range(16)).hex()
    assert (store.head.journal.index, store.head.live_sum, store.head.highest_time) == (0, bytes(32), NOW)
    (entry,) = await store.journal()
    assert (entry.fields["kind"], entry.fields["data"]) == ("store.created", {"store_id": store.head.store_id})
    head = store.head
    await store.close()
    again = await opened(path)
    assert again.head == head
    assert again.commits == 0
    await again.close()


async def test_two_new_stores_have_two_ids(tmp_path: Path) -> None:
    one, two = await opened(tmp_path / "one.db"), await opened(tmp_path / "two.db")
    assert one.head is not None
    assert two.head is not None
    assert one.head.store_id != two.head.store_id
    await one.close()
    await two.close()


async def test_without_the_key_only_unsealed_entries_are_written(path: Path) -> None:
    store = SqliteStore(path)
    with pytest.raises(Unavailable):
        await store.append_unsealed(event())
    with pytest.raises(Unavailable):
        await store.unseal(row_key(), now=NOW)
    await store.open()
    await store.open()
    assert store.head is None
    with pytest.raises(Locked):
        await store.transact(lambda tx: None, now=NOW)
    await store.append_unsealed(event("started"))
    await store.append_unsealed(event("refused"))
    await store.unseal(row_key(), now=NOW)
    await store.seal()
    await store.seal()
    assert store.head is None
    with pytest.raises(Locked):
        await store.transact(lambda tx: None, now=NOW)
    await store.append_unsealed(event("locked"))
    entries = await store.journal()
    assert [entry.fields["sealed"] for entry in entries] == [False, False, True, False]
    assert chain.verify(entries) == entries[-1].head
    await store.close()
    again = await opened(path)
    assert again.head is not None
    assert again.head.journal == entries[-1].head
    await again.transact(lambda tx: tx.check_entries(0), now=NOW)
    await again.close()


async def test_an_unsealed_entry_of_an_unlocked_store_is_sealed(path: Path) -> None:
    """A lock and an unlock may cross: the chain stays whole."""
    store = await opened(path)
    await store.append_unsealed(event("late"))
    (entry,) = await store.transact(lambda tx: tx.entries("late"), now=NOW)
    assert entry.fields["sealed"] is True
    await store.close()


async def test_unlocking_twice_is_unlocking_anew(path: Path) -> None:
    store = await opened(path)
    await store.transact(writing(account()), now=NOW)
    head = store.head
    assert await store.unseal(row_key(), now=NOW) == head
    assert await read(store, AccountRow, "acc") == account()
    await store.close()


async def test_a_closed_store_can_be_closed_and_opened_again(path: Path) -> None:
    store = await opened(path)
    await store.close()
    await store.close()
    with pytest.raises(Unavailable):
        await store.transact(lambda tx: None, now=NOW)
    await store.open()
    await store.unseal(row_key(), now=NOW)
    await store.close()


# --- the clock ----------------------------------------------------------------------------------------------------


async def test_time_never_goes_back_inside_a_transaction(path: Path) -> None:
    store = await opened(path)
    await store.transact(writing(account()), now=NOW + 100)
    assert await store.transact(lambda tx: tx.now, now=NOW + 40) == NOW + 100
    assert await store.transact(lambda tx: tx.now, now=NOW + 101) == NOW + 101
    await store.transact(writing(account()), now=NOW + 40)
    assert store.head is not None
    assert store.head.highest_time == NOW + 100
    await store.close()


async def test_a_clock_too_far_behind_the_highest_time_seen_stops_everything(path: Path) -> None:
    """T-016: an approval that expired does not come back to life with the clock."""
    store = await opened(path)
    await store.transact(writing(account()), now=NOW + 1000)
    late = NOW + 1000 - CLOCK_TOLERANCE_SECONDS
    assert await store.transact(lambda tx: tx.now, now=late) == NOW + 1000
    head = store.head
    for work in (writing(account("b")), lambda tx: None):
        with pytest.raises(Unavailable) as caught:
            await store.transact(work, now=late - 1)
        assert caught.value.code == "unavailable.clock"
    assert store.head == head
    await store.seal()
    with pytest.raises(Unavailable) as caught:
        await store.unseal(row_key(), now=late - 1)
    assert caught.value.code == "unavailable.clock"
    assert store.head is None
    assert (await store.unseal(row_key(), now=late)) == head
    await store.close()


# --- opening ------------------------------------------------------------------------------------------------------


async def test_a_file_of_a_newer_release_is_left_alone(path: Path) -> None:
    await (await opened(path)).close()
    execute(path, "INSERT INTO migrations VALUES (2)")
    with pytest.raises(Misconfigured):
        await SqliteStore(path).open()
    execute(path, "DELETE FROM migrations WHERE version = 2")
    await (await opened(path)).close()


async def test_unlocking_reads_no_more_of_a_longer_journal(path: Path) -> None:
    """Counted in entries that are read, since time says little on a busy machine."""
    store = await opened(path)
    for number in range(60):
        await store.transact(writing(sample(FactorRow, "f", number)), now=NOW)
    await store.close()
    statements: list[str] = []
    again = SqliteStore(path, faults=statements.append)
    await again.open()
    execute(path, "UPDATE journal SET body = X'00' WHERE entry < 59")  # unread, so unnoticed here
    statements.clear()
    await again.unseal(row_key(), now=NOW)
    assert sum(each.startswith("before:select journal") for each in statements) == 1
    await again.close()
