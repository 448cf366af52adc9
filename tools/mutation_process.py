"""Run a room's tests inside a forked process: once to see which test reaches which line, then once per mutant.

The parent imports what is slow and never changes (pytest, hypothesis, third-party libraries, the rooms below the one
that is judged) and nothing above, so that each fork starts warm and still imports the edited room anew.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import io
import json
import os
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import anyio.pytest_plugin
import anyio.to_thread
import coverage
import cryptography
import eth_keys
import hypothesis
import pydantic
import pytest
import rfc8785

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType

WARM: Final = (anyio.pytest_plugin, anyio.to_thread, cryptography, eth_keys, hypothesis, pydantic, rfc8785)
SOURCE: Final = Path(__file__).resolve().parent.parent / "src"
PYTEST: Final = (
    *("-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "not slow and not live"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # hypothesis is imported already, on purpose
)
FAULT: Final = 70  # a forked process that ends with this failed by itself, and judged nothing


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the unedited tests do: how long they take, and which of them reach which line ("" = at import)."""

    seconds: float
    contexts: dict[str, dict[int, frozenset[str]]]

    def reaching(self, file: Path, line: int) -> frozenset[str]:
        """The tests that reach a line; the context "" when importing the module does, which concerns all of them."""
        return self.contexts.get(str(file), {}).get(line, frozenset())


def warm_up() -> None:
    """Load what every fork would load again: the event loop of anyio, the plugins of pytest."""
    sys.dont_write_bytecode = False  # rewritten tests are compiled once, then read
    anyio.run(anyio.sleep, 0)


def import_rooms(rooms: Sequence[str]) -> None:
    """Import every module of these rooms into this process, for the forks to share."""
    for room in rooms:
        folder = SOURCE / "mcp_wallet_guard" / room
        for path in sorted(folder.rglob("*.py")) or [folder.with_suffix(".py")]:
            name = ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
            importlib.import_module(name)


def measure(tests: Path, *, deadline: float) -> Baseline | None:
    """Run the tests unedited in a fork. None when one of them fails. Raises TimeoutError."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "contexts.json"
        started = time.monotonic()
        child = os.fork()
        if child == 0:
            end_with(lambda: record(tests, report))
        if wait_for(child, deadline=deadline) != 0:
            return None
        found: dict[str, dict[str, list[str]]] = json.loads(report.read_text(encoding="utf-8"))
    contexts = {f: {int(line): frozenset(tests) for line, tests in lines.items()} for f, lines in found.items()}
    return Baseline(time.monotonic() - started, contexts)


def wait_for(child: int, *, deadline: float) -> int:
    """The status that a forked process ends with. Raises TimeoutError, and kills it, at the deadline."""
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        if time.monotonic() > deadline:
            kill(child)
            raise TimeoutError
        time.sleep(0.01)


def kill(child: int) -> None:
    """End a forked process that was not waited for yet, whatever it is doing."""
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def end_with(work: Callable[[], int]) -> NoReturn:
    """Run the work of a forked process and end it, without what the parent would clean up."""
    code = FAULT
    try:
        code = work()
    except BaseException:  # noqa: BLE001 - whatever it is, this process ends here
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def record(tests: Path, report: Path) -> int:
    meter = coverage.Coverage(data_file=None, config_file=False, source=[str(SOURCE)])
    calm_hypothesis()
    meter.start()
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        code = int(pytest.main([*PYTEST, str(tests)], plugins=[Contexts(meter)]))
    meter.stop()
    if code:
        print(output.getvalue()[-4000:], flush=True)
    data = meter.get_data()
    found = {
        file: {line: sorted(names) for line, names in data.contexts_by_lineno(file).items()}
        for file in data.measured_files()
    }
    report.write_text(json.dumps(spread_over_statements(found)), encoding="utf-8")
    return code


class Contexts:
    """pytest plugin: each test, with its fixtures, is a context of its own."""

    def __init__(self, meter: coverage.Coverage) -> None:
        self.meter = meter

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.meter.switch_context(item.nodeid)
        try:
            return (yield)
        finally:
            self.meter.switch_context("")


class Only:
    """pytest plugin: keep the named tests."""

    def __init__(self, names: frozenset[str]) -> None:
        self.names = names

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if item.nodeid in self.names]


def spread_over_statements(found: dict[str, dict[int, list[str]]]) -> dict[str, dict[int, list[str]]]:
    """coverage names the first line of a statement; a mutant may sit on a later one of it."""
    spread: dict[str, dict[int, list[str]]] = {}
    for file, lines in found.items():
        spread[file] = dict(lines)
        for node in ast.walk(ast.parse(Path(file).read_text(encoding="utf-8"))):
            if isinstance(node, ast.stmt) and (names := lines.get(node.lineno)):
                last = node.body[0].lineno - 1 if hasattr(node, "body") and node.body else node.end_lineno
                for line in range(node.lineno, (last or node.lineno) + 1):
                    spread[file].setdefault(line, names)
    return spread


def calm_hypothesis() -> None:
    """The same examples each time, few of them, and no search for a smaller one: a mutant is killed or not."""
    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
    hypothesis.settings.register_profile(
        "mutants", derandomize=True, max_examples=25, phases=phases, database=None, deadline=None
    )
    hypothesis.settings.load_profile("mutants")


def run_mutant(file: Path, tree: ast.Module, *, tests: Path, only: frozenset[str]) -> int:
    """Import the edited tree in place of the file and run the tests. 0: they pass, the mutant survives."""
    name = ".".join(file.relative_to(SOURCE).with_suffix("").parts)
    sys.meta_path.insert(0, Edited(name, compile(tree, str(file), "exec", dont_inherit=True)))
    calm_hypothesis()
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        code = pytest.main([*PYTEST, str(tests)], plugins=[] if "" in only else [Only(only)])
    if code in {pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.NO_TESTS_COLLECTED}:
        print(output.getvalue()[-4000:])
        return FAULT
    return int(code)


class Edited(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds exactly one module, and runs the edited tree as its source."""

    def __init__(self, name: str, code: CodeType) -> None:
        self.name, self.code = name, code

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None, /
    ) -> ModuleSpec | None:
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.code.co_filename, loader=self)

    def create_module(self, _: ModuleSpec, /) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(self.code, module.__dict__)  # noqa: S102
