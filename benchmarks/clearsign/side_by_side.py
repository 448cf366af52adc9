"""Our engine beside every public renderer that can be had: cases passed and milliseconds a case, the losses too.

    python benchmarks/clearsign/side_by_side.py [--folder FOLDER] [--python PYTHON] [--rounds N]

The cases are those of the public registry where it lies beside the repository; without it there is nothing to compare.
Each renderer gets the same calls and the same descriptors, and is warm: one round is run before those that count. None
of them is a dependency of this repository: they are installed into a temporary folder, in the versions below, and what
cannot be had is "not run". A case is passed when intent, labels, and values are those that the registry expects.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
HERE: Final = Path(__file__).parent / "others"
CLEARSIG: Final = "clearsig==0.4.0"
SDK: Final = ("@erc7730/sdk@0.1.3", "viem@2.21.0")
SECONDS: Final = 600


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one renderer did. `milliseconds` is wall-clock time a case, the median of the rounds' means."""

    name: str
    cases: int
    passed: int | None = None
    labels: int | None = None
    milliseconds: float | None = None
    note: str = ""


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare renderers of calls.")
    parser.add_argument("--folder", type=Path, help="where the others are installed; a temporary one without it")
    parser.add_argument("--python", help="a Python 3.13 or later, for clearsig; looked for on PATH without it")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    from tests.clearsign.descriptors import registry

    if not registry.FILE.exists():
        print("the registry's cases are not here: nothing to compare")
        return 0
    with tempfile.TemporaryDirectory() as made:
        folder = arguments.folder or Path(made)
        folder.mkdir(exist_ok=True)
        work = prepared(folder, registry, arguments.rounds)
        rows = [*ours(registry, arguments.rounds), *decoders(work, arguments.rounds)]
        rows += [clearsig(folder, work, python=arguments.python), sdk(folder, work)]
        rows.append(Row(name="erc7730 (PyPI)", cases=len(work["calls"]), note="a linter: renders nothing"))
    print_table(rows)
    return 0


def prepared(folder: Path, registry: Any, rounds: int) -> dict[str, Any]:
    """The calls and descriptors as files for the others, and what they are told beside them."""
    tree = folder / "registry-checkout"
    for name, raw in registry.files().items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
    calls = []
    for each in registry.cases():
        if "rawTx" not in each.raw:
            continue
        chain, to, value, data = registry.transaction(each.raw["rawTx"])
        calls.append(
            {
                "chain": chain, "to": "0x" + to.hex(), "value": str(value), "data": "0x" + data.hex(),
                "from": each.raw.get("from"), "expected": each.expected,
                "descriptor": json.loads(registry.files()[registry.descriptor_of(each.name)]),
            }
        )  # fmt: skip
    work = {"calls": calls, "rounds": rounds, "tree": str(tree)}
    (folder / "work.json").write_text(json.dumps(work))
    return work


def ours(registry: Any, rounds: int) -> list[Row]:
    """Calls and messages apart: the others have no messages."""
    from mcp_wallet_guard.clearsign.descriptors.index import Index

    index = Index(registry.files())
    every = list(registry.cases())
    rows = []
    for name, some in (
        ("mcp-wallet-guard, calls", [each for each in every if "rawTx" in each.raw]),
        ("mcp-wallet-guard, messages", [each for each in every if "rawTx" not in each.raw]),
    ):
        jobs = [each.job(index) for each in some]
        told = [job() for job in jobs]
        passed = sum(is_expected(registry, one, each.expected) for one, each in zip(told, some, strict=True))
        rows.append(
            Row(name=name, cases=len(some), passed=passed, labels=passed, milliseconds=paced(jobs, rounds=rounds))
        )
    return rows


def is_expected(registry: Any, told: Any, expected: Any) -> bool:
    if told is None:
        return False
    shape = registry.shape(told)
    return all(shape.get(key) == value for key, value in expected.items() if key in shape)


