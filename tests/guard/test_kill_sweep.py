"""kill -9 at each step of every flow that writes; then a restart on the same files, and the flow's honest end.

A step is a writing SQL statement, a commit, or a call that changes a file beside the store: anchor, vault, link. A
child of its own is killed at each one, on a copy of one prepared wallet. `test_crash` does the same with the payment.
Threat: T-009, T-016, T-070, T-072, T-079, T-081, T-091, T-092, T-099.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import os
import random
import secrets
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, final

import anyio
import pytest

from mcp_wallet_guard import setup
from mcp_wallet_guard.assembly import build_guard
from mcp_wallet_guard.journal.events import Kind
from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.policy.rules import Payee
from mcp_wallet_guard.testing.chain import SimulatedChain
from mcp_wallet_guard.testing.clock import ScriptedClock
from mcp_wallet_guard.testing.person import Authenticator
from mcp_wallet_guard.testing.wallet import passphrase
from tests import database
from tests.guard.kill_acts import ACTS
from tests.guard.kill_doors import DOORS
from tests.guard.kill_flows import QUESTIONS, Flow, Kept
from tests.guard.kill_spends import SPENDS
from tests.guard.kill_statements import STATEMENTS
from tests.guard.rig import ETHER, Rig, Wallet, make_rig
from tests.invariants import check_guard
from tests.processes import die, in_child

FLOWS: Final = QUESTIONS | SPENDS | DOORS | ACTS | STATEMENTS
WRITES: Final = ("insert", "update", "delete")
DRAFTS: Final = (".new", ".part")
CHANGES: Final = ("open", "write", "pwrite", "rename", "replace", "link", "unlink")


@final
class Steps:
    """Counts the steps of a child and kills it at number `at`. Between two steps no file changes, so `before` is
    needed for a transaction's first write alone, since what is no file comes in between: signatures, broadcasts."""

    def __init__(self, at: int | None) -> None:
        self.at, self.armed, self.names, self._first = at, False, list[str](), True

    def __call__(self, name: str) -> None:
        when, _, statement = name.partition(":")
        if name == "before:begin":
            self._first = True
        elif (statement.startswith(WRITES) and (when == "after" or self._first)) or name == "after:commit":
            self._first = False
            self.reach(name)

    def reach(self, name: str) -> None:
        if self.armed:
            self.names.append(name)
            if len(self.names) - 1 == self.at:
                die()

    def watch_files(self) -> None:
        """For a child: count what Python itself changes on the disk. SQLite's own calls are its statements'."""
        for name in CHANGES:
            setattr(os, name, functools.partial(self._changing, name, getattr(os, name)))

    def _changing(self, name: str, real: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        result = real(*arguments, **more)
        about = Path(arguments[0]).name if isinstance(arguments[0], str | Path) else ""
        # A draft that is empty is as good as one that is written: nobody reads either.
        if name != "open" or (arguments[1] & os.O_CREAT and not about.endswith(DRAFTS)):
            self.reach(f"after:{name} {about}")
        return result


@final
class Stage:
    """One prepared wallet and chain, from which every kill of a flow starts."""

    def __init__(self, folder: Path, chain: SimulatedChain, flow: Flow) -> None:
        self._folder, self._chain, self._flow, self._kept = folder, chain, flow, Kept()
        self._seen: dict[bytes, str] = {}
        with pytest.MonkeyPatch.context() as patch:
            if not flow.sealed:
                patch.setattr(setup, "put_in_force", _nothing)
            payee = Address.from_bytes(b"\x11" + secrets.token_bytes(19))
            contacts = [Payee(name="Bob", address=payee)] if flow.made.knows_payee else []
            self._rig = make_rig(folder / "prepared", chain, contacts=contacts, more=flow.made.more, payee=payee)
        if flow.sealed:
            anyio.run(self._prepare)
        if flow.dies is not None:
            assert in_child(lambda: anyio.run(self._die))
        evm: Any = chain._evm
        assert not evm._pool
        self._chain_then = evm._backend.take_snapshot(), dict(evm._mined), chain.sent.copy()

    def steps(self) -> list[str]:
        """The names of a flow's steps, from a child that lives."""
        rig, names = self._begin("counted"), self._folder / "names"

        def count() -> None:
            steps = Steps(None)
            self._act(rig, steps)
            names.write_text("\n".join(steps.names), "utf-8")

        assert not in_child(count)
        return names.read_text("utf-8").splitlines()

    def killed_at(self, at: int) -> str:
        """Kill a child at step `at`, restart, and take the flow to its end. The stage that the kill left."""
        rig = self._begin(str(at))
        assert in_child(lambda: self._act(rig, Steps(at))), "the child came to its end"
        left = self._left(rig)
        if left not in self._seen:
            self._seen[left] = anyio.run(self._restart, rig)
        shutil.rmtree(rig.directory.parent)
        return self._seen[left]

    def _left(self, rig: Rig) -> bytes:
        """A digest of all that a restart can go by: the other files, what the chain got, and what SQLite gives back
        of the database, which is the same for each kill within a transaction. Equal bytes need one restart."""
        looked, digest = self._folder / "looked", hashlib.sha256(repr(sorted(self._chain.sent.items())).encode())
        shutil.rmtree(looked, ignore_errors=True)
        shutil.copytree(rig.directory.parent, looked)
        store = looked / "wallet" / "state.db"
        for table in ("sqlite_schema", *database.tables(store)):
            rows = sorted(map(repr, database.execute(store, f"SELECT * FROM {table}")))
            digest.update(repr((table, rows)).encode())
        for path in sorted(looked.rglob("*")):
            if path.is_file() and not path.name.startswith("state.db"):
                digest.update(repr((path.relative_to(looked), path.read_bytes())).encode())
        return digest.digest()

    def _begin(self, name: str) -> Rig:
        """The wallet as it was prepared, in a folder of its own; the chain put back to then, and arranged."""
        chain, evm, folder = self._chain, self._chain._evm, self._folder / name
        snapshot, mined, sent = self._chain_then
        chain.honest()
        with evm.lock:
            if evm._backend.take_snapshot() != snapshot:
                evm._backend.revert_to_snapshot(snapshot)
            evm._pool.clear()
            evm._mined.clear()
            evm._mined.update(mined)
        chain.sent.clear()
        chain.sent.update(sent)
        if self._flow.arrange is not None:
            self._flow.arrange(chain)
        shutil.copytree(self._rig.directory.parent, folder)
        clock, made = ScriptedClock(self._rig.clock.now()), self._rig.made
        vault_path = folder / "wallet" / made.loaded.vault_path.name
        loaded = replace(made.loaded, path=folder / "wallet" / made.loaded.path.name, vault_path=vault_path)
        authenticator = Authenticator(made.new.factor_secret, clock)
        made = replace(made, loaded=loaded, clock=clock, authenticator=authenticator)
        return replace(self._rig, made=made, clock=clock)

    # --- in children ----------------------------------------------------------------------------------------------

    def _act(self, rig: Rig, steps: Steps) -> None:
        steps.watch_files()
        random._urandom = random.Random(0).randbytes  # type: ignore[attr-defined]  # each child draws the same
        anyio.run(self._act_alone if self._flow.alone else self._act_opened, rig, steps)

    async def _act_opened(self, rig: Rig, steps: Steps) -> None:
        async with rig.opened(unlock=False, faults=steps, misbehave=self._flow.misbehave) as wallet:
            with_links(wallet)
            steps.armed = self._flow.from_unlock
            await wallet.owned.unlock(passphrase())
            steps.armed = True
            await self._flow.act(wallet, self._kept)
            steps.armed = False

    async def _act_alone(self, rig: Rig, steps: Steps) -> None:
        assert self._flow.alone is not None
        setup.build_guard = functools.partial(build_guard, faults=steps)  # type: ignore[attr-defined]
        steps.armed = True
        await self._flow.alone(rig, self._kept)

    async def _die(self) -> None:
        assert self._flow.dies is not None
        async with self._rig.opened() as wallet:
            await self._flow.dies(wallet)

    # --- in this process ------------------------------------------------------------------------------------------

    async def _prepare(self) -> None:
        async with self._rig.opened() as wallet:
            with_links(wallet)
            self._kept.update(await self._flow.prepare(wallet))

    async def _restart(self, rig: Rig) -> str:
        """What the owner and the agent do next: nothing is read as tampering, and a new payment has its way."""
        self._chain.honest()
        rig.clock.advance(self._flow.seconds)
        stage = await self._flow.again(rig, self._kept) if self._flow.again else None
        async with rig.opened(unlock=False) as wallet:
            with_links(wallet)
            status = await wallet.owned.unlock(passphrase())
            assert (status.blocked, status.locked) == (None, False)
            await check_guard(rig, wallet.owned)
            stage = await self._flow.after(wallet, self._kept) if stage is None else stage
            rig.clock.advance(660)
            await wallet.paid(reference="twin")
            await self._check_end(rig, wallet)
        return stage

    async def _check_end(self, rig: Rig, wallet: Wallet) -> None:
        report = await check_guard(rig, wallet.owned)
        assert report.count(Kind.TAMPERED) == 0
        entries = [entry.fields for entry in await wallet.owned.custody.store.journal()]
        consumed = Counter(e["data"]["digest"] for e in entries if e["kind"] == Kind.CONSUMED)
        assert Counter(rig.signatures()) <= consumed, "one approval was signed twice"
        signed = {
            e["subject"]: "0x" + e["data"]["transaction_hash"]
            for e in entries
            if e["kind"] == Kind.SIGNED and "transaction_hash" in e["data"]  # a statement is not sent
        }
        ends = {e["subject"]: e["data"]["outcome"] for e in entries if e["kind"] == Kind.SETTLED}
        assert signed.keys() <= ends.keys(), "something signed did not come to its end"
        kept = {signed[operation] for operation in signed if ends[operation] != "replaced"}
        assert kept == rig.sent(), "something signed was lost, or something else was sent"
        asked = {e["subject"]: e["data"]["intent"] for e in entries if "intent" in e["data"]}
        wei = {operation: _wei(asked[operation]) for operation in signed}
        assert rig.paid() == sum(wei[operation] for operation in signed if ends[operation] != "replaced")


def _wei(intent: str) -> int:
    return int(Decimal(json.loads(intent)["amount"]) * ETHER)


async def _nothing(*_: object, **__: object) -> None:
    return None


def with_links(wallet: Wallet) -> None:
    wallet.owned.desk.link_url = lambda operation, secret: f"http://127.0.0.1:1/p/{operation}/{secret}"


@pytest.mark.slow
@pytest.mark.parametrize("name", FLOWS)
def test_a_kill_at_any_step_is_no_tampering_signs_nothing_twice_and_loses_nothing(
    tmp_path: Path, chain: SimulatedChain, name: str
) -> None:
    """After each kill the flow stands before or after one of its stages, in their order, and never goes back."""
    flow = FLOWS[name]
    stage = Stage(tmp_path, chain, flow)
    names = stage.steps()
    found = []
    for at, step in enumerate(names):
        try:
            found.append(stage.killed_at(at))
        except BaseException as error:
            error.add_note(f"{name}: killed at step {at} of {len(names)}, {step}")
            raise
    assert tuple(key for key, _ in itertools.groupby(found)) == flow.stages, list(zip(names, found, strict=True))
