"""The demonstration, as a person starts it: what it says, how it ends, and that it can fail."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mcp_wallet_guard.testing.demo.telling import Story, Unexpected

COMMAND = [sys.executable, "-m", "mcp_wallet_guard.cli.main", "demo"]
SHOWN = [
    "balance: 1 ETH",
    "refused (locked)",
    "the wallet is unlocked",
    "pending: The owner must approve this",
    "mode 0600",
    "Send 0.1 ETH to 0x7070707070707070707070707070707070707070",
    "done (mined): The payment was signed, sent and mined.",
    "payee 0.1 ETH",
    "Send 25 USDC to 0x7070707070707070707070707070707070707070",
    "payee 25 USDC, wallet 975 USDC",
    "refused (invalid_input.unknown_argument)",
    "accepted 1 times; pending",
    "refused (declined)",
    "done (mined, repeated)",
    "This approval was used already. One approval signs once.",
    "another operation, without an approval; pending",
    "refused (policy.cap)",
    "refused (policy.imitation)",
    "The result did not pass the outbound filter.",
    "The tool failed.",
    "12, 12",
    "The code was not accepted.",
    "refused (tampered.row)",
    "The guard's journal was changed from outside.",
    '"keyed": true',
    "4 transactions, 4 approvals",
]
"""What the transcript says, in this order."""


@dataclass(frozen=True)
class Told:
    """One run of the demonstration: how it ended, the CPU seconds of all its processes, its own temporary folder."""

    done: subprocess.CompletedProcess[str]
    cpu_seconds: float
    folder: Path


@pytest.fixture(scope="module")
def told() -> Iterator[Told]:
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as name:
        began = _children_seconds()
        done = subprocess.run(
            COMMAND, env={**os.environ, "TMPDIR": name}, capture_output=True, text=True, check=False, timeout=600
        )
        yield Told(done, _children_seconds() - began, Path(name))


@pytest.mark.slow
def test_the_demonstration_holds_in_every_step_and_in_time(told: Told) -> None:
    done = told.done

    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout
    held, expected = re.findall(r"(\d+) of (\d+) expectations held", done.stdout)[0]
    assert held == expected == str(done.stdout.count("  ok      "))
    assert told.cpu_seconds < 60  # under two minutes on one core, with a margin


@pytest.mark.slow
def test_the_demonstration_says_each_step_with_its_reason_in_order(told: Told) -> None:
    said, at = told.done.stdout, 0
    for words in SHOWN:
        assert words in said[at:], f"{words!r} is missing, or comes too early"
        at = said.index(words, at) + len(words)


@pytest.mark.slow
def test_the_demonstration_leaves_no_file_and_no_process(told: Told) -> None:
    assert told.done.returncode == 0
    assert list(told.folder.iterdir()) == []
    assert [path for path in Path("/proc").glob("[0-9]*/cmdline") if str(told.folder) in _read(path)] == []


def test_an_expectation_that_does_not_hold_is_told_kept_and_ends_the_story() -> None:
    said: list[str] = []
    story = Story(say=said.append)
    story.expect(True, "what holds", seen="it does")

    with pytest.raises(Unexpected):
        story.expect(False, "what does not hold", seen="it does not")

    assert [step.ok for step in story.steps] == [True, False]
    assert "  FAILED  what does not hold" in said


@pytest.mark.slow
def test_the_demonstration_fails_where_no_daemon_can_be_started(tmp_path: Path) -> None:
    """A folder whose name is too long for sockets: the guard cannot serve, and the demonstration must not claim it."""
    long = tmp_path / ("a-name-that-is-too-long-for-sockets" * 4)
    long.mkdir()
    script = (
        f"import sys, tempfile; tempfile.tempdir = {str(long)!r};"
        "from mcp_wallet_guard.cli.main import main; sys.exit(main(['demo', '--json']))"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=600)

    assert done.returncode != 0
    assert "error" in json.loads(done.stdout)
    assert list(long.iterdir()) == []


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""
