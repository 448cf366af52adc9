"""One guard per directory; sockets that nobody else made, owns or reaches; peers of this user only. Threat: T-110."""

from __future__ import annotations

import os
import socket
import stat
import struct
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from mcp_wallet_guard.daemon import sockets
from mcp_wallet_guard.daemon.client import ControlClient, DaemonClient
from mcp_wallet_guard.daemon.lock import GuardLock
from mcp_wallet_guard.daemon.server import DaemonServer
from mcp_wallet_guard.errors import GuardError, Misconfigured, Unavailable
from mcp_wallet_guard.secret import Secret
from tests.daemon.memory_guard import PASSPHRASE, MemoryGuard, served

NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def refused(call: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(Misconfigured) as error:
        call()
    return error.value.code, error.value.detail


# --- the lock -----------------------------------------------------------------------------------------------------


def test_a_second_guard_of_one_directory_is_refused_and_the_first_keeps_the_lock(directory: Path) -> None:
    with GuardLock(directory) as first:
        assert refused(GuardLock(directory).acquire)[0] == "misconfigured.already_running"
        assert refused(first.acquire)[0] == "misconfigured.already_running"
        first.check_held()
    with GuardLock(directory):
        assert stat.S_IMODE((directory / "guard.lock").stat().st_mode) == 0o600


def test_a_lock_that_is_not_held_does_not_pass_for_one(directory: Path) -> None:
    lock = GuardLock(directory)
    assert refused(lock.check_held)[0] == "misconfigured.already_running"
    lock.acquire()
    lock.release()
    lock.release()
    assert refused(lock.check_held)[0] == "misconfigured.already_running"


def test_the_kernel_releases_the_lock_of_a_killed_guard(directory: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD_LOCK, str(directory)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    assert refused(GuardLock(directory).acquire)[0] == "misconfigured.already_running"
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with GuardLock(directory):
        pass


HOLD_LOCK = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from mcp_wallet_guard.daemon.lock import GuardLock
    with GuardLock(Path(sys.argv[1])):
        print("held", flush=True)
        time.sleep(60)
    """
)


def test_a_lock_file_that_is_a_link_is_refused_and_what_it_points_to_is_left_alone(directory: Path) -> None:
    """Threat: T-071."""
    (directory / "guard.lock").symlink_to(directory / "elsewhere")
    assert refused(GuardLock(directory).acquire)[0] == "misconfigured.permissions"
    assert not (directory / "elsewhere").exists()


def test_a_lock_file_that_others_may_lock_is_refused(directory: Path) -> None:
    """Threat: T-071."""
    (directory / "guard.lock").touch(mode=0o600)
    (directory / "guard.lock").chmod(0o644)
    code, detail = refused(GuardLock(directory).acquire)
    assert code == "misconfigured.permissions"
    assert "chmod 600" in detail


def test_a_lock_file_that_is_a_folder_or_a_pipe_is_refused(directory: Path) -> None:
    """Threat: T-071."""
    (directory / "guard.lock").mkdir()
    assert refused(GuardLock(directory).acquire)[0] == "misconfigured.permissions"
    (directory / "guard.lock").rmdir()
    os.mkfifo(directory / "guard.lock", 0o600)
    assert refused(GuardLock(directory).acquire)[0] == "misconfigured.permissions"


def test_a_lock_file_replaced_under_its_holder_no_longer_counts(directory: Path) -> None:
    with GuardLock(directory) as lock:
        (directory / "guard.lock").unlink()
        (directory / "guard.lock").touch(mode=0o600)
        assert "replaced" in refused(lock.check_held)[1]


def test_without_a_directory_there_is_no_vault_to_lock(directory: Path) -> None:
    assert refused(GuardLock(directory / "absent").acquire)[0] == "misconfigured.vault_missing"


# --- the sockets --------------------------------------------------------------------------------------------------


async def test_folder_and_sockets_are_closed_to_others_under_any_umask(directory: Path, guard: MemoryGuard) -> None:
    before = os.umask(0)
    try:
        async with served(guard, directory):
            modes = {path.name: stat.S_IMODE(path.lstat().st_mode) for path in (directory / "run").iterdir()}
            assert modes == {"mcp.sock": 0o600, "control.sock": 0o600}
            assert stat.S_IMODE((directory / "run").stat().st_mode) == 0o700
    finally:
        os.umask(before)
    assert list((directory / "run").iterdir()) == []


async def test_sockets_that_a_killed_guard_left_are_replaced(directory: Path, guard: MemoryGuard) -> None:
    (directory / "run").mkdir(mode=0o700)
    for name, mode in (("mcp.sock", 0o600), ("mcp.new", 0o755), ("control.sock", 0o600)):
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(directory / "run" / name))
        (directory / "run" / name).chmod(mode)
    async with served(guard, directory):
        client = DaemonClient(directory)
        assert (await client.info()).locked
        await client.aclose()


async def test_a_second_daemon_does_not_touch_the_sockets_of_the_first(directory: Path, guard: MemoryGuard) -> None:
    async with served(guard, directory):
        before = (directory / "run" / "mcp.sock").lstat().st_ino
        second = DaemonServer(MemoryGuard(), directory=directory, lock=GuardLock(directory))
        with pytest.raises(Misconfigured) as error:
            await second.serve()
        assert error.value.code == "misconfigured.already_running"
        assert (directory / "run" / "mcp.sock").lstat().st_ino == before
        client = DaemonClient(directory)
        assert (await client.info()).locked
        await client.aclose()


async def test_the_lock_of_another_directory_serves_nothing(directory: Path, guard: MemoryGuard) -> None:
    (directory / "other").mkdir(mode=0o700)
    with GuardLock(directory / "other") as lock, pytest.raises(Misconfigured):
        await DaemonServer(guard, directory=directory, lock=lock).serve()
    assert not (directory / "run").exists()


def loosen_run(directory: Path) -> None:
    (directory / "run").mkdir(mode=0o700)
    (directory / "run").chmod(0o750)


def link_run(directory: Path) -> None:
    (directory / "elsewhere").mkdir(mode=0o700)
    (directory / "run").symlink_to(directory / "elsewhere")


def file_for_run(directory: Path) -> None:
    (directory / "run").touch(mode=0o600)


def file_for_socket(directory: Path) -> None:
    (directory / "run").mkdir(mode=0o700)
    (directory / "run" / "mcp.sock").write_text("precious", encoding="utf-8")
    (directory / "run" / "mcp.sock").chmod(0o600)


def link_for_socket(directory: Path) -> None:
    (directory / "run").mkdir(mode=0o700)
    (directory / "run" / "mcp.sock").symlink_to(directory / "elsewhere")


def loose_socket(directory: Path) -> None:
    (directory / "run").mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(directory / "run" / "mcp.sock"))
    (directory / "run" / "mcp.sock").chmod(0o666)


def everything_in(directory: Path) -> list[tuple[Path, int]]:
    return sorted((path, path.lstat().st_mode) for path in directory.rglob("*"))


TRAPS = [loosen_run, link_run, file_for_run, file_for_socket, link_for_socket, loose_socket]


@pytest.mark.parametrize("trap", TRAPS)
async def test_the_server_refuses_what_it_did_not_make_and_repairs_nothing(
    directory: Path, guard: MemoryGuard, trap: Callable[[Path], None]
) -> None:
    trap(directory)
    before = everything_in(directory)
    with GuardLock(directory) as lock:
        server = DaemonServer(guard, directory=directory, lock=lock)
        with pytest.raises(Misconfigured) as error:
            await server.serve()
    assert error.value.code == "misconfigured.permissions"
    (directory / "guard.lock").unlink()
    assert everything_in(directory) == before


@pytest.mark.parametrize("trap", [loosen_run, link_run, file_for_socket, link_for_socket, loose_socket])
async def test_the_client_sends_nothing_to_a_place_that_others_can_change(
    directory: Path, trap: Callable[[Path], None]
) -> None:
    trap(directory)
    if trap in {loosen_run, link_run}:
        left = socket.socket(socket.AF_UNIX)
        left.bind(str(directory / "run" / "mcp.sock"))
        left.close()
        (directory / "run" / "mcp.sock").chmod(0o600)
    with pytest.raises(Misconfigured) as error:
        await DaemonClient(directory).info()
    assert error.value.code == "misconfigured.permissions"


async def test_a_vault_folder_that_others_can_write_to_serves_nothing(directory: Path, guard: MemoryGuard) -> None:
    with GuardLock(directory) as lock:
        os.chmod(directory, 0o777)  # noqa: PTH101
        with pytest.raises(Misconfigured) as error:
            await DaemonServer(guard, directory=directory, lock=lock).serve()
    assert "other users can change this folder" in error.value.detail


async def test_a_path_that_the_system_cannot_hold_is_refused_with_advice(directory: Path, guard: MemoryGuard) -> None:
    deep = directory / ("d" * 90)
    deep.mkdir(mode=0o700)
    with GuardLock(deep) as lock, pytest.raises(Misconfigured) as error:
        await DaemonServer(guard, directory=deep, lock=lock).serve()
    assert "shorter name" in error.value.detail
    with pytest.raises(Misconfigured):
        await DaemonClient(deep).info()
    assert not (deep / "run").exists()


async def test_the_longest_path_that_the_system_can_hold_works(directory: Path, guard: MemoryGuard) -> None:
    room = sockets.SUN_PATH - len(os.fsencode(directory / "x" / "run" / "control.sock")) + 1
    deep = directory / ("d" * room)
    deep.mkdir(mode=0o700)
    async with served(guard, deep):
        owner = ControlClient(deep)
        assert (await owner.control_status()).locked
        await owner.aclose()


async def test_a_guard_that_takes_no_connection_is_unavailable(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_wallet_guard.daemon.link.HELLO_SECONDS", 0.3)
    (directory / "run").mkdir(mode=0o700)
    path = directory / "run" / "mcp.sock"
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(path))
        path.chmod(0o600)
        deaf.listen(0)
        for _ in range(2):  # the first fills its queue, the second does not get in
            with pytest.raises(Unavailable) as error:
                await DaemonClient(directory).info()
            assert error.value.code == "unavailable.daemon"


# --- who is at the other end --------------------------------------------------------------------------------------


@pytest.fixture
def pair() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair(socket.AF_UNIX)


def test_the_kernels_word_about_the_peer_is_checked(pair: tuple[socket.socket, socket.socket]) -> None:
    with pair[0], pair[1]:
        assert sockets.peer_uid(pair[0]) == os.geteuid()
        sockets.check_peer(pair[0])
        assert refused(lambda: sockets.check_peer(pair[0], expected=os.geteuid() + 1))[0] == "misconfigured.permissions"


def test_a_peer_that_the_system_cannot_name_is_refused(pair: tuple[socket.socket, socket.socket]) -> None:
    for end in pair:
        end.close()
    assert refused(lambda: sockets.check_peer(pair[0]))[0] == "misconfigured.permissions"


@pytest.mark.parametrize("uid", [0, 1000, 65534, 2**32 - 2])
def test_every_uid_but_ones_own_is_refused(uid: int, monkeypatch: pytest.MonkeyPatch) -> None:
    class Peer(socket.socket):
        def getsockopt(self, *_: object) -> bytes:  # type: ignore[override]
            return struct.pack("iII", 1, uid, 0)

    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    with Peer(socket.AF_UNIX) as peer:
        assert refused(lambda: sockets.check_peer(peer))[0] == "misconfigured.permissions"
        sockets.check_peer(peer, expected=uid)


def test_a_system_that_knows_no_getpeereid_is_refused_rather_than_trusted(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    with pair[0], pair[1]:
        if sys.platform == "linux":
            with pytest.raises(OSError, match="does not tell"):
                sockets.getpeereid(pair[0])
        else:
            assert sockets.getpeereid(pair[0]) == os.geteuid()


CONNECT_AS_NOBODY = textwrap.dedent(
    """
    import os, socket, sys
    os.setgid(65534); os.setuid(65534)
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(5)
    peer.connect(sys.argv[1])
    try:
        peer.sendall(bytes.fromhex(sys.argv[2]))
        print(peer.recv(100))
    except (ConnectionResetError, BrokenPipeError):
        print(b"")
    """
)


@needs_root
async def test_another_user_who_reaches_the_socket_is_hung_up_on_without_a_word(
    directory: Path, guard: MemoryGuard, caplog: pytest.LogCaptureFixture
) -> None:
    hello = b'\x00\x00\x00\x24{"hello":{"role":"mcp","version":1}}'
    async with served(guard, directory):
        for path, mode in ((directory, 0o755), (directory / "run", 0o755), (directory / "run" / "mcp.sock", 0o666)):
            path.chmod(mode)
        result = await anyio.run_process(
            [sys.executable, "-S", "-c", CONNECT_AS_NOBODY, str(directory / "run" / "mcp.sock"), hello.hex()]
        )
        assert result.stdout == b"b''\n"
    assert "another user" in caplog.text


LISTEN_AS_NOBODY = textwrap.dedent(
    """
    import os, socket, sys
    os.setgid(65534); os.setuid(65534)
    server = socket.socket(socket.AF_UNIX)
    server.bind(sys.argv[1]); os.chmod(sys.argv[1], 0o600); server.listen()
    print("listening", flush=True)
    peer, _ = server.accept()
    print(peer.recv(1000), flush=True)
    """
)


@needs_root
@pytest.mark.parametrize("disguised", [False, True])
async def test_a_passphrase_never_reaches_the_socket_of_another_user(directory: Path, disguised: bool) -> None:
    run = directory / "run"
    run.mkdir(mode=0o700)
    os.chmod(directory, 0o755)  # noqa: PTH101
    os.chown(run, NOBODY, NOBODY)
    path = run / "control.sock"
    async with await anyio.open_process([sys.executable, "-S", "-c", LISTEN_AS_NOBODY, str(path)]) as listener:
        assert listener.stdout is not None
        said = BufferedByteReceiveStream(listener.stdout)
        assert await said.receive_until(b"\n", 100) == b"listening"
        if disguised:  # folder and socket look right, only the kernel knows who listens
            os.chown(run, 0, 0)
            os.chown(path, 0, 0)
        with pytest.raises(GuardError) as error:
            await ControlClient(directory).unlock(Secret(PASSPHRASE))
        assert error.value.code == "misconfigured.permissions"
        if disguised:
            assert await said.receive_until(b"\n", 100) == b"b''"
        else:
            listener.kill()
        await listener.wait()