def decoders(work: dict[str, Any], rounds: int) -> list[Row]:
    """Decoding alone, of the calls whose function the registry's own key names: what a renderer does first."""
    from eth_abi.abi import decode as eth_abi_decode

    from mcp_wallet_guard.errors import InvalidInput
    from mcp_wallet_guard.operations.abi import decode, parse_function

    mine: list[Callable[[], Any]] = []
    eth_abis: list[Callable[[], Any]] = []
    for call in work["calls"]:
        data = bytes.fromhex(call["data"][2:])
        for key in call["descriptor"].get("display", {}).get("formats", {}):
            try:
                function = parse_function(key.strip())
            except InvalidInput:
                continue
            if function.selector == data[:4]:
                names = [each.type.name for each in function.inputs]
                mine.append(partial(decode, function.inputs, data[4:]))
                eth_abis.append(partial(eth_abi_decode, names, data[4:]))
    return [
        Row(name=name, cases=len(jobs), milliseconds=paced(jobs, rounds=rounds), note="decodes, renders nothing")
        for name, jobs in (("mcp-wallet-guard, arguments only", mine), ("eth-abi, arguments only", eth_abis))
    ]


def paced(jobs: list[Callable[[], Any]], *, rounds: int) -> float:
    means = []
    for _ in range(rounds + 1):
        before = time.perf_counter()
        for job in jobs:
            job()
        means.append((time.perf_counter() - before) / len(jobs) * 1e3)
    return statistics.median(means[1:])


def clearsig(folder: Path, work: dict[str, Any], *, python: str | None) -> Row:
    """PyPI; wants Python 3.13."""
    name, cases = f"clearsig {CLEARSIG.split('==')[1]} (PyPI)", len(work["calls"])
    wanted = [python, "python3.14", "python3.13"]
    python = next((each for each in wanted if each and run([each, "-c", "import venv"])), None)
    if python is None:
        return Row(name=name, cases=cases, note="not run: no Python 3.13 here")
    home = folder / "clearsig"
    inside = home / "bin" / "python"
    if not inside.exists():
        made = run([python, "-m", "venv", str(home)]) and run([str(inside), "-m", "pip", "install", "-q", CLEARSIG])
        if not made:
            return Row(name=name, cases=cases, note="not run: could not be installed")
    return theirs(name, cases, [str(inside), str(HERE / "with_clearsig.py"), str(folder / "work.json")], folder)


def sdk(folder: Path, work: dict[str, Any]) -> Row:
    """npm; wants node."""
    name, cases = f"{SDK[0]} (npm)", len(work["calls"])
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return Row(name=name, cases=cases, note="not run: no node here")
    home = folder / "sdk"
    home.mkdir(exist_ok=True)
    if not (home / "node_modules" / "@erc7730").exists():
        (home / "package.json").write_text('{"type": "module"}')
        if not run([npm, "install", "--silent", "--ignore-scripts", "--prefix", str(home), *SDK]):
            return Row(name=name, cases=cases, note="not run: could not be installed")
    script = home / "with_sdk.mjs"
    shutil.copyfile(HERE / "with_sdk.mjs", script)
    return theirs(name, cases, [node, str(script), str(folder / "work.json")], home)


def theirs(name: str, cases: int, command: list[str], folder: Path) -> Row:
    """The row that a script of `others/` writes as JSON: passed, labels, milliseconds."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=True)
        found = json.loads(done.stdout.strip().splitlines()[-1])
    except (subprocess.SubprocessError, ValueError, IndexError) as error:
        return Row(name=name, cases=cases, note=f"not run: {type(error).__name__}")
    return Row(name=name, cases=cases, **found)


def run(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=SECONDS, check=False).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


def print_table(rows: list[Row]) -> None:
    print(f"| {'renderer':<34} | cases | passed | labels and intent | ms a case | note |")
    print(f"| {'-' * 34} | ----: | -----: | ----------------: | --------: | ---- |")
    for row in rows:
        cells = ("" if value is None else str(value) for value in (row.passed, row.labels))
        passed, labels = cells
        pace = "" if row.milliseconds is None else f"{row.milliseconds:.3f}"
        print(f"| {row.name:<34} | {row.cases:>5} | {passed:>6} | {labels:>17} | {pace:>9} | {row.note} |")


if __name__ == "__main__":
    sys.exit(main())
