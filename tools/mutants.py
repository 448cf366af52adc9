"""Mutation testing: change one thing in a room, run that room's own tests, and see whether they notice.

    python tools/mutants.py [--workers 2] [--room policy] [--all] [--show] [--minutes 8]

A mutant is one small edit of a syntax tree (`mutations.py`), module-level tables and decorated methods included,
since the state table of the ceremony and the sealed classes of the proofs are such. For each room the unedited tests
run once, with the lines that each test reaches recorded. Then each mutant gets a forked process that imports the
edited module instead of the file and runs only the tests that reach the edited line, until one fails.

When a room has more than `MOST` mutants a sample is taken: the `MOST` smallest by SHA-256 of (file, place, edit), the
same on every machine. An edit that changes nothing observable is excused in mutants_excused.toml, with the reason.
At least `BAR` of the mutants must be killed in each room, and all rooms together must be done within `MINUTES`.
docs/adr/0004-own-mutation-runner.md says why not mutmut.
"""

from __future__ import annotations

import argparse
import ast
import math
import os
import sys
import time
import tomllib
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Literal

from mutation_process import FAULT, Baseline, end_with, import_rooms, kill, measure, run_mutant, warm_up
from mutations import Mutation, mutations

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGE: Final = ROOT / "src" / "mcp_wallet_guard"
# From the bottom up, each with the rooms below it that it uses: those are imported once, before forking, which is
# sound because the import contracts forbid them to know the room that is edited.
ROOMS: Final = {
    "journal": ("errors", "danger", "secret", "operations", "evidence"),
    "proofs": ("journal",),
    "policy": ("proofs", "clearsign"),
    "ceremony": ("policy",),
}
MOST: Final = 80  # mutants of one room, unless --all
BAR: Final = 0.90
MINUTES: Final = 8.0  # for every room's sample, on two cores; a step that grows beyond it would soon be left out
SLOWEST_FACTOR: Final = 5.0  # a mutant that takes this much longer than the unedited tests hangs: it is killed

Verdict = Literal["killed", "survived", "unreached", "excused"]


@dataclass(frozen=True, slots=True)
class Mutant:
    file: Path
    mutation: Mutation

    @property
    def name(self) -> str:
        return f"{self.file.relative_to(PACKAGE).as_posix()}:{self.mutation.label}"


def main() -> int:
    parser = argparse.ArgumentParser(description="Mutation testing of the deciding rooms.")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--room", action="append", choices=ROOMS, help="only this room (may be repeated)")
    parser.add_argument("--all", action="store_true", help="every mutant instead of the sample")
    parser.add_argument("--show", action="store_true", help="print each mutant with its verdict")
    parser.add_argument(
        "--minutes", type=float, help=f"stop and fail after so long (default {MINUTES:g}; --all: never)"
    )
    arguments = parser.parse_args()

    usual = math.inf if arguments.all else MINUTES
    minutes = usual if arguments.minutes is None else arguments.minutes
    judge = partial(
        judge_room,
        workers=arguments.workers,
        sample=not arguments.all,
        show=arguments.show,
        excused=read_excuses(),
        deadline=time.monotonic() + minutes * 60,
    )
    warm_up()
    results = []
    for room, below in ROOMS.items():
        import_rooms(below)
        if not arguments.room or room in arguments.room:
            try:
                results.append(judge(room))
            except TimeoutError:
                sys.exit(f"{room}: not done {minutes:g} minutes after the start: BELOW the bar")
    return 0 if all(results) else 1


