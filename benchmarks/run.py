"""Run the benchmarks beside this file: `python benchmarks/run.py [--once] [name ...]`.

Prints one line per figure. Without --once a figure above its limit makes the exit code 1.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from figure import Figure


class Benchmark(Protocol):
    NAME: str

    def run(self, *, once: bool) -> list[Figure]: ...


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure, and judge against the limits.")
    parser.add_argument("names", nargs="*", help="only these")
    parser.add_argument("--once", action="store_true", help="the smallest run of each, not judged")
    arguments = parser.parse_args()

    found = benchmarks()
    if unknown := set(arguments.names) - found.keys():
        parser.error(f"no benchmark named {', '.join(sorted(unknown))}; there are {', '.join(sorted(found))}")

    broken = 0
    print(f"{'figure':<52}{'value':>12}{'limit':>12}  unit")
    for name in sorted(arguments.names or found):
        started = time.monotonic()
        for figure in found[name].run(once=arguments.once):
            verdict = "not judged" if arguments.once else "ok" if figure.holds else "OVER THE LIMIT"
            broken += not figure.holds and not arguments.once
            print(f"{figure.name:<52}{figure.value:>12.3f}{figure.limit:>12.3f}  {figure.unit:<10} {verdict}")
        print(f"  {name}: {time.monotonic() - started:.1f} s", flush=True)
    return 1 if broken else 0


def benchmarks() -> dict[str, Benchmark]:
    modules = sorted(path.stem for path in Path(__file__).parent.glob("bench_*.py"))
    found = [cast("Benchmark", importlib.import_module(module)) for module in modules]
    return {benchmark.NAME: benchmark for benchmark in found}


if __name__ == "__main__":
    sys.exit(main())
