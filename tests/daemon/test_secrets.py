"""A passphrase on its way to the guard: one buffer, wiped, in no log, no repr, no error."""

from __future__ import annotations

import gc
import logging
from pathlib import Path

import anyio
import pytest

from mcp_wallet_guard.daemon.client import ControlClient
from mcp_wallet_guard.daemon.server import Limits
from mcp_wallet_guard.errors import GuardError, RateLimited, VaultError
from mcp_wallet_guard.secret import Secret
from tests.daemon.memory_guard import CODE, PASSPHRASE, MemoryGuard, served

WRONG = b"a very wrong passphrase that is unique to this test"


async def test_the_guards_copy_is_wiped_after_use_and_the_callers_stays_its_own(
    directory: Path, guard: MemoryGuard
) -> None:
    owner, passphrase = ControlClient(directory), Secret(PASSPHRASE)
    async with served(guard, directory):
        await owner.unlock(passphrase)
        await owner.unlock_factor(passphrase, code=CODE)
        with pytest.raises(VaultError):
            await owner.unlock(Secret(WRONG))
        await owner.aclose()
    assert len(guard.passphrases) == 2
    for received in guard.passphrases:
        with pytest.raises(ValueError, match="wiped"), received.reveal():
            pass
    assert passphrase.equals(PASSPHRASE)


async def test_no_passphrase_or_code_is_logged_or_shown(
    directory: Path, guard: MemoryGuard, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Threat: T-057, T-064."""
    caplog.set_level(logging.DEBUG)
    owner = ControlClient(directory)
    async with served(guard, directory):
        with pytest.raises(VaultError) as refused:
            await owner.unlock(Secret(WRONG))
        with pytest.raises(GuardError) as rejected:
            await owner.unlock_factor(Secret(WRONG), code="918273")
        await owner.aclose()
    shown = capfd.readouterr()
    everything = caplog.text + shown.out + shown.err + repr(refused.value) + repr(rejected.value)
    everything += refused.value.detail + rejected.value.detail + repr(vars(owner)) + repr(guard.passphrases)
    assert WRONG.decode() not in everything
    assert "918273" not in everything
    assert shown.out == ""


async def test_no_buffer_of_the_transport_holds_the_passphrase_after_the_call(
    directory: Path, guard: MemoryGuard
) -> None:
    owner = ControlClient(directory)
    async with served(guard, directory):
        with pytest.raises(VaultError):
            await owner.unlock(Secret(WRONG))
        kept = [each for each in gc.get_objects() if isinstance(each, bytearray | memoryview) and WRONG in bytes(each)]
        assert kept == []
        await owner.aclose()


async def test_a_passphrase_that_came_with_one_call_too_many_is_wiped_unused(
    directory: Path, guard: MemoryGuard, monkeypatch: pytest.MonkeyPatch
) -> None:
    wiped: list[int] = []
    wipe = Secret.wipe

    def note(secret: Secret) -> None:
        wiped.append(len(secret))
        wipe(secret)

    guard.lock_hold = anyio.Event()
    owner = ControlClient(directory)
    async with served(guard, directory, limits=Limits(in_flight=1)), anyio.create_task_group() as tasks:
        tasks.start_soon(owner.lock)
        await guard.lock_began.wait()
        monkeypatch.setattr(Secret, "wipe", note)
        with pytest.raises(RateLimited):
            await owner.unlock(Secret(PASSPHRASE))
        assert wiped == [len(PASSPHRASE)]
        guard.lock_hold.set()
    assert guard.passphrases == []
    await owner.aclose()


async def test_a_call_that_its_client_cannot_stop_still_ends(directory: Path, guard: MemoryGuard) -> None:
    guard.lock_hold = anyio.Event()
    owner = ControlClient(directory)
    async with served(guard, directory, limits=Limits(finish_seconds=0.2)):
        with pytest.raises(GuardError) as late:
            await owner.lock()
        assert late.value.code == "unavailable.daemon"
        await owner.aclose()
