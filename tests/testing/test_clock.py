"""Scripted time, in one process and in several."""

from __future__ import annotations

import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from mcp_wallet_guard.errors import Unavailable
from mcp_wallet_guard.testing.clock import ScriptedClock, SharedClock

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_wallet_guard.evidence import Clock

START = 1_800_000_000


def test_time_moves_only_when_it_is_told_to(tmp_path: Path) -> None:
    clocks: list[ScriptedClock | SharedClock] = [
        ScriptedClock(START),
        SharedClock.create(tmp_path / "clock", start=START),
    ]
    for clock in clocks:
        kept: Clock = clock
        assert kept.now() == kept.now() == START
        clock.advance(30)
        assert kept.now() == START + 30
        clock.advance(-60)
        assert kept.now() == START - 30
        clock.set(START)
        assert kept.now() == START


def test_another_process_reads_the_same_second(tmp_path: Path) -> None:
    clock = SharedClock.create(tmp_path / "clock", start=START)
    program = (
        "import sys; from pathlib import Path; from mcp_wallet_guard.testing.clock import SharedClock; "
        "clock = SharedClock(Path(sys.argv[1])); print(clock.now()); clock.advance(5)"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "clock")], capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == [str(START)]
    assert clock.now() == START + 5


def test_its_file_is_the_owners_alone_and_leaves_no_drafts(tmp_path: Path) -> None:
    clock = SharedClock.create(tmp_path / "clock", start=START)
    clock.advance(1)
    assert [file.name for file in tmp_path.iterdir()] == ["clock"]
    assert stat.S_IMODE((tmp_path / "clock").stat().st_mode) == 0o600


def test_a_reader_never_sees_half_a_second(tmp_path: Path) -> None:
    clock = SharedClock.create(tmp_path / "clock", start=9)
    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(lambda: {clock.now() for _ in range(2000)}) for _ in range(2)]
        for second in range(200):
            clock.set(999_999_999 if second % 2 else 9)
        assert set().union(*(reader.result() for reader in readers)) <= {9, 999_999_999}


@pytest.mark.parametrize("text", [None, "", "12", "now\n", "-5\n", "1.5\n", "1\n2\n", "1" * 13 + "\n", "\u0661\n"])
def test_without_a_readable_second_there_is_no_time(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "clock").write_text(text, encoding="utf-8")
    with pytest.raises(Unavailable) as caught:
        SharedClock(tmp_path / "clock").now()
    assert caught.value.code == "unavailable.clock"


@pytest.mark.parametrize("second", [-1, 10**12])
def test_a_time_outside_of_history_is_not_written(tmp_path: Path, second: int) -> None:
    with pytest.raises(ValueError, match="unix seconds"):
        SharedClock.create(tmp_path / "clock", start=second)