def judge_room(room: str, *, workers: int, sample: bool, excused: dict[str, str], show: bool, deadline: float) -> bool:
    """Print the room's figure and its survivors; say whether the bar is met. Raises TimeoutError."""
    tests = ROOT / "tests" / room
    files = room_files(room)
    if not files or not any(tests.glob("test_*.py")):
        print(f"{room}: no module or no unit tests in tests/{room}: BELOW the bar")
        return False
    started = time.monotonic()
    baseline = measure(tests, deadline=deadline)
    if baseline is None:
        print(f"{room}: the tests fail without any mutant")
        return False
    everything = [Mutant(file, m) for file in files for m in mutations(file.read_text(encoding="utf-8"))]
    chosen = sorted(everything, key=lambda m: m.mutation.digest(m.name))[:MOST] if sample else everything
    verdicts = run_all(chosen, baseline=baseline, tests=tests, workers=workers, excused=excused, deadline=deadline)

    count = Counter(verdicts.values())
    judged = len(verdicts) - count["excused"]
    share = count["killed"] / judged if judged else 1.0
    print(
        f"{room}: {count['killed']} of {judged} mutants killed = {share:.1%} (bar {BAR:.0%});"
        f" {len(everything)} possible,"
        f" {count['excused']} excused, {count['unreached']} reached by no test; {time.monotonic() - started:.0f} s",
        flush=True,
    )
    for mutant in sorted(verdicts, key=lambda m: (m.name, m.mutation.line)):
        verdict = verdicts[mutant]
        if show or verdict in {"survived", "unreached"}:
            print(f"  {verdict:<9} line {mutant.mutation.line:<4} {mutant.name}")
    return share >= BAR


def room_files(room: str) -> list[Path]:
    single = PACKAGE / f"{room}.py"
    return [single] if single.exists() else sorted(p for p in (PACKAGE / room).rglob("*.py") if p.name != "__init__.py")


def run_all(
    mutants: list[Mutant],
    *,
    baseline: Baseline,
    tests: Path,
    workers: int,
    excused: dict[str, str],
    deadline: float,
) -> dict[Mutant, Verdict]:
    """Run each mutant in a forked process, `workers` at a time. Raises TimeoutError; no process outlives the call."""
    verdicts: dict[Mutant, Verdict] = {}
    running: dict[int, tuple[Mutant, float]] = {}
    limit = 10.0 + SLOWEST_FACTOR * baseline.seconds
    waiting = list(reversed(mutants))
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                mutant = waiting.pop()
                reaching = baseline.reaching(mutant.file, mutant.mutation.line)
                if mutant.name in excused:
                    verdicts[mutant] = "excused"
                elif not reaching:
                    verdicts[mutant] = "unreached"
                else:
                    running[fork_mutant(mutant, tests=tests, only=reaching)] = (mutant, time.monotonic() + limit)
            collect(running, verdicts)
            if time.monotonic() > deadline:
                raise TimeoutError
    finally:
        for child in running:
            kill(child)
    return verdicts


def fork_mutant(mutant: Mutant, *, tests: Path, only: frozenset[str]) -> int:
    def work() -> int:
        tree = mutant.mutation.apply(ast.parse(mutant.file.read_text(encoding="utf-8")))
        return run_mutant(mutant.file, tree, tests=tests, only=only)

    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        end_with(work)
    return child


def collect(running: dict[int, tuple[Mutant, float]], verdicts: dict[Mutant, Verdict]) -> None:
    """Take in what has ended; end what takes too long (a mutant may loop for ever: noticed, so killed)."""
    for child, (mutant, latest) in list(running.items()):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            del running[child]
            if os.waitstatus_to_exitcode(status) == FAULT:
                sys.exit(f"{mutant.name}: could not be judged")
            verdicts[mutant] = "survived" if status == 0 else "killed"
        elif time.monotonic() > latest:
            del running[child]
            kill(child)
            verdicts[mutant] = "killed"
    time.sleep(0.01)


def read_excuses() -> dict[str, str]:
    """Mutant -> reason. An excuse without a reason, or for a mutant that no longer exists, ends the run."""
    excuses: dict[str, str] = tomllib.loads((ROOT / "tools" / "mutants_excused.toml").read_text(encoding="utf-8"))
    known = {
        Mutant(file, m).name for room in ROOMS for file in room_files(room) for m in mutations(file.read_text("utf-8"))
    }
    for name, reason in excuses.items():
        if len(reason) < 20 or name not in known:
            sys.exit(f"mutants_excused.toml: {name}: {'no such mutant' if name not in known else 'no reason'}")
    return excuses


if __name__ == "__main__":
    sys.exit(main())
