"""The daemon as a process: readiness, signals, shut-down, a second one, kill -9, hardening, and silence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from mcp_wallet_guard import secret
from mcp_wallet_guard.daemon import hardening
from mcp_wallet_guard.daemon.client import ControlClient, DaemonClient
from mcp_wallet_guard.errors import Locked, Unavailable
from mcp_wallet_guard.exchange import Proposal
from mcp_wallet_guard.secret import Secret
from tests.daemon.memory_guard import INTENT, PASSPHRASE

ROOT = Path(__file__).resolve().parent.parent.parent


class Daemon:
    """A running daemon and what it said so far."""

    def __init__(self, process: Process) -> None:
        assert process.stderr is not None
        self.process = process
        self.said: list[str] = []
        self._lines = BufferedByteReceiveStream(process.stderr)

    async def until(self, word: str) -> str:
        with anyio.fail_after(20):
            while True:
                line = (await self._lines.receive_until(b"\n", 10_000)).decode()
                self.said.append(line)
                if line.startswith(word):
                    return line

    async def end(self) -> int:
        """Wait for its end; what it still said is kept. Its stdout was empty."""
        with anyio.fail_after(20):
            try:
                while True:
                    self.said.append((await self._lines.receive_until(b"\n", 10_000)).decode())
            except anyio.IncompleteRead:
                pass
            assert self.process.stdout is not None
            with pytest.raises(anyio.EndOfStream):
                await self.process.stdout.receive()
            return await self.process.wait()


def names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@asynccontextmanager
async def daemon(directory: Path, flaw: str = "") -> AsyncIterator[Daemon]:
    command = [sys.executable, "-m", "tests.daemon.guard_process", str(directory), flaw]
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PYTHONUNBUFFERED": "1"}
    async with await anyio.open_process(command, cwd=ROOT, env=environment) as process:
        try:
            yield Daemon(process)
        finally:
            if process.returncode is None:
                process.kill()


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_with_the_vault_locked_and_nothing_left_but_the_lock_file(
    directory: Path, sent: signal.Signals
) -> None:
    async with daemon(directory) as running:
        line = await running.until("ready")
        assert line.startswith("ready 4711")
        owner = ControlClient(directory)
        assert not (await owner.unlock(Secret(PASSPHRASE))).locked
        await running.until("tick")
        running.process.send_signal(sent)
        assert await running.end() == 0
        assert running.said[-1] == "closed locked"
        assert "page ended" in running.said
        with pytest.raises(Locked):
            await owner.control_status()
        await owner.aclose()
    assert names_in(directory) == ["guard.lock", "run"]
    assert names_in(directory / "run") == []


async def test_the_owner_shuts_it_down_over_control_sock_and_gets_the_answer_first(directory: Path) -> None:
    async with daemon(directory) as running:
        await running.until("ready")
        owner = ControlClient(directory)
        await owner.unlock(Secret(PASSPHRASE))
        await owner.shut_down()
        await owner.aclose()
        assert await running.end() == 0
        assert running.said[-1] == "closed locked"


async def test_a_second_daemon_says_that_one_is_running(directory: Path) -> None:
    async with daemon(directory) as first:
        await first.until("ready")
        async with daemon(directory) as second:
            await second.until("refused misconfigured.already_running")
            assert await second.end() == 6
        client = DaemonClient(directory)
        assert (await client.info()).locked
        await client.aclose()


async def test_after_kill_9_the_next_daemon_starts_and_the_same_client_goes_on(directory: Path) -> None:
    client, owner = DaemonClient(directory), ControlClient(directory)
    async with daemon(directory) as first:
        await first.until("ready")
        await owner.unlock(Secret(PASSPHRASE))
        async with anyio.create_task_group() as tasks:

            async def propose() -> None:
                proposal = Proposal(principal="local", tool="pay", intent=INTENT)
                with pytest.raises(Unavailable) as lost:
                    await client.propose(proposal, wait_seconds=30)
                assert lost.value.code == "unavailable.daemon"

            tasks.start_soon(propose)
            for _ in range(500):
                if await owner.requests():
                    break
                await anyio.sleep(0.02)
            first.process.kill()
    assert names_in(directory / "run") == ["control.sock", "mcp.sock"]  # nobody was left to tidy up
    with pytest.raises(Locked):
        await client.info()
    async with daemon(directory) as second:
        await second.until("ready")
        assert (await client.info()).locked
        await client.aclose()
        await owner.aclose()


async def test_hardening_is_in_force_in_the_daemon(directory: Path) -> None:
    """Threat: T-065."""
    async with daemon(directory) as running:
        line = await running.until("ready")
        assert "no_core_file" in line
        assert "(0, 0) 0o77" in line
        if sys.platform == "linux":
            assert "not_dumpable" in line
            assert "undumped_memory" in line


async def test_a_tick_that_is_refused_is_tried_again(directory: Path) -> None:
    async with daemon(directory, "tick refuses") as running:
        await running.until("ready")
        await running.until("tick")


async def test_a_tick_that_breaks_ends_the_service_with_the_vault_locked(directory: Path) -> None:
    async with daemon(directory, "tick breaks") as running:
        assert await running.end() == 1
        assert "closed locked" in running.said
        assert "RuntimeError: a bug" in running.said[-1]


def test_hardening_reports_what_the_system_does_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> None:
        raise AttributeError("no prctl here")

    def refused() -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(hardening, "_forbid_core_file", refused)
    monkeypatch.setattr(hardening, "_forbid_attaching", absent)
    monkeypatch.setattr(hardening, "_keep_files_private", lambda: None)
    monkeypatch.setattr(hardening, "_own_memory", tuple)
    done = hardening.harden()
    assert (done.applied, done.missing) == (("private_files",), ("no_core_file", "not_dumpable"))
    assert str(done).splitlines() == [
        "no_core_file: failed (Operation not permitted)",
        "not_dumpable: unsupported (no prctl here)",
        "private_files: active",
    ]


def quietly(monkeypatch: pytest.MonkeyPatch) -> hardening.Hardening:
    """Without what would change this process for good."""
    for step in ("_forbid_core_file", "_forbid_attaching", "_keep_files_private"):
        monkeypatch.setattr(hardening, step, lambda: None)
    return hardening.harden()


def test_secrets_that_are_made_after_hardening_lie_in_memory_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    heap = secret.Heap()
    monkeypatch.setattr(secret, "_memory", heap)
    done = quietly(monkeypatch)
    made = secret.Secret(b"made after hardening")
    assert isinstance(made._buffer, memoryview)
    assert made.equals(b"made after hardening")
    assert {measure.name for measure in done.measures} >= {"secret_memory", "locked_memory", "undumped_memory"}
    made.wipe()


def test_a_system_without_room_keeps_secrets_where_they_were_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise OSError(12, "Cannot allocate memory")

    heap = secret.Heap()
    monkeypatch.setattr(secret, "_memory", heap)
    monkeypatch.setattr(hardening, "OwnMemory", full)
    done = quietly(monkeypatch)
    assert done.missing == ("own_memory",)
    assert str(done).splitlines()[-1] == "own_memory: failed (Cannot allocate memory)"
    assert secret._memory is heap


READ_AS_NOBODY = textwrap.dedent(
    """
    import ctypes, os, sys
    from mcp_wallet_guard.daemon.hardening import harden
    os.setgid(65534); os.setuid(65534)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # as it is in a process that never changed its user
    if sys.argv[1] == "hardened":
        harden()
    if os.fork() == 0:
        try:
            open(f"/proc/{os.getppid()}/mem", "rb").close()
            print("read", flush=True)
        except PermissionError:
            print("refused", flush=True)
        os._exit(0)
    os.wait()
    """
)


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs /proc and root, to become another user")
def test_another_process_of_the_same_user_cannot_read_a_hardened_ones_memory() -> None:
    """Threat: T-065."""
    said = {
        how: subprocess.run(
            [sys.executable, "-c", READ_AS_NOBODY, how], cwd=ROOT / "src", capture_output=True, text=True, check=True
        ).stdout
        for how in ("plain", "hardened")
    }
    if said["plain"] == "refused\n":
        pytest.skip("this machine forbids the reader even without hardening")
    assert said == {"plain": "read\n", "hardened": "refused\n"}
