"""Secrets lie in memory that the process owns, once, and are gone after use. Threat: T-064, T-065."""

from __future__ import annotations

import ctypes
import hashlib
import mmap
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_wallet_guard import secret as secrets
from mcp_wallet_guard.keys import memory, mnemonic
from mcp_wallet_guard.keys.memory import SIZES, Measure, OwnMemory, State
from mcp_wallet_guard.secret import Secret, keep_secrets_in
from tests.keys.vaults import new_vault, secrets_of, unlock
from tests.processes import in_child

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
VALUE = hashlib.sha256(b"a secret").digest()


@pytest.fixture
def own() -> Iterator[OwnMemory]:
    made = OwnMemory()
    before = keep_secrets_in(made)
    yield made
    keep_secrets_in(before)


def free(own: OwnMemory) -> int:
    return sum(map(len, own._free.values()))


def everything(own: OwnMemory) -> bytes:
    return bytes(memoryview(own._map))


def shown(secret: Secret) -> bytes:
    with secret.reveal() as view:
        return bytes(view)


def test_a_secret_lies_in_the_memory_that_was_chosen_and_nowhere_after_it_was_wiped(own: OwnMemory) -> None:
    secret = Secret(VALUE)
    assert everything(own).count(VALUE) == 1
    assert shown(secret) == VALUE
    secret.wipe()
    assert not any(everything(own))
    assert free(own) == sum(SIZES.values())


def test_a_secret_that_is_forgotten_is_wiped(own: OwnMemory) -> None:
    secret = Secret(VALUE)
    assert VALUE in everything(own)
    del secret
    assert not any(everything(own))
    assert free(own) == sum(SIZES.values())


