"""Whatever a guard does in whatever order, a store answers as a dict would."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mcp_wallet_guard.errors import Locked, Unavailable
from mcp_wallet_guard.evidence import AccountRow, FactorRow, PairingRow, Row
from mcp_wallet_guard.journal import chain
from mcp_wallet_guard.stores.sqlite import SqliteStore
from tests.stores.samples import NOW, event, row_key, sample

T = TypeVar("T")

KINDS: tuple[type[Row], ...] = (AccountRow, FactorRow, PairingRow)
kinds = st.sampled_from(KINDS)
keys = st.one_of(
    st.sampled_from(["a", "b", "ab"]), st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4)
)
steps = st.lists(st.tuples(kinds, keys, st.none() | st.integers(0, 2**40)), max_size=5)


class StoreAgainstDict(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.loop = asyncio.new_event_loop()
        self.path = Path(self.folder.name) / "state.db"
        self.store = SqliteStore(self.path)
        self.live: dict[tuple[type[Row], str], Row] = {}
        self.count = self.time = 0
        self.unsealed = False
        self.do(self.store.open())

    def do(self, call: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(call)

    @rule()
    def unseal(self) -> None:
        new = self.store.head is None and self.time == 0
        head = self.do(self.store.unseal(row_key(), now=NOW + self.time))
        self.count += 1 if new else 0
        self.time = max(self.time, 1) if new else self.time
        self.unsealed = True
        assert head.journal.index == self.count - 1

    @rule()
    def seal(self) -> None:
        self.do(self.store.seal())
        self.unsealed = False

    @rule()
    def restart(self) -> None:
        self.do(self.store.close())
        self.store = SqliteStore(self.path)
        self.do(self.store.open())
        self.unsealed = False

    @rule()
    def journal_while_locked(self) -> None:
        self.do(self.store.append_unsealed(event("unsealed")))
        self.count += 1

    @precondition(lambda self: not self.unsealed)
    @rule()
    def transact_while_locked(self) -> None:
        with pytest.raises(Locked):
            self.do(self.store.transact(lambda tx: tx.append(event()), now=NOW + self.time))

    @precondition(lambda self: self.unsealed)
    @rule(steps=steps, later=st.integers(-90, 50), fails=st.booleans(), events=st.integers(1, 3))
    def transact(self, steps: list[tuple[type[Row], str, int | None]], later: int, fails: bool, events: int) -> None:
        after = dict(self.live)

        def work(tx: Any) -> None:
            for kind, key, version in steps:
                assert tx.get(kind, key) == after.get((kind, key))
                if version is None:
                    tx.drop(kind, key)
                    after.pop((kind, key), None)
                else:
                    tx.put(sample(kind, key, version))
                    after[kind, key] = sample(kind, key, version)
            for _ in range(events):
                tx.append(event())
            for kind in KINDS:
                assert tx.all(kind) == tuple(row for (of, _), row in sorted_rows(after) if of is kind)
            if fails:
                raise RuntimeError

        highest = self.store.head.highest_time if self.store.head else 0
        try:
            self.do(self.store.transact(work, now=highest + later))
        except RuntimeError:
            return
        self.live, self.count = after, self.count + events
        self.time = max(self.time, highest + later - NOW)

    @precondition(lambda self: self.unsealed)
    @rule()
    def come_too_late(self) -> None:
        assert self.store.head is not None
        with pytest.raises(Unavailable):
            self.do(self.store.transact(lambda tx: None, now=self.store.head.highest_time - 91))

    @invariant()
    def what_is_live_is_what_the_dict_says(self) -> None:
        if not self.unsealed:
            return

        def work(tx: Any) -> None:
            tx.check_live()
            for kind in KINDS:
                assert tx.all(kind) == tuple(row for (of, _), row in sorted_rows(self.live) if of is kind)

        assert self.store.head is not None
        self.do(self.store.transact(work, now=self.store.head.highest_time))

    @invariant()
    def the_journal_is_a_chain(self) -> None:
        entries = self.do(self.store.journal())
        assert len(entries) == self.count
        tip = chain.verify(entries)
        assert self.store.head is None or self.store.head.journal == tip

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.do(self.store.close())
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.close()
            self.folder.cleanup()


def sorted_rows(rows: dict[tuple[type[Row], str], Row]) -> list[tuple[tuple[type[Row], str], Row]]:
    return sorted(rows.items(), key=lambda item: item[0][1])


StoreAgainstDict.TestCase.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
test_a_store_answers_as_a_dict_would = StoreAgainstDict.TestCase