def test_a_secret_is_written_where_it_will_lie(own: OwnMemory) -> None:
    def write(view: memoryview) -> None:
        view[:] = VALUE
        assert everything(own).count(VALUE) == 1

    assert shown(Secret.written(32, write)) == VALUE

    def fail(view: memoryview) -> None:
        write(view)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        Secret.written(32, fail)
    assert not any(everything(own))


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 5000), st.booleans()), max_size=60))
def test_no_two_secrets_share_a_byte_and_all_places_come_back(steps: list[tuple[int, bool]]) -> None:
    own = OwnMemory()
    before = keep_secrets_in(own)
    try:
        living: list[tuple[Secret, bytes]] = []
        for number, (size, wipe) in enumerate(steps):
            value = hashlib.shake_256(bytes([number])).digest(size)
            living.append((Secret(value), value))
            if wipe:
                gone, _ = living.pop(len(living) // 2)
                gone.wipe()
            assert all(shown(secret) == value for secret, value in living)
        for secret, _ in living:
            secret.wipe()
        assert free(own) == sum(SIZES.values())
        assert not any(everything(own))
    finally:
        keep_secrets_in(before)


def test_more_secrets_than_there_is_room_for_are_kept_all_the_same(own: OwnMemory) -> None:
    living = [Secret(VALUE) for _ in range(sum(SIZES.values()) + 5)]
    assert free(own) == 0
    assert all(secret.equals(VALUE) for secret in living)
    large = Secret(bytes(range(256)) * 17)
    assert len(large) == 4352
    for secret in living:
        secret.wipe()
    assert free(own) == sum(SIZES.values())


def test_a_view_of_a_wiped_secret_never_shows_another_one(own: OwnMemory) -> None:
    """Who wipes a secret that is in sight must not open a window onto the next one in the same place."""
    secret = Secret(VALUE)
    with secret.reveal() as view:
        secret.wipe()
        others = [Secret(VALUE) for _ in range(SIZES[64] - 1)]
        assert bytes(view) == bytes(32)
        assert free(own) == sum(SIZES.values()) - SIZES[64]
    del others
    assert free(own) == sum(SIZES.values())


@LINUX
@pytest.mark.parametrize("kind", ["secret", "plain"])
def test_a_forked_process_cannot_touch_its_parent_s_secrets(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind == "plain":
        monkeypatch.setattr(memory, "_secret_pages", absent)
    own = OwnMemory()
    before = keep_secrets_in(own)
    try:
        secret = Secret(VALUE)

        def child() -> None:
            secret.wipe()
            assert Secret(b"the child's own").equals(b"the child's own")

        assert not in_child(child)
        assert secret.equals(VALUE)
        assert free(own) == sum(SIZES.values()) - 1
        secret.wipe()
    finally:
        keep_secrets_in(before)


def absent(size: int) -> mmap.mmap:
    raise NotImplementedError("no memfd_secret here")


def flags_of(own: OwnMemory) -> set[str]:
    """What the kernel says of the pages."""
    address, inside = ctypes.addressof(ctypes.c_char.from_buffer(own._map)), False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        bounds = re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line)
        if bounds is not None:
            inside = int(bounds[1], 16) <= address < int(bounds[2], 16)
        if inside and line.startswith("VmFlags:"):
            return set(line.split()[1:])
    raise AssertionError("the kernel does not know these pages")


@LINUX
@pytest.mark.parametrize("kind", ["secret", "plain"])
def test_what_is_said_to_be_active_is_what_the_kernel_says(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind == "plain":
        monkeypatch.setattr(memory, "_secret_pages", absent)
    own = OwnMemory()
    states = {measure.name: measure.state for measure in own.measures}
    flags = flags_of(own)
    assert list(states) == ["secret_memory", "locked_memory", "undumped_memory"]
    assert ("lo" in flags) == (states["locked_memory"] is State.ACTIVE)
    assert ("dd" in flags) == (states["undumped_memory"] is State.ACTIVE)
    assert states["undumped_memory"] is State.ACTIVE
    if kind == "plain":
        assert str(own.measures[0]) == "secret_memory: unsupported (no memfd_secret here)"


def test_a_measure_that_did_not_work_is_never_called_active(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    for step in ("_secret_pages", "_lock", "_leave_out_of_core_files"):
        monkeypatch.setattr(memory, step, refused)
    own = OwnMemory()
    assert own.measures == tuple(
        Measure(name, State.FAILED, "Cannot allocate memory")
        for name in ("secret_memory", "locked_memory", "undumped_memory")
    )
    before = keep_secrets_in(own)
    assert Secret(VALUE).equals(VALUE)
    keep_secrets_in(before)


class Refusing:
    """A C library of a system that refuses both calls with `number`."""

    def __init__(self, number: int) -> None:
        self._number = number

    def syscall(self, *_: object) -> int:
        ctypes.set_errno(self._number)
        return -1

    mlock = syscall


@LINUX
@pytest.mark.parametrize(
    ("number", "said"),
    [
        (38, ["secret_memory: unsupported (this kernel has no memfd_secret)", "locked_memory: failed"]),
        (1, ["secret_memory: failed (Operation not permitted)", "locked_memory: failed (Operation not permitted)"]),
    ],
)
def test_a_kernel_that_refuses_leaves_plain_pages(
    number: int, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_libc", lambda: Refusing(number))
    own = OwnMemory()
    assert [str(measure)[: len(line)] for measure, line in zip(own.measures, said, strict=False)] == said
    assert bytes(own.take(32)) == bytes(32)


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (NotImplementedError("not on this system"), State.UNSUPPORTED, "not on this system"),
        (NotImplementedError(), State.UNSUPPORTED, "this system has no such call"),
        (AttributeError("no mlock"), State.UNSUPPORTED, "no mlock"),
        (OSError(1, "Operation not permitted"), State.FAILED, "Operation not permitted"),
        (OSError(), State.FAILED, "refused"),
        (ValueError("it stayed as it was"), State.FAILED, "it stayed as it was"),
    ],
)
def test_each_way_of_not_working_is_told_apart(error: Exception, state: State, reason: str) -> None:
    def attempt() -> None:
        raise error

    assert memory.measured("name", attempt) == Measure("name", state, reason)
    assert memory.measured("name", lambda: None) == Measure("name", State.ACTIVE)


def test_a_vault_works_in_memory_of_its_own(own: OwnMemory, tmp_path: Path) -> None:
    made = new_vault(tmp_path / "vault.json")
    made.lock()
    assert not any(everything(own))
    again = unlock(tmp_path / "vault.json")
    assert set(secrets_of(again)) == {"main", "phone"}
    with again._vmk.reveal() as view:
        assert everything(own).count(bytes(view)) == 1
    again.lock()
    assert not any(everything(own))


def test_the_heap_is_what_a_process_begins_with() -> None:
    assert type(secrets._memory) is secrets.Heap


class Memory:
    """All that can be read of another process' memory, through /proc."""

    def __init__(self, pid: int) -> None:
        self.parts: list[bytes] = []
        self.closed = 0
        with Path(f"/proc/{pid}/maps").open() as maps, Path(f"/proc/{pid}/mem").open("rb", buffering=0) as mem:
            for line in maps:
                start, end = (int(part, 16) for part in line.split()[0].split("-"))
                if "w" not in line.split()[1]:
                    continue
                try:
                    mem.seek(start)
                    self.parts.append(mem.read(end - start))
                except OSError:
                    self.closed += 1

    def count(self, needle: bytes) -> int:
        return sum(part.count(needle) for part in self.parts)


@LINUX
def test_after_ten_signatures_no_key_is_in_the_memory_of_the_process(tmp_path: Path) -> None:
    """The same scan finds it where it is: once in a buffer that is in use, not at all in secret memory, and where a
    naive wallet leaves it."""
    vault, needles = wallet(tmp_path)
    with subprocess.Popen(
        [sys.executable, ROOT / "tests" / "keys" / "signing_process.py", vault],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as child:  # fmt: skip
        assert child.stdin is not None
        assert child.stdout is not None
        found: dict[str, dict[str, int]] = {}
        closed = {}
        for line in child.stdout:
            try:
                seen = Memory(child.pid)
            except PermissionError:
                pytest.skip("this machine forbids the reader")
            how = line.split()[0]
            found[how] = {name: seen.count(needle) for name, needle in needles.items()}
            closed[how] = seen.closed
            if how == "own" and "secret_memory" in line:
                assert closed["own"] == closed["signed"] + 1
                assert found["own"]["key"] == 0
            child.stdin.write("\n")
            child.stdin.flush()
    assert child.returncode == 0
    assert set(found) == {"signed", "own", "heap", "wiped", "naive"}
    assert not any(found["signed"].values())
    assert found["heap"]["key"] == 1
    assert not any(found["wiped"].values())
    assert found["naive"]["key"] >= 1


def wallet(folder: Path) -> tuple[Path, dict[str, bytes]]:
    """A vault, and the forms in which its key and its entropy must not be found: raw, reversed as in a number, hex."""
    folder.chmod(0o700)
    made = new_vault(folder / "vault.json")
    entry = made.entries[0]
    made.remove_entry(entry.id)
    made.remove_entry(made.entries[0].id)
    said = mnemonic.describe_account(Secret(VALUE), index=0, language="english")
    made.add_entry(kind=entry.kind, label="main", metadata=said, secret=Secret(VALUE), created_at=0)
    made.save()
    key = shown(mnemonic.account_key(Secret(VALUE), said))
    needles: dict[str, bytes] = {}
    for name, raw in {"key": key, "entropy": VALUE}.items():
        needles |= {name: raw, f"{name} reversed": raw[::-1], f"{name} in hex": raw.hex().encode()}
    return folder / "vault.json", needles
